//! messenger-runtime.
