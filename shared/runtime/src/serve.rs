//! Serving routes: on a socket with graceful shutdown, or to the Lambda runtime. One binary, no difference for a
//! handler.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use axum::{Router, extract::DefaultBodyLimit, middleware};
use http::{HeaderName, HeaderValue, Method, header};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{App, Config, connections::Connections, limits, logging, probes, problem};

/// Largest body of a request that is no upload.
const BODY_MAX: usize = 1 << 20;
/// How long requests that are being answered may still take at shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// What a page may send beside the headers that every page may: what we read, and what libraries add to each call. The
/// satellites' token is not for pages, which everybody can read.
const ALLOWED_HEADERS: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    header::RANGE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-requested-with"),
];

/// How a function answers on Lambda. A socket streams anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// In one piece: cheaper and quicker to the first byte.
    Buffered,
    /// As they come, in response streaming mode.
    Streaming,
}

/// `main` of a function: reads the configuration, composes, serves.
pub fn main_with(routes: Router<App>, answers: ResponseMode) -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    logging::start(&config.log_level, config.production);
    config.log_notices();
    match run(routes, answers, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(routes: Router<App>, answers: ResponseMode, config: Config) -> anyhow::Result<()> {
    let app = App::compose(config)?;
    serve(routes, answers, app).await
}

/// Serves routes until the process is asked to end.
#[expect(
    clippy::disallowed_methods,
    reason = "the Lambda runtime says that it is there by this variable alone"
)]
pub async fn serve(routes: Router<App>, answers: ResponseMode, app: App) -> anyhow::Result<()> {
    let service = stack(routes, &app);
    log_sign_in(&app.config);
    if std::env::var("AWS_LAMBDA_RUNTIME_API").is_ok() {
        let ended = match answers {
            ResponseMode::Buffered => lambda_http::run(service).await,
            ResponseMode::Streaming => lambda_http::run_with_streaming_response(service).await,
        };
        return ended.map_err(anyhow::Error::from_boxed);
    }
    let address = SocketAddr::new(app.config.host, app.config.port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (HOST and PORT)"))?;
    tracing::info!(host = %address.ip(), port = address.port(), "listening");
    on_socket(service, listener, &app).await
}

fn log_sign_in(config: &Config) {
    if config.hub_secret_key.is_some() {
        tracing::info!("sign-in with tokens of the Hub (single sign-on) is on");
    } else {
        tracing::warn!(
            "sign-in with tokens of the Hub (single sign-on) is off: HUB_SECRET_KEY is not set, and only tokens of this \
             service are accepted"
        );
    }
}

/// Everything around the routes: limits, errors as problems, CORS.
pub fn stack(routes: Router<App>, app: &App) -> Router {
    routes
        .merge(probes::routes())
        .method_not_allowed_fallback(|| async { http::StatusCode::METHOD_NOT_ALLOWED })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(app.config.limits.pace(), limits::body::pace))
        .layer(middleware::from_fn(problem::answer))
        .layer(cors(&app.config))
        .with_state(app.clone())
}

pub(crate) async fn on_socket(service: Router, listener: TcpListener, app: &App) -> anyhow::Result<()> {
    let connections = Connections::new(service, &app.config.limits);
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => connections.serve(socket, peer.ip()),
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
    app.messenger.broker().shut_down();
    if timeout(GRACE, connections.end()).await.is_err() {
        tracing::warn!("some requests were still being answered");
    }
    if timeout(GRACE, app.messenger.drain_background()).await.is_err() {
        tracing::warn!("some deliveries were still under way: a worker goes on with them");
    }
    Ok(())
}

fn cors(config: &Config) -> CorsLayer {
    let origins = match &config.allowed_origins {
        None => AllowOrigin::any(),
        Some(list) => AllowOrigin::list(list.iter().filter_map(|origin| HeaderValue::from_str(origin).ok())),
    };
    let exposed = [
        "x-next-cursor",
        "x-request-id",
        "retry-after",
        "idempotent-replayed",
        "content-disposition",
        "content-range",
    ];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers(ALLOWED_HEADERS)
        .expose_headers(exposed.map(HeaderName::from_static))
        .max_age(Duration::from_hours(1))
}
