//! The contract of the event log, read from its copy.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::Ports;
use messenger_testkit::contract::Store;

use crate::fixture::RelayedStore;

#[async_trait]
impl Store for RelayedStore {
    fn ports(&self) -> Ports {
        Self::ports(self)
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

messenger_testkit::feed_contract_tests!(RelayedStore::create);
