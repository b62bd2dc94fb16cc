"""Tests of the client with the real service. Run them with `cargo xtask test`."""
