//! Acts of administrators on many notifications: the number first, then the act, call by call.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    domain::{
        admin::{
            Administrator,
            notifications::{
                BULK_MAX, BulkBeginning, BulkProgress, BulkRequest, BulkResult, MatchCount,
                NotificationFilter,
            },
        },
        error::{Error, Problem, Result},
        id::NotificationId,
    },
    port::{self, AdminPorts},
};

/// The time after which a call counts or changes no more notifications.
const BUDGET: Duration = Duration::from_secs(5);

/// The engine for acts on many notifications.
pub struct BulkActs {
    records: Arc<dyn port::AdminNotifications>,
    acts: Arc<dyn port::BulkActs>,
}

impl BulkActs {
    pub(crate) fn new(ports: &AdminPorts) -> Self {
        Self { records: ports.notifications.clone(), acts: ports.bulk_acts.clone() }
    }

    /// Counts the notifications that an act would look at.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant))]
    pub async fn count(
        &self,
        administrator: &Administrator,
        filter: &NotificationFilter,
    ) -> Result<MatchCount> {
        self.count_before(administrator, filter, None).await
    }

    /// Changes matching notifications, as many as a call has time for. The caller repeats the call with the
    /// same key until none is left; a repeated call changes nothing twice.
    ///
    /// # Errors
    /// `number_changed` if the act begins and another number matches than expected, `idempotency_mismatch`
    /// for a key of another act.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant))]
    pub async fn run(&self, administrator: &Administrator, request: &BulkRequest) -> Result<BulkResult> {
        let deadline = Instant::now() + BUDGET;
        if self.acts.find(administrator, request).await?.is_none() {
            self.begin(administrator, request).await?;
        }
        let mut progress = self.progress(administrator, request).await?;
        let mut results = Vec::new();
        while !progress.is_done() && Instant::now() < deadline {
            results.extend(self.acts.step(administrator, request, &progress).await?);
            progress = self.progress(administrator, request).await?;
        }
        Ok(BulkResult { progress, results })
    }

    async fn begin(&self, administrator: &Administrator, request: &BulkRequest) -> Result<()> {
        let newest = self.records.page(administrator.tenant, &NotificationFilter::default(), None, 1).await?;
        let upto = newest.notifications.first().map_or(0, |newest| newest.notification.id.0);
        let before = Some(NotificationId(upto + 1));
        let count = self.count_before(administrator, &request.filter, before).await?;
        if !count.is_exact {
            return Err(Error::Invalid(vec![Problem::new(
                "/filter",
                format!("matches too many notifications: narrow it, as by `from` and `to`, to {BULK_MAX}"),
            )]));
        }
        if count.matched != request.expected {
            return Err(Error::Conflict {
                code: "number_changed",
                detail: format!(
                    "the filter matches {} notifications now, not {}: look again, and send the new number",
                    count.matched, request.expected
                )
                .into(),
                retry_after: None,
            });
        }
        self.acts.begin(administrator, request, NotificationId(upto)).await
    }

    async fn progress(&self, administrator: &Administrator, request: &BulkRequest) -> Result<BulkProgress> {
        match self.acts.find(administrator, request).await? {
            Some(BulkBeginning::Progress(progress)) => Ok(progress),
            Some(BulkBeginning::OtherAct) => Err(Error::Invalid(vec![
                Problem::new(
                    "/idempotency_key",
                    "this Idempotency-Key was used with another act: use a new key for a new act",
                )
                .coded("idempotency_mismatch"),
            ])),
            None => Err(Error::NotFound("act")),
        }
    }

    async fn count_before(
        &self,
        administrator: &Administrator,
        filter: &NotificationFilter,
        mut before: Option<NotificationId>,
    ) -> Result<MatchCount> {
        let deadline = Instant::now() + BUDGET;
        let mut matched = 0;
        loop {
            let step = self.records.count(administrator.tenant, filter, before).await?;
            matched += step.matched;
            before = step.next;
            let is_exact = step.next.is_none();
            if is_exact && matched <= BULK_MAX {
                return Ok(MatchCount { matched, is_exact });
            }
            if is_exact || matched >= BULK_MAX || Instant::now() >= deadline {
                return Ok(MatchCount { matched: matched.min(BULK_MAX), is_exact: false });
            }
        }
    }
}
