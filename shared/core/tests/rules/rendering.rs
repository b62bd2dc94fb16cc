//! How a notification reads in its room.

use messenger_core::{
    id::{MatrixUserId, NotificationId},
    notification::{Draft, Priority},
    rendering::content,
};
use messenger_testkit::fixtures;
use serde_json::{Value, json};

/// An event may have 65 536 bytes with everything around its content.
const EVENT_MAX: usize = 65_536;
/// What room id, sender, signatures and the like need of it.
const AROUND: usize = 4_096;

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
fn a_message_reads_app_title_and_body() {
    let content = rendered(&with_body("Zeile 1\nZeile 2"));
    assert_eq!(content["msgtype"], "m.text");
    assert_eq!(content["body"], "[inventory] Titel\nZeile 1\nZeile 2");
    assert_eq!(content["format"], "org.matrix.custom.html");
    assert_eq!(content["formatted_body"], "<strong>[inventory] Titel</strong><br>Zeile 1<br>Zeile 2");
    assert_eq!(content["m.mentions"], json!({}));
}

#[test]
fn an_empty_body_is_no_body() {
    let expected = rendered(&fixtures::draft("Titel"));
    assert_eq!(expected["body"], "[inventory] Titel");
    assert_eq!(expected["formatted_body"], "<strong>[inventory] Titel</strong>");
    assert_eq!(rendered(&with_body("")), expected);
}

#[test]
fn programs_find_what_it_tells_of() {
    let content = rendered(&urgent(fixtures::draft("Titel")));
    let expected =
        json!({ "id": 7, "source_app": "inventory", "event_type": "stock_low", "priority": "urgent" });
    assert_eq!(content["com.aesystek.notification"], expected);
}

#[test]
fn markup_of_the_sender_is_no_markup_of_the_room() {
    let nasty = r#"<script>alert("x")</script> & <img src='x' onerror=a> &lt;b&gt; </strong>"#;
    let draft = Draft { source_app: "<b>app</b>".into(), title: nasty.into(), ..with_body(nasty) };
    let content = rendered(&draft);
    let html = content["formatted_body"].as_str().expect("HTML");
    let ours = html.replace("<strong>", "").replace("</strong>", "").replace("<br>", "");
    assert!(!ours.contains(['<', '>', '"', '\'']), "{html}");
    assert_eq!(html.matches("<strong>").count(), 1);
    assert!(ours.contains("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; "));
    assert!(ours.contains("&amp;lt;b&amp;gt;"), "what was escaped by the sender is shown as they wrote it");
    assert!(content["body"].as_str().expect("text").contains(nasty), "plain text stays as it is");
}

#[test]
fn what_is_urgent_is_marked_and_rings() {
    let room = rendered(&urgent(fixtures::draft("Feuer")));
    assert_eq!(room["body"], "❗ [inventory] Feuer");
    assert_eq!(room["m.mentions"], json!({ "room": true }));
    let anna = MatrixUserId::new("@anna:hub.local");
    let dm = content(NotificationId(7), &urgent(fixtures::dm("anna", "Feuer")), Some(&anna));
    assert_eq!(dm["m.mentions"], json!({ "user_ids": ["@anna:hub.local"] }));
}

#[test]
fn what_is_not_urgent_does_not_ring() {
    let anna = MatrixUserId::new("@anna:hub.local");
    let dm = content(NotificationId(7), &fixtures::dm("anna", "@room Hallo"), Some(&anna));
    assert_eq!(dm["m.mentions"], json!({}), "old push rules would ring for `@room` and for names");
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
            assert!(size <= EVENT_MAX - AROUND, "{length} × {filler:?} become {size} bytes");
            assert!(content["m.mentions"].is_object(), "the ring is never cut");
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
fn html_goes_before_any_text_does() {
    let body = "<".repeat(15_000);
    let content = rendered(&with_body(&body));
    assert_eq!(content["body"], format!("[inventory] Titel\n{body}"));
    assert!(content.get("formatted_body").is_none() && content.get("format").is_none());
}
