//! What other clients say that ours do not: stickers, polls, and edits that bring a file.

use messenger_core::{
    id::{EventId, MatrixUserId, RoomId},
    media::Mxc,
    message::Message,
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::{Value, json};

use crate::in_general_room;

/// Anna, who uses another client in a room of ours.
struct Stand {
    messenger: TestMessenger,
    anna: Caller,
    room: RoomId,
}

impl Stand {
    async fn new() -> Self {
        let messenger = messenger().build();
        let (anna, room) = in_general_room(&messenger, "anna").await;
        Self { messenger, anna, room }
    }

    async fn happens(&self, kind: &str, content: Value) -> EventId {
        let sender = MatrixUserId::new("@anna:hub.local");
        let event = self.messenger.homeserver.send_event(&self.room, &sender, kind, content);
        self.messenger
            .receive(vec![self.messenger.homeserver.room_event(&self.room, &event)])
            .await
            .expect("received");
        event
    }

    async fn history(&self) -> Vec<Message> {
        self.messenger.history().page(&self.anna, &self.room, None, 50).await.expect("a page").messages
    }

    /// The last thing that was told.
    fn heard(&self) -> Value {
        serde_json::from_str(&self.messenger.memory.events().pop().expect("an event").json()).expect("JSON")
    }

    async fn is_posted(&self, id: &str) -> bool {
        let mxc = Mxc::new("hub.local", id).expect("a name");
        let user = self.anna.user.id();
        self.messenger.ports.messages.posted(fixtures::TENANT, user, &mxc).await.expect("asked").is_some()
    }
}

#[tokio::test]
async fn a_sticker_is_an_image() {
    let stand = Stand::new().await;
    let info = json!({ "mimetype": "image/png", "size": 73602, "w": 512, "h": 512 });
    let content = json!({ "body": "Landing", "url": "mxc://hub.local/sticker", "info": info });
    stand.happens("m.sticker", content).await;
    let told = stand.heard();
    assert_eq!((&told["type"], &told["msg_type"]), (&json!("new_message"), &json!("m.image")));
    assert_eq!(told["file_url"], "mxc://hub.local/sticker");
    assert_eq!(told["media_path"], "/api/v1/messages/media/hub.local/sticker");
    assert_eq!((&told["mimetype"], &told["file_size"]), (&json!("image/png"), &json!(73602)));
    let shown = stand.history().await.remove(0);
    assert_eq!((shown.body.as_str(), shown.msg_type.as_str()), ("Landing", "m.image"));
    assert!(stand.is_posted("sticker").await);
    assert_eq!(stand.messenger.memory.summary(&stand.room).count, 1);
}

#[tokio::test]
async fn a_poll_is_the_text_that_stands_for_it() {
    let stand = Stand::new().await;
    let text = "Pizza?\n1. Yes\n2. No";
    for (kind, content) in [
        ("m.poll.start", json!({ "m.text": [{ "body": text }], "m.poll": {} })),
        (
            "org.matrix.msc3381.poll.start",
            json!({ "org.matrix.msc1767.text": text, "org.matrix.msc3381.poll.start": {} }),
        ),
    ] {
        stand.happens(kind, content).await;
        let told = stand.heard();
        assert_eq!((&told["body"], &told["msg_type"]), (&json!(text), &json!("m.text")), "{kind}");
        assert_eq!(stand.history().await.remove(0).body, text, "{kind}");
    }
    // One without a fallback is passed over.
    let before = stand.messenger.memory.events().len();
    let sender = MatrixUserId::new("@anna:hub.local");
    stand.messenger.homeserver.send_event(&stand.room, &sender, "m.poll.start", json!({ "m.poll": {} }));
    stand.messenger.reconcile("worker", std::time::Duration::ZERO).await.expect("read");
    assert_eq!(stand.messenger.memory.events().len(), before);
}

#[tokio::test]
async fn a_file_that_an_edit_brings_can_be_read() {
    let stand = Stand::new().await;
    let message = stand.happens("m.room.message", json!({ "msgtype": "m.text", "body": "soon" })).await;
    let picture = json!({
        "msgtype": "m.image", "body": "plan.png", "url": "mxc://hub.local/plan", "info": { "size": 7 },
    });
    let edit = json!({
        "msgtype": "m.image", "body": "* plan.png", "m.new_content": picture,
        "m.relates_to": { "rel_type": "m.replace", "event_id": message },
    });
    let edit = stand.happens("m.room.message", edit).await;
    let told = stand.heard();
    assert_eq!((&told["type"], &told["event_id"]), (&json!("message_edited"), &json!(message)));
    assert_eq!(told["file_url"], "mxc://hub.local/plan");
    assert_eq!(told["media_path"], "/api/v1/messages/media/hub.local/plan");
    assert_eq!((&told["filename"], &told["file_size"]), (&json!("plan.png"), &json!(7)));
    let shown = stand.history().await.remove(0);
    assert_eq!(shown.file.map(|file| file.filename).as_deref(), Some("plan.png"));
    assert!(stand.is_posted("plan").await);
    stand.happens("m.room.redaction", json!({ "redacts": edit })).await;
    assert!(!stand.is_posted("plan").await);
    assert!(stand.heard().get("file_url").is_none());
}
