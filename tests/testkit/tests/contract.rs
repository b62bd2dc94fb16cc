//! The in-memory ports keep the contract.

use messenger_core::port::Homeserver;
use messenger_testkit::{Memory, MemoryHomeserver, contract::Home};

#[expect(clippy::unused_async, reason = "other stores are made by waiting for something")]
async fn fresh() -> Memory {
    Memory::default()
}

messenger_testkit::contract_tests!(fresh);
messenger_testkit::ageing_contract_tests!(fresh);

struct InMemory(MemoryHomeserver);

impl Home for InMemory {
    fn homeserver(&self) -> &dyn Homeserver {
        &self.0
    }

    fn server_name(&self) -> &'static str {
        "hub.local"
    }

    fn unique(&self) -> &'static str {
        "test"
    }
}

#[expect(clippy::unused_async, reason = "other homeservers are made by waiting for something")]
async fn fresh_home() -> InMemory {
    InMemory(MemoryHomeserver::default())
}

messenger_testkit::homeserver_contract_tests!(fresh_home);
