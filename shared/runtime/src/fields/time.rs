//! Reads of times.

use jiff::Timestamp;
use serde_json::json;

use super::Fields;

/// Longest text of a time, in characters.
const TIME_MAX: usize = 64;

impl Fields {
    /// Returns a time (RFC 3339); `None` if it is missing, empty or `null`.
    pub fn optional_time(&mut self, name: &'static str) -> Option<Timestamp> {
        if self.note_optional(name, || json!({ "type": "string", "format": "date-time" })) {
            return None;
        }
        let text = self.text(name)?;
        let text = self.within(name, TIME_MAX, text)?;
        if text.trim().is_empty() {
            return None;
        }
        let time = text.trim().parse().ok();
        if time.is_none() {
            self.wrong(
                name,
                "must be a time as in `2026-01-31T12:00:00Z` (RFC 3339); write `+` as `%2B` in a URL",
            );
        }
        time
    }
}
