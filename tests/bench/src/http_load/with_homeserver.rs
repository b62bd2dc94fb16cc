//! What speaks with the homeserver, and beside it the homeserver without us.
use anyhow::{Context, Result, ensure};
use tokio::time::{Duration, Instant, sleep};

use super::endpoint::{Callers, Endpoint};
use super::subject::{Subject, Wanted};
use super::{BARE, BARE_AFTER, BARE_HISTORY, FLOOR, Side, messages, notifications, rooms};
use crate::homeserver::Bot;
use crate::http::{HttpResponse, once};
use crate::inserts::Inserts;
use crate::load::Turn;
use crate::options::Http;
use crate::report::Report;
use crate::service::{Door, sign_in};
use crate::stack;
use crate::token;

/// How long the first user's account and room may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages in the room whose history is read from the homeserver alone, and a page of them.
const SAID: u64 = 60;
const PAGE: usize = 50;

const HEALTH: Endpoint = Endpoint::new("health", "GET /api/v1/health");
const FIRST_ROOM: Endpoint =
    Endpoint::new("", "POST /api/v1/rooms").body(r#"{"name":"bench","invite_users":["{partner}"]}"#);
/// What is done in a room.
const INSIDE: [&[Endpoint]; 6] = [
    &rooms::BY_HOMESERVER,
    &rooms::TO_AND_FRO,
    &[messages::SAY],
    &[messages::HISTORY],
    &[messages::UPLOAD],
    &messages::DOWNLOAD,
];

/// `None`: nothing of it is wanted.
pub(super) async fn side(options: &Http, wanted: &Wanted, report: &mut Report) -> Result<Option<Side>> {
    let elsewhere = options.deployment.is_elsewhere();
    let inside =
        INSIDE.iter().any(|table| wanted.any(table)) || elsewhere && wanted.any(&rooms::THERE_ALREADY);
    let bare = !elsewhere && [BARE, FLOOR, BARE_AFTER, BARE_HISTORY].iter().any(|name| wanted.is(name));
    if options.no_homeserver || !(inside || bare || wanted.any(&[HEALTH, notifications::DELIVER])) {
        return Ok(None);
    }
    let (door, stack) = options.deployment.door(&options.common, true).await?;
    let mut subjects = Vec::new();
    let mut bare_after = None;
    if let Some(stack) = &stack {
        report.note(format!("homeserver: {}", stack.homeserver_name()));
        let (homeserver, token) = stack.homeserver()?;
        if bare {
            let bot = Bot::enter(&homeserver, &token).await?;
            subjects.extend(bare_loads(&bot, wanted).await?);
            if wanted.is(FLOOR) {
                let inserts = Inserts::into(stack.database(), &stack::place()?).await?;
                subjects.push(Subject::both(FLOOR, inserts, bot.put()));
            }
            let after = wanted.is(BARE_AFTER) && wanted.any(&[notifications::DELIVER]);
            bare_after = after.then(|| Subject::http(BARE_AFTER, bot.put()));
        }
    }
    subjects.extend(wanted.of(&[HEALTH], &Callers::strangers(&door)));
    subjects.extend(notifications::delivery(&door, wanted).await?);
    subjects.extend(bare_after);
    if inside {
        let callers = room_of_two(&door).await?;
        subjects.extend(loads(options, &door, wanted, &callers).await?);
    }
    Ok(Some(Side { door, stack, subjects }))
}

/// The same as the service does: a message of the bot, and a page read by a device of the bot.
async fn bare_loads(bot: &Bot, wanted: &Wanted) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    if wanted.is(BARE) {
        subjects.push(Subject::http(BARE, bot.put()));
    }
    if wanted.is(BARE_HISTORY) {
        bot.put().times(SAID).await?;
        subjects.push(Subject::http(BARE_HISTORY, bot.history(PAGE).await?));
    }
    Ok(subjects)
}

/// A user in a room with another.
async fn room_of_two(door: &Door) -> Result<Callers> {
    let tokens = token::many(&door.hub_key, "load", 2, 1)?;
    sign_in(&door.server, &tokens).await?;
    let made = patiently(door, &rooms::inside(door, &tokens[0], "")).await?;
    ensure!(made.status == 201, "POST /rooms was answered {}", made.text());
    let made = made.json()?;
    let room = made["matrix_room_id"].as_str().context("a room without an id")?;
    Ok(rooms::inside(door, &tokens[0], room))
}

/// The account is made after sign-in: until then the answer is 503.
async fn patiently(door: &Door, caller: &Callers) -> Result<HttpResponse> {
    let deadline = Instant::now() + PATIENCE;
    let request = (caller.load(&FIRST_ROOM).requests)(Turn { number: 0, client: 0 });
    loop {
        let answer = once(&door.server, &request).await?;
        if answer.status != 503 || Instant::now() > deadline {
            return Ok(answer);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

async fn loads(options: &Http, door: &Door, wanted: &Wanted, callers: &Callers) -> Result<Vec<Subject>> {
    let mut subjects = messages::loads(callers, wanted).await?;
    subjects.extend(wanted.of(&rooms::BY_HOMESERVER, callers));
    let clients = options.clients.iter().copied().max().unwrap_or(1);
    subjects.extend(rooms::to_and_fro(door, wanted, clients).await?);
    if options.deployment.is_elsewhere() && wanted.any(&rooms::THERE_ALREADY) {
        callers.load(&rooms::CHAT).once().await?;
        subjects.extend(wanted.of(&rooms::THERE_ALREADY, callers));
    }
    Ok(subjects)
}
