//! Hands ephemeral events to open streams, beside the log.

use std::{collections::HashMap, future};

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::time::{Duration, Instant};

use crate::{
    domain::{ephemeral::EphemeralEvent, event::Audience},
    live::broker::Broker,
};

/// The time for which an ephemeral event that equals the last one of its audience counts as its duplicate.
///
/// A homeserver may send the same event by push and by `/sync`. Later than this, the event is handed out
/// again, for streams that missed its end.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(10);

/// The last ephemeral event of each audience, while a duplicate may arrive.
#[derive(Default)]
struct RecentEvents(HashMap<Audience, (Bytes, Instant)>);

impl Broker {
    /// Hands out ephemeral events until the future is dropped.
    pub(super) async fn hand_out_ephemeral(&self) {
        let mut events = self.ephemeral_bus.listen();
        let mut recent = RecentEvents::default();
        while let Some(ephemeral) = events.next().await {
            if let Some(frame) = recent.frame_unless_duplicate(&ephemeral) {
                self.offer(ephemeral.audience(), &frame);
            }
        }
        future::pending::<()>().await;
    }

    /// Offers a frame to all streams of an audience. A stream whose send buffer is filling up does not get
    /// it.
    fn offer(&self, audience: &Audience, frame: &Bytes) {
        let state = self.state();
        for id in state.subscribers.get(audience).into_iter().flatten() {
            if let Some(connection) = state.connections.get(id) {
                connection.send_buffer.offer(frame.clone());
            }
        }
    }
}

impl RecentEvents {
    /// Returns the frame of an event, encoded once for all streams, or `None` if the event is a duplicate.
    fn frame_unless_duplicate(&mut self, ephemeral: &EphemeralEvent) -> Option<Bytes> {
        let (frame, now) = (ephemeral.sse(), Instant::now());
        self.0.retain(|_, (_, at)| now - *at < DUPLICATE_WINDOW);
        let previous = self.0.insert(ephemeral.audience().clone(), (frame.clone(), now));
        previous.is_none_or(|(last, _)| last != frame).then_some(frame)
    }
}
