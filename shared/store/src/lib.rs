//! messenger-store.
