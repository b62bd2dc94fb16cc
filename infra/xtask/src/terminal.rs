//! ANSI colours for terminals.
use std::io::IsTerminal;

/// The style of text for a stream: ANSI colours on a terminal, no colours elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    coloured: bool,
}

impl Style {
    pub(crate) fn of_stdout() -> Self {
        Self::of(&std::io::stdout())
    }

    pub(crate) fn of_stderr() -> Self {
        Self::of(&std::io::stderr())
    }

    fn of(stream: &impl IsTerminal) -> Self {
        Self {
            coloured: stream.is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    /// Returns the number of an ANSI colour; `None` if the stream has no colours.
    pub(crate) fn colour(self, number: u8) -> Option<u8> {
        self.coloured.then_some(number)
    }

    pub(crate) fn is_coloured(self) -> bool {
        self.coloured
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.mark(1, text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.mark(2, text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.mark(31, text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.mark(32, text)
    }

    fn mark(self, code: u8, text: &str) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
