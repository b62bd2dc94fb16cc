//! The appservice binary.

fn main() {}
