//! The settings of the web messenger.

use super::{Env, Environment};

/// The settings of the web messenger.
#[derive(Debug, Clone, Default)]
pub struct WebConfig {
    /// `FRAME_ANCESTORS`: the origins whose pages may show it in a frame, beside our own.
    pub frame_ancestors: Vec<String>,
    /// `ENVIRONMENT=development`: seeded users can be signed in without the Hub.
    pub has_seeded_users: bool,
}

impl WebConfig {
    pub(super) fn read(env: &mut Env<'_>, environment: Option<Environment>) -> Self {
        let list = env.optional("FRAME_ANCESTORS");
        Self {
            frame_ancestors: list
                .map(|list| env.origin_list("FRAME_ANCESTORS", &list, ""))
                .unwrap_or_default(),
            has_seeded_users: environment == Some(Environment::Development),
        }
    }
}
