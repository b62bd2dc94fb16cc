//! Serving routes: on a socket with graceful shutdown, or to the Lambda runtime. One binary, no difference for a
//! handler.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use axum::{Extension, Router, extract::DefaultBodyLimit, middleware};
use http::{HeaderValue, Method, header};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::task::TaskTracker;
use tower::Layer as _;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{App, Config, connection::Connection, light, logging, probes, problem};

/// Largest body of a request that is no upload.
const BODY_MAX: usize = 1 << 20;
/// Most bytes that are read from a connection at once: an upload passes through in pieces of this size.
const READ_MAX: usize = 64 << 10;
/// How long a client may take for its request's head.
const HEAD_WAIT: Duration = Duration::from_secs(10);
/// How long requests that are being answered may still take at shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// How a function answers on Lambda. A socket streams anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// In one piece: cheaper and quicker to the first byte.
    Whole,
    /// As they come, in response streaming mode.
    Streamed,
}

/// `main` of a function: reads the configuration, composes, serves.
pub fn main_with(routes: Router<App>, answers: Answers) -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    logging::start(&config.log_level, config.production);
    match run(routes, answers, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(routes: Router<App>, answers: Answers, config: Config) -> anyhow::Result<()> {
    let app = App::compose(config)?;
    serve(routes, answers, app).await
}

/// Serves routes until the process is asked to end.
#[expect(
    clippy::disallowed_methods,
    reason = "the Lambda runtime says that it is there by this variable alone"
)]
pub async fn serve(routes: Router<App>, answers: Answers, app: App) -> anyhow::Result<()> {
    let service = stack(routes, &app);
    if std::env::var("AWS_LAMBDA_RUNTIME_API").is_ok() {
        let ended = match answers {
            Answers::Whole => lambda_http::run(service).await,
            Answers::Streamed => lambda_http::run_with_streaming_response(service).await,
        };
        return ended.map_err(anyhow::Error::from_boxed);
    }
    let address = SocketAddr::from(([0, 0, 0, 0], app.config.port));
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on port {}", address.port()))?;
    tracing::info!(port = address.port(), "listening");
    on_socket(service, listener, &app).await
}

/// Everything around the routes: limits, errors as problems, CORS.
pub fn stack(routes: Router<App>, app: &App) -> Router {
    routes
        .merge(probes::routes())
        .method_not_allowed_fallback(|| async { http::StatusCode::METHOD_NOT_ALLOWED })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn(problem::answer))
        .layer(cors(&app.config))
        .with_state(app.clone())
}

async fn on_socket(service: Router, listener: TcpListener, app: &App) -> anyhow::Result<()> {
    let connections = Connections { service, http: GracefulShutdown::new(), streams: TaskTracker::new() };
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connections.serve(stream),
                Err(error) => {
                    // Out of file descriptors, or the client is gone already: neither ends the server.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            _ = terminated.recv() => break,
            _ = interrupted.recv() => break,
        }
    }
    drop(listener);
    tracing::info!("shutting down");
    app.hub.tail().shut_down();
    if timeout(GRACE, connections.end()).await.is_err() {
        tracing::warn!("some requests were still being answered");
    }
    if timeout(GRACE, app.hub.settled()).await.is_err() {
        tracing::warn!("some deliveries were still under way: a worker goes on with them");
    }
    Ok(())
}

/// The connections of a server.
struct Connections {
    service: Router,
    http: GracefulShutdown,
    streams: TaskTracker,
}

impl Connections {
    /// Serves a connection in a task of its own.
    fn serve(&self, stream: TcpStream) {
        // Small answers and events must not wait for more to come (Nagle).
        let _ = stream.set_nodelay(true);
        let (service, watcher, streams) = (self.service.clone(), self.http.watcher(), self.streams.clone());
        tokio::spawn(async move {
            match timeout(HEAD_WAIT, light::is_stream(&stream)).await {
                Ok(Ok(true)) => {
                    // Watching is for connections that may bring another request.
                    drop(watcher);
                    streams.spawn(light::answer(stream, service, HEAD_WAIT));
                }
                Ok(Ok(false)) => http(stream, service, watcher).await,
                Ok(Err(_)) | Err(_) => {}
            }
        });
    }

    /// Waits until every connection has ended; idle ones end at once.
    async fn end(self) {
        self.streams.close();
        tokio::join!(self.http.shutdown(), self.streams.wait());
    }
}

async fn http(stream: TcpStream, service: Router, watcher: Watcher) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(READ_MAX)
        .serve_connection(
            TokioIo::new(stream),
            TowerToHyperService::new(Extension(Connection::next()).layer(service)),
        );
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended");
    }
}

fn cors(config: &Config) -> CorsLayer {
    let origins = match &config.allowed_origins {
        None => AllowOrigin::any(),
        Some(list) => AllowOrigin::list(list.iter().filter_map(|origin| HeaderValue::from_str(origin).ok())),
    };
    let exposed = ["x-next-cursor", "x-request-id", "retry-after", "idempotent-replayed"];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::HeaderName::from_static("last-event-id"),
        ])
        .expose_headers(exposed.map(header::HeaderName::from_static))
        .max_age(Duration::from_hours(1))
}
