//! The configuration. It is read once, at start, and all of its errors are reported at once.

mod database;
mod event_store;
mod hub;
mod limits;
mod log_level;
mod origins;
mod secret_files;
mod secrets;
mod serving;
mod traces;
mod web;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use hmac::{Hmac, KeyInit, Mac};
use jiff::tz::TimeZone;
use messenger_core::{FeedCopySettings, MessengerSettings, id::TenantId};
use sha2::Sha256;

use database::Databases;
use secrets::{Policy, Secrets};

pub use self::{
    hub::TokenEndpoint, limits::LimitConfig, serving::ServingConfig, traces::TraceConfig, web::WebConfig,
};

/// The development defaults of `docs/integration.md`, which production refuses.
const DEFAULT_SECRET_KEY: &str = "messenger-dev-secret";
const DEFAULT_SERVICE_TOKEN: &str = "messenger-service-token-dev";
/// The default of `PORT`.
pub(crate) const DEFAULT_PORT: u16 = 8000;
/// The largest file: Conduit's own limit, unless it is configured otherwise.
const UPLOAD_MAX: u64 = 20_000_000;
/// The begin of a warning.
const REFUSED: &str = "ENVIRONMENT=production would refuse this";

/// The configuration of a process.
#[derive(Clone)]
pub struct Config {
    /// `ENVIRONMENT=production`: weak secrets are refused, and logs are JSON.
    pub production: bool,
    /// `LOG_LEVEL`.
    pub log_level: String,
    /// `HOST`: the address on which the server listens.
    pub host: IpAddr,
    /// `PORT` of the server.
    pub port: u16,
    /// Whether `PORT` is set, and not the default.
    pub is_port_set: bool,
    /// `DRAIN_SECONDS`: the time between the signal to end and the end of accepting connections, in which
    /// `/readyz` is 503 already.
    pub drain: Duration,
    /// `DATABASE_URL`; `None` for a process that reads the copy of the event log alone.
    pub database_url: Option<String>,
    /// `DATABASE_LISTEN_URL`, for what needs a session of its own: `LISTEN` and migrations. `None` for the
    /// same as `DATABASE_URL`.
    pub database_listen_url: Option<String>,
    /// `DATABASE_POOL_SIZE`: most connections of one process.
    pub database_pool_size: usize,
    /// `DATABASE_CONNECT_TIMEOUT_MS`: longest wait for a connection.
    pub database_connect_wait: Duration,
    /// `EVENT_STORE=dynamodb`: the copy of the event log that streams and polls read; `None` for PostgreSQL.
    pub feed_copy: Option<FeedCopySettings>,
    /// `SECRET_KEY`: signs local tokens; other secrets are derived from it.
    pub secret_key: String,
    /// `HUB_SECRET_KEY`: verifies the Hub's tokens; without it single sign-on is off.
    pub hub_secret_key: Option<String>,
    /// The endpoint at which the Hub exchanges its codes for tokens; `None` if codes are not accepted.
    pub hub_token_endpoint: Option<TokenEndpoint>,
    /// `LOCAL_TOKEN_MAX_SECONDS`: the longest lifetime of a token of this service.
    pub local_token: Duration,
    /// `LOCAL_TOKEN_OUTLIVES_HUB`: whether it may be valid for longer than the Hub's token that it was issued
    /// for.
    pub local_token_outlives_hub: bool,
    /// `MESSENGER_SERVICE_TOKEN`.
    pub service_token: String,
    /// `MATRIX_HOMESERVER_URL`.
    pub homeserver_url: String,
    /// `MATRIX_AS_TOKEN`: authenticates this service to the homeserver.
    pub as_token: String,
    /// `MATRIX_HS_TOKEN`: authenticates the homeserver to this service.
    pub hs_token: String,
    /// `MATRIX_REGISTRATION_SECRET`: Synapse's `registration_shared_secret`, with which the administrator is
    /// registered. Conduit needs none.
    pub registration_secret: Option<String>,
    /// `METRICS_TOKEN`: the bearer token for `GET /metrics` in a process that clients reach; without it the
    /// path is not found there.
    pub metrics_token: Option<String>,
    /// `APPSERVICE_URL`: the address at which the homeserver reaches this service.
    pub appservice_url: String,
    /// `MAX_UPLOAD_BYTES`: the largest file that is accepted.
    pub max_upload_bytes: u64,
    /// `ALLOWED_ORIGINS`: the origins whose pages may call this service; `None` for all.
    pub allowed_origins: Option<Vec<String>>,
    /// `FRAME_ANCESTORS` and `ENVIRONMENT`: the web messenger.
    pub web: WebConfig,
    /// The origin of `PUBLIC_URL`, at which browsers reach the service; `None` if it is not set.
    pub public_origin: Option<String>,
    /// `BASE_PATH` and `SSE_MAX_SECONDS`: the paths of requests, the duration of streams, and the runtime.
    pub serving: ServingConfig,
    /// `LIMIT_…` and `TRUSTED_PROXIES`: the limits of a process for one client.
    pub limits: LimitConfig,
    /// `OTEL_…`: the export of traces.
    pub traces: TraceConfig,
    /// The settings of the use cases.
    pub settings: MessengerSettings,
    /// Warnings for the operator, which [`log_notices`](Self::log_notices) logs once.
    pub notices: Vec<String>,
}

/// `ENVIRONMENT`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Environment {
    Development,
    Production,
}

/// All errors of a configuration.
#[derive(Debug)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration is wrong:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the environment of the process.
    #[expect(clippy::disallowed_methods, reason = "this is the one place where configuration is read")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads variables from any source.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Env { variable: &variable, problems: Vec::new(), notices: Vec::new() };
        let environment = env.environment();
        let production = environment == Some(Environment::Production);
        let host = env.host();
        let secret_key = env.secret("SECRET_KEY").unwrap_or_else(|| DEFAULT_SECRET_KEY.to_owned());
        let derived = |name: &str| derive(&secret_key, name);
        let defaults = MessengerSettings::default();
        let settings = MessengerSettings {
            server_name: env.text("MATRIX_SERVER_NAME", &defaults.server_name),
            bot_localpart: env.text("MATRIX_BOT_LOCALPART", &defaults.bot_localpart),
            reserved_localparts: env.localparts("MATRIX_RESERVED_LOCALPARTS"),
            default_tenant: TenantId(env.number("DEFAULT_TENANT_ID", 1, i64::MIN, i64::MAX)),
            replay_max: env.number("REPLAY_MAX", defaults.replay_max, 1, 100_000),
            event_retention: Duration::from_hours(24 * env.number("EVENT_RETENTION_DAYS", 7, 1, 3650)),
            search_retention: Duration::from_hours(24 * env.number("SEARCH_RETENTION_DAYS", 365, 1, 3650)),
            time_zone: env.time_zone("TENANT_TIME_ZONE", &defaults.time_zone),
            app_version: app_version(env.optional("MESSENGER_REVISION").as_deref()),
            ..defaults
        };
        let feed_copy = env.feed_copy(settings.event_retention, derived("feed-copy"));
        let (log_level, port) = (env.log_level(), env.number("PORT", DEFAULT_PORT, 1, u16::MAX));
        // An environment of Lambda serves one request at a time.
        let pool_size = if env.is_on_lambda() { 2 } else { 16 };
        let databases = Databases::read(&mut env, environment, host, feed_copy.is_some());
        let mut config = Self {
            production,
            log_level,
            host,
            port,
            is_port_set: env.optional("PORT").is_some(),
            drain: Duration::from_secs(env.number("DRAIN_SECONDS", 0, 0, 300)),
            database_url: databases.url,
            database_listen_url: databases.listen_url,
            database_pool_size: env.number("DATABASE_POOL_SIZE", pool_size, 1, 1000),
            database_connect_wait: Duration::from_millis(env.number(
                "DATABASE_CONNECT_TIMEOUT_MS",
                700,
                50,
                60_000,
            )),
            feed_copy,
            local_token: Duration::from_secs(env.number(
                "LOCAL_TOKEN_MAX_SECONDS",
                12 * 3600,
                1,
                366 * 86_400,
            )),
            local_token_outlives_hub: env.choice("LOCAL_TOKEN_OUTLIVES_HUB", &["false", "true"]) == "true",
            service_token: env
                .secret("MESSENGER_SERVICE_TOKEN")
                .unwrap_or_else(|| DEFAULT_SERVICE_TOKEN.to_owned()),
            homeserver_url: env.url("MATRIX_HOMESERVER_URL", "http://conduit:6167"),
            registration_secret: env.secret("MATRIX_REGISTRATION_SECRET"),
            as_token: env.secret("MATRIX_AS_TOKEN").unwrap_or_else(|| derived("matrix-as-token")),
            hs_token: env.secret("MATRIX_HS_TOKEN").unwrap_or_else(|| derived("matrix-hs-token")),
            appservice_url: env.url("APPSERVICE_URL", "http://messenger-service-backend-1:8000"),
            max_upload_bytes: env.number("MAX_UPLOAD_BYTES", UPLOAD_MAX, 1, 1 << 40),
            allowed_origins: env.origins(production),
            web: WebConfig::read(&mut env, environment),
            public_origin: env.public_origin(),
            serving: ServingConfig::read(&mut env),
            limits: LimitConfig::read(&mut env),
            traces: TraceConfig::read(&mut env),
            hub_secret_key: env.secret("HUB_SECRET_KEY"),
            hub_token_endpoint: TokenEndpoint::read(&mut env),
            metrics_token: env.secret("METRICS_TOKEN"),
            secret_key,
            settings,
            notices: Vec::new(),
        };
        // Without `MATRIX_PUBLIC_URL`, other clients reach the homeserver at the same address as this
        // service.
        config.settings.public_homeserver_url = match env.optional("MATRIX_PUBLIC_URL") {
            Some(_) => env.url("MATRIX_PUBLIC_URL", ""),
            None => config.homeserver_url.clone(),
        };
        env.check_secrets(environment, &config);
        config.notices = env.notices;
        if env.problems.is_empty() { Ok(config) } else { Err(ConfigError(env.problems)) }
    }

    /// Returns the key of the marks on accounts that this service has made.
    pub fn account_key(&self) -> String {
        derive(&self.secret_key, "matrix-accounts")
    }

    /// Returns whether browsers reach the service by TLS: that of `PUBLIC_URL`, and without it whether this is
    /// production.
    pub fn is_behind_tls(&self) -> bool {
        self.public_origin.as_ref().map_or(self.production, |origin| origin.starts_with("https://"))
    }

    /// Logs the notices. Call it once, after logging has started.
    pub fn log_notices(&self) {
        self.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    }

    fn secrets(&self) -> Secrets {
        Secrets::of([
            ("SECRET_KEY", Some(self.secret_key.clone())),
            ("HUB_SECRET_KEY", self.hub_secret_key.clone()),
            (
                "HUB_CLIENT_SECRET",
                self.hub_token_endpoint.as_ref().and_then(|endpoint| endpoint.client_secret.clone()),
            ),
            ("MESSENGER_SERVICE_TOKEN", Some(self.service_token.clone())),
            ("MATRIX_AS_TOKEN", Some(self.as_token.clone())),
            ("MATRIX_HS_TOKEN", Some(self.hs_token.clone())),
            ("MATRIX_REGISTRATION_SECRET", self.registration_secret.clone()),
            ("METRICS_TOKEN", self.metrics_token.clone()),
        ])
    }

    /// Returns the password of the homeserver's administrator that bootstrapping sets.
    pub fn homeserver_admin_password(&self) -> String {
        derive(&self.secret_key, "homeserver-admin")
    }
}

/// Returns the version of the service, with the commit of its sources if that is known (Semantic Versioning,
/// "Build metadata").
fn app_version(revision: Option<&str>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match revision.filter(|revision| *revision != "unknown") {
        Some(revision) => format!("{version}+{revision}"),
        None => version.to_owned(),
    }
}

/// Derives a secret for a purpose (HMAC-SHA256 as in RFC 5869, expand).
fn derive(secret: &str, purpose: &str) -> String {
    // HMAC takes keys of any length.
    Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_or_else(
        |_| String::new(),
        |mut mac| {
            mac.update(purpose.as_bytes());
            mac.update(&[1]);
            hex::encode(mac.finalize().into_bytes())
        },
    )
}

struct Env<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
    notices: Vec<String>,
}

impl Env<'_> {
    fn optional(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    /// Reads a time zone of the IANA database, such as `Europe/Berlin`.
    fn time_zone(&mut self, name: &str, default: &TimeZone) -> TimeZone {
        let Some(value) = self.optional(name) else { return default.clone() };
        TimeZone::get(&value).unwrap_or_else(|_| {
            self.problems.push(format!(
                "{name} is `{value}`, must be a time zone of the IANA database, such as Europe/Berlin or UTC"
            ));
            default.clone()
        })
    }

    /// Reads `LOG_LEVEL`: a level, or directives as in `info,messenger_core=debug`.
    fn log_level(&mut self) -> String {
        let value = self.text("LOG_LEVEL", "info");
        let level = log_level::parse(&value);
        if level.is_none() {
            self.problems.push(format!(
                "LOG_LEVEL is `{value}`, must be off, error, warning, info, debug or trace, or directives as in \
                 info,messenger_core=debug"
            ));
        }
        level.unwrap_or_default()
    }

    /// Reads `ENVIRONMENT`; `None` if it is not set.
    fn environment(&mut self) -> Option<Environment> {
        self.optional("ENVIRONMENT")?;
        let chosen = self.choice("ENVIRONMENT", &["development", "production"]);
        Some(if chosen == "production" { Environment::Production } else { Environment::Development })
    }

    /// Reads `HOST`, the address on which the server listens. The default is all addresses.
    fn host(&mut self) -> IpAddr {
        const ALL: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let Some(value) = self.optional("HOST") else { return ALL };
        if value.eq_ignore_ascii_case("localhost") {
            return IpAddr::V4(Ipv4Addr::LOCALHOST);
        }
        value.trim_start_matches('[').trim_end_matches(']').parse().unwrap_or_else(|_| {
            self.problems.push(format!(
                "HOST is `{value}`, must be an address of this machine: 0.0.0.0 or :: for all, 127.0.0.1 for none but \
                 this machine itself"
            ));
            ALL
        })
    }

    /// Checks all secrets together. Without `ENVIRONMENT`, a service that others reach refuses published
    /// secrets.
    fn check_secrets(&mut self, environment: Option<Environment>, config: &Config) {
        if config.hub_secret_key.as_ref() == Some(&config.secret_key)
            && !config.secret_key.is_empty()
            && environment != Some(Environment::Production)
        {
            self.problems
                .push("HUB_SECRET_KEY and SECRET_KEY must differ: each side's tokens are its own".to_owned());
        }
        let policy = match environment {
            Some(Environment::Production) => Policy::Strong,
            None if self.is_public(config.host) => Policy::Unpublished,
            Some(Environment::Development) | None => Policy::Any,
        };
        let secrets = config.secrets();
        let refused = secrets.problems(policy);
        if policy == Policy::Unpublished {
            if refused.is_empty() {
                let weak = secrets.weaknesses().into_iter();
                self.notices.extend(weak.map(|line| format!("{REFUSED}: {line}")));
            } else {
                self.problems.push(format!(
                    "ENVIRONMENT is not set, and the service is open to others (HOST is {}): published secrets need \
                     ENVIRONMENT=development or HOST=127.0.0.1",
                    config.host
                ));
            }
        }
        self.problems.extend(refused);
    }

    /// Returns whether others may call the service. On Lambda no address is bound, and any client may call.
    fn is_public(&self, host: IpAddr) -> bool {
        !host.to_canonical().is_loopback() || self.is_on_lambda()
    }

    /// Returns whether the Lambda runtime started this process.
    fn is_on_lambda(&self) -> bool {
        self.optional("AWS_LAMBDA_RUNTIME_API").is_some()
    }

    fn choice(&mut self, name: &str, choices: &[&str]) -> String {
        let value = self.text(name, choices.first().unwrap_or(&""));
        if !choices.contains(&value.as_str()) {
            self.problems.push(format!("{name} is `{value}`, must be one of: {}", choices.join(", ")));
        }
        value
    }

    fn number<T: std::str::FromStr + PartialOrd + fmt::Display + Copy>(
        &mut self,
        name: &str,
        default: T,
        least: T,
        most: T,
    ) -> T {
        let Some(value) = self.optional(name) else { return default };
        match value.parse() {
            Ok(number) if number >= least && number <= most => number,
            _ => {
                self.problems
                    .push(format!("{name} is `{value}`, must be a whole number from {least} to {most}"));
                default
            }
        }
    }

    fn url(&mut self, name: &str, default: &str) -> String {
        let value = self.text(name, default);
        let good = value
            .parse::<http::Uri>()
            .is_ok_and(|uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")));
        if !good {
            self.problems.push(format!("{name} is `{value}`, must be an http:// or https:// URL"));
        }
        value.trim_end_matches('/').to_owned()
    }

    /// Reads localparts of Matrix ids, with commas between them.
    fn localparts(&mut self, name: &str) -> Vec<String> {
        let list = self.optional(name).unwrap_or_default();
        let names = list.split(',').map(str::trim).filter(|one| !one.is_empty());
        let names: Vec<_> = names.map(str::to_owned).collect();
        let is_one = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._=-/+".contains(c);
        for wrong in names.iter().filter(|one| !one.chars().all(is_one)) {
            self.problems.push(format!(
                "{name} has `{wrong}`, must have localparts (a-z, 0-9, . _ = - / +) with commas between them"
            ));
        }
        names
    }
}
