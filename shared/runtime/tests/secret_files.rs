//! Secrets from files: each secret variable has a form that names a file.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use std::fs;

use messenger_runtime::{Config, config::ConfigError};
use tempfile::NamedTempFile;

/// Each secret, and a way to read it from a configuration.
type Secret = (&'static str, fn(&Config) -> Option<&str>);
const SECRETS: [Secret; 9] = [
    ("SECRET_KEY", |config| Some(&config.secret_key)),
    ("HUB_SECRET_KEY", |config| config.hub_secret_key.as_deref()),
    ("MESSENGER_SERVICE_TOKEN", |config| Some(&config.service_token)),
    ("MATRIX_AS_TOKEN", |config| Some(&config.as_token)),
    ("MATRIX_HS_TOKEN", |config| Some(&config.hs_token)),
    ("MATRIX_REGISTRATION_SECRET", |config| config.registration_secret.as_deref()),
    ("METRICS_TOKEN", |config| config.metrics_token.as_deref()),
    ("DATABASE_URL", |config| config.database_url.as_deref()),
    ("DATABASE_LISTEN_URL", |config| config.database_listen_url.as_deref()),
];
/// A value that each of these variables accepts.
const VALUE: &str = "postgres://messenger:c84e02b97a6d15f3@localhost/messenger";

/// Writes a file with this content, which is removed at the end. Returns it with its path.
fn file(content: impl AsRef<[u8]>) -> (NamedTempFile, String) {
    let file = NamedTempFile::new().expect("a file");
    fs::write(&file, content).expect("it is written");
    let path = file.path().to_str().expect("it is UTF-8").to_owned();
    (file, path)
}

/// Reads these variables in development, with a database unless they name one.
fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let of = |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| *value);
    let has_database = variables.iter().any(|(name, _)| name.starts_with("DATABASE_URL"));
    Config::read(|name| {
        let usual = match name {
            "ENVIRONMENT" => Some("development"),
            "DATABASE_URL" if !has_database => Some("postgres://u@h/d"),
            _ => None,
        };
        of(name).or(usual).map(str::to_owned)
    })
}

fn problems(variables: &[(&str, &str)]) -> String {
    read(variables).err().map_or_else(String::new, |error| error.to_string())
}

#[test]
fn each_secret_is_read_from_its_file_without_the_last_line_end() {
    for (name, value_of) in SECRETS {
        for end in ["", "\n", "\r\n"] {
            let (_file, path) = file(format!("{VALUE}{end}"));
            let config = read(&[(&format!("{name}_FILE"), &path)]).expect("the configuration is good");
            assert_eq!(value_of(&config), Some(VALUE), "{name}");
        }
    }
}

#[test]
fn only_one_line_end_is_dropped() {
    let (_file, path) = file(" a secret \n\n");
    let config = read(&[("METRICS_TOKEN_FILE", &path)]).expect("the configuration is good");
    assert_eq!(config.metrics_token.as_deref(), Some(" a secret \n"));
}

#[test]
fn a_secret_with_a_value_and_a_file_is_one_error_that_names_both() {
    let (_file, path) = file(VALUE);
    for (name, _) in SECRETS {
        let of_file = format!("{name}_FILE");
        assert_eq!(
            problems(&[(name, VALUE), (&of_file, &path)]),
            format!(
                "the configuration is wrong:\n  {name} and {of_file} are both set: leave one of them out"
            )
        );
    }
}

#[test]
fn a_file_that_is_missing_or_empty_or_no_text_is_one_error_with_variable_and_path() {
    let ((_empty, empty), (_binary, binary)) = (file(" \n"), file([0xff_u8, 0xfe]));
    let missing = format!("{empty}-missing");
    for (name, _) in SECRETS {
        for (path, part) in
            [(&missing, "cannot be read: "), (&empty, "is empty"), (&binary, "cannot be read: ")]
        {
            let of_file = format!("{name}_FILE");
            let text = problems(&[(&of_file, path)]);
            let lines: Vec<_> = text.lines().skip(1).collect();
            assert_eq!(lines.len(), 1, "{text}");
            assert!(lines[0].starts_with(&format!("  {of_file} names `{path}`, which {part}")), "{text}");
        }
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let (_file, path) = file(VALUE);
    let config = read(&[("SECRET_KEY", " "), ("SECRET_KEY_FILE", &path)]).expect("it is good");
    assert_eq!(config.secret_key, VALUE);
    let config = read(&[("SECRET_KEY", VALUE), ("SECRET_KEY_FILE", "")]).expect("it is good");
    assert_eq!(config.secret_key, VALUE);
}

#[test]
fn production_checks_the_strength_of_a_secret_from_a_file() {
    let (_file, path) = file("aaaa\n");
    let text = problems(&[("ENVIRONMENT", "production"), ("METRICS_TOKEN_FILE", &path)]);
    assert!(text.contains("METRICS_TOKEN is too short"), "{text}");
    assert!(!text.contains("aaaa"), "{text}");
}
