//! `GET /client-config`: the settings that the page needs before the sign-in. None of them is a secret.

use axum::{Json, extract::State};
use messenger_runtime::{
    App,
    openapi::{Operation, ResponseObject},
};
use schemars::JsonSchema;
use serde::Serialize;

/// The settings of the page.
#[derive(Serialize, JsonSchema)]
struct ClientConfig {
    /// The version of the service.
    version: &'static str,
    /// The version with the revision of the sources. Another one in `connected` means that the page is outdated.
    app_version: String,
    /// The Matrix id of the bot, which is the sender of notifications in rooms.
    bot_user_id: String,
    /// The largest file that may be uploaded.
    max_upload_bytes: u64,
    /// Whether seeded users can be signed in without the Hub (`POST /auth/development`).
    development: bool,
}

pub(crate) fn operation() -> Operation {
    Operation::get("/client-config", client_config, "getClientConfig", "Returns the settings of the page")
        .answer(ResponseObject::json::<ClientConfig>(200, "The settings."))
}

async fn client_config(State(app): State<App>) -> Json<ClientConfig> {
    Json(ClientConfig {
        version: env!("CARGO_PKG_VERSION"),
        app_version: app.messenger.settings().app_version.clone(),
        bot_user_id: app.messenger.ids().bot().to_string(),
        max_upload_bytes: app.config.max_upload_bytes,
        development: app.config.web.has_seeded_users,
    })
}
