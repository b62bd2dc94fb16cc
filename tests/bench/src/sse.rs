//! A tiny scanner of `text/event-stream` behind HTTP/1.1: it copies nothing but what is split between two reads.
use memchr::{memchr, memmem};

use crate::ledger::Mark;

/// One event of a stream, as far as a measurement looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// What the publisher wrote into it; `None`: it is none of ours.
    pub(crate) mark: Option<Mark>,
    /// Its `id:`, if that is a number.
    pub(crate) position: Option<u64>,
    pub(crate) kind: Kind,
}

/// What an event without a mark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The stream is open.
    Connected,
    /// The stream has a gap, and says so.
    Reset,
    /// A keepalive, an event of somebody else, or a marked one.
    Other,
}

/// The state of one stream between two reads.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    framing: Framing,
    /// The beginning of a line whose end has not come yet.
    carry: Vec<u8>,
    /// What an `EventSource` would send as `Last-Event-ID`.
    last_id: Vec<u8>,
    mark: Option<Mark>,
    position: Option<u64>,
    kind: Option<Kind>,
}

/// How the body's bytes are framed (RFC 9112, section 7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Framing {
    /// Not at all: the body ends with the connection.
    #[default]
    Plain,
    /// In a line with a chunk's size.
    Size { size: usize, extension: bool },
    /// In a chunk, with so many bytes to come.
    Data(usize),
    /// In the line end after a chunk.
    End,
}

impl Scanner {
    /// A scanner for a body with this `Transfer-Encoding`.
    pub(crate) fn new(chunked: bool) -> Self {
        let framing = if chunked { Framing::Size { size: 0, extension: false } } else { Framing::Plain };
        Self { framing, ..Self::default() }
    }

    /// What an `EventSource` would send as `Last-Event-ID` now; empty: nothing.
    pub(crate) fn last_id(&self) -> &[u8] {
        &self.last_id
    }

    /// Tells `heard` every event that is complete with these bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], heard: &mut impl FnMut(Event)) {
        while let Some(first) = bytes.first() {
            match self.framing {
                Framing::Plain => return self.text(bytes, heard),
                Framing::Size { size, .. } if *first == b'\n' => {
                    self.framing = if size == 0 { Framing::End } else { Framing::Data(size) };
                    bytes = &bytes[1..];
                }
                Framing::Size { size, extension } => {
                    let digit = char::from(*first).to_digit(16).filter(|_| !extension);
                    let size = digit.map_or(size, |digit| size * 16 + digit as usize);
                    let extension = extension || (digit.is_none() && *first != b'\r');
                    self.framing = Framing::Size { size, extension };
                    bytes = &bytes[1..];
                }
                Framing::Data(left) => {
                    let (data, rest) = bytes.split_at(left.min(bytes.len()));
                    self.text(data, heard);
                    let left = left - data.len();
                    self.framing = if left == 0 { Framing::End } else { Framing::Data(left) };
                    bytes = rest;
                }
                Framing::End => {
                    if *first == b'\n' {
                        self.framing = Framing::Size { size: 0, extension: false };
                    }
                    bytes = &bytes[1..];
                }
            }
        }
    }

    fn text(&mut self, mut bytes: &[u8], heard: &mut impl FnMut(Event)) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.carry.is_empty() {
                self.line(line, heard);
            } else {
                let mut whole = std::mem::take(&mut self.carry);
                whole.extend_from_slice(line);
                self.line(&whole, heard);
                whole.clear();
                self.carry = whole;
            }
            bytes = rest;
        }
        self.carry.extend_from_slice(bytes);
    }

    fn line(&mut self, line: &[u8], heard: &mut impl FnMut(Event)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            self.dispatch(heard);
        } else if let Some(data) = line.strip_prefix(b"data:") {
            self.mark = self.mark.or_else(|| Mark::find(data));
            self.kind = Some(if self.mark.is_some() { Kind::Other } else { kind(data) });
        } else if let Some(id) = line.strip_prefix(b"id:") {
            let id = id.strip_prefix(b" ").unwrap_or(id);
            self.last_id.clear();
            self.last_id.extend_from_slice(id);
            self.position = number(id);
        }
    }

    /// An empty line ends an event; one without data only sets the last id.
    fn dispatch(&mut self, heard: &mut impl FnMut(Event)) {
        let (mark, position) = (self.mark.take(), self.position.take());
        if let Some(kind) = self.kind.take() {
            heard(Event { mark, position, kind });
        }
    }
}

fn kind(data: &[u8]) -> Kind {
    if memmem::find(data, br#""type":"connected""#).is_some() {
        Kind::Connected
    } else if memmem::find(data, br#""type":"reset""#).is_some() {
        Kind::Reset
    } else {
        Kind::Other
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(scanner: &mut Scanner, bytes: &[u8]) -> Vec<Event> {
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
        let other = Event { mark: None, position: None, kind: Kind::Other };
        vec![
            Event { position: Some(7), kind: Kind::Connected, ..other },
            Event { mark: Some(Mark { run: 10, publisher: 2, number: 5 }), position: Some(8), ..other },
            other,
            Event { position: Some(9), kind: Kind::Reset, ..other },
        ]
    }

    #[test]
    fn events_are_heard_with_their_marks_and_positions() {
        let mut scanner = Scanner::new(false);
        assert_eq!(heard(&mut scanner, STREAM.as_bytes()), expected());
        assert_eq!(scanner.last_id(), b"9");
    }

    #[test]
    fn wherever_reads_and_chunks_split_a_stream_the_events_are_the_same() {
        let (first, second) = STREAM.split_at(70);
        for (bytes, is_chunked) in [(STREAM.as_bytes().to_vec(), false), (chunked(&[first, second]), true)] {
            for split in 0..bytes.len() {
                let mut scanner = Scanner::new(is_chunked);
                let mut events = heard(&mut scanner, &bytes[..split]);
                events.extend(heard(&mut scanner, &bytes[split..]));
                assert_eq!(events, expected(), "split at {split}");
            }
        }
    }

    #[test]
    fn a_stream_that_breaks_off_tells_no_half_event() {
        let mut scanner = Scanner::new(false);
        assert_eq!(heard(&mut scanner, b"id: 8\ndata: {\"title\":\"bench:a:2:5;\"}\n"), []);
    }

    #[test]
    fn the_name_of_a_chunk_extension_is_no_size() {
        let mut scanner = Scanner::new(true);
        let events = heard(&mut scanner, b"7;a=bc\r\ndata: x\r\n2\r\n\n\n\r\n");
        assert_eq!(events.len(), 1);
    }
}
