//! A connection string, as libpq reads it.

use std::{net::IpAddr, path::PathBuf};

use tokio_postgres::{
    Config,
    config::{Host, SslMode as Negotiation},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    error::InvalidConnectionString as Invalid,
    parameters::Parameters,
    tls::{Roots, Verification, connector},
};

/// The parameters that this crate reads itself.
const OURS: [&str; 2] = ["sslmode", "sslrootcert"];
/// Parameters of libpq that change how a server is reached or recognised, and that neither this crate nor
/// tokio-postgres has.
const UNSUPPORTED: [&str; 18] = [
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "krbsrvname",
    "passfile",
    "require_auth",
    "requiressl",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslpassword",
    "sslsni",
];

/// `sslmode`: whether a connection uses TLS, and the checks of the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS if the server offers it.
    Prefer,
    /// TLS.
    Require,
    /// TLS with a certificate of a known authority.
    VerifyCa,
    /// TLS with a certificate of a known authority for the name of the host.
    VerifyFull,
}

impl SslMode {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(match text {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            "allow" => return Err(Invalid::Allow),
            other => return Err(Invalid::SslMode(other.to_owned())),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// A parsed connection string.
#[derive(Clone, Debug)]
pub struct ConnectionString {
    config: Config,
    mode: SslMode,
    verification: Verification,
}

impl ConnectionString {
    /// Parses a URL (`postgres://…`) or a list of `keyword=value`. Reads no file.
    ///
    /// # Errors
    /// Returns an error that names the wrong parameter, and never a password.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let unsupported = Parameters::take(text, &UNSUPPORTED);
        if let Some(name) = UNSUPPORTED.into_iter().find(|name| unsupported.value(name).is_some()) {
            return Err(Invalid::Unsupported(name));
        }
        let parameters = Parameters::take(&unsupported.remaining, &OURS);
        let mut config: Config = parameters.remaining.parse().map_err(Invalid::Syntax)?;
        name_hosts(&mut config)?;
        let roots = parameters.value("sslrootcert").map(|value| match value {
            "system" => Roots::System,
            path => Roots::File(PathBuf::from(path)),
        });
        let default = if roots == Some(Roots::System) { SslMode::VerifyFull } else { SslMode::Prefer };
        let mode = parameters.value("sslmode").map_or(Ok(default), SslMode::parse)?;
        let verification = verification(mode, roots)?;
        let is_socket = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(match mode {
            _ if is_socket => Negotiation::Disable,
            SslMode::Disable => Negotiation::Disable,
            SslMode::Prefer => Negotiation::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Negotiation::Require,
        });
        Ok(Self { config, mode, verification })
    }

    /// Returns the configuration of tokio-postgres. It connects as the string says only with
    /// [`tls`](Self::tls).
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns `sslmode`, or its default.
    pub fn mode(&self) -> SslMode {
        self.mode
    }

    /// Returns whether a host may be another machine. Loopback addresses, `localhost` and Unix sockets are
    /// this one.
    pub fn is_remote(&self) -> bool {
        let (hosts, addresses) = (self.config.get_hosts(), self.config.get_hostaddrs());
        if addresses.is_empty() {
            return hosts.iter().any(|host| match host {
                Host::Unix(_) => false,
                Host::Tcp(name) => !is_local(name),
            });
        }
        addresses.iter().any(|address| !address.to_canonical().is_loopback())
    }

    /// Checks that the file of `sslrootcert` can be used.
    pub fn check_roots(&self) -> Result<(), Invalid> {
        self.verification.check_file()
    }

    /// Returns the connector for this string. Reads the certificates of the authorities.
    pub fn tls(&self) -> Result<MakeRustlsConnect, Invalid> {
        connector(&self.verification)
    }
}

/// Gives the addresses of `hostaddr` as names if there are no others: TLS needs one.
fn name_hosts(config: &mut Config) -> Result<(), Invalid> {
    if config.get_hosts().is_empty() {
        let names: Vec<_> = config.get_hostaddrs().iter().map(ToString::to_string).collect();
        for name in names {
            config.host(name);
        }
    }
    if config.get_hosts().is_empty() { Err(Invalid::NoHost) } else { Ok(()) }
}

/// Returns the demands on the server's certificate.
fn verification(mode: SslMode, roots: Option<Roots>) -> Result<Verification, Invalid> {
    match (mode, roots) {
        (SslMode::VerifyFull, roots) => Ok(Verification::Name(roots.unwrap_or(Roots::System))),
        (weak, Some(Roots::System)) => Err(Invalid::WeakMode(weak.name())),
        (SslMode::VerifyCa, None) => Err(Invalid::NoRoots),
        (SslMode::Disable, _) | (_, None) => Ok(Verification::Nothing),
        (SslMode::Prefer | SslMode::Require | SslMode::VerifyCa, Some(file)) => {
            Ok(Verification::Authority(file))
        }
    }
}

fn is_local(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parameters: &str) -> ConnectionString {
        ConnectionString::parse(&format!("postgres://u:s3cret@h/d?{parameters}")).expect("it is good")
    }

    #[track_caller]
    fn refused(text: &str, problem: &str) {
        let error = ConnectionString::parse(text).expect_err("it is wrong").to_string();
        assert!(error.contains(problem), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }

    fn file() -> Roots {
        Roots::File(PathBuf::from("/ca.pem"))
    }

    #[test]
    fn each_sslmode_means_what_it_means_for_libpq() {
        use {Negotiation as N, Verification as V};
        for (parameters, mode, negotiation, verification) in [
            ("", SslMode::Prefer, N::Prefer, V::Nothing),
            ("sslmode=disable", SslMode::Disable, N::Disable, V::Nothing),
            ("sslmode=disable&sslrootcert=/ca.pem", SslMode::Disable, N::Disable, V::Nothing),
            ("sslmode=prefer", SslMode::Prefer, N::Prefer, V::Nothing),
            ("sslrootcert=/ca.pem", SslMode::Prefer, N::Prefer, V::Authority(file())),
            ("sslmode=require", SslMode::Require, N::Require, V::Nothing),
            ("sslmode=require&sslrootcert=%2Fca.pem", SslMode::Require, N::Require, V::Authority(file())),
            ("sslmode=verify-ca&sslrootcert=/ca.pem", SslMode::VerifyCa, N::Require, V::Authority(file())),
            ("sslmode=verify-full&sslrootcert=/ca.pem", SslMode::VerifyFull, N::Require, V::Name(file())),
            ("sslmode=verify-full", SslMode::VerifyFull, N::Require, V::Name(Roots::System)),
            ("sslrootcert=system", SslMode::VerifyFull, N::Require, V::Name(Roots::System)),
        ] {
            let parsed = parse(parameters);
            assert_eq!(
                (parsed.mode, parsed.config.get_ssl_mode(), parsed.verification),
                (mode, negotiation, verification),
                "{parameters}"
            );
        }
    }

    #[test]
    fn a_list_of_keywords_is_read_as_a_url_is() {
        let text = "host=h user=u password='s3cret x' sslmode=verify-full sslrootcert='/ca.pem'";
        let parsed = ConnectionString::parse(text).expect("it is good");
        assert_eq!((parsed.mode, parsed.verification), (SslMode::VerifyFull, Verification::Name(file())));
        assert_eq!(parsed.config.get_password(), Some(b"s3cret x".as_slice()));
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        refused("postgres://u:s3cret@h/d?sslmode=allow", "`sslmode=allow` is not supported");
        refused(
            "postgres://u:s3cret@h/d?sslmode=Require",
            "`sslmode` is `Require`, must be one of: disable,",
        );
        refused("postgres://u:s3cret@h/d?sslmode=verify-ca", "`sslmode=verify-ca` needs `sslrootcert`");
        refused(
            "host=h password=s3cret sslmode=require sslrootcert=system",
            "`sslmode=require` may not be used",
        );
        refused("host=h password=s3cret sslcert=/x.pem", "`sslcert` is not supported");
        refused("user=u password=s3cret", "no host is named");
        refused("mysql://u:s3cret@h/d", "invalid connection string");
    }

    #[test]
    fn loopback_and_unix_sockets_are_not_remote() {
        for local in [
            "postgres://u@localhost/d",
            "postgres://u@127.0.0.1:5/d",
            "postgres://u@[::1]/d",
            "postgres:///d?host=/run/postgresql",
            "host=/run/postgresql,localhost",
            "host=db.example hostaddr=127.0.0.2",
        ] {
            assert!(!ConnectionString::parse(local).expect("it is good").is_remote(), "{local}");
        }
        for remote in ["postgres://u@db/d", "host=localhost,db", "postgres://10.0.0.1/d", "hostaddr=10.0.0.1"]
        {
            assert!(ConnectionString::parse(remote).expect("it is good").is_remote(), "{remote}");
        }
    }

    #[test]
    fn a_unix_socket_has_no_tls() {
        let parsed = ConnectionString::parse("host=/run/postgresql sslmode=require").expect("it is good");
        assert_eq!(parsed.config.get_ssl_mode(), Negotiation::Disable);
    }
}
