//! Tolerant reading of JSON (RFC 8259): accepts what `serde_json` refuses although its meaning is clear.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Result, Value, value::RawValue};

/// The depth to which [`value`] keeps the readable parts of a value. The service reads nothing below it.
const LEVELS: u8 = 8;

/// Parses a text. Half of a surrogate pair (`"\ud83d"`) becomes U+FFFD.
///
/// # Errors
/// Returns the error for the original text.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).or_else(|error| match mend(text) {
        Cow::Borrowed(_) => Err(error),
        Cow::Owned(mended) => serde_json::from_str(&mended),
    })
}

/// Parses a value of any kind. Parts that cannot be represented (numbers beyond `f64`, deep nesting) become
/// `null`, and all others are kept.
pub fn value(raw: &RawValue) -> Value {
    part(&mend(raw.get()), LEVELS)
}

/// Deserialises a field as [`value`] does (`deserialize_with`).
///
/// # Errors
/// Fails if the field is no JSON.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Value, D::Error> {
    <&RawValue>::deserialize(deserializer).map(value)
}

/// Returns the text of a JSON string; `None` for any other value.
pub fn text(raw: &RawValue) -> Option<String> {
    parse(raw.get()).ok()
}

/// Returns whether a value contains half of a surrogate pair.
pub fn has_half(raw: &RawValue) -> bool {
    matches!(mend(raw.get()), Cow::Owned(_))
}

/// Parses a whole number in any notation of JSON: `42`, `42.0`, `4.2e1`, `-0`. Returns `None` if the text is
/// no whole number or exceeds `i64`.
pub fn whole(number: &str) -> Option<i64> {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{integer}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let zeros = exponent.parse::<i64>().ok()?.checked_sub(fraction.len().try_into().ok()?)?;
    let zeros = usize::try_from(zeros.checked_add(trailing.try_into().ok()?)?).ok()?;
    // The largest `i64` has 19 digits.
    (significant.len().saturating_add(zeros) <= 19)
        .then(|| format!("{sign}{significant}{}", "0".repeat(zeros)).parse().ok())
        .flatten()
}

fn part(text: &str, levels: u8) -> Value {
    if let Ok(value) = serde_json::from_str(text) {
        return value;
    }
    let inner = |raw: &RawValue| match levels {
        0 => Value::Null,
        _ => part(raw.get(), levels - 1),
    };
    if let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
        return members.into_iter().map(|(name, raw)| (name, inner(raw))).collect();
    }
    serde_json::from_str::<Vec<&RawValue>>(text)
        .map_or(Value::Null, |items| items.into_iter().map(inner).collect())
}

/// Replaces each half of a surrogate pair by U+FFFD. Offsets do not change, because both escapes have six
/// characters.
pub fn mend(text: &str) -> Cow<'_, str> {
    let (mut mended, mut copied, mut next) = (String::new(), 0, 0);
    while let Some(at) = text[next..].find('\\').map(|found| next + found) {
        next = match (half(&text[at..]), text.get(at + 6..).and_then(half)) {
            (Some(Half::High), Some(Half::Low)) => at + 12,
            (Some(_), _) => {
                mended.push_str(&text[copied..at]);
                mended.push_str("\\ufffd");
                copied = at + 6;
                copied
            }
            // A backslash escapes the next character.
            (None, _) => at + 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    if copied == 0 { Cow::Borrowed(text) } else { Cow::Owned(mended + &text[copied..]) }
}

enum Half {
    High,
    Low,
}

/// Returns the half of a surrogate pair whose escape begins the text; `None` if there is none.
fn half(text: &str) -> Option<Half> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap_or_default()
    }

    #[test]
    fn half_of_a_surrogate_pair_reads_as_the_replacement_character() {
        for (text, read) in [
            (r#""cut \ud83d""#, "cut \u{fffd}"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\uDE00\uD83D""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\\ud83d""#, r"\ud83d"),
            (r#""\\\ud83d""#, "\\\u{fffd}"),
            (r#""\ud83dä\u00e4\n""#, "\u{fffd}ää\n"),
        ] {
            assert_eq!(parse::<String>(text).ok().as_deref(), Some(read), "{text}");
        }
        for broken in [r#""\ud83""#, r#""\u+12f""#, r#""\"#, r#""\ä""#, "", "{"] {
            assert!(parse::<Value>(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn half_of_a_pair_in_a_member_name_is_replaced_as_well() {
        let object = parse::<Value>(r#"{"\ud83d": 1, "a": "\udc00"}"#).ok();
        assert_eq!(object, Some(json!({ "\u{fffd}": 1, "a": "\u{fffd}" })));
    }

    #[test]
    fn parts_that_cannot_be_represented_become_null_and_the_others_are_kept() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let object =
            format!(r#"{{"body": "a \ud83d", "n": 1e400, "deep": {deep}, "list": [1, -1e999, "b"]}}"#);
        let read = json!({ "body": "a \u{fffd}", "n": null, "deep": null, "list": [1, null, "b"] });
        let deep = value(&raw(&object));
        assert_eq!(deep.get("body"), read.get("body"));
        assert_eq!((deep.get("n"), deep.get("list")), (read.get("n"), read.get("list")));
        assert_eq!(value(&raw("1e400")), Value::Null);
    }

    #[test]
    fn a_whole_number_is_parsed_in_every_notation() {
        for (text, number) in [
            ("42", 42),
            ("42.0", 42),
            ("1e3", 1000),
            ("-0", 0),
            ("-0.0e-9", 0),
            ("0e999999999999999999999", 0),
            ("4.2e1", 42),
            ("4200E-2", 42),
            ("-1.50e+1", -15),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("100e-2", 1),
        ] {
            assert_eq!(whole(text), Some(number), "{text}");
        }
        for text in [
            "42.5",
            "1e-1",
            "9223372036854775808",
            "-9223372036854775809",
            "1e19",
            "1e400",
            "1e9223372036854775807",
            "1e99999999999999999999",
            "1e-9223372036854775808",
            "",
            "-",
            "--1",
            "1.2.3",
            "x",
            "\"42\"",
            "4 2",
        ] {
            assert_eq!(whole(text), None, "{text}");
        }
    }
}
