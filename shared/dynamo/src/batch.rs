//! Writes items in batches.

use std::sync::atomic::Ordering;

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
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
    /// Writes the item that `request` makes of each source, and returns those that were refused because of
    /// too many requests.
    pub(crate) async fn write<T: Send + Sync>(
        &self,
        sources: &[T],
        request: impl Fn(&T) -> Result<WriteRequest> + Sync,
    ) -> Result<Vec<WriteRequest>> {
        let request = &request;
        let batches: Vec<_> =
            sources.chunks(BATCH).map(|batch| self.write_batch(batch, request).boxed()).collect();
        let refused: Vec<Vec<_>> = stream::iter(batches).buffer_unordered(BATCHES).try_collect().await?;
        let refused: Vec<_> = refused.into_iter().flatten().collect();
        self.throttled.fetch_add(u64::try_from(refused.len()).unwrap_or_default(), Ordering::Relaxed);
        Ok(refused)
    }

    async fn write_batch<T: Send + Sync>(
        &self,
        batch: &[T],
        request: &(impl Fn(&T) -> Result<WriteRequest> + Sync),
    ) -> Result<Vec<WriteRequest>> {
        let requests = || batch.iter().map(request).collect::<Result<Vec<_>>>();
        let call = self.client().await.batch_write_item().request_items(self.name(), requests()?);
        match call.send().await {
            Ok(answer) => {
                Ok(answer.unprocessed_items.and_then(|mut open| open.remove(self.name())).unwrap_or_default())
            }
            Err(error) if is_throttled(&error) => requests(),
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
