//! Ingestion of room events: messages, their changes, and memberships, from any client. Each event counts
//! once by its id, whether the response to a send, a push or reconciliation brought it.
//!
//! # Order
//! The event log has the order of the room as long as each source delivers a room's events in that room's
//! order and without gaps, from where the other sources have arrived. Then the first source of an event has
//! also delivered, or read, everything before it.
//! * The sender of a message gets an answer once the homeserver has the message; the homeserver then pushes
//!   it as an echo. If that push is late, all events of the room since the stored sync token are ingested,
//!   and the message with them (`pending_echoes.rs`).
//! * Reconciliation reads on from the sync token, and fills the gaps of `/sync`
//!   ([`reconcile`](crate::sync::reconcile)).
//! * Push is in order. The events of a push that the homeserver lost are read before its successor on a new
//!   connection; `push.rs` states how, and the one case in which the order can differ.

mod act;
mod alarm;
mod edit;
mod interpret;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::{
    app::{messages::Messages, room_registry::RoomRegistry, user_directory::UserDirectory},
    domain::{
        error::{Error, Failure, Result},
        id::{MatrixUserId, RoomId, TenantId},
        matrix_ids::MatrixIds,
        message::People,
        room_event::RoomEvent,
    },
    live::echoes::Echoes,
    port::{self, Change, IngestedEvent, Ports},
    sync::{
        adopt::{Adopt, Adoption},
        bot_notices::BotNotices,
        encryption::Encryption,
        invitations::Invitations,
        quarantine::{Quarantine, RoomFailures},
        upgrades::Upgrades,
    },
};

/// Most events that are stored in one transaction.
const BATCH: usize = 100;

/// The engine that ingests events of rooms and adopts unknown rooms.
pub struct Ingest {
    messages: Arc<dyn port::Messages>,
    rooms: Arc<dyn port::Rooms>,
    room_marks: Arc<dyn port::RoomMarks>,
    memberships: Arc<dyn port::Memberships>,
    alarms: Arc<dyn port::AlarmOutbox>,
    timeline: Arc<dyn port::Timeline>,
    adopt: Arc<Adopt>,
    upgrades: Arc<Upgrades>,
    encryption: Arc<Encryption>,
    notices: Arc<BotNotices>,
    invitations: Arc<Invitations>,
    failures: Arc<RoomFailures>,
    registry: Arc<RoomRegistry>,
    directory: Arc<UserDirectory>,
    sent_messages: Arc<Messages>,
    echoes: Arc<Echoes>,
    ids: Arc<MatrixIds>,
}

/// The engines that [`Ingest`] is made of.
pub(crate) struct Parts<'p> {
    pub(crate) adopt: &'p Arc<Adopt>,
    pub(crate) upgrades: &'p Arc<Upgrades>,
    pub(crate) encryption: &'p Arc<Encryption>,
    pub(crate) notices: &'p Arc<BotNotices>,
    pub(crate) invitations: &'p Arc<Invitations>,
    pub(crate) failures: &'p Arc<RoomFailures>,
    pub(crate) registry: &'p Arc<RoomRegistry>,
    pub(crate) directory: &'p Arc<UserDirectory>,
    pub(crate) sent_messages: &'p Arc<Messages>,
}

impl Ingest {
    pub(crate) fn new(
        ports: &Ports,
        engines: &Parts<'_>,
        echoes: &Arc<Echoes>,
        ids: &Arc<MatrixIds>,
    ) -> Self {
        Self {
            messages: ports.messages.clone(),
            rooms: ports.rooms.clone(),
            room_marks: ports.room_marks.clone(),
            memberships: ports.memberships.clone(),
            alarms: ports.alarm_outbox.clone(),
            timeline: ports.timeline.clone(),
            adopt: engines.adopt.clone(),
            upgrades: engines.upgrades.clone(),
            encryption: engines.encryption.clone(),
            notices: engines.notices.clone(),
            invitations: engines.invitations.clone(),
            failures: engines.failures.clone(),
            registry: engines.registry.clone(),
            directory: engines.directory.clone(),
            sent_messages: engines.sent_messages.clone(),
            echoes: echoes.clone(),
            ids: ids.clone(),
        }
    }

    /// Ingests room events in the given order, and adopts unknown rooms.
    ///
    /// # Errors
    /// If the homeserver fails for one room, its later events are held back, and the first such error is
    /// returned after all other rooms were ingested. Call again with the same events.
    #[tracing::instrument(level = "debug", skip_all, fields(events = events.len()))]
    pub async fn receive(&self, events: Vec<RoomEvent>) -> Result<()> {
        let mut quarantine = Quarantine::default();
        let mut adopted = HashMap::new();
        let mut queue = VecDeque::from(events);
        while !queue.is_empty() {
            let batch = self.next_batch(&mut queue, &mut adopted, &mut quarantine).await?;
            let backlog = self.ingest_batch(batch, &mut quarantine).await?;
            prepend(&mut queue, backlog);
        }
        quarantine.into_result()
    }

    /// Adopts a room with the help of a member, and ingests its backlog. Returns `false` if it was not
    /// adopted.
    pub(crate) async fn adopt_from(&self, room: &RoomId, member: &MatrixUserId) -> Result<bool> {
        let Some(Adoption { backlog, .. }) = self.adopt.adopt_from(room, member).await? else {
            return Ok(false);
        };
        self.receive(backlog).await.map(|()| true)
    }

    /// Takes the events of the next batch from the queue, each with the tenant of its room. If a room is
    /// adopted, the batch ends before its event, and the room's backlog is put in front of that event.
    async fn next_batch(
        &self,
        queue: &mut VecDeque<RoomEvent>,
        adopted: &mut HashMap<RoomId, TenantId>,
        quarantine: &mut Quarantine,
    ) -> Result<Vec<(TenantId, RoomEvent)>> {
        let mut batch: Vec<(TenantId, RoomEvent)> = Vec::new();
        while batch.len() < BATCH {
            let before = || batch.iter().map(|(_, event)| event);
            let Some(event) = queue.pop_front_if(|event| !event.needs_one_of(before())) else { break };
            if quarantine.holds(&event.room_id) {
                continue;
            }
            let known = match adopted.get(&event.room_id) {
                Some(tenant) => Ok(Some(*tenant)),
                None => self.registry.tenant_of(&event.room_id).await,
            };
            if let Some(tenant) = known? {
                batch.push((tenant, event));
                continue;
            }
            match self.adopt.adopt(&event).await {
                Ok(Some(Adoption { tenant, backlog })) => {
                    adopted.insert(event.room_id.clone(), tenant);
                    queue.push_front(event);
                    prepend(queue, backlog);
                    break;
                }
                Ok(None) => {}
                Err(error) => quarantine.hold(&event.room_id, error)?,
            }
        }
        Ok(batch)
    }

    /// Ingests a batch. Returns the backlog of rooms that replaced a known one.
    async fn ingest_batch(
        &self,
        batch: Vec<(TenantId, RoomEvent)>,
        quarantine: &mut Quarantine,
    ) -> Result<Vec<RoomEvent>> {
        let people = self.directory.people(batch.iter().flat_map(|(_, event)| event.people())).await?;
        let (mut awaited, mut backlog) = (Vec::new(), Vec::new());
        let mut ingested = Vec::with_capacity(batch.len());
        for (tenant, event) in batch {
            if quarantine.holds(&event.room_id) {
                continue;
            }
            match self.act_and_interpret(tenant, &event, &people).await {
                Ok((earlier, interpreted)) => {
                    backlog.extend(earlier);
                    ingested.extend(interpreted);
                }
                Err(error) => {
                    quarantine.hold(&event.room_id, error)?;
                    continue;
                }
            }
            if event.may_be_awaited() {
                awaited.push(event);
            }
        }
        if !ingested.is_empty() {
            self.ingest(&ingested).await?;
            self.echoes.arrived(&awaited);
            self.forget_redacted(&ingested);
        }
        Ok(backlog)
    }

    /// Acts on an event, and interprets it. Returns the earlier events of a successor room, and what is
    /// stored of this one.
    async fn act_and_interpret(
        &self,
        tenant: TenantId,
        event: &RoomEvent,
        people: &People,
    ) -> Result<(Vec<RoomEvent>, Option<IngestedEvent>)> {
        let earlier = self.act_on(tenant, event).await?;
        Ok((earlier, self.interpret(tenant, event, people).await?))
    }

    /// Stores events in one transaction. If the database rejects one of them, stores them one by one and
    /// skips that one, which would otherwise be pushed again forever.
    async fn ingest(&self, events: &[IngestedEvent]) -> Result<()> {
        let is_rejected = |error: &Error| error.failure() == Some(Failure::Rejected);
        match self.messages.ingest(events).await {
            Err(error) if is_rejected(&error) => {}
            result => return result.map(drop),
        }
        for one in events {
            match self.messages.ingest(std::slice::from_ref(one)).await {
                Err(error) if is_rejected(&error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(event = %one.event_id, room = %one.room, error, "event rejected by the database; skipped");
                }
                result => drop(result?),
            }
        }
        Ok(())
    }

    /// Drops redacted messages from the caches of this process.
    fn forget_redacted(&self, events: &[IngestedEvent]) {
        for event in events {
            if let Change::Redacted { of } | Change::RedactedEdit { edit: of } = &event.change {
                self.sent_messages.forget(of);
            }
        }
    }
}

/// Puts events in front of a queue, in their order.
fn prepend(queue: &mut VecDeque<RoomEvent>, events: Vec<RoomEvent>) {
    for event in events.into_iter().rev() {
        queue.push_front(event);
    }
}
