//! `relay`: the copy of the event log on DynamoDB beside PostgreSQL: catching up, latency and replays.
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use messenger_core::FeedCopySettings;
use messenger_core::audiences::Audiences;
use messenger_core::event::{Audience, Kind, NewEvent, Payload};
use messenger_core::id::{HubUserId, Position, TenantId};
use messenger_core::port::{Clock, CopiedFeed, Feed, FeedCopyPorts};
use messenger_devstack::Dynoxide;
use messenger_devstack::postgres::{Options, Postgres};
use messenger_store::{PgStore, StoreConfig, migrate};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::latency::Latencies;
use crate::options::RelayLoad;
use crate::report::{Report, Row};

const DATABASE: &str = "relay";
/// The user whose events are replayed.
const READER: &str = "reader";
/// The number of events of that user.
const OWN: i64 = 1000;
const PATIENCE: Duration = Duration::from_mins(30);
/// The goals: see `docs/performance.md`.
const EVENTS_PER_SECOND: f64 = 1000.0;
const ADDED_LATENCY_MS: f64 = 25.0;
/// Events of one user among those of a hundred others, each of about 300 bytes.
const FILL: &str = "insert into events (position, tenant_id, audience, kind, payload)
    select n, 1, case when n % ($1 / $2) = 0 then 't1:u:reader' else 't1:u:other' || n % 100 end,
           'notification', json_build_object('title', 'an alarm', 'body', repeat('x', 250))::text
    from generate_series(1, $1) as n";
const MOVE_HEAD: &str = "update feed_head set position = $1";

pub(crate) async fn run(options: &RelayLoad, report: &mut Report) -> Result<()> {
    ensure!(options.events >= OWN, "--events must be at least {OWN}");
    let directory = tempfile::tempdir().context("a directory")?;
    let postgres = Postgres::start(Options::durable(directory.path())).await?;
    postgres.ensure_database(DATABASE).await?;
    let url = postgres.url(DATABASE);
    migrate(&url).await?;
    let dynoxide = Dynoxide::temporary().await?;
    fill(&url, options.events).await?;
    let store = Arc::new(connect(&url)?);
    let copied = copy(&connect(&url)?, &dynoxide);

    let begin = Instant::now();
    let relay = start(copied.clone());
    catch_up(copied.feed.as_ref(), options.events).await?;
    let seconds = begin.elapsed().as_secs_f64();
    let per_second = options.events as f64 / seconds;
    let row = Row::new("catching up").with("events", options.events as f64);
    report.push(row.with("seconds", seconds).with("events/s", per_second));
    report.at_least("events/s of the relay", per_second, EVENTS_PER_SECOND);

    let mut medians = Vec::new();
    for (name, feed) in [("PostgreSQL", store.clone() as Arc<dyn Feed>), ("DynamoDB", copied.feed.clone())] {
        let replays = replays(feed.as_ref(), options.times).await?;
        report.push(Row::new(format!("replay of {OWN} from {name}")).latencies(&replays));
        let latencies = live(&store, feed.as_ref(), options.times).await?;
        medians.push(latencies.p50());
        report.push(Row::new(format!("append to read, {name}")).latencies(&latencies));
    }
    if let [plain, copied] = medians[..] {
        report.at_most("ms that the copy adds", copied - plain, ADDED_LATENCY_MS);
    }
    relay.abort();
    Ok(())
}

fn connect(url: &str) -> Result<PgStore> {
    let (database_url, connect_wait) = (url.to_owned(), Duration::from_secs(10));
    Ok(PgStore::new(&StoreConfig { database_url, listen_url: None, pool_size: 4, connect_wait })?)
}

fn copy(store: &PgStore, dynoxide: &Dynoxide) -> CopiedFeed {
    let settings = FeedCopySettings {
        table: "relay".to_owned(),
        region: "eu-central-1".to_owned(),
        endpoint: Some(dynoxide.url().to_owned()),
        retention: Duration::from_hours(24 * 7),
        installation: "bench".to_owned(),
    };
    messenger_dynamo::copied_feed(&settings, FeedCopyPorts::new(Arc::new(store.clone()), Arc::new(Still)))
}

/// A clock that stands still: nothing here depends on the time.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

fn start(copied: CopiedFeed) -> JoinHandle<()> {
    tokio::spawn(async move { copied.relay.run("bench", &|| {}).await })
}

async fn fill(url: &str, events: i64) -> Result<()> {
    let client = messenger_postgres::connect(url).await?;
    client.execute(FILL, &[&events, &OWN]).await.context("storing events")?;
    client.execute(MOVE_HEAD, &[&events]).await.context("moving the head")?;
    Ok(())
}

async fn catch_up(feed: &dyn Feed, events: i64) -> Result<()> {
    let catching_up = async {
        while !feed.span().await.is_ok_and(|span| span.head.0 >= events) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, catching_up).await.context("the relay does not catch up")
}

/// Measures the replay of all events of one user among those of others.
async fn replays(feed: &dyn Feed, times: usize) -> Result<Latencies> {
    let audience = Audience::User(TenantId(1), HubUserId::new(READER));
    let audiences: Audiences = [(audience, Position(0))].into_iter().collect();
    let mut latencies = Latencies::default();
    for _ in 0..times {
        let begin = Instant::now();
        let events = feed.after(Position(0), &audiences, OWN + 1).await?;
        latencies.record(begin.elapsed());
        ensure!(events.len() >= usize::try_from(OWN)?, "{} events are replayed", events.len());
    }
    Ok(latencies)
}

/// Measures the time from the append of an event until a broker has read it.
async fn live(store: &PgStore, feed: &dyn Feed, times: usize) -> Result<Latencies> {
    let event = NewEvent {
        audience: Audience::Tenant(TenantId(1)),
        kind: Kind::NewMessage,
        room: None,
        payload: Payload::stored("{\"body\":\"an alarm\"}".to_owned()),
        key: None,
    };
    let mut latencies = Latencies::default();
    for round in 0..=times {
        let head = store.span().await?.head;
        catch_up(feed, head.0).await?;
        let begin = Instant::now();
        let reading = async {
            while feed.next(head, 1000).await?.is_empty() {
                feed.wait_beyond(head, Duration::from_secs(1)).await;
            }
            anyhow::Ok(begin.elapsed())
        };
        let events = [event.clone()];
        let (took, appended) = tokio::join!(reading, async {
            // The reader waits by then.
            sleep(Duration::from_millis(30)).await;
            let appending = Instant::now();
            store.append(&events).await.map(|_| appending.duration_since(begin))
        });
        let took = took?.saturating_sub(appended?);
        if round > 0 {
            latencies.record(took);
        }
    }
    Ok(latencies)
}
