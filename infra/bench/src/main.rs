//! `messenger-bench`: see `docs/performance.md`.
fn main() {}
