//! Work that a use case leaves to the sync floor: it goes on after the caller was answered.

use tokio::sync::mpsc;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use crate::domain::{id::RoomId, room_event::RoomEvent};

/// Work on the timeline of a room.
#[derive(Debug)]
pub(crate) enum FollowUp {
    /// Ingest this message of ours, unless push brings it soon.
    Echo(Box<RoomEvent>),
    /// Ingest the messages that were sent while this room was created.
    Backfill(RoomId),
}

/// The sending end. Each task counts as running from the moment it is pushed.
#[derive(Debug, Clone)]
pub(crate) struct FollowUps {
    queue: mpsc::UnboundedSender<(FollowUp, TaskTrackerToken)>,
    background: TaskTracker,
}

/// The receiving end.
pub(crate) type FollowUpQueue = mpsc::UnboundedReceiver<(FollowUp, TaskTrackerToken)>;

impl FollowUps {
    /// Creates both ends.
    pub(crate) fn new(background: &TaskTracker) -> (Self, FollowUpQueue) {
        let (queue, receiver) = mpsc::unbounded_channel();
        (Self { queue, background: background.clone() }, receiver)
    }

    /// Adds work.
    pub(crate) fn push(&self, work: FollowUp) {
        // The receiver ends with the process only; reconciliation does the same work then.
        let _ = self.queue.send((work, self.background.token()));
    }
}
