//! The output of children, line by line.
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, PipeReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::lock::lock;
use crate::output_queue::OutputQueue;

/// A function that gets each line of output or of progress.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// The number of last lines that are kept for error messages.
const LAST_LINES: usize = 30;

/// Returns a sink that logs each line.
pub fn traced() -> Sink {
    Arc::new(|line| tracing::info!("{line}"))
}

/// Returns a sink that writes to standard output with a name in front. `colour` (ANSI 30–37) is for a
/// terminal: the name is coloured, and an unfinished line is erased first. The sink never waits for a slow
/// reader.
pub fn prefixed(name: &str, colour: Option<u8>) -> Sink {
    let prefix = match colour {
        Some(colour) => format!("\r\x1b[2K\x1b[{colour}m{name:>8} │\x1b[0m "),
        None => format!("{name:>8} | "),
    };
    Arc::new(move |line| {
        OutputQueue::stdout().write(format!("{prefix}{line}\n"));
    })
}

/// Returns the last lines of a log file; empty if it cannot be read.
pub(super) fn last_lines_of(file: &Path) -> String {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(file).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(16 * 1024)))?;
        file.read_to_end(&mut bytes)
    });
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

/// The last lines of a child's output.
#[derive(Clone, Debug, Default)]
pub(super) struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    fn push(&self, line: &str) {
        let mut lines = lock(&self.0);
        if lines.len() == LAST_LINES {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    pub(super) fn text(&self) -> String {
        let lines = lock(&self.0);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// The end of a child's output.
pub(super) struct EndOfOutput(Receiver<()>);

impl EndOfOutput {
    /// Waits for the last line, at most one second: another process may have inherited the pipe.
    pub(super) fn wait(&self) {
        // Nothing is sent: the thread drops its end of the channel.
        let _ = self.0.recv_timeout(Duration::from_secs(1));
    }
}

/// Reads lines on a thread until all writers have closed the pipe.
pub(super) fn read(reader: PipeReader, sink: Option<Sink>, last: LastLines) -> EndOfOutput {
    let (end, end_of_output) = channel::<()>();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            let line = String::from_utf8_lossy(&bytes);
            let line = line.trim_end_matches(['\n', '\r']);
            last.push(line);
            if let Some(sink) = &sink {
                sink(line);
            }
            bytes.clear();
        }
        drop(end);
    });
    EndOfOutput(end_of_output)
}
