//! The events binary.

fn main() {}
