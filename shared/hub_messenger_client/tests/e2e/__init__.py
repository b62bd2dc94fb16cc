"""The client against the real service: run with `cargo xtask test`."""
