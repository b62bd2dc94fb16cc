//! The service under test: its address, its credentials and its users.
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use serde_json::json;
use tokio::task::JoinSet;

use crate::http::{Connection, Server};

/// The text of each notification, so that events have a realistic size.
pub const TEXT: &str =
    "Spindel 3: Temperatur 92 °C über Grenzwert. Werkzeugwechsel pausiert, bitte Kühlung prüfen.";
/// Users that sign in at the same time.
const CONCURRENCY: usize = 16;
/// The validity of a token in seconds.
const VALIDITY: u64 = 24 * 3600;

/// The service under test.
#[derive(Clone, Debug)]
pub struct System {
    /// Its address.
    pub server: Server,
    /// The token of its satellites.
    pub service_token: String,
    /// The key that signs the Hub's tokens.
    pub hub_key: String,
    /// The homeserver's token; `None` for a service that the bench did not start.
    pub hs_token: Option<String>,
    /// The router's processes; empty if it runs on another machine.
    pub pids: Vec<i32>,
    /// The processes of its database; empty if it runs on another machine.
    pub database_pids: Vec<i32>,
}

impl System {
    /// Returns a token of the Hub for a user with this role in a tenant.
    pub(crate) fn token_of(&self, user: &str, role: &str, tenant: usize) -> Result<String> {
        let claims = json!({
            "iss": "aesystek-hub", "sub": user, "role": role, "tenant_id": tenant, "display_name": user,
            "exp": get_current_timestamp() + VALIDITY,
        });
        let key = EncodingKey::from_secret(self.hub_key.as_bytes());
        encode(&Header::default(), &claims, &key).context("signing a token")
    }

    /// Signs in users `prefix-0`, `prefix-1` … of a tenant, and returns their tokens.
    pub async fn sign_in(&self, prefix: &str, users: usize, tenant: usize) -> Result<Vec<String>> {
        let tokens = (0..users).map(|user| self.token_of(&format!("{prefix}-{user}"), "user", tenant));
        let tokens: Arc<[String]> = tokens.collect::<Result<Vec<_>>>()?.into();
        let mut tasks = JoinSet::new();
        for first in 0..CONCURRENCY {
            let (server, tokens) = (self.server.clone(), Arc::clone(&tokens));
            tasks.spawn(async move {
                let mut connection = Connection::open(&server, 0).await?;
                for token in tokens.iter().skip(first).step_by(CONCURRENCY) {
                    let bearer = format!("Bearer {token}");
                    let request =
                        server.request("GET", "/api/v1/users/me", &[("Authorization", &bearer)], "");
                    let response = connection.call(&request).await?;
                    ensure!(response.status == 200, "users/me returned {}", response.text());
                }
                anyhow::Ok(())
            });
        }
        tasks.join_all().await.into_iter().collect::<Result<()>>()?;
        Ok(tokens.to_vec())
    }
}
