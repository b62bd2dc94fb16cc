//! The own daemon: its packages, its configuration and its start.
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::command::{self, text_of};
use crate::debian::{self, Program};
use crate::home::Home;
use crate::process::{Launch, Output, Process, Sink};

/// The programs of an engine, of Compose and of base images.
const PROGRAMS: [Program; 4] = [
    Program { name: "dockerd", package: "docker.io" },
    Program { name: "docker-compose", package: "docker-compose" },
    Program { name: "mmdebstrap", package: "mmdebstrap" },
    Program { name: "ip", package: "iproute2" },
];
/// The storage of an engine whose files lie on an overlay: overlays cannot be stacked there.
const USERSPACE_OVERLAY: Program = Program { name: "fuse-overlayfs", package: "fuse-overlayfs" };
/// `OVERLAYFS_SUPER_MAGIC` of statfs(2).
const OVERLAY: i64 = 0x794c_7630;
/// A start takes 3 to 6 s.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Installs the missing packages.
pub(super) async fn install(progress: &Sink) -> Result<()> {
    debian::ensure(&PROGRAMS, progress).await
}

/// Returns the installed versions of the packages.
pub(super) async fn versions() -> Result<String> {
    let query = ["--show", "--showformat", "${Package} ${Version}, "];
    let arguments = [&query[..], &PROGRAMS.map(|program| program.package)].concat();
    let text = text_of("", "dpkg-query", &arguments, &[]).await?;
    Ok(text.trim_end_matches([',', ' ']).to_owned())
}

/// Starts the daemon. Returns its process and the address of its socket.
pub(super) async fn start(home: &Home, progress: &Sink) -> Result<(Process, String)> {
    let directory = home.path("engine");
    fs::create_dir_all(directory.join("data")).context("creating the engine's directory")?;
    if is_on_overlay(&directory)? {
        debian::ensure(&[USERSPACE_OVERLAY], progress).await?;
    }
    let socket = format!("unix://{}", directory.join("docker.sock").display());
    let mut configuration = configuration(&directory);
    configuration["hosts"] = json!([socket]);
    let inside = ["ip link set lo up", "exec dockerd --config-file \"$0\""].join(" && ");
    let launch = Launch::new("dockerd", "unshare")
        .args(["--net", "--mount", "sh", "-c", &inside])
        .arg(store(&directory, "daemon.json", &configuration)?);
    launch_and_wait(launch, &directory, socket, progress).await
}

/// Starts a second daemon for builds that need the network: in the namespace of this machine, without bridges
/// and rules.
pub(super) async fn start_for_builds(home: &Home, progress: &Sink) -> Result<(Process, String)> {
    let directory = home.path("engine-of-builds");
    fs::create_dir_all(directory.join("data")).context("creating the engine's directory")?;
    let socket = format!("unix://{}", directory.join("docker.sock").display());
    let mut configuration = configuration(&directory);
    for (name, value) in [
        ("hosts", json!([socket])),
        ("bridge", json!("none")),
        ("iptables", json!(false)),
        ("ip-forward", json!(false)),
    ] {
        configuration[name] = value;
    }
    let launch = Launch::new("dockerd", "dockerd").arg("--config-file").arg(store(
        &directory,
        "daemon.json",
        &configuration,
    )?);
    launch_and_wait(launch, &directory, socket, progress).await
}

fn configuration(directory: &Path) -> Value {
    json!({
        "data-root": directory.join("data"),
        "exec-root": directory.join("run"),
        "pidfile": directory.join("docker.pid"),
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        // A container that was not stopped ends with the daemon that started it.
        "live-restore": false,
    })
}

fn store(directory: &Path, name: &str, content: &Value) -> Result<std::path::PathBuf> {
    let file = directory.join(name);
    fs::write(&file, format!("{content:#}\n")).with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}

async fn launch_and_wait(
    launch: Launch,
    directory: &Path,
    address: String,
    progress: &Sink,
) -> Result<(Process, String)> {
    // Left by a daemon that was killed: its number may belong to another process now.
    let _ = fs::remove_file(directory.join("docker.pid"));
    let log = directory.join("dockerd.log");
    // The reason why a start fails should not stand among the lines of former runs.
    let _ = fs::remove_file(&log);
    let process = Process::spawn(launch.output(Output::File(log)))?;
    progress("starting dockerd");
    let deadline = Instant::now() + START_TIMEOUT;
    while !command::is_running(Some(&address)).await {
        if let Ok(status) = timeout(Duration::from_millis(200), process.ended()).await {
            bail!("dockerd ended ({status}) before it was ready:\n{}", process.last_lines());
        }
        if Instant::now() > deadline {
            bail!("dockerd was not ready within {START_TIMEOUT:?}:\n{}", process.last_lines());
        }
    }
    Ok((process, address))
}

/// Returns the free bytes of the file system of the engine's files.
pub(super) fn free_space(home: &Home) -> Result<u64> {
    let directory = home.path("engine");
    fs::create_dir_all(&directory).context("creating the engine's directory")?;
    let found = rustix::fs::statvfs(&directory).context("asking for the free space of the engine")?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

fn is_on_overlay(directory: &Path) -> Result<bool> {
    let found = rustix::fs::statfs(directory).context("asking for the file system of the engine")?;
    Ok(found.f_type == OVERLAY)
}
