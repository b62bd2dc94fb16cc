//! The recipients of a notification: a notification for one user never reaches everybody.

use messenger_core::id::TenantId;
use serde_json::{Value, json};

use crate::{send, test_app};

/// Returns `pointer: message` of each problem.
fn problems(body: &Value) -> Vec<String> {
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    errors.iter().map(|error| format!("{}: {}", text(&error["pointer"]), text(&error["message"]))).collect()
}

#[tokio::test]
async fn an_address_without_a_target_type_is_refused_with_both_named() {
    let (messenger, wire) = test_app();
    let mut lines = Vec::new();
    for fields in [
        json!({ "target_user": "mueller" }),
        json!({ "target_type": null, "target_user": "mueller" }),
        json!({ "entity_type": "machine", "entity_id": 42 }),
        json!({ "entity_id": 0 }),
        json!({ "entity_type": "machine" }),
    ] {
        let answer = send(&wire, &fields).await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!("invalid_target")), "{fields}");
        lines.extend(problems(&answer.body));
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    /target_type: is required with `target_user`: `dm` for this user alone; to reach everybody of the tenant, leave `target_user` out
    /target_type: is required with `target_user`: `dm` for this user alone; to reach everybody of the tenant, leave `target_user` out
    /target_type: is required with `entity_id`: `entity_room` for the room of this entity; to reach everybody of the tenant, leave `entity_id` out
    /target_type: is required with `entity_id`: `entity_room` for the room of this entity; to reach everybody of the tenant, leave `entity_id` out
    /target_type: is required with `entity_type`: `entity_room` for the room of this entity; to reach everybody of the tenant, leave `entity_type` out
    ");
    assert_eq!(messenger.memory.events(), [], "no event was published");
}

#[tokio::test]
async fn a_null_or_blank_address_is_treated_as_absent() {
    let (_messenger, wire) = test_app();
    for fields in [
        json!({ "entity_type": null, "entity_id": null, "target_user": null }),
        json!({ "entity_type": "", "entity_id": "", "target_user": " " }),
        json!({ "target_type": "general", "entity_type": null, "entity_id": null, "target_user": null, "body": null, "priority": "normal" }),
    ] {
        let answer = send(&wire, &fields).await;
        assert_eq!(
            (answer.status, &answer.body["target_type"], &answer.body["warnings"]),
            (201, &json!("general"), &json!([])),
            "{fields}"
        );
    }
}

#[tokio::test]
async fn an_address_that_an_explicit_target_does_not_use_is_a_warning() {
    let (messenger, wire) = test_app();
    messenger.caller("mueller", TenantId(1)).await;
    messenger.work().await;
    let mut lines = Vec::new();
    for fields in [
        json!({ "target_type": "general", "target_user": "mueller", "entity_type": "machine", "entity_id": 0 }),
        json!({ "target_type": "service_room", "target_user": "mueller" }),
        json!({ "target_type": "entity_room", "entity_type": "machine", "entity_id": 42, "target_user": "mueller" }),
        json!({ "target_type": "dm", "target_user": "mueller", "entity_id": 42, "colour": "red" }),
    ] {
        let answer = send(&wire, &fields).await;
        assert_eq!(answer.status, 201, "{fields}");
        let warnings = answer.body["warnings"].as_array().cloned().unwrap_or_default();
        lines.extend(warnings.iter().filter_map(|warning| warning.as_str().map(str::to_owned)));
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    the field `entity_type` has no effect with the target type `general`: everybody of the tenant hears it
    the field `entity_id` has no effect with the target type `general`: everybody of the tenant hears it
    the field `target_user` has no effect with the target type `general`: everybody of the tenant hears it
    the field `target_user` has no effect with the target type `service_room`: everybody of the tenant hears it
    the field `target_user` has no effect with the target type `entity_room`: everybody of the tenant hears it
    the field `entity_id` has no effect with the target type `dm`: only `target_user` hears it
    the field `colour` is unknown and was ignored
    ");
}

#[tokio::test]
async fn a_misspelt_field_that_decides_on_the_recipients_is_refused() {
    let (messenger, wire) = test_app();
    let mut lines = Vec::new();
    for fields in [
        json!({ "targe_type": "dm", "target_user": "mueller" }),
        json!({ "targetType": "dm" }),
        json!({ "target_usr": "mueller" }),
        json!({ "target_type": "dm", "target-user": "mueller" }),
        json!({ "target_type": "entity_room", "entity_type": "machine", "enttiy_id": 42 }),
        json!({ "Entity_Type": "machine" }),
        json!({ "tenantid": 2 }),
        json!({ "priorty": "urgent" }),
        json!({ "Priority": "urgent" }),
    ] {
        let answer = send(&wire, &fields).await;
        assert_eq!(answer.status, 422, "{fields}");
        lines.push(problems(&answer.body).join("; "));
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    /targe_type: is unknown: did you mean `target_type`?
    /targetType: is unknown: did you mean `target_type`?
    /target_usr: is unknown: did you mean `target_user`?
    /target_user: is required for `dm`: a Hub user id; /target-user: is unknown: did you mean `target_user`?
    /entity_id: is required for `entity_room`: a whole number, or text; /enttiy_id: is unknown: did you mean `entity_id`?
    /Entity_Type: is unknown: did you mean `entity_type`?
    /tenantid: is unknown: did you mean `tenant_id`?
    /priorty: is unknown: did you mean `priority`?
    /Priority: is unknown: did you mean `priority`?
    ");
    assert_eq!(messenger.memory.events(), []);
}

/// A satellite may send fields of its own.
#[tokio::test]
async fn a_field_that_cannot_be_a_misspelling_of_a_deciding_one_stays_a_warning() {
    let (_messenger, wire) = test_app();
    for fields in [
        json!({ "target_usr": null }),
        json!({ "target": "halle-3", "user": "mueller", "tenant": 7, "type": "alarm", "prio": 1, "severity": "high" }),
        json!({ "target_type": "general", "entity_uid": "9f" }),
        json!({ "target_type": "entity_room", "entity_type": "machine", "entity_id": 42, "entity_ids": [42, 43] }),
        json!({ "tenant_id": 1, "tenantId": 1 }),
    ] {
        let answer = send(&wire, &fields).await;
        assert_eq!(answer.status, 201, "{fields}: {}", answer.body);
        assert_ne!(answer.body["warnings"], json!([]), "{fields}");
    }
    let answer = send(&wire, &json!({ "target_type": "general", "entityId": 42 })).await;
    assert_eq!(answer.body["warnings"][0], json!("the field `entityId`: did you mean `entity_id`?"));
}

#[tokio::test]
async fn each_unicode_form_of_a_name_is_the_same_name() {
    let (messenger, wire) = test_app();
    messenger.caller("müller", TenantId(1)).await;
    messenger.work().await;
    let first = send(&wire, &json!({ "target_type": "dm", "target_user": "müller" })).await;
    let again = send(&wire, &json!({ "target_type": "dm", "target_user": " mu\u{308}ller\u{a0}" })).await;
    assert_eq!((&again.body["status"], &again.body["target_user"]), (&json!("sent"), &json!("müller")));
    assert_eq!(again.body["matrix_room_id"], first.body["matrix_room_id"]);
    let room = async |app: &str, entity_type: &str, entity_id: Value| {
        let fields = json!({ "source_app": app, "target_type": "entity_room", "entity_type": entity_type, "entity_id": entity_id });
        send(&wire, &fields).await.body["matrix_room_id"].clone()
    };
    let press = room("app", "Präge", json!("Ä-1")).await;
    assert_eq!(press, room("app", " Pra\u{308}ge", json!("A\u{308}-1\n")).await);
    let service = async |app: &str| {
        send(&wire, &json!({ "source_app": app, "target_type": "service_room" })).await.body["matrix_room_id"]
            .clone()
    };
    assert_eq!(service("Prüfstand").await, service(" Pru\u{308}fstand ").await);
    let log = wire.ask(crate::get("/api/v1/notifications/log?source_app=Pru%CC%88fstand%20")).await;
    assert_eq!(log.body["notifications"].as_array().map(Vec::len), Some(2));
}
