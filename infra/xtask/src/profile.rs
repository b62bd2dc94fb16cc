//! `cargo xtask profile`: where the router's time goes under a load, as a flame graph and as its top symbols.
use std::process::ExitCode;

use anyhow::{Result, ensure};
use messenger_devstack::home::workspace;
use messenger_devstack::process::{Launch, Output};

use crate::cargo::{cargo, programs, succeeds};

const BUILD: [&str; 9] = [
    "build",
    "--profile",
    "profiling",
    "--package",
    "messenger-bench",
    "--package",
    "messenger-router",
    "--package",
    "messenger-worker",
];
/// Stacks are walked by frame pointers: cheap enough not to disturb what is measured.
const FLAGS: &str = "-Cforce-frame-pointers=yes";

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    load: Load,
    /// More for messenger-bench
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Load {
    /// Events to 1 000 streams, as fast as possible
    Fanout,
    /// `notifications/send?wait=0` by 16 clients
    Http,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    ensure!(succeeds(cargo(BUILD).env("RUSTFLAGS", FLAGS)).await?, "the build failed");
    let target = programs(true).await?.with_file_name("profiling");
    let load: &[&str] = match arguments.load {
        Load::Fanout => &["fanout"],
        Load::Http => &["http", "--only", "notifications/send?wait=0", "--clients", "16", "--no-homeserver"],
    };
    let bench = Launch::new("messenger-bench", target.join("messenger-bench"))
        .args(load)
        .arg("--perf")
        .arg(workspace().join("target/profile"))
        .args(arguments.arguments)
        .output(Output::Inherited);
    Ok(if succeeds(bench).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
