//! `cargo xtask images`: the images of all programs, and their sizes.
mod binaries;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use messenger_devstack::engine::{BASES, Network, TOOLCHAIN};
use messenger_devstack::home::workspace;
use messenger_devstack::process::Sink;
use messenger_devstack::{Engine, Home, OutputQueue};

use crate::cargo::{cargo, programs, succeeds};
use crate::interrupt::Interrupt;
use crate::pages;
use crate::step::Step;

/// The file of all programs' images.
const DOCKERFILE: &str = "infra/images/Dockerfile";
/// The name of the image with Caddy.
const EDGE: &str = "edge";
/// The largest size of an image.
const SIZE_LIMIT: u64 = 35_000_000;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Only these images, for example `rooms router edge`
    names: Vec<String>,
    /// Compile inside a container, as a build without this command does; it needs the network
    #[arg(long, conflicts_with = "programs")]
    from_source: bool,
    /// The directory of built programs [default: that of `cargo build --release`, which runs first]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// An image with its size in bytes.
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) size: u64,
}

/// The origin of the binaries in the images.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Binaries in `target/images`.
    Prebuilt,
    /// The compiler in a container.
    Source,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let mut interrupt = Interrupt::watch()?;
    tokio::select! {
        result = build_all(&arguments) => result,
        () = interrupt.received() => bail!("interrupted"),
    }
}

async fn build_all(arguments: &Arguments) -> Result<ExitCode> {
    let names = chosen(&arguments.names)?;
    if arguments.programs.is_none() {
        pages::ensure_built().await?;
    }
    let directory = match &arguments.programs {
        Some(directory) => directory.clone(),
        None if arguments.from_source => PathBuf::new(),
        None => built_for_release().await?,
    };
    let step = Step::begin("Engine");
    let (home, progress) = (Home::default(), step.progress());
    let mut engine = if arguments.from_source {
        Engine::start_for_builds(&home, &progress).await?
    } else {
        Engine::start(&home, &progress).await?
    };
    step.done(&engine.describe().await?);
    prepare_bases(&engine).await?;
    let built = if arguments.from_source {
        build(&engine, &names, Stage::Source).await
    } else {
        build_prebuilt(&engine, &directory, &names).await
    };
    engine.stop().await;
    let images = built?;
    print(&images);
    // Binaries for development are larger than what is deployed.
    if arguments.programs.is_none() {
        ensure_small(&images)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds images of the binaries in this directory, on an engine with the base images. Returns them with their
/// sizes.
pub(crate) async fn build_prebuilt(
    engine: &Engine,
    directory: &std::path::Path,
    names: &[String],
) -> Result<Vec<Image>> {
    let step = Step::begin("Binaries");
    let of_programs = names.iter().filter(|name| *name != EDGE);
    let count = binaries::strip(directory, of_programs.map(String::as_str), &step.progress()).await?;
    step.done(&format!("{count} stripped into target/images"));
    build(engine, names, Stage::Prebuilt).await
}

/// Makes the base images that are missing.
pub(crate) async fn prepare_bases(engine: &Engine) -> Result<()> {
    let step = Step::begin("Base images");
    for base in &BASES {
        engine.ensure_base(base, &step.progress()).await?;
    }
    step.done(&BASES.map(|base| base.name).join(", "));
    Ok(())
}

async fn build(engine: &Engine, names: &[String], stage: Stage) -> Result<Vec<Image>> {
    let step = Step::begin("Images");
    let progress = step.progress();
    if stage == Stage::Source {
        engine.ensure_base(&TOOLCHAIN, &progress).await?;
    }
    let mut images = Vec::new();
    for name in names {
        let tag = tag(name);
        progress(&tag);
        let of_image = prefixed(&tag, &progress);
        build_one(engine, name, &tag, stage, &of_image).await?;
        images.push(Image { name: tag.clone(), size: engine.image_size(&tag).await? });
    }
    step.done(&format!("{} built", images.len()));
    Ok(images)
}

async fn build_one(engine: &Engine, name: &str, tag: &str, stage: Stage, progress: &Sink) -> Result<()> {
    let root = workspace();
    if name == EDGE {
        let file = "infra/images/edge/Dockerfile";
        return engine
            .build(
                &root.join("infra/images/edge"),
                &root.join(file).to_string_lossy(),
                tag,
                &[],
                Network::Default,
                progress,
            )
            .await;
    }
    let (stage, network) = match stage {
        Stage::Prebuilt => ("prebuilt", Network::Default),
        Stage::Source => ("build", Network::Host),
    };
    let (version, revision) = (version(), revision().await);
    let arguments =
        [("BUILD", stage), ("NAME", name), ("VERSION", version.as_str()), ("REVISION", revision.as_str())];
    engine.build(&root, DOCKERFILE, tag, &arguments, network, progress).await
}

fn prefixed(tag: &str, progress: &Sink) -> Sink {
    let (tag, progress) = (tag.to_owned(), progress.clone());
    std::sync::Arc::new(move |line| progress(&format!("{tag}: {line}")))
}

/// Returns the names of all images: one for each program, and the edge.
pub(crate) fn all() -> Result<Vec<String>> {
    let functions = workspace().join("functions");
    let entries = fs::read_dir(&functions).with_context(|| format!("listing {}", functions.display()))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    if workspace().join("infra/images/edge/Dockerfile").exists() {
        names.push(EDGE.to_owned());
    }
    Ok(names)
}

fn chosen(names: &[String]) -> Result<Vec<String>> {
    let all = all()?;
    if names.is_empty() {
        return Ok(all);
    }
    match names.iter().find(|name| !all.contains(name)) {
        Some(unknown) => bail!("there is no image {unknown}; the images are {}", all.join(", ")),
        None => Ok(names.to_vec()),
    }
}

/// Builds all programs as for production. Returns their directory.
pub(crate) async fn built_for_release() -> Result<PathBuf> {
    let mut arguments = vec!["build".to_owned(), "--release".to_owned()];
    for name in all()?.iter().filter(|name| *name != EDGE) {
        arguments.extend(["--package".to_owned(), binaries::program(name)]);
    }
    ensure!(succeeds(cargo(arguments.iter().map(String::as_str))).await?, "the build failed");
    programs(true).await
}

/// Returns the name and the version of an image, as the Compose files have them.
pub(crate) fn tag(name: &str) -> String {
    format!("messenger-service/{name}:{}", version())
}

fn version() -> String {
    messenger_devstack::environment::setting("MESSENGER_VERSION").unwrap_or_else(|| "dev".to_owned())
}

/// Returns the commit of the sources; `unknown` outside a repository.
async fn revision() -> String {
    let mut git = tokio::process::Command::new("git");
    let output = git.args(["rev-parse", "HEAD"]).current_dir(workspace()).output().await;
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    text.map_or_else(|| "unknown".to_owned(), |text| String::from_utf8_lossy(&text).trim().to_owned())
}

pub(crate) fn print(images: &[Image]) {
    let rows = images.iter().fold(String::new(), |mut rows, image| {
        let _ = writeln!(rows, "  {:<40} {:>6.1} MB", image.name, megabytes(image.size));
        rows
    });
    OutputQueue::stdout().write(format!("\nImages\n{rows}"));
}

fn ensure_small(images: &[Image]) -> Result<()> {
    // Caddy alone is larger.
    let ours = images.iter().filter(|image| image.name != tag(EDGE));
    let large: Vec<_> =
        ours.filter(|image| image.size > SIZE_LIMIT).map(|image| image.name.as_str()).collect();
    ensure!(large.is_empty(), "larger than {} MB: {}", megabytes(SIZE_LIMIT), large.join(", "));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size for readers")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_image_is_refused_with_the_names_of_all() {
        let error = chosen(&["romos".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("there is no image romos") && error.contains("rooms, router"), "{error}");
        assert_eq!(chosen(&["rooms".to_owned()]).unwrap(), ["rooms"]);
    }

    #[test]
    fn a_large_image_is_named() {
        let image = |name: &str, size| Image { name: name.to_owned(), size };
        let images = [image("small", SIZE_LIMIT), image("large", SIZE_LIMIT + 1)];
        let error = ensure_small(&images).unwrap_err().to_string();
        assert_eq!(error, "larger than 35 MB: large");
    }
}
