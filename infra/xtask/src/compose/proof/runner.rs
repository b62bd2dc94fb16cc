//! Runs the tests of the whole service in a container of the deployment's networks.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail, ensure};
use messenger_devstack::engine::BASES;
use messenger_devstack::home::workspace;
use messenger_devstack::process::{Output, Process};
use messenger_devstack::{Home, OutputQueue, lock};
use serde_json::Value;

use super::super::control::{Control, Controlled, HOST};
use super::super::project::Project;

/// The network of the Hub's satellites.
const NETWORK: &str = "hub_satellite_net";
/// The certificate of the edge's own authority, in the volume of the edge.
const AUTHORITY: &str = "/var/lib/edge/caddy/pki/authorities/local/root.crt";
/// The places of the test programs and of that certificate in the container.
const PROGRAMS: &str = "/programs";
const CERTIFICATE: &str = "/authority.crt";
/// The begin of the line of a test that a deployment cannot run.
const SKIPPED: &str = "skipped: ";

/// The tests, and the way in which they reach the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// All end-to-end tests, through the router.
    Router,
    /// The tests of streams and polls, through the edge with TLS.
    Edge,
    /// The tests of the deployment itself.
    Deployment,
}

impl Target {
    pub(super) const ALL: [Self; 3] = [Self::Router, Self::Edge, Self::Deployment];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Router => "End-to-end tests through the router",
            Self::Edge => "Streams through the edge with TLS",
            Self::Deployment => "Containers come and go under load",
        }
    }

    /// Returns the name of the test program.
    fn program(self) -> &'static str {
        if self == Self::Deployment { "deployment" } else { "end_to_end" }
    }
}

/// The results of the tests.
#[derive(Clone, Debug, Default)]
pub(super) struct Tests {
    /// The tests that passed for the harness, which are also those that were skipped.
    succeeded: u32,
    pub(super) failed: u32,
    /// The tests that a deployment cannot run, each with its reason.
    pub(super) skipped: Vec<String>,
}

/// The built test programs, by their names.
pub(super) struct Runner<'a> {
    controlled: &'a Arc<Controlled>,
    control: &'a Control,
    programs: BTreeMap<&'static str, PathBuf>,
    authority: PathBuf,
}

impl<'a> Runner<'a> {
    /// Builds the test programs, and takes the certificate of the edge.
    pub(super) async fn build(controlled: &'a Arc<Controlled>, control: &'a Control) -> Result<Self> {
        let authority = Home::default().path("compose-test/authority.crt");
        let edge = controlled.project.containers("edge").await?;
        let from = format!("{}:{AUTHORITY}", edge[0]);
        let to = authority.to_string_lossy().into_owned();
        controlled.project.engine.output(&["cp", &from, &to]).await.context("taking the edge's authority")?;
        Ok(Self { controlled, control, programs: test_programs().await?, authority })
    }

    /// Runs the tests one after the other, since each one empties the deployment, and counts them in `tests`.
    /// Returns whether their program succeeded.
    pub(super) async fn run(
        &self,
        target: Target,
        filter: &[String],
        tests: Arc<Mutex<Tests>>,
    ) -> Result<bool> {
        let project = &self.controlled.project;
        let program = &self.programs[target.program()];
        let names = names(program, target, filter).await?;
        if names.is_empty() {
            return Ok(true);
        }
        let container = self.create(project, target, program, &names).await?;
        let default = format!("{}_default", project.name);
        project.engine.output(&["network", "connect", &default, &container]).await?;
        let sink = move |line: &str| {
            OutputQueue::stdout().write(format!("{line}\n"));
            lock(&tests).count(line);
        };
        let launch = project.engine.docker(["start", "--attach", &container]);
        let process = Process::spawn(launch.output(Output::Lines(Arc::new(sink))))?;
        let status = process.ended().await;
        project.engine.output(&["rm", "--force", &container]).await?;
        Ok(status.success())
    }

    async fn create(
        &self,
        project: &Project,
        target: Target,
        program: &Path,
        names: &[String],
    ) -> Result<String> {
        let directory = program.parent().unwrap_or(Path::new("/")).display().to_string();
        let url = match target {
            Target::Edge => "https://edge:8085",
            Target::Router | Target::Deployment => "http://messenger-service-backend-1:8000",
        };
        let homeserver = if project.conduit.is_some() { "conduit" } else { "synapse" };
        let variables = [
            ("MESSENGER_TESTS_CONTROL", self.control.url()),
            ("MESSENGER_TESTS_URL", url.to_owned()),
            ("MESSENGER_TESTS_HOMESERVER", homeserver.to_owned()),
            ("MESSENGER_TESTS_CA", CERTIFICATE.to_owned()),
            ("MESSENGER_TESTS_HUB_SECRET_KEY", project.secrets.hub_secret_key.clone()),
            ("MESSENGER_TESTS_SERVICE_TOKEN", project.secrets.service_token.clone()),
            ("MESSENGER_TESTS_SECRET_KEY", project.secrets.secret_key.clone()),
            ("RUST_BACKTRACE", "0".to_owned()),
        ];
        let mut words = vec!["create".to_owned(), "--network".to_owned(), NETWORK.to_owned()];
        words.extend(["--tmpfs".to_owned(), "/tmp".to_owned(), "--user".to_owned(), "0:0".to_owned()]);
        words.extend(["--add-host".to_owned(), format!("{HOST}:host-gateway")]);
        words.extend(["--label".to_owned(), format!("com.docker.compose.project={}", project.name)]);
        words.extend(["--volume".to_owned(), format!("{directory}:{PROGRAMS}:ro")]);
        words.extend(["--volume".to_owned(), format!("{}:{CERTIFICATE}:ro", self.authority.display())]);
        for (name, value) in variables {
            words.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        let file = program.file_name().unwrap_or_default().to_string_lossy();
        words.extend([BASES[0].name.to_owned(), format!("{PROGRAMS}/{file}")]);
        // Without capture, a failure stands beside its test, and measurements are printed.
        words.extend(["--test-threads=1", "--color=never", "--nocapture", "--exact"].map(str::to_owned));
        words.extend_from_slice(names);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        project.engine.output(&words).await
    }
}

/// Returns the tests of a program that belong to a target and whose name contains one of these.
async fn names(program: &Path, target: Target, filter: &[String]) -> Result<Vec<String>> {
    let mut names = list(program).await?;
    names.retain(|name| {
        let is_of_target =
            target != Target::Edge || ["streams::", "polling::"].iter().any(|begin| name.starts_with(begin));
        is_of_target && (filter.is_empty() || filter.iter().any(|part| name.contains(part)))
    });
    Ok(names)
}

/// Returns the names of all tests of a program.
async fn list(program: &Path) -> Result<Vec<String>> {
    let mut command = tokio::process::Command::new(program);
    let output = command.args(["--list", "--format", "terse"]).output().await?;
    ensure!(output.status.success(), "{} does not list its tests", program.display());
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// Returns the number of tests of all targets whose name contains one of these.
pub(crate) async fn count_tests(filter: &[String]) -> Result<u32> {
    let programs = test_programs().await?;
    let mut count = 0;
    for target in Target::ALL {
        count += u32::try_from(names(&programs[target.program()], target, filter).await?.len())?;
    }
    Ok(count)
}

/// Builds the test programs of all targets.
async fn test_programs() -> Result<BTreeMap<&'static str, PathBuf>> {
    let mut programs = BTreeMap::new();
    for name in Target::ALL.map(Target::program) {
        if !programs.contains_key(name) {
            programs.insert(name, test_program(name).await?);
        }
    }
    Ok(programs)
}

/// Builds a test program. Returns its path.
async fn test_program(name: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = tokio::process::Command::new(cargo);
    // The whole workspace, as `cargo xtask test` builds it: a single package has other features.
    command.args(["test", "--no-run", "--message-format=json", "--workspace", "--test", name]);
    let output = command.current_dir(workspace()).stderr(std::process::Stdio::inherit()).output().await?;
    ensure!(output.status.success(), "building the test program {name} failed");
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut found = artifacts.filter(|artifact| artifact["target"]["name"] == name);
    match found.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from)) {
        Some(program) => Ok(program),
        None => bail!("cargo built no test program {name}"),
    }
}

impl Tests {
    /// Counts the tests in a line of the output.
    pub(super) fn count(&mut self, line: &str) {
        // The harness and a test may write to one line.
        if let Some((_, skipped)) = line.split_once(SKIPPED) {
            self.skipped.push(skipped.to_owned());
        } else if let Some(totals) = line.strip_prefix("test result: ") {
            self.replace_by(totals);
        } else {
            match line.rsplit_once(" ... ").map_or(line, |(_, verdict)| verdict) {
                "ok" => self.succeeded += 1,
                "FAILED" => self.failed += 1,
                _ => {}
            }
        }
    }

    /// Takes the numbers of the harness, which miss no test that wrote to the line of its verdict.
    fn replace_by(&mut self, totals: &str) {
        let words: Vec<_> = totals.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            match (pair[0].parse::<u32>(), pair[1]) {
                (Ok(number), "passed") => self.succeeded = number,
                (Ok(number), "failed") => self.failed = number,
                _ => {}
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.skipped.extend_from_slice(&other.skipped);
    }

    pub(super) fn passed(&self) -> u32 {
        self.succeeded.saturating_sub(self.skipped())
    }

    pub(super) fn skipped(&self) -> u32 {
        u32::try_from(self.skipped.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn summary(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed(), self.failed, self.skipped())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_test_does_not_count_as_passed() {
        let mut tests = Tests::default();
        for line in
            ["test crashes::a ... skipped: crashes::a: it kills processes", "ok", "test rooms::b ... ok"]
        {
            tests.count(line);
        }
        assert_eq!(tests.summary(), "1 passed, 0 failed, 1 skipped");
        assert_eq!(tests.skipped, ["crashes::a: it kills processes"]);
        tests.count("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(tests.summary(), "1 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn the_last_line_of_the_harness_counts_every_test() {
        let mut tests = Tests::default();
        for line in
            ["test a ... took 5 ms", "1 stream ok", "test result: FAILED. 1 passed; 1 failed; 0 ignored"]
        {
            tests.count(line);
        }
        assert_eq!(tests.summary(), "1 passed, 1 failed, 0 skipped");
    }
}
