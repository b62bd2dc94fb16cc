//! The spans of a delivery: one for log lines, and one for the trace in which the notification was sent.

use tracing::{Instrument as _, Span, error_span, field::Empty, info_span};

use crate::{
    app::delivery::Delivery,
    domain::{
        error::{Error, Result},
        id::{EventId, RoomId},
        notification::Notification,
        origin::TRACE_TARGET,
    },
};

impl Delivery {
    /// Returns the span of the log lines about a delivery. Its level is `error`, so that it exists whenever
    /// any line is.
    pub(super) fn log_span(notification: &Notification) -> Span {
        error_span!(
            "deliver",
            notification = %notification.id,
            request_id = notification.origin.request_id.as_ref().map(tracing::field::display),
        )
    }

    /// Makes an attempt within the trace in which the notification was sent, in whatever process.
    pub(super) async fn traced_attempt(&self, notification: &Notification) -> Result<(RoomId, EventId)> {
        let span = self.attempt_span(notification);
        let result = self.attempt(notification).instrument(span.clone()).await;
        if let Err(error) = &result {
            record_error(&span, error);
        }
        result
    }

    /// Returns the span of an attempt in a trace, with the names of OpenTelemetry's conventions for messaging.
    fn attempt_span(&self, notification: &Notification) -> Span {
        let span = info_span!(
            target: TRACE_TARGET,
            "deliver",
            otel.name = "deliver outbox",
            otel.kind = "consumer",
            otel.status_code = Empty,
            "error.type" = Empty,
            messaging.system = "messenger",
            messaging.destination.name = "outbox",
            messaging.operation.name = "deliver",
            "messaging.operation.type" = "process",
            messaging.message.id = %notification.id,
            messenger.delivery.attempt = notification.attempts + 1,
        );
        if !span.is_disabled()
            && let Some(parent) = &notification.origin.traceparent
        {
            self.tracing.set_parent(&span, parent);
        }
        span
    }
}

/// Marks a span as failed, by the stable code of the error only: its text may hold names.
fn record_error(span: &Span, error: &Error) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", error.code());
}
