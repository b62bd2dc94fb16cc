//! The application service registration for the own Synapse.
use messenger_devstack::messenger::BOT;
use messenger_matrix::{Registration, registration};

use super::settings::UpSettings;

/// Returns the registration file. It is written at each start, since the address changes with the port.
pub(super) fn yaml(settings: &UpSettings) -> String {
    registration::yaml(&Registration {
        id: "messenger".to_owned(),
        url: Some(settings.appservice_url.clone()),
        as_token: settings.as_token.clone(),
        hs_token: settings.hs_token.clone(),
        bot_localpart: BOT.to_owned(),
        server_name: settings.server_name.clone(),
    })
}
