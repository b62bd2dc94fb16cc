//! The contract of the ports, on PostgreSQL.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::Ports;
use messenger_testkit::contract::Store;

use crate::database::TestStore;

#[async_trait]
impl Store for TestStore {
    fn ports(&self) -> Ports {
        Self::ports(self)
    }

    async fn pass(&self, time: Duration) {
        // Leases use the clock of the database, which a test cannot set.
        tokio::time::sleep(time).await;
    }
}

messenger_testkit::contract_tests!(TestStore::create);
