//! The item that names the present copy of an installation, for processes without a database.

use jiff::Timestamp;
use messenger_core::Result;

use crate::{
    error::Context as _,
    item::{self, Keys, text},
    table::Table,
};

const COPY: &str = "copy";
const WORKED_AT: &str = "worked_at";

/// The present copy of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) keys: Keys,
    /// The time at which its relay last worked.
    pub(crate) worked_at: Timestamp,
}

impl Table {
    /// Returns the present copy of an installation; `None` before a relay first ran.
    pub(crate) async fn pointer(&self, installation: &str) -> Result<Option<Pointer>> {
        let request = self.client().await.get_item().table_name(self.name());
        let request = request.set_key(Some(item::key(partition(installation), 0))).consistent_read(true);
        let found = request.send().await.context("reading the id of the copy")?.item;
        Ok(found.and_then(|found| {
            Some(Pointer {
                keys: Keys::new(found.get(COPY)?.as_s().ok()?),
                worked_at: Timestamp::from_second(item::integer(&found, WORKED_AT)?).ok()?,
            })
        }))
    }

    /// Stores the present copy of an installation. Only the relay that holds the lease calls it.
    pub(crate) async fn point(&self, installation: &str, pointer: &Pointer) -> Result<()> {
        let mut stored = item::key(partition(installation), 0);
        stored.insert(COPY.to_owned(), text(pointer.keys.copy()));
        stored.insert(WORKED_AT.to_owned(), item::number(pointer.worked_at.as_second()));
        let request = self.client().await.put_item().table_name(self.name()).set_item(Some(stored));
        request.send().await.context("storing the id of the copy").map(drop)
    }
}

fn partition(installation: &str) -> String {
    format!("copy#{installation}")
}
