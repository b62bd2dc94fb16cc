#![doc = include_str!("../README.md")]

mod connection_string;
mod error;
mod parameters;
mod tls;

pub use connection_string::{ConnectionString, SslMode};
pub use error::{ConnectError, InvalidConnectionString};
pub use tokio_postgres_rustls::MakeRustlsConnect;

/// Opens a connection, which a task drives until the client is dropped. For tests and tools.
pub async fn connect(url: &str) -> Result<tokio_postgres::Client, ConnectError> {
    let address = ConnectionString::parse(url)?;
    let (client, connection) = address.config().connect(address.tls()?).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "database connection ended");
        }
    });
    Ok(client)
}
