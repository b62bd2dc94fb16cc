//! The contract tests of the in-memory ports.

use messenger_testkit::{
    Memory, MemoryHomeserver,
    contract::{HomeserverPorts, TestHomeserver},
};

#[expect(clippy::unused_async, reason = "other stores are made asynchronously")]
async fn new_store() -> Memory {
    Memory::default()
}

messenger_testkit::contract_tests!(new_store);
messenger_testkit::ageing_contract_tests!(new_store);
messenger_testkit::alarm_contract_tests!(new_store);

struct InMemory(MemoryHomeserver);

impl TestHomeserver for InMemory {
    fn homeserver(&self) -> &dyn HomeserverPorts {
        &self.0
    }

    fn server_name(&self) -> &'static str {
        "hub.local"
    }

    fn unique(&self) -> &'static str {
        "test"
    }
}

#[expect(clippy::unused_async, reason = "other homeservers are made asynchronously")]
async fn new_homeserver() -> InMemory {
    InMemory(MemoryHomeserver::default())
}

messenger_testkit::homeserver_contract_tests!(new_homeserver);
