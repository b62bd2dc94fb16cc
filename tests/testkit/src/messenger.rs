//! A hub on in-memory ports.

use std::{ops::Deref, time::Duration};

use messenger_core::{
    Messenger, MessengerSettings, Ports,
    id::TenantId,
    notification::{Draft, SendResult},
    port::Clock as _,
    user::{Caller, Identity},
};
use tokio::task::JoinHandle;

use crate::{Memory, MemoryHomeserver, TestClock, fault::FaultInjector, fixtures};

/// Builds a [`TestMessenger`].
#[derive(Default)]
pub struct HubBuilder {
    memory: Memory,
    homeserver: MemoryHomeserver,
    clock: TestClock,
    settings: MessengerSettings,
}

/// A hub with nothing in it, on ports in memory.
pub fn messenger() -> HubBuilder {
    HubBuilder::default()
}

impl HubBuilder {
    /// Changes settings.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut MessengerSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// The hub. Nothing runs yet: see [`TestMessenger::run_broker`].
    pub fn build(self) -> TestMessenger {
        let Self { memory, homeserver, clock, settings } = self;
        TestMessenger::start(&memory, &homeserver, clock, settings)
    }
}

/// One process: a hub, with what stands behind its ports.
#[derive(Clone)]
pub struct TestMessenger {
    /// The engines.
    pub messenger: Messenger,
    /// The ports that they run on.
    pub ports: Ports,
    /// The store.
    pub memory: Memory,
    /// The homeserver.
    pub homeserver: MemoryHomeserver,
    /// The clock.
    pub clock: TestClock,
    fault: FaultInjector,
}

impl Deref for TestMessenger {
    type Target = Messenger;

    fn deref(&self) -> &Messenger {
        &self.messenger
    }
}

impl TestMessenger {
    /// A second process on the same store and homeserver; also what is there after a crash of the first.
    #[must_use]
    pub fn another_process(&self) -> Self {
        Self::start(&self.memory, &self.homeserver, self.clock.clone(), self.settings().clone())
    }

    /// The same with other settings: a process that was started anew.
    #[must_use]
    pub fn configured(&self, change: impl FnOnce(&mut MessengerSettings)) -> Self {
        let mut settings = self.settings().clone();
        change(&mut settings);
        Self::start(&self.memory, &self.homeserver, self.clock.clone(), settings)
    }

    fn start(
        memory: &Memory,
        homeserver: &MemoryHomeserver,
        clock: TestClock,
        settings: MessengerSettings,
    ) -> Self {
        let fault = FaultInjector::default();
        let (memory, homeserver) = (memory.of_process(&fault), homeserver.of_process(&fault));
        let ports = memory.ports(&homeserver, &clock);
        let messenger = Messenger::new(&ports, settings);
        Self { messenger, ports, memory, homeserver, clock, fault }
    }

    /// Lets the process run this until it has made so many steps, and ends it there; `None` if it was ended before
    /// that was done. Each call of a port is two steps, one before it acts and one after it.
    pub async fn crash_after<T>(&self, steps: usize, run: impl Future<Output = T>) -> Option<T> {
        self.fault.allow(Some(steps));
        tokio::select! {
            biased;
            () = self.fault.blown() => None,
            output = run => {
                self.fault.allow(None);
                Some(output)
            }
        }
    }

    /// Ends the process: nothing that it calls from now on returns, and nothing that runs in it goes on.
    pub fn kill(&self) {
        self.fault.allow(Some(0));
    }

    /// Lets time pass for the store and the clock, not for tokio's timers.
    pub fn pass(&self, time: Duration) {
        self.memory.advance(time);
        self.homeserver.pass(time);
        self.clock.advance(time);
    }

    /// Signs a user in. Their token is good for an hour.
    pub async fn caller(&self, user: &str, tenant: TenantId) -> Caller {
        let identity = Identity { tenant, ..fixtures::identity(user) };
        let user = self.messenger.users().sign_in(identity).await.expect("signing in succeeds");
        Caller { user, expires_at: self.clock.now() + Duration::from_hours(1) }
    }

    /// Sends a notification for the usual satellite.
    pub async fn send(&self, draft: Draft, wait: Duration) -> SendResult {
        self.notifications()
            .notify(fixtures::satellite(), draft, fixtures::waiting(wait))
            .await
            .expect("it is accepted")
    }

    /// Does all the worker's work that is due.
    pub async fn work(&self) {
        while self.provisioning().provision_due().await.expect("accounts can be read") > 0 {}
        while self.rooms().leave_due().await.expect("departures can be read") > 0 {}
        while self.external_clients().revoke_due().await.expect("revocations can be read") > 0 {}
        while self.delivery().deliver_due().await.expect("the outbox can be read") {}
    }

    /// Runs the tail until the handle is dropped.
    pub fn run_broker(&self) -> Running {
        let messenger = self.messenger.clone();
        Running(tokio::spawn(async move { messenger.broker().run().await }))
    }

    /// Runs a worker until the handle is dropped.
    pub fn run_worker(&self) -> Running {
        let process = self.clone();
        Running(tokio::spawn(async move {
            loop {
                process.work().await;
                process.ports.maintenance.work(Duration::from_millis(20)).await;
            }
        }))
    }
}

/// Something that runs in the background; ends when dropped.
pub struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
