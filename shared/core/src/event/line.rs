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
    use crate::{
        event::{Audience, Event, Kind, Payload},
        id::{Position, TenantId},
    };

    #[test]
    fn the_data_of_a_frame_is_one_line_for_every_reading_of_line_ends() {
        let text = "a\u{85}b\u{2028}c\u{2029}d\u{b}e\u{c}f\u{1c}g\nh\r ąść ✅";
        let event = Event {
            position: Position(1),
            audience: Audience::Tenant(TenantId(1)),
            kind: Kind::Notification,
            notification: None,
            payload: Payload::of(&json!({ "title": text })).expect("an object"),
        };
        let frame = String::from_utf8(event.frame().sse.to_vec()).expect("UTF-8");
        let data = frame.strip_prefix("id: 1\ndata: ").and_then(|rest| rest.strip_suffix("\n\n"));
        let data = data.expect("one block");
        let is_line_end = |c: char| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
        assert!(!data.contains(is_line_end), "{data:?}");
        let read: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(read["title"], text);
    }
}
