//! History of a room, page by page.

use std::{collections::HashMap, fmt, sync::Arc};

use crate::{
    app::{authorization::Authorization, room_registry::RoomRegistry, user_directory::UserDirectory},
    domain::{
        error::{Error, Failure, Result},
        id::{EventId, MatrixUserId, RoomId},
        matrix_ids::MatrixIds,
        message::History,
        room::{Action, Former},
        room_event::{Content, RoomEvent},
        user::Caller,
    },
    port::{self, Edit, Ports, TimelinePage},
};

/// Most events of a page that is read from the homeserver.
const PAGE: usize = 100;

/// Fewest: what is no message, as a change of members, must not cost a call for each.
const PAGE_MIN: usize = 20;

/// Most pages that are read from the homeserver for one of ours, which may then be short.
const PAGES: usize = 10;

/// So many edits of a room are looked up while its page is read; of a room with more, those of the page are.
const EDITS: u32 = 50;

/// Stands between the parts of a history token; homeservers' tokens have none of it.
const BETWEEN: char = '|';

/// Where a page ended.
#[derive(Default)]
struct HistoryPosition {
    /// The room that the asked one replaced, if it is being read already.
    former: Option<RoomId>,
    /// The homeserver's token of the page that is to be read; the end of the room without one.
    token: Option<String>,
    /// What stands before this event, and the event itself, was shown. It may be redacted by now.
    shown: Option<EventId>,
}

impl HistoryPosition {
    fn parse(from: Option<&str>) -> Option<Self> {
        let Some(from) = from else { return Some(Self::default()) };
        let mut parts = from.split(BETWEEN);
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

    /// The messages of a page that were not shown. What was shown may end on a later page: Conduit calls the end of a
    /// room by the same token, whatever is said meanwhile.
    fn messages(&mut self, page: TimelinePage) -> impl Iterator<Item = RoomEvent> {
        let place = self.shown.as_ref().map(|shown| page.ids.iter().position(|id| id == shown));
        let passed = match place {
            None => 0,
            Some(None) => page.ids.len(),
            Some(Some(at)) => {
                self.shown = None;
                at + 1
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
        write!(f, "{}{BETWEEN}{shown}", self.token.as_deref().unwrap_or_default())?;
        self.former.as_ref().map_or(Ok(()), |room| write!(f, "{BETWEEN}{room}"))
    }
}

/// The room from which pages are read.
struct Source {
    room: RoomId,
    /// The user as whom it is read, if its history visibility keeps something from them; else the bot reads.
    reader: Option<MatrixUserId>,
    /// The room that it replaced directly.
    predecessor: Option<RoomId>,
}

/// Reads the history of rooms.
pub struct HistoryReader {
    timeline: Arc<dyn port::Timeline>,
    messages: Arc<dyn port::Messages>,
    room_records: Arc<dyn port::RoomRecords>,
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
            room_records: ports.room_records.clone(),
            registry: registry.clone(),
            authorization: authorization.clone(),
            directory: directory.clone(),
            ids: ids.clone(),
        }
    }

    /// A page of a room's messages, newest first, with edits applied and without what was redacted. Behind the beginning
    /// of a room stands what was said in the room that it replaced.
    ///
    /// `from` is the `end_token` of the page before. Pages join without hole or repeat, whatever is said or redacted
    /// meanwhile. A page is short where many events that are no messages lie between.
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
        let mut place = HistoryPosition::parse(from);
        // One more than is shown says whether there are more; mostly a room holds nothing but messages.
        let wanted = (limit + 1).clamp(PAGE_MIN, PAGE);
        let token = place.as_ref().filter(|place| place.former.is_none());
        let token = token.and_then(|place| place.token.as_deref());
        // The first page is read meanwhile: nearly everybody who asks is a member, and may read everything.
        let ours = async {
            let source = self.source(caller, room).await?;
            Ok::<_, Error>((source, self.messages.edits_in(room, EDITS).await?))
        };
        let (ours, first) = tokio::join!(ours, self.page_before(room, None, token, wanted));
        let (mut source, mut edits) = ours?;
        let mut place = place.take().ok_or_else(unknown_place)?;
        if let Some(former) = place.former.clone() {
            source = self.former_source(caller, &source, former).await?;
        }
        let mut first = (place.former.is_none() && source.reader.is_none()).then_some(first);
        let mut found: Vec<RoomEvent> = Vec::new();
        let mut last = None;
        for _ in 0..PAGES {
            let page = match first.take() {
                Some(page) => page,
                None => self.page_of(&source, place.token.as_deref(), PAGE).await,
            };
            if place.former.is_some() {
                edits = None;
            }
            let page = match page {
                Err(error) if error.failure() == Some(Failure::UnknownPosition) => {
                    return Err(unknown_place());
                }
                // The homeserver shows nothing of the old room to who was not in it.
                Err(error) if error.refusal().is_some() && place.former.is_some() => {
                    return self.shown(found, edits, None).await;
                }
                Err(error) => {
                    return Err(self
                        .authorization
                        .explain(caller, room, &caller.user, Action::Other, error)
                        .await);
                }
                Ok(page) => page,
            };
            let (start, end, former) = (page.start.clone(), page.end.clone(), place.former.clone());
            for event in place.messages(page) {
                if found.len() == limit {
                    return self.shown(found, edits, last).await;
                }
                let (token, shown) = (Some(start.clone()), Some(event.event_id.clone()));
                last = Some(HistoryPosition { former: former.clone(), token, shown });
                found.push(event);
            }
            match end {
                Some(end) if place.token.as_ref() != Some(&end) => place.token = Some(end),
                // It names no event of this room.
                _ if place.shown.is_some() => return Err(unknown_place()),
                _ => match source.predecessor.clone() {
                    Some(former) => {
                        source = self.former_source(caller, &source, former.clone()).await?;
                        place = HistoryPosition { former: Some(former), ..HistoryPosition::default() };
                    }
                    None => return self.shown(found, edits, None).await,
                },
            }
        }
        self.shown(found, edits, Some(place)).await
    }

    /// How the caller reads a room: one that they are in, or that was replaced by one of these.
    async fn source(&self, caller: &Caller, room: &RoomId) -> Result<Source> {
        let (tenant, user) = (caller.user.tenant(), &caller.user);
        let Some(access) = self.room_records.access(tenant, room, user.id()).await? else {
            let former = self.authorization.former_of(caller, room).await?.ok_or(Error::NotFound("room"))?;
            return self.replaced_source(caller, room.clone(), former).await;
        };
        let reader = access.marks.is_history_restricted.then(|| self.ids.of(user));
        Ok(Source { room: room.clone(), reader, predecessor: access.predecessor })
    }

    /// The same for a room that stands behind another one, which the client's word has to be true of.
    async fn former_source(&self, caller: &Caller, of: &Source, former: RoomId) -> Result<Source> {
        let current = match self.room_records.former(&of.room).await? {
            Some(replaced) => replaced.current,
            None => of.room.clone(),
        };
        let known = self.room_records.former(&former).await?.filter(|known| known.current == current);
        let known = known.ok_or_else(unknown_place)?;
        self.replaced_source(caller, former, known).await
    }

    async fn replaced_source(&self, caller: &Caller, room: RoomId, former: Former) -> Result<Source> {
        let reader = former.is_history_restricted.then(|| self.ids.of(&caller.user));
        let predecessor = self.room_records.predecessor(&room).await?;
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

    /// `edits`: those of the room, if they are few.
    async fn shown(
        &self,
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
        let mut edits: HashMap<_, _> =
            edits.into_iter().map(|edit| ((edit.of, edit.by), edit.content)).collect();
        let messages = events.into_iter().filter_map(|mut event| {
            // What we have taken in comes first; the homeserver's word is for what was edited before we listened.
            let known = edits.remove(&(event.event_id.clone(), event.sender.clone()));
            if let Some(said) = known.or_else(|| event.edited.take()) {
                event.content = Content::Message(said);
            }
            let name = names.get(&event.sender).cloned().unwrap_or_default();
            event.message(name)
        });
        let end_token = end.map(|place| place.to_string());
        Ok(History { messages: messages.collect(), has_more: end_token.is_some(), end_token })
    }
}

fn unknown_place() -> Error {
    Error::invalid("?from_token", "must be the end_token of another page")
}
