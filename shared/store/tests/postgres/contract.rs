//! The contract of the ports, kept by PostgreSQL.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::Ports;
use messenger_testkit::contract::Store;

use crate::database::LocalAppends;

#[async_trait]
impl Store for LocalAppends {
    fn ports(&self) -> Ports {
        Self::ports(self)
    }

    async fn pass(&self, time: Duration) {
        // The database keeps the time: it cannot be moved.
        tokio::time::sleep(time).await;
    }
}

messenger_testkit::contract_tests!(LocalAppends::database);
