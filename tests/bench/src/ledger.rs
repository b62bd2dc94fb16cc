//! What was published, and what each connection got of it: lost, repeated and out of order are counted exactly.
use std::collections::BTreeSet;

use memchr::memmem;

/// Begins the mark in a published text.
const PREFIX: &str = "bench:";

/// What a publisher writes into an event, so that each receipt can be told from any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// Which measurement.
    pub(crate) run: u32,
    /// Who published it: a publisher's events are published one after the other.
    pub(crate) publisher: u16,
    /// The how-manieth of this publisher, from 0.
    pub(crate) number: u32,
}

impl Mark {
    /// The text to be published.
    pub(crate) fn text(self) -> String {
        format!("{PREFIX}{:x}:{}:{};", self.run, self.publisher, self.number)
    }

    /// The first mark in a text.
    pub(crate) fn find(text: &[u8]) -> Option<Self> {
        let mut rest = &text[memmem::find(text, PREFIX.as_bytes())? + PREFIX.len()..];
        let run = part(&mut rest, b':', 16)?;
        let publisher = u16::try_from(part(&mut rest, b':', 10)?).ok()?;
        let number = part(&mut rest, b';', 10)?;
        Some(Self { run, publisher, number })
    }
}

/// The number before `end`; `rest` goes on after it.
fn part(rest: &mut &[u8], end: u8, radix: u32) -> Option<u32> {
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

/// What one connection got.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Of each publisher, the number that comes next.
    next: Vec<u32>,
    /// What was skipped and may still come, too late.
    skipped: BTreeSet<Mark>,
    position: u64,
    /// Where the stream began.
    pub(crate) cursor: Vec<u8>,
    pub(crate) tally: Tally,
}

/// Counts of one connection, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Different events that came.
    pub(crate) received: u64,
    /// Events that came again.
    pub(crate) repeated: u64,
    /// Events that came after one that was published later, or under a position that does not grow.
    pub(crate) disordered: u64,
    /// Events that were published and did not come.
    pub(crate) lost: u64,
    /// Events that this connection must not hear.
    pub(crate) foreign: u64,
}

impl Account {
    /// Notes a receipt; whether it is the first of this event.
    pub(crate) fn note(&mut self, mark: Mark, position: Option<u64>) -> bool {
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

    /// The final counts, given how many events each publisher published. A bystander should have heard none.
    pub(crate) fn settle(&self, published: &[u32], bystander: bool) -> Tally {
        if bystander {
            return Tally { foreign: self.tally.received, received: 0, ..self.tally };
        }
        let ends = published.iter().enumerate();
        let tails: u64 = ends
            .map(|(publisher, end)| {
                u64::from(end.saturating_sub(self.next.get(publisher).copied().unwrap_or_default()))
            })
            .sum();
        Tally { lost: tails + self.skipped.len() as u64, ..self.tally }
    }
}

impl Tally {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            repeated: self.repeated + other.repeated,
            disordered: self.disordered + other.disordered,
            lost: self.lost + other.lost,
            foreign: self.foreign + other.foreign,
        }
    }

    /// Whether everything came, once, in order, and only to whom it was meant for.
    pub(crate) fn is_whole(&self) -> bool {
        self.lost == 0 && self.repeated == 0 && self.disordered == 0 && self.foreign == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(stream: &[(u16, u32)], published: &[u32]) -> Tally {
        let mut account = Account::default();
        for (publisher, number) in stream {
            account.note(Mark { run: 1, publisher: *publisher, number: *number }, None);
        }
        account.settle(published, false)
    }

    #[test]
    fn a_mark_is_found_where_it_was_written() {
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
    fn a_whole_stream_of_several_publishers_is_whole() {
        let tally = settled(&[(0, 0), (1, 0), (1, 1), (0, 1)], &[2, 2]);
        assert!(tally.is_whole());
        assert_eq!(tally.received, 4);
    }

    #[test]
    fn what_is_missing_in_the_middle_at_the_end_and_of_a_whole_publisher_is_lost() {
        let tally = settled(&[(0, 0), (0, 2)], &[4, 3]);
        assert_eq!(tally, Tally { received: 2, lost: 2 + 3, ..Tally::default() });
        assert!(!tally.is_whole());
    }

    #[test]
    fn what_comes_twice_is_repeated_wherever_it_comes() {
        let tally = settled(&[(0, 0), (0, 0), (0, 1), (0, 0)], &[2]);
        assert_eq!(tally, Tally { received: 2, repeated: 2, ..Tally::default() });
    }

    #[test]
    fn what_comes_late_is_out_of_order_and_not_lost_and_again_it_is_repeated() {
        let tally = settled(&[(0, 1), (0, 0), (0, 0), (0, 2)], &[3]);
        assert_eq!(tally, Tally { received: 3, disordered: 1, repeated: 1, ..Tally::default() });
    }

    #[test]
    fn positions_that_do_not_grow_are_out_of_order() {
        let mut account = Account::default();
        for (publisher, position) in [(0, 5), (1, 4), (2, 6)] {
            account.note(Mark { run: 1, publisher, number: 0 }, Some(position));
        }
        assert_eq!(account.settle(&[1, 1, 1], false).disordered, 1);
    }

    #[test]
    fn a_bystander_who_hears_something_is_told_of() {
        let mut account = Account::default();
        assert!(account.settle(&[5], true).is_whole());
        account.note(Mark { run: 1, publisher: 0, number: 0 }, None);
        let tally = account.settle(&[5], true);
        assert_eq!(tally, Tally { foreign: 1, ..Tally::default() });
        assert!(!tally.is_whole());
    }
}
