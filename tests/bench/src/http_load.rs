//! `http`: load on each endpoint, and in the same run on the bare homeserver and the bare database.
mod fixtures;
mod goals;

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::load::Load;
use crate::options::{self, Common, Http};
use crate::outcome::Outcome;
use crate::pgbench::{self, Pgbench};
use crate::report::Report;
use crate::request::{Caller, Endpoint};
use fixtures::Fixtures;

/// The contents of `loads.toml`.
#[derive(Debug, Deserialize)]
pub(crate) struct Loads {
    without_homeserver: Vec<Endpoint>,
    with_homeserver: Vec<Endpoint>,
    pub(crate) growth: Vec<Endpoint>,
    pub(crate) admin: Vec<Endpoint>,
    setup: Vec<Endpoint>,
}

struct Subject {
    name: String,
    kind: Kind,
    /// One outcome for each number of clients, over all rounds.
    outcomes: Vec<Outcome>,
}

enum Kind {
    Http(Load),
    Pgbench(Pgbench),
}

impl Loads {
    pub(crate) fn parse() -> Result<Self> {
        Ok(toml::from_str(include_str!("../loads.toml"))?)
    }

    fn find(&self, name: &str) -> Option<&Endpoint> {
        let all = [&self.without_homeserver, &self.with_homeserver, &self.setup];
        all.into_iter().flatten().find(|endpoint| endpoint.name == name)
    }
}

impl Http {
    fn selects(&self, name: &str) -> bool {
        let contains = |parts: &[String]| parts.iter().any(|part| name.contains(part.as_str()));
        (self.only.is_empty() || contains(&self.only)) && !contains(&self.without)
    }

    /// Returns `true` if the load is selected and this deployment has what it needs.
    fn includes(&self, endpoint: &Endpoint) -> bool {
        let needs_own_stack =
            matches!(endpoint.caller, Caller::Member(_) | Caller::Homeserver | Caller::Bot | Caller::Device);
        let needs_room = endpoint.uses("room") || endpoint.uses("partner");
        let is_impossible =
            self.deployment.is_external() && (needs_own_stack || needs_room && self.no_homeserver);
        let only_with = endpoint.only_with.as_ref().is_none_or(|name| self.selects(name));
        !is_impossible && only_with && self.selects(&endpoint.name)
    }
}

pub(crate) async fn run(options: &Http, common: &Common, report: &mut Report) -> Result<()> {
    let loads = Loads::parse()?;
    let (mut subjects, mut stacks) = (Vec::new(), Vec::new());
    for (homeserver, endpoints) in [(false, &loads.without_homeserver), (true, &loads.with_homeserver)] {
        let endpoints: Vec<_> = endpoints.iter().filter(|endpoint| options.includes(endpoint)).collect();
        let pgbench = !homeserver && !options.deployment.is_external() && options.selects(pgbench::NAME);
        if endpoints.is_empty() && !pgbench || homeserver && options.no_homeserver {
            continue;
        }
        let (system, stack) = options.deployment.start(common, homeserver).await?;
        if let Some(homeserver) = stack.as_ref().and_then(|stack| stack.homeserver.as_ref()) {
            report.note(format!("homeserver: {}", homeserver.name()));
        }
        let mut fixtures = Fixtures::new(&loads, &system, stack.as_ref(), options).await?;
        for endpoint in endpoints {
            let load = fixtures.prepare(endpoint).await?;
            subjects.push(Subject::new(&endpoint.name, Kind::Http(load)));
        }
        if let Some(stack) = stack.as_ref().filter(|_| pgbench) {
            subjects.push(Subject::new(pgbench::NAME, Kind::Pgbench(Pgbench::new(stack).await?)));
        }
        stacks.push(stack);
    }
    ensure!(!subjects.is_empty(), "no load has such a name");
    measure(options, &mut subjects).await?;
    for subject in &subjects {
        subject.report(&options.clients, report);
    }
    goals::check(&subjects, &options.clients, report);
    Ok(())
}

async fn measure(options: &Http, subjects: &mut [Subject]) -> Result<()> {
    let time = options::seconds(options.seconds);
    for round in 1..=options.rounds {
        for (number, clients) in options.clients.iter().enumerate() {
            for Subject { name, kind, outcomes } in &mut *subjects {
                eprintln!("round {round}: {name}, {clients} clients");
                let outcome = match kind {
                    Kind::Http(load) => load.run(*clients, time).await?,
                    Kind::Pgbench(pgbench) => pgbench.run(*clients, time).await?,
                };
                outcomes.resize(outcomes.len().max(number + 1), Outcome::default());
                outcomes[number].add(&outcome);
            }
        }
    }
    Ok(())
}

impl Subject {
    fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), kind, outcomes: Vec::new() }
    }

    fn report(&self, clients: &[usize], report: &mut Report) {
        for (outcome, clients) in self.outcomes.iter().zip(clients) {
            report.push(outcome.row(format!("{}, {clients}", self.name)));
            if let Some(error) = &outcome.first_error {
                let (name, errors) = (&self.name, outcome.errors);
                report.refuse(format!("{name}, {clients} clients: {errors} errors: {error}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declared_loads_refer_to_each_other_by_name() {
        let loads = Loads::parse().unwrap();
        for endpoint in loads.without_homeserver.iter().chain(&loads.with_homeserver) {
            let prepare = endpoint.prepare.iter().map(|(name, _)| name);
            for name in prepare.chain(&endpoint.only_with) {
                assert!(loads.find(name).is_some(), "{}: {name}", endpoint.name);
            }
        }
    }
}
