//! The Matrix content of a notification.

use messenger_core::{
    id::{MatrixUserId, NotificationId},
    notification::{Draft, Priority},
    rendering::content,
};
use messenger_testkit::fixtures;
use serde_json::{Value, json};

/// The maximum size of a Matrix event in bytes.
const EVENT_MAX: usize = 65_536;
/// The part of an event that room id, sender, signatures and the like need.
const ENVELOPE: usize = 4_096;

fn rendered(draft: &Draft) -> Value {
    content(NotificationId(7), draft, None)
}

fn with_body(body: &str) -> Draft {
    Draft { body: Some(body.to_owned()), ..fixtures::draft("Titel") }
}

fn urgent(draft: Draft) -> Draft {
    Draft { priority: Priority::Urgent, ..draft }
}

#[test]
fn a_message_has_app_title_and_body() {
    let content = rendered(&with_body("Zeile 1\nZeile 2"));
    assert_eq!(content["msgtype"], "m.text");
    assert_eq!(content["body"], "[inventory] Titel\nZeile 1\nZeile 2");
    assert_eq!(content["format"], "org.matrix.custom.html");
    assert_eq!(content["formatted_body"], "<strong>[inventory] Titel</strong><br>Zeile 1<br>Zeile 2");
    assert_eq!(content["m.mentions"], json!({}));
}

#[test]
fn neither_title_nor_body_changes_the_direction_of_the_text() {
    let draft =
        Draft { title: "B\u{f6}ses \u{202e}LTR\u{200b}".to_owned(), ..with_body("Kon\u{2066}to\n\u{202e}x") };
    assert_eq!(rendered(&draft)["body"], "[inventory] Böses LTR\nKonto\nx");
}

#[test]
fn an_empty_body_is_no_body() {
    let expected = rendered(&fixtures::draft("Titel"));
    assert_eq!(expected["body"], "[inventory] Titel");
    assert_eq!(expected["formatted_body"], "<strong>[inventory] Titel</strong>");
    assert_eq!(rendered(&with_body("")), expected);
}

#[test]
fn the_content_has_the_fields_of_the_notification() {
    let content = rendered(&urgent(fixtures::draft("Titel")));
    let expected =
        json!({ "id": 7, "source_app": "inventory", "event_type": "stock_low", "priority": "urgent" });
    assert_eq!(content["com.aesystek.notification"], expected);
}

#[test]
fn markup_of_the_sender_is_escaped() {
    let nasty = r#"<script>alert("x")</script> & <img src='x' onerror=a> &lt;b&gt; </strong>"#;
    let draft = Draft { source_app: "<b>app</b>".into(), title: nasty.into(), ..with_body(nasty) };
    let content = rendered(&draft);
    let html = content["formatted_body"].as_str().expect("HTML");
    let ours = html.replace("<strong>", "").replace("</strong>", "").replace("<br>", "");
    assert!(!ours.contains(['<', '>', '"', '\'']), "{html}");
    assert_eq!(html.matches("<strong>").count(), 1);
    assert!(ours.contains("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; "));
    assert!(ours.contains("&amp;lt;b&amp;gt;"), "text that the sender escaped is shown as written");
    assert!(content["body"].as_str().expect("text").contains(nasty), "plain text stays as it is");
}

#[test]
fn an_urgent_notification_is_marked_and_mentions_its_readers() {
    let room = rendered(&urgent(fixtures::draft("Feuer")));
    assert_eq!(room["body"], "❗ [inventory] Feuer");
    assert_eq!(room["m.mentions"], json!({ "room": true }));
    let anna = MatrixUserId::new("@anna:hub.local");
    let dm = content(NotificationId(7), &urgent(fixtures::dm("anna", "Feuer")), Some(&anna));
    assert_eq!(dm["m.mentions"], json!({ "user_ids": ["@anna:hub.local"] }));
}

#[test]
fn a_normal_notification_mentions_no_one() {
    let anna = MatrixUserId::new("@anna:hub.local");
    let dm = content(NotificationId(7), &fixtures::dm("anna", "@room Hallo"), Some(&anna));
    assert_eq!(dm["m.mentions"], json!({}), "old push rules would notify for `@room` and for names");
}

#[test]
fn a_message_always_fits_into_an_event() {
    for filler in ["a", "🏭", "ü", "<", "\"", "\\", "\n", "\u{1}", "&", "'", "\u{7f}", "\u{2028}", "a🏭"]
    {
        let characters = filler.chars().count();
        for length in [0, 1, 9_000, 9_300, 10_000, 13_999, 14_000, 14_001, 18_000, 20_000] {
            let body = filler.repeat(length / characters);
            let draft = Draft {
                title: filler.repeat(500 / characters),
                source_app: filler.repeat(100 / characters),
                event_type: filler.repeat(100 / characters),
                ..urgent(with_body(&body))
            };
            let anna = MatrixUserId::new(format!("@{}:hub.local", "a".repeat(200)));
            let content = content(NotificationId(i64::MAX), &draft, Some(&anna));
            let size = content.to_string().len();
            assert!(size <= EVENT_MAX - ENVELOPE, "{length} × {filler:?} become {size} bytes");
            assert!(content["m.mentions"].is_object(), "the mention is never cut");
        }
    }
}

#[test]
fn twenty_thousand_four_byte_characters_lose_only_their_end() {
    let body = "🏭".repeat(20_000);
    let content = rendered(&with_body(&body));
    let text = content["body"].as_str().expect("text");
    let kept = text.strip_prefix("[inventory] Titel\n").and_then(|text| text.strip_suffix('…')).expect("cut");
    assert!(kept.chars().all(|c| c == '🏭'), "no character is cut in two");
    assert!(kept.len() > 50_000, "as much as fits is kept: {} bytes", kept.len());
    assert!(content.get("formatted_body").is_none());
}

#[test]
fn html_is_dropped_before_text_is_cut() {
    let body = "<".repeat(15_000);
    let content = rendered(&with_body(&body));
    assert_eq!(content["body"], format!("[inventory] Titel\n{body}"));
    assert!(content.get("formatted_body").is_none() && content.get("format").is_none());
}
