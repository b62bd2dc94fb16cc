//! Reactions to messages, as the history shows them.

use messenger_core::{
    Ports, Result,
    id::EventId,
    message::ReactionCount,
    port::{Change, IngestedEvent, NewReaction},
};

use super::{
    Store,
    messages::{ingested, message, reaction, sender, with_members},
};
use crate::fixtures::room;

fn id(text: &str) -> EventId {
    EventId::new(text)
}

/// Returns the reactions to messages of the room, as a user sees them.
async fn seen_by(
    ports: &Ports,
    name: &str,
    of: &[&str],
    most: u32,
) -> Result<Vec<(String, String, i64, bool)>> {
    let of: Vec<_> = of.iter().map(|event| (room("!1"), id(event))).collect();
    let counts = ports.messages.reactions(&of, &sender(name), most).await?;
    let mut counts: Vec<_> = counts
        .into_iter()
        .map(|(event, ReactionCount { key, count, is_own })| (event.to_string(), key, count, is_own))
        .collect();
    counts.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(counts)
}

fn count(of: &str, key: &str, count: i64, is_own: bool) -> (String, String, i64, bool) {
    (of.to_owned(), key.to_owned(), count, is_own)
}

/// Each key of a message has the number of its users, the most frequent key first.
pub async fn each_key_of_a_message_has_the_number_of_its_users(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let events = [
        message("$1"),
        message("$2"),
        reaction("$3", "$1", "anna", "🎉"),
        reaction("$4", "$1", "anna", "👍"),
        reaction("$5", "$1", "bert", "👍"),
        // A user counts once.
        reaction("$6", "$1", "bert", "👍"),
        reaction("$7", "$2", "bert", "ok"),
    ];
    ports.messages.ingest(&events).await?;
    let both = [count("$1", "👍", 2, true), count("$1", "🎉", 1, true), count("$2", "ok", 1, false)];
    assert_eq!(seen_by(&ports, "anna", &["$1", "$2"], 20).await?, both);
    assert_eq!(seen_by(&ports, "bert", &["$1"], 1).await?, [count("$1", "👍", 2, true)]);
    assert_eq!(seen_by(&ports, "anna", &["$9"], 20).await?, []);
    assert_eq!(seen_by(&ports, "anna", &[], 20).await?, []);
    Ok(())
}

/// The reactions of a user with a key are found until they are redacted.
pub async fn own_reactions_are_found_until_they_are_redacted(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let events = [
        message("$1"),
        reaction("$2", "$1", "anna", "👍"),
        reaction("$3", "$1", "anna", "👍"),
        reaction("$4", "$1", "bert", "👍"),
    ];
    ports.messages.ingest(&events).await?;
    let (room, of, anna) = (room("!1"), id("$1"), sender("anna"));
    let own = NewReaction { room: &room, of: &of, sender: &anna, key: "👍" };
    assert_eq!(ports.messages.reactions_of(own).await?, [id("$2"), id("$3")]);
    let other_key = NewReaction { key: "👎", ..own };
    assert_eq!(ports.messages.reactions_of(other_key).await?, []);
    ports.messages.ingest(&[ingested("$5", Change::Redacted { of: id("$2") })]).await?;
    assert_eq!(ports.messages.reactions_of(own).await?, [id("$3")]);
    ports.messages.ingest(&[ingested("$6", Change::Redacted { of: id("$1") })]).await?;
    assert_eq!(ports.messages.reactions_of(own).await?, [], "with their message");
    Ok(())
}

/// A reaction in another room, or to a redacted message, or with a long key, does not count.
pub async fn other_reactions_do_not_count(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let elsewhere = IngestedEvent { room: room("!2"), ..reaction("$3", "$1", "bert", "👍") };
    let long = reaction("$4", "$1", "bert", &"x".repeat(65));
    ports.messages.ingest(&[message("$1"), message("$2"), elsewhere, long]).await?;
    ports.messages.ingest(&[ingested("$5", Change::Redacted { of: id("$2") })]).await?;
    ports.messages.ingest(&[reaction("$6", "$2", "bert", "👍")]).await?;
    assert_eq!(seen_by(&ports, "anna", &["$1", "$2"], 20).await?, []);
    Ok(())
}
