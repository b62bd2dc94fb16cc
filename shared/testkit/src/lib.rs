//! messenger-testkit.
