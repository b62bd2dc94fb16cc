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

/// A service that runs for a test.
pub(crate) struct Running {
    /// The address.
    pub(crate) url: String,
    /// The token of satellites.
    pub(crate) service_token: String,
    /// The token with which the homeserver takes a caller for the bot of the service.
    pub(crate) bot_token: String,
    pub(crate) database_url: String,
    /// The id of the homeserver's process, which a test may pause; `None` if it is not ours.
    pub(crate) homeserver_process: Option<i32>,
}

impl Temporary {
    /// Prepares a service with its data in this directory, which is emptied.
    pub(crate) fn new(port: u16, directory: PathBuf) -> Result<Self> {
        stored_data::delete(&directory)?;
        Ok(Self { settings: UpSettings::of_tests(port, directory)? })
    }

    /// Starts the service and runs the test.
    pub(crate) async fn during<T>(self, test: impl AsyncFnOnce(&Running) -> Result<T>) -> Result<T> {
        let mut stack = Stack::default();
        let result = async {
            stack.start(&self.settings).await?;
            let running = Running {
                url: self.settings.url(),
                service_token: self.settings.service_token.clone(),
                bot_token: self.settings.as_token.clone(),
                database_url: stack.database_url(&self.settings),
                homeserver_process: stack.synapse.as_ref().and_then(|synapse| Some(synapse.process()?.id())),
            };
            tokio::select! {
                result = test(&running) => result,
                error = stack.failure() => Err(error),
            }
        }
        .await;
        stop(&mut stack).await;
        result
    }
}
