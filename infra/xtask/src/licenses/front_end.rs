//! The npm packages of the pages: those of their lock files that no build or test alone needs.
use std::path::Path;

use anyhow::{Context, Result};
use messenger_devstack::home::workspace;
use serde_json::Value;

use super::Component;

/// The lock files (`package-lock.json`) of pages that are deployed. The module for pages has no dependency.
const LOCK_FILES: [&str; 1] = ["functions/web/app/package-lock.json"];

pub(super) fn licenses() -> Result<Vec<Component>> {
    let mut licenses = Vec::new();
    for path in LOCK_FILES.iter().map(Path::new) {
        let text = std::fs::read(workspace().join(path)).with_context(|| path.display().to_string())?;
        let lock = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        licenses.extend(of_lock(&lock).with_context(|| path.display().to_string())?);
    }
    Ok(licenses)
}

/// Returns the packages of a lock file of version 2 or 3.
fn of_lock(lock: &Value) -> Result<Vec<Component>> {
    let packages = lock["packages"].as_object().context("it has no `packages`")?;
    let installed = packages.iter().filter_map(|(path, package)| {
        let name = path.rsplit_once("node_modules/")?.1;
        let is_deployed = package["dev"] != true && package["link"] != true;
        is_deployed.then_some((name, package))
    });
    let text = |name: &str, package: &Value, field: &str| {
        let value = package[field].as_str().map(str::to_owned);
        value.with_context(|| format!("{name} has no `{field}`"))
    };
    let licenses = installed.map(|(name, package)| {
        let version = text(name, package, "version")?;
        let url = format!("https://www.npmjs.com/package/{name}/v/{version}");
        Ok(Component { name: name.to_owned(), license: text(name, package, "license")?, version, url })
    });
    licenses.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn packages_of_builds_and_the_page_itself_are_left_out() {
        let lock = json!({ "packages": {
            "": { "name": "page", "version": "1.0.0" },
            "node_modules/vue": { "version": "3.5.0", "license": "MIT" },
            "node_modules/a/node_modules/@b/c": { "version": "2.0.0", "license": "ISC" },
            "node_modules/vite": { "version": "7.0.0", "license": "MIT", "dev": true },
            "node_modules/own": { "resolved": "../own", "link": true },
        } });
        let found = of_lock(&lock).unwrap();
        let line = |one: &Component| format!("{} {} {} {}", one.name, one.version, one.license, one.url);
        let mut found: Vec<_> = found.iter().map(line).collect();
        found.sort();
        let expected = [
            "@b/c 2.0.0 ISC https://www.npmjs.com/package/@b/c/v/2.0.0",
            "vue 3.5.0 MIT https://www.npmjs.com/package/vue/v/3.5.0",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_package_without_a_licence_is_named() {
        let lock = json!({ "packages": { "node_modules/x": { "version": "1.0.0" } } });
        assert_eq!(of_lock(&lock).unwrap_err().to_string(), "x has no `license`");
    }
}
