//! The registration: how a homeserver learns that we exist.
//!
//! Matrix specification, Application Service API, "Registration".

use std::{fmt, time::Duration};

use reqwest::{Client, header::CONTENT_TYPE};
use serde_json::Value;

/// Time limit for the service's answer to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// What the homeserver has to know of us.
#[derive(Clone, PartialEq, Eq)]
pub struct Registration {
    /// Names this registration among others; never changes.
    pub id: String,
    /// Where we take its transactions; `None`: it sends none.
    pub url: Option<String>,
    /// The secret by which it knows us.
    pub as_token: String,
    /// The secret by which we know it.
    pub hs_token: String,
    /// The localpart of the bot.
    pub bot_localpart: String,
    /// The homeserver's `server_name`.
    pub server_name: String,
}

impl Registration {
    /// Whether the service answers at its address and knows the homeserver's token, asked as the homeserver does
    /// (`POST /_matrix/app/v1/ping`). `true` without an address: nothing is pushed.
    pub async fn is_answered(&self) -> bool {
        let Some(url) = &self.url else { return true };
        let Ok(client) = Client::builder().no_proxy().timeout(PING_TIMEOUT).build() else { return false };
        let url = format!("{}/_matrix/app/v1/ping", url.trim_end_matches('/'));
        let request = client.post(url).bearer_auth(&self.hs_token).header(CONTENT_TYPE, "application/json");
        let answer = request.body("{}").send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }
}

/// Never shows the tokens.
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

/// What is added to the bot's localpart to name the registration's own user, by whom nothing is ever done: Synapse lets
/// that user read no `/sync` (500), and the bot has to. No Hub user is mapped to such a localpart.
const SENDER: &str = "_-appservice";

/// The registration as the file that Synapse reads (`app_service_config_files`) and the text that Conduit is sent.
///
/// The users are not exclusively ours: else Conduit would let nobody log in with a password. The aliases are: else
/// anybody could take the alias of a room that is yet to come, and so keep it from being made.
///
/// Ephemeral events are asked for under both names, since older Synapses know the unstable one (MSC2409). Conduit
/// sends none; there they come by `/sync`.
pub fn yaml(registration: &Registration) -> String {
    let Registration { id, url, as_token, hs_token, bot_localpart, server_name } = registration;
    let server = literally(server_name);
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
        sender = quoted(&format!("{bot_localpart}{SENDER}")),
    )
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A regular expression for exactly this server name, in Python's dialect (Synapse) and Rust's (Conduit).
fn literally(server_name: &str) -> String {
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
    fn names_are_quoted_for_yaml_and_escaped_for_regular_expressions() {
        let text = yaml(&registration());
        assert!(text.contains(r#"regex: "^@.*:chat\\.hub-1\\.local:8448$""#), "{text}");
        assert!(text.contains(r#"regex: "^#hub_.*:chat\\.hub-1\\.local:8448$""#), "{text}");
        assert!(text.contains(r#"hs_token: "hs-\"secret\": #1""#), "{text}");
        assert!(text.contains("url: \"http://127.0.0.1:8000\"\n"), "{text}");
    }

    #[test]
    fn who_types_is_pushed_by_old_and_new_homeservers() {
        let text = yaml(&registration());
        for key in ["receive_ephemeral", "de.sorunome.msc2409.push_ephemeral"] {
            assert!(text.contains(&format!("\n{key}: true\n")), "{text}");
        }
    }

    #[test]
    fn without_a_url_nothing_is_pushed() {
        let text = yaml(&Registration { url: None, ..registration() });
        assert!(text.contains("url: null\n"), "{text}");
    }

    #[test]
    fn tokens_are_not_in_the_debug_form() {
        assert!(!format!("{:?}", registration()).contains("secret"));
    }
}
