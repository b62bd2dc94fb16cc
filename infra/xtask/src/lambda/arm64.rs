//! `cargo xtask lambda arm64`: builds a function for Graviton, and runs it on an emulated processor.
use anyhow::{Context, Result};
use messenger_devstack::debian::{self, Program};
use messenger_devstack::process::Launch;
use messenger_rapi::Function;

use super::build::{self, build};
use super::functions::folder;
use super::request;
use super::service::Service;
use crate::step::Step;

/// The function, which asks the database in its answer.
const FUNCTION: &str = "health";
/// Runs programs of another processor.
const EMULATOR: Program = Program { name: "qemu-aarch64", package: "qemu-user" };
/// A library of the folder [`LIBRARIES`], relative to `/usr/bin`. Its package brings the others.
const LIBRARY: Program =
    Program { name: "../aarch64-linux-gnu/lib/libgcc_s.so.1", package: "libgcc-s1-arm64-cross" };
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

pub(super) async fn run() -> Result<()> {
    let step = Step::begin("qemu-user");
    debian::ensure(&[EMULATOR, LIBRARY], &step.progress()).await?;
    step.done("installed");
    build(&build::Build::arm64(FUNCTION)).await?;
    let mut service = Service::start().await?;
    let step = Step::begin("The function on arm64");
    let program = EMULATOR.path().context("no qemu-aarch64")?;
    let launch =
        Launch::new(FUNCTION, program).args(["-L", LIBRARIES]).arg(folder(FUNCTION).join("bootstrap"));
    let function = Function::start(service.configure(launch)).await?;
    let initialized = function.initialized().await?;
    let request = request::of(FUNCTION)?.context("a request to the function")?;
    request.answered_by(&function).await?;
    step.done(&format!("answered; `next` came after {} ms", initialized.as_millis()));
    service.stop().await;
    Ok(())
}
