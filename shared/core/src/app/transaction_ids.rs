//! Matrix transaction ids. They are derived, so that a call that is repeated after a crash has its effect
//! once.

use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::{
    domain::{
        error::Result,
        id::{self, AlarmId, HubUserId, NotificationId, RingId, RoomId},
    },
    port::{self, Ports},
};

/// The source of transaction ids.
///
/// Ids begin with an id of this database, since a homeserver remembers transaction ids for longer than a
/// database may live.
pub struct TransactionIds {
    notifications: Arc<dyn port::Notifications>,
    installation: OnceCell<String>,
}

impl TransactionIds {
    pub(crate) fn new(ports: &Ports) -> Self {
        Self { notifications: ports.notifications.clone(), installation: OnceCell::new() }
    }

    /// Returns the transaction id of a notification in a room.
    ///
    /// It names the room, since Conduit deduplicates over all rooms of a user: a notification whose room was
    /// closed while it was sent is sent into the next room of its key.
    pub(crate) async fn of_notification(&self, id: NotificationId, room: &RoomId) -> Result<String> {
        let digest = &id::digest(room.as_str())[..16];
        Ok(format!("{}.n{id}.{digest}", self.installation().await?))
    }

    /// Returns the transaction id of the root message of an alarm's episode, or of its edit to a revision. `number`
    /// is the number of the root message.
    pub(crate) async fn of_alarm(
        &self,
        (alarm, episode, number): (AlarmId, i64, i64),
        room: &RoomId,
        edit: Option<i64>,
    ) -> Result<String> {
        let digest = &id::digest(room.as_str())[..16];
        let edit = edit.map(|revision| format!(".r{revision}")).unwrap_or_default();
        Ok(format!("{}.a{alarm}.{episode}.{number}.{digest}{edit}", self.installation().await?))
    }

    /// Returns the transaction id of a ring in a room.
    pub(crate) async fn of_ring(&self, ring: RingId, room: &RoomId) -> Result<String> {
        let digest = &id::digest(room.as_str())[..16];
        Ok(format!("{}.g{ring}.{digest}", self.installation().await?))
    }

    /// Returns the transaction id of a notice of the bot, which is sent once per `kind` and room.
    pub(crate) async fn of_notice(&self, room: &RoomId, kind: &str) -> Result<String> {
        let digest = id::digest(&format!("{room}\0{kind}"));
        Ok(format!("{}.a{digest}", self.installation().await?))
    }

    /// Returns the transaction id of a user's message; a random one if `client_id` is `None`.
    ///
    /// It is made of user and room: Conduit deduplicates over all rooms of a user, Synapse over all users of
    /// a room.
    pub(crate) async fn of_message(
        &self,
        user: &HubUserId,
        room: &RoomId,
        client_id: Option<&str>,
    ) -> Result<String> {
        let stem = self.installation().await?;
        Ok(match client_id {
            Some(client_id) => format!("{stem}.m{}", id::digest(&format!("{user}\0{room}\0{client_id}"))),
            None => format!("{stem}.r{:032x}", rand::random::<u128>()),
        })
    }

    /// Returns the transaction id of a user's act on an event, such as an edit; a random one if `client_id` is
    /// `None`. `act` names the kind of act and the event.
    ///
    /// It is another one than that of a message, since Conduit deduplicates over all types of events.
    pub(crate) async fn of_act(
        &self,
        user: &HubUserId,
        room: &RoomId,
        act: &str,
        client_id: Option<&str>,
    ) -> Result<String> {
        let client_id = client_id.map(|client_id| format!("{act}\0{client_id}"));
        let id = self.of_message(user, room, client_id.as_deref()).await?;
        Ok(format!("{id}.e"))
    }

    /// Returns the id of this database.
    async fn installation(&self) -> Result<&str> {
        self.installation.get_or_try_init(|| self.notifications.installation()).await.map(String::as_str)
    }
}
