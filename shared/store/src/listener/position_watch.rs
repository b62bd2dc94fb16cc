//! The last signal of a position, and the waiters for a later one.

use messenger_core::{id::Position, port::Relayed};
use tokio::sync::{Notify, watch};

/// The last signal of a channel with positions.
#[derive(Default)]
pub(super) struct PositionWatch<T> {
    last: watch::Sender<T>,
    /// Notified if a signal may have been missed.
    missed: Notify,
}

/// A signal of a position.
pub(super) trait Signal {
    /// Returns the position; `None` if it is not known.
    fn position(&self) -> Option<Position>;
}

impl Signal for Position {
    fn position(&self) -> Option<Position> {
        Some(*self)
    }
}

impl Signal for Option<Relayed> {
    fn position(&self) -> Option<Position> {
        self.as_ref().map(|relayed| relayed.position)
    }
}

impl<T: Signal + Clone> PositionWatch<T> {
    /// Stores a signal.
    pub(super) fn set(&self, signal: T) {
        self.last.send_replace(signal);
    }

    /// Notes that a signal may have been missed.
    pub(super) fn missed(&self) {
        self.missed.notify_one();
    }

    /// Returns the last signal.
    pub(super) fn last(&self) -> T {
        self.last.borrow().clone()
    }

    /// Waits for a signal of a position after this one, or of an unknown one.
    pub(super) async fn beyond(&self, position: Position) {
        let mut last = self.last.subscribe();
        tokio::select! {
            // Fails only if the sender is dropped, which lives as long as `self`.
            _ = last.wait_for(|last| last.position().is_some_and(|last| last > position)) => {}
            () = self.missed.notified() => {}
        }
    }
}

impl PositionWatch<Position> {
    /// Stores a position, unless a later one is known.
    pub(super) fn advance(&self, position: Position) {
        self.last.send_if_modified(|last| {
            let has_advanced = *last < position;
            *last = position.max(*last);
            has_advanced
        });
    }
}
