//! The log of a test.

use messenger_core::lock;
use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tracing::{Level, subscriber::DefaultGuard};
use tracing_subscriber::fmt::MakeWriter;

use crate::logging;

/// The log of one thread, as text.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Collects the lines of this thread up to a level until the guard is dropped.
    #[must_use]
    pub fn collect(level: Level) -> (Self, DefaultGuard) {
        let log = Self::default();
        let filter = logging::filter(level.as_str());
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_env_filter(filter);
        let guard = tracing::subscriber::set_default(subscriber.with_ansi(false).finish());
        (log, guard)
    }

    /// Returns all lines so far.
    pub fn text(&self) -> String {
        let bytes = lock(&self.0);
        String::from_utf8(bytes.clone()).expect("the log is UTF-8")
    }

    /// Returns the lines that contain this text.
    pub fn lines_with(&self, part: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
