//! Actions that state events of a room ask for: they happen outside the commit of ingestion, and again at
//! each repetition of an event.

use crate::{
    domain::{
        error::Result,
        id::TenantId,
        room::Marks,
        room_event::{Content, RoomEvent},
    },
    sync::{ingest::Ingest, quarantine::Subject},
};

impl Ingest {
    /// Acts on an invitation, encryption, a history visibility or an upgrade; does nothing for another
    /// event. Returns the earlier events of a successor room, which are still to be ingested.
    ///
    /// It is idempotent: a repetition joins no user, sends no notice and replaces no room again.
    pub(crate) async fn act_on(&self, tenant: TenantId, event: &RoomEvent) -> Result<Vec<RoomEvent>> {
        let room = &event.room_id;
        match &event.content {
            Content::Invited(_) => self.invitations.accept_for_member(tenant, event).await?,
            Content::Encrypted => self.encryption.room_was_encrypted(room).await?,
            Content::HistoryVisibility { is_restricted: true } => {
                self.room_marks.mark(room, Marks::HISTORY_RESTRICTED).await?;
            }
            Content::Upgraded => {
                let replaced = self.upgrades.replace(tenant, room, &event.sender).await;
                let subject = Subject::Event(event.event_id.clone());
                return Ok(self.failures.tolerate(room, subject, replaced)?.unwrap_or_default());
            }
            _ => {}
        }
        Ok(Vec::new())
    }
}
