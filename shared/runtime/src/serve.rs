//! Serving routes: on a socket with graceful shutdown, or to the Lambda runtime. Handlers see no difference.

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use axum::{Router, extract::DefaultBodyLimit, middleware};
use http::{HeaderName, HeaderValue, Method, header};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep, timeout_at},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    App, Config, Program, base_path, connections::Connections, lambda, limits, logging, metrics, probes,
    problem, retry_reads::retry_reads, traces,
};

/// Largest body of a request that is no upload.
const BODY_MAX: usize = 1 << 20;
/// Time limit of the whole end, with the drain, for requests that are being answered and for deliveries.
/// Docker kills a container 10 seconds after the signal.
const GRACE: Duration = Duration::from_secs(8);
/// The least time after the drain for requests and deliveries.
const GRACE_MIN: Duration = Duration::from_secs(3);

/// The headers that a page may send beside those that CORS always allows: those that the service reads, and
/// those that libraries add to each call. The service token is not among them, since everybody can read a
/// page.
const ALLOWED_HEADERS: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::RANGE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-requested-with"),
];

/// Runs a program: follows its arguments, reads the configuration, composes and serves. This is the `main` of
/// every function and of the router. `routes` may refuse the program's own configuration.
pub fn main_with(program: Program, routes: impl FnOnce() -> Result<Router<App>, String>) -> ExitCode {
    if let Some(ended) = program.follow_arguments() {
        return ended;
    }
    let read =
        routes().and_then(|routes| Ok((routes, Config::from_env().map_err(|error| error.to_string())?)));
    let (routes, config) = match read {
        Ok(read) => read,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if let Err(problem) = traces::start(&config) {
        eprintln!("{problem}");
        return ExitCode::from(2);
    }
    logging::start(&config.log_level, config.production);
    config.log_notices();
    let ended = run(program, routes, config);
    traces::end();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(program: Program, routes: Router<App>, config: Config) -> anyhow::Result<()> {
    let app = App::compose(program, config)?;
    serve(routes, app).await
}

/// Serves routes until the process is asked to end.
pub async fn serve(routes: Router<App>, mut app: App) -> anyhow::Result<()> {
    app.is_public |= app.config.serving.is_on_lambda;
    let service = stack(routes, &app);
    log_sign_in(&app.config);
    drain_metrics(&app);
    if app.config.serving.is_on_lambda {
        return lambda::serve(service, app).await;
    }
    let listener = bind(&app.config).await.with_context(|| cannot_listen(&app.config))?;
    on_socket(service, listener, &app).await
}

/// Serves the probes and metrics of a program without routes, in a task of its own.
///
/// Several such programs may run on one machine: if `PORT` is not set and its default is taken, the program
/// runs without them.
pub async fn listen(app: &App) -> anyhow::Result<()> {
    let listener = match bind(&app.config).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && !app.config.is_port_set => {
            tracing::warn!(
                port = app.config.port,
                "the port is taken: this program has no /livez, /readyz and /metrics; set PORT to another one"
            );
            return Ok(());
        }
        Err(error) => return Err(error).with_context(|| cannot_listen(&app.config)),
    };
    drain_metrics(app);
    let (service, app) = (stack(Router::new(), app), app.clone());
    tokio::spawn(async move { on_socket(service, listener, &app).await });
    Ok(())
}

async fn bind(config: &Config) -> io::Result<TcpListener> {
    let (host, port) = (config.host, config.port);
    let listener = TcpListener::bind(SocketAddr::new(host, port)).await?;
    tracing::info!(%host, port, "server started");
    Ok(listener)
}

fn cannot_listen(config: &Config) -> String {
    format!("cannot listen on {} (HOST and PORT)", SocketAddr::new(config.host, config.port))
}

fn drain_metrics(app: &App) {
    let metrics = app.metrics.clone();
    tokio::spawn(async move { metrics.drain().await });
}

fn log_sign_in(config: &Config) {
    if config.hub_secret_key.is_some() {
        tracing::info!("single sign-on is on: tokens of the Hub are accepted");
    } else {
        tracing::warn!(
            "single sign-on is off: HUB_SECRET_KEY is not set, so only tokens of this service are accepted"
        );
    }
}

/// Puts the middleware around the routes: `BASE_PATH`, limits, errors as problems, spans, CORS.
pub fn stack(routes: Router<App>, app: &App) -> Router {
    let stack = routes
        // Before the probes, which say at once that the database is away.
        .layer(middleware::from_fn_with_state(app.config.database_connect_wait, retry_reads))
        .merge(probes::routes())
        .method_not_allowed_fallback(|| async { http::StatusCode::METHOD_NOT_ALLOWED })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(
            app.config.limits.minimum_rate(),
            limits::body::enforce_minimum_rate,
        ))
        .layer(middleware::from_fn(problem::answer))
        .layer(middleware::from_fn_with_state(app.metrics.clone(), metrics::count))
        .layer(cors(&app.config))
        .with_state(app.clone());
    base_path::below(&app.config.serving.base_path, stack)
}

/// Serves connections until the process is asked to end. Then it drains: it is not ready any more, but goes on
/// serving for `DRAIN_SECONDS`. Afterwards nothing is accepted, streams end, and requests in flight finish.
pub(crate) async fn on_socket(service: Router, listener: TcpListener, app: &App) -> anyhow::Result<()> {
    let (shutdown, drain) = (&app.shutdown, app.config.drain);
    let connections = Connections::new(service, &app.config, shutdown.clone());
    let mut terminations = Terminations::new()?;
    tokio::select! {
        () = accept(&listener, &connections) => {}
        () = terminations.next() => {}
    }
    shutdown.drain();
    if !drain.is_zero() {
        tracing::info!(seconds = drain.as_secs(), "server drains");
        tokio::select! {
            () = accept(&listener, &connections) => {}
            () = sleep(drain) => {}
            () = terminations.next() => {}
        }
    }
    drop(listener);
    tracing::info!("server stops");
    shutdown.begin();
    app.messenger.broker().shut_down();
    let deadline = Instant::now() + GRACE.saturating_sub(drain).max(GRACE_MIN);
    if timeout_at(deadline, connections.end()).await.is_err() {
        tracing::warn!("server stops before all requests are answered");
    }
    if timeout_at(deadline, app.messenger.drain_background()).await.is_err() {
        tracing::warn!("server stops before all deliveries have ended: a worker continues them");
    }
    Ok(())
}

/// Accepts connections for ever.
async fn accept(listener: &TcpListener, connections: &Connections) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => connections.serve(socket, peer.ip()),
            Err(error) => {
                // No file descriptors are left, or the client is gone already: neither ends the server.
                tracing::warn!(%error, "accepting a connection failed");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// The signals that ask a process to end.
struct Terminations {
    terminated: Signal,
    interrupted: Signal,
}

impl Terminations {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            interrupted: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
        }
    }
}

fn cors(config: &Config) -> CorsLayer {
    let origins = match &config.allowed_origins {
        None => AllowOrigin::any(),
        Some(list) => AllowOrigin::list(list.iter().filter_map(|origin| HeaderValue::from_str(origin).ok())),
    };
    let exposed = [
        "etag",
        "x-next-cursor",
        "x-request-id",
        "retry-after",
        "idempotent-replayed",
        "content-disposition",
        "content-range",
    ];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(ALLOWED_HEADERS)
        .expose_headers(exposed.map(HeaderName::from_static))
        .max_age(Duration::from_hours(1))
}
