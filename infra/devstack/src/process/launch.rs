//! The command line of a child, its environment and its output.
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::PipeReader;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use anyhow::{Context, Result};

use super::lines::Sink;
use crate::owner::Owner;

/// The destination of standard output and standard error together.
#[derive(Clone, Default)]
pub enum Output {
    /// No destination; the last lines are kept for [`super::Process::last_lines`].
    #[default]
    Kept,
    /// The output of this process.
    Inherited,
    /// The end of this file.
    File(PathBuf),
    /// This function, line by line.
    Lines(Sink),
}

impl std::fmt::Debug for Output {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kept => formatter.write_str("Kept"),
            Self::Inherited => formatter.write_str("Inherited"),
            Self::File(path) => formatter.debug_tuple("File").field(path).finish(),
            Self::Lines(_) => formatter.write_str("Lines"),
        }
    }
}

/// A command line with its environment and output.
#[derive(Clone, Debug)]
pub struct Launch {
    name: String,
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    owner: Option<Owner>,
    output: Output,
}

impl Launch {
    /// Returns a launch without arguments. `name` is for messages.
    pub fn new(name: impl Into<String>, program: impl AsRef<OsStr>) -> Self {
        Self {
            name: name.into(),
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            owner: None,
            output: Output::default(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Adds an environment variable to those of this process.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the user of the process; `None` for the user of this process.
    #[must_use]
    pub fn owner(mut self, owner: Option<Owner>) -> Self {
        self.owner = owner;
        self
    }

    /// Sets the destination of the output.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn log(&self) -> Option<&Path> {
        match &self.output {
            Output::File(path) => Some(path),
            _ => None,
        }
    }

    pub(super) fn sink(&self) -> Option<Sink> {
        match &self.output {
            Output::Lines(sink) => Some(sink.clone()),
            _ => None,
        }
    }

    /// Returns the command, and the pipe with its output if it goes to a pipe.
    pub(super) fn command(&self) -> Result<(Command, Option<PipeReader>)> {
        let mut command = self.with_death_signal();
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.process_group(0).stdin(Stdio::null());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        if let Some(owner) = self.owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        let reader = self.redirect(&mut command)?;
        Ok((command, reader))
    }

    /// Returns the command, which the kernel kills when this process ends.
    fn with_death_signal(&self) -> Command {
        if !*HAS_SETPRIV {
            return Command::new(&self.program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program);
        command
    }

    fn redirect(&self, command: &mut Command) -> Result<Option<PipeReader>> {
        match &self.output {
            Output::Inherited => Ok(None),
            Output::File(path) => {
                let file = append(path)?;
                command.stdout(file.try_clone()?).stderr(file);
                Ok(None)
            }
            Output::Kept | Output::Lines(_) => {
                let (reader, writer) = std::io::pipe()?;
                command.stdout(writer.try_clone()?).stderr(writer);
                Ok(Some(reader))
            }
        }
    }
}

fn append(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    }
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))
}

static HAS_SETPRIV: LazyLock<bool> = LazyLock::new(|| {
    let mut probe = Command::new("setpriv");
    probe.args(["--pdeathsig", "KILL", "--", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    let found = probe.status().is_ok_and(|status| status.success());
    if !found {
        tracing::warn!("no `setpriv` (util-linux): children may outlive a `kill -9` of this process");
    }
    found
});
