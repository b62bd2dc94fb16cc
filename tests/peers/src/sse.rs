//! Scanner of `text/event-stream`: copies only the lines that are split between two reads.
use memchr::{memchr, memmem};

use crate::ledger::Mark;
use messenger_bench::http::Chunked;

/// One event of a stream, reduced to what a measurement checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The publisher's mark; `None` for events that the bench did not publish.
    pub(crate) mark: Option<Mark>,
    /// Its `id`, if that is a number.
    pub(crate) position: Option<u64>,
    /// Whether the server reports a gap in the stream.
    pub(crate) is_reset: bool,
}

/// The state of one stream between two reads.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// `None` if the body ends with the connection.
    chunked: Option<Chunked>,
    lines: Lines,
}

#[derive(Debug, Default)]
struct Lines {
    /// The beginning of a line whose end has not come yet.
    incomplete: Vec<u8>,
    last_id: Vec<u8>,
    /// The event whose `data` was read.
    event: Option<Event>,
    position: Option<u64>,
}

impl Scanner {
    /// Returns a scanner for a body, chunked or not.
    pub(crate) fn new(chunked: bool) -> Self {
        Self { chunked: chunked.then_some(Chunked::START), ..Self::default() }
    }

    /// Returns what an `EventSource` would send as `Last-Event-ID` now; empty if there was no `id`.
    pub(crate) fn last_id(&self) -> &[u8] {
        &self.lines.last_id
    }

    /// Passes every event that is complete with these bytes to `receive`.
    pub(crate) fn feed(&mut self, bytes: &[u8], receive: &mut impl FnMut(Event)) {
        let Self { chunked, lines } = self;
        match chunked {
            None => lines.feed(bytes, receive),
            Some(chunked) => {
                chunked.feed(bytes, &mut |data| lines.feed(data, receive));
            }
        }
    }
}

impl Lines {
    fn feed(&mut self, mut bytes: &[u8], receive: &mut impl FnMut(Event)) {
        while let Some(end) = memchr(b'\n', bytes) {
            if self.incomplete.is_empty() {
                self.line(&bytes[..end], receive);
            } else {
                let mut line = std::mem::take(&mut self.incomplete);
                line.extend_from_slice(&bytes[..end]);
                self.line(&line, receive);
                line.clear();
                self.incomplete = line;
            }
            bytes = &bytes[end + 1..];
        }
        self.incomplete.extend_from_slice(bytes);
    }

    fn line(&mut self, line: &[u8], receive: &mut impl FnMut(Event)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            // An empty line ends an event; one without data only sets the last id.
            let position = self.position.take();
            if let Some(event) = self.event.take() {
                receive(Event { position, ..event });
            }
        } else if let Some(data) = line.strip_prefix(b"data:") {
            let mark = self.event.and_then(|event| event.mark).or_else(|| Mark::find(data));
            let is_reset = mark.is_none() && memmem::find(data, br#""type":"reset""#).is_some();
            self.event = Some(Event { mark, position: None, is_reset });
        } else if let Some(id) = line.strip_prefix(b"id:") {
            let id = id.strip_prefix(b" ").unwrap_or(id);
            id.clone_into(&mut self.last_id);
            self.position = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(scanner: &mut Scanner, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        scanner.feed(bytes, &mut |event| events.push(event));
        events
    }

    fn chunked(pieces: &[&str]) -> Vec<u8> {
        pieces.iter().flat_map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len()).into_bytes()).collect()
    }

    const STREAM: &str = "retry: 3000\nid: 7\ndata: {\"type\":\"connected\"}\n\nid: 8\ndata: {\"title\":\"bench:a:2:5;\"}\n\n\
        data: {\"type\":\"keepalive\"}\n\nid: 9\r\ndata: {\"type\":\"reset\"}\r\n\r\n";

    fn expected() -> Vec<Event> {
        let other = Event { mark: None, position: None, is_reset: false };
        vec![
            Event { position: Some(7), ..other },
            Event { mark: Some(Mark { run: 10, publisher: 2, number: 5 }), position: Some(8), ..other },
            other,
            Event { position: Some(9), is_reset: true, ..other },
        ]
    }

    #[test]
    fn the_scanner_returns_events_with_their_marks_and_positions() {
        let mut scanner = Scanner::new(false);
        assert_eq!(events(&mut scanner, STREAM.as_bytes()), expected());
        assert_eq!(scanner.last_id(), b"9");
    }

    #[test]
    fn the_scanner_returns_the_same_events_wherever_reads_and_chunks_split_them() {
        let (first, second) = STREAM.split_at(70);
        for (bytes, is_chunked) in [(STREAM.as_bytes().to_vec(), false), (chunked(&[first, second]), true)] {
            for split in 0..bytes.len() {
                let mut scanner = Scanner::new(is_chunked);
                let mut received = events(&mut scanner, &bytes[..split]);
                received.extend(events(&mut scanner, &bytes[split..]));
                assert_eq!(received, expected(), "split at {split}");
            }
        }
    }

    #[test]
    fn the_scanner_drops_an_incomplete_event() {
        let mut scanner = Scanner::new(false);
        assert_eq!(events(&mut scanner, b"id: 8\ndata: {\"title\":\"bench:a:2:5;\"}\n"), []);
    }

    #[test]
    fn a_chunk_extension_is_not_part_of_the_size() {
        let mut scanner = Scanner::new(true);
        assert_eq!(events(&mut scanner, b"7;a=bc\r\ndata: x\r\n2\r\n\n\n\r\n").len(), 1);
    }
}
