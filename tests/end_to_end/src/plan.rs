//! The parts of the service that a test needs.

/// The parts that a test needs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// A homeserver of its own; without one its address leads nowhere.
    pub homeserver: bool,
    /// A worker.
    pub worker: bool,
    /// A [`Gate`] before what the homeserver pushes.
    pub gate: bool,
    /// The part that starts first.
    pub first: First,
    /// Another database than one of the tests' cluster.
    pub database_url: Option<String>,
    /// More environment for router and worker.
    pub environment: Vec<(String, String)>,
}

/// The part of the service that starts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The router.
    Router,
    /// The worker: the router starts when the homeserver knows the service.
    Worker,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            homeserver: true,
            worker: true,
            gate: false,
            first: First::Router,
            database_url: None,
            environment: Vec::new(),
        }
    }
}
