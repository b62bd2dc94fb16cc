//! The fields of a request: the values that each kind of field accepts, and the problems of others.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use std::time::Duration;

use messenger_core::Error;
use messenger_runtime::fields::{Fields, query_value};
use serde_json::{Value, json};

fn body(fields: &Value) -> Fields {
    Fields::from_json(fields.to_string().as_bytes()).expect("an object")
}

/// Returns `pointer: message` of each problem.
fn wrong(fields: Fields) -> Vec<String> {
    match fields.finish() {
        Err(Error::Invalid(problems)) => {
            problems.iter().map(|problem| format!("{}: {}", problem.pointer, problem.message)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn text_is_counted_in_characters_and_kept_as_it_is() {
    let mut fields = body(&json!({ "a": " üü ", "b": "ü".repeat(4), "c": "", "d": null }));
    assert_eq!(fields.required_text("a", 4), " üü ");
    assert_eq!(fields.optional_text("b", 4), Some("üüüü".to_owned()));
    assert_eq!(fields.optional_text("c", 4), Some(String::new()));
    assert_eq!((fields.optional_text("d", 4), fields.optional_text("e", 4)), (None, None));
    assert_eq!(wrong(fields), [""; 0]);
}

#[test]
fn each_wrong_text_is_named_once() {
    let mut fields =
        body(&json!({ "a": "xxxxx", "b": "\u{0}", "c": 1, "d": " ", "e": null, "f": {}, "g": true }));
    for name in ["a", "b", "c", "d", "e", "missing"] {
        fields.required_text(name, 4);
    }
    for name in ["f", "g"] {
        fields.optional_text(name, 4);
    }
    insta::assert_snapshot!(wrong(fields).join("\n"), @r"
    /a: must have at most 4 characters, has 5
    /b: must not contain the character U+0000
    /c: must be text, is a number
    /d: must not be blank
    /e: is required: text of 1 to 4 characters
    /missing: is required: text of 1 to 4 characters
    /f: must be text, is an object
    /g: must be text, is a boolean
    ");
}

#[test]
fn a_field_has_one_problem_the_first() {
    let mut fields = body(&json!({ "a": 7 }));
    fields.optional_text("a", 4);
    fields.wrong("a", "is required here");
    assert_eq!(wrong(fields), ["/a: must be text, is a number"]);
}

#[test]
fn a_query_is_decoded_and_the_last_of_two_counts() {
    let mut fields = Fields::from_query(Some("q=M%C3%BCller+%26+Co&limit=1&limit=2&flag"));
    assert_eq!(fields.optional_text("q", 100).as_deref(), Some("Müller & Co"));
    assert_eq!(fields.number("limit", 50, 1, 200), 2);
    assert_eq!(fields.number("offset", 7, 0, 10), 7);
    assert_eq!(fields.finish().expect("all is well"), ["flag"]);
    let mut none = Fields::from_query(None);
    assert_eq!((none.optional_text("q", 1), none.number("limit", 3, 1, 5)), (None, 3));
}

#[test]
fn a_wrong_number_is_named_with_its_limits() {
    for text in ["0", "201", "1.0", "", "%201", "0x1", "9223372036854775808"] {
        let mut fields = Fields::from_query(Some(&format!("limit={text}")));
        assert_eq!(fields.number("limit", 50, 1, 200), 50);
        let problems = wrong(fields);
        assert!(
            problems[0].starts_with("?limit: must be a whole number from 1 to 200"),
            "{text}: {problems:?}"
        );
    }
}

#[test]
fn seconds_may_have_a_fraction_and_nothing_else() {
    let read = |text: &str| {
        let query = format!("wait={text}");
        let mut fields = Fields::from_query(Some(&query));
        let seconds = fields.seconds("wait", 3, 10);
        (seconds, wrong(fields).len())
    };
    assert_eq!(read("0"), (Duration::ZERO, 0));
    assert_eq!(read("-0"), (Duration::ZERO, 0));
    assert_eq!(read("0.25"), (Duration::from_millis(250), 0));
    assert_eq!(read("10"), (Duration::from_secs(10), 0));
    for text in ["10.001", "-1", "NaN", "inf", "", "3s", "1e9"] {
        assert_eq!(read(text).1, 1, "{text}");
    }
    assert_eq!(Fields::from_query(None).seconds("wait", 3, 10), Duration::from_secs(3));
}

#[test]
fn fields_that_were_not_read_are_returned_at_the_end() {
    let mut fields = body(&json!({ "read": 1, "colour": "red", "null": null }));
    assert_eq!(fields.whole("read"), Some(1));
    assert_eq!(fields.whole("null"), None);
    assert_eq!(fields.finish().expect("all is well"), ["colour"]);
}

#[test]
fn an_unknown_field_that_is_a_near_miss_of_a_missing_one_is_refused() {
    let read = |object: &Value| {
        let mut fields = body(object);
        fields.optional_text("reply_to", 9);
        fields.optional_text("body", 9);
        fields.refuse_misspelt();
        wrong(fields)
    };
    assert_eq!(read(&json!({ "replyTo": "$1" })), ["/replyTo: is unknown: did you mean `reply_to`?"]);
    assert_eq!(read(&json!({ "Body": "x", "reply_too": "$1" })).len(), 2);
    for harmless in [
        json!({ "reply_to": "$1", "replyTo": "$2" }),
        json!({ "replyTo": null }),
        json!({ "reply": "$1", "text": "x" }),
    ] {
        assert_eq!(read(&harmless), [""; 0], "{harmless}");
    }
}

#[test]
fn a_value_of_a_wrong_type_is_not_called_missing() {
    let read = |object: &Value| {
        let mut fields = body(object);
        fields.required_flag("typing");
        wrong(fields)
    };
    assert_eq!(read(&json!({})), ["/typing: is required: true or false"]);
    for other in [json!("ja"), json!(1), json!("true"), json!([])] {
        assert_eq!(read(&json!({ "typing": other })), ["/typing: must be true or false"], "{other}");
    }
}

#[test]
fn a_problem_may_have_a_code_of_its_own() {
    let mut fields = body(&json!({}));
    fields.wrong("a", "no");
    fields.wrong_as("b", "invalid_target", "no");
    assert_eq!(fields.finish().expect_err("two are wrong").code(), "invalid_target");
}

#[test]
fn a_single_parameter_of_a_query_can_be_read() {
    let query = Some("token=first&empty=&token=a%2Bb&token=");
    assert_eq!(query_value(query, "token").as_deref(), Some("a+b"), "of several the last that is not empty");
    assert_eq!(
        (query_value(query, "empty"), query_value(query, "other"), query_value(None, "token")),
        (None, None, None)
    );
}
