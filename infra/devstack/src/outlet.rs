//! A stream that may be slow, such as a terminal or the pipe of a log: whoever writes never waits for it.
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most bytes that wait for the stream.
const WAITING_MAX: usize = 1 << 20;

/// A bounded queue before a stream, emptied by a thread of its own. What finds it full is left out; the stream is told how
/// much.
#[derive(Debug, Default)]
pub struct Outlet {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    left_out: usize,
    /// Whether the thread is writing what it took last.
    busy: bool,
}

static STDOUT: LazyLock<Arc<Outlet>> = LazyLock::new(|| Outlet::to(io::stdout()));
static STDERR: LazyLock<Arc<Outlet>> = LazyLock::new(|| Outlet::to(io::stderr()));

impl Outlet {
    /// Starts the thread that writes to the stream. A stream that fails is no reason to stop: it gets the next piece.
    pub fn to(mut stream: impl Write + Send + 'static) -> Arc<Self> {
        let outlet = Arc::new(Self::default());
        let queue = Arc::clone(&outlet);
        std::thread::spawn(move || {
            loop {
                let piece = queue.next();
                let _ = stream.write_all(&piece).and_then(|()| stream.flush());
            }
        });
        outlet
    }

    /// Standard output of this process.
    pub fn stdout() -> &'static Self {
        &STDOUT
    }

    /// Standard error of this process.
    pub fn stderr() -> &'static Self {
        &STDERR
    }

    /// Queues a piece, whole or not at all.
    pub fn write(&self, piece: impl Into<Vec<u8>>) {
        let (piece, mut state) = (piece.into(), self.lock());
        // Once it is full it has to become half empty, or every other line would tell of the one before.
        let most = if state.left_out > 0 { WAITING_MAX / 2 } else { WAITING_MAX };
        if state.bytes + piece.len() > most {
            state.left_out += 1;
            return;
        }
        if let Some(notice) = state.notice() {
            state.push(notice);
        }
        state.push(piece);
        self.changed.notify_all();
    }

    /// Waits until everything is written, at most so long. Returns whether it is.
    pub fn flush(&self, patience: Duration) -> bool {
        let is_pending = |state: &mut State| state.busy || !state.waiting.is_empty() || state.left_out > 0;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, is_pending);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Waits for a piece and takes it.
    fn next(&self) -> Vec<u8> {
        let mut state = self.lock();
        state.busy = false;
        self.changed.notify_all();
        loop {
            if let Some(piece) = state.waiting.pop_front() {
                state.bytes -= piece.len();
                state.busy = true;
                return piece;
            }
            if let Some(notice) = state.notice() {
                state.busy = true;
                return notice;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, piece: Vec<u8>) {
        self.bytes += piece.len();
        self.waiting.push_back(piece);
    }

    /// Takes the count of what was left out, in words; `None` if it was nothing.
    fn notice(&mut self) -> Option<Vec<u8>> {
        let left_out = std::mem::take(&mut self.left_out);
        (left_out > 0)
            .then(|| format!("[{left_out} lines left out: this output is read too slowly]\n").into_bytes())
    }
}

impl Write for &Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Outlet::write(self, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
