//! The signals of relays: the last position that the copy of the event log has.

use messenger_core::{id::Position, port::Relayed};
use tokio::sync::{Notify, watch};

/// The last signal, and who waits for the next one.
#[derive(Default)]
pub(super) struct RelayWatch {
    last: watch::Sender<Option<Relayed>>,
    /// Notified if a signal may have been missed.
    pub(super) unknown: Notify,
}

impl RelayWatch {
    /// Takes the payload of a signal: the id of the copy and the position.
    pub(super) fn signal(&self, payload: &str) {
        let parsed = payload.split_once(' ').and_then(|(copy, position)| {
            Some(Relayed { copy: copy.to_owned(), position: Position(position.parse().ok()?) })
        });
        match parsed {
            Some(relayed) => drop(self.last.send_replace(Some(relayed))),
            None => self.unknown.notify_one(),
        }
    }

    /// Forgets the last signal: later ones may be missed from now on.
    pub(super) fn forget(&self) {
        self.last.send_replace(None);
    }

    /// Returns the last signal.
    pub(super) fn last(&self) -> Option<Relayed> {
        self.last.borrow().clone()
    }

    /// Waits until the copy may have events beyond a position.
    pub(super) async fn beyond(&self, position: Position) {
        let mut last = self.last.subscribe();
        let is_beyond = |last: &Option<Relayed>| last.as_ref().is_some_and(|last| last.position > position);
        tokio::select! {
            // Fails only if the sender is dropped, which lives as long as `self`.
            _ = last.wait_for(is_beyond) => {}
            () = self.unknown.notified() => {}
        }
    }
}
