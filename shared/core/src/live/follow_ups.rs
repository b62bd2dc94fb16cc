//! Queues work that a use case leaves to the sync floor. It continues after the caller was answered.

use tokio::sync::mpsc;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use crate::domain::{id::RoomId, room_event::RoomEvent};

/// Work on the timeline of a room.
#[derive(Debug)]
pub(crate) enum FollowUp {
    /// Ingest this message of our users, unless push brings it soon.
    Echo(Box<RoomEvent>),
    /// Ingest the messages that were sent while this room was created.
    Backfill(RoomId),
}

/// The sending end of the queue. Work counts as running from the moment it is added.
#[derive(Debug, Clone)]
pub(crate) struct FollowUps {
    queue: mpsc::UnboundedSender<(FollowUp, TaskTrackerToken)>,
    background: TaskTracker,
}

/// The receiving end of the queue.
pub(crate) type FollowUpQueue = mpsc::UnboundedReceiver<(FollowUp, TaskTrackerToken)>;

impl FollowUps {
    /// Creates both ends of the queue.
    pub(crate) fn new(background: &TaskTracker) -> (Self, FollowUpQueue) {
        let (queue, receiver) = mpsc::unbounded_channel();
        (Self { queue, background: background.clone() }, receiver)
    }

    /// Adds work.
    pub(crate) fn push(&self, work: FollowUp) {
        // The receiver ends with the process only. Reconciliation does the same work later.
        let _ = self.queue.send((work, self.background.token()));
    }
}
