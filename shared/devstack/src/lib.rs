//! messenger-devstack.
