//! Reads the figures of a tenant for its administrators, and reports the event streams of this process.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use crate::{
    app::{operations::Operations, streams::Streams},
    domain::{
        admin::{Administrator, HomeserverState, TenantFigures},
        error::Result,
        id::TenantId,
    },
    live::lock::lock,
    port::{self, AdminPorts},
};

/// The time limit of a ping of the homeserver.
const PATIENCE: Duration = Duration::from_millis(800);

/// The interval at which changed numbers of event streams are reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The number of these intervals after which unchanged numbers are reported again, before they count no more.
const REPORT_EVERY: u32 = 3;

/// The engine for the figures of a tenant.
pub struct Statistics {
    statistics: Arc<dyn port::AdminStatistics>,
    operations: Arc<Operations>,
    streams: Arc<Streams>,
    /// The last state of the homeserver.
    homeserver: Mutex<Option<HomeserverState>>,
}

impl Statistics {
    pub(crate) fn new(ports: &AdminPorts, operations: &Arc<Operations>, streams: &Arc<Streams>) -> Self {
        Self {
            statistics: ports.statistics.clone(),
            operations: operations.clone(),
            streams: streams.clone(),
            homeserver: Mutex::default(),
        }
    }

    /// Returns the figures of the administered tenant, and the state of the homeserver.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant))]
    pub async fn read(&self, administrator: &Administrator) -> Result<(TenantFigures, HomeserverState)> {
        let (figures, homeserver) =
            tokio::join!(self.statistics.figures(administrator.tenant), self.homeserver_state());
        Ok((figures?, homeserver))
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
        let (mut reported, mut unchanged) = (Vec::new(), 0);
        let mut is_failing = false;
        loop {
            let streams = self.streams.open_by_tenant();
            unchanged = if streams == reported { unchanged + 1 } else { REPORT_EVERY };
            if unchanged >= REPORT_EVERY && !streams.is_empty() {
                match self.report(&process, &streams).await {
                    Ok(()) => {
                        (reported, unchanged) = (streams, 0);
                        is_failing = false;
                    }
                    Err(error) if !std::mem::replace(&mut is_failing, true) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::warn!(error, "reporting the number of event streams failed; retrying");
                    }
                    Err(_) => {}
                }
            }
            sleep(REPORT_INTERVAL).await;
        }
    }

    /// Stores the number of open event streams of a process by tenant.
    pub async fn report(&self, process: &str, streams: &[(TenantId, i64)]) -> Result<()> {
        self.statistics.report_streams(process, streams).await
    }
}

/// Returns the state after a ping; the time of a change is known if another state came before.
fn state_after(last: Option<HomeserverState>, is_online: bool, now: Timestamp) -> HomeserverState {
    match last {
        Some(last) if last.is_online == is_online => last,
        last => HomeserverState { is_online, since: last.map(|_| now) },
    }
}
