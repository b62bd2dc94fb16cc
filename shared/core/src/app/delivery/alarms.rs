//! Delivers the messages of alarms: root messages, their edits, and rings.

use crate::{
    app::delivery::{Delivery, ROOMS_MAX, failed_attempt::Consequence, queue_entry::AlarmDelivery},
    domain::{
        alarm::RingReason,
        error::{Error, Result},
        id::{MatrixUserId, RingId, RoomId},
        rendering::alarm::AlarmMessage,
        room::{encrypted, room_closed},
    },
    port::{AlarmMessageDue, NewReaction, RoomQueue, RootMessage, SentAlarmMessage},
};

/// The reaction that acknowledges an alarm. The bot adds it, so that one tap suffices.
const ACKNOWLEDGE: &str = "✅";

impl Delivery {
    /// Makes one attempt to send a message of an alarm, and stores its result.
    pub(super) async fn deliver_alarm(
        &self,
        queue: &RoomQueue,
        message: &AlarmMessageDue,
    ) -> Result<AlarmDelivery> {
        if let Some(user) = message.episode.draft.recipient()
            && self.users.find(message.tenant, user).await?.is_none()
        {
            return Ok(AlarmDelivery::UntilSignIn);
        }
        let result = match (message.ring, &message.root) {
            (None, _) => self.send_state(message).await,
            (Some((ring, reason)), Some(root)) => {
                if !self.alarm_outbox.begin_ring(ring).await? {
                    return Ok(AlarmDelivery::Done);
                }
                self.ring(message, ring, reason, root).await
            }
            (Some((ring, _)), None) => {
                let is_needed = self.alarm_outbox.begin_ring(ring).await?;
                return Ok(if is_needed { AlarmDelivery::Outdated } else { AlarmDelivery::Done });
            }
        };
        match result {
            Ok(()) => Ok(AlarmDelivery::Done),
            Err(error) => self.record_alarm_failure(queue, message, error).await,
        }
    }

    /// Sends the root message of an episode, or the edit that brings it to the present state.
    ///
    /// If an administrator closes the room meanwhile, a root message goes to the next room of its key.
    async fn send_state(&self, message: &AlarmMessageDue) -> Result<()> {
        let key = message.episode.draft.room_key(message.tenant);
        for _ in 0..ROOMS_MAX {
            let room = self.registry.find_or_create(&key).await?;
            match self.send_state_into(&room, message).await {
                Ok(sent) if self.alarm_outbox.message_sent(&sent).await? => {
                    if sent.edit.is_none() {
                        self.offer_acknowledgement(message, &sent.root).await;
                    }
                    return Ok(());
                }
                Ok(_) => self.registry.note_closed(&room),
                Err(error) if !self.registry.failed_as_closed(&room, &error).await? => return Err(error),
                Err(_) => {}
            }
            tracing::info!(alarm = %message.alarm, %room, "room of an alarm was closed");
        }
        Err(room_closed())
    }

    async fn send_state_into(&self, room: &RoomId, message: &AlarmMessageDue) -> Result<SentAlarmMessage> {
        if self.registry.is_encrypted(room) {
            return Err(encrypted());
        }
        let (alarm, episode) = (message.alarm, message.episode.number);
        let recipient = self.recipient(message.tenant, &message.episode.draft, room).await?;
        let content = self.alarm_message(message, recipient.as_ref());
        if let Some(known) = message.root.as_ref().filter(|known| known.room == *room) {
            let revision = message.revision;
            let id = (alarm, episode, known.number);
            let transaction = self.transactions.of_alarm(id, room, Some(revision)).await?;
            let edit = self.timeline.send(room, &transaction, &content.edit(&known.event)).await?;
            return Ok(SentAlarmMessage { alarm, episode, revision, root: known.clone(), edit: Some(edit) });
        }
        let attempt = self.alarm_outbox.begin_root(message, room).await?;
        let transaction = self.transactions.of_alarm((alarm, episode, attempt.number), room, None).await?;
        let event = self.timeline.send(room, &transaction, &content.root()).await?;
        let (number, revision) = (attempt.number, attempt.revision);
        let sent = RootMessage { number, room: room.clone(), event };
        Ok(SentAlarmMessage { alarm, episode, revision, root: sent, edit: None })
    }

    async fn ring(
        &self,
        message: &AlarmMessageDue,
        ring: RingId,
        reason: RingReason,
        replied: &RootMessage,
    ) -> Result<()> {
        let room = &replied.room;
        if self.registry.is_encrypted(room) {
            return Err(encrypted());
        }
        let recipient = self.recipient(message.tenant, &message.episode.draft, room).await?;
        let content = self.alarm_message(message, recipient.as_ref()).ring(reason, &replied.event);
        let event = match content {
            Some(content) => {
                let transaction = self.transactions.of_ring(ring, room).await?;
                Some(self.timeline.send(room, &transaction, &content).await?)
            }
            None => None,
        };
        self.alarm_outbox.rung(ring, room, event.as_ref()).await
    }

    fn alarm_message<'a>(
        &'a self,
        message: &'a AlarmMessageDue,
        recipient: Option<&'a MatrixUserId>,
    ) -> AlarmMessage<'a> {
        AlarmMessage {
            alarm: message.alarm,
            episode: &message.episode,
            time_zone: &self.settings.time_zone,
            recipient,
        }
    }

    /// Adds the reaction with which a reader acknowledges the alarm. Without it, they choose it themselves.
    async fn offer_acknowledgement(&self, message: &AlarmMessageDue, root: &RootMessage) {
        if !message.episode.ack.is_required || !message.episode.needs_attention() {
            return;
        }
        if let Err(error) = self.react(message, root).await {
            tracing::warn!(
                alarm = %message.alarm,
                error = &error as &dyn std::error::Error,
                "adding the reaction that acknowledges an alarm failed"
            );
        }
    }

    async fn react(&self, message: &AlarmMessageDue, on: &RootMessage) -> Result<()> {
        let id = (message.alarm, message.episode.number, on.number);
        let transaction = format!("{}.s", self.transactions.of_alarm(id, &on.room, None).await?);
        let (room, of, sender) = (&on.room, &on.event, &self.ids.bot());
        let reaction = NewReaction { room, of, sender, key: ACKNOWLEDGE };
        self.relations.react(reaction, &transaction, self.clock.now()).await.map(drop)
    }

    /// Stores that an attempt failed: the message is tried again later, or was rejected for good.
    async fn record_alarm_failure(
        &self,
        queue: &RoomQueue,
        message: &AlarmMessageDue,
        error: Error,
    ) -> Result<AlarmDelivery> {
        let reason = match Consequence::of(&error) {
            Consequence::Unstored => return Err(error),
            Consequence::Postponed { reason, delay } => {
                self.failures.count(reason);
                tracing::warn!(
                    alarm = %message.alarm,
                    error = &error as &dyn std::error::Error,
                    "delivery of an alarm postponed"
                );
                self.alarm_outbox.back_off(queue, delay).await?;
                return Ok(AlarmDelivery::BackingOff);
            }
            Consequence::Rejected { reason } => reason,
        };
        tracing::error!(
            alarm = %message.alarm,
            error = &error as &dyn std::error::Error,
            "message of an alarm rejected by the homeserver"
        );
        self.failures.count(reason);
        match (message.ring, &message.root) {
            (Some((ring, _)), Some(root)) => self.alarm_outbox.rung(ring, &root.room, None).await?,
            _ => self.alarm_outbox.rejected(message, reason, &error.to_string()).await?,
        }
        Ok(AlarmDelivery::Done)
    }
}
