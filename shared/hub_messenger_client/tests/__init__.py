"""Tests: rules here, the real service in `e2e`."""
