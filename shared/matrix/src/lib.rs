//! messenger-matrix.
