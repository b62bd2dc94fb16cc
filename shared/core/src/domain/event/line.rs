//! The `data` of a server-sent event on one line, whatever a client takes for a line end.

/// Escapes the line ends of Unicode. JSON may contain them unescaped, but some clients split decoded text at
/// them.
pub(crate) fn one_line(json: String) -> String {
    const LINE_ENDS: [(char, &str); 3] =
        [('\u{85}', "\\u0085"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    if json.is_ascii() {
        return json;
    }
    LINE_ENDS.iter().fold(json, |json, (end, escaped)| {
        // These characters occur in strings only, where an escape means the same.
        if json.contains(*end) { json.replace(*end, escaped) } else { json }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn escaped_json_has_no_line_end_and_the_same_value() {
        let text = "a\u{85}b\u{2028}c\u{2029}d\u{b}e\u{c}f\u{1c}g\nh\r ąść ✅";
        let line = one_line(json!({ "title": text }).to_string());
        let is_line_end = |c: char| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
        assert!(!line.contains(is_line_end), "{line:?}");
        let read: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["title"], text);
        assert_eq!(one_line("{\"a\":\"ą✅\"}".to_owned()), "{\"a\":\"ą✅\"}");
    }
}
