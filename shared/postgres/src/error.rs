//! Errors of connection strings. None contains a password.

use std::path::PathBuf;

/// An error of a connection string, in words that name the parameter and the fix.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConnectionString {
    /// Neither a URL nor `keyword=value`.
    #[error("invalid connection string")]
    Syntax(#[source] tokio_postgres::Error),
    /// A parameter of libpq that this service does not have.
    #[error("the parameter `{0}` is not supported: leave it out")]
    Unsupported(&'static str),
    /// No `host` and no `hostaddr`.
    #[error("no host is named")]
    NoHost,
    /// An `sslmode` that libpq does not have.
    #[error("`sslmode` is `{0}`, must be one of: disable, prefer, require, verify-ca, verify-full")]
    SslMode(String),
    /// `sslmode=allow`.
    #[error(
        "`sslmode=allow` is not supported: use `prefer`, or `verify-full` to be sure of the server that answers"
    )]
    Allow,
    /// `sslmode=verify-ca` without a file.
    #[error(
        "`sslmode=verify-ca` needs `sslrootcert`, the path of a PEM file with the authority's certificate"
    )]
    NoRoots,
    /// `sslrootcert=system` with a mode that checks no name.
    #[error(
        "`sslmode={0}` may not be used with `sslrootcert=system`, since anybody has a certificate of such an \
         authority: use `verify-full`"
    )]
    WeakMode(&'static str),
    /// A file that cannot be used.
    #[error("`sslrootcert` names {}, which {problem}", path.display())]
    RootsFile {
        /// The file.
        path: PathBuf,
        /// The reason, as the end of a sentence.
        problem: String,
    },
    /// No authorities in the operating system.
    #[error(
        "this system has no certificates of authorities: install them (ca-certificates), or name a PEM file in \
         `sslrootcert`"
    )]
    NoSystemRoots,
    /// A failure of the TLS library.
    #[error("TLS cannot be used")]
    Tls(#[from] rustls::Error),
}

/// A connection that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The connection string is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidConnectionString),
    /// The server or the network refuses.
    #[error("connecting to PostgreSQL failed")]
    Refused(#[from] tokio_postgres::Error),
}
