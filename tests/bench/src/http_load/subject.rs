//! What is loaded, and what came of it.
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Result;

use super::endpoint::{Callers, Endpoint};
use crate::inserts::Inserts;
use crate::load::{Load, Outcome};

enum Kind {
    Http(Load),
    Inserts(Inserts),
    /// Each call after an insert.
    Both(Inserts, Load),
}

pub(crate) struct Subject {
    pub(crate) name: String,
    kind: Kind,
    next: Arc<AtomicU64>,
    /// One for each number of clients.
    pub(crate) outcomes: Vec<Outcome>,
}

/// The loads to run: all, or those whose name contains one of `only` and none of `without`.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) only: Vec<String>,
    pub(crate) without: Vec<String>,
}

impl Wanted {
    pub(crate) fn is(&self, name: &str) -> bool {
        let contains = |parts: &[String]| parts.iter().any(|part| name.contains(part.as_str()));
        (self.only.is_empty() || contains(&self.only)) && !contains(&self.without)
    }

    pub(crate) fn any(&self, endpoints: &[Endpoint]) -> bool {
        endpoints.iter().any(|endpoint| self.is(endpoint.name))
    }

    /// Those of a table that are wanted.
    pub(crate) fn of(&self, endpoints: &[Endpoint], callers: &Callers) -> Vec<Subject> {
        let wanted = endpoints.iter().filter(|endpoint| self.is(endpoint.name));
        wanted.map(|endpoint| Subject::http(endpoint.name, callers.load(endpoint))).collect()
    }
}

impl Subject {
    pub(crate) fn http(name: impl Into<String>, load: Load) -> Self {
        Self::new(name.into(), Kind::Http(load))
    }

    pub(crate) fn inserts(inserts: Inserts) -> Self {
        Self::new(inserts.name().to_owned(), Kind::Inserts(inserts))
    }

    pub(crate) fn both(name: &str, inserts: Inserts, load: Load) -> Self {
        Self::new(name.to_owned(), Kind::Both(inserts, load))
    }

    fn new(name: String, kind: Kind) -> Self {
        Self { name, kind, next: Arc::default(), outcomes: Vec::new() }
    }

    /// Runs it with so many clients, which is the numbered of the numbers of clients.
    pub(crate) async fn run(&mut self, number: usize, clients: usize, time: Duration) -> Result<()> {
        let outcome = match &self.kind {
            Kind::Http(load) => load.run(clients, time, &self.next).await?,
            Kind::Inserts(inserts) => inserts.run(clients, time).await?,
            Kind::Both(inserts, load) => inserts.before(load, clients, time, &self.next).await?,
        };
        if self.outcomes.len() <= number {
            self.outcomes.resize(number + 1, Outcome::default());
        }
        self.outcomes[number].add(&outcome);
        Ok(())
    }
}
