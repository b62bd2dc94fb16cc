//! The Application Service's registration file, as Synapse reads it.
use super::settings::Settings;

/// A stand-in until `messenger_matrix::registration::yaml` is there.
pub(super) fn yaml(settings: &Settings) -> String {
    let server = settings.server_name.replace('.', r"\.");
    format!(
        "id: messenger
url: {url}
as_token: {as_token}
hs_token: {hs_token}
sender_localpart: messenger
rate_limited: false
namespaces:
  users: [{{ exclusive: false, regex: '^@.*:{server}$' }}]
  aliases: [{{ exclusive: false, regex: '^#.*:{server}$' }}]
  rooms: []
",
        url = settings.url(),
        as_token = settings.as_token,
        hs_token = settings.hs_token,
    )
}
