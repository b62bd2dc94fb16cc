//! The items of users: the data that streams and polls need in a process without a database.

use std::error::Error as StdError;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::AttributeValue,
};
use jiff::Timestamp;
use messenger_core::{
    Result,
    error::Failure,
    id::{HubUserId, Position, RoomId, TenantId},
    port::{ReaderChange, StoredReader},
    user::Role,
};

use crate::{
    error::{Context as _, fault, is_refused_by_condition},
    item::{self, Item, Keys, integer, number, text},
    table::Table,
};

/// The most bytes of the rooms of a user. An item has at most 400 KB.
const ROOMS_MAX: usize = 380_000;
const POSITION: &str = "position";
const TENANT: &str = "tenant";
const ROLE: &str = "role";
const ISSUED_AT: &str = "issued_at";
const LOGGED_OUT_AT: &str = "logged_out_at";
/// A line for each room: the position before the join, a space, and the id.
const ROOMS: &str = "rooms";
const HAS_TOO_MANY_ROOMS: &str = "has_too_many_rooms";
const READING: &str = "reading a user of the copy";
const WRITING: &str = "writing a user of the copy";

/// A user of the copy, with all changes up to a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) position: Position,
    pub(crate) stored: StoredReader,
    /// Whether the rooms do not fit into an item, and are missing.
    pub(crate) has_too_many_rooms: bool,
}

impl Table {
    /// Returns a user; `None` if the copy does not have the user.
    pub(crate) async fn reader(&self, keys: &Keys, user: &HubUserId) -> Result<Option<Reader>> {
        let request = self.client().await.get_item().table_name(self.name());
        let request = request.set_key(Some(item::key(keys.reader(user), 0))).consistent_read(true);
        let found = request.send().await.context(READING)?.item;
        found.as_ref().map(reader).transpose()
    }

    /// Writes a user, or deletes one who is gone, unless the copy has them as of a later position.
    pub(crate) async fn write_reader(&self, keys: &Keys, at: Position, change: &ReaderChange) -> Result<()> {
        const IS_NEWER: &str = "attribute_not_exists(#pk) or #position <= :at";
        let client = self.client().await;
        match &change.reader {
            Some(stored) => unless_newer(
                client
                    .put_item()
                    .table_name(self.name())
                    .set_item(Some(of_reader(keys, at, &change.user, stored)))
                    .condition_expression(IS_NEWER)
                    .expression_attribute_names("#pk", item::PARTITION)
                    .expression_attribute_names("#position", POSITION)
                    .expression_attribute_values(":at", number(at.0))
                    .send()
                    .await,
            ),
            None => unless_newer(
                client
                    .delete_item()
                    .table_name(self.name())
                    .set_key(Some(item::key(keys.reader(&change.user), 0)))
                    .condition_expression(IS_NEWER)
                    .expression_attribute_names("#pk", item::PARTITION)
                    .expression_attribute_names("#position", POSITION)
                    .expression_attribute_values(":at", number(at.0))
                    .send()
                    .await,
            ),
        }
    }
}

/// Returns success also if the condition refused the write.
fn unless_newer<T, E>(result: Result<T, SdkError<E>>) -> Result<()>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match result {
        Err(error) if is_refused_by_condition(&error) => Ok(()),
        result => result.context(WRITING).map(drop),
    }
}

fn of_reader(keys: &Keys, at: Position, user: &HubUserId, stored: &StoredReader) -> Item {
    let mut item = item::key(keys.reader(user), 0);
    let mut put = |name: &str, value| drop(item.insert(name.to_owned(), value));
    put(POSITION, number(at.0));
    put(TENANT, number(stored.tenant.0));
    put(ROLE, text(stored.role.as_str()));
    if let Some(at) = stored.issued_at {
        put(ISSUED_AT, number(at.as_microsecond()));
    }
    if let Some(at) = stored.logged_out_at {
        put(LOGGED_OUT_AT, number(at.as_microsecond()));
    }
    let rooms: Vec<_> = stored.rooms.iter().map(|(room, before)| format!("{before} {room}")).collect();
    let rooms = rooms.join("\n");
    if rooms.len() > ROOMS_MAX {
        tracing::warn!(%user, rooms = stored.rooms.len(), "the user is in too many rooms for the copy");
        put(HAS_TOO_MANY_ROOMS, AttributeValue::Bool(true));
    } else {
        put(ROOMS, text(rooms));
    }
    item
}

fn reader(item: &Item) -> Result<Reader> {
    let broken = || fault(Failure::Broken, READING, "an item without the fields of its user");
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    let time = |name: &str| integer(item, name).map(Timestamp::from_microsecond).transpose();
    let rooms = text(ROOMS).unwrap_or_default().lines().map(|line| {
        let (before, room) = line.split_once(' ')?;
        Some((RoomId::new(room), Position(before.parse().ok()?)))
    });
    Ok(Reader {
        position: integer(item, POSITION).map(Position).ok_or_else(broken)?,
        stored: StoredReader {
            tenant: integer(item, TENANT).map(TenantId).ok_or_else(broken)?,
            role: text(ROLE).map(Role::from_hub).ok_or_else(broken)?,
            issued_at: time(ISSUED_AT).map_err(|_| broken())?,
            logged_out_at: time(LOGGED_OUT_AT).map_err(|_| broken())?,
            rooms: rooms.collect::<Option<_>>().ok_or_else(broken)?,
        },
        has_too_many_rooms: item.contains_key(HAS_TOO_MANY_ROOMS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(rooms: usize) -> StoredReader {
        let rooms = (0..rooms).map(|n| (RoomId::new(format!("!room{n:0>40}:hub.local")), Position(5)));
        StoredReader {
            tenant: TenantId(-3),
            role: Role::SuperAdmin,
            issued_at: Some(Timestamp::constant(1_769_860_800, 123_000)),
            logged_out_at: None,
            rooms: rooms.collect(),
        }
    }

    #[test]
    fn a_user_is_read_as_it_was_written() {
        let (keys, user) = (Keys::new("e"), HubUserId::new("müller"));
        for rooms in [0, 1, 5000] {
            let item = of_reader(&keys, Position(7), &user, &stored(rooms));
            let read = Reader { position: Position(7), stored: stored(rooms), has_too_many_rooms: false };
            assert_eq!(reader(&item).unwrap(), read, "{rooms}");
        }
    }

    #[test]
    fn rooms_that_do_not_fit_into_an_item_are_left_out_and_marked() {
        let (keys, user) = (Keys::new("e"), HubUserId::new("müller"));
        let item = of_reader(&keys, Position(7), &user, &stored(20_000));
        let read = reader(&item).unwrap();
        assert!(read.has_too_many_rooms && read.stored.rooms.is_empty());
    }
}
