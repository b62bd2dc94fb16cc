//! `.env.sample` and `docker-compose.local.yml` have the variables that the configuration reads, no others.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use std::{cell::RefCell, collections::BTreeSet, fs, path::PathBuf};

use messenger_runtime::Config;

/// Variables that the OpenTelemetry SDK reads itself.
const OF_SDK: [&str; 8] = [
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
];
/// Variables of the Lambda runtime.
const OF_LAMBDA: &str = "AWS_LAMBDA_";
/// Variables that containers do not need: the images set names and revision, and the defaults of the others fit.
const NOT_IN_CONTAINERS: [&str; 4] = ["HOST", "PORT", "OTEL_SERVICE_NAME", "MESSENGER_REVISION"];
/// Programs that no `UPSTREAM_…` names.
const WITHOUT_UPSTREAM: [&str; 2] = ["router", "worker"];

type Names = BTreeSet<String>;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("it is read")
}

/// Returns the variables that a program reads, by reading configurations that take every way.
fn read_by_programs() -> Names {
    let names = RefCell::new(BTreeSet::new());
    let sampled = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("http://collector:4318".to_owned()),
        "OTEL_TRACES_SAMPLER" => Some("traceidratio".to_owned()),
        _ => None,
    };
    for answers in [false, true] {
        let _ = Config::read(|name| {
            names.borrow_mut().insert(name.to_owned());
            sampled(name).filter(|_| answers)
        });
    }
    let mut names = names.into_inner();
    names.retain(|name| !name.starts_with(OF_LAMBDA));
    names.extend(OF_SDK.map(str::to_owned));
    names.extend(upstreams());
    names
}

/// Returns the variables of the router, which are those of the other functions and one time limit.
fn upstreams() -> Names {
    let folders = fs::read_dir(root().join("functions")).expect("the functions");
    let names = folders.map(|folder| folder.expect("a folder").file_name().to_string_lossy().into_owned());
    let functions = names.filter(|name| !WITHOUT_UPSTREAM.contains(&name.as_str()));
    let mut variables: Names = functions.map(|name| format!("UPSTREAM_{}", name.to_uppercase())).collect();
    variables.insert("UPSTREAM_TIMEOUT_SECONDS".to_owned());
    variables
}

/// Returns the variables that a Compose file takes from `.env`, as in `${NAME:-default}`.
fn interpolated(path: &str) -> Names {
    let text = text(path);
    let begins = text.split("${").skip(1);
    begins.map(|rest| rest.chars().take_while(|next| is_of_name(*next)).collect()).collect()
}

/// Returns the variables that a Compose file gives to containers of this service.
fn given_to_containers() -> Names {
    let text = text("docker-compose.local.yml");
    let lines = text.lines().filter_map(|line| line.trim_start().split_once(':'));
    let names = lines.map(|(name, _)| name.to_owned());
    names.filter(|name| !name.is_empty() && name.chars().all(is_of_name)).collect()
}

fn is_of_name(next: char) -> bool {
    next.is_ascii_uppercase() || next.is_ascii_digit() || next == '_'
}

#[test]
fn the_sample_lists_each_variable_that_is_read_once_and_no_other() {
    let sample = text(".env.sample");
    let settings = sample.lines().filter_map(|line| line.strip_prefix('#').unwrap_or(line).split_once('='));
    let listed: Vec<_> = settings.map(|(name, _)| name).filter(|name| name.chars().all(is_of_name)).collect();
    let names: Names = listed.iter().copied().map(str::to_owned).collect();
    assert_eq!(listed.len(), names.len(), "each stands there once");
    let mut read = read_by_programs();
    for path in ["docker-compose.local.yml", "docker-compose.hub.yml"] {
        read.extend(interpolated(path));
    }
    assert_eq!(names.difference(&read).collect::<Vec<_>>(), [""; 0], "listed, but not read");
    assert_eq!(read.difference(&names).collect::<Vec<_>>(), [""; 0], "read, but not listed");
}

#[test]
fn containers_can_be_given_each_variable_and_secrets_come_from_files() {
    let (given, read) = (given_to_containers(), read_by_programs());
    let is_secret = |name: &String| read.contains(&format!("{name}_FILE"));
    let in_plain_text: Vec<_> = given.iter().filter(|name| is_secret(name)).collect();
    assert_eq!(in_plain_text, [""; 0]);
    let is_a_file = |name: &String| name.strip_suffix("_FILE").is_some_and(|of| read.contains(of));
    let settings = read.iter().filter(|name| !is_secret(name) && !is_a_file(name));
    let missing: Vec<_> = settings
        .filter(|name| !given.contains(*name) && !NOT_IN_CONTAINERS.contains(&name.as_str()))
        .collect();
    assert_eq!(missing, [""; 0], "docker-compose.local.yml does not pass it on");
}
