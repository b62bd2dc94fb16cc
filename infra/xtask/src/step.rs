//! Progress of one step of a command: an updated line on a terminal, and few lines elsewhere.
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use messenger_devstack::process::Sink;
use messenger_devstack::{OutputQueue, lock};
use tokio::task::JoinHandle;

use crate::terminal::Style;

/// The shortest time between two lines about the same step, if there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(3);

/// Time limit for writing the last line of a step.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

/// A running step. A step that is dropped before [`Step::done`] has failed.
pub(crate) struct Step {
    line: Arc<Line>,
    ticker: Option<JoinHandle<()>>,
    ended: bool,
}

struct Line {
    title: String,
    begin: Instant,
    is_terminal: bool,
    state: Mutex<State>,
}

struct State {
    note: String,
    printed_at: Option<Instant>,
}

impl Step {
    pub(crate) fn begin(title: &str) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let state = Mutex::new(State { note: String::new(), printed_at: None });
        let line = Arc::new(Line { title: title.to_owned(), begin: Instant::now(), is_terminal, state });
        let ticker = is_terminal.then(|| tokio::spawn(redraw(Arc::clone(&line))));
        Self { line, ticker, ended: false }
    }

    /// Returns a sink for notes about the progress of the step.
    pub(crate) fn progress(&self) -> Sink {
        let line = Arc::clone(&self.line);
        Arc::new(move |note| line.note(note))
    }

    pub(crate) fn done(mut self, result: &str) {
        let style = Style::of_stderr();
        self.end(&style.green("✓"), result);
    }

    fn end(&mut self, mark: &str, result: &str) {
        self.ended = true;
        if let Some(ticker) = self.ticker.take() {
            ticker.abort();
        }
        let clear = if self.line.is_terminal { "\r\x1b[2K" } else { "" };
        let style = Style::of_stderr();
        let time = style.dim(&format!("({})", self.line.time()));
        write(&format!("{clear}{mark} {} {result} {time}\n", style.bold(&self.line.title)));
        // Later output that does not go through the queue must come after this line.
        OutputQueue::stderr().flush(FLUSH_TIMEOUT);
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.ended {
            let style = Style::of_stderr();
            self.end(&style.red("✗"), "");
        }
    }
}

impl Line {
    fn note(&self, note: &str) {
        let mut state = self.state();
        note.clone_into(&mut state.note);
        if !self.is_terminal && state.printed_at.is_none_or(|printed_at| printed_at.elapsed() > LINE_INTERVAL)
        {
            state.printed_at = Some(Instant::now());
            write(&format!("  {}: {note}\n", self.title));
        }
    }

    fn time(&self) -> String {
        format!("{:.1} s", self.begin.elapsed().as_secs_f64())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

async fn redraw(line: Arc<Line>) {
    let style = Style::of_stderr();
    for frame in ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"].iter().cycle() {
        let note = line.state().note.clone();
        let time = style.dim(&format!("({})", line.time()));
        write(&format!("\r\x1b[2K{frame} {} {note} {time}", style.bold(&line.title)));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn write(text: &str) {
    OutputQueue::stderr().write(text);
}
