//! Checks the rules for services of ours in the Compose file: hardened, limited, watched, in order, and with
//! secrets as files only.
use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::super::source::Source;
use super::LOCAL;

/// The beginning of the names of our images.
const OURS: &str = "messenger-service/";
/// The services that run once: they end, so they have neither a health check nor a restart.
const ONE_OFF: [&str; 1] = ["setup"];
/// The capabilities that a service of ours may add.
const ADDED: [(&str, &str); 1] = [("edge", "NET_BIND_SERVICE")];
/// The services without a health check: their images have no program for it.
const WITHOUT_CHECK: [&str; 1] = ["conduit"];
/// The name by which satellites and the homeserver reach the router.
const BACKEND: &str = "messenger-service-backend-1";
/// The endings of variables with a secret in them.
const SECRETS: [&str; 6] = ["_KEY", "_TOKEN", "_SECRET", "PASSWORD", "DATABASE_URL", "DATABASE_LISTEN_URL"];
/// The beginning of variables whose names end in the same way and are numbers.
const NUMBERS: &str = "LIMIT_";

/// The Compose file.
struct Compose<'a> {
    text: &'a str,
    services: &'a Map<String, Value>,
    /// The names of the top-level secrets.
    secrets: BTreeSet<&'a str>,
}

/// Returns each violation as `path:line: message`.
pub(super) fn violations(sources: &[Source]) -> Result<Vec<String>> {
    let source = sources.iter().find(|source| source.path == LOCAL);
    let text = source.map(|source| source.text.as_str()).with_context(|| format!("{LOCAL} is missing"))?;
    let file: Value = serde_saphyr::from_str(text).with_context(|| format!("reading {LOCAL}"))?;
    let services = file["services"].as_object().with_context(|| format!("{LOCAL} has no services"))?;
    let secrets = file["secrets"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let compose = Compose { text, services, secrets };
    let mut found: Vec<_> =
        services.iter().flat_map(|(name, service)| compose.of_service(name, service)).collect();
    found.extend(compose.of_programs(&programs(sources)));
    Ok(found)
}

/// Returns the names of all programs.
pub(super) fn programs(sources: &[Source]) -> BTreeSet<&str> {
    let paths = sources.iter().filter_map(|source| source.path.strip_prefix("functions/"));
    paths.filter_map(|path| path.split_once('/')).map(|(name, _)| name).collect()
}

impl Compose<'_> {
    fn of_service(&self, name: &str, service: &Value) -> Vec<String> {
        let is_ours = service["image"].as_str().is_some_and(|image| image.starts_with(OURS));
        let is_one_off = ONE_OFF.contains(&name);
        let added = texts(&service["cap_add"]);
        let may_add = |one: &str| ADDED.contains(&(name, one));
        let is_checked = service["healthcheck"]["disable"] != true;
        let checks = [
            (service["read_only"] == true, "is not `read_only`"),
            (
                texts(&service["tmpfs"]).iter().any(|path| is_tmp(path, is_ours)),
                "has no tmpfs /tmp of its user",
            ),
            (texts(&service["cap_drop"]) == ["ALL"], "does not drop all capabilities"),
            (added.iter().all(|one| may_add(one)), "adds a capability"),
            (has(&service["security_opt"], "no-new-privileges:true"), "may get new privileges"),
            (service["mem_limit"].is_string(), "has no `mem_limit`"),
            (service["restart"] == if is_one_off { "no" } else { "unless-stopped" }, "has another `restart`"),
            (service["logging"]["options"]["max-size"].is_string(), "has a log without a limit"),
            (!is_ours || is_one_off || is_checked, "has no health check"),
        ];
        let failed = checks.iter().filter(|(holds, _)| !holds).map(|(_, what)| (*what).to_owned());
        let all = failed.chain(self.of_order(service)).chain(self.of_secrets(service));
        all.map(|what| self.violation(name, &what)).collect()
    }

    /// Returns what is wrong with the order of starts.
    fn of_order<'a>(&'a self, service: &'a Value) -> impl Iterator<Item = String> {
        let depends_on = service["depends_on"].as_object().into_iter().flatten();
        depends_on.filter_map(|(other, how)| {
            let expected = match other.as_str() {
                one_off if ONE_OFF.contains(&one_off) => "service_completed_successfully",
                other if WITHOUT_CHECK.contains(&other) => "service_started",
                _ => "service_healthy",
            };
            let holds = how["condition"] == expected && self.services.contains_key(other);
            (!holds).then(|| format!("waits for {other} with another condition than {expected}"))
        })
    }

    /// Returns what is wrong with the secrets.
    fn of_secrets<'a>(&'a self, service: &'a Value) -> impl Iterator<Item = String> {
        let given = texts(&service["secrets"]);
        let undefined: Vec<_> = given.iter().filter(|name| !self.secrets.contains(**name)).copied().collect();
        let undefined =
            undefined.into_iter().map(|name| format!("has the secret {name}, which is not defined"));
        let environment = service["environment"].as_object().into_iter().flatten();
        let wrong = environment.filter_map(move |(name, value)| {
            if !name.ends_with("_FILE") {
                return is_secret(name).then(|| format!("has the secret {name} in its environment"));
            }
            let file = value.as_str().unwrap_or_default().strip_prefix("/run/secrets/");
            let is_given = file.is_some_and(|file| given.contains(&file));
            (!is_given).then(|| format!("has {name}, but not that secret"))
        });
        undefined.chain(wrong)
    }

    /// Returns what is wrong with the programs as a whole.
    fn of_programs(&self, programs: &BTreeSet<&str>) -> Vec<String> {
        let router = self.services.get("router").unwrap_or(&Value::Null);
        let worker = self.services.get("worker").unwrap_or(&Value::Null);
        let mut found = Vec::new();
        for program in programs {
            let image = format!("{OURS}{program}:${{MESSENGER_VERSION:-dev}}");
            if !self.services.values().any(|service| service["image"] == image.as_str()) {
                found.push(format!("{LOCAL}:1: no service has the image {image}"));
            }
        }
        for function in programs.iter().filter(|program| !["router", "worker"].contains(program)) {
            let variable = format!("UPSTREAM_{}", function.to_uppercase());
            if router["environment"][&variable] != format!("http://{function}:8000").as_str() {
                found.push(self.violation("router", &format!("has no {variable}=http://{function}:8000")));
            }
            if router["depends_on"][function].is_null() {
                found.push(self.violation("router", &format!("does not wait for {function}")));
            }
        }
        if router["container_name"] != BACKEND || !has(&router["networks"], "hub_satellite_net") {
            found.push(self.violation("router", &format!("is not {BACKEND} in hub_satellite_net")));
        }
        if worker["scale"].as_u64().is_none_or(|copies| copies < 2) {
            found.push(self.violation("worker", "has no second copy, which goes on if the first one ends"));
        }
        found
    }

    fn violation(&self, service: &str, what: &str) -> String {
        let begin = format!("  {service}:");
        let line = self.text.lines().position(|line| line == begin).map_or(1, |line| line + 1);
        format!("{LOCAL}:{line}: {service} {what}")
    }
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn has(list: &Value, text: &str) -> bool {
    texts(list).contains(&text)
}

/// Returns whether an entry of `tmpfs`, as in `/tmp:size=64m`, is /tmp. In our images it belongs to their user: they
/// have no such folder, and runc gives it the mode 0755 when a container is started again.
fn is_tmp(entry: &str, is_ours: bool) -> bool {
    let (path, options) = entry.split_once(':').unwrap_or((entry, ""));
    path == "/tmp" && (!is_ours || options.split(',').any(|option| option == "uid=65532"))
}

fn is_secret(variable: &str) -> bool {
    !variable.starts_with(NUMBERS) && SECRETS.iter().any(|end| variable.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A correct Compose file of a service with one function.
    const GOOD: &str = r#"
x-hardened: &hardened
  read_only: true
  tmpfs: ["/tmp:size=9m,uid=65532"]
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  restart: unless-stopped
  mem_limit: 128m
  logging: { options: { max-size: 10m } }
services:
  setup:
    <<: *hardened
    image: messenger-service/worker:${MESSENGER_VERSION:-dev}
    restart: "no"
    healthcheck: { disable: true }
  worker:
    <<: *hardened
    image: messenger-service/worker:${MESSENGER_VERSION:-dev}
    scale: 2
    depends_on: { setup: { condition: service_completed_successfully } }
  rooms:
    <<: *hardened
    image: messenger-service/rooms:${MESSENGER_VERSION:-dev}
    environment: { SECRET_KEY_FILE: /run/secrets/key, LIMIT_NOTIFICATIONS_PER_TOKEN: "0" }
    secrets: [key]
  router:
    <<: *hardened
    image: messenger-service/router:${MESSENGER_VERSION:-dev}
    container_name: messenger-service-backend-1
    environment: { UPSTREAM_ROOMS: "http://rooms:8000" }
    networks: [default, hub_satellite_net]
    depends_on: { rooms: { condition: service_healthy } }
secrets:
  key: { file: .secrets/key }
"#;

    fn found(text: &str) -> Vec<String> {
        let programs = ["rooms", "router", "worker"].map(|name| format!("functions/{name}/Cargo.toml"));
        let programs = programs.iter().map(|path| Source::new(path, ""));
        let sources: Vec<_> = programs.chain([Source::new(LOCAL, text)]).collect();
        violations(&sources).unwrap()
    }

    #[test]
    fn a_file_that_follows_the_rules_passes() {
        assert_eq!(found(GOOD), [""; 0]);
    }

    #[test]
    fn a_service_that_breaks_a_rule_is_named_with_its_line() {
        let with = |line: &str| format!("    {line}\n    secrets: [key]");
        for (from, to, service, message) in [
            ("    secrets: [key]", with("read_only: false").as_str(), "rooms", "is not `read_only`"),
            ("    secrets: [key]", &with("tmpfs: [/run]"), "rooms", "has no tmpfs /tmp of its user"),
            ("    secrets: [key]", &with("tmpfs: [/tmp]"), "rooms", "has no tmpfs /tmp of its user"),
            ("    secrets: [key]", &with("cap_add: [CHOWN]"), "rooms", "adds a capability"),
            ("    secrets: [key]", &with("restart: always"), "rooms", "has another `restart`"),
            ("    secrets: [key]", "", "rooms", "has SECRET_KEY_FILE, but not that secret"),
            (
                "SECRET_KEY_FILE: /run/secrets/key",
                "SECRET_KEY: x",
                "rooms",
                "has the secret SECRET_KEY in its environment",
            ),
            ("  key: {", "  other: {", "rooms", "has the secret key, which is not defined"),
            ("    scale: 2\n", "", "worker", "has no second copy, which goes on if the first one ends"),
            (
                "service_completed_successfully",
                "service_started",
                "worker",
                "waits for setup with another condition than service_completed_successfully",
            ),
            (
                "\"http://rooms:8000\"",
                "\"http://rooms\"",
                "router",
                "has no UPSTREAM_ROOMS=http://rooms:8000",
            ),
            ("backend-1", "backend-2", "router", "is not messenger-service-backend-1 in hub_satellite_net"),
        ] {
            let changed = GOOD.replacen(from, to, 1);
            let line = changed.lines().position(|line| line == format!("  {service}:")).unwrap() + 1;
            assert_eq!(found(&changed), [format!("{LOCAL}:{line}: {service} {message}")]);
        }
    }

    #[test]
    fn a_program_without_a_service_is_refused() {
        let without = GOOD.replace("messenger-service/rooms:", "messenger-service/room:");
        assert_eq!(
            found(&without),
            [format!(
                "{LOCAL}:1: no service has the image messenger-service/rooms:${{MESSENGER_VERSION:-dev}}"
            )]
        );
    }
}
