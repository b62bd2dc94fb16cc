//! What the homeserver tells us.
