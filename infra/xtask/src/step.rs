//! One step of a chore, with what it is doing and for how long: a living line on a terminal, few lines elsewhere.
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use messenger_devstack::Outlet;
use messenger_devstack::process::Sink;
use tokio::task::JoinHandle;

use crate::terminal::Style;

/// Without a terminal: how long until the next line about the same step.
const QUIET: Duration = Duration::from_secs(3);

/// How long a terminal may take for the last line of a step.
const SETTLED: Duration = Duration::from_millis(200);

/// A step that is under way. Dropped before [`Step::done`], it failed.
pub(crate) struct Step {
    line: Arc<Line>,
    ticker: Option<JoinHandle<()>>,
    ended: bool,
}

struct Line {
    title: String,
    begin: Instant,
    alive: bool,
    state: Mutex<State>,
}

struct State {
    note: String,
    told: Option<Instant>,
}

impl Step {
    pub(crate) fn begin(title: &str) -> Self {
        let alive = std::io::stderr().is_terminal();
        let state = Mutex::new(State { note: String::new(), told: None });
        let line = Arc::new(Line { title: title.to_owned(), begin: Instant::now(), alive, state });
        let ticker = alive.then(|| tokio::spawn(redraw(Arc::clone(&line))));
        Self { line, ticker, ended: false }
    }

    /// Takes what the step is doing now.
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
        let clear = if self.line.alive { "\r\x1b[2K" } else { "" };
        let style = Style::of_stderr();
        let time = style.dim(&format!("({})", self.line.time()));
        write(&format!("{clear}{mark} {} {result} {time}\n", style.bold(&self.line.title)));
        // What is printed next by other ways comes after it, unless the terminal hangs.
        Outlet::stderr().flush(SETTLED);
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
        if !self.alive && state.told.is_none_or(|told| told.elapsed() > QUIET) {
            state.told = Some(Instant::now());
            write(&format!("  {}: {note}\n", self.title));
        }
    }

    fn time(&self) -> String {
        format!("{:.1} s", self.begin.elapsed().as_secs_f64())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn redraw(line: Arc<Line>) {
    let style = Style::of_stderr();
    for turn in ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"].iter().cycle() {
        let note = line.state().note.clone();
        let time = style.dim(&format!("({})", line.time()));
        write(&format!("\r\x1b[2K{turn} {} {note} {time}", style.bold(&line.title)));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn write(text: &str) {
    Outlet::stderr().write(text);
}
