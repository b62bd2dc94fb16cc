//! A queue before an output stream that may be slow, such as a terminal or a pipe. Writers never wait.
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use crate::lock::{lock, unpoisoned};

/// The most bytes in the queue.
const BYTES_MAX: usize = 1 << 20;

/// A bounded queue that a thread writes to a stream. Pieces that find the queue full are dropped; a notice in
/// the stream gives their number.
#[derive(Debug, Default)]
pub struct OutputQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
    dropped: usize,
    /// `true` while the thread writes a piece.
    is_writing: bool,
}

static STDOUT: LazyLock<Arc<OutputQueue>> = LazyLock::new(|| OutputQueue::to(io::stdout()));
static STDERR: LazyLock<Arc<OutputQueue>> = LazyLock::new(|| OutputQueue::to(io::stderr()));

impl OutputQueue {
    /// Starts the thread that writes to the stream. After an error it goes on with the next piece.
    pub fn to(mut stream: impl Write + Send + 'static) -> Arc<Self> {
        let queue = Arc::new(Self::default());
        let source = Arc::clone(&queue);
        std::thread::spawn(move || {
            loop {
                let piece = source.next();
                let _ = stream.write_all(&piece).and_then(|()| stream.flush());
            }
        });
        queue
    }

    /// Returns the queue of standard output.
    pub fn stdout() -> &'static Self {
        &STDOUT
    }

    /// Returns the queue of standard error.
    pub fn stderr() -> &'static Self {
        &STDERR
    }

    /// Appends a piece to the queue, or drops it if the queue is full.
    pub fn write(&self, piece: impl Into<Vec<u8>>) {
        let (piece, mut state) = (piece.into(), self.lock());
        // After a drop, pieces are accepted again when the queue is half empty: otherwise a notice would
        // follow each line.
        let limit = if state.dropped > 0 { BYTES_MAX / 2 } else { BYTES_MAX };
        if state.bytes + piece.len() > limit {
            state.dropped += 1;
            return;
        }
        if let Some(notice) = state.notice() {
            state.push(notice);
        }
        state.push(piece);
        self.changed.notify_all();
    }

    /// Waits until the queue is empty. Returns `false` if the time limit ends first.
    pub fn flush(&self, limit: Duration) -> bool {
        let is_pending =
            |state: &mut State| state.is_writing || !state.pieces.is_empty() || state.dropped > 0;
        let waited = self.changed.wait_timeout_while(self.lock(), limit, is_pending);
        !unpoisoned(waited).1.timed_out()
    }

    /// Takes the next piece. Waits while there is none.
    fn next(&self) -> Vec<u8> {
        let mut state = self.lock();
        state.is_writing = false;
        self.changed.notify_all();
        loop {
            if let Some(piece) = state.pieces.pop_front() {
                state.bytes -= piece.len();
                state.is_writing = true;
                return piece;
            }
            if let Some(notice) = state.notice() {
                state.is_writing = true;
                return notice;
            }
            state = unpoisoned(self.changed.wait(state));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn push(&mut self, piece: Vec<u8>) {
        self.bytes += piece.len();
        self.pieces.push_back(piece);
    }

    /// Resets the number of dropped pieces and returns the notice about it; `None` if the number is 0.
    fn notice(&mut self) -> Option<Vec<u8>> {
        let dropped = std::mem::take(&mut self.dropped);
        (dropped > 0)
            .then(|| format!("[{dropped} lines left out: this output is read too slowly]\n").into_bytes())
    }
}

impl Write for &OutputQueue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        OutputQueue::write(self, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
