//! The page of curl commands in the README, run in a shell beside a new installation.

use std::{path::Path, process::Stdio, time::Duration};

use messenger_devstack::home::workspace;
use messenger_tests::{Stack, client::service_token, is_skipped_on_deployment, is_skipped_on_lambda};
use tokio::{process::Command, time::timeout};

const PAGE: &str = "## One page of curl";
/// The longest that the whole page may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// Makes `curl` fail on error responses and end streams after three seconds, and `cargo xtask token` print
/// the test's tokens.
const SHELL: &str = r#"
set -eEuo pipefail
trap 'echo "README, line: $BASH_COMMAND" >&2' ERR
curl() {
    local code=0
    case " $* " in
        *" -N "*) command curl --fail-with-body -sS --max-time 3 "$@" || code=$?; [ "$code" = 28 ] ;;
        *) command curl --fail-with-body -sS --max-time 90 "$@" ;;
    esac
}
cargo() {
    local variable="TOKEN_OF_$4"
    echo "${!variable}"
}
"#;

/// Returns the commands of the page's code blocks.
fn blocks(readme: &str) -> Vec<String> {
    let page = readme.split_once(PAGE).expect("the page").1;
    let page = page.split_once("\n## ").expect("a section after it").0;
    let blocks = page.split("```sh\n").skip(1);
    blocks.map(|block| block.split_once("```").expect("the block ends").0.to_owned()).collect()
}

#[tokio::test]
async fn every_line_of_the_readmes_page_succeeds_in_order() {
    if is_skipped_on_deployment("it runs the programs of a shell") {
        return;
    }
    if is_skipped_on_lambda("the page shows what the router itself serves") {
        return;
    }
    let stack = Stack::start().await;
    let client = stack.client();
    let readme = std::fs::read_to_string(workspace().join("README.md")).expect("the README");
    let blocks = blocks(&readme);
    assert!(blocks.len() >= 6, "{blocks:?}");
    let local = |text: &str| {
        let text = text.replace("http://127.0.0.1:8000", &format!("http://{}", client.address()));
        text.replace("messenger-service-token-dev", service_token())
    };
    let users = [("mueller", "user"), ("schmidt", "user"), ("chef", "admin")];
    let token = |(id, role)| (format!("TOKEN_OF_{id}"), client.user_with_role(id, role, 1).token);
    let tokens = users.map(token);
    let directory = tempfile::tempdir().expect("a directory");
    run(&local(&blocks.join("\n")), &tokens, directory.path()).await;
}

async fn run(lines: &str, tokens: &[(String, String)], directory: &Path) {
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("{SHELL}\n{lines}")]).envs(tokens.iter().cloned());
    shell.current_dir(directory).stdin(Stdio::null()).kill_on_drop(true);
    let done =
        timeout(PATIENCE, shell.output()).await.expect("the page in time").expect("bash, which apt has");
    let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{error}\n--- output ---\n{out}");
}
