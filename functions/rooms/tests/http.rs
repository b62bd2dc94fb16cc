//! Saying that one types, on the wire.
#![expect(clippy::expect_used, reason = "what a test needs and does not get fails it")]

use std::time::Duration;

use axum::http::Request;
use messenger_core::{
    id::{MatrixUserId, RoomId, TenantId},
    room::{Profile, RoomKey, RoomKind},
};
use messenger_rooms::routes;
use messenger_runtime::testing::{Answer, EXPIRY, HUB_SECRET_KEY, Wire, bearer, signed};
use messenger_testkit::{TestHub, given, hub};
use serde_json::{Value, json};

/// The door, and a room of ours: the general room, with mueller in it.
struct Stand {
    hub: TestHub,
    wire: Wire,
    room: RoomId,
}

impl Stand {
    async fn new() -> Self {
        let hub = hub().build();
        let wire = Wire::new(routes(), hub.memory.ports(&hub.homeserver, &hub.clock));
        hub.caller("mueller", TenantId(1)).await;
        hub.work().await;
        let answer = hub.send(given::draft("Willkommen"), Duration::from_secs(1)).await;
        let room = answer.notification.room.expect("a room");
        Self { hub, wire, room }
    }

    async fn post(&self, room: &str, authorization: &str, body: &Value) -> Answer {
        let request = Request::post(format!("/api/v1/rooms/{room}/typing"));
        let request =
            request.header("Authorization", authorization).header("Content-Type", "application/json");
        self.wire.call(request, body.to_string()).await
    }

    /// As mueller, in their room.
    async fn say(&self, body: &Value) -> Answer {
        self.post(&self.room.as_str().replace('!', "%21"), &bearer("mueller"), body).await
    }

    fn typing(&self) -> Vec<(MatrixUserId, Duration)> {
        self.hub.homeserver.typing(&self.room)
    }
}

#[tokio::test]
async fn the_homeserver_is_told_for_how_long() {
    let stand = Stand::new().await;
    let mueller = MatrixUserId::new("@mueller:hub.local");
    for (body, ms) in [
        (json!({ "typing": true }), 30_000),
        (json!({ "typing": true, "timeout_ms": null }), 30_000),
        (json!({ "typing": true, "timeout_ms": 1000 }), 1000),
        (json!({ "typing": true, "timeout_ms": 60_000 }), 60_000),
    ] {
        let answer = stand.say(&body).await;
        assert_eq!((answer.status, answer.body), (204, json!("")), "{body}");
        assert_eq!(stand.typing(), [(mueller.clone(), Duration::from_millis(ms))], "{body}");
    }
    assert_eq!(stand.say(&json!({ "typing": false })).await.status, 204);
    assert_eq!(stand.typing(), []);
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let stand = Stand::new().await;
    let typing = json!({ "pointer": "/typing", "message": "is required: true or false" });
    let timeout = json!({ "pointer": "/timeout_ms", "message": "must be a whole number of milliseconds from 1000 to 60000" });
    for (body, errors) in [
        (json!({}), json!([typing])),
        (json!({ "typing": null }), json!([typing])),
        (json!({ "typing": "true" }), json!([typing])),
        (json!({ "typing": 1, "timeout_ms": 0 }), json!([typing, timeout])),
        (json!({ "typing": true, "timeout_ms": 999 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": 60_001 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": -1 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": 1500.5 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": "30000" }), json!([timeout])),
        (json!({ "typing": false, "timeout_ms": u64::MAX }), json!([timeout])),
    ] {
        let answer = stand.say(&body).await;
        assert_eq!((answer.status, &answer.body["errors"]), (422, &errors), "{body}");
    }
    assert_eq!(stand.typing(), []);
}

#[tokio::test]
async fn only_members_who_may_write_say_that_they_type() {
    let stand = Stand::new().await;
    let kind = RoomKind::Custom { id: "x".to_owned() };
    let key = RoomKey { tenant: TenantId(1), kind };
    let private = stand.hub.rooms.settle(&key, &RoomId::new("!a/../b?c#d"), &Profile::default()).await;
    assert!(private.is_ok());
    let typing = json!({ "typing": true });
    for room in ["%21a%2F..%2Fb%3Fc%23d", "%21nowhere", "%23alias", "..", "%21a%00b"] {
        let answer = stand.post(room, &bearer("mueller"), &typing).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{room}");
    }
    let general = stand.room.as_str().replace('!', "%21");
    let token = |role: &str, tenant: i64, sub: &str| {
        let claims =
            json!({ "sub": sub, "role": role, "tenant_id": tenant, "iss": "aesystek-hub", "exp": EXPIRY });
        format!("Bearer {}", signed(&claims, HUB_SECRET_KEY))
    };
    let foreign = stand.post(&general, &token("user", 2, "carl"), &typing).await;
    assert_eq!(foreign.status, 404);
    let viewer = stand.post(&general, &token("viewer", 1, "mueller"), &typing).await;
    assert_eq!((viewer.status, &viewer.body["code"]), (403, &json!("read_only_role")));
    let nobody = stand.post(&general, "", &typing).await;
    assert_eq!(nobody.status, 401);
    assert_eq!(stand.typing(), []);
}

#[tokio::test]
async fn without_the_homeserver_it_is_503() {
    let stand = Stand::new().await;
    stand.hub.homeserver.switch_off();
    let answer = stand.say(&json!({ "typing": true })).await;
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("homeserver_unavailable")));
}
