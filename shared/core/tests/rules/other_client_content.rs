//! Content that only other clients send: stickers, polls, and edits with a file.

use messenger_core::media::Mxc;
use messenger_testkit::fixtures;
use serde_json::json;

use crate::other_client::Fixture;

async fn is_posted(fixture: &Fixture, id: &str) -> bool {
    let mxc = Mxc::new("hub.local", id).expect("a name");
    let user = fixture.anna.user.id();
    fixture.messenger.ports.messages.posted(fixtures::TENANT, user, &mxc).await.expect("asked").is_some()
}

#[tokio::test]
async fn a_sticker_is_published_as_an_image() {
    let fixture = Fixture::new().await;
    let info = json!({ "mimetype": "image/png", "size": 73602, "w": 512, "h": 512 });
    let content = json!({ "body": "Landing", "url": "mxc://hub.local/sticker", "info": info });
    fixture.deliver("m.sticker", content).await;
    let payload = fixture.last_event().await.1;
    assert_eq!((&payload["type"], &payload["msg_type"]), (&json!("new_message"), &json!("m.image")));
    assert_eq!(payload["file_url"], "mxc://hub.local/sticker");
    assert_eq!(payload["media_path"], "/api/v1/messages/media/hub.local/sticker");
    assert_eq!((&payload["mimetype"], &payload["file_size"]), (&json!("image/png"), &json!(73602)));
    let shown = fixture.history().await.remove(0);
    assert_eq!((shown.body.as_str(), shown.msg_type.as_str()), ("Landing", "m.image"));
    assert!(is_posted(&fixture, "sticker").await);
    assert_eq!(fixture.messenger.memory.summary(&fixture.room).count, 1);
}

#[tokio::test]
async fn a_poll_is_published_as_its_fallback_text() {
    let fixture = Fixture::new().await;
    let text = "Pizza?\n1. Yes\n2. No";
    for (kind, content) in [
        ("m.poll.start", json!({ "m.text": [{ "body": text }], "m.poll": {} })),
        (
            "org.matrix.msc3381.poll.start",
            json!({ "org.matrix.msc1767.text": text, "org.matrix.msc3381.poll.start": {} }),
        ),
    ] {
        fixture.deliver(kind, content).await;
        let payload = fixture.last_event().await.1;
        assert_eq!((&payload["body"], &payload["msg_type"]), (&json!(text), &json!("m.text")), "{kind}");
        assert_eq!(fixture.history().await.remove(0).body, text, "{kind}");
    }
    // A poll without a fallback text is ignored.
    let before = fixture.messenger.memory.events().len();
    fixture.send("m.poll.start", json!({ "m.poll": {} }));
    fixture.messenger.reconcile().run("worker", std::time::Duration::ZERO).await.expect("read");
    assert_eq!(fixture.messenger.memory.events().len(), before);
}

#[tokio::test]
async fn a_file_of_an_edit_can_be_read() {
    let fixture = Fixture::new().await;
    let message = fixture.deliver("m.room.message", json!({ "msgtype": "m.text", "body": "soon" })).await;
    let picture = json!({
        "msgtype": "m.image", "body": "plan.png", "url": "mxc://hub.local/plan", "info": { "size": 7 },
    });
    let edit = fixture.edit(&message, &picture);
    fixture.receive(&edit).await;
    let payload = fixture.last_event().await.1;
    assert_eq!((&payload["type"], &payload["event_id"]), (&json!("message_edited"), &json!(message)));
    assert_eq!(payload["file_url"], "mxc://hub.local/plan");
    assert_eq!(payload["media_path"], "/api/v1/messages/media/hub.local/plan");
    assert_eq!((&payload["filename"], &payload["file_size"]), (&json!("plan.png"), &json!(7)));
    let shown = fixture.history().await.remove(0);
    assert_eq!(shown.file.map(|file| file.filename).as_deref(), Some("plan.png"));
    assert!(is_posted(&fixture, "plan").await);
    fixture.deliver("m.room.redaction", json!({ "redacts": edit })).await;
    assert!(!is_posted(&fixture, "plan").await);
    assert!(fixture.last_event().await.1.get("file_url").is_none());
}
