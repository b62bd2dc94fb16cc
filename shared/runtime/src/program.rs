//! A program of the service: its name, its arguments, and the differences between functions, router and
//! worker.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use messenger_core::{
    FeedCopySettings,
    port::{Clock, CopiedFeed, CopiedReaders, FeedCopyPorts},
};

use crate::probe;

/// The environment variables of every program, in short, for `--help`.
pub const VARIABLES: &str = "\
Environment (README.md, \"Configuration\", has all variables and their defaults):
  DATABASE_URL             PostgreSQL, postgres://user@host/database; required, but for events and poll with
                           EVENT_STORE=dynamodb
  EVENT_STORE              postgres, or dynamodb with FEED_TABLE and AWS_REGION [postgres]
  HOST, PORT               the address on which the program listens [0.0.0.0, 8000]
  ENVIRONMENT              development or production
  SECRET_KEY, HUB_SECRET_KEY, MESSENGER_SERVICE_TOKEN
                           the keys of tokens, and the token of satellites
  MATRIX_HOMESERVER_URL, MATRIX_SERVER_NAME, MATRIX_AS_TOKEN, MATRIX_HS_TOKEN, APPSERVICE_URL
                           the homeserver, and this service as its Application Service
  METRICS_TOKEN            the bearer token of GET /metrics at the router
  LOG_LEVEL                off, error, warning, info, debug, trace, or directives
  <SECRET>_FILE            a file with the value of a secret, in place of the variable";

/// The form of responses on Lambda. A socket always streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    /// In one piece, which is cheaper and has a shorter time to the first byte.
    Buffered,
    /// In response streaming mode.
    Streaming,
}

/// The role of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A function: only the router, probes and Prometheus reach it, unless it runs on Lambda.
    Function,
    /// The router, which all clients reach.
    Router,
    /// The worker, which serves nothing but probes and metrics.
    Worker,
}

/// A program of the service. [`program!`](macro@crate::program) makes one for the crate of a binary.
#[derive(Debug, Clone)]
pub struct Program {
    name: &'static str,
    about: &'static str,
    version: &'static str,
    pub(crate) mode: ResponseMode,
    pub(crate) role: Role,
    pub(crate) needs_homeserver: bool,
    pub(crate) copied_feed: Option<AttachCopy>,
    pub(crate) copied_readers: Option<AttachReaders>,
    printer: Option<Printer>,
}

/// A function that makes the copy of the event log that `EVENT_STORE` names.
pub type AttachCopy = fn(&FeedCopySettings, FeedCopyPorts) -> CopiedFeed;
/// A function that makes the ports of a process without a database, on that copy alone.
pub type AttachReaders = fn(&FeedCopySettings, Arc<dyn Clock>) -> CopiedReaders;

/// An argument with which a program prints a text instead of serving.
#[derive(Debug, Clone, Copy)]
struct Printer {
    argument: &'static str,
    about: &'static str,
    text: fn() -> String,
}

/// Makes the [`Program`] of the crate in which it stands: a function that needs the homeserver and answers in
/// one piece.
#[macro_export]
macro_rules! program {
    () => {
        $crate::Program::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), env!("CARGO_PKG_VERSION"))
    };
}

/// The request of a command line.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Serve,
    Probe,
    /// Prints this text.
    Print(String),
    /// Refuses the arguments with this text.
    Refuse(String),
}

impl Program {
    /// Creates a function that needs the homeserver and answers in one piece.
    pub fn new(name: &'static str, about: &'static str, version: &'static str) -> Self {
        let (mode, role) = (ResponseMode::Buffered, Role::Function);
        Self {
            name,
            about,
            version,
            mode,
            role,
            needs_homeserver: true,
            copied_feed: None,
            copied_readers: None,
            printer: None,
        }
    }

    /// Makes it stream its answers on Lambda.
    #[must_use]
    pub fn streaming(self) -> Self {
        Self { mode: ResponseMode::Streaming, ..self }
    }

    /// Makes it a function that never calls the homeserver.
    #[must_use]
    pub fn without_homeserver(self) -> Self {
        Self { needs_homeserver: false, ..self }
    }

    /// Makes it read events from the copy that `EVENT_STORE` names. Without this a program reads PostgreSQL,
    /// whatever `EVENT_STORE` is.
    #[must_use]
    pub fn reading_copies(self, attach: AttachCopy) -> Self {
        Self { copied_feed: Some(attach), ..self }
    }

    /// Makes it run without a database where `EVENT_STORE` names a copy and `DATABASE_URL` is not set.
    #[must_use]
    pub fn without_database(self, attach: AttachReaders) -> Self {
        Self { copied_readers: Some(attach), ..self }
    }

    /// Makes it the router.
    #[must_use]
    pub fn router(self) -> Self {
        Self { role: Role::Router, ..self }
    }

    /// Makes it the worker.
    #[must_use]
    pub fn worker(self) -> Self {
        Self { role: Role::Worker, ..self }
    }

    /// Adds an argument with which it prints a text. `about` describes the text, for `--help`.
    #[must_use]
    pub fn printing(self, argument: &'static str, about: &'static str, text: fn() -> String) -> Self {
        Self { printer: Some(Printer { argument, about, text }), ..self }
    }

    /// Returns its name without the prefix of all programs, such as `rooms`.
    pub(crate) fn short_name(&self) -> &'static str {
        self.name.strip_prefix("messenger-").unwrap_or(self.name)
    }

    /// Returns its version.
    pub(crate) fn version(&self) -> &'static str {
        self.version
    }

    /// Follows the arguments of the process. Returns the exit code if there is nothing to serve.
    pub(crate) fn follow_arguments(&self) -> Option<ExitCode> {
        let arguments = std::env::args_os().skip(1).map(|one| one.to_string_lossy().into_owned());
        match self.command(&arguments.collect::<Vec<_>>()) {
            Command::Serve => None,
            Command::Probe => Some(probe::run()),
            Command::Print(text) => Some(print(&text)),
            Command::Refuse(text) => {
                eprintln!("{text}");
                Some(ExitCode::from(2))
            }
        }
    }

    fn command(&self, arguments: &[String]) -> Command {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        match arguments.as_slice() {
            [] => Command::Serve,
            ["probe"] => Command::Probe,
            [one] if let Some(printer) = self.printer.filter(|printer| printer.argument == *one) => {
                Command::Print((printer.text)())
            }
            ["--help" | "-h"] => Command::Print(self.help()),
            ["--version" | "-V"] => Command::Print(format!("{} {}", self.name, self.version)),
            [first, ..] => {
                let unexpected = arguments.iter().find(|one| **one != "probe").unwrap_or(first);
                Command::Refuse(format!(
                    "{}: unexpected argument `{unexpected}`: it takes none, or `probe`; see --help",
                    self.name
                ))
            }
        }
    }

    fn help(&self) -> String {
        let Self { name, about, version, .. } = self;
        let printer =
            self.printer.map(|Printer { argument, about, .. }| format!("  {argument:<24} {about}\n"));
        let printer = printer.unwrap_or_default();
        format!(
            "{name} {version}: {about}\n\n\
             Usage: {name} [argument]\n\n\
             Without an argument it serves requests until SIGTERM: those of the Lambda runtime if that started \
             it,\nelse those that come to HOST and PORT.\n\n\
             \x20 probe                    asks /readyz of the program that listens on PORT of this machine; \
             exits with 0\n\
             \x20                          if it is ready, else with 1, within a second\n\
             {printer}\
             \x20 -h, --help               prints this text\n\
             \x20 -V, --version            prints the version\n\n{VARIABLES}"
        )
    }
}

impl Default for Program {
    /// Returns a program for tests.
    fn default() -> Self {
        Self::new("messenger-function", "a function", env!("CARGO_PKG_VERSION"))
    }
}

/// Prints a text and a line feed to standard output. Returns a failure if its reader is gone.
fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(arguments: &[&str]) -> Command {
        let arguments: Vec<_> = arguments.iter().map(|one| (*one).to_owned()).collect();
        Program::new("messenger-rooms", "Rooms", "1.2.3").command(&arguments)
    }

    #[test]
    fn a_program_serves_or_probes() {
        assert_eq!(command(&[]), Command::Serve);
        assert_eq!(command(&["probe"]), Command::Probe);
    }

    #[test]
    fn the_help_says_what_the_program_is_and_names_its_variables_and_probe() {
        let Command::Print(help) = command(&["--help"]) else { panic!("it is printed") };
        for part in ["messenger-rooms 1.2.3: Rooms", "  probe ", "DATABASE_URL", "PORT", "_FILE"] {
            assert!(help.contains(part), "{part}: {help}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 110), "{help}");
        assert_eq!(command(&["-V"]), Command::Print("messenger-rooms 1.2.3".to_owned()));
    }

    #[test]
    fn an_argument_prints_its_text_and_the_help_names_it() {
        let program = Program::new("messenger-router", "Router", "1.2.3");
        let program = program.printing("openapi", "prints the description", || "{}".to_owned());
        assert_eq!(program.command(&["openapi".to_owned()]), Command::Print("{}".to_owned()));
        let Command::Print(help) = program.command(&["-h".to_owned()]) else { panic!("it is printed") };
        assert!(
            help.contains("\n  openapi                  prints the description\n  -h, --help "),
            "{help}"
        );
        let Command::Refuse(text) = command(&["openapi"]) else { panic!("it is refused") };
        assert!(text.contains("`openapi`"), "{text}");
    }

    #[test]
    fn any_other_argument_is_refused_by_its_name() {
        for (arguments, named) in
            [(&["serve"][..], "`serve`"), (&["probe", "again"], "`again`"), (&["--port=1"], "`--port=1`")]
        {
            let Command::Refuse(text) = command(arguments) else { panic!("{arguments:?} is refused") };
            assert!(text.contains(named) && text.contains("`probe`"), "{text}");
        }
    }
}
