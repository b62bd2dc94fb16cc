//! Accounts with a password, created through Synapse's admin API.
use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha1::Sha1;

use crate::homeserver::{client, login, send, string_field};

/// The administrator. The account is created when it is first needed.
const ADMINISTRATOR: &str = "devstack-admin";

/// The accounts of a Synapse, which may run anywhere.
#[derive(Clone, Debug)]
pub struct Accounts {
    url: String,
    server_name: String,
    registration_secret: String,
}

impl Accounts {
    /// Takes the address without a slash at the end, the part of Matrix ids after the colon, and the
    /// `registration_shared_secret`.
    pub fn new(
        url: impl Into<String>,
        server_name: impl Into<String>,
        registration_secret: impl Into<String>,
    ) -> Self {
        Self {
            url: url.into(),
            server_name: server_name.into(),
            registration_secret: registration_secret.into(),
        }
    }

    /// Returns the address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Logs in as a client. Returns the access token.
    pub async fn login(&self, localpart: &str, password: &str) -> Result<String> {
        login(&self.url, localpart, password).await
    }

    /// Creates an account with a password (shared-secret registration). Returns an error if it exists.
    pub async fn register_user(&self, localpart: &str, password: &str, admin: bool) -> Result<()> {
        self.register(localpart, password, admin).await.map(drop)
    }

    /// Sets the password of an account. Its devices stay logged in.
    pub async fn set_password(&self, localpart: &str, password: &str) -> Result<()> {
        let token = self.administrator().await?;
        let user = format!("@{localpart}:{}", self.server_name);
        let url = format!("{}/_synapse/admin/v2/users/{user}", self.url);
        let body = json!({ "password": password, "logout_devices": false });
        let request = client()?.put(url).bearer_auth(token).body(body.to_string());
        send(request).await.map(drop).with_context(|| format!("setting the password of {user}"))
    }

    /// Returns the `registration_shared_secret`. Its owner can create administrators.
    pub fn registration_secret(&self) -> &str {
        &self.registration_secret
    }

    /// Returns an access token of the administrator. The registration secret is the password.
    async fn administrator(&self) -> Result<String> {
        match self.login(ADMINISTRATOR, &self.registration_secret).await {
            Ok(token) => Ok(token),
            Err(_) => self.register(ADMINISTRATOR, &self.registration_secret, true).await,
        }
    }

    async fn register(&self, localpart: &str, password: &str, admin: bool) -> Result<String> {
        let (client, url) = (client()?, format!("{}/_synapse/admin/v1/register", self.url));
        let nonce = string_field(&send(client.get(&url)).await?, "nonce")?;
        let role = if admin { "admin" } else { "notadmin" };
        let mut mac = Hmac::<Sha1>::new_from_slice(self.registration_secret.as_bytes())?;
        mac.update([nonce.as_str(), localpart, password, role].join("\0").as_bytes());
        let body = json!({
            "nonce": nonce,
            "username": localpart,
            "password": password,
            "admin": admin,
            "mac": hex::encode(mac.finalize().into_bytes()),
        });
        let request = client.post(&url).body(body.to_string());
        let account = send(request).await.with_context(|| format!("registering {localpart}"))?;
        string_field(&account, "access_token")
    }
}
