"""Starts the service, the proxies before it, and the programs that read streams."""
