//! The worker on Lambda: runs by a timer, and does the setup on request.

use std::{sync::Arc, time::Duration};

use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use messenger_runtime::{App, lambda::remaining, setup, traces};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json};
use tokio::{sync::OnceCell, time::timeout};
use uuid::Uuid;

use crate::{
    release,
    work::{self, Activity},
};

/// The time that is left when a run ends, for releasing the lease and exporting spans.
const MARGIN: Duration = Duration::from_secs(5);
/// The time without work after which a run ends: it is billed until its end.
const IDLE: Duration = Duration::from_secs(5);
const FOREIGN: &str = "the worker knows two events: {\"setup\": true}, which migrates the database and \
                       bootstraps the homeserver, and that of EventBridge Scheduler (\"detail-type\": \
                       \"Scheduled Event\"), which runs it until there is nothing to do";

/// An event for the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// `{"setup": true}`.
    Setup,
    /// The default event of `EventBridge` Scheduler, or of a rule of `EventBridge` with a schedule.
    Timer,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = Value::deserialize(deserializer)?;
        if event.get("setup") == Some(&Value::Bool(true)) {
            return Ok(Self::Setup);
        }
        if event.get("detail-type").and_then(Value::as_str) == Some("Scheduled Event") {
            return Ok(Self::Timer);
        }
        Err(D::Error::custom(FOREIGN))
    }
}

/// The worker of one environment.
struct Worker {
    app: App,
    id: String,
    /// Set when the registration with the homeserver is complete.
    registered: OnceCell<()>,
}

/// Serves events until the environment ends.
pub(crate) async fn serve(app: App) -> anyhow::Result<()> {
    let id = Uuid::new_v4().simple().to_string();
    let worker = Arc::new(Worker { app, id, registered: OnceCell::new() });
    let handler = service_fn(move |event: LambdaEvent<Event>| {
        let worker = worker.clone();
        async move {
            let answer = worker.answer(event).await;
            traces::flush().await;
            // Lambda shows the text of the error: with all of its causes.
            answer.map_err(|error| lambda_runtime::Error::from(format!("{error:#}")))
        }
    });
    lambda_runtime::run(handler).await.map_err(anyhow::Error::from_boxed)
}

impl Worker {
    async fn answer(&self, event: LambdaEvent<Event>) -> anyhow::Result<Value> {
        let (event, context) = event.into_parts();
        self.app.suspended();
        let answer = match event {
            Event::Setup => self.set_up().await,
            Event::Timer => Ok(self.run(remaining(&context).saturating_sub(MARGIN)).await),
        };
        self.app.suspended();
        answer
    }

    /// Migrates the database and bootstraps the homeserver. A second time changes nothing.
    async fn set_up(&self) -> anyhow::Result<Value> {
        setup::database(&self.app.config).await?;
        tracing::info!("database migrated");
        setup::homeserver(&self.app).await?;
        tracing::info!("homeserver bootstrapped");
        Ok(json!({ "migrated": true, "bootstrapped": true }))
    }

    /// Works until no work is left, and for `limit` at most. Work that is cut off is idempotent: its
    /// leases expire, and another run continues it.
    async fn run(&self, limit: Duration) -> Value {
        let activity = Activity::default();
        let is_idle = {
            let work = Box::pin(async {
                tokio::join!(self.complete_registration(), work::run(&self.app, &self.id, &activity));
            });
            let run = async {
                tokio::select! {
                    () = work => {}
                    () = activity.ceased(IDLE) => {}
                }
            };
            timeout(limit, run).await.is_ok()
        };
        release(&self.app, &self.id).await;
        json!({ "ended": if is_idle { "idle" } else { "deadline" } })
    }

    /// Registers push, if setup could not: the service did not answer yet. Done once in each environment.
    async fn complete_registration(&self) {
        self.registered.get_or_init(|| setup::complete_registration(&self.app, &self.id)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_knows_two_events_and_names_them_to_any_other() {
        let scheduler = json!({
            "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.scheduler",
            "account": "1", "time": "2026-01-31T12:00:00Z", "region": "eu-central-1",
            "resources": ["arn:aws:scheduler:eu-central-1:1:schedule/default/worker"], "detail": "{}",
        });
        assert_eq!(Event::deserialize(scheduler).expect("known"), Event::Timer);
        assert_eq!(Event::deserialize(json!({ "setup": true })).expect("known"), Event::Setup);
        for foreign in [json!({}), json!({ "setup": "yes" }), json!(null), json!({ "Records": [] })] {
            let error = Event::deserialize(foreign).expect_err("it is foreign").to_string();
            assert!(
                error.contains("{\"setup\": true}") && error.contains("EventBridge Scheduler"),
                "{error}"
            );
        }
    }
}
