//! The health binary.

fn main() {}
