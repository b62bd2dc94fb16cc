//! The readiness of a process: the parts that it consists of or needs, and since when one of them fails.
//!
//! A required part that fails makes the process not ready. The others are only reported: without the
//! homeserver the service accepts notifications and serves streams as ever, and another copy would do no
//! better.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use messenger_core::{Error, Result, lock, time::Rfc3339};
use serde_json::{Map, Value, json};

/// The state of a process that its probes report.
#[derive(Default)]
pub(crate) struct Readiness {
    is_set_up: AtomicBool,
    /// The time of the first check of each part that has failed since.
    failing_since: Mutex<BTreeMap<&'static str, Timestamp>>,
}

/// A part of a process, as a check found it.
pub(crate) struct Part {
    name: &'static str,
    is_required: bool,
    result: Result<()>,
    facts: Map<String, Value>,
}

/// The result of one check of a process.
pub(crate) struct Report {
    /// The parts as JSON.
    pub(crate) parts: Value,
    /// The error of the first required part that fails.
    pub(crate) failure: Option<Error>,
    /// Whether an earlier check has found all required parts failing that fail now.
    pub(crate) is_known: bool,
}

impl Readiness {
    /// Notes that the worker has migrated the database and begins its work.
    pub(crate) fn set_up(&self) {
        self.is_set_up.store(true, Ordering::Relaxed);
    }

    /// Returns whether the worker has migrated the database.
    pub(crate) fn is_set_up(&self) -> bool {
        self.is_set_up.load(Ordering::Relaxed)
    }

    /// Reports the result of a check at this time.
    pub(crate) fn report(&self, parts: Vec<Part>, now: Timestamp) -> Report {
        let is_known = parts.iter().all(|part| self.is_known(part));
        let described = parts.iter().map(|part| self.describe(part, now)).collect();
        let failure = parts.into_iter().filter(|part| part.is_required).find_map(|part| part.result.err());
        Report { parts: described, failure, is_known }
    }

    /// Returns whether the failure of a part was found before, or is no failure of the process.
    fn is_known(&self, part: &Part) -> bool {
        part.result.is_ok() || !part.is_required || lock(&self.failing_since).contains_key(part.name)
    }

    /// Returns the JSON form of a part. Notes when it began to fail.
    fn describe(&self, part: &Part, now: Timestamp) -> Value {
        let mut failing = lock(&self.failing_since);
        let mut described = Map::from_iter([
            ("part".to_owned(), json!(part.name)),
            ("ready".to_owned(), json!(part.result.is_ok())),
            ("required".to_owned(), json!(part.is_required)),
        ]);
        match &part.result {
            Ok(()) => drop(failing.remove(part.name)),
            Err(error) => {
                let since = failing.entry(part.name).or_insert(now);
                described.insert("since".to_owned(), json!(Rfc3339(*since).to_string()));
                described.insert("detail".to_owned(), json!(error.to_string()));
            }
        }
        described.extend(part.facts.clone());
        described.into()
    }
}

impl Part {
    /// Returns a part without which the process is not ready.
    pub(crate) fn required(name: &'static str, result: Result<()>) -> Self {
        Self { name, is_required: true, result, facts: Map::new() }
    }

    /// Returns a part that is only reported.
    pub(crate) fn reported(name: &'static str, result: Result<()>) -> Self {
        Self { name, is_required: false, result, facts: Map::new() }
    }

    /// Adds a fact to the JSON form.
    pub(crate) fn with(mut self, name: &str, fact: Value) -> Self {
        self.facts.insert(name.to_owned(), fact);
        self
    }
}
