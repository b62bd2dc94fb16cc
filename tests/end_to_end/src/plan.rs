//! The parts of the service that a test starts.

/// The parts that a test starts.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Starts a homeserver if set; without one its address leads nowhere.
    pub homeserver: bool,
    /// Starts a worker if set.
    pub worker: bool,
    /// Starts a [`PushProxy`](crate::PushProxy) in front of the service if set.
    pub push_proxy: bool,
    /// The part that starts first.
    pub first: First,
    /// A database to use instead of a new one in the tests' cluster.
    pub database_url: Option<String>,
    /// Additional environment variables of router and worker.
    pub environment: Vec<(String, String)>,
}

/// The part of the service that starts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The router.
    Router,
    /// The worker: the router starts once the homeserver knows the service.
    Worker,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            homeserver: true,
            worker: true,
            push_proxy: false,
            first: First::Router,
            database_url: None,
            environment: Vec::new(),
        }
    }
}
