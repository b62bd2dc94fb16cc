//! Builds the front end into `functions/web/dist/app`, from where `functions/web` embeds it.
mod toolchain;

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use messenger_devstack::home::{Home, Lock, workspace};
use messenger_devstack::process::Process;

use crate::step::Step;

pub(crate) use toolchain::Toolchain;
use toolchain::{directory, read};

/// A file with the hash of the sources from which the pages were built.
const STAMP: &str = "functions/web/dist/.stamp";
/// The page, without which there is no build.
const PAGE: &str = "functions/web/dist/app/index.html";
/// The sources outside of the front end's folder: the interface, and the module that follows events.
const FURTHER: [&str; 2] = ["docs/openapi.json", "shared/hub_messenger_js/hub-messenger.js"];
/// Files and folders in the front end's folder that change no page.
const LEFT_OUT: [&str; 6] =
    ["node_modules", "journeys", "shots", "test-results", "schema.d.ts", "package.json"];

/// Builds the pages, unless they were built from these very sources. Concurrent callers wait for the first one.
pub(crate) async fn ensure_built() -> Result<()> {
    if is_current(sources_hash()?) {
        return Ok(());
    }
    let toolchain = Toolchain::ensure().await?;
    let step = Step::begin("Web pages");
    let _lock = Lock::take(&Home::default().path("web-build.lock"), &step.progress()).await?;
    let hash = sources_hash()?;
    if !is_current(hash) {
        for script in ["types", "build"] {
            step.progress()(script);
            let process = Process::spawn(toolchain.script(script))?;
            let status = process.ended().await;
            ensure!(status.success(), "building the web pages failed ({status}):\n{}", process.last_lines());
        }
        fs::write(workspace().join(STAMP), hash.to_string()).context("marking the pages as built")?;
    }
    step.done("built");
    Ok(())
}

fn is_current(hash: u64) -> bool {
    let stamp = fs::read_to_string(workspace().join(STAMP));
    stamp.is_ok_and(|stamp| stamp == hash.to_string()) && workspace().join(PAGE).is_file()
}

/// Returns a hash of the paths and contents of all sources.
fn sources_hash() -> Result<u64> {
    let mut paths: Vec<PathBuf> = FURTHER.iter().map(|path| workspace().join(path)).collect();
    collect(&directory(), &mut paths)?;
    paths.sort();
    let mut hasher = DefaultHasher::new();
    for path in &paths {
        path.hash(&mut hasher);
        read(path)?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| LEFT_OUT.iter().any(|left_out| name == *left_out)) {
            continue;
        }
        if path.is_dir() { collect(&path, paths)? } else { paths.push(path) }
    }
    Ok(())
}
