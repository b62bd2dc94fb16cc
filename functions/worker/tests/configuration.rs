//! The worker binary refuses published secrets with every command.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use std::process::{Command, Output};

const DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");

fn worker(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_messenger-worker"));
    command.env_clear().args(arguments).envs([DATABASE]).envs(variables.iter().copied());
    command.output().expect("it ends")
}

#[test]
fn published_secrets_are_refused_by_every_command() {
    for arguments in [&[][..], &["setup"], &["setup", "--skip-homeserver"], &["registration"]] {
        let ended = worker(arguments, &[]);
        let output = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!((ended.status.code(), ended.stdout.len()), (Some(2), 0), "{arguments:?}: {output}");
        for named in ["ENVIRONMENT", "HOST", "SECRET_KEY", "MESSENGER_SERVICE_TOKEN"] {
            assert!(output.contains(named), "{arguments:?}: {output}");
        }
    }
}

#[test]
fn the_registration_is_printed_if_the_secrets_are_accepted() {
    let own = [
        ("ENVIRONMENT", "production"),
        ("SECRET_KEY", "7f1a3e9c5b20d84681f6a2c9e07b35d4"),
        ("MESSENGER_SERVICE_TOKEN", "c84e02b97a6d15f33d90b7e1486fa25c"),
    ];
    for variables in [&own[..], &[("ENVIRONMENT", "development")], &[("HOST", "127.0.0.1")]] {
        let ended = worker(&["registration"], variables);
        let output = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
        assert!(output.contains("as_token"), "{output}");
    }
}
