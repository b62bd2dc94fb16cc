//! messenger-core.
