//! Names of people and things: the one form in which they are compared, and the form in which they are shown.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark, is_nfc};

/// A flag that is spelled out in tag characters, as that of Scotland.
const FLAG: char = '\u{1f3f4}';

/// Returns the form in which a text names somebody or something: Unicode normalisation form C, without white space at
/// either end. Two texts that look the same to their writers name the same then.
pub fn normal(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if is_nfc(trimmed) { Cow::Borrowed(trimmed) } else { Cow::Owned(trimmed.nfc().collect()) }
}

/// Returns the form of a name for display: [`normal`], on one line, without controls, invisible characters and characters
/// that change the text direction. Emoji sequences stay, as do joiners between letters of scripts that need them. Returns
/// an empty text if nothing of the name is visible.
pub fn legible(name: &str) -> String {
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
    normal(&kept).into_owned()
}

/// Whether nothing of a name is visible.
pub fn is_blank(name: &str) -> bool {
    legible(name).is_empty()
}

/// Whether people would take one name for the other: case, accents and everything that is neither letter nor digit do not
/// tell them apart.
pub fn is_like(one: &str, other: &str) -> bool {
    let skeleton = |name: &str| fold(&legible(name)).chars().filter(|c| c.is_alphanumeric()).collect();
    let (first, second): (String, String) = (skeleton(one), skeleton(other));
    if first.is_empty() { fold(&legible(one)) == fold(&legible(other)) } else { first == second }
}

/// Whether a character is a control, changes the text direction (Unicode Standard Annex #9) or is invisible
/// (`Default_Ignorable_Code_Point`, interlinear annotation, the empty Braille cell).
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a joiner beside it can change how it looks: in emoji sequences and in scripts whose letters join, not in Latin.
fn is_joinable(c: char) -> bool {
    let is_latin = matches!(c, '\0'..='\u{2ff}' | '\u{1e00}'..='\u{1eff}');
    let is_selector = matches!(c, '\u{fe00}'..='\u{fe0f}');
    !is_latin && !c.is_whitespace() && (is_selector || !is_invisible(c))
}

/// Folds text for searching: case, accents and ß do not matter.
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
    fn a_name_has_one_form() {
        for (given, form) in [
            ("Mu\u{308}ller", "Müller"),
            ("\u{a0} mueller\u{2003}\n", "mueller"),
            ("\u{212b}", "Å"),
            ("\u{1100}\u{1161}", "가"),
            ("a  b", "a  b"),
            (" \t", ""),
        ] {
            assert_eq!(normal(given), form);
            assert_eq!(normal(&normal(given)), form, "again is no change");
        }
        assert!(matches!(normal("Müller"), Cow::Borrowed(_)), "nothing is copied that is normal");
    }

    #[test]
    fn a_name_is_shown_without_what_nobody_sees() {
        for (given, shown) in [
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
            assert_eq!(legible(given), shown, "{given:?}");
            assert_eq!(legible(shown), shown, "again is no change");
        }
        assert!(is_blank(" \u{200b}\u{3000}") && !is_blank("-"));
    }

    #[test]
    fn names_that_people_confuse_are_alike() {
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
