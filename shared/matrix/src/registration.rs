//! The registration of this service with a homeserver (Matrix specification, "Application Service API",
//! "Registration").

use std::{fmt, time::Duration};

use reqwest::{Client, header::CONTENT_TYPE};
use serde_json::Value;

/// The time limit for the response to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// A registration of this service as an Application Service.
#[derive(Clone, PartialEq, Eq)]
pub struct Registration {
    /// The id, which never changes.
    pub id: String,
    /// The address to which the homeserver pushes transactions. `None` disables push.
    pub url: Option<String>,
    /// The token by which the homeserver authenticates this service.
    pub as_token: String,
    /// The token by which this service authenticates the homeserver.
    pub hs_token: String,
    /// The localpart of the bot.
    pub bot_localpart: String,
    /// The homeserver's `server_name`.
    pub server_name: String,
}

impl Registration {
    /// Pings the service as the homeserver does (`POST /_matrix/app/v1/ping`). Returns whether it responds
    /// and accepts the homeserver's token. Returns `true` without an address, since nothing is pushed then.
    pub async fn is_answered(&self) -> bool {
        let Some(url) = &self.url else { return true };
        let Ok(client) = Client::builder().no_proxy().timeout(PING_TIMEOUT).build() else { return false };
        let url = format!("{}/_matrix/app/v1/ping", url.trim_end_matches('/'));
        let request = client.post(url).bearer_auth(&self.hs_token).header(CONTENT_TYPE, "application/json");
        let response = request.body("{}").send().await;
        response.is_ok_and(|response| response.status().is_success())
    }
}

/// Hides the tokens.
impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("id", &self.id)
            .field("url", &self.url)
            .field("bot_localpart", &self.bot_localpart)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// The suffix of the bot's localpart that makes the registration's own user. That user is never used, because
/// Synapse responds to its `/sync` with 500. No Hub user is mapped to such a localpart.
const SENDER_SUFFIX: &str = "_-appservice";

/// Returns the registration as YAML: for Synapse's `app_service_config_files`, and for Conduit's admin room.
///
/// The namespace of users is not exclusive, because Conduit refuses passwords in an exclusive one. That of
/// aliases is, so that nobody can take the alias of a future room.
///
/// Ephemeral events are requested by both names, because older Synapses know only the unstable one (MSC2409).
/// Conduit pushes none; they arrive by `/sync`.
pub fn yaml(registration: &Registration) -> String {
    let Registration { id, url, as_token, hs_token, bot_localpart, server_name } = registration;
    let server = escape_regex(server_name);
    let users = quoted(&format!("^@.*:{server}$"));
    let aliases = quoted(&format!("^#hub_.*:{server}$"));
    format!(
        "id: {id}
url: {url}
as_token: {as_token}
hs_token: {hs_token}
sender_localpart: {sender}
rate_limited: false
receive_ephemeral: true
de.sorunome.msc2409.push_ephemeral: true
namespaces:
  users:
    - exclusive: false
      regex: {users}
  aliases:
    - exclusive: true
      regex: {aliases}
  rooms: []
",
        id = quoted(id),
        url = url.as_deref().map_or_else(|| "null".to_owned(), quoted),
        as_token = quoted(as_token),
        hs_token = quoted(hs_token),
        sender = quoted(&format!("{bot_localpart}{SENDER_SUFFIX}")),
    )
}

/// Quotes a text for YAML. A JSON string is a valid YAML string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Escapes a server name for regular expressions of Python (Synapse) and Rust (Conduit).
fn escape_regex(server_name: &str) -> String {
    server_name.chars().fold(String::new(), |mut regex, c| {
        if !c.is_alphanumeric() && !matches!(c, '-' | ':') {
            regex.push('\\');
        }
        regex.push(c);
        regex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration() -> Registration {
        Registration {
            id: "messenger".to_owned(),
            url: Some("http://127.0.0.1:8000".to_owned()),
            as_token: "as-secret".to_owned(),
            hs_token: "hs-\"secret\": #1".to_owned(),
            bot_localpart: "messenger".to_owned(),
            server_name: "chat.hub-1.local:8448".to_owned(),
        }
    }

    #[test]
    fn values_are_quoted_for_yaml_and_escaped_for_regular_expressions() {
        let text = yaml(&registration());
        assert!(text.contains(r#"regex: "^@.*:chat\\.hub-1\\.local:8448$""#), "{text}");
        assert!(text.contains(r#"regex: "^#hub_.*:chat\\.hub-1\\.local:8448$""#), "{text}");
        assert!(text.contains(r#"hs_token: "hs-\"secret\": #1""#), "{text}");
        assert!(text.contains("url: \"http://127.0.0.1:8000\"\n"), "{text}");
    }

    #[test]
    fn ephemeral_events_are_requested_by_both_names() {
        let text = yaml(&registration());
        for key in ["receive_ephemeral", "de.sorunome.msc2409.push_ephemeral"] {
            assert!(text.contains(&format!("\n{key}: true\n")), "{text}");
        }
    }

    #[test]
    fn a_registration_without_a_url_disables_push() {
        let text = yaml(&Registration { url: None, ..registration() });
        assert!(text.contains("url: null\n"), "{text}");
    }

    #[test]
    fn the_debug_form_hides_the_tokens() {
        assert!(!format!("{:?}", registration()).contains("secret"));
    }
}
