//! The satellites' door.
