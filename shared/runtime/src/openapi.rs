//! The description of the HTTP interface: OpenAPI 3.1, from the declarations of which the router is made.
//!
//! A function declares each [`Operation`] once, with its path, handler, caller, parser, answers and problem
//! codes. [`Routes`] are both the routes and their description.

mod caller;
pub mod code;
mod components;
mod document;
mod events;
mod operation;
mod response;
mod routes;

pub use caller::Caller;
pub use events::{PolledEvent, StreamedEvent};
pub use operation::Operation;
pub use response::ResponseObject;
pub use routes::Routes;
