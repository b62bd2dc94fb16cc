//! Reads the figures of a tenant for its administrators, and reports the event streams of this process.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    app::{operations::Operations, streams::Streams},
    domain::{
        admin::{Administrator, HomeserverState, SendingApp, TenantFigures},
        error::Result,
        id::TenantId,
    },
    live::lock::lock,
    port::{self, AdminPorts},
};

/// The time limit of a ping of the homeserver.
const PATIENCE: Duration = Duration::from_millis(800);

/// The interval at which the numbers of event streams are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest time between two reports of changed numbers.
const CHANGED_AFTER: Duration = Duration::from_secs(10);

/// The time after which unchanged numbers are reported again. A report counts for a minute.
const UNCHANGED_AFTER: Duration = Duration::from_secs(30);

/// The engine for the figures of a tenant.
pub struct Statistics {
    records: Arc<dyn port::AdminStatistics>,
    operations: Arc<Operations>,
    streams: Arc<Streams>,
    /// The last state of the homeserver.
    homeserver: Mutex<Option<HomeserverState>>,
}

impl Statistics {
    pub(crate) fn new(ports: &AdminPorts, operations: &Arc<Operations>, streams: &Arc<Streams>) -> Self {
        Self {
            records: ports.statistics.clone(),
            operations: operations.clone(),
            streams: streams.clone(),
            homeserver: Mutex::default(),
        }
    }

    /// Returns the figures of the administered tenant, and the state of the homeserver.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant))]
    pub async fn read(&self, administrator: &Administrator) -> Result<(TenantFigures, HomeserverState)> {
        let (figures, homeserver) =
            tokio::join!(self.records.figures(administrator.tenant), self.homeserver_state());
        Ok((figures?, homeserver))
    }

    /// Returns the apps that have sent notifications to the administered tenant.
    pub async fn apps(&self, administrator: &Administrator) -> Result<Vec<SendingApp>> {
        self.records.apps(administrator.tenant).await
    }

    /// Returns the tenants that the caller may administer: a super administrator those that have users, and the
    /// administered one.
    pub async fn tenants(&self, administrator: &Administrator) -> Result<Vec<TenantId>> {
        if !administrator.is_super {
            return Ok(vec![administrator.tenant]);
        }
        let mut tenants = self.records.tenants().await?;
        if let Err(place) = tenants.binary_search(&administrator.tenant) {
            tenants.insert(place, administrator.tenant);
        }
        Ok(tenants)
    }

    /// Pings the homeserver, and returns its state.
    async fn homeserver_state(&self) -> HomeserverState {
        let is_online = matches!(timeout(PATIENCE, self.operations.check_homeserver()).await, Ok(Ok(())));
        let mut last = lock(&self.homeserver);
        let state = state_after(*last, is_online, self.operations.now());
        *last = Some(state);
        state
    }

    /// Reports the number of open event streams of this process whenever it has changed, and at intervals. Runs
    /// until the future is dropped.
    pub async fn report_streams(&self) {
        let process = format!("{:032x}", rand::random::<u128>());
        let mut last: Option<Report> = None;
        let mut is_failing = false;
        loop {
            sleep(LOOK_INTERVAL).await;
            let streams = self.streams.open_by_tenant();
            if !is_due(last.as_ref(), &streams) {
                continue;
            }
            match self.records.report_streams(&process, &streams).await {
                Ok(()) => {
                    last = Some(Report { streams, at: Instant::now() });
                    is_failing = false;
                }
                Err(error) if !std::mem::replace(&mut is_failing, true) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "reporting the number of event streams failed; retrying");
                }
                Err(_) => {}
            }
        }
    }
}

/// A stored report of the open event streams.
struct Report {
    streams: Vec<(TenantId, i64)>,
    at: Instant,
}

/// Returns whether the numbers of open event streams are to be reported.
fn is_due(last: Option<&Report>, streams: &[(TenantId, i64)]) -> bool {
    match last {
        None => !streams.is_empty(),
        Some(last) if last.streams == streams => last.at.elapsed() >= UNCHANGED_AFTER,
        Some(last) => last.at.elapsed() >= CHANGED_AFTER,
    }
}

/// Returns the state after a ping; the time of a change is known if another state came before.
fn state_after(last: Option<HomeserverState>, is_online: bool, now: Timestamp) -> HomeserverState {
    match last {
        Some(last) if last.is_online == is_online => last,
        last => HomeserverState { is_online, since: last.map(|_| now) },
    }
}
