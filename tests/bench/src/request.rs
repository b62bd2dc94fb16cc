//! Endpoints as `loads.toml` declares them, with placeholders for values that differ between runs and calls.
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::http::{Server, segment};
use crate::load::{KEY, Load, NUMBER, Requests};

/// The values of placeholders.
pub(crate) type Words = BTreeMap<&'static str, String>;
/// The header by which the server recognises a caller.
pub(crate) type Credential = (&'static str, String);

/// An endpoint. In its texts, `{number}` stands for the number of the call, `{key}` for its last three digits, and
/// any other `{word}` for one of the [`Words`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    /// Method and path, such as `GET /livez`.
    call: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    /// The expected status.
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    pub(crate) caller: Caller,
    /// The call that each client makes before each measured call, whatever its status.
    before: Option<String>,
    /// The load that is called before the measurement, and the number of calls.
    pub(crate) prepare: Option<(String, u64)>,
    /// The load without which this one is left out.
    pub(crate) only_with: Option<String>,
    /// Whether each client inserts a row before each call, as a part of the measurement.
    #[serde(default)]
    pub(crate) insert_first: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Caller {
    #[default]
    Nobody,
    /// The user `load-0`.
    User,
    /// A user for each client, who may join the room of a machine.
    Guest,
    /// A user in this many rooms.
    Member(i64),
    Satellite,
    /// The homeserver, as the caller of the Application Service API.
    Homeserver,
    /// The bot, as a caller of the homeserver.
    Bot,
    /// A device of the bot: Conduit lets only devices read messages.
    Device,
}

fn ok() -> u16 {
    200
}

pub(crate) fn bearer(token: &str) -> Credential {
    ("Authorization", format!("Bearer {token}"))
}

impl Endpoint {
    /// Returns `true` if a text of the endpoint contains this placeholder.
    pub(crate) fn uses(&self, word: &str) -> bool {
        let before = self.before.as_deref().unwrap_or_default();
        [&self.call, &self.body, before].iter().any(|text| text.contains(&format!("{{{word}}}")))
    }

    /// Returns the load of callers with these credentials.
    pub(crate) fn load(&self, server: &Server, credentials: &[Credential], words: &Words) -> Load {
        let mut words = words.clone();
        words.insert("number", NUMBER.to_owned());
        words.insert("key", KEY.to_owned());
        let body = fill(&self.body, &words, str::to_owned);
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let requests = |call: &str, headers: &[(&str, &str)], body: &str| {
            let call = fill(call, &words, segment);
            let (method, path) = call.split_once(' ').unwrap_or(("GET", &call));
            if credentials.is_empty() {
                return Requests(vec![server.request(method, path, headers, body)]);
            }
            let request = |(name, value): &Credential| {
                server.request(method, path, &[&[(*name, value.as_str())], headers].concat(), body)
            };
            Requests(credentials.iter().map(request).collect())
        };
        let before = self.before.as_ref().map(|call| requests(call, &[], ""));
        Load::new(server.clone(), requests(&self.call, &headers, &body), self.status, before)
    }
}

/// Replaces the placeholders of a template.
fn fill(template: &str, words: &Words, escape: fn(&str) -> String) -> String {
    let replace =
        |text: String, (word, value): (&&str, &String)| text.replace(&format!("{{{word}}}"), &escape(value));
    words.iter().fold(template.to_owned(), replace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(endpoint: &str, client: usize) -> String {
        let endpoint: Endpoint = toml::from_str(&format!("name = 'test'\n{endpoint}")).unwrap();
        let words = Words::from([("room", "!a:b".to_owned())]);
        let load = endpoint.load(&Server::local(8000), &["anna", "ben"].map(bearer), &words);
        load.requests.of(client, 1_234_567_890_123_456)
    }

    #[test]
    fn words_are_escaped_in_the_path_and_kept_in_the_body() {
        let request =
            request("call = 'POST /{room}/{number}'\nbody = '{\"room\":\"{room}\",\"n\":{number}}'", 0);
        assert!(request.starts_with("POST /%21a%3Ab/1234567890123456 HTTP/1.1\r\n"), "{request}");
        assert!(
            request.ends_with("Content-Length: 36\r\n\r\n{\"room\":\"!a:b\",\"n\":1234567890123456}"),
            "{request}"
        );
    }

    #[test]
    fn a_key_is_the_last_digits_of_the_number() {
        let request = request("call = 'POST /'\nbody = '{key}'", 0);
        assert!(request.ends_with("Content-Length: 3\r\n\r\n456"), "{request}");
    }

    #[test]
    fn clients_are_the_callers_in_turn() {
        let is_ben = |client| request("call = 'GET /rooms'", client).contains("Bearer ben");
        assert_eq!([0, 1, 2, 3].map(is_ben), [false, true, false, true]);
    }

    #[test]
    fn a_content_type_of_the_endpoint_replaces_json() {
        let endpoint = "call = 'POST /upload'\nheaders = { Content-Type = 'text/plain' }";
        assert_eq!(request(endpoint, 0).matches("Content-Type").count(), 1);
    }
}
