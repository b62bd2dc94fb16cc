//! The version of an object, under which an act may change it.

use crate::domain::error::{Error, Result};

/// The versions of an object that an act may change (RFC 9110, "If-Match"); `None` for any version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedVersions(pub Option<Vec<i64>>);

impl ExpectedVersions {
    /// Checks the present version.
    ///
    /// # Errors
    /// `version_mismatch`.
    pub fn check(&self, version: i64) -> Result<()> {
        if self.0.as_ref().is_none_or(|expected| expected.contains(&version)) {
            Ok(())
        } else {
            Err(Error::VersionMismatch { version })
        }
    }
}
