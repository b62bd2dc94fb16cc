//! Typing notifications of the homeserver, published to the members of their room.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::{
    app::{room_registry::RoomRegistry, user_directory::UserDirectory},
    domain::{
        ephemeral::EphemeralEvent,
        error::Result,
        event::{
            Audience,
            payload::{self, Typist},
        },
        id::{MatrixUserId, RoomId, TenantId},
        matrix_ids::MatrixIds,
        message::People,
        typing::{TYPING_FADES, Typing},
    },
    port::{self, Ports},
};

/// Most typing users of one ephemeral event.
const TYPISTS_MAX: usize = 20;

/// Time limit of publishing: typing updates that take longer are dropped.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The engine that publishes typing notifications.
pub struct TypingUpdates {
    ephemeral_bus: Arc<dyn port::EphemeralBus>,
    registry: Arc<RoomRegistry>,
    directory: Arc<UserDirectory>,
    ids: Arc<MatrixIds>,
}

impl TypingUpdates {
    pub(crate) fn new(
        ports: &Ports,
        registry: &Arc<RoomRegistry>,
        directory: &Arc<UserDirectory>,
        ids: &Arc<MatrixIds>,
    ) -> Self {
        Self {
            ephemeral_bus: ports.ephemeral_bus.clone(),
            registry: registry.clone(),
            directory: directory.clone(),
            ids: ids.clone(),
        }
    }

    /// Publishes the last typing notification of each room to its members. Drops those of unknown rooms, and
    /// those that cannot be published.
    #[tracing::instrument(level = "debug", skip_all, fields(rooms = typing.len()))]
    pub async fn publish(&self, typing: Vec<Typing>) {
        if typing.is_empty() {
            return;
        }
        match timeout(PUBLISH_TIMEOUT, self.publish_all(typing)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "typing updates cannot be published"
                );
            }
            Err(_) => tracing::debug!("typing updates took too long; dropped"),
        }
    }

    async fn publish_all(&self, typing: Vec<Typing>) -> Result<()> {
        let bot = self.ids.bot();
        let mut rooms = BTreeMap::new();
        for Typing { room, mut users } in typing {
            // Homeservers list the users in any order; the same users must give the same list.
            users.sort_unstable();
            users.dedup();
            users.retain(|user| *user != bot);
            users.truncate(TYPISTS_MAX);
            rooms.insert(room, users);
        }
        let mut known = Vec::with_capacity(rooms.len());
        for (room, users) in rooms {
            if let Some(tenant) = self.registry.tenant_of(&room).await? {
                known.push((tenant, room, users));
            }
        }
        let people = self.directory.people(known.iter().flat_map(|(_, _, users)| users)).await?;
        let events =
            known.into_iter().map(|(tenant, room, users)| typing_event(tenant, &room, users, &people));
        let events = events.collect::<Result<Vec<_>>>()?;
        if events.is_empty() { Ok(()) } else { self.ephemeral_bus.publish(&events).await }
    }
}

/// Returns the ephemeral event of a room, with as many typing users as fit into it.
fn typing_event(
    tenant: TenantId,
    room: &RoomId,
    users: Vec<MatrixUserId>,
    people: &People,
) -> Result<EphemeralEvent> {
    let mut typists: Vec<_> = users
        .into_iter()
        .map(|user| Typist {
            hub_user_id: people
                .get(&user)
                .filter(|known| known.tenant() == tenant)
                .map(|known| known.id().clone()),
            display_name: people.name(&user),
            matrix_user_id: user,
        })
        .collect();
    loop {
        let typing_event =
            payload::Typing { room_id: room, users: &typists, timeout_ms: TYPING_FADES.as_millis() };
        match EphemeralEvent::new(Audience::Room(tenant, room.clone()), &typing_event) {
            Err(_) if typists.pop().is_some() => {}
            result => return result,
        }
    }
}
