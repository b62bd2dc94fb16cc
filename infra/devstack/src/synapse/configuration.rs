//! The configuration files of Synapse. They are JSON, which is also YAML.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::Options;
use crate::home::{read_or_create, secret};

/// The name of the main file in the data directory.
pub(super) const FILE: &str = "homeserver.yaml";
/// The name of the log file in the data directory.
pub(super) const LOG: &str = "homeserver.log";

/// Rate limits that slow down tests and benchmarks, with their parts.
const RATES: [(&str, &[&str]); 11] = [
    ("rc_message", &[]),
    ("rc_registration", &[]),
    ("rc_admin_redaction", &[]),
    ("rc_joins_per_room", &[]),
    ("rc_third_party_invite", &[]),
    ("rc_media_create", &[]),
    ("rc_room_creation", &[]),
    ("rc_login", &["address", "account", "failed_attempts"]),
    ("rc_joins", &["local", "remote"]),
    ("rc_invites", &["per_room", "per_user", "per_issuer"]),
    ("rc_presence", &["per_user"]),
];

/// Writes all files. Returns the secret for registering users.
pub(super) fn write(options: &Options, port: u16) -> Result<String> {
    let directory = &options.directory;
    fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    let registrations = registrations(options)?;
    let registration_secret = read_or_create(&directory.join("registration.secret"), secret)?;
    read_or_create(&directory.join("macaroon.secret"), secret)?;
    read_or_create(&directory.join("form.secret"), secret)?;
    read_or_create(&directory.join("signing.key"), signing_key)?;
    store(&directory.join("log.yaml"), &log(options))?;
    store(&directory.join(FILE), &homeserver(options, port, &registrations))?;
    Ok(registration_secret)
}

fn homeserver(options: &Options, port: u16, registrations: &[PathBuf]) -> Value {
    let file = |name: &str| options.directory.join(name);
    let mut settings = json!({
        "server_name": options.server_name,
        "public_baseurl": format!("http://127.0.0.1:{port}/"),
        "listeners": [{
            "type": "http",
            "port": port,
            "bind_addresses": ["127.0.0.1"],
            "resources": [{ "names": ["client"], "compress": false }],
        }],
        "pid_file": file("homeserver.pid"),
        "log_config": file("log.yaml"),
        "database": { "name": "sqlite3", "args": { "database": file("homeserver.db") } },
        "media_store_path": file("media"),
        "max_upload_size": "50M",
        "signing_key_path": file("signing.key"),
        "registration_shared_secret_path": file("registration.secret"),
        "macaroon_secret_key_path": file("macaroon.secret"),
        "form_secret_path": file("form.secret"),
        "app_service_config_files": registrations,
        "enable_registration": false,
        // The lowest number of bcrypt: logins take milliseconds. All accounts are for development.
        "bcrypt_rounds": 4,
        "presence": { "enabled": false },
        "url_preview_enabled": false,
        "federation_domain_whitelist": [],
        "trusted_key_servers": [],
        "suppress_key_server_warning": true,
        "report_stats": false,
        "caches": { "global_factor": 0.5 },
    });
    if let Value::Object(settings) = &mut settings {
        settings.extend(rates());
    }
    settings
}

fn rates() -> Map<String, Value> {
    let unlimited = json!({ "per_second": 100_000, "burst_count": 100_000 });
    let rate = |parts: &[&str]| match parts {
        [] => unlimited.clone(),
        parts => parts.iter().map(|part| ((*part).to_owned(), unlimited.clone())).collect(),
    };
    RATES.iter().map(|(name, parts)| ((*name).to_owned(), rate(parts))).collect()
}

fn log(options: &Options) -> Value {
    json!({
        "version": 1,
        "disable_existing_loggers": false,
        "formatters": { "line": { "format": "%(asctime)s %(levelname)s %(name)s %(message)s" } },
        "handlers": { "stderr": { "class": "logging.StreamHandler", "formatter": "line" } },
        "root": { "level": options.log_level, "handlers": ["stderr"] },
    })
}

fn registrations(options: &Options) -> Result<Vec<PathBuf>> {
    let file = |number: usize| options.directory.join(format!("appservice-{number}.yaml"));
    let texts = options.registrations.iter().enumerate();
    texts
        .map(|(number, text)| fs::write(file(number), text).map(|()| file(number)).map_err(Into::into))
        .collect()
}

/// Returns an Ed25519 seed as Synapse stores it: algorithm, version, Base64 without padding.
fn signing_key() -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |byte: u8| char::from(DIGITS[usize::from(byte % 64)]);
    let seed: String = rand::random::<[u8; 42]>().into_iter().map(digit).collect();
    // 32 bytes are 42 digits and four bits, which are zero here.
    format!("ed25519 a_dev {seed}A")
}

fn store(path: &Path, content: &Value) -> Result<()> {
    fs::write(path, format!("{content:#}\n")).with_context(|| format!("writing {}", path.display()))
}
