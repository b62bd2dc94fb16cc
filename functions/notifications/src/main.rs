//! The notifications binary.

fn main() {}
