//! The directory of a cluster. It is created once, with a password, for a user that PostgreSQL accepts.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::programs::Programs;
use super::{Options, USER, log};
use crate::certificates::Certificates;
use crate::home::{read_or_create, secret};
use crate::owner::Owner;
use crate::process::{Launch, Process, Sink};

/// The rules by which a cluster with TLS admits clients (`pg_hba.conf`). `md5` includes SCRAM-SHA-256.
const WITH_TLS: &str = "hostssl all all 127.0.0.1/32 md5\n";

/// A cluster, as it stays from start to start.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) programs: Programs,
    pub(super) directory: PathBuf,
    pub(super) password: String,
    pub(super) certificates: Option<Certificates>,
    owner: Option<Owner>,
}

impl Cluster {
    /// Creates the cluster if it does not exist.
    pub(super) async fn ensure(options: &Options, directory: PathBuf, progress: &Sink) -> Result<Self> {
        fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
        let owner = Owner::for_directory(&directory);
        if let Some(owner) = owner {
            owner.chown(&directory)?;
        }
        let password = read_or_create(&directory.join("password"), || secret()[..24].to_owned())?;
        let major = fs::read_to_string(directory.join("data/PG_VERSION")).ok();
        let programs = Programs::find(options, major.as_deref().map(str::trim), progress)
            .await
            .with_context(|| format!("looking for a PostgreSQL for {}", directory.display()))?;
        let certificates = match &options.certificate {
            Some(names) => Some(Certificates::ensure(&directory.join("tls"), names, progress).await?),
            None => None,
        };
        let cluster = Self { programs, directory, password, certificates, owner };
        if major.is_none() {
            progress(&format!("PostgreSQL {}: creating a cluster", cluster.programs.version));
            cluster.initialize(options.durable).await?;
        }
        if let Some(certificates) = &cluster.certificates {
            fs::write(cluster.rules(), WITH_TLS).context("writing the rules of a cluster with TLS")?;
            owner.map_or(Ok(()), |owner| certificates.chown(owner))?;
        }
        Ok(cluster)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(super) fn url(&self, port: u16, database: &str, mode: &str) -> String {
        let tls = self.certificates.as_ref().map_or_else(String::new, |certificates| {
            let authority = certificates.authority().display().to_string();
            format!("?sslmode={mode}&sslrootcert={}", utf8_percent_encode(&authority, NON_ALPHANUMERIC))
        });
        format!("postgres://{USER}:{}@127.0.0.1:{port}/{database}{tls}", self.password)
    }

    /// Returns the file that replaces `pg_hba.conf` with TLS.
    fn rules(&self) -> PathBuf {
        self.directory.join("tls/pg_hba.conf")
    }

    /// Returns the command that starts the server.
    pub(super) fn server(&self, options: &Options, port: u16) -> Launch {
        let mut settings = vec![
            format!("port={port}"),
            format!("max_connections={}", options.max_connections),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "logging_collector=off".to_owned(),
        ];
        if !options.durable {
            settings
                .extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
        }
        if let Some(certificates) = &self.certificates {
            settings.extend([
                "ssl=on".to_owned(),
                format!("ssl_cert_file={}", certificates.certificate().display()),
                format!("ssl_key_file={}", certificates.key().display()),
                format!("hba_file={}", self.rules().display()),
            ]);
        }
        let arguments = settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]);
        self.launch("postgres", &self.data()).args(arguments).output(log(&self.directory))
    }

    fn launch(&self, program: &str, data: &Path) -> Launch {
        Launch::new(program, self.programs.path(program))
            .arg("-D")
            .arg(data)
            .directory(&self.directory)
            .owner(self.owner)
    }

    /// Runs `initdb`, with a locale that compares and folds all of Unicode if the system has one. It runs in
    /// a draft directory, which is renamed at the end: a killed `initdb` leaves a directory that looks
    /// complete.
    async fn initialize(&self, durable: bool) -> Result<()> {
        self.chown(&self.directory.join("password"))?;
        let draft = self.directory.join("draft");
        let mut failures = Vec::new();
        for locale in ["C.UTF-8", "en_US.UTF-8", "C"] {
            if draft.exists() {
                fs::remove_dir_all(&draft).with_context(|| format!("removing {}", draft.display()))?;
            }
            let initdb = Process::spawn(self.initdb(&draft, locale, durable))?;
            if initdb.ended().await.success() {
                return fs::rename(&draft, self.data()).context("renaming the draft directory");
            }
            failures.push(initdb.last_lines());
        }
        bail!("initdb failed in {}:\n{}", self.directory.display(), failures.join("\n"))
    }

    fn initdb(&self, draft: &Path, locale: &str, durable: bool) -> Launch {
        let launch = self
            .launch("initdb", draft)
            // SCRAM costs a client that is built without optimisation more than a hundred milliseconds.
            .args(["--username", USER, "--auth", "md5", "--encoding", "UTF8", "--no-instructions"])
            .arg(format!("--locale={locale}"))
            .arg(format!("--pwfile={}", self.directory.join("password").display()));
        if durable { launch } else { launch.arg("--no-sync") }
    }

    fn chown(&self, path: &Path) -> Result<()> {
        self.owner.map_or(Ok(()), |owner| owner.chown(path))
    }
}
