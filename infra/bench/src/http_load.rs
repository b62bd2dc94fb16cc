//! `http`: load on each endpoint, and in the same run on the homeserver and on the database without us.
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::chat;
use crate::homeserver::Bot;
use crate::http::{Answer, Server, once};
use crate::inserts::Inserts;
use crate::load::{Load, Outcome};
use crate::options::{self, Http};
use crate::report::Report;
use crate::service::Door;
use crate::stack::{self, Stack};
use crate::target::notification;
use crate::token;

const SEND: &str = "notifications/send";
const SEND_DURABLE: &str = "notifications/send?wait=0";
const BARE: &str = "homeserver alone, PUT /send";
const BARE_HISTORY: &str = "homeserver alone, GET /messages";
const INSERTS: &str = "single-row insert";
/// Users whom a search looks through.
const USERS: usize = 200;

/// What is loaded.
enum Kind {
    Http(Load),
    Inserts(Inserts),
}

struct Subject {
    name: String,
    kind: Kind,
    next: Arc<AtomicU64>,
    /// One for each number of clients.
    outcomes: Vec<Outcome>,
}

pub(crate) async fn run(options: &Http, report: &mut Report) -> Result<()> {
    let recorder = options::recorder(options.perf.as_ref())?;
    let (door, stack) = options.deployment.door(&options.common, false).await?;
    let whole = match &stack {
        Some(_) if !options.no_homeserver => Some(Stack::start(&options.common.programs()?, true).await?),
        _ => None,
    };
    let mut subjects = alone(&door).await?;
    if let Some(stack) = &stack {
        let lists = chat::lists(&door, stack.database()).await?;
        subjects.extend(lists.into_iter().map(|(name, load)| Subject::http(&name, load)));
        let inserts = Inserts::into(stack.database(), &stack::place()?).await?;
        subjects.push(Subject::new(inserts.name(), Kind::Inserts(inserts)));
    }
    if let Some(whole) = &whole {
        let (homeserver, token) = whole.homeserver()?;
        report.note(format!("homeserver: {}", whole.homeserver_name()));
        let bot = Bot::enter(&homeserver, &token).await?;
        subjects.push(Subject::http(BARE, bot.put()));
        subjects.push(Subject::http(BARE_HISTORY, chat::bare_history(&bot).await?));
    }
    let connected = whole.as_ref().map_or_else(|| door.clone(), Door::of);
    if whole.is_some() || stack.is_none() {
        subjects.extend(with_homeserver(&connected, report).await?);
    }
    subjects.retain(|subject| options.only.as_deref().is_none_or(|only| subject.name.contains(only)));
    ensure!(!subjects.is_empty(), "no load has such a name");
    let time = options::seconds(options.seconds);
    let all = time.mul_f64((options.rounds * options.clients.len() * subjects.len()) as f64);
    let recording = recorder.as_ref().map(|recorder| recorder.start(&door.pids, all)).transpose()?;
    for round in 0..options.rounds {
        for (number, clients) in options.clients.iter().enumerate() {
            for subject in &mut subjects {
                eprintln!("round {}: {}, {clients} clients", round + 1, subject.name);
                subject.run(number, *clients, time).await?;
            }
        }
    }
    drop(recording);
    tell(&subjects, &options.clients, report);
    if let Some(recorder) = recorder {
        report.note(recorder.evaluate(&format!("http {}", options.only.as_deref().unwrap_or("all")))?);
    }
    Ok(())
}

/// What needs no homeserver. Its stack has no worker: nobody delivers what is only to be stored.
async fn alone(door: &Door) -> Result<Vec<Subject>> {
    let tokens = token::many(&door.hub_key, "load", USERS, 1)?;
    for token in &tokens {
        let answer = as_user(&door.server, token, "GET", "/api/v1/users/me", "").await?;
        ensure!(answer.status == 200, "users/me was answered {}", answer.text());
    }
    let token = tokens[0].clone();
    let poll = format!("/api/v1/events/poll?token={token}&client=bench");
    Ok(vec![
        Subject::http("users/me", get(&door.server, "/api/v1/users/me", Some(&token))),
        Subject::http("users?q=", get(&door.server, "/api/v1/users?q=load-1", Some(&token))),
        Subject::http("events/poll", get(&door.server, &poll, None)),
        Subject::http(SEND_DURABLE, send(door, "wait=0")),
    ])
}

/// What speaks with the homeserver.
async fn with_homeserver(door: &Door, report: &mut Report) -> Result<Vec<Subject>> {
    let mut subjects = vec![
        Subject::http("health", get(&door.server, "/api/v1/health", None)),
        Subject::http(SEND, send(door, "wait=10")),
    ];
    let first =
        once(&door.server, &notification(&door.server, &door.service_token, "first", "wait=10")).await?;
    ensure!(first.status == 201, "the first notification was answered {}", first.text());
    match chat::talk(door).await? {
        Ok(loads) => subjects.extend(loads.map(|(name, load)| Subject::http(name, load))),
        Err(answer) => report.note(format!("messages are left out: POST /rooms was answered {answer}")),
    }
    Ok(subjects)
}

async fn as_user(server: &Server, token: &str, method: &str, path: &str, body: &str) -> Result<Answer> {
    let bearer = format!("Bearer {token}");
    once(server, &server.request(method, path, &[("Authorization", &bearer)], body)).await
}

fn get(server: &Server, path: &str, token: Option<&str>) -> Load {
    let bearer = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
    let headers = [("Authorization", bearer.as_str())];
    let request = server.request("GET", path, &headers[..usize::from(token.is_some())], "");
    Load { server: server.clone(), requests: Arc::new(move |_| request.clone()), status: 200 }
}

fn send(door: &Door, query: &'static str) -> Load {
    let (server, token) = (door.server.clone(), door.service_token.clone());
    let requests = move |number| notification(&server, &token, &format!("alarm {number}"), query);
    Load { server: door.server.clone(), requests: Arc::new(requests), status: 201 }
}

impl Subject {
    fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), kind, next: Arc::default(), outcomes: Vec::new() }
    }

    fn http(name: &str, load: Load) -> Self {
        Self::new(name, Kind::Http(load))
    }

    async fn run(&mut self, number: usize, clients: usize, time: Duration) -> Result<()> {
        let outcome = match &self.kind {
            Kind::Http(load) => load.run(clients, time, &self.next).await?,
            Kind::Inserts(inserts) => inserts.run(clients, time).await?,
        };
        if self.outcomes.len() <= number {
            self.outcomes.resize(number + 1, Outcome::default());
        }
        self.outcomes[number].add(&outcome);
        Ok(())
    }
}

fn tell(subjects: &[Subject], clients: &[usize], report: &mut Report) {
    for subject in subjects {
        for (outcome, clients) in subject.outcomes.iter().zip(clients) {
            report.push(outcome.row(format!("{}, {clients}", subject.name)));
            if let Some(error) = &outcome.first_error {
                report.refuse(format!(
                    "{}, {clients} clients: {} errors: {error}",
                    subject.name, outcome.errors
                ));
            }
        }
    }
    goals(subjects, clients, report);
}

/// The goals of the issue, as far as both sides were measured.
fn goals(subjects: &[Subject], clients: &[usize], report: &mut Report) {
    let find = |name: &str, wanted: usize| {
        let number = clients.iter().position(|clients| *clients == wanted)?;
        subjects.iter().find(|subject| subject.name.ends_with(name))?.outcomes.get(number)
    };
    let p50 = |outcome: &Outcome| outcome.latencies.quantile(0.5);
    let most = clients.iter().copied().max().unwrap_or(1);
    if let (Some(ours), Some(bare)) = (find(SEND, 1), find(BARE, 1)) {
        report.at_most("notifications/send: p50 − bare PUT, ms", p50(ours) - p50(bare), 1.0);
    }
    if let (Some(ours), Some(bare)) = (find(SEND, most), find(BARE, most)) {
        let ratio = ours.per_second() / bare.per_second();
        report.at_least(format!("notifications/send, {most} clients: throughput / bare PUT"), ratio, 0.9);
    }
    if let (Some(ours), Some(inserts)) = (find(SEND_DURABLE, most), find(INSERTS, most)) {
        let ratio = ours.per_second() / inserts.per_second();
        report.at_least(format!("{SEND_DURABLE}, {most} clients: throughput / inserts"), ratio, 0.4);
    }
    let (few, many) = (chat::list(chat::LISTS[0]), chat::list(chat::LISTS[2]));
    for (name, bound) in [(SEND_DURABLE, 2.0), ("users/me", 0.3), (&few, 1.0), (&many, 5.0)] {
        if let Some(ours) = find(name, 1) {
            report.at_most(format!("{name}, one client: p50, ms"), p50(ours), bound);
        }
    }
    for (name, bare) in [("messages/send", BARE), ("messages/history", BARE_HISTORY)] {
        if let (Some(ours), Some(alone)) = (find(name, 1), find(bare, 1)) {
            report.at_most(format!("{name}: p50 − {bare}, ms"), p50(ours) - p50(alone), 0.7);
        }
    }
}
