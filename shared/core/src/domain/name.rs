//! Names of users, rooms and entities: the form for comparison, and the form for display.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark, is_nfc};

/// The largest length of a display name, in characters.
pub const DISPLAY_NAME_MAX: usize = 255;

/// The first character of a flag that is written in tag characters, such as that of Scotland.
const FLAG: char = '\u{1f3f4}';

/// Returns the form of a name for comparison: Unicode normalisation form C, without white space at either
/// end.
pub fn normal(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if is_nfc(trimmed) { Cow::Borrowed(trimmed) } else { Cow::Owned(trimmed.nfc().collect()) }
}

/// Returns the form of a name for display: [`normal`], on one line, without control characters, invisible
/// characters and characters that change the text direction.
///
/// Emoji sequences are kept, and so are joiners between letters of scripts that need them. Returns an empty
/// text if no character of the name is visible.
pub fn legible(name: &str) -> String {
    normal(&visible(name)).into_owned()
}

/// Returns the form of a text of several lines for display: as [`legible`], with its line breaks, tabs and
/// indents.
pub fn legible_lines(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(visible).collect::<Vec<_>>().join("\t");
    let lines = text.split('\n').map(|one| line(one.strip_suffix('\r').unwrap_or(one)));
    lines.collect::<Vec<_>>().join("\n").nfc().collect()
}

/// Returns the visible characters of a text, with a space in place of each line break.
fn visible(name: &str) -> String {
    let mut kept = String::with_capacity(name.len());
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let last = kept.chars().next_back();
        match c {
            '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => kept.push(' '),
            '\u{200c}' | '\u{200d}' => {
                if last.is_some_and(is_joinable) && rest.peek().copied().is_some_and(is_joinable) {
                    kept.push(c);
                }
            }
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
                if last.is_some_and(|last| !last.is_whitespace() && !is_invisible(last)) {
                    kept.push(c);
                }
            }
            '\u{e0020}'..='\u{e007f}' => {
                if last.is_some_and(|last| last == FLAG || matches!(last, '\u{e0020}'..='\u{e007e}')) {
                    kept.push(c);
                }
            }
            c if is_invisible(c) => {}
            c => kept.push(c),
        }
    }
    kept
}

/// Parses a display name that a person gives. Returns its [`normal`] form.
///
/// # Errors
/// Returns a sentence part that names the violated rule.
pub fn display_name(text: &str) -> Result<String, &'static str> {
    let name = normal(text);
    if is_blank(&name) {
        Err("must not be blank")
    } else if name != legible(&name) {
        Err("must not contain control or invisible characters")
    } else if name.chars().count() > DISPLAY_NAME_MAX {
        Err("must have at most 255 characters")
    } else {
        Ok(name.into_owned())
    }
}

/// Returns whether no character of a name is visible.
pub fn is_blank(name: &str) -> bool {
    legible(name).is_empty()
}

/// Returns whether readers could mistake one name for the other. Only letters and digits count, without case
/// and accents.
pub fn is_like(one: &str, other: &str) -> bool {
    let skeleton = |name: &str| fold(&legible(name)).chars().filter(|c| c.is_alphanumeric()).collect();
    let (first, second): (String, String) = (skeleton(one), skeleton(other));
    if first.is_empty() { fold(&legible(one)) == fold(&legible(other)) } else { first == second }
}

/// Returns whether a character is a control, changes the text direction (Unicode Standard Annex #9) or is
/// invisible (`Default_Ignorable_Code_Point`, interlinear annotation, the empty Braille cell).
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether a joiner beside the character can change its form. That is so in emoji sequences and in
/// scripts with joined letters, but not in Latin.
fn is_joinable(c: char) -> bool {
    let is_latin = matches!(c, '\0'..='\u{2ff}' | '\u{1e00}'..='\u{1eff}');
    let is_selector = matches!(c, '\u{fe00}'..='\u{fe0f}');
    !is_latin && !c.is_whitespace() && (is_selector || !is_invisible(c))
}

/// Folds a text for searching: removes case and accents, and replaces ß by ss.
pub fn fold(text: &str) -> String {
    text.nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .fold(String::with_capacity(text.len()), |mut folded, c| {
            match c {
                'ß' => folded.push_str("ss"),
                _ => folded.push(c),
            }
            folded
        })
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_form_for_comparison() {
        for (name, form) in [
            ("Mu\u{308}ller", "Müller"),
            ("\u{a0} mueller\u{2003}\n", "mueller"),
            ("\u{212b}", "Å"),
            ("\u{1100}\u{1161}", "가"),
            ("a  b", "a  b"),
            (" \t", ""),
        ] {
            assert_eq!(normal(name), form);
            assert_eq!(normal(&normal(name)), form, "normalising twice changes nothing");
        }
        assert!(matches!(normal("Müller"), Cow::Borrowed(_)), "a normal name is not copied");
    }

    #[test]
    fn a_text_keeps_its_lines_and_loses_what_is_invisible() {
        for (text, shown) in [
            ("Teil A:\n\t- 4 mm\r\n\n  - 5 mm\n", "Teil A:\n\t- 4 mm\n\n  - 5 mm\n"),
            ("Zahlen an\u{202e}\nkonto.exe", "Zahlen an\nkonto.exe"),
            ("u\u{308}ber\u{200b} 👩‍🔧 \u{2028}weiter", "über 👩‍🔧  weiter"),
            ("\u{3164}", ""),
        ] {
            assert_eq!(legible_lines(text), shown);
        }
    }

    #[test]
    fn a_name_is_displayed_without_invisible_characters() {
        for (name, shown) in [
            ("Max\u{200b}\u{202e}", "Max"),
            ("\u{2066}Max\u{2069}", "Max"),
            ("Max\nMustermann\u{7}", "Max Mustermann"),
            ("u\u{200b}\u{308}", "ü"),
            ("M\u{200d}ax", "Max"),
            ("ü\u{200c}ü", "üü"),
            ("\u{3164}\u{2800}\u{ad}\u{34f}\u{feff}\u{180e}", ""),
            ("\u{200d}\u{fe0f}\u{e0061}\u{e007f}", ""),
            ("Max\u{fe0f}\u{fe0f}", "Max\u{fe0f}"),
            (
                "👩\u{200d}🔧 ❤\u{fe0f}\u{200d}🔥 1\u{fe0f}\u{20e3}",
                "👩\u{200d}🔧 ❤\u{fe0f}\u{200d}🔥 1\u{fe0f}\u{20e3}",
            ),
            (
                "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
                "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            ),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("שלום", "שלום"),
        ] {
            assert_eq!(legible(name), shown, "{name:?}");
            assert_eq!(legible(shown), shown, "a displayed name stays as it is");
        }
        assert!(is_blank(" \u{200b}\u{3000}") && !is_blank("-"));
    }

    #[test]
    fn a_given_name_is_visible_and_on_one_line() {
        for (name, given) in
            [(" Max  Müller ", "Max  Müller"), ("Mu\u{308}ller", "Müller"), ("👩\u{200d}🔧", "👩\u{200d}🔧")]
        {
            assert_eq!(display_name(name).as_deref(), Ok(given));
        }
        let longest = "ü".repeat(DISPLAY_NAME_MAX);
        assert_eq!(display_name(&longest).as_ref(), Ok(&longest));
        let longer = format!("{longest}x");
        for name in ["", " \u{200b}", "Max\nMüller", "Max\u{202e}", "M\u{200d}ax", "\0Max", longer.as_str()]
        {
            assert!(display_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn names_that_readers_confuse_are_alike() {
        for name in [
            "messenger",
            " MESSENGER!",
            "Méssenger",
            "M\u{200b}essenger\u{fe0f}",
            "Ｍessenger",
            "M e s s e n g e r",
        ] {
            assert!(is_like(name, "Messenger"), "{name:?}");
        }
        for name in ["Messenger (anna)", "Messengers", "", "✓"] {
            assert!(!is_like(name, "Messenger"), "{name:?}");
        }
        assert!(is_like("✓", "✓") && !is_like("✓", "✗"));
    }
}
