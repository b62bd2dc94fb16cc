//! The crates of the deployed programs: all dependencies of the functions but those of builds and tests, on
//! Linux.
use anyhow::{Context, Result, ensure};
use messenger_devstack::home::workspace;

use super::Component;
use crate::cargo::Metadata;

/// `cargo tree` resolves features as for a build of the programs, unlike `cargo metadata`: features that only
/// tests switch on bring no crate.
const TREE: [&str; 12] = [
    "tree",
    "--locked",
    "--offline",
    "--edges",
    "normal",
    "--target",
    "x86_64-unknown-linux-gnu",
    "--prefix",
    "none",
    "--format",
    "{p}\t{l}\t{r}",
    "--quiet",
];

pub(super) async fn licenses() -> Result<Vec<Component>> {
    let metadata = Metadata::ask(&["--no-deps", "--locked"]).await?;
    let functions = workspace().join("functions");
    let programs = metadata.packages.iter().filter(|package| package.manifest_path.starts_with(&functions));
    let packages = programs.flat_map(|package| ["--package", package.name.as_str()]);
    let mut command = tokio::process::Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(TREE).args(packages).current_dir(workspace());
    let output = command.output().await.context("running cargo tree")?;
    ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)?.lines().filter_map(|line| license(line).transpose()).collect()
}

/// Parses a line of the tree. Returns `None` for an empty line and a crate of this workspace.
fn license(line: &str) -> Result<Option<Component>> {
    // The mark is that of a crate that stands above already.
    let mut fields = line.trim_end_matches(" (*)").split('\t');
    let package = fields.next().unwrap_or_default();
    if package.is_empty() || package.contains(" (/") {
        return Ok(None);
    }
    let rest = fields.next().zip(fields.next());
    let (license, url) = rest.with_context(|| format!("cargo tree: `{line}`"))?;
    let (name, version) = package.split_once(" v").with_context(|| format!("cargo tree: `{line}`"))?;
    // A procedural macro is marked after its version.
    let version = version.split(' ').next().unwrap_or_default();
    ensure!(!license.is_empty(), "{name} {version} names no licence in its Cargo.toml");
    let url = url.trim().trim_end_matches(".git");
    let url = if url.is_empty() { format!("https://crates.io/crates/{name}") } else { url.to_owned() };
    // Old crates have a slash between alternatives.
    let license = license.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ");
    Ok(Some(Component { name: name.to_owned(), version: version.to_owned(), license, url }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_tree_is_a_crate_with_its_licence() {
        let read =
            |line: &str| license(line).unwrap().map(|one| [one.name, one.version, one.license, one.url]);
        let owned = |fields: [&str; 4]| Some(fields.map(str::to_owned));
        assert_eq!(
            read("tokio v1.52.0\tMIT\thttps://github.com/tokio-rs/tokio"),
            owned(["tokio", "1.52.0", "MIT", "https://github.com/tokio-rs/tokio"])
        );
        assert_eq!(
            read("old v0.1.0 (proc-macro)\tMIT / Apache-2.0\thttps://github.com/a/old.git (*)"),
            owned(["old", "0.1.0", "MIT OR Apache-2.0", "https://github.com/a/old"])
        );
        assert_eq!(
            read("bare v1.0.0\tMIT\t"),
            owned(["bare", "1.0.0", "MIT", "https://crates.io/crates/bare"])
        );
        assert_eq!(read("messenger-core v0.1.0 (/work/shared/core)\tLicenseRef-Proprietary\t"), None);
        assert_eq!(read(""), None);
        assert!(license("secret v1.0.0\t\t").is_err());
    }
}
