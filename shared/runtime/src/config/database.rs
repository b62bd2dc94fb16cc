//! `DATABASE_URL`, also in the form of `SQLAlchemy` (`postgresql+asyncpg://…`).

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

/// A connection string in PostgreSQL's own form.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Url {
    /// The connection string.
    pub(super) text: String,
    /// The changes, in words for the log. They contain no values, since one of them is a password.
    pub(super) changes: Vec<String>,
}

impl Url {
    /// Drops the driver from the scheme and its parameters from the query, and names TLS as PostgreSQL does.
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
        if !matches!(name, "ssl" | "sslmode") {
            return Some(parameter.to_owned());
        }
        let mode = mode(value);
        if name == "ssl" {
            changes.push(format!("`ssl` is read as `sslmode={mode}`"));
        }
        Some(format!("sslmode={mode}"))
    });
    let kept: Vec<_> = kept.filter(|parameter| !parameter.is_empty()).collect();
    if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) }
}

/// Returns the `sslmode` of a value of asyncpg or libpq.
fn mode(value: &str) -> &'static str {
    match value.to_ascii_lowercase().as_str() {
        "disable" | "false" | "off" | "no" | "0" => "disable",
        "allow" | "prefer" => "prefer",
        _ => "require",
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
        read("postgres://u@h/d?sslmode=allow", "postgres://u@h/d?sslmode=prefer", 0);
        read("postgres://u@h/d?sslmode=verify-full", "postgres://u@h/d?sslmode=require", 0);
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
