//! The port of distributed traces.

use tracing::Span;

use crate::domain::origin::Traceparent;

/// The traces of other processes, which this one continues.
pub trait Tracing: Send + Sync {
    /// Makes the span a child of a span of another process. Call it before the span is entered.
    ///
    /// A span that is not exported, or a context that cannot be read, changes nothing.
    fn set_parent(&self, span: &Span, parent: &Traceparent);
}

/// The port of a process that exports no traces.
#[derive(Debug)]
pub struct Untraced;

impl Tracing for Untraced {
    fn set_parent(&self, _: &Span, _: &Traceparent) {}
}
