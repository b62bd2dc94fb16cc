//! The settings of the Hub's token endpoint.

use std::fmt;

use super::Env;

/// `HUB_TOKEN_URL`, `HUB_CLIENT_ID` and `HUB_CLIENT_SECRET`: the endpoint at which the Hub exchanges its codes for
/// tokens, and this service as its client (RFC 6749, section 3.2).
#[derive(Clone)]
pub struct TokenEndpoint {
    /// The URL of the endpoint.
    pub url: String,
    /// The name of this service at the Hub.
    pub client_id: String,
    /// The password of this service at the Hub; `None` for a public client.
    pub client_secret: Option<String>,
}

impl TokenEndpoint {
    /// Reads the settings. Returns `None` without a URL.
    pub(super) fn read(env: &mut Env<'_>) -> Option<Self> {
        let client_id = env.text("HUB_CLIENT_ID", "messenger-service");
        let client_secret = env.secret("HUB_CLIENT_SECRET");
        if env.optional("HUB_TOKEN_URL").is_none() {
            if client_secret.is_some() {
                env.problems.push(
                    "HUB_CLIENT_SECRET is set, but HUB_TOKEN_URL is not: set both or neither".to_owned(),
                );
            }
            return None;
        }
        let url = env.url("HUB_TOKEN_URL", "");
        Some(Self { url, client_id, client_secret })
    }
}

/// Hides the secret.
impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("url", &self.url)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
