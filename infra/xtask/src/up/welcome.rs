//! The message after the start: addresses, a token and examples.
use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use messenger_devstack::home::{read_or_create, secret};
use messenger_devstack::{OutputQueue, Postgres, Synapse};

use super::readable;
use super::settings::UpSettings;
use super::stack::Stack;
use crate::terminal::Style;
use crate::token;

/// The user of the examples.
const USER: &str = "mueller";
const NAME: &str = "Max Müller";
/// The longest wait for the worker.
const PROVISIONED_IN: Duration = Duration::from_mins(2);

pub(super) async fn show(stack: &Stack, settings: &UpSettings) -> Result<()> {
    let token = token(settings)?;
    let login = match &stack.synapse {
        Some(synapse) => Some(login(synapse, settings, &token).await?),
        None => None,
    };
    OutputQueue::stdout().write(format!("{}\n", text(stack, settings, &token, login.as_deref())?));
    Ok(())
}

/// Returns the login of the user for other Matrix clients. The password stays the same from start to start.
async fn login(synapse: &Synapse, settings: &UpSettings, token: &str) -> Result<String> {
    wait_until_provisioned(&settings.url(), token).await?;
    let password = read_or_create(&settings.directory.join("matrix-password"), || secret()[..16].to_owned())?;
    synapse.accounts().set_password(USER, &password).await?;
    Ok(format!("@{USER}:{} with the password {password}, in any Matrix client", settings.server_name))
}

/// Has the user provisioned, and waits until they are in a room. The homeserver would make the account of a
/// password that is set before, and the service uses no account that it has not made.
async fn wait_until_provisioned(url: &str, token: &str) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let begun = Instant::now();
    while begun.elapsed() < PROVISIONED_IN {
        let response = client.get(format!("{url}/api/v1/rooms")).bearer_auth(token).send().await?;
        ensure!(response.status() == 200, "GET /api/v1/rooms answered {}", response.status());
        let answer: serde_json::Value = serde_json::from_slice(&response.bytes().await?)?;
        if answer["rooms"].as_array().is_some_and(|rooms| !rooms.is_empty()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("{USER} is in no room after {} s: see the lines of the worker", PROVISIONED_IN.as_secs())
}

fn text(stack: &Stack, settings: &UpSettings, token: &str, login: Option<&str>) -> Result<String> {
    let (style, url) = (Style::of_stdout(), settings.url());
    let mut text = String::new();
    let mut row =
        |name: &str, value: &str| writeln!(text, "  {} {value}", style.bold(&format!("{name:<11}")));
    row("Service", &url)?;
    row("Homeserver", &format!("{} ({})", stack.homeserver_url(settings), settings.server_name))?;
    row("PostgreSQL", &stack.database_url(settings))?;
    row("Data, logs", &readable(&settings.directory))?;
    let postgres = stack.postgres.as_ref().map(Postgres::directory);
    if let Some(directory) = postgres.filter(|directory| !directory.starts_with(&settings.directory)) {
        row("", &format!("{} (PostgreSQL)", directory.display()))?;
    }
    if let Some(login) = login {
        row("Matrix", login)?;
    }
    let mut example = |title: &str, line: &str| writeln!(text, "\n{}\n{line}", style.bold(title));
    example(
        &format!("A token of {NAME}, user of tenant 1, for 12 hours (others: cargo xtask token --help)"),
        token,
    )?;
    example("The event stream of this user", &format!("curl -N '{url}/api/v1/events/stream?token={token}'"))?;
    example("A notification", &notification(settings))?;
    example(
        "The environment of a satellite",
        &format!("export MESSENGER_SERVICE_URL={url} MESSENGER_SERVICE_TOKEN='{}'", settings.service_token),
    )?;
    writeln!(text, "\n{}", style.dim("Ctrl-C stops everything; the next start finds all data again."))?;
    Ok(format!("\n{text}"))
}

fn notification(settings: &UpSettings) -> String {
    format!(
        "curl -sS -X POST '{}/api/v1/notifications/send' -H 'X-Service-Token: {}' -H 'Content-Type: application/json' \
         -d '{{\"source_app\":\"demo\",\"event_type\":\"hello\",\"title\":\"Hello from curl\"}}'",
        settings.url(),
        settings.service_token,
    )
}

fn token(settings: &UpSettings) -> Result<String> {
    token::sign(&token::Arguments {
        sub: USER.to_owned(),
        name: Some(NAME.to_owned()),
        role: "user".to_owned(),
        tenant: 1,
        hours: 12,
        key: settings.hub_secret_key.clone(),
    })
}
