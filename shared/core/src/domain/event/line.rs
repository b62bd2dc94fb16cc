//! The data of a Server-Sent Event on one line, for every reading of line ends.

/// Escapes the line ends of Unicode, which JSON may leave as they are: some clients split decoded text at them as well.
pub(crate) fn one_line(json: String) -> String {
    const LINE_ENDS: [(char, &str); 3] =
        [('\u{85}', "\\u0085"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    if json.is_ascii() {
        return json;
    }
    LINE_ENDS.iter().fold(json, |json, (end, escaped)| {
        // These characters occur in strings alone, where an escape means the same.
        if json.contains(*end) { json.replace(*end, escaped) } else { json }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn json_is_one_line_for_every_reading_of_line_ends_and_means_the_same() {
        let text = "a\u{85}b\u{2028}c\u{2029}d\u{b}e\u{c}f\u{1c}g\nh\r ąść ✅";
        let line = one_line(json!({ "title": text }).to_string());
        let is_line_end = |c: char| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
        assert!(!line.contains(is_line_end), "{line:?}");
        let read: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["title"], text);
        assert_eq!(one_line("{\"a\":\"ą✅\"}".to_owned()), "{\"a\":\"ą✅\"}");
    }
}
