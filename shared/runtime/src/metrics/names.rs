//! The metrics of all programs: name, kind and help text. `docs/metrics.md` describes each.

/// The kind of a metric (Prometheus, "Metric types").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

pub(crate) const BUILD_INFO: &str = "messenger_build_info";
pub(crate) const PROCESS_START: &str = "process_start_time_seconds";
pub(crate) const REQUESTS: &str = "messenger_http_requests_total";
pub(crate) const REQUEST_DURATION: &str = "messenger_http_request_duration_seconds";
pub(crate) const STREAMS: &str = "messenger_event_streams";
pub(crate) const STREAMS_TOO_SLOW: &str = "messenger_event_streams_too_slow_total";
pub(crate) const EVENTS_READ: &str = "messenger_events_read_total";
pub(crate) const EVENTS_HANDED_OUT: &str = "messenger_events_handed_out_total";
pub(crate) const FEED_HEAD: &str = "messenger_feed_head_position";
pub(crate) const FEED_LAG: &str = "messenger_feed_lag_events";
pub(crate) const FEED_CAUGHT_UP: &str = "messenger_feed_since_caught_up_seconds";
pub(crate) const QUEUES: &str = "messenger_outbox_queues";
pub(crate) const PENDING: &str = "messenger_outbox_notifications";
pub(crate) const OLDEST_PENDING: &str = "messenger_outbox_oldest_pending_seconds";
pub(crate) const OLDEST_DUE: &str = "messenger_outbox_oldest_due_seconds";
pub(crate) const DELIVERY_FAILURES: &str = "messenger_delivery_failures_total";
pub(crate) const SYNC_AGE: &str = "messenger_sync_age_seconds";
pub(crate) const SYNC_LEASED: &str = "messenger_sync_leased";
pub(crate) const HOMESERVER_CALLS: &str = "messenger_homeserver_calls_total";
pub(crate) const HOMESERVER_UP: &str = "messenger_homeserver_up";
pub(crate) const DATABASE_UP: &str = "messenger_database_up";
pub(crate) const CONNECTIONS: &str = "messenger_database_connections";
pub(crate) const CONNECTIONS_MAX: &str = "messenger_database_connections_max";
pub(crate) const CONNECTION_WAITERS: &str = "messenger_database_connection_waiters";
pub(crate) const STATEMENTS: &str = "messenger_database_statements_total";

pub(crate) const RELAY_LAG: &str = "messenger_relay_lag_events";
pub(crate) const RELAY_LAG_SECONDS: &str = "messenger_relay_lag_seconds";
pub(crate) const RELAY_THROTTLED: &str = "messenger_relay_throttled_writes_total";

/// All metrics. A series appears when its program has a value for it.
pub(super) const ALL: [(Kind, &str, &str); 28] = [
    (Kind::Gauge, BUILD_INFO, "Version of the program; the value is always 1."),
    (Kind::Gauge, PROCESS_START, "Start time of the process since the Unix epoch, in seconds."),
    (Kind::Counter, REQUESTS, "Requests that were answered, by method, route pattern and status."),
    (
        Kind::Histogram,
        REQUEST_DURATION,
        "Time from the head of a request to the head of its response, in seconds.",
    ),
    (Kind::Gauge, STREAMS, "Open event streams and waiting polls of this process."),
    (Kind::Counter, STREAMS_TOO_SLOW, "Event streams that were ended because their reader was too slow."),
    (Kind::Counter, EVENTS_READ, "Events that the broker of this process has read from the event log."),
    (Kind::Counter, EVENTS_HANDED_OUT, "Events handed out: one for each event and connection."),
    (Kind::Gauge, FEED_HEAD, "Last position of the event log."),
    (Kind::Gauge, FEED_LAG, "Positions by which the broker of this process is behind the event log."),
    (Kind::Gauge, FEED_CAUGHT_UP, "Time since the broker last read the event log to its end, in seconds."),
    (Kind::Gauge, QUEUES, "Room queues with a pending notification that can be delivered."),
    (
        Kind::Gauge,
        PENDING,
        "Pending notifications: queued ones can be delivered, held ones wait for a sign-in.",
    ),
    (
        Kind::Gauge,
        OLDEST_PENDING,
        "Age of the oldest pending notification that can be delivered, in seconds.",
    ),
    (Kind::Gauge, OLDEST_DUE, "Time for which a room queue has been due without a worker, in seconds."),
    (Kind::Counter, DELIVERY_FAILURES, "Failed attempts of this process to deliver a notification."),
    (Kind::Gauge, SYNC_AGE, "Time since the position in the homeserver's sync moved, in seconds."),
    (Kind::Gauge, SYNC_LEASED, "Whether a worker holds the lease on reconciliation."),
    (Kind::Counter, HOMESERVER_CALLS, "Calls of this process to the homeserver, by outcome."),
    (Kind::Gauge, HOMESERVER_UP, "Whether the homeserver answers this process."),
    (Kind::Gauge, DATABASE_UP, "Whether the database answers this process."),
    (Kind::Gauge, CONNECTIONS, "Connections to the database in the pool of this process, by state."),
    (Kind::Gauge, CONNECTIONS_MAX, "Most connections of the pool of this process."),
    (Kind::Gauge, CONNECTION_WAITERS, "Statements that wait for a connection of the pool."),
    (Kind::Counter, STATEMENTS, "Statements that this process has sent to the database."),
    (Kind::Gauge, RELAY_LAG, "Events that the copy of the event log does not have yet."),
    (Kind::Gauge, RELAY_LAG_SECONDS, "Age of the oldest event that the copy does not have yet, in seconds."),
    (Kind::Counter, RELAY_THROTTLED, "Writes that DynamoDB refused because there were too many at once."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_describes_each_metric_and_no_other() {
        let document = include_str!("../../../../docs/metrics.md");
        let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let described: BTreeSet<_> = rows.map(|(name, _)| name).filter(|name| name.contains('_')).collect();
        let exist: BTreeSet<_> = ALL.into_iter().map(|(_, name, _)| name).collect();
        assert_eq!(described, exist);
    }

    #[test]
    fn only_counters_are_totals() {
        for (kind, name, help) in ALL {
            assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(help.ends_with('.'), "{name}");
        }
    }
}
