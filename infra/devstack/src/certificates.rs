//! Certificates for servers on this machine, made by openssl.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::debian::{self, Program};
use crate::owner::Owner;
use crate::process::{Launch, Process, Sink};

const OPENSSL: Program = Program { name: "openssl", package: "openssl" };
/// The names of this machine, as a [`Certificates::ensure`] takes them.
pub const LOCAL: &str = "DNS:localhost,IP:127.0.0.1";
const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// An authority, and a certificate of a server that it has signed.
#[derive(Clone, Debug)]
pub struct Certificates(PathBuf);

impl Certificates {
    /// Makes both in this directory, if they are not there. `names` are the subject alternative names of the
    /// server, in the form of openssl.
    pub async fn ensure(directory: &Path, names: &str, progress: &Sink) -> Result<Self> {
        let certificates = Self(directory.to_owned());
        if certificates.certificate().exists() {
            return Ok(certificates);
        }
        debian::ensure(&[OPENSSL], progress).await?;
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
        let configuration = format!(
            "[req]\ndistinguished_name=name\n[name]\n\
             [authority]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
             [server]\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName={names}\n"
        );
        fs::write(directory.join("openssl.cnf"), configuration).context("writing openssl.cnf")?;
        let authority = ["-subj", "/CN=devstack authority", "-extensions", "authority"];
        certificates.request(&authority, "authority.key", "authority.pem").await?;
        let server = ["-subj", "/CN=devstack server", "-extensions", "server"];
        let signed = ["-CA", "authority.pem", "-CAkey", "authority.key"];
        certificates.request(&[server, signed].concat(), "server.key", "server.pem").await?;
        Ok(certificates)
    }

    /// Returns the file with the certificate of the authority.
    pub fn authority(&self) -> PathBuf {
        self.0.join("authority.pem")
    }

    /// Returns the file with the certificate of the server.
    pub fn certificate(&self) -> PathBuf {
        self.0.join("server.pem")
    }

    /// Returns the file with the private key of the server.
    pub fn key(&self) -> PathBuf {
        self.0.join("server.key")
    }

    /// Makes the user of the server the owner of its certificate and key.
    pub fn chown(&self, owner: Owner) -> Result<()> {
        [self.certificate(), self.key()].iter().try_for_each(|file| owner.chown(file))
    }

    async fn request(&self, arguments: &[&str], key: &str, certificate: &str) -> Result<()> {
        let launch = Launch::new("openssl", OPENSSL.path().context("no openssl")?)
            .args(["req", "-x509", "-config", "openssl.cnf", "-days", "3650"])
            .args(KEY)
            .args(arguments)
            .args(["-keyout", key, "-out", certificate])
            .directory(&self.0);
        let openssl = Process::spawn(launch)?;
        if !openssl.ended().await.success() {
            bail!("openssl made no {certificate}:\n{}", openssl.last_lines());
        }
        Ok(())
    }
}
