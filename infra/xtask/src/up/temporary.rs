//! A service for the time of a test: empty at the beginning, and stopped at the end.
use std::path::PathBuf;

use anyhow::Result;

use super::settings::UpSettings;
use super::stack::Stack;
use super::{stop, stored_data};

/// A service that is started for a test.
pub(crate) struct Temporary {
    settings: UpSettings,
}

impl Temporary {
    /// Prepares a service with its data in this directory, which is emptied.
    pub(crate) fn new(port: u16, directory: PathBuf) -> Result<Self> {
        stored_data::delete(&directory)?;
        Ok(Self { settings: UpSettings::of_tests(port, directory)? })
    }

    /// Returns the token with which the homeserver takes a caller for the bot of the service.
    pub(crate) fn bot_token(&self) -> &str {
        &self.settings.as_token
    }

    /// Starts the service and runs the test with its address and the token of satellites.
    pub(crate) async fn during<T>(self, test: impl AsyncFnOnce(&str, &str) -> Result<T>) -> Result<T> {
        let mut stack = Stack::default();
        let url = self.settings.url();
        let result = async {
            stack.start(&self.settings).await?;
            tokio::select! {
                result = test(&url, &self.settings.service_token) => result,
                error = stack.failure() => Err(error),
            }
        }
        .await;
        stop(&mut stack).await;
        result
    }
}
