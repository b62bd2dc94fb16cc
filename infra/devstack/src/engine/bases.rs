//! The base images, which cannot be pulled everywhere: made of Debian's packages, under their public names.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha1::{Digest, Sha1};

use super::Engine;
use super::command::run;
use crate::debian::{self, Program};
use crate::process::{Launch, Sink};

/// The label with the digest of the definition that an image was made from.
const LABEL: &str = "devstack.base";
/// The suite of Debian that all base images are made from.
const SUITE: &str = "bookworm";
/// The number of the way in which images are made: another one makes all of them again.
const RECIPE: u32 = 2;
const TOOLS: [Program; 2] = [
    Program { name: "mmdebstrap", package: "mmdebstrap" },
    Program { name: "setcap", package: "libcap2-bin" },
];

/// The command that makes the bundle of the authorities, as a script of their package does.
const AUTHORITIES: &str =
    "cat \"$1\"/usr/share/ca-certificates/mozilla/*.crt > \"$1/etc/ssl/certs/ca-certificates.crt\"";

/// A base image.
#[derive(Clone, Copy, Debug)]
pub struct Base {
    /// The public name.
    pub name: &'static str,
    /// The way of installing: `extract` runs no scripts of packages and leaves out all that is essential.
    variant: &'static str,
    /// The packages.
    packages: &'static [&'static str],
    /// Executable files, each with its path and its text.
    files: &'static [(&'static str, &'static str)],
    /// Commands of this machine's shell after the installation; `$1` is the root of the image.
    hooks: &'static [&'static str],
    /// The configuration in the form of Dockerfiles.
    configuration: &'static [&'static str],
}

/// The base image that has the programs of a shell.
pub const WITH_SHELL: &str = "postgres:15-bookworm";

/// The base images of the Compose files, with the names of the registries.
pub const BASES: [Base; 3] = [
    Base {
        name: "gcr.io/distroless/cc-debian12:nonroot",
        variant: "extract",
        packages: &["libc6", "libgcc-s1", "ca-certificates", "netbase", "base-files"],
        files: &[],
        hooks: &[AUTHORITIES],
        configuration: &["USER 65532:65532", "WORKDIR /home/nonroot"],
    },
    Base {
        name: WITH_SHELL,
        variant: "extract",
        packages: &[
            "postgresql-15",
            "base-files",
            "base-passwd",
            "coreutils",
            "dash",
            "tzdata",
            "util-linux",
        ],
        files: &[("/usr/local/bin/docker-entrypoint.sh", include_str!("postgres_entrypoint.sh"))],
        hooks: &[
            // The steps of the scripts of the packages.
            "for name in passwd group; do cp \"$1/usr/share/base-passwd/$name.master\" \"$1/etc/$name\"; done",
            "echo postgres:x:999:999::/var/lib/postgresql:/bin/sh >> \"$1/etc/passwd\"",
            "echo postgres:x:999: >> \"$1/etc/group\"",
            "rm -rf \"$1/var/run\" && ln -s /run \"$1/var/run\"",
            "install -d -o 999 -g 999 -m 1777 \"$1/var/lib/postgresql/data\"",
            // A tmpfs gets the mode of the directory, but not its owner.
            "install -d -o 999 -g 999 -m 3777 \"$1/run/postgresql\"",
            // Without LLVM there is no JIT.
            "rm -f \"$1\"/usr/lib/postgresql/15/lib/llvmjit.so \"$1\"/usr/lib/*/libLLVM-14.so.1",
        ],
        configuration: &[
            "ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data",
            "ENTRYPOINT [\"docker-entrypoint.sh\"]",
            "CMD [\"postgres\"]",
            "VOLUME /var/lib/postgresql/data",
            "STOPSIGNAL SIGINT",
            "EXPOSE 5432",
        ],
    },
    Base {
        name: "caddy:2",
        variant: "extract",
        packages: &["caddy", "busybox", "libc6", "ca-certificates", "netbase", "base-files"],
        files: &[],
        // The public image has this capability, too: a container without it cannot run the program.
        hooks: &[
            "setcap cap_net_bind_service=+ep \"$1/usr/bin/caddy\"",
            "mkdir -p \"$1/config/caddy\" \"$1/data/caddy\" \"$1/srv\"",
            "for name in sh wget; do ln -sf busybox \"$1/bin/$name\"; done",
        ],
        configuration: &[
            "ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data",
            "CMD [\"caddy\", \"run\", \"--config\", \"/etc/caddy/Caddyfile\", \"--adapter\", \"caddyfile\"]",
            "WORKDIR /srv",
        ],
    },
];

/// The base image with the compiler. Its toolchain is that of this machine.
pub const TOOLCHAIN: Base = Base {
    name: "rust:1.95-bookworm",
    variant: "minbase",
    packages: &["ca-certificates", "g++", "gcc", "git", "libc6-dev", "make", "pkg-config"],
    files: &[],
    hooks: &[
        "mkdir -p \"$1/usr/local/cargo\"",
        "sysroot=$(rustc --print sysroot) && cp -r \"$sysroot/bin\" \"$1/usr/local/cargo/bin\" \
         && cp -r \"$sysroot/lib\" \"$1/usr/local/cargo/lib\"",
    ],
    configuration: &[
        "ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
         CARGO_HOME=/usr/local/cargo",
    ],
};

impl Base {
    /// Returns the digest of the definition.
    fn digest(&self) -> String {
        hex::encode(Sha1::digest(format!("{self:?} of {SUITE} by {RECIPE}")))[..16].to_owned()
    }

    fn archive(&self, directory: &Path) -> PathBuf {
        let name = self.name.replace(['/', ':'], "_");
        directory.join(format!("{name}-{}.tar", self.digest()))
    }

    /// Makes the file system as an archive, if it is not there.
    async fn make(&self, directory: &Path, progress: &Sink) -> Result<PathBuf> {
        let archive = self.archive(directory);
        if archive.exists() {
            return Ok(archive);
        }
        debian::ensure(&TOOLS, progress).await?;
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
        let unfinished = archive.with_extension("unfinished.tar");
        let mut launch = Launch::new("mmdebstrap", "mmdebstrap")
            .arg(format!("--variant={}", self.variant))
            .arg("--skip=cleanup/run")
            .arg(format!("--include={}", self.packages.join(",")));
        // The other hooks do not run where no scripts of packages do.
        let hook = if self.variant == "extract" { "--extract-hook" } else { "--customize-hook" };
        for (number, (path, text)) in self.files.iter().enumerate() {
            let file = directory.join(format!("{}-{number}", self.digest()));
            fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
            launch = launch.arg(format!("{hook}=install -D -m 755 '{}' \"$1{path}\"", file.display()));
        }
        launch = launch.args(self.hooks.iter().map(|command| format!("{hook}={command}")));
        progress(&format!("{}: installing Debian's packages", self.name));
        run(launch.arg(SUITE).arg(&unfinished), progress).await?;
        fs::rename(&unfinished, &archive).context("naming the finished archive")?;
        Ok(archive)
    }
}

impl Engine {
    /// Makes sure that the engine has the base image: it is there, can be pulled, or is made and imported.
    pub async fn ensure_base(&self, base: &Base, progress: &Sink) -> Result<()> {
        let label = format!("{{{{ index .Config.Labels \"{LABEL}\" }}}}");
        let found = self.output(&["image", "inspect", "--format", &label, base.name]).await;
        match found {
            // Not an image of ours: that of the registry.
            Ok(found) if !self.is_own() && found.is_empty() => return Ok(()),
            Ok(found) if found == base.digest() => return Ok(()),
            _ => {}
        }
        if !self.is_own() {
            progress(&format!("{}: pulling", base.name));
            if run(self.docker(["pull", "--quiet", base.name]), progress).await.is_ok() {
                return Ok(());
            }
        }
        let archive = base.make(&self.home.path("engine-bases"), progress).await?;
        progress(&format!("{}: importing", base.name));
        let archive = archive.to_string_lossy();
        self.output(&["import", &archive, base.name]).await?;
        // `docker import --change` knows not all of the instructions.
        let label = format!("LABEL {LABEL}={}", base.digest());
        let dockerfile = [&[&*label], base.configuration].concat().join("\n");
        self.build_upon(base.name, &dockerfile).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_definition_is_another_archive() {
        let one = BASES[0];
        let other = Base { packages: &["libc6"], ..one };
        assert_eq!(one.archive(Path::new("/bases")), one.archive(Path::new("/bases")));
        assert_ne!(one.archive(Path::new("/bases")), other.archive(Path::new("/bases")));
    }
}
