//! The form of times for clients: RFC 3339 in UTC, always with six digits after the point.
//!
//! Python's `fromisoformat` accepts only three or six digits before version 3.11. Texts of equal length also
//! sort in the order of their times.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::domain::error::Result;

/// A time that is formatted with microseconds: `2026-01-31T12:00:00.000000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfc3339(pub Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.0)
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Rfc3339 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A time in UTC with microseconds (RFC 3339).",
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$",
        })
    }
}

/// Serialises a field as [`Rfc3339`], for `#[serde(serialize_with)]`.
pub fn rfc3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    Rfc3339(*time).serialize(serializer)
}

/// Serialises a field as [`Rfc3339`], or as `null` if it is `None`.
pub fn rfc3339_or_null<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(Rfc3339).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_always_has_six_digits_after_the_point() {
        for (time, written) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
            ("2026-01-31T12:00:00.12Z", "2026-01-31T12:00:00.120000Z"),
            ("2026-01-31T13:00:00.12345+01:00", "2026-01-31T12:00:00.123450Z"),
            ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456Z"),
            ("2026-01-31T12:00:00.999999999Z", "2026-01-31T12:00:00.999999Z"),
            ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999Z"),
            ("9999-12-30T22:00:00.5Z", "9999-12-30T22:00:00.500000Z"),
        ] {
            let time: Timestamp = time.parse().unwrap();
            assert_eq!(Rfc3339(time).to_string(), written);
            assert_eq!(serde_json::to_string(&Rfc3339(time)).unwrap(), format!("\"{written}\""));
        }
    }
}
