//! Reads the history of a room, page by page.

mod around;

use std::{collections::HashMap, fmt, sync::Arc};

use crate::{
    app::{authorization::Authorization, room_registry::RoomRegistry, user_directory::UserDirectory},
    domain::{
        error::{Error, Failure, Result},
        id::{EventId, MatrixUserId, RoomId},
        matrix_ids::MatrixIds,
        message::{History, Message, ReactionCount},
        room::{Action, Former},
        room_event::{Content, RoomEvent},
        user::Caller,
    },
    port::{self, Edit, Ports, TimelinePage},
};

/// The most events of a page that is read from the homeserver.
const PAGE: usize = 100;

/// The fewest events of such a page, so that events which are no messages do not cost a call each.
const PAGE_MIN: usize = 20;

/// The most pages of the homeserver that are read for one page of ours. That page may then be short.
const PAGES: usize = 10;

/// The most edits of a room that are read at once. In a room with more, the edits of the page are read.
const EDITS: u32 = 50;

/// The most reactions of a message that are returned, each with another key.
const REACTIONS: u32 = 20;

/// The separator of the parts of a history token. Tokens of homeservers do not contain it.
const SEPARATOR: char = '|';

/// The position at which a page ended.
#[derive(Default)]
struct HistoryPosition {
    /// The predecessor that is being read, if reading has reached one.
    former: Option<RoomId>,
    /// The homeserver's token of the next page; `None` for the end of the room.
    token: Option<String>,
    /// The last event that was returned. It may be redacted by now.
    shown: Option<EventId>,
}

impl HistoryPosition {
    /// Parses a history token. Returns the end of the room for no token, and `None` for a malformed one.
    fn parse(from: Option<&str>) -> Option<Self> {
        let Some(from) = from else { return Some(Self::default()) };
        let mut parts = from.split(SEPARATOR);
        let (token, shown, former) = (parts.next()?, parts.next()?, parts.next());
        let shown = (!shown.is_empty()).then(|| EventId::new(shown));
        let token = (!token.is_empty()).then(|| token.to_owned());
        let former = former.map(|room| RoomId::parse(room.to_owned()));
        match (&token, former) {
            (_, Some(None)) | (None, None) => None,
            (_, former) if parts.next().is_none() => Some(Self { former: former.flatten(), token, shown }),
            _ => None,
        }
    }

    /// Returns the messages of a page that were not returned before.
    ///
    /// The events that were returned may reach into a later page: Conduit's token for the end of a room stays
    /// the same when messages are added.
    fn new_messages(&mut self, page: TimelinePage) -> impl Iterator<Item = RoomEvent> {
        let index = self.shown.as_ref().map(|shown| page.ids.iter().position(|id| id == shown));
        let passed = match index {
            None => 0,
            Some(None) => page.ids.len(),
            Some(Some(index)) => {
                self.shown = None;
                index + 1
            }
        };
        let is_message = |event: &RoomEvent| matches!(event.content, Content::Message(_));
        let events = page.events.into_iter().filter(is_message);
        events.skip_while(move |event| page.ids[..passed].contains(&event.event_id))
    }
}

impl fmt::Display for HistoryPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown.as_ref().map(EventId::as_str).unwrap_or_default();
        write!(f, "{}{SEPARATOR}{shown}", self.token.as_deref().unwrap_or_default())?;
        self.former.as_ref().map_or(Ok(()), |room| write!(f, "{SEPARATOR}{room}"))
    }
}

/// A room from which pages are read.
struct Source {
    room: RoomId,
    /// The user who reads, if the room's history visibility hides events from them. Otherwise the bot reads.
    reader: Option<MatrixUserId>,
    /// The room that it replaced.
    predecessor: Option<RoomId>,
}

/// The engine that reads the history of rooms.
pub struct HistoryReader {
    timeline: Arc<dyn port::Timeline>,
    messages: Arc<dyn port::Messages>,
    rooms: Arc<dyn port::Rooms>,
    room_views: Arc<dyn port::RoomViews>,
    registry: Arc<RoomRegistry>,
    authorization: Arc<Authorization>,
    directory: Arc<UserDirectory>,
    ids: Arc<MatrixIds>,
}

impl HistoryReader {
    pub(crate) fn new(
        ports: &Ports,
        registry: &Arc<RoomRegistry>,
        authorization: &Arc<Authorization>,
        directory: &Arc<UserDirectory>,
        ids: &Arc<MatrixIds>,
    ) -> Self {
        Self {
            timeline: ports.timeline.clone(),
            messages: ports.messages.clone(),
            rooms: ports.rooms.clone(),
            room_views: ports.room_views.clone(),
            registry: registry.clone(),
            authorization: authorization.clone(),
            directory: directory.clone(),
            ids: ids.clone(),
        }
    }

    /// Returns a page of a room's messages, newest first, with edits applied and without redacted messages.
    ///
    /// The messages of the room that it replaced follow its own. `from` is the `end_token` of the page
    /// before. Pages join without gap or repetition, also when messages are sent or redacted in between. A
    /// page is short where many events are no messages.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room))]
    pub async fn page(
        &self,
        caller: &Caller,
        room: &RoomId,
        from: Option<&str>,
        limit: usize,
    ) -> Result<History> {
        if self.registry.tenant_of(room).await? != Some(caller.user.tenant()) {
            return Err(Error::NotFound("room"));
        }
        let mut position = HistoryPosition::parse(from);
        // One more than is returned, to know whether there are more. Most events of a room are messages.
        let wanted = (limit + 1).clamp(PAGE_MIN, PAGE);
        let token = position.as_ref().filter(|position| position.former.is_none());
        let token = token.and_then(|position| position.token.as_deref());
        // The first page is read meanwhile: nearly every caller is a member and may read everything.
        let access = async {
            let source = self.source(caller, room).await?;
            Ok::<_, Error>((source, self.messages.edits_in(room, EDITS).await?))
        };
        let (access, first) = tokio::join!(access, self.page_before(room, None, token, wanted));
        let (mut source, mut edits) = access?;
        let mut position = position.take().ok_or_else(unknown_position)?;
        if let Some(former) = position.former.clone() {
            source = self.former_source(caller, &source, former).await?;
        }
        let mut first = (position.former.is_none() && source.reader.is_none()).then_some(first);
        let mut messages: Vec<RoomEvent> = Vec::new();
        let mut last = None;
        for _ in 0..PAGES {
            let page = match first.take() {
                Some(page) => page,
                None => self.page_of(&source, position.token.as_deref(), PAGE).await,
            };
            if position.former.is_some() {
                edits = None;
            }
            let page = match page {
                // The homeserver refuses the predecessor's history to users who were not its members.
                Err(error) if error.refusal().is_some() && position.former.is_some() => {
                    return self.edited_page(caller, messages, edits, None).await;
                }
                Err(error) => return Err(self.explain(caller, room, error).await),
                Ok(page) => page,
            };
            let (start, end, former) = (page.start.clone(), page.end.clone(), position.former.clone());
            for event in position.new_messages(page) {
                if messages.len() == limit {
                    return self.edited_page(caller, messages, edits, last).await;
                }
                let (token, shown) = (Some(start.clone()), Some(event.event_id.clone()));
                last = Some(HistoryPosition { former: former.clone(), token, shown });
                messages.push(event);
            }
            match end {
                Some(end) if position.token.as_ref() != Some(&end) => position.token = Some(end),
                // The token names no event of this room.
                _ if position.shown.is_some() => return Err(unknown_position()),
                _ => match source.predecessor.clone() {
                    Some(former) => {
                        source = self.former_source(caller, &source, former.clone()).await?;
                        position = HistoryPosition { former: Some(former), ..HistoryPosition::default() };
                    }
                    None => return self.edited_page(caller, messages, edits, None).await,
                },
            }
        }
        self.edited_page(caller, messages, edits, Some(position)).await
    }

    /// Returns the reason why a page could not be read, for the caller.
    async fn explain(&self, caller: &Caller, room: &RoomId, error: Error) -> Error {
        if error.failure() == Some(Failure::UnknownToken) {
            return unknown_position();
        }
        self.authorization.explain(caller, room, &caller.user, Action::Other, error).await
    }

    /// Returns the source of a room of which the caller is a member, or of a predecessor of such a room.
    async fn source(&self, caller: &Caller, room: &RoomId) -> Result<Source> {
        let (tenant, user) = (caller.user.tenant(), &caller.user);
        let Some(access) = self.room_views.member_access(tenant, user.id(), room).await? else {
            let former = self.authorization.former_of(caller, room).await?.ok_or(Error::NotFound("room"))?;
            return self.replaced_source(caller, room.clone(), former).await;
        };
        let reader = access.marks.is_history_restricted.then(|| self.ids.of(user));
        Ok(Source { room: room.clone(), reader, predecessor: access.predecessor })
    }

    /// Returns the source of a predecessor. Checks that both rooms have the same current room, since the
    /// client names it.
    async fn former_source(&self, caller: &Caller, successor: &Source, former: RoomId) -> Result<Source> {
        let current = match self.rooms.former(&successor.room).await? {
            Some(replaced) => replaced.current,
            None => successor.room.clone(),
        };
        let known = self.rooms.former(&former).await?.filter(|known| known.current == current);
        let known = known.ok_or_else(unknown_position)?;
        self.replaced_source(caller, former, known).await
    }

    /// Returns the source of a replaced room.
    async fn replaced_source(&self, caller: &Caller, room: RoomId, former: Former) -> Result<Source> {
        let reader = former.is_history_restricted.then(|| self.ids.of(&caller.user));
        let predecessor = self.rooms.predecessor(&room).await?;
        Ok(Source { room, reader, predecessor })
    }

    async fn page_of(&self, source: &Source, token: Option<&str>, wanted: usize) -> Result<TimelinePage> {
        self.page_before(&source.room, source.reader.as_ref(), token, wanted).await
    }

    async fn page_before(
        &self,
        room: &RoomId,
        reader: Option<&MatrixUserId>,
        token: Option<&str>,
        wanted: usize,
    ) -> Result<TimelinePage> {
        self.timeline.before(room, token, u32::try_from(wanted).unwrap_or(1), reader).await
    }

    /// Returns a page with edits, display names and reactions applied. `edits` are those of the room, if they
    /// are few.
    async fn edited_page(
        &self,
        caller: &Caller,
        events: Vec<RoomEvent>,
        edits: Option<Vec<Edit>>,
        end: Option<HistoryPosition>,
    ) -> Result<History> {
        let edits = if let Some(edits) = edits {
            edits
        } else {
            let ids: Vec<_> = events.iter().map(|event| event.event_id.clone()).collect();
            self.messages.edits(&ids).await?
        };
        let names = self.directory.names(events.iter().map(|event| &event.sender)).await?;
        let bot = self.ids.bot();
        let mut edits: HashMap<_, _> =
            edits.into_iter().map(|edit| ((edit.of, edit.by), edit.content)).collect();
        let events: Vec<_> = events
            .into_iter()
            .map(|mut event| {
                // Ingested edits come first; those of the homeserver are for messages from before the room
                // was ingested.
                let ingested = edits.remove(&(event.event_id.clone(), event.sender.clone()));
                let edited = ingested.or_else(|| event.edited.take());
                (edited.is_some(), event.with_edit(edited))
            })
            .collect();
        let mut reactions = self.reactions(caller, events.iter().map(|(_, event)| event)).await?;
        let people = self
            .directory
            .people(
                events.iter().filter_map(|(_, event)| event.mentions()).flat_map(|mentions| &mentions.users),
            )
            .await?;
        let messages = events.into_iter().filter_map(|(is_edited, event)| {
            let name = names.get(&event.sender).cloned().unwrap_or_default();
            let is_from_bot = event.sender == bot;
            let notification = event.notification.filter(|_| is_from_bot);
            let alarm = event.alarm.filter(|_| is_from_bot);
            let mentions = people.mentioned(caller.user.tenant(), event.mentions()?);
            let reactions = reactions.remove(&event.event_id).unwrap_or_default();
            Some(Message { notification, alarm, is_edited, reactions, ..event.message(name, mentions)? })
        });
        let end_token = end.map(|position| position.to_string());
        let has_more = end_token.is_some();
        Ok(History { messages: messages.collect(), end_token, start_token: None, has_more })
    }

    /// Returns the reactions to these messages.
    async fn reactions(
        &self,
        caller: &Caller,
        events: impl Iterator<Item = &RoomEvent>,
    ) -> Result<HashMap<EventId, Vec<ReactionCount>>> {
        let ids: Vec<_> = events.map(|event| (event.room_id.clone(), event.event_id.clone())).collect();
        let mut reactions: HashMap<_, Vec<_>> = HashMap::new();
        for (event, reaction) in self.messages.reactions(&ids, &self.ids.of(&caller.user), REACTIONS).await? {
            reactions.entry(event).or_default().push(reaction);
        }
        Ok(reactions)
    }
}

fn unknown_position() -> Error {
    Error::invalid("?from_token", "must be the end_token of another page")
}
