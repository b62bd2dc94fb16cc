//! A page of the feed.
