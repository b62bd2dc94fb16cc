//! The JSON of answers.

use messenger_core::{
    external,
    id::{HubUserId, MatrixUserId},
    time::Rfc3339,
    user::Role,
};
use schemars::JsonSchema;
use serde::Serialize;

/// The caller.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Me {
    pub(crate) hub_user_id: HubUserId,
    pub(crate) display_name: String,
    pub(crate) matrix_user_id: MatrixUserId,
    pub(crate) role: Role,
    pub(crate) external_client_enabled: bool,
}

/// A user in the list from which people choose a partner for a chat.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub(crate) struct Listed {
    pub(crate) hub_user_id: HubUserId,
    pub(crate) display_name: String,
    pub(crate) matrix_user_id: MatrixUserId,
}

/// The values that a user enters into another Matrix client.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ExternalClient {
    homeserver: String,
    user_id: MatrixUserId,
    username: String,
    password: String,
}

/// A token of this service.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Login {
    pub(crate) access_token: String,
    #[schemars(extend("const" = "bearer"))]
    pub(crate) token_type: &'static str,
    pub(crate) matrix_user_id: MatrixUserId,
    pub(crate) display_name: String,
}

/// A session that was begun.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Session {
    /// The time at which the cookie expires.
    pub(crate) expires_at: Rfc3339,
}

impl From<external::ExternalClient> for ExternalClient {
    fn from(client: external::ExternalClient) -> Self {
        Self {
            homeserver: client.homeserver,
            user_id: client.user_id,
            username: client.username,
            password: client.password,
        }
    }
}
