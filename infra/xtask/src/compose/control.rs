//! The control of a deployment: an HTTP server for the tests, which run in a container.
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use messenger_devstack::process::traced;
use messenger_devstack::{OutputQueue, engine};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

use super::homeserver::Homeserver;
use super::memory::Memory;
use super::network::Request;
use super::project::{HOMESERVER, Project};
use super::reset::Parts;

/// The port in the namespace of the engine.
const PORT: u16 = 8010;
/// The name by which containers with `host-gateway` reach it.
pub(super) const HOST: &str = "control.host";

/// The parts of a deployment that the control commands.
pub(super) struct Controlled {
    pub(super) project: Project,
    pub(super) homeserver: Mutex<Homeserver>,
    pub(super) memory: Mutex<Memory>,
}

/// The running server. Dropping it ends it.
pub(super) struct Control {
    task: JoinHandle<()>,
    port: u16,
}

#[derive(Deserialize)]
struct Service {
    service: String,
}

#[derive(Deserialize)]
struct Scale {
    service: String,
    count: usize,
}

#[derive(Deserialize)]
struct Measure {
    title: String,
}

/// An error as a response of the control.
struct CommandError(anyhow::Error);

impl IntoResponse for CommandError {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}", self.0)).into_response()
    }
}

impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        Self(error)
    }
}

type Outcome = Result<Json<Value>, CommandError>;
type Shared = State<Arc<Controlled>>;

impl Control {
    /// Starts the server in the namespace of the engine.
    pub(super) async fn start(controlled: &Arc<Controlled>) -> Result<Self> {
        let engine = &controlled.project.engine;
        let port = if engine.is_own() { PORT } else { 0 };
        let listener = engine.namespace().listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await?;
        let port = listener.local_addr()?.port();
        let routes = Router::new()
            .route("/reset", post(reset))
            .route("/scale", post(scale))
            .route("/kill", post(kill))
            .route("/kill_all", post(kill_all))
            .route("/pause", post(pause))
            .route("/resume", post(resume))
            .route("/newest", post(newest))
            .route("/restart", post(restart))
            .route("/stop", post(stop))
            .route("/start", post(start))
            .route("/measure", post(measure))
            .with_state(Arc::clone(controlled));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                OutputQueue::stderr().write(format!("the control ended: {error}\n"));
            }
        });
        Ok(Self { task, port })
    }

    /// Returns the address for containers.
    pub(super) fn url(&self) -> String {
        format!("http://{HOST}:{}", self.port)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn reset(State(controlled): Shared, Json(parts): Json<Parts>) -> Outcome {
    let runtime = Handle::current();
    // The future of a homeserver's start is not `Send`, so it stays on one thread.
    let resetting = spawn_blocking(move || {
        runtime.block_on(async {
            let mut homeserver = controlled.homeserver.lock().await;
            controlled.project.reset(&mut homeserver, parts).await?;
            let mut facts = homeserver.facts(&controlled.project).await?;
            facts["database_url"] = json!(controlled.project.secrets.database_url);
            anyhow::Ok(facts)
        })
    });
    Ok(Json(resetting.await.context("resetting")??))
}

async fn scale(State(controlled): Shared, Json(Scale { service, count }): Json<Scale>) -> Outcome {
    let project = &controlled.project;
    let scale = format!("{service}={count}");
    let launch = project.compose(&[
        "up",
        "-d",
        "--no-build",
        "--no-recreate",
        "--no-deps",
        "--scale",
        &scale,
        &service,
    ]);
    engine::run(launch, &traced()).await?;
    ready(project, &service).await
}

async fn kill(State(controlled): Shared, Json(Service { service }): Json<Service>) -> Outcome {
    let containers = controlled.project.containers(&service).await?;
    controlled.project.engine.output(&["kill", &containers[0]]).await?;
    Ok(Json(json!({})))
}

async fn kill_all(State(controlled): Shared, Json(Service { service }): Json<Service>) -> Outcome {
    of_all(&controlled.project, "kill", &service).await
}

async fn pause(State(controlled): Shared, Json(Service { service }): Json<Service>) -> Outcome {
    of_all(&controlled.project, "pause", &service).await
}

async fn resume(State(controlled): Shared, Json(Service { service }): Json<Service>) -> Outcome {
    of_all(&controlled.project, "unpause", &service).await
}

/// Runs a command of `docker` for all containers of a service.
async fn of_all(project: &Project, command: &str, service: &str) -> Outcome {
    let containers = project.containers(service).await?;
    let words = std::iter::once(command).chain(containers.iter().map(String::as_str));
    project.engine.output(&words.collect::<Vec<_>>()).await?;
    Ok(Json(json!({})))
}

async fn newest(State(controlled): Shared, Json(Service { service }): Json<Service>) -> Outcome {
    let containers = controlled.project.containers(&service).await?;
    let url = controlled.project.url_of_program(&containers[0]).await?;
    Ok(Json(json!({ "url": url })))
}

async fn restart(State(controlled): Shared, Json(Service { service }): Json<Service>) -> Outcome {
    let project = &controlled.project;
    for container in project.containers(&service).await? {
        project.engine.output(&["restart", &container]).await?;
    }
    ready(project, &service).await
}

async fn stop(State(controlled): Shared, Json(Service { service }): Json<Service>) -> Outcome {
    let project = &controlled.project;
    let containers = project.containers(&service).await?;
    let begin = Instant::now();
    let mut exit_code = 0;
    for container in &containers {
        project.engine.output(&["stop", container]).await?;
        let code = project.inspect(container, "{{.State.ExitCode}}").await?;
        exit_code = code.parse::<i64>().context("an exit code")?;
        if exit_code != 0 {
            break;
        }
    }
    Ok(Json(json!({ "exit_code": exit_code, "seconds": begin.elapsed().as_secs_f64() })))
}

async fn start(State(controlled): Shared, Json(Service { service }): Json<Service>) -> Outcome {
    let project = &controlled.project;
    let containers = project.containers(&service).await?;
    for container in &containers {
        project.engine.output(&["start", container]).await?;
    }
    ready(project, &service).await
}

/// Waits until all containers of a service are ready.
async fn ready(project: &Project, service: &str) -> Outcome {
    if service == "postgres" {
        project.wait_until_healthy(&traced()).await?;
    } else if service == HOMESERVER {
        project.wait_until_homeserver_answers().await?;
    } else {
        let containers = project.containers(service).await?;
        for container in &containers {
            project.wait_until_answers(container, &Request::to_program("/readyz")).await?;
        }
    }
    Ok(Json(json!({})))
}

async fn measure(State(controlled): Shared, Json(Measure { title }): Json<Measure>) -> Outcome {
    controlled.memory.lock().await.measure(&controlled.project, &title).await?;
    Ok(Json(json!({})))
}
