//! The head of a copy. Readers never go beyond it.

use aws_sdk_dynamodb::types::AttributeValue;
use messenger_core::{Result, cursor::Span, id::Position};

use crate::{
    error::{Context as _, is_refused_by_condition},
    item::{self, Item, Keys},
    table::Table,
};

const READING: &str = "reading the head of the copy";
const MOVING: &str = "moving the head of the copy";

/// The head of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The last position that the copy has, and the last one that was dropped.
    pub(crate) span: Span,
    /// Whether the copy once had all events. Before that it serves no readers: its old events would be new to
    /// them.
    pub(crate) is_complete: bool,
    /// The last position as of which rights of users may be written.
    pub(crate) readers: Position,
}

impl Head {
    pub(crate) fn position(&self) -> Position {
        self.span.head
    }
}

impl Table {
    /// Returns the head; `None` if the copy has none yet.
    pub(crate) async fn head(&self, keys: &Keys) -> Result<Option<Head>> {
        let request = self.client().await.get_item().table_name(self.name());
        let request = request.set_key(Some(item::key(keys.head(), 0))).consistent_read(true);
        let answer = request.send().await.context(READING)?;
        Ok(answer.item.as_ref().and_then(head))
    }

    /// Creates the head. Returns whether there was none.
    pub(crate) async fn create_head(&self, keys: &Keys, head: Head) -> Result<bool> {
        let request = self.client().await.put_item().table_name(self.name());
        let request = request
            .set_item(Some(of_head(keys, head)))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", item::PARTITION);
        match request.send().await {
            Err(error) if is_refused_by_condition(&error) => Ok(false),
            result => result.context(MOVING).map(|_| true),
        }
    }

    /// Replaces the head. Returns `false` if another relay has moved it from its position meanwhile.
    pub(crate) async fn move_head(&self, keys: &Keys, from: Position, head: Head) -> Result<bool> {
        let request = self.client().await.put_item().table_name(self.name());
        let request = request
            .set_item(Some(of_head(keys, head)))
            .condition_expression("#position = :from")
            .expression_attribute_names("#position", POSITION)
            .expression_attribute_values(":from", item::number(from.0));
        match request.send().await {
            Err(error) if is_refused_by_condition(&error) => {
                // A repeated attempt finds the items of the first one.
                Ok(self.head(keys).await? == Some(head))
            }
            result => result.context(MOVING).map(|_| true),
        }
    }
}

const POSITION: &str = "position";
const TRIMMED: &str = "trimmed";
const IS_COMPLETE: &str = "is_complete";
const READERS: &str = "readers";

fn of_head(keys: &Keys, head: Head) -> Item {
    let mut item = item::key(keys.head(), 0);
    item.insert(POSITION.to_owned(), item::number(head.span.head.0));
    item.insert(TRIMMED.to_owned(), item::number(head.span.trimmed.0));
    item.insert(READERS.to_owned(), item::number(head.readers.0));
    item.insert(IS_COMPLETE.to_owned(), AttributeValue::Bool(head.is_complete));
    item
}

fn head(item: &Item) -> Option<Head> {
    let position = |name| item::integer(item, name).map(Position);
    Some(Head {
        span: Span { trimmed: position(TRIMMED)?, head: position(POSITION)? },
        readers: position(READERS).unwrap_or_default(),
        is_complete: item.get(IS_COMPLETE).is_some_and(|value| value.as_bool() == Ok(&true)),
    })
}
