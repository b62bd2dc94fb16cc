//! Drains the outbox, provisions accounts, keeps the log short.
