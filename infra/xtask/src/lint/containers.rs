//! Checks of the container files: Dockerfiles, Compose files, the context of the images, and the guide to them.
mod context;
mod dockerfiles;
mod guide;
mod rules;
mod tools;

use anyhow::Result;

use super::source::Source;

/// The Compose file of the whole service.
const LOCAL: &str = "docker-compose.local.yml";
/// The Compose files that change it, as far as they exist.
const OVERRIDES: [&str; 3] = ["docker-compose.hub.yml", "infra/images/ci.yml", "infra/images/synapse.yml"];

/// Returns whether the tools accept all files. They print what they find.
pub(super) async fn are_accepted(sources: &[Source]) -> Result<bool> {
    tools::accept(sources).await
}

/// Returns each violation of our own rules as `path:line: message`.
pub(super) fn violations(sources: &[Source]) -> Result<Vec<String>> {
    let mut found = rules::violations(sources)?;
    found.extend(context::violations(sources)?);
    found.extend(dockerfiles::violations(sources));
    found.extend(guide::violations(sources));
    Ok(found)
}

/// Returns the overrides that exist.
fn overrides(sources: &[Source]) -> impl Iterator<Item = &'static str> {
    OVERRIDES.into_iter().filter(|path| sources.iter().any(|source| source.path == *path))
}
