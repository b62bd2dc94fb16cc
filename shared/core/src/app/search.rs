//! Search in the messages of a user's rooms.

use std::sync::Arc;

use crate::{
    app::user_directory::UserDirectory,
    domain::{
        error::{Error, Result},
        search::{FoundMessages, MessageQuery, SearchResult},
        user::Caller,
    },
    port::{self, Ports},
};

/// The engine that searches messages.
pub struct Search {
    texts: Arc<dyn port::MessageSearch>,
    directory: Arc<UserDirectory>,
}

impl Search {
    pub(crate) fn new(ports: &Ports, directory: &Arc<UserDirectory>) -> Self {
        Self { texts: ports.message_search.clone(), directory: directory.clone() }
    }

    /// Returns a page of the messages that the caller may read and that match, the last to arrive first.
    ///
    /// # Errors
    /// `not_found` if the query names a room of which the caller is no member.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn page(&self, caller: &Caller, query: &MessageQuery) -> Result<FoundMessages<SearchResult>> {
        let found = self.texts.search(caller.user.tenant(), caller.user.id(), query).await?;
        let FoundMessages { messages, next_before } = found.ok_or(Error::NotFound("room"))?;
        let names = self.directory.names(messages.iter().map(|message| &message.sender)).await?;
        let results = messages.into_iter().map(|message| SearchResult {
            sender_display_name: names.get(&message.sender).cloned().unwrap_or_default(),
            excerpt: query.terms.excerpt(&message.text),
            message,
        });
        Ok(FoundMessages { messages: results.collect(), next_before })
    }
}
