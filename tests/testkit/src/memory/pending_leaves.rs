//! Pending leaves in memory.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    id::{HubUserId, RoomId, TenantId},
    lease::Lease,
    port::{PendingLeave, PendingLeaves},
};

use super::{Memory, State};

/// The longest backoff after failures.
const BACKOFF_MAX: Duration = Duration::from_mins(5);

pub(super) type Table = BTreeMap<(HubUserId, RoomId), Due>;

pub(super) struct Due {
    pub(super) at: Timestamp,
    leased_until: Timestamp,
    pub(super) failures: u32,
}

#[async_trait]
impl PendingLeaves for Memory {
    async fn leave(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.act("leaving a room", |state| state.leave(tenant, room, user)).await
    }

    async fn cancel(&self, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.act("cancelling a pending leave", |state| {
            state.pending_leaves.remove(&(user.clone(), room.clone()));
        })
        .await
    }

    async fn claim(&self, lease: Duration, limit: i64) -> Result<Vec<PendingLeave>> {
        self.act("claiming pending leaves", |state| {
            let now = state.now;
            let due =
                state.pending_leaves.iter_mut().filter(|(_, due)| due.at <= now && due.leased_until <= now);
            due.take(usize::try_from(limit).unwrap_or_default())
                .filter_map(|((user, room), due)| {
                    due.leased_until = now + lease;
                    let localpart = state.users.get(user)?.user.localpart.clone();
                    Some(PendingLeave { user: user.clone(), localpart, room: room.clone() })
                })
                .collect()
        })
        .await
    }

    async fn done(&self, pending_leave: &PendingLeave) -> Result<Lease<()>> {
        self.act("completing a pending leave", |state| {
            match state.pending_leaves.remove(&(pending_leave.user.clone(), pending_leave.room.clone())) {
                Some(_) => Lease::Held(()),
                None => Lease::Lost,
            }
        })
        .await
    }

    async fn postpone(&self, pending_leave: &PendingLeave) -> Result<()> {
        self.act("postponing a pending leave", |state| {
            let now = state.now;
            if let Some(due) =
                state.pending_leaves.get_mut(&(pending_leave.user.clone(), pending_leave.room.clone()))
            {
                due.at =
                    now + Duration::from_secs(1).saturating_mul(1 << due.failures.min(20)).min(BACKOFF_MAX);
                due.failures += 1;
                due.leased_until = now;
            }
        })
        .await
    }
}

impl State {
    pub(super) fn leave(&mut self, tenant: TenantId, room: &RoomId, user: &HubUserId) {
        self.remove_member(tenant, room, user);
        let due = Due { at: self.now, leased_until: self.now, failures: 0 };
        self.pending_leaves.insert((user.clone(), room.clone()), due);
        self.has_work = true;
    }
}
