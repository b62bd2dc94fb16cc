//! The result of a load.
use crate::latency::Latencies;
use crate::report::Row;

/// The result of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) latencies: Latencies,
    pub(crate) errors: u64,
    pub(crate) seconds: f64,
    pub(crate) first_error: Option<String>,
}

impl Outcome {
    pub(crate) fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies);
        self.errors += other.errors;
        self.seconds += other.seconds;
        self.first_error = self.first_error.take().or_else(|| other.first_error.clone());
    }

    pub(crate) fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.latencies.count() as f64 / self.seconds } else { 0.0 }
    }

    pub(crate) fn row(&self, name: impl Into<String>) -> Row {
        Row::new(name)
            .latencies(&self.latencies)
            .with("per second", self.per_second())
            .with("errors", self.errors as f64)
    }
}
