//! Checks that every contract test is listed in the macros, and so is run.

/// The modules of the contract, with their source.
const CONTRACT: [(&str, &str); 35] = [
    ("accept", include_str!("../src/contract/accept.rs")),
    ("ageing", include_str!("../src/contract/ageing.rs")),
    ("alarm_histories", include_str!("../src/contract/alarm_histories.rs")),
    ("alarm_messages", include_str!("../src/contract/alarm_messages.rs")),
    ("alarms", include_str!("../src/contract/alarms.rs")),
    ("audience", include_str!("../src/contract/audience.rs")),
    ("cursors", include_str!("../src/contract/cursors.rs")),
    ("pending_leaves", include_str!("../src/contract/pending_leaves.rs")),
    ("provisioning", include_str!("../src/contract/provisioning.rs")),
    ("redacted_payloads", include_str!("../src/contract/redacted_payloads.rs")),
    ("external", include_str!("../src/contract/external.rs")),
    ("feed", include_str!("../src/contract/feed.rs")),
    ("files", include_str!("../src/contract/files.rs")),
    ("held_messages", include_str!("../src/contract/held_messages.rs")),
    ("homeserver", include_str!("../src/contract/homeserver.rs")),
    ("identity", include_str!("../src/contract/identity.rs")),
    ("inbox", include_str!("../src/contract/inbox.rs")),
    ("queues", include_str!("../src/contract/queues.rs")),
    ("room_views", include_str!("../src/contract/room_views.rs")),
    ("memberships", include_str!("../src/contract/memberships.rs")),
    ("message_search", include_str!("../src/contract/message_search.rs")),
    ("messages", include_str!("../src/contract/messages.rs")),
    ("notifications", include_str!("../src/contract/notifications.rs")),
    ("outbox", include_str!("../src/contract/outbox.rs")),
    ("queue_state", include_str!("../src/contract/queue_state.rs")),
    ("reactions", include_str!("../src/contract/reactions.rs")),
    ("receipts", include_str!("../src/contract/receipts.rs")),
    ("reconciliation", include_str!("../src/contract/reconciliation.rs")),
    ("records", include_str!("../src/contract/records.rs")),
    ("redactions", include_str!("../src/contract/redactions.rs")),
    ("rooms", include_str!("../src/contract/rooms.rs")),
    ("search", include_str!("../src/contract/search.rs")),
    ("maintenance", include_str!("../src/contract/maintenance.rs")),
    ("users", include_str!("../src/contract/users.rs")),
    ("ephemeral_bus", include_str!("../src/contract/ephemeral_bus.rs")),
];

#[test]
fn the_macros_list_every_contract_test() {
    let modules = include_str!("../src/contract.rs").matches("pub mod ").count();
    assert_eq!(modules, CONTRACT.len(), "a module is missing here");
    let lists = include_str!("../src/contract/macros.rs");
    for (module, text) in CONTRACT {
        let (_, after) = lists.split_once(&format!("$create, {module}:")).expect("each module has a list");
        let (list, _) = after.split_once('}').expect("a list ends");
        let listed: Vec<_> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let defined: Vec<_> = text
            .split("\npub async fn ")
            .skip(1)
            .map(|function| function.split_once('(').expect("a function has parameters").0)
            .collect();
        assert_eq!(listed, defined, "the list of {module} in macros.rs");
    }
}
