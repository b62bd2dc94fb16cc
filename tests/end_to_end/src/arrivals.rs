//! The order in which messages arrived at the homeserver, as `/sync` returns them.
//!
//! `/messages` of Synapse sorts by depth. Of messages that were sent at the same time, one with a smaller depth
//! can arrive later: clients that read `/sync` see it later, and so do the streams. Neither message refers to
//! the other, so both orders are right.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use messenger_core::lock;
use tokio::task::JoinHandle;

use crate::Matrix;

/// The pause before another attempt.
const RETRY: Duration = Duration::from_millis(50);

/// A record of the messages of a room in the order of their arrival, which ends when it is dropped.
pub struct Arrivals {
    ids: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Arrivals {
    /// Starts to record. The homeserver may be killed meanwhile.
    pub async fn record(client: Matrix, room: &str) -> Self {
        let mut since = client.sync_token().await;
        let ids = Arc::<Mutex<Vec<String>>>::default();
        let (room, writing) = (room.to_owned(), ids.clone());
        let task = tokio::spawn(async move {
            loop {
                let Some(sync) = client.try_sync(&since).await else {
                    tokio::time::sleep(RETRY).await;
                    continue;
                };
                let events = sync["rooms"]["join"][&room]["timeline"]["events"].as_array();
                let messages = events.into_iter().flatten().filter(|event| event["type"] == "m.room.message");
                let arrived = messages.filter_map(|event| event["event_id"].as_str().map(str::to_owned));
                lock(&writing).extend(arrived);
                sync["next_batch"].as_str().expect("a sync token").clone_into(&mut since);
            }
        });
        Self { ids, task }
    }

    /// Describes how recorded events differ from the room. Returns `None` if each message is recorded once,
    /// and after all those that stand before it in the room and arrived before it.
    pub fn difference(&self, recorded: &[String], in_room: &[String]) -> Option<String> {
        let places = |ids: &[String]| -> HashMap<String, usize> {
            ids.iter().enumerate().map(|(place, id)| (id.clone(), place)).collect()
        };
        let (room, arrival) = (places(in_room), places(&lock(&self.ids)));
        let (mut one, mut other) = (recorded.to_vec(), in_room.to_vec());
        one.sort_unstable();
        other.sort_unstable();
        if one != other {
            let missing: Vec<_> = in_room.iter().filter(|id| !recorded.contains(id)).collect();
            return Some(format!("{} of {} messages, missing {missing:?}", recorded.len(), in_room.len()));
        }
        let is_before = |order: &HashMap<String, usize>, one: &String, other: &String| {
            Some(order.get(one)? < order.get(other)?)
        };
        let mut wrong = Vec::new();
        for (n, later) in recorded.iter().enumerate() {
            for earlier in &recorded[..n] {
                // A message of which `/sync` left out the arrival has its place in the room only.
                let may_be_earlier = is_before(&room, earlier, later) == Some(true)
                    || is_before(&arrival, earlier, later) == Some(true);
                if !may_be_earlier {
                    wrong.push(format!("{:?} before {:?}", room.get(earlier), room.get(later)));
                }
            }
        }
        (!wrong.is_empty()).then(|| format!("by their places in the room: {}", wrong.join(", ")))
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.task.abort();
    }
}
