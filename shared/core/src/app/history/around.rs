//! Reads the history around an event, and from there on to newer messages.

use crate::{
    app::history::{HistoryPosition, HistoryReader, PAGES, Source, unknown_position},
    domain::{
        error::{Error, Result},
        id::{EventId, RoomId},
        message::History,
        room_event::{Content, RoomEvent},
        user::Caller,
    },
};

/// The fewest events that are read around an event: one on each side.
const AROUND_MIN: usize = 2;

impl HistoryReader {
    /// Returns the messages around an event of a room, newest first. Some `limit` are on both sides of it.
    ///
    /// [`page`](Self::page) reads on from its `end_token`, and [`newer`](Self::newer) from its `start_token`.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room))]
    pub async fn around(
        &self,
        caller: &Caller,
        room: &RoomId,
        event: &EventId,
        limit: usize,
    ) -> Result<History> {
        let source = self.own_source(caller, room).await?;
        if !event.is_well_formed() {
            return Err(Error::NotFound("message"));
        }
        let limit = u32::try_from(limit.saturating_sub(1).max(AROUND_MIN)).unwrap_or(u32::MAX);
        let found = self.timeline.around(&source.room, event, limit, source.reader.as_ref()).await?;
        let found = found.ok_or(Error::NotFound("message"))?;
        let messages = found.events.into_iter().filter(is_message).collect();
        let end = HistoryPosition { token: Some(found.before), ..HistoryPosition::default() };
        let page = self.edited_page(caller, messages, None, Some(end)).await?;
        let start = HistoryPosition { token: Some(found.later), ..HistoryPosition::default() };
        Ok(History { start_token: Some(start.to_string()), ..page })
    }

    /// Returns the messages after the `start_token` of a page, newest first.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room))]
    pub async fn newer(&self, caller: &Caller, room: &RoomId, from: &str, limit: usize) -> Result<History> {
        let source = self.own_source(caller, room).await?;
        let position = HistoryPosition::parse(Some(from)).ok_or_else(unknown_position)?;
        let HistoryPosition { former: None, token: Some(mut token), shown: None } = position else {
            return Err(unknown_position());
        };
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let (mut messages, mut start) = (Vec::new(), None);
        // Pages without any message are skipped.
        for _ in 0..PAGES {
            let page = match self.timeline.later(&source.room, &token, limit, source.reader.as_ref()).await {
                Err(error) => return Err(self.explain(caller, room, error).await),
                Ok(page) => page,
            };
            messages = page.events.into_iter().rev().filter(is_message).collect();
            start = page.end.filter(|end| *end != token);
            match &start {
                Some(end) if messages.is_empty() => token.clone_from(end),
                _ => break,
            }
        }
        let page = self.edited_page(caller, messages, None, None).await?;
        let start_token = start
            .map(|token| HistoryPosition { token: Some(token), ..HistoryPosition::default() }.to_string());
        Ok(History { has_more: start_token.is_some(), start_token, ..page })
    }

    /// Returns the source of a room of the caller's tenant.
    async fn own_source(&self, caller: &Caller, room: &RoomId) -> Result<Source> {
        if self.registry.tenant_of(room).await? != Some(caller.user.tenant()) {
            return Err(Error::NotFound("room"));
        }
        self.source(caller, room).await
    }
}

fn is_message(event: &RoomEvent) -> bool {
    matches!(event.content, Content::Message(_))
}
