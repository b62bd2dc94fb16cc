//! The parameters of the audit log, which every act of an administrator passes on.

use messenger_core::{admin::Administrator, origin::RequestId};

/// The actor, the address and the request of an act, in their forms in the database.
pub(crate) struct ActParameters<'a> {
    pub(crate) actor: &'a str,
    pub(crate) address: String,
    pub(crate) request_id: Option<&'a str>,
}

impl<'a> From<&'a Administrator> for ActParameters<'a> {
    fn from(administrator: &'a Administrator) -> Self {
        Self {
            actor: administrator.actor.as_str(),
            address: administrator.address.to_string(),
            request_id: administrator.request_id.as_ref().map(RequestId::as_str),
        }
    }
}
