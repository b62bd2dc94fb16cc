//! The TLS connector, with the checks that `sslmode` and `sslrootcert` demand.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs::default_provider, verify_tls12_signature,
        verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::InvalidConnectionString as Invalid;

/// The name of the protocol (ALPN), which `sslnegotiation=direct` demands.
const PROTOCOL: &[u8] = b"postgresql";

/// The demands on a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verification {
    /// None.
    Nothing,
    /// One of these authorities has signed it.
    Authority(Roots),
    /// One of these authorities has signed it for the name of the host.
    Name(Roots),
}

/// The authorities that are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Those of the operating system.
    System,
    /// Those of a PEM file.
    File(PathBuf),
}

impl Verification {
    /// Checks that the file of authorities, if there is one, can be used.
    pub(crate) fn check_file(&self) -> Result<(), Invalid> {
        match self {
            Self::Authority(Roots::File(path)) | Self::Name(Roots::File(path)) => of_file(path).map(drop),
            _ => Ok(()),
        }
    }
}

impl Roots {
    fn load(&self) -> Result<RootCertStore, Invalid> {
        match self {
            Self::System => of_system(),
            Self::File(path) => of_file(path),
        }
    }
}

fn of_system() -> Result<RootCertStore, Invalid> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(Invalid::NoSystemRoots) } else { Ok(roots) }
}

fn of_file(path: &Path) -> Result<RootCertStore, Invalid> {
    let fault = |problem: String| Invalid::RootsFile { path: path.to_owned(), problem };
    // The library's error for a missing file does not say so.
    let text = std::fs::read(path).map_err(|error| fault(format!("cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| fault(format!("is no PEM file: {error}")))?;
        roots.add(certificate).map_err(|error| fault(format!("has a certificate that is wrong: {error}")))?;
    }
    if roots.is_empty() { Err(fault("holds no certificate".to_owned())) } else { Ok(roots) }
}

/// Returns a connector that makes these demands.
pub(crate) fn connector(verification: &Verification) -> Result<MakeRustlsConnect, Invalid> {
    let (roots, checks_name) = match verification {
        Verification::Nothing => (None, false),
        Verification::Authority(roots) => (Some(roots.load()?), false),
        Verification::Name(roots) => (Some(roots.load()?), true),
    };
    let provider = Arc::new(default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Arc::new(Verifier { roots, checks_name, algorithms });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols.push(PROTOCOL.to_vec());
    Ok(MakeRustlsConnect::new(config))
}

/// The check of a server's certificate.
#[derive(Debug)]
struct Verifier {
    /// The trusted authorities; `None` to trust every certificate.
    roots: Option<RootCertStore>,
    checks_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(certificate)?;
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
            if self.checks_name {
                verify_server_name(&certificate, name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
