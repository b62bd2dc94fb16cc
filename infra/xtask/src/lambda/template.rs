//! Checks the SAM template by the tools of AWS, offline: samtranslator expands it, cfn-lint reads the result.
//!
//! cfn-lint on the template itself passes a wrong runtime or invoke mode.
use std::path::Path;
use std::process::Output;

use anyhow::{Context, Result, bail, ensure};
use messenger_devstack::Home;
use messenger_devstack::home::workspace;
use messenger_devstack::process::Sink;
use messenger_devstack::python::{Environment, Requirements};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use crate::step::Step;

const TEMPLATE: &str = "infra/aws/template.yaml";
/// The expanded template, for readers.
const EXPANDED: &str = "target/cloudformation.json";
const PACKAGES: [&str; 2] = ["aws-sam-translator==1.115.0", "cfn-lint==1.58.0"];
const CONSTRAINTS: &str = include_str!("constraints.txt");
/// A program that expands a template: `python -c EXPAND TEMPLATE RESULT`.
const EXPAND: &str = include_str!("expand.py");
/// The region by whose resource types the template is checked.
const REGION: &str = "eu-central-1";

/// Returns whether the template is right. Prints its faults.
pub(crate) async fn is_accepted() -> Result<bool> {
    let step = Step::begin("samtranslator and cfn-lint");
    let tools = Tools::ensure(&step.progress()).await?;
    step.done("installed");
    let problems = tools.problems(&workspace().join(TEMPLATE), &workspace().join(EXPANDED)).await?;
    for problem in &problems {
        eprintln!("{TEMPLATE}: {problem}");
    }
    Ok(problems.is_empty())
}

/// The installed tools.
struct Tools(Environment);

/// A finding of cfn-lint.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Finding {
    rule: Rule,
    location: Location,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Location {
    /// The keys and positions that lead to the value.
    path: Option<Vec<Value>>,
}

impl Tools {
    async fn ensure(progress: &Sink) -> Result<Self> {
        let requirements = Requirements {
            title: "samtranslator and cfn-lint".to_owned(),
            arguments: PACKAGES.map(str::to_owned).to_vec(),
            constraints: CONSTRAINTS.to_owned(),
            package_count: CONSTRAINTS.lines().count(),
            stamp: CONSTRAINTS.to_owned(),
        };
        Ok(Self(Environment::ensure(&Home::default(), "sam-venv", &requirements, progress).await?))
    }

    /// Expands a template into the file `result`. Returns its faults.
    async fn problems(&self, template: &Path, result: &Path) -> Result<Vec<String>> {
        let mut expand = Command::new(self.0.python());
        expand.args(["-c", EXPAND]).args([template, result]);
        let expanded = run(&mut expand).await?;
        if !expanded.status.success() {
            let problems = lines(&expanded.stdout);
            ensure!(!problems.is_empty(), "expanding the template: {}", lines(&expanded.stderr).join("\n"));
            return Ok(problems);
        }
        let mut lint = Command::new(self.0.program("cfn-lint"));
        lint.args(["--format", "json", "--regions", REGION, "--"]).arg(result);
        let linted = run(&mut lint).await?;
        let findings: Vec<Finding> = match serde_json::from_slice(&linted.stdout) {
            Ok(findings) => findings,
            Err(_) => bail!("cfn-lint: {}", lines(&linted.stderr).join("\n")),
        };
        Ok(findings.iter().map(Finding::text).collect())
    }
}

impl Finding {
    fn text(&self) -> String {
        let keys = self.location.path.iter().flatten().map(|key| match key {
            Value::String(name) => name.clone(),
            other => other.to_string(),
        });
        format!("{}: {} ({})", keys.collect::<Vec<_>>().join("/"), self.message, self.rule.id)
    }
}

async fn run(command: &mut Command) -> Result<Output> {
    command.env("AWS_DEFAULT_REGION", REGION).current_dir(workspace());
    command.output().await.with_context(|| format!("running {command:?}"))
}

fn lines(output: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(output).lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use messenger_devstack::process::traced;

    use super::*;

    /// Returns the faults of the template after these texts of it were replaced.
    async fn problems(replacements: &[(&str, &str)]) -> Vec<String> {
        let mut text = fs::read_to_string(workspace().join(TEMPLATE)).unwrap();
        for (from, to) in replacements {
            assert!(text.contains(from), "the template has no {from}");
            text = text.replacen(from, to, 1);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("template.yaml");
        fs::write(&path, text).unwrap();
        let tools = Tools::ensure(&traced()).await.unwrap();
        tools.problems(&path, &directory.path().join("expanded.json")).await.unwrap()
    }

    #[tokio::test]
    async fn five_faults_in_the_template_are_five_errors() {
        let faults = [
            ("Runtime: python3.13", "Runtime: python3.31"),
            ("InvokeMode: RESPONSE_STREAM", "InvokeMode: STREAM"),
            ("TimeToLiveSpecification:", "LifeTimeSpecification:"),
            ("DeploymentId: !Ref StreamDeployment", "DeploymentId: !Ref StreamDeploiment"),
            (
                "      FunctionUrlAuthType: NONE\n      Principal: \"*\"\n",
                "      FunctionUrlAuthType: NONE\n",
            ),
        ];
        let found = problems(&faults).await;
        let expected = [
            "Resources/SetupCaller/Properties/Runtime: 'python3.31' is not one of",
            "Resources/EventsUrl/Properties/InvokeMode: 'STREAM' is not one of",
            "Resources/FeedTable/Properties/LifeTimeSpecification: ",
            "Resources/StreamStage/Properties/DeploymentId/Ref: 'StreamDeploiment' is not one of",
            "Resources/EventsUrlPermission/Properties: 'Principal' is a required property",
        ];
        for begin in expected {
            assert!(found.iter().any(|problem| problem.starts_with(begin)), "{begin} is missing: {found:#?}");
        }
        assert_eq!(found.len(), expected.len(), "{found:#?}");
    }

    #[tokio::test]
    async fn a_template_that_sam_refuses_is_an_error() {
        let found =
            problems(&[("      CodeUri: ../../target/functions/messenger-poll/package.zip\n", "")]).await;
        assert!(found.len() == 1 && found[0].contains("PollFunction"), "{found:?}");
    }

    #[tokio::test]
    async fn the_setup_is_called_for_each_new_version_and_not_in_a_rollback() {
        let directory = tempfile::tempdir().unwrap();
        let expanded = directory.path().join("expanded.json");
        let tools = Tools::ensure(&traced()).await.unwrap();
        assert_eq!(tools.problems(&workspace().join(TEMPLATE), &expanded).await.unwrap(), [""; 0]);
        let mut python = Command::new(tools.0.python());
        let output = run(python.args(["-c", include_str!("setup_test.py")]).arg(&expanded)).await.unwrap();
        assert!(output.status.success(), "{}", lines(&output.stderr).join("\n"));
    }
}
