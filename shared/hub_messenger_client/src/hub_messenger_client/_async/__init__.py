"""The code that waits for I/O, written once as async code. `scripts/unasync.py` generates `_sync` from it."""
