//! A line in the table of an endpoint family, and the load that comes of it.
use std::sync::Arc;

use crate::http::{Server, segment};
use crate::load::{Load, Turn};
use crate::service::Door;

/// In a template: what differs from call to call.
const NUMBER: &str = "{number}";

/// One endpoint. `{word}` stands for a word of the [`Callers`], `{number}` for the number of the call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint {
    pub(crate) name: &'static str,
    /// Method and path, as `GET /livez`.
    line: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    status: u16,
    before: Option<&'static str>,
}

impl Endpoint {
    pub(crate) const fn new(name: &'static str, line: &'static str) -> Self {
        Self { name, line, headers: &[], body: "", status: 200, before: None }
    }

    pub(crate) const fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    pub(crate) const fn headers(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    /// What the answer must be, if it is not 200.
    pub(crate) const fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The line of what each client calls before each call, beside the measurement. That it is so already does no harm.
    pub(crate) const fn after(self, line: &'static str) -> Self {
        Self { before: Some(line), ..self }
    }
}

/// Those who call, and what the words of a table stand for.
#[derive(Clone, Debug)]
pub(crate) struct Callers {
    server: Server,
    /// The header by which each is known; each client is another of them.
    known_by: Vec<(&'static str, String)>,
    words: Vec<(&'static str, String)>,
}

impl Callers {
    /// Who shows nothing.
    pub(crate) fn strangers(door: &Door) -> Self {
        Self { server: door.server.clone(), known_by: Vec::new(), words: Vec::new() }
    }

    /// Users, the homeserver: who shows a token.
    pub(crate) fn with(door: &Door, tokens: &[String]) -> Self {
        let known_by = tokens.iter().map(|token| ("Authorization", format!("Bearer {token}"))).collect();
        Self { known_by, ..Self::strangers(door) }
    }

    /// A satellite.
    pub(crate) fn satellite(door: &Door) -> Self {
        Self { known_by: vec![("X-Service-Token", door.service_token.clone())], ..Self::strangers(door) }
    }

    /// What `{name}` stands for.
    #[must_use]
    pub(crate) fn word(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.words.push((name, value.into()));
        self
    }

    pub(crate) fn load(&self, endpoint: &Endpoint) -> Load {
        let (callers, endpoint) = (self.clone(), *endpoint);
        let (line, body) = (self.filled(endpoint.line, segment), self.filled(endpoint.body, str::to_owned));
        let before =
            endpoint.before.map(|line| self.requests(self.filled(line, segment), String::new(), &[]));
        Load {
            server: self.server.clone(),
            requests: callers.requests(line, body, endpoint.headers),
            status: endpoint.status,
            before,
        }
    }

    fn requests(
        &self,
        line: String,
        body: String,
        headers: &'static [(&'static str, &'static str)],
    ) -> crate::load::Requests {
        let callers = self.clone();
        if line.contains(NUMBER) || body.contains(NUMBER) {
            return Arc::new(move |turn: Turn| {
                let number = turn.number.to_string();
                callers.request(
                    turn.client,
                    &line.replace(NUMBER, &number),
                    &body.replace(NUMBER, &number),
                    headers,
                )
            });
        }
        let known = 0..self.known_by.len().max(1);
        let requests: Vec<_> = known.map(|client| callers.request(client, &line, &body, headers)).collect();
        Arc::new(move |turn: Turn| requests[turn.client % requests.len()].clone())
    }

    fn request(&self, client: usize, line: &str, body: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let (method, path) = line.split_once(' ').unwrap_or(("GET", line));
        let known_by = self.known_by.get(client % self.known_by.len().max(1));
        let known_by = known_by.map(|(name, value)| (*name, value.as_str()));
        let headers: Vec<_> = known_by.into_iter().chain(headers.iter().copied()).collect();
        self.server.request(method, path, &headers, body)
    }

    fn filled(&self, template: &str, write: fn(&str) -> String) -> String {
        let fill = |text: String, (name, value): &(&str, String)| {
            text.replace(&format!("{{{name}}}"), &write(value))
        };
        self.words.iter().fold(template.to_owned(), fill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callers() -> Callers {
        let door = Door {
            server: Server::local(8000),
            service_token: String::new(),
            hub_key: String::new(),
            hs_token: None,
            pids: Vec::new(),
            database: Vec::new(),
        };
        Callers::with(&door, &["anna".to_owned(), "ben".to_owned()]).word("room", "!a:b")
    }

    fn request(endpoint: Endpoint, client: usize) -> String {
        let load = callers().load(&endpoint);
        String::from_utf8((load.requests)(Turn { number: 7, client })).unwrap()
    }

    #[test]
    fn words_are_escaped_in_the_line_and_not_in_the_body() {
        let endpoint = Endpoint::new("send", "POST /rooms/{room}").body(r#"{"room":"{room}","n":{number}}"#);
        let request = request(endpoint, 0);
        assert!(request.starts_with("POST /rooms/%21a%3Ab HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"room\":\"!a:b\",\"n\":7}"), "{request}");
    }

    #[test]
    fn clients_are_the_callers_in_turn() {
        let endpoint = Endpoint::new("list", "GET /rooms");
        let whose = |client| request(endpoint, client).contains("Bearer ben");
        assert_eq!([0, 1, 2, 3].map(whose), [false, true, false, true]);
    }

    #[test]
    fn a_content_type_of_its_own_replaces_the_usual_one() {
        let endpoint = Endpoint::new("upload", "POST /upload").headers(&[("Content-Type", "text/plain")]);
        assert_eq!(request(endpoint, 0).matches("Content-Type").count(), 1);
    }
}
