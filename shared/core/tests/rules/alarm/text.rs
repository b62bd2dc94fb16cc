//! The Matrix messages of alarms.

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use messenger_core::{
    alarm::{Action, InputSource, Operator, RingReason, Trigger},
    id::{EventId, MatrixUserId},
    notification::{Draft, Priority},
    rendering::alarm::AlarmMessage,
};
use messenger_testkit::fixtures;
use serde_json::{Value, json};

use super::{HOUR, MINUTE, SECOND, Site, trigger, with_priority, without_ack};

/// The size of a Matrix event in bytes, without room id, sender, signatures and the like.
const CONTENT_MAX: usize = 65_536 - 4_096;

static BERLIN: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a time zone"));

fn message(site: &Site) -> AlarmMessage<'_> {
    AlarmMessage { alarm: site.alarm.id, episode: site.episode(), time_zone: &BERLIN, recipient: None }
}

fn edit(site: &Site) -> Value {
    message(site).edit(&EventId::new("$root"))
}

fn ring(site: &Site, reason: RingReason) -> Option<Value> {
    message(site).ring(reason, &EventId::new("$root"))
}

#[track_caller]
fn check(site: &Site, text: &str) {
    assert_eq!(message(site).root()["body"], text);
}

fn triggered(occurrences: usize) -> Site {
    let mut site = Site::new();
    for _ in 0..occurrences {
        site.trigger();
    }
    site
}

#[test]
fn the_root_message_has_state_title_and_counter() {
    check(&triggered(1), "❗ unquittiert · [inventory] Öldruck · seit 08:14");
    let content = message(&triggered(12)).root();
    let text = "❗ unquittiert · [inventory] Öldruck · 12× seit 08:14";
    let expected = json!({
        "msgtype": "m.text",
        "body": text,
        "format": "org.matrix.custom.html",
        "formatted_body": format!("<strong>{text}</strong>"),
        "m.mentions": {},
        "com.aesystek.notification": {
            "source_app": "inventory", "event_type": "stock_low", "priority": "normal",
        },
        "com.aesystek.alarm": { "id": 3, "episode": 1 },
    });
    assert_eq!(content, expected);
}

#[test]
fn a_root_message_tells_the_life_of_its_episode() {
    let mut site = triggered(12);
    site.now += MINUTE * 2;
    site.act(Action::Acknowledge);
    check(&site, "quittiert von Max Müller 08:16 · [inventory] Öldruck · 12× seit 08:14");
    site.now += MINUTE * 24;
    site.send(Action::Resolve);
    check(
        &site,
        "behoben 08:40 (26 min) · [inventory] Öldruck · 12× seit 08:14 · quittiert von Max Müller 08:16",
    );
    site.now += MINUTE;
    site.trigger();
    check(&site, "❗ unquittiert · [inventory] Öldruck · 13× seit 08:14");
}

#[test]
fn a_fault_that_is_over_may_still_be_unacknowledged() {
    let mut site = triggered(1);
    site.now += SECOND * 59;
    site.send(Action::Resolve);
    check(&site, "behoben 08:14 (unter 1 min), unquittiert · [inventory] Öldruck · seit 08:14");
    site.wait(HOUR * 24);
    check(&site, "behoben 08:14 (unter 1 min), ungesehen geschlossen · [inventory] Öldruck · seit 08:14");
}

#[test]
fn an_alarm_ends_by_an_operator_a_timeout_or_a_cancellation() {
    let mut site = triggered(1);
    site.now += MINUTE * 65;
    site.act(Action::Resolve);
    check(&site, "behoben von Max Müller 09:19 (1 h 5 min) · [inventory] Öldruck · seit 08:14");
    let mut site = Site::new();
    site.send(Action::Trigger(Trigger { resolve_after: Some(HOUR * 2), ..without_ack() }));
    check(&site, "aktiv · [inventory] Öldruck · seit 08:14");
    site.wait(HOUR * 2);
    check(&site, "behoben durch Zeitablauf 10:14 (2 h) · [inventory] Öldruck · seit 08:14");
    let mut site = triggered(1);
    site.now += MINUTE;
    site.send(Action::Cancel);
    check(&site, "zurückgezogen 08:15 · [inventory] Öldruck · seit 08:14");
}

#[test]
fn a_satellite_acknowledges_by_its_name() {
    let mut site = triggered(1);
    site.send(Action::Acknowledge);
    check(&site, "quittiert von inventory 08:14 · [inventory] Öldruck · seit 08:14");
}

#[test]
fn a_time_of_another_day_has_its_date() {
    let mut site = triggered(1);
    site.now += HOUR * 25;
    site.act(Action::Acknowledge);
    check(
        &site,
        "quittiert von Max Müller 02.01. 09:14 · [inventory] Öldruck · seit 08:14 · seit über 24 h aktiv",
    );
}

#[test]
fn times_are_those_of_the_time_zone() {
    let mut site = Site::new();
    site.now = "2026-03-29T00:59:00Z".parse().expect("a time");
    site.trigger();
    site.now += MINUTE * 2;
    site.act(Action::Acknowledge);
    check(&site, "quittiert von Max Müller 03:01 · [inventory] Öldruck · seit 01:59");
}

#[test]
fn an_edit_mentions_nobody_at_its_top_level() {
    let mut site = Site::new();
    site.send(Action::Trigger(with_priority(Priority::Urgent)));
    let content = edit(&site);
    assert_eq!(content["m.mentions"], json!({}));
    assert_eq!(
        content.get("com.aesystek.notification"),
        None,
        "the push rule of urgent messages rings for it"
    );
    assert_eq!(content["m.relates_to"], json!({ "rel_type": "m.replace", "event_id": "$root" }));
    assert_eq!(content["body"], "* ❗ unquittiert · [inventory] Öldruck · seit 08:14");
    assert_eq!(content["msgtype"], "m.text");
    assert_eq!(content["m.new_content"], message(&site).root());
    assert_eq!(content["m.new_content"]["m.mentions"], json!({ "room": true }));
}

#[test]
fn a_ring_is_a_reply_that_mentions_its_readers() {
    let mut site = Site::new();
    site.send(Action::Trigger(with_priority(Priority::High)));
    assert_eq!(ring(&site, RingReason::Triggered), None);
    let again = ring(&site, RingReason::Reopened).expect("a message");
    assert_eq!(again["body"], "❗ wieder aktiv · [inventory] Öldruck · seit 08:14");
    assert_eq!(again["m.relates_to"], json!({ "m.in_reply_to": { "event_id": "$root" } }));
    assert_eq!(again["m.mentions"], json!({ "room": true }));
    assert_eq!(again["com.aesystek.alarm"], json!({ "id": 3, "episode": 1 }));
    site.send(Action::Trigger(with_priority(Priority::Urgent)));
    let raised = ring(&site, RingReason::PriorityRaised).expect("a message");
    assert_eq!(raised["body"], "❗ Priorität jetzt dringend · [inventory] Öldruck · 2× seit 08:14");
    assert_eq!(raised["com.aesystek.notification"]["priority"], "urgent");
}

#[test]
fn each_priority_has_its_loudness() {
    let anna = MatrixUserId::new("@anna:hub.local");
    let nobody = json!({});
    let mentioned = json!({ "user_ids": [anna] });
    for (priority, msg_type, mentions, mark) in [
        (Priority::Low, "m.notice", &nobody, ""),
        (Priority::Normal, "m.text", &nobody, ""),
        (Priority::High, "m.text", &mentioned, ""),
        (Priority::Urgent, "m.text", &mentioned, "❗ "),
    ] {
        let mut site = Site::new();
        let draft = Draft { priority, ..fixtures::dm("anna", "Öldruck") };
        site.send(Action::Trigger(Trigger { draft, ..without_ack() }));
        let content = AlarmMessage { recipient: Some(&anna), ..message(&site) }.root();
        assert_eq!((&content["msgtype"], &content["m.mentions"]), (&json!(msg_type), mentions));
        assert_eq!(content["body"], format!("{mark}aktiv · [inventory] Öldruck · seit 08:14"));
    }
}

#[test]
fn text_of_users_is_escaped_and_names_are_legible() {
    let nasty = r#"<b onclick="x">'&'</b>"#;
    let mut site = Site::new();
    let draft = Draft { body: Some(format!("{nasty}\n2")), ..fixtures::draft(nasty) };
    site.send(Action::Trigger(Trigger { draft, ..trigger() }));
    let display_name = "Max\u{202e}\u{200b}\n<i>Müller</i>".to_owned();
    let operator = Operator { id: fixtures::user("max"), display_name };
    let input = site.input(InputSource::Api(operator), Action::Acknowledge);
    site.step(&[input]);
    let content = message(&site).root();
    let heading = format!("quittiert von Max <i>Müller</i> 08:14 · [inventory] {nasty} · seit 08:14");
    assert_eq!(content["body"], format!("{heading}\n{nasty}\n2"));
    let escaped = "&lt;b onclick=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/b&gt;";
    let name = "Max &lt;i&gt;Müller&lt;/i&gt;";
    let heading = format!("quittiert von {name} 08:14 · [inventory] {escaped} · seit 08:14");
    assert_eq!(content["formatted_body"], format!("<strong>{heading}</strong><br>{escaped}<br>2"));
}

#[test]
fn every_message_fits_into_an_event() {
    for filler in ["a", "🏭", "<", "\"", "\u{1}"] {
        let length = filler.chars().count();
        let mut site = Site::new();
        let body = Some(filler.repeat(20_000 / length));
        let draft = Draft { body, ..fixtures::draft(&filler.repeat(500 / length)) };
        site.send(Action::Trigger(Trigger { draft, ..trigger() }));
        site.act(Action::Acknowledge);
        let ring = ring(&site, RingReason::Reopened).expect("a message");
        for content in [message(&site).root(), edit(&site), ring] {
            let bytes = content.to_string().len();
            assert!(bytes <= CONTENT_MAX, "{filler:?} becomes {bytes} bytes");
        }
    }
}
