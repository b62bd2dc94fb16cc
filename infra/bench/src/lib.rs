//! Measures the service against the physical limit and against its peers.
