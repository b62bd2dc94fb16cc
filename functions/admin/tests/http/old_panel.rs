//! The calls of the panel of the former service: the fields that it reads are in their former places.

use http::Method;
use messenger_testkit::fixtures;
use serde_json::{Value, json};

use crate::fixture::{Site, token};

/// The name of a field, and whether its value is of the right kind.
type Field = (&'static str, fn(&Value) -> bool);

/// Checks that an answer has these fields, each with a value of this kind.
fn check(answer: &Value, fields: &[Field]) {
    for (name, is_right) in fields {
        assert!(answer.get(*name).is_some_and(is_right), "{name}: {answer}");
    }
}

fn is_text_or_null(value: &Value) -> bool {
    value.is_string() || value.is_null()
}

const USER: [Field; 8] = [
    ("hub_user_id", Value::is_string),
    ("display_name", Value::is_string),
    ("role", Value::is_string),
    ("matrix_user_id", Value::is_string),
    ("provisioned", Value::is_boolean),
    ("external_client_enabled", Value::is_boolean),
    ("created_at", Value::is_string),
    ("last_seen_at", is_text_or_null),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_former_panel_reads_every_field_that_it_knows() {
    let site = Site::start().await;
    let (admin, anna) = (token("chief", "admin", 1), token("anna", "user", 1));
    // A refused call signs the user in as well.
    assert_eq!(site.get(&anna, "/api/v1/admin/users").await.status, 403);

    let users = site.get(&admin, "/api/v1/admin/users").await.body;
    let users = users.as_array().expect("a list");
    assert_eq!(users.len(), 2);
    for user in users {
        check(user, &USER);
    }

    let renamed = json!({ "display_name": "Anna Neu" });
    let renamed = site.call(&admin, &Method::PATCH, "/api/v1/admin/users/anna", Some(renamed)).await;
    assert_eq!((renamed.status, &renamed.body["display_name"]), (200, &json!("Anna Neu")));

    let path = "/api/v1/admin/users/anna/external-access";
    for enabled in [true, false] {
        let answer = site.call(&admin, &Method::POST, path, Some(json!({ "enabled": enabled }))).await;
        assert_eq!((answer.status, &answer.body["external_client_enabled"]), (200, &json!(enabled)));
    }

    site.notify(&site.messenger, fixtures::machine(42, "Alarm")).await;
    let rooms = site.get(&admin, "/api/v1/admin/rooms").await.body;
    let rooms = rooms.as_array().expect("a list").clone();
    let room = rooms.iter().find(|room| room["room_type"] == "entity").expect("the machine's room");
    check(
        room,
        &[
            ("matrix_room_id", Value::is_string),
            ("display_name", Value::is_string),
            ("room_type", Value::is_string),
            ("member_count", Value::is_u64),
        ],
    );
    let id = room["matrix_room_id"].as_str().expect("an id").replace('!', "%21").replace(':', "%3A");
    let closed = site.call(&admin, &Method::DELETE, &format!("/api/v1/admin/rooms/{id}"), None).await;
    assert_eq!((&closed.body["ok"], &closed.body["deleted"]), (&json!(true), &json!(true)));

    let stats = site.get(&admin, "/api/v1/admin/stats").await.body;
    check(
        &stats,
        &[
            ("total_users", Value::is_u64),
            ("provisioned_users", Value::is_u64),
            ("rooms_by_type", Value::is_object),
            ("sse_connections", Value::is_u64),
        ],
    );
    assert_eq!(stats["conduit_status"], "online");
    site.homeserver.switch_off();
    assert_eq!(site.get(&admin, "/api/v1/admin/stats").await.body["conduit_status"], "offline");

    for list in ["python", "system"] {
        let licenses = site.get(&admin, &format!("/api/v1/licenses/{list}")).await.body;
        for package in licenses.as_array().expect("a list") {
            let names: Vec<_> = package.as_object().expect("an object").keys().map(String::as_str).collect();
            assert_eq!(names, ["License", "Name", "URL", "Version"]);
        }
    }
}
