//! Reads of numbers and of seconds.

use std::{ops::RangeInclusive, time::Duration};

use messenger_core::json;
use serde_json::{Value, json};

use super::Fields;

impl Fields {
    /// Returns a whole number of a body. `42`, `42.0` and `4.2e1` are the same number.
    pub fn whole(&mut self, name: &'static str) -> Option<i64> {
        if self.note_optional(name, || json!({ "type": "integer", "format": "int64" })) {
            return None;
        }
        self.whole_as(name, "a whole number")
    }

    /// Returns a whole number of a body within these bounds, or the default. `unit` is what it counts, as in
    /// "milliseconds".
    pub fn whole_within(
        &mut self,
        name: &'static str,
        unit: &str,
        default: i64,
        bounds: RangeInclusive<i64>,
    ) -> i64 {
        let (least, most) = (*bounds.start(), *bounds.end());
        let schema = || json!({ "type": "integer", "minimum": least, "maximum": most, "default": default });
        if self.note_optional(name, schema) {
            return default;
        }
        let expected = format!("a whole number of {unit} from {least} to {most}");
        let number = self.whole_as(name, &expected).unwrap_or(default);
        if !bounds.contains(&number) {
            self.wrong(name, &format!("must be {expected}"));
        }
        number
    }

    /// Returns a whole number of a body within these bounds; `None` if it is missing or `null`. `unit` is what it
    /// counts, as in "seconds".
    pub fn optional_whole_within(
        &mut self,
        name: &'static str,
        unit: &str,
        bounds: RangeInclusive<i64>,
    ) -> Option<i64> {
        let (least, most) = (*bounds.start(), *bounds.end());
        if self.note_optional(name, || json!({ "type": "integer", "minimum": least, "maximum": most })) {
            return None;
        }
        let expected = format!("a whole number of {unit} from {least} to {most}");
        let number = self.whole_as(name, &expected)?;
        if !bounds.contains(&number) {
            self.wrong(name, &format!("must be {expected}"));
            return None;
        }
        Some(number)
    }

    /// Returns a list of whole numbers of a body; an empty one if it is missing or `null`. `what` is what they
    /// are, as in "notifications".
    pub fn whole_numbers(&mut self, name: &'static str, what: &str, most: usize) -> Vec<i64> {
        let items = || json!({ "type": "integer", "format": "int64" });
        if self.note_optional(name, || json!({ "type": "array", "maxItems": most, "items": items() })) {
            return Vec::new();
        }
        let list = match self.value(name) {
            None => return Vec::new(),
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.wrong(name, &format!("must be a list of ids of {what}"));
                return Vec::new();
            }
        };
        if list.len() > most {
            self.wrong(name, &format!("must name at most {most} {what}, names {}", list.len()));
            return Vec::new();
        }
        let mut numbers = Vec::with_capacity(list.len());
        for (n, item) in list.iter().enumerate() {
            match item.as_number().and_then(|number| json::whole(&number.to_string())) {
                Some(number) => numbers.push(number),
                None => self.wrong(&format!("{name}/{n}"), "must be a whole number"),
            }
        }
        numbers
    }

    /// Returns a whole number of a body. `expected` describes the field in a problem.
    pub(super) fn whole_as(&mut self, name: &'static str, expected: &str) -> Option<i64> {
        self.read.insert(name);
        let number = json::whole(self.json(name)?.get());
        if number.is_none() {
            self.wrong(name, &format!("must be {expected}"));
        }
        number
    }

    /// Returns a whole number of a query, or the default.
    pub fn number(&mut self, name: &'static str, default: i64, least: i64, most: i64) -> i64 {
        let schema = || json!({ "type": "integer", "minimum": least, "maximum": most, "default": default });
        if self.note_optional(name, schema) {
            return default;
        }
        match self.value(name) {
            Some(Value::String(text)) => match text.parse() {
                Ok(number) if (least..=most).contains(&number) => number,
                _ => {
                    self.wrong(name, &format!("must be a whole number from {least} to {most}, is `{text}`"));
                    default
                }
            },
            _ => default,
        }
    }

    /// Returns a whole number of a query; `None` if it is missing or empty.
    pub fn optional_number(&mut self, name: &'static str, least: i64, most: i64) -> Option<i64> {
        self.optional_number_as(name, least, most, &format!("from {least} to {most}"))
    }

    /// Returns a whole number of a query; `None` if it is missing or empty. `expected` states the bounds in a
    /// problem, where they depend on other parameters.
    pub fn optional_number_as(
        &mut self,
        name: &'static str,
        least: i64,
        most: i64,
        expected: &str,
    ) -> Option<i64> {
        let schema = || json!({ "type": "integer", "minimum": least, "maximum": most });
        if self.note_optional(name, schema) {
            return None;
        }
        let Some(Value::String(text)) = self.value(name) else { return None };
        if text.trim().is_empty() {
            return None;
        }
        let number = text.trim().parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong(name, &format!("must be a whole number {expected}, is `{text}`"));
        }
        number
    }

    /// Returns seconds of a query, which are a decimal number, or the default.
    pub fn seconds(&mut self, name: &'static str, default: u32, most: u32) -> Duration {
        let schema = || json!({ "type": "number", "minimum": 0, "maximum": most, "default": default });
        let default = Duration::from_secs(default.into());
        if self.note_optional(name, schema) {
            return default;
        }
        let Some(Value::String(text)) = self.value(name) else { return default };
        match text.parse::<f64>() {
            Ok(seconds) if (0.0..=f64::from(most)).contains(&seconds) => Duration::from_secs_f64(seconds),
            _ => {
                self.wrong(name, &format!("must be a number of seconds from 0 to {most}, is `{text}`"));
                Duration::ZERO
            }
        }
    }
}
