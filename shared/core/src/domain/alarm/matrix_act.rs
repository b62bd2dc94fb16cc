//! Acts of operators with other Matrix clients: reactions and replies to the messages of an alarm.

use crate::domain::alarm::Action;

/// The reactions that acknowledge an alarm, without variation selectors and skin tones.
const ACKNOWLEDGING: [&str; 4] = ["✅", "✔", "☑", "👍"];

/// The replies that acknowledge an alarm.
const ACKNOWLEDGEMENTS: [&str; 6] = ["ok", "okay", "ack", "quittiert", "q", "übernommen"];

/// The replies that report the end of the fault.
const RESOLUTIONS: [&str; 3] = ["erledigt", "behoben", "resolved"];

/// Returns whether a reaction acknowledges an alarm.
pub fn is_acknowledgement(key: &str) -> bool {
    let is_variation = |c: char| c == '\u{fe0f}' || ('\u{1f3fb}'..='\u{1f3ff}').contains(&c);
    let plain: String = key.chars().filter(|c| !is_variation(*c)).collect();
    ACKNOWLEDGING.contains(&plain.as_str())
}

/// Returns the action of a reply without its quote, and its comment. Any text that is no command is a comment.
pub fn of_reply(text: &str) -> (Action, Option<String>) {
    let word = text.trim().trim_end_matches(['.', '!']).to_lowercase();
    if ACKNOWLEDGEMENTS.contains(&word.as_str()) {
        (Action::Acknowledge, None)
    } else if RESOLUTIONS.contains(&word.as_str()) {
        (Action::Resolve, None)
    } else {
        (Action::Comment, Some(text.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reactions_acknowledge_in_each_skin_tone_and_style() {
        for key in ["✅", "✔", "✔\u{fe0f}", "☑\u{fe0f}", "👍", "👍\u{1f3fd}"] {
            assert!(is_acknowledgement(key), "{key}");
        }
        for key in ["👎", "❤", "", "✅✅", "ok"] {
            assert!(!is_acknowledgement(key), "{key}");
        }
    }

    #[test]
    fn a_reply_is_a_command_or_a_comment() {
        for text in ["ok", "Okay", " ACK ", "Quittiert!", "q", "Übernommen."] {
            assert_eq!(of_reply(text), (Action::Acknowledge, None), "{text}");
        }
        for text in ["erledigt", "Behoben.", "resolved"] {
            assert_eq!(of_reply(text), (Action::Resolve, None), "{text}");
        }
        let comment = |text: &str| (Action::Comment, Some(text.to_owned()));
        assert_eq!(of_reply("Ich schaue nach"), comment("Ich schaue nach"));
        assert_eq!(of_reply(" nicht ok "), comment("nicht ok"));
    }
}
