//! Is the service well?.
