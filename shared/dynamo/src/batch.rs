//! Writes items in batches.

use std::sync::atomic::Ordering;

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use messenger_core::{Error, Result};

use crate::{
    error::{Context as _, is_throttled},
    item::Item,
    table::Table,
};

/// The most items of a batch (Amazon DynamoDB, `BatchWriteItem`).
const BATCH: usize = 25;
/// The most batches at once.
const BATCHES: usize = 8;
const WRITING: &str = "writing to the copy of the event log";

impl Table {
    /// Writes items, and returns those that were refused because of too many requests.
    pub(crate) async fn write(&self, items: Vec<WriteRequest>) -> Result<Vec<WriteRequest>> {
        let batches: Vec<Vec<_>> = items.chunks(BATCH).map(<[_]>::to_vec).collect();
        let refused: Vec<Vec<_>> = stream::iter(batches)
            .map(|batch| self.write_batch(batch))
            .buffer_unordered(BATCHES)
            .try_collect()
            .await?;
        let refused = refused.concat();
        self.throttled.fetch_add(u64::try_from(refused.len()).unwrap_or_default(), Ordering::Relaxed);
        Ok(refused)
    }

    async fn write_batch(&self, batch: Vec<WriteRequest>) -> Result<Vec<WriteRequest>> {
        let request = self.client().await.batch_write_item().request_items(self.name(), batch.clone());
        match request.send().await {
            Ok(answer) => {
                Ok(answer.unprocessed_items.and_then(|mut open| open.remove(self.name())).unwrap_or_default())
            }
            Err(error) if is_throttled(&error) => Ok(batch),
            Err(error) => Err(error).context(WRITING),
        }
    }
}

/// Returns the request to write an item.
pub(crate) fn put(item: Item) -> Result<WriteRequest> {
    let put = PutRequest::builder().set_item(Some(item)).build();
    let put = put.map_err(|error| Error::internal(WRITING, error))?;
    Ok(WriteRequest::builder().put_request(put).build())
}
