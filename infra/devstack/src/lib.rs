//! Servers for development and tests: PostgreSQL, Matrix homeservers, and the service itself.
#![doc = include_str!("../README.md")]

pub mod certificates;
pub mod conduit;
pub mod database;
pub mod debian;
pub mod dynoxide;
pub mod edge;
pub mod engine;
pub mod environment;
pub mod home;
pub mod homeserver;
pub mod lambda;
pub mod local_homeserver;
mod lock;
pub mod messenger;
pub mod node;
pub mod output_queue;
pub mod owner;
pub mod pgbouncer;
pub mod port;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod python;
pub mod service;
pub mod synapse;

pub use conduit::Conduit;
pub use database::TestDatabase;
pub use dynoxide::Dynoxide;
pub use engine::Engine;
pub use home::Home;
pub use lambda::CargoLambda;
pub use local_homeserver::LocalHomeserver;
pub use lock::lock;
pub use output_queue::OutputQueue;
pub use pgbouncer::PgBouncer;
pub use port::free_port;
pub use postgres::Postgres;
pub use process::Process;
pub use prometheus::Prometheus;
pub use synapse::Synapse;
