//! Every promise that is written is run.

/// The module of a promise, and its text.
const CONTRACT: [(&str, &str); 29] = [
    ("accept", include_str!("../src/contract/accept.rs")),
    ("ageing", include_str!("../src/contract/ageing.rs")),
    ("audience", include_str!("../src/contract/audience.rs")),
    ("cursors", include_str!("../src/contract/cursors.rs")),
    ("pending_leaves", include_str!("../src/contract/pending_leaves.rs")),
    ("due", include_str!("../src/contract/due.rs")),
    ("emptied", include_str!("../src/contract/emptied.rs")),
    ("external", include_str!("../src/contract/external.rs")),
    ("feed", include_str!("../src/contract/feed.rs")),
    ("files", include_str!("../src/contract/files.rs")),
    ("held", include_str!("../src/contract/held.rs")),
    ("homeserver", include_str!("../src/contract/homeserver.rs")),
    ("identity", include_str!("../src/contract/identity.rs")),
    ("queues", include_str!("../src/contract/queues.rs")),
    ("room_views", include_str!("../src/contract/room_views.rs")),
    ("memberships", include_str!("../src/contract/memberships.rs")),
    ("messages", include_str!("../src/contract/messages.rs")),
    ("notifications", include_str!("../src/contract/notifications.rs")),
    ("outbox", include_str!("../src/contract/outbox.rs")),
    ("place", include_str!("../src/contract/place.rs")),
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
fn promises_are_complete() {
    let modules = include_str!("../src/contract.rs").matches("pub mod ").count();
    assert_eq!(modules, CONTRACT.len(), "a module is missing here");
    let lists = include_str!("../src/contract/promises.rs");
    for (module, text) in CONTRACT {
        let (_, rest) = lists.split_once(&format!("$fresh, {module}:")).expect("each module has a list");
        let (list, _) = rest.split_once('}').expect("a list ends");
        let listed: Vec<_> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let written: Vec<_> = text
            .split("\npub async fn ")
            .skip(1)
            .map(|rest| rest.split_once('(').expect("a function has parameters").0)
            .collect();
        assert_eq!(listed, written, "the list of {module} in promises.rs");
    }
}
