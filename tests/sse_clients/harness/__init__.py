"""Starts what the tests need: the service, its fronts, and programs that read streams."""
