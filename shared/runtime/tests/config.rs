//! The configuration: all errors are reported at once, and production accepts only strong secrets.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use std::time::Duration;

use messenger_core::id::TenantId;
use messenger_runtime::{App, Config, Program, config::ConfigError};

const DATABASE_URL: (&str, &str) = ("DATABASE_URL", "postgres://messenger@localhost/messenger");
/// A secret that production accepts.
const SECRET: &str = "7f1a3e9c5b20d84681f6a2c9e07b35d4";
const OTHER_SECRET: &str = "c84e02b97a6d15f33d90b7e1486fa25c";
const PUBLISHED: [(&str, &str); 3] = [
    ("SECRET_KEY", "messenger-dev-secret"),
    ("HUB_SECRET_KEY", "hub-dev-secret"),
    ("MESSENGER_SERVICE_TOKEN", "messenger-service-token-dev"),
];

/// Reads these variables and no others.
fn read_bare(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let of = |name: &str| variables.iter().rfind(|(variable, _)| *variable == name);
    Config::read(|name| of(name).map(|(_, value)| (*value).to_owned()))
}

/// Reads these variables, in development unless they set another environment.
fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    read_bare(&[&[("ENVIRONMENT", "development")], variables].concat())
}

fn good(variables: &[(&str, &str)]) -> Config {
    read(&[&[DATABASE_URL], variables].concat()).expect("the configuration is good")
}

fn problems(variables: &[(&str, &str)]) -> String {
    read(&[&[DATABASE_URL], variables].concat()).err().map_or_else(String::new, |error| error.to_string())
}

/// Reads a correct configuration of production, changed by these variables.
fn production(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let good = [
        DATABASE_URL,
        ("ENVIRONMENT", "production"),
        ("SECRET_KEY", SECRET),
        ("MESSENGER_SERVICE_TOKEN", OTHER_SECRET),
    ];
    read(&[&good, variables].concat())
}

fn problems_of_production(variables: &[(&str, &str)]) -> String {
    production(variables).err().map_or_else(String::new, |error| error.to_string())
}

/// Returns the problems without `ENVIRONMENT`.
fn problems_without_environment(variables: &[(&str, &str)]) -> String {
    read_bare(&[&[DATABASE_URL], variables].concat())
        .err()
        .map_or_else(String::new, |error| error.to_string())
}

#[test]
fn the_defaults_are_those_of_the_integration_document() {
    let config = good(&[]);
    assert_eq!(config.database_url.as_deref(), Some("postgres://messenger@localhost/messenger"));
    assert_eq!(config.secret_key, "messenger-dev-secret");
    assert_eq!(config.hub_secret_key, None);
    assert_eq!(config.homeserver_url, "http://conduit:6167");
    assert_eq!(config.settings.server_name, "hub.local");
    assert_eq!(config.service_token, "messenger-service-token-dev");
    assert_eq!(config.log_level, "info");
}

#[test]
fn settings_beyond_the_integration_document_have_defaults() {
    let config = good(&[]);
    assert!(!config.production);
    assert_eq!((config.host.to_string().as_str(), config.port), ("0.0.0.0", 8000));
    assert_eq!(config.database_pool_size, 16);
    assert_eq!((config.local_token, config.local_token_outlives_hub), (Duration::from_hours(12), false));
    assert_eq!(config.settings.reserved_localparts, [""; 0]);
    assert_eq!(config.appservice_url, "http://messenger-service-backend-1:8000");
    assert_eq!(config.allowed_origins, None);
    assert_eq!(config.settings.bot_localpart, "messenger");
    assert_eq!(config.settings.default_tenant, TenantId(1));
    assert_eq!(config.settings.replay_max, 1000);
    assert_eq!(config.settings.event_retention, Duration::from_hours(7 * 24));
}

#[test]
fn every_variable_is_read() {
    let config = good(&[
        ("SECRET_KEY", "s"),
        ("HUB_SECRET_KEY", "h"),
        ("MESSENGER_SERVICE_TOKEN", "t"),
        ("MATRIX_HOMESERVER_URL", "https://matrix.example:8448/"),
        ("MATRIX_SERVER_NAME", "matrix.example"),
        ("MATRIX_BOT_LOCALPART", "bot"),
        ("MATRIX_AS_TOKEN", "as"),
        ("MATRIX_HS_TOKEN", "hs"),
        ("APPSERVICE_URL", "http://us:1"),
        ("DEFAULT_TENANT_ID", "-7"),
        ("REPLAY_MAX", "1"),
        ("EVENT_RETENTION_DAYS", "30"),
        ("SEARCH_RETENTION_DAYS", "3650"),
        ("TENANT_TIME_ZONE", "Asia/Kolkata"),
        ("MESSENGER_REVISION", "4f29587"),
        ("EVENT_STORE", "postgres"),
        ("DATABASE_POOL_SIZE", "2"),
        ("HOST", "::1"),
        ("PORT", "65535"),
        ("LOG_LEVEL", "debug"),
        ("ALLOWED_ORIGINS", "https://a.example , http://b.example:8085"),
    ]);
    assert_eq!((config.secret_key.as_str(), config.hub_secret_key.as_deref()), ("s", Some("h")));
    assert_eq!((config.service_token.as_str(), config.log_level.as_str()), ("t", "debug"));
    assert_eq!((config.as_token.as_str(), config.hs_token.as_str()), ("as", "hs"));
    assert_eq!(config.homeserver_url, "https://matrix.example:8448", "without the last slash");
    assert_eq!(config.appservice_url, "http://us:1");
    assert_eq!((config.host.to_string().as_str(), config.port), ("::1", 65535));
    assert_eq!(config.database_pool_size, 2);
    let settings = &config.settings;
    assert_eq!((settings.server_name.as_str(), settings.bot_localpart.as_str()), ("matrix.example", "bot"));
    assert_eq!((settings.default_tenant, settings.replay_max), (TenantId(-7), 1));
    assert_eq!(settings.event_retention, Duration::from_hours(30 * 24));
    assert_eq!(settings.search_retention, Duration::from_hours(3650 * 24));
    assert_eq!(settings.app_version, concat!(env!("CARGO_PKG_VERSION"), "+4f29587"));
    let origins = ["https://a.example", "http://b.example:8085"].map(str::to_owned);
    assert_eq!(config.allowed_origins.as_deref(), Some(&origins[..]));
}

#[test]
fn limits_are_generous_and_can_be_changed_or_switched_off() {
    let limits = good(&[]).limits;
    assert_eq!((limits.failures_per_address, limits.sends_per_user), (1200, 1200));
    assert_eq!((limits.notifications_per_token, limits.new_users_per_tenant), (0, 20_000));
    assert_eq!((limits.streams_per_user, limits.polls_per_user), (250, 100));
    assert_eq!((limits.connections, limits.connections_per_address), (0, None));
    assert_eq!((limits.body_silence, limits.body_bytes_per_second), (Duration::from_secs(20), 1000));
    assert_eq!(limits.write_silence, Duration::from_mins(2));
    let limits = good(&[
        ("LIMIT_FAILURES_PER_ADDRESS", "1"),
        ("LIMIT_NOTIFICATIONS_PER_TOKEN", "2"),
        ("LIMIT_SENDS_PER_USER", "3"),
        ("LIMIT_NEW_USERS_PER_TENANT", "4"),
        ("LIMIT_STREAMS_PER_USER", "5"),
        ("LIMIT_POLLS_PER_USER", "6"),
        ("LIMIT_CONNECTIONS", "7"),
        ("LIMIT_CONNECTIONS_PER_ADDRESS", "0"),
        ("LIMIT_BODY_SECONDS", "9"),
        ("LIMIT_BODY_BYTES_PER_SECOND", "10"),
        ("LIMIT_WRITE_SECONDS", "0"),
        ("TRUSTED_PROXIES", "10.0.0.1, fd00::/8"),
    ])
    .limits;
    assert_eq!((limits.failures_per_address, limits.notifications_per_token), (1, 2));
    assert_eq!((limits.sends_per_user, limits.new_users_per_tenant), (3, 4));
    assert_eq!((limits.streams_per_user, limits.polls_per_user), (5, 6));
    assert_eq!((limits.connections, limits.connections_per_address), (7, Some(0)));
    assert_eq!((limits.body_silence, limits.body_bytes_per_second), (Duration::from_secs(9), 10));
    assert_eq!(limits.write_silence, Duration::ZERO);
    let wrong = problems(&[("LIMIT_STREAMS_PER_USER", "-1"), ("TRUSTED_PROXIES", "10.0.0.1,nginx")]);
    insta::assert_snapshot!(wrong, @r"
    the configuration is wrong:
      LIMIT_STREAMS_PER_USER is `-1`, must be a whole number from 0 to 1000000000
      TRUSTED_PROXIES has `nginx`, must have addresses like 10.0.0.7 or networks like 10.0.0.0/24
    ");
}

#[test]
fn a_blank_variable_is_treated_as_absent() {
    let config =
        good(&[("PORT", " "), ("HUB_SECRET_KEY", ""), ("MATRIX_SERVER_NAME", "\t"), ("LOG_LEVEL", " warn ")]);
    assert_eq!(
        (config.port, config.hub_secret_key, config.settings.server_name.as_str()),
        (8000, None, "hub.local")
    );
    assert_eq!(config.log_level, "warn");
}

#[test]
fn all_errors_are_reported_at_once() {
    let wrong = [
        ("ENVIRONMENT", "staging"),
        ("SECRET_KEY", "the same"),
        ("HUB_SECRET_KEY", "the same"),
        ("DEFAULT_TENANT_ID", "one"),
        ("REPLAY_MAX", "0"),
        ("EVENT_RETENTION_DAYS", "-1"),
        ("EVENT_STORE", "files"),
        ("HOST", "messenger.example"),
        ("PORT", "65536"),
        ("DATABASE_URL", ""),
        ("DATABASE_POOL_SIZE", "1.5"),
        ("MATRIX_HOMESERVER_URL", "conduit:6167"),
        ("APPSERVICE_URL", "ftp://us"),
    ];
    insta::assert_snapshot!(problems(&wrong), @r"
    the configuration is wrong:
      ENVIRONMENT is `staging`, must be one of: development, production
      HOST is `messenger.example`, must be an address of this machine: 0.0.0.0 or :: for all, 127.0.0.1 for none but this machine itself
      DEFAULT_TENANT_ID is `one`, must be a whole number from -9223372036854775808 to 9223372036854775807
      REPLAY_MAX is `0`, must be a whole number from 1 to 100000
      EVENT_RETENTION_DAYS is `-1`, must be a whole number from 1 to 3650
      EVENT_STORE is `files`, must be one of: postgres, dynamodb
      PORT is `65536`, must be a whole number from 1 to 65535
      DATABASE_URL is missing: a PostgreSQL connection string, postgres://user@host/database
      DATABASE_POOL_SIZE is `1.5`, must be a whole number from 1 to 1000
      MATRIX_HOMESERVER_URL is `conduit:6167`, must be an http:// or https:// URL
      APPSERVICE_URL is `ftp://us`, must be an http:// or https:// URL
      HUB_SECRET_KEY and SECRET_KEY must differ: each side's tokens are its own
    ");
}

#[test]
fn production_refuses_published_secrets() {
    insta::assert_snapshot!(problems(&[("ENVIRONMENT", "production")]), @r"
    the configuration is wrong:
      SECRET_KEY is missing or has a published value: set a secret of your own; `openssl rand -hex 32` prints a good one
      MESSENGER_SERVICE_TOKEN is missing or has a published value: set a secret of your own; `openssl rand -hex 32` prints a good one
    ");
    assert_eq!(problems_of_production(&PUBLISHED[..1]).lines().count(), 2);
    let all = [&PUBLISHED[..], &[("ENVIRONMENT", "production")]].concat();
    assert_eq!(problems(&all).lines().count(), 4, "{}", problems(&all));
}

#[test]
fn without_an_environment_published_secrets_are_refused_if_others_reach_the_service() {
    insta::assert_snapshot!(problems_without_environment(&[]), @r"
    the configuration is wrong:
      ENVIRONMENT is not set, and the service is open to others (HOST is 0.0.0.0): published secrets need ENVIRONMENT=development or HOST=127.0.0.1
      SECRET_KEY is missing or has a published value: set a secret of your own; `openssl rand -hex 32` prints a good one
      MESSENGER_SERVICE_TOKEN is missing or has a published value: set a secret of your own; `openssl rand -hex 32` prints a good one
    ");
    for host in ["0.0.0.0", "::", "192.168.7.4", "fe80::1", "::ffff:192.168.7.4", ""] {
        let text = problems_without_environment(&[&PUBLISHED[..], &[("HOST", host)]].concat());
        for (name, value) in PUBLISHED {
            assert!(text.contains(name) && !text.contains(value), "{host}: {text}");
        }
    }
    let lambda = [("HOST", "127.0.0.1"), ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")];
    assert!(problems_without_environment(&lambda).contains("SECRET_KEY"), "nothing is bound there");
    // A published value is refused in every variable.
    let tokens = [("SECRET_KEY", "mine"), ("MESSENGER_SERVICE_TOKEN", "ours")];
    for name in ["MATRIX_AS_TOKEN", "MATRIX_HS_TOKEN", "MATRIX_REGISTRATION_SECRET", "HUB_SECRET_KEY"] {
        let text = problems_without_environment(&[&tokens[..], &[(name, "hub-dev-secret")]].concat());
        assert!(text.contains(name) && !text.contains("SERVICE_TOKEN"), "{text}");
    }
}

#[test]
fn published_secrets_are_accepted_in_development_and_on_loopback() {
    for host in ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"] {
        assert_eq!(problems_without_environment(&[&PUBLISHED[..], &[("HOST", host)]].concat()), "", "{host}");
    }
    assert_eq!(
        problems_without_environment(&[&PUBLISHED[..], &[("ENVIRONMENT", "development")]].concat()),
        ""
    );
    let production = [&PUBLISHED[..], &[("ENVIRONMENT", "production"), ("HOST", "127.0.0.1")]].concat();
    assert_eq!(
        problems_without_environment(&production).lines().count(),
        4,
        "production is production everywhere"
    );
}

#[test]
fn weak_secrets_are_a_warning_outside_production() {
    let weak = [DATABASE_URL, ("SECRET_KEY", "mine"), ("MESSENGER_SERVICE_TOKEN", "ours")];
    let config = read_bare(&weak).expect("they are no published ones");
    insta::assert_snapshot!(config.notices.join("\n"), @r"
    ENVIRONMENT=production would refuse this: SECRET_KEY is too short: at least 32 random characters are needed; `openssl rand -hex 32` prints a good one
    ENVIRONMENT=production would refuse this: MESSENGER_SERVICE_TOKEN is too short: at least 32 random characters are needed; `openssl rand -hex 32` prints a good one
    ");
    assert_eq!(good(&weak).notices, [""; 0], "development is not so particular");
}

#[test]
fn production_refuses_every_weak_secret() {
    let short = &SECRET[1..];
    let all = [
        ("SECRET_KEY", short),
        ("HUB_SECRET_KEY", "0123456789abcdef0123456789abcdef"),
        ("MESSENGER_SERVICE_TOKEN", "abcabcabcabcabcabcabcabcabcabcabcabc"),
        ("MATRIX_AS_TOKEN", "messenger-service-token-production"),
        ("MATRIX_HS_TOKEN", "short"),
        ("MATRIX_REGISTRATION_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ];
    insta::assert_snapshot!(problems_of_production(&all), @r"
    the configuration is wrong:
      SECRET_KEY is too short: at least 32 random characters are needed; `openssl rand -hex 32` prints a good one
      HUB_SECRET_KEY is easily guessed, since it repeats itself or consists of well-known parts; `openssl rand -hex 32` prints a good one
      MESSENGER_SERVICE_TOKEN is easily guessed, since it repeats itself or consists of well-known parts; `openssl rand -hex 32` prints a good one
      MATRIX_AS_TOKEN is easily guessed, since it repeats itself or consists of well-known parts; `openssl rand -hex 32` prints a good one
      MATRIX_HS_TOKEN is too short: at least 32 random characters are needed; `openssl rand -hex 32` prints a good one
      MATRIX_REGISTRATION_SECRET is easily guessed, since it repeats itself or consists of well-known parts; `openssl rand -hex 32` prints a good one
    ");
    assert_eq!(problems(&all), "", "development is not so particular");
}

#[test]
fn production_refuses_two_equal_secrets() {
    let names = [
        "SECRET_KEY",
        "HUB_SECRET_KEY",
        "MESSENGER_SERVICE_TOKEN",
        "MATRIX_AS_TOKEN",
        "MATRIX_HS_TOKEN",
        "MATRIX_REGISTRATION_SECRET",
    ];
    for (n, one) in names.iter().enumerate() {
        for other in &names[n + 1..] {
            let same = "e1c5904ab7d36f28175b0ce9d2f8a643";
            let text = problems_of_production(&[(one, same), (other, same)]);
            assert_eq!(text.lines().count(), 2, "{one}, {other}: {text}");
            assert!(text.contains(&format!("{one}, {other} have the same value")), "{text}");
            assert!(!text.contains(same), "{text}");
        }
    }
    let all = names.map(|name| (name, SECRET));
    insta::assert_snapshot!(problems_of_production(&all), @r"
    the configuration is wrong:
      SECRET_KEY, HUB_SECRET_KEY, MESSENGER_SERVICE_TOKEN, MATRIX_AS_TOKEN, MATRIX_HS_TOKEN, MATRIX_REGISTRATION_SECRET have the same value: each needs its own
    ");
    // A derived secret counts as well.
    let derived = production(&[]).expect("it is good").as_token;
    let text = problems_of_production(&[("MATRIX_HS_TOKEN", &derived)]);
    assert!(text.contains("MATRIX_AS_TOKEN, MATRIX_HS_TOKEN have the same value"), "{text}");
}

#[test]
fn no_message_contains_a_secret() {
    let all = [
        ("SECRET_KEY", "geheim-1"),
        ("HUB_SECRET_KEY", "geheim-1"),
        ("MESSENGER_SERVICE_TOKEN", "geheim-2"),
        ("MATRIX_AS_TOKEN", "geheim-3"),
        ("MATRIX_HS_TOKEN", "geheim-4"),
    ];
    let text = problems_of_production(&all);
    assert!(text.contains("SECRET_KEY") && !text.contains("geheim"), "{text}");
}

#[test]
fn the_keys_of_the_hub_and_of_the_service_must_differ_even_in_development() {
    let text = problems(&[("HUB_SECRET_KEY", "messenger-dev-secret")]);
    insta::assert_snapshot!(text, @r"
    the configuration is wrong:
      HUB_SECRET_KEY and SECRET_KEY must differ: each side's tokens are its own
    ");
}

#[test]
fn production_allows_only_pages_of_the_named_origins() {
    let origins = |variables: &[(&str, &str)]| production(variables).expect("it is good").allowed_origins;
    assert_eq!(origins(&[]), Some(Vec::new()));
    assert_eq!(origins(&[("ALLOWED_ORIGINS", "*")]), None);
    assert_eq!(origins(&[("ALLOWED_ORIGINS", "https://a")]), Some(vec!["https://a".to_owned()]));
}

#[test]
fn an_impossible_origin_is_reported() {
    for wrong in [
        "https://a.example, *",
        "a.example",
        "https://a.example/",
        "https://a.example,,",
        "https://ä.example",
    ] {
        assert!(problems(&[("ALLOWED_ORIGINS", wrong)]).contains("ALLOWED_ORIGINS"), "{wrong}");
    }
}

#[test]
fn secrets_that_are_not_set_are_derived_and_differ() {
    let config = production(&[]).expect("it is good");
    let derived = [config.as_token.clone(), config.hs_token.clone(), config.homeserver_admin_password()];
    for (n, one) in derived.iter().enumerate() {
        assert_eq!(one.len(), 64);
        assert!(derived[..n].iter().all(|other| other != one));
        assert_ne!(one, SECRET);
    }
    let again = production(&[]).expect("it is good");
    assert_eq!((again.as_token, again.hs_token), (config.as_token.clone(), config.hs_token));
    let other =
        production(&[("SECRET_KEY", OTHER_SECRET), ("MESSENGER_SERVICE_TOKEN", SECRET)]).expect("it is good");
    assert_ne!(other.as_token, config.as_token);
}

#[test]
fn a_wrong_database_url_is_reported_without_its_password() {
    for wrong in [
        "mysql:user:s3cret@host",
        "mysql+asyncpg://user:s3cret@host/d",
        "postgresql+asyncpg://user:s3cret@host/d?nonsense=1",
        "user=u password=s3cret",
    ] {
        for variable in ["DATABASE_URL", "DATABASE_LISTEN_URL"] {
            let text = problems(&[(variable, wrong)]);
            let expected = format!("{variable} must be a PostgreSQL connection string");
            assert!(text.contains(&expected), "{text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}

#[test]
fn a_wrong_parameter_for_tls_is_named_with_its_variable() {
    let directory = tempfile::tempdir().expect("a directory");
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "").expect("a file");
    let empty = empty.display().to_string();
    for (parameters, problem) in [
        ("sslmode=allow".to_owned(), "`sslmode=allow` is not supported"),
        ("ssl=allow".to_owned(), "`sslmode=allow` is not supported"),
        ("sslmode=verify".to_owned(), "`sslmode` is `verify`, must be one of"),
        ("sslmode=verify-ca".to_owned(), "`sslmode=verify-ca` needs `sslrootcert`"),
        ("sslcert=/x".to_owned(), "the parameter `sslcert` is not supported"),
        (
            "sslmode=verify-full&sslrootcert=/no/ca.pem".to_owned(),
            "names /no/ca.pem, which cannot be read: No such",
        ),
        (format!("sslmode=require&sslrootcert={empty}"), "empty.pem, which holds no certificate"),
    ] {
        for variable in ["DATABASE_URL", "DATABASE_LISTEN_URL"] {
            let text = problems(&[(variable, &format!("postgres://u:s3cret@h/d?{parameters}"))]);
            assert!(text.contains(&format!("{variable}: ")) && text.contains(problem), "{text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}

#[test]
fn production_reaches_another_machine_with_verify_full_only() {
    let other = "postgresql+asyncpg://u:s3cret@db.example/d";
    insta::assert_snapshot!(problems_of_production(&[("DATABASE_URL", other)]), @r"
    the configuration is wrong:
      DATABASE_URL names another machine: add `sslmode=verify-full`, with `sslrootcert=` and a PEM file if its certificate is of an authority of your own, or set DATABASE_TLS=off if the network is safe
    ");
    for weak in ["sslmode=disable", "sslmode=prefer", "sslmode=require", "ssl=true"] {
        let url = format!("{other}?{weak}");
        assert!(problems_of_production(&[("DATABASE_URL", &url)]).contains("DATABASE_URL names"), "{weak}");
        let text = problems_of_production(&[("DATABASE_LISTEN_URL", &url)]);
        assert!(text.contains("DATABASE_LISTEN_URL names"), "{weak}: {text}");
    }
    for right in [
        &[("DATABASE_URL", "postgres://u@db.example/d?sslmode=verify-full")][..],
        &[("DATABASE_URL", "postgresql+asyncpg://u@db.example/d?ssl=verify-full")],
        &[("DATABASE_URL", "host=db.example user=u sslrootcert=system")],
        &[("DATABASE_URL", "postgres:///d?host=/run/postgresql")],
        &[("DATABASE_URL", "postgres://u@[::1]/d?sslmode=disable")],
        &[("DATABASE_URL", other), ("DATABASE_TLS", "off")],
    ] {
        assert_eq!(problems_of_production(right), "", "{right:?}");
    }
    assert!(
        problems_of_production(&[("DATABASE_TLS", "no")]).contains("DATABASE_TLS is `no`, must be one of")
    );
}

#[test]
fn a_connection_without_verify_full_is_a_warning_outside_production() {
    let other = [("DATABASE_URL", "postgres://u@db.example/d"), ("SECRET_KEY", SECRET)];
    let all = [&other[..], &[("MESSENGER_SERVICE_TOKEN", OTHER_SECRET)]].concat();
    let notices = read_bare(&all).expect("no production").notices;
    assert!(notices.concat().contains("would refuse this: DATABASE_URL names another"), "{notices:?}");
    let loopback = [&all[..], &[("HOST", "127.0.0.1")]].concat();
    assert_eq!(read_bare(&loopback).expect("no production").notices, [""; 0]);
    assert_eq!(good(&other).notices, [""; 0], "development is not so particular");
}

#[test]
fn the_connection_that_listens_has_the_string_of_the_others_unless_it_has_its_own() {
    assert_eq!(good(&[]).database_listen_url, None);
    let own = good(&[("DATABASE_LISTEN_URL", "postgresql+asyncpg://u@localhost:5/d")]);
    assert_eq!(own.database_listen_url.as_deref(), Some("postgresql://u@localhost:5/d"));
    assert_eq!(own.database_url.as_deref(), Some(DATABASE_URL.1));
}

#[test]
fn a_database_url_of_sqlalchemy_is_converted_and_noticed_without_its_password() {
    let config = good(&[("DATABASE_URL", "postgresql+asyncpg://u:s3cret@h/d?ssl=prefer")]);
    assert_eq!(config.database_url.as_deref(), Some("postgresql://u:s3cret@h/d?sslmode=prefer"));
    insta::assert_snapshot!(config.notices.join("\n"), @r"
    DATABASE_URL: the driver `+asyncpg` of the scheme is dropped
    DATABASE_URL: `ssl` is read as `sslmode=prefer`
    ");
    assert_eq!(good(&[]).notices, [""; 0]);
}

#[test]
fn a_log_level_is_a_level_or_directives() {
    for (text, level) in [
        ("off", "off"),
        ("WARN", "warn"),
        ("trace", "trace"),
        ("warning", "warn"),
        ("WARNING", "warn"),
        ("CRITICAL", "error"),
        ("fatal", "error"),
        ("Info", "info"),
        ("NOTSET", "trace"),
        ("info,messenger_core=debug", "info,messenger_core=debug"),
        ("WARNING, messenger_core=DEBUG", "warn,messenger_core=debug"),
    ] {
        assert_eq!(good(&[("LOG_LEVEL", text)]).log_level, level);
    }
    for wrong in ["loud", "info,=debug=", "info,messenger_core=loud", "20", ",", "info,messenger_core"] {
        let text = problems(&[("LOG_LEVEL", wrong)]);
        assert!(text.contains("LOG_LEVEL"), "{wrong}: {text}");
    }
}

#[test]
fn reserved_localparts_are_a_list_of_valid_localparts() {
    let reserved = |list: &str| good(&[("MATRIX_RESERVED_LOCALPARTS", list)]).settings.reserved_localparts;
    assert_eq!(reserved(" admin , irc_bot,,a.b=c/d-e+1 "), ["admin", "irc_bot", "a.b=c/d-e+1"]);
    assert_eq!(reserved(" , "), [""; 0]);
    for wrong in ["Admin", "@admin:hub.local", "m\u{fc}ller", "a b"] {
        let problem = problems(&[("MATRIX_RESERVED_LOCALPARTS", wrong)]);
        assert!(problem.contains("MATRIX_RESERVED_LOCALPARTS") && problem.contains(wrong), "{problem}");
    }
}

#[test]
fn the_lifetime_of_local_tokens_is_configured_in_seconds() {
    let config = good(&[("LOCAL_TOKEN_MAX_SECONDS", "90"), ("LOCAL_TOKEN_OUTLIVES_HUB", "true")]);
    assert_eq!((config.local_token, config.local_token_outlives_hub), (Duration::from_secs(90), true));
    for (name, wrong) in [("LOCAL_TOKEN_MAX_SECONDS", "0"), ("LOCAL_TOKEN_MAX_SECONDS", "12h")] {
        assert!(problems(&[(name, wrong)]).contains(name), "{wrong}");
    }
    assert!(problems(&[("LOCAL_TOKEN_OUTLIVES_HUB", "yes")]).contains("LOCAL_TOKEN_OUTLIVES_HUB"));
}

#[test]
fn a_port_that_no_client_can_call_is_refused() {
    for wrong in ["0", "65536", "-1", "http", "8000.0", "0x50"] {
        let text = problems(&[("PORT", wrong)]);
        assert!(
            text.contains(&format!("PORT is `{wrong}`, must be a whole number from 1 to 65535")),
            "{text}"
        );
    }
}

#[test]
fn a_program_drains_for_whole_seconds_if_it_is_told_to() {
    assert_eq!(good(&[]).drain, Duration::ZERO);
    assert_eq!(good(&[("DRAIN_SECONDS", "3")]).drain, Duration::from_secs(3));
    for wrong in ["301", "-1", "3s"] {
        let text = problems(&[("DRAIN_SECONDS", wrong)]);
        let expected = format!("DRAIN_SECONDS is `{wrong}`, must be a whole number from 0 to 300");
        assert!(text.contains(&expected), "{text}");
    }
}

#[test]
fn browsers_reach_production_by_tls_unless_public_url_says_otherwise() {
    let tls = |variables: &[(&str, &str)]| good(variables).is_behind_tls();
    assert!(!tls(&[]));
    assert!(tls(&[("PUBLIC_URL", "https://hub.example/messenger/")]));
    assert!(!tls(&[("PUBLIC_URL", "http://hub.example")]));
    let of_production = |variables: &[(&str, &str)]| production(variables).expect("good").is_behind_tls();
    assert!(of_production(&[]));
    assert!(!of_production(&[("PUBLIC_URL", "http://hub.example")]));
}

#[test]
fn the_origin_of_public_url_is_written_as_browsers_write_it() {
    let origin = |url: &str| good(&[("PUBLIC_URL", url)]).public_origin;
    for (url, expected) in [
        ("https://hub.example", "https://hub.example"),
        ("https://Hub.Example:443/messenger/", "https://hub.example"),
        ("http://hub.example:80", "http://hub.example"),
        ("http://hub.example:443", "http://hub.example:443"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
    ] {
        assert_eq!(origin(url).as_deref(), Some(expected), "{url}");
    }
    assert_eq!(good(&[]).public_origin, None);
    for wrong in ["hub.example", "ftp://hub.example", "https://"] {
        let problems = problems(&[("PUBLIC_URL", wrong)]);
        assert!(problems.contains(&format!("PUBLIC_URL is `{wrong}`")), "{problems}");
    }
}

#[test]
fn a_base_path_is_a_path_of_whole_segments_without_a_slash_at_its_end() {
    let base = |value: &str| {
        let value = value.to_owned();
        let config = Config::read(|name| match name {
            "BASE_PATH" => Some(value.clone()),
            "DATABASE_URL" => Some("postgres://localhost/messenger".to_owned()),
            "ENVIRONMENT" => Some("development".to_owned()),
            _ => None,
        });
        config.map(|config| config.serving.base_path).map_err(|error| error.to_string())
    };
    for (value, expected) in [("", ""), ("/", ""), ("/prod", "/prod"), ("/a/b%20c/", "/a/b%20c")] {
        assert_eq!(base(value).as_deref(), Ok(expected), "{value}");
    }
    for wrong in ["prod", "https://hub.example/prod", "/a b", "/a//b", "/a?b"] {
        let error = base(wrong).expect_err("it is refused");
        assert!(error.contains("BASE_PATH") && error.contains("/prod"), "{error}");
    }
}

#[test]
fn on_lambda_streams_end_and_a_process_has_two_connections() {
    let read = |on_lambda: bool, seconds: Option<&str>| {
        let config = Config::read(|name| match name {
            "AWS_LAMBDA_RUNTIME_API" => on_lambda.then(|| "127.0.0.1:9001".to_owned()),
            "SSE_MAX_SECONDS" => seconds.map(str::to_owned),
            "DATABASE_URL" => Some("postgres://localhost/messenger".to_owned()),
            "ENVIRONMENT" => Some("development".to_owned()),
            _ => None,
        });
        let config = config.expect("a configuration");
        (config.serving.stream_max.map(|longest| longest.as_secs()), config.database_pool_size)
    };
    assert_eq!(read(true, None), (Some(110), 2));
    assert_eq!(read(true, Some("0")), (None, 2));
    assert_eq!(read(false, None), (None, 16));
    assert_eq!(read(false, Some("60")), (Some(60), 16));
}

#[test]
fn a_copy_on_dynamodb_needs_a_table_and_a_region() {
    let on_dynamodb = ("EVENT_STORE", "dynamodb");
    assert_eq!(good(&[("FEED_TABLE", "feed"), ("AWS_REGION", "eu-central-1")]).feed_copy, None);
    insta::assert_snapshot!(problems(&[on_dynamodb, ("FEED_TABLE", "a table"), ("AWS_ENDPOINT_URL_DYNAMODB", "x")]), @r"
    the configuration is wrong:
      FEED_TABLE must be the name of a table of DynamoDB: 3 to 255 of a-z, A-Z, 0-9, _ - .
      AWS_REGION is missing: the region of FEED_TABLE, as eu-central-1
      AWS_ENDPOINT_URL_DYNAMODB is `x`, must be an http:// or https:// URL
    ");
    let copy = good(&[on_dynamodb, ("FEED_TABLE", "hub-feed_1.x"), ("AWS_REGION", "eu-central-1")]).feed_copy;
    let copy = copy.expect("a copy");
    assert_eq!((copy.table.as_str(), copy.region.as_str()), ("hub-feed_1.x", "eu-central-1"));
    assert_eq!((copy.endpoint, copy.retention), (None, Duration::from_hours(7 * 24)));
}

#[tokio::test]
async fn only_programs_that_can_read_a_copy_alone_run_without_a_database() {
    let copy = [("EVENT_STORE", "dynamodb"), ("FEED_TABLE", "feed"), ("AWS_REGION", "eu-central-1")];
    let without = |database_url| {
        let config = read(&[&copy[..], &[("DATABASE_URL", database_url)]].concat()).expect("it is good");
        assert_eq!(config.database_url, None);
        App::compose(Program::default(), config).map(drop).expect_err("it needs a database").to_string()
    };
    for empty in ["", " "] {
        assert_eq!(
            without(empty),
            "DATABASE_URL: is missing: only events and poll run without it, with EVENT_STORE=dynamodb"
        );
    }
    let own = |secret| {
        good(&[&copy[..], &[("SECRET_KEY", secret)]].concat()).feed_copy.expect("a copy").installation
    };
    assert_eq!(own(SECRET), own(SECRET));
    assert_ne!(own(SECRET), own(OTHER_SECRET), "two installations may share a table");
}
