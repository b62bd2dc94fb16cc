//! The feed as it happens: long-lived SSE.
