//! `DATABASE_URL` and `DATABASE_LISTEN_URL`, also in the form of `SQLAlchemy` (`postgresql+asyncpg://…`), and
//! `DATABASE_TLS`.

use std::net::IpAddr;

use messenger_postgres::{ConnectionString, InvalidConnectionString as Invalid, SslMode};

use super::{Env, Environment, REFUSED};

/// Parameters that configure a Python driver.
const OF_DRIVERS: [&str; 8] = [
    "async_fallback",
    "command_timeout",
    "max_cacheable_statement_size",
    "max_cached_statement_lifetime",
    "prepared_statement_cache_size",
    "prepared_statement_name_func",
    "statement_cache_size",
    "timeout",
];

const WANTED: &str = "a PostgreSQL connection string, postgres://user@host/database";

/// The connection strings of a process.
pub(super) struct Databases {
    /// `None` for a process that reads a copy of the event log alone.
    pub(super) url: Option<String>,
    /// `None` for the same as `url`.
    pub(super) listen_url: Option<String>,
}

impl Databases {
    /// Reads the connection strings. If the event log `has_copy`, some programs need none.
    pub(super) fn read(
        env: &mut Env<'_>,
        environment: Option<Environment>,
        host: IpAddr,
        has_copy: bool,
    ) -> Self {
        let demands_tls = env.choice("DATABASE_TLS", &["required", "off"]) == "required";
        let mut read = |variable: &str| {
            let (text, address) = env.connection_string(variable)?;
            if let Some(address) = address.filter(|_| demands_tls) {
                env.check_tls(variable, &address, environment, host);
            }
            Some(text)
        };
        let (url, listen_url) = (read("DATABASE_URL"), read("DATABASE_LISTEN_URL"));
        if url.is_none() && !has_copy {
            env.problems.push(format!("DATABASE_URL is missing: {WANTED}"));
        }
        Self { url, listen_url }
    }
}

impl Env<'_> {
    /// Reads a connection string. Returns it in PostgreSQL's own form, and parsed if it is right.
    fn connection_string(&mut self, variable: &str) -> Option<(String, Option<ConnectionString>)> {
        let value = self.secret(variable)?;
        if value.is_empty() {
            // The problem of its file is named already.
            return Some((value, None));
        }
        let url = Url::parse(&value);
        self.notices.extend(url.changes.iter().map(|change| format!("{variable}: {change}")));
        let address = ConnectionString::parse(&url.text);
        let address = address.and_then(|address| address.check_roots().map(|()| address));
        // No problem contains the value, which has a password in it.
        match &address {
            Ok(_) => {}
            Err(problem @ (Invalid::Syntax(_) | Invalid::NoHost)) => {
                self.problems.push(format!("{variable} must be {WANTED}: {problem}"));
            }
            Err(problem) => self.problems.push(format!("{variable}: {problem}")),
        }
        Some((url.text, address.ok()))
    }

    /// Refuses, in production, a connection to another machine that is not verified to be the configured one.
    fn check_tls(
        &mut self,
        variable: &str,
        address: &ConnectionString,
        environment: Option<Environment>,
        host: IpAddr,
    ) {
        if !address.is_remote() || address.mode() == SslMode::VerifyFull {
            return;
        }
        let problem = format!(
            "{variable} names another machine: add `sslmode=verify-full`, with `sslrootcert=` and a PEM file if its \
             certificate is of an authority of your own, or set DATABASE_TLS=off if the network is safe"
        );
        match environment {
            Some(Environment::Production) => self.problems.push(problem),
            None if self.is_public(host) => self.notices.push(format!("{REFUSED}: {problem}")),
            Some(Environment::Development) | None => {}
        }
    }
}

/// A connection string in PostgreSQL's own form.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Url {
    /// The connection string.
    pub(super) text: String,
    /// The changes, in words for the log. They contain no values, since one of them is a password.
    pub(super) changes: Vec<String>,
}

impl Url {
    /// Drops the driver from the scheme and its parameters from the query, and turns `ssl` into `sslmode`.
    /// Leaves any other text unchanged.
    pub(super) fn parse(url: &str) -> Self {
        let unchanged = || Self { text: url.to_owned(), changes: Vec::new() };
        let Some((scheme, rest)) = url.split_once("://") else { return unchanged() };
        let scheme = scheme.to_ascii_lowercase();
        let (dialect, driver) = scheme.split_once('+').map_or((&*scheme, None), |(a, b)| (a, Some(b)));
        if !matches!(dialect, "postgres" | "postgresql") {
            return unchanged();
        }
        let mut changes = Vec::new();
        if let Some(driver) = driver {
            changes.push(format!("the driver `+{driver}` of the scheme is dropped"));
        }
        // Credentials may contain a question mark.
        let hosts = rest.find('@').unwrap_or(0);
        let (place, query) = match rest[hosts..].find('?') {
            Some(mark) => (&rest[..hosts + mark], query(&rest[hosts + mark + 1..], &mut changes)),
            None => (rest, String::new()),
        };
        Self { text: format!("{dialect}://{place}{query}"), changes }
    }
}

/// Returns the query in PostgreSQL's form, with its question mark; empty without parameters.
fn query(text: &str, changes: &mut Vec<String>) -> String {
    let kept = text.split('&').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if OF_DRIVERS.contains(&name) {
            changes.push(format!("the driver's parameter `{name}` is dropped"));
            return None;
        }
        if name != "ssl" {
            return Some(parameter.to_owned());
        }
        let mode = mode(value);
        changes.push(format!("`ssl` is read as `sslmode={mode}`"));
        Some(format!("sslmode={mode}"))
    });
    let kept: Vec<_> = kept.filter(|parameter| !parameter.is_empty()).collect();
    if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) }
}

/// Returns the `sslmode` of a value of asyncpg's `ssl`.
fn mode(value: &str) -> &str {
    match value.to_ascii_lowercase().as_str() {
        "false" | "off" | "no" | "0" => "disable",
        "" | "true" | "on" | "yes" | "1" => "require",
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(input: &str, text: &str, changes: usize) {
        let url = Url::parse(input);
        assert_eq!((url.text.as_str(), url.changes.len()), (text, changes), "{:?}", url.changes);
        assert!(!url.changes.concat().contains("s3cret"), "{:?}", url.changes);
    }

    #[test]
    fn the_driver_of_sqlalchemy_is_dropped() {
        for driver in ["asyncpg", "psycopg2", "psycopg", "PG8000"] {
            for scheme in ["postgresql", "postgres", "POSTGRESQL"] {
                let plain = scheme.to_ascii_lowercase();
                read(&format!("{scheme}+{driver}://u:s3cret@h:5/d"), &format!("{plain}://u:s3cret@h:5/d"), 1);
            }
        }
    }

    #[test]
    fn parameters_of_drivers_are_dropped_and_tls_is_named_as_postgresql_names_it() {
        read("postgresql+asyncpg://u:s3cret@h/d?ssl=disable", "postgresql://u:s3cret@h/d?sslmode=disable", 2);
        read("postgres://u@h/d?ssl=require", "postgres://u@h/d?sslmode=require", 1);
        read("postgres://u@h/d?ssl=true", "postgres://u@h/d?sslmode=require", 1);
        read("postgres://u@h/d?ssl=verify-full", "postgres://u@h/d?sslmode=verify-full", 1);
        read("postgres://u@h/d?sslmode=allow", "postgres://u@h/d?sslmode=allow", 0);
        read("postgres://u@h/d?command_timeout=5", "postgres://u@h/d", 1);
        read(
            "postgres://u@h/d?prepared_statement_cache_size=0&application_name=x&",
            "postgres://u@h/d?application_name=x",
            1,
        );
    }

    #[test]
    fn other_forms_stay_as_they_are() {
        for same in [
            "postgres://u:s3cret?x@h/d",
            "host=/run/postgresql user=u password=s3cret+x://",
            "mysql+asyncpg://u:s3cret@h/d",
            "postgresql:///d?host=/run/postgresql",
        ] {
            read(same, same, 0);
        }
    }
}
