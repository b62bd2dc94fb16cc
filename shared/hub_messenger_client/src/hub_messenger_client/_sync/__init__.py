# Generated from `_async` by scripts/unasync.py: edit it there.
"""The code that waits for I/O, written once as async code. `scripts/unasync.py` generates `_sync` from it."""
