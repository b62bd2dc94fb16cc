//! Account of published and received events: counts lost, repeated and disordered events exactly.
use std::collections::BTreeSet;
use std::ops::AddAssign;

use memchr::memmem;

/// The beginning of a mark in a published text.
const PREFIX: &str = "bench:";

/// The identity of one event, written by the publisher into its title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// The measurement.
    pub(crate) run: u32,
    /// The publisher, which publishes its events one after the other.
    pub(crate) publisher: u16,
    /// The number of the event, from 0 for each publisher.
    pub(crate) number: u32,
}

impl Mark {
    pub(crate) fn text(self) -> String {
        format!("{PREFIX}{:x}:{}:{};", self.run, self.publisher, self.number)
    }

    /// Returns the first mark in a text.
    pub(crate) fn find(text: &[u8]) -> Option<Self> {
        let mut rest = &text[memmem::find(text, PREFIX.as_bytes())? + PREFIX.len()..];
        let run = number(&mut rest, b':', 16)?;
        let publisher = u16::try_from(number(&mut rest, b':', 10)?).ok()?;
        let number = number(&mut rest, b';', 10)?;
        Some(Self { run, publisher, number })
    }
}

/// Returns the number before `end`, and moves `rest` behind it.
fn number(rest: &mut &[u8], end: u8, radix: u32) -> Option<u32> {
    let mut value = 0_u32;
    for (index, byte) in rest.iter().enumerate() {
        if *byte == end && index > 0 {
            *rest = &rest[index + 1..];
            return Some(value);
        }
        value = value.checked_mul(radix)?.checked_add(char::from(*byte).to_digit(radix)?)?;
    }
    None
}

/// The receipts of one connection.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    /// The next expected number of each publisher.
    next: Vec<u32>,
    /// Events that were skipped and may still come, too late.
    skipped: BTreeSet<Mark>,
    position: u64,
    /// The cursor at which the stream began.
    pub(crate) cursor: Vec<u8>,
    tally: Tally,
}

/// Counts of one connection, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Distinct events that were received.
    pub(crate) received: u64,
    /// Events that were received again.
    pub(crate) repeated: u64,
    /// Events received after one that was published later, or with a position that does not grow.
    pub(crate) disordered: u64,
    /// Published events that were not received.
    pub(crate) lost: u64,
    /// Events received by a connection that is not in their audience.
    pub(crate) foreign: u64,
}

impl Receipts {
    /// Records a receipt. Returns `true` if it is the first one of this event.
    pub(crate) fn record(&mut self, mark: Mark, position: Option<u64>) -> bool {
        let publisher = usize::from(mark.publisher);
        if self.next.len() <= publisher {
            self.next.resize(publisher + 1, 0);
        }
        let next = self.next[publisher];
        if mark.number < next {
            if !self.skipped.remove(&mark) {
                self.tally.repeated += 1;
                return false;
            }
            self.tally.disordered += 1;
        } else {
            self.skipped.extend((next..mark.number).map(|number| Mark { number, ..mark }));
            self.next[publisher] = mark.number + 1;
            if position.is_some_and(|position| position <= self.position) {
                self.tally.disordered += 1;
            }
        }
        self.position = self.position.max(position.unwrap_or_default());
        self.tally.received += 1;
        true
    }

    /// Returns the final counts, given how many events each publisher published. A bystander must receive none.
    pub(crate) fn tally(&self, published: &[u32], bystander: bool) -> Tally {
        if bystander {
            return Tally { foreign: self.tally.received, received: 0, ..self.tally };
        }
        let next = self.next.iter().copied().chain(std::iter::repeat(0));
        let missing = published.iter().zip(next).map(|(end, next)| u64::from(end.saturating_sub(next)));
        Tally { lost: missing.sum::<u64>() + self.skipped.len() as u64, ..self.tally }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.repeated += other.repeated;
        self.disordered += other.disordered;
        self.lost += other.lost;
        self.foreign += other.foreign;
    }
}

impl Tally {
    /// Returns `true` if each event was received once, in order, and by its audience only.
    pub(crate) fn is_complete(&self) -> bool {
        Self { received: 0, ..*self } == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Tally = Tally { received: 0, repeated: 0, disordered: 0, lost: 0, foreign: 0 };

    #[test]
    fn a_mark_is_found_in_the_text_that_contains_it() {
        let mark = Mark { run: 0xbeef, publisher: 12, number: 345 };
        let text = format!("{{\"title\":\"{} now\"}}", mark.text());
        assert_eq!(Mark::find(text.as_bytes()), Some(mark));
        for broken in
            ["bench:", "bench:1:2:", "bench:1:2:3", "bench:1::3;", "bench:1:70000:3;", "bench:x:1:1;"]
        {
            assert_eq!(Mark::find(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn lost_repeated_and_disordered_events_are_counted() {
        for (case, stream, published, expected) in [
            ("complete", &[(0, 0), (1, 0), (1, 1), (0, 1)][..], [2, 2], Tally { received: 4, ..NONE }),
            (
                "in the middle, at the end, a publisher",
                &[(0, 0), (0, 2)],
                [4, 3],
                Tally { received: 2, lost: 5, ..NONE },
            ),
            ("twice", &[(0, 0), (0, 0), (0, 1), (0, 0)], [2, 0], Tally { received: 2, repeated: 2, ..NONE }),
            (
                "late",
                &[(0, 1), (0, 0), (0, 0), (0, 2)],
                [3, 0],
                Tally { received: 3, disordered: 1, repeated: 1, ..NONE },
            ),
        ] {
            let mut receipts = Receipts::default();
            for (publisher, number) in stream {
                receipts.record(Mark { run: 1, publisher: *publisher, number: *number }, None);
            }
            let tally = receipts.tally(&published, false);
            assert_eq!(tally, expected, "{case}");
            assert_eq!(tally.is_complete(), case == "complete", "{case}");
        }
    }

    #[test]
    fn an_event_whose_position_does_not_grow_is_disordered() {
        let mut receipts = Receipts::default();
        for (publisher, position) in [(0, 5), (1, 4), (2, 6)] {
            receipts.record(Mark { run: 1, publisher, number: 0 }, Some(position));
        }
        assert_eq!(receipts.tally(&[1, 1, 1], false).disordered, 1);
    }

    #[test]
    fn an_event_received_by_a_bystander_is_foreign() {
        let mut receipts = Receipts::default();
        assert!(receipts.tally(&[5], true).is_complete());
        receipts.record(Mark { run: 1, publisher: 0, number: 0 }, None);
        let tally = receipts.tally(&[5], true);
        assert_eq!(tally, Tally { foreign: 1, ..NONE });
        assert!(!tally.is_complete());
    }
}
