//! Takes parameters out of a connection string, so that tokio-postgres reads the others.

use percent_encoding::percent_decode_str;

/// A connection string without some of its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// The other parameters, as they were.
    pub(crate) remaining: String,
    /// The parameters that were taken out, in their order.
    pub(crate) taken: Vec<(String, String)>,
}

impl Parameters {
    /// Takes the parameters with these names out of a URL or a list of `keyword=value`. Leaves text that it
    /// cannot read to tokio-postgres, which reports it.
    pub(crate) fn take(text: &str, names: &[&str]) -> Self {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Self::take_from_url(text, names)
        } else {
            Self::take_from_keywords(text, names)
        }
    }

    /// Returns the last value of a parameter; `None` if it is missing or empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.taken.iter().rev().filter(|(taken, _)| taken == name);
        values.next().map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn take_from_url(url: &str, names: &[&str]) -> Self {
        // Credentials may contain a question mark.
        let hosts = url.find('@').unwrap_or(0);
        let unchanged = || Self { remaining: url.to_owned(), taken: Vec::new() };
        let Some(mark) = url[hosts..].find('?') else { return unchanged() };
        let (place, query) = url.split_at(hosts + mark);
        let mut taken = Vec::new();
        let mut kept = Vec::new();
        for parameter in query[1..].split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let decoded = (percent_decode_str(name).decode_utf8(), percent_decode_str(value).decode_utf8());
            match decoded {
                (Ok(name), Ok(value)) if names.contains(&&*name) => {
                    taken.push((name.into_owned(), value.into_owned()));
                }
                _ => kept.push(parameter),
            }
        }
        let mark = if kept.is_empty() { "" } else { "?" };
        Self { remaining: format!("{place}{mark}{}", kept.join("&")), taken }
    }

    fn take_from_keywords(text: &str, names: &[&str]) -> Self {
        let (mut remaining, mut taken) = (String::new(), Vec::new());
        let mut unread = text;
        while let Some((name, value, after)) = keyword(unread) {
            if names.contains(&name) {
                taken.push((name.to_owned(), value));
            } else {
                remaining.push_str(&unread[..unread.len() - after.len()]);
            }
            unread = after;
        }
        remaining.push_str(unread);
        Self { remaining, taken }
    }
}

/// Reads the first `keyword=value`, and returns it with the text behind it. A value may stand in quotes, and
/// a backslash takes the next character as it is. Returns `None` at the end and for other text.
fn keyword(text: &str) -> Option<(&str, String, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return None;
    }
    let value = value.trim_start();
    let (is_quoted, body) = value.strip_prefix('\'').map_or((false, value), |body| (true, body));
    let mut read = String::new();
    let mut characters = body.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => read.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if is_quoted => return Some((name, read, &body[at + 1..])),
            space if space.is_whitespace() && !is_quoted => return Some((name, read, &body[at..])),
            other => read.push(other),
        }
    }
    (!is_quoted).then_some((name, read, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, remaining: &str, taken: &[(&str, &str)]) {
        let taken = taken.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let expected = Parameters { remaining: remaining.to_owned(), taken };
        assert_eq!(Parameters::take(text, &["sslmode", "sslrootcert"]), expected);
    }

    #[test]
    fn parameters_of_a_url_are_taken_out_and_decoded() {
        check("postgres://u:p?x@h/d", "postgres://u:p?x@h/d", &[]);
        check("postgres://h/d?sslmode=require", "postgres://h/d", &[("sslmode", "require")]);
        check(
            "postgresql://u:p?sslmode=x@h:5/d?a=1&sslrootcert=%2Fa%20b%2Fc.pem&b=%20&sslmode=verify-full",
            "postgresql://u:p?sslmode=x@h:5/d?a=1&b=%20",
            &[("sslrootcert", "/a b/c.pem"), ("sslmode", "verify-full")],
        );
    }

    #[test]
    fn parameters_of_a_list_are_taken_out_and_unquoted() {
        check("host=h password='a sslmode=x' user=u", "host=h password='a sslmode=x' user=u", &[]);
        check("sslmode=require host=h", " host=h", &[("sslmode", "require")]);
        check(
            r"host = h sslrootcert = '/a b/it\'s.pem' sslmode=verify-ca user=u\ v",
            r"host = h user=u\ v",
            &[("sslrootcert", "/a b/it's.pem"), ("sslmode", "verify-ca")],
        );
    }

    #[test]
    fn text_that_is_no_connection_string_stays() {
        for text in ["", "host", "host=h sslmode", "two words=1", "host='h", "= x"] {
            check(text, text, &[]);
        }
    }

    #[test]
    fn the_last_of_equal_parameters_counts_and_an_empty_one_is_none() {
        let taken =
            Parameters::take("sslmode=require sslmode=disable sslrootcert=''", &["sslmode", "sslrootcert"]);
        assert_eq!((taken.value("sslmode"), taken.value("sslrootcert")), (Some("disable"), None));
    }
}
