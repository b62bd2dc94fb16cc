//! Contract of [`Alarms`], for random inputs and workers that are killed at any moment.

use std::{sync::Arc, time::Duration};

use messenger_core::{
    Result,
    alarm::{
        AckRule, Action, AlarmKey, Expected, Input, InputSource, JournalCause, JournalQuery, State, Trigger,
    },
    id::{AlarmInputId, NotificationId},
    notification::{Draft, Priority},
    port::Alarms,
};
use rand::{
    Rng, SeedableRng as _,
    rngs::StdRng,
    seq::{IndexedMutRandom as _, IndexedRandom as _},
};
use tokio::task::JoinHandle;

use super::{AlarmStore, alarms::process};
use crate::fixtures::{TENANT, draft};

/// The number of random histories.
const HISTORIES: u64 = 12;
/// The seeds of histories that failed once.
const FAILED: [u64; 0] = [];
/// The number of workers that step the same alarm.
const WORKERS: usize = 3;

/// A naive fold over the inputs of an alarm that has to be acknowledged, all within some minutes.
#[derive(Debug, Default)]
struct Fold {
    state: Option<State>,
    occurrences: i64,
    priority: Option<Priority>,
    /// The state after each input.
    states: Vec<State>,
}

impl Fold {
    fn state(&self) -> State {
        self.state.unwrap_or(State::Normal)
    }

    fn add(&mut self, action: &Action) {
        let state = match (action, self.state()) {
            (Action::Trigger(trigger), before) => {
                let priority = trigger.draft.priority;
                let is_raised = self.priority.is_none_or(|highest| priority > highest);
                self.priority = self.priority.max(Some(priority));
                self.occurrences += 1;
                if before == State::ActiveAck && !is_raised { State::ActiveAck } else { State::ActiveUnack }
            }
            (Action::Acknowledge, State::ActiveUnack) => State::ActiveAck,
            (Action::Resolve, State::ActiveUnack) => State::RtnUnack,
            (Action::Acknowledge, State::RtnUnack)
            | (Action::Resolve, State::ActiveAck)
            | (Action::Cancel, _) => State::Normal,
            (_, before) => before,
        };
        self.state = Some(state);
        self.states.push(state);
    }
}

/// Inputs are applied once and in their order, whatever workers step the alarm and whenever they are killed: alarm and
/// journal agree with a naive fold.
pub async fn killed_workers_agree_with_a_naive_fold(store: &dyn AlarmStore) -> Result<()> {
    let first = rand::random::<u64>();
    for seed in FAILED.into_iter().chain((0..HISTORIES).map(|n| first.wrapping_add(n))) {
        println!("seed {seed}");
        check(store, seed).await?;
    }
    Ok(())
}

async fn check(store: &dyn AlarmStore, seed: u64) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    let dedup_key = format!("fault {seed}");
    let key = AlarmKey { tenant: TENANT, source_app: "inventory".to_owned(), dedup_key };
    let mut workers: Vec<_> = (0..WORKERS).map(|_| work(store.alarms(), &key)).collect();
    let (mut fold, mut received) = (Fold::default(), 0);
    for _ in 0..random.random_range(5..40) {
        let action = random_action(&mut random);
        fold.add(&action);
        store.receive(&key, input(action)).await?;
        received += 1;
        if random.random_bool(0.5) {
            let worker = workers.choose_mut(&mut random).expect("a worker");
            worker.abort();
            *worker = work(store.alarms(), &key);
        }
        tokio::time::sleep(Duration::from_micros(random.random_range(0..3000))).await;
    }
    for worker in workers {
        worker.abort();
    }
    let loaded = process(store.alarms().as_ref(), &key).await?;
    assert_eq!(loaded.inputs, [], "nothing waits");
    let episode = loaded.alarm.episode.as_ref();
    assert_eq!(loaded.alarm.state(), fold.state());
    assert_eq!(episode.map_or(0, |episode| episode.occurrences), fold.occurrences);
    assert_eq!(episode.map(|episode| episode.draft.priority), fold.priority);
    let query = JournalQuery { before: None, limit: 1000 };
    let journal = store.alarms().journal(TENANT, loaded.alarm.id, &query).await?.expect("a journal");
    let applied: Vec<(Option<AlarmInputId>, State)> = journal
        .entries
        .iter()
        .rev()
        .filter_map(|entry| match &entry.cause {
            JournalCause::Input { id, .. } => Some((*id, entry.state)),
            JournalCause::Deadline(_) => None,
        })
        .collect();
    assert_eq!(applied.len(), received, "each input is journaled once");
    assert!(applied.is_sorted_by(|one, next| one.0 < next.0), "in the order of their receipt: {applied:?}");
    assert_eq!(applied.into_iter().map(|(_, state)| state).collect::<Vec<_>>(), fold.states);
    Ok(())
}

/// Starts a worker that steps the alarm until it is aborted.
fn work(alarms: Arc<dyn Alarms>, key: &AlarmKey) -> JoinHandle<()> {
    let key = key.clone();
    tokio::spawn(async move {
        loop {
            // A worker goes on after a failure.
            let _ = process(alarms.as_ref(), &key).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

fn random_action(random: &mut impl Rng) -> Action {
    match random.random_range(0..10) {
        0..5 => {
            let priority = *Priority::ALL.choose(random).expect("a priority");
            let ack = AckRule { is_required: true, expires_after: None };
            let draft = Draft { priority, ..draft("Öldruck") };
            Action::Trigger(Trigger { draft, ack, resolve_after: None })
        }
        5..7 => Action::Acknowledge,
        7..9 => Action::Resolve,
        _ => Action::Cancel,
    }
}

fn input(action: Action) -> Input {
    Input {
        id: None,
        received_at: jiff::Timestamp::UNIX_EPOCH,
        source: InputSource::Satellite(NotificationId(1)),
        action,
        occurred_at: None,
        expected: Expected::default(),
        comment: None,
    }
}
