//! `http`: load on each endpoint, and in the same run on the homeserver and on the database without us.
mod alone;
mod appservice;
mod endpoint;
mod goals;
mod messages;
mod notifications;
mod people;
mod rooms;
mod subject;
mod with_homeserver;

use anyhow::{Result, ensure};

use crate::options::{self, Http};
use crate::report::Report;
use crate::service::Door;
use crate::stack::Stack;
use subject::{Subject, Wanted};

const SEND: &str = "notifications/send";
const SEND_DURABLE: &str = "notifications/send?wait=0";
const BARE: &str = "homeserver alone, PUT /send";
/// The least that it costs to store something before it is said.
const FLOOR: &str = "without us, insert and PUT /send";
/// The same as [`BARE`], in the state in which a burst of notifications leaves the homeserver.
const BARE_AFTER: &str = "homeserver alone after notifications, PUT /send";
const BARE_HISTORY: &str = "homeserver alone, GET /messages";

/// A service, and the loads on it.
struct Side {
    door: Door,
    /// `None`: it was there before.
    stack: Option<Stack>,
    subjects: Vec<Subject>,
}

pub(crate) async fn run(options: &Http, report: &mut Report) -> Result<()> {
    let wanted = Wanted { only: options.only.clone(), without: options.without.clone() };
    let alone = alone::side(options, &wanted).await?;
    let with_homeserver = with_homeserver::side(options, &wanted, report).await?;
    let mut sides: Vec<Side> = [alone, with_homeserver].into_iter().flatten().collect();
    let loads: usize = sides.iter().map(|side| side.subjects.len()).sum();
    ensure!(loads > 0, "no load has such a name");
    measure(options, &mut sides).await?;
    let subjects: Vec<Subject> = sides.iter_mut().flat_map(|side| side.subjects.drain(..)).collect();
    tell(&subjects, &options.clients, report);
    goals::check(&subjects, &options.clients, report);
    Ok(())
}

async fn measure(options: &Http, sides: &mut [Side]) -> Result<()> {
    for round in 1..=options.rounds {
        for (number, clients) in options.clients.iter().enumerate() {
            for subject in sides.iter_mut().flat_map(|side| &mut side.subjects) {
                eprintln!("round {round}: {}, {clients} clients", subject.name);
                subject.run(number, *clients, options::seconds(options.seconds)).await?;
            }
        }
    }
    Ok(())
}

fn tell(subjects: &[Subject], clients: &[usize], report: &mut Report) {
    for subject in subjects {
        for (outcome, clients) in subject.outcomes.iter().zip(clients) {
            report.push(outcome.row(format!("{}, {clients}", subject.name)));
            if let Some(error) = &outcome.first_error {
                let (name, errors) = (&subject.name, outcome.errors);
                report.refuse(format!("{name}, {clients} clients: {errors} errors: {error}"));
            }
        }
    }
}
