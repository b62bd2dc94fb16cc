"""Tests of the client with a loopback service; those with the real service are in `e2e`."""
