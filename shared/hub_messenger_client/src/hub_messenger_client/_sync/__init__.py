# Generated from `_async` by scripts/unasync.py: edit it there.
"""Everything that waits, written once. `_sync` is generated from here by `scripts/unasync.py`."""
