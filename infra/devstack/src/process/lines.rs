//! What children write, line by line.
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, PipeReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::outlet::Outlet;

/// Takes one line of output or of progress.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// How many lines tell what went wrong.
const KEPT: usize = 30;

/// A sink that writes a log line.
pub fn traced() -> Sink {
    Arc::new(|line| tracing::info!("{line}"))
}

/// A sink that writes to standard output with a name in front, in the colour (ANSI 30–37) if one is given, as on a terminal:
/// there the line may hold something unfinished, which is erased. It never waits for whoever reads them.
pub fn prefixed(name: &str, colour: Option<u8>) -> Sink {
    let prefix = match colour {
        Some(colour) => format!("\r\x1b[2K\x1b[{colour}m{name:>8} │\x1b[0m "),
        None => format!("{name:>8} | "),
    };
    Arc::new(move |line| {
        Outlet::stdout().write(format!("{prefix}{line}\n"));
    })
}

/// The last lines of a log file; empty when it cannot be read.
pub fn tail(file: &Path) -> String {
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
    lines[lines.len().saturating_sub(KEPT)..].join("\n")
}

/// The last lines that a child wrote.
#[derive(Clone, Debug, Default)]
pub(super) struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// The end of what is read from a child.
pub(super) struct LinesRead(Receiver<()>);

impl LinesRead {
    /// Waits for the last line; not forever, since somebody may have inherited the pipe.
    pub(super) fn wait(&self) {
        // Nothing is ever sent: the reader's end of the channel is dropped.
        let _ = self.0.recv_timeout(Duration::from_secs(1));
    }
}

/// Reads lines until nobody can write any more.
pub(super) fn follow(reader: PipeReader, sink: Option<Sink>, last: LastLines) -> LinesRead {
    let (end, read) = channel::<()>();
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
    LinesRead(read)
}
