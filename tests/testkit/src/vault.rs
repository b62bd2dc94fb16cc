//! A vault that is none: it keeps nothing secret.

use messenger_core::{Result, external::Sealed, id::HubUserId, port::Vault};

/// Seals by writing the user's name on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenVault;

impl Vault for OpenVault {
    fn password(&self) -> Result<String> {
        Ok(format!("{:032x}", rand::random::<u128>()))
    }

    fn seal(&self, user: &HubUserId, secret: &str) -> Result<Sealed> {
        Ok(Sealed { key_id: "open".to_owned(), bytes: format!("{user}\0{secret}").into_bytes() })
    }

    fn open(&self, user: &HubUserId, sealed: &Sealed) -> Option<String> {
        let text = String::from_utf8(sealed.bytes.clone()).ok()?;
        text.strip_prefix(&format!("{user}\0")).map(str::to_owned)
    }
}
