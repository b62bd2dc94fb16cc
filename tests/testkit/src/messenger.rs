//! A [`Messenger`] on in-memory ports.

use std::{ops::Deref, time::Duration};

use messenger_core::{
    Messenger, MessengerSettings, Ports, Result,
    external::Withdrawal,
    id::{HubUserId, TenantId},
    notification::{Draft, SendResult},
    port::Clock as _,
    user::{Caller, Identity},
};
use tokio::task::JoinHandle;

use crate::{Memory, MemoryHomeserver, TestClock, fault::FaultInjector, fixtures};

/// A builder of a [`TestMessenger`].
#[derive(Default)]
pub struct MessengerBuilder {
    memory: Memory,
    homeserver: MemoryHomeserver,
    clock: TestClock,
    settings: MessengerSettings,
}

/// Starts to build a messenger on empty in-memory ports.
pub fn messenger() -> MessengerBuilder {
    MessengerBuilder::default()
}

impl MessengerBuilder {
    /// Changes the settings.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut MessengerSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Builds the messenger. No background task runs yet: see [`TestMessenger::run_broker`].
    pub fn build(self) -> TestMessenger {
        let Self { memory, homeserver, clock, settings } = self;
        TestMessenger::start(&memory, &homeserver, clock, settings)
    }
}

/// One process of the service: its use cases, and the doubles behind its ports.
#[derive(Clone)]
pub struct TestMessenger {
    /// The use cases.
    pub service: Messenger,
    /// The ports of the engines.
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
        &self.service
    }
}

impl From<&TestMessenger> for Ports {
    /// Returns the ports of a process, for another app on the same store and homeserver.
    fn from(messenger: &TestMessenger) -> Self {
        messenger.memory.ports(&messenger.homeserver, &messenger.clock)
    }
}

impl TestMessenger {
    /// Starts a second process on the same store and homeserver; it also stands for a restart after a crash.
    #[must_use]
    pub fn another_process(&self) -> Self {
        Self::start(&self.memory, &self.homeserver, self.clock.clone(), self.settings().clone())
    }

    /// Starts a second process with changed settings.
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
        let service = Messenger::new(&ports, settings);
        Self { service, ports, memory, homeserver, clock, fault }
    }

    /// Runs this until the process has made so many steps, and ends the process there. Returns `None` if it
    /// was ended before the output was ready. Each call of a port is two steps, one before it acts and one
    /// after it.
    pub async fn crash_after<T>(&self, steps: usize, run: impl Future<Output = T>) -> Option<T> {
        self.fault.allow(Some(steps));
        tokio::select! {
            biased;
            () = self.fault.triggered() => None,
            output = run => {
                self.fault.allow(None);
                Some(output)
            }
        }
    }

    /// Ends the process: no call that it makes from now on returns.
    pub fn kill(&self) {
        self.fault.allow(Some(0));
    }

    /// Moves the clocks of store, homeserver and process forward, but not tokio's timers.
    pub fn pass(&self, time: Duration) {
        self.memory.advance(time);
        self.homeserver.pass(time);
        self.clock.advance(time);
    }

    /// Signs a user in, with a token that is valid for an hour.
    pub async fn caller(&self, user: &str, tenant: TenantId) -> Caller {
        let identity = Identity { tenant, ..fixtures::identity(user) };
        let user = self.service.users().sign_in(identity).await.expect("signing in succeeds");
        Caller { user, expires_at: self.clock.now() + Duration::from_hours(1) }
    }

    /// Enables other Matrix clients for a user of the usual tenant, as its administrator.
    pub async fn enable_external(&self, user: &HubUserId) -> Result<()> {
        self.external_clients().enable(&fixtures::administrator(), user, &fixtures::any_version()).await
    }

    /// Disables them again.
    pub async fn disable_external(&self, user: &HubUserId) -> Result<Withdrawal> {
        self.external_clients().disable(&fixtures::administrator(), user, &fixtures::any_version()).await
    }

    /// Sends a notification as the usual satellite.
    pub async fn send(&self, draft: Draft, wait: Duration) -> SendResult {
        self.notifications()
            .notify(fixtures::satellite(), draft, fixtures::waiting(wait))
            .await
            .expect("it is accepted")
    }

    /// Does all work of the worker that is due.
    pub async fn work(&self) {
        while self.alarms().apply_due().await.expect("alarms can be read") > 0 {}
        while self.provisioning().provision_due().await.expect("accounts can be read") > 0 {}
        while self.rooms().leave_due().await.expect("pending leaves can be read") > 0 {}
        while self.closures().close_due().await.expect("closed rooms can be read") > 0 {}
        while self.external_clients().revoke_due().await.expect("revocations can be read") > 0 {}
        while self.delivery().deliver_due().await.expect("the outbox can be read") {}
    }

    /// Runs the broker until the handle is dropped.
    pub fn run_broker(&self) -> Running {
        let service = self.service.clone();
        Running(tokio::spawn(async move { service.broker().run().await }))
    }

    /// Runs a worker until the handle is dropped.
    pub fn run_worker(&self) -> Running {
        let process = self.clone();
        Running(tokio::spawn(async move {
            loop {
                process.work().await;
                process.ports.maintenance.wait_for_work(Duration::from_millis(20)).await;
            }
        }))
    }
}

/// A handle of a background task; dropping it aborts the task.
pub struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
