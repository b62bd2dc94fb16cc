//! Search in texts: the terms of a query, and the passage of a text that shows them.

use jiff::Timestamp;

use crate::domain::{
    id::{EventId, MatrixUserId, RoomId, SearchPosition},
    name::{self, legible},
};

/// The fewest characters of the longest word of a query.
pub const WORD_MIN: usize = 2;
/// The most characters of a query.
pub const QUERY_MAX: usize = 200;
/// The most words of a query.
pub const WORDS_MAX: usize = 8;
/// The most characters of a message that are searched.
pub const TEXT_MAX: usize = 4000;

/// The most characters of an excerpt.
const EXCERPT_MAX: usize = 160;
/// The most characters of an excerpt before the first match.
const LEAD_MAX: usize = 40;
/// The umlauts in folded form, and as they are spelt on keyboards without them.
const UMLAUTS: [(char, &str); 3] = [('a', "ae"), ('o', "oe"), ('u', "ue")];

/// The words of a query. A text matches if it contains each of them, also as a part of a word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchTerms(Vec<Vec<String>>);

/// A query for a page of messages.
#[derive(Debug, Clone)]
pub struct MessageQuery {
    /// The words that a message must contain.
    pub terms: SearchTerms,
    /// Only this room, with the rooms that it replaced.
    pub room: Option<RoomId>,
    /// Only this sender.
    pub sender: Option<MatrixUserId>,
    /// Only messages that arrived earlier; `None` for the newest.
    pub before: Option<SearchPosition>,
    /// The largest number of results.
    pub limit: i64,
}

/// A message that matches a query.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundMessage {
    /// The message.
    pub event_id: EventId,
    /// The room in which it stands.
    pub room: RoomId,
    /// The room of which the user is a member: the same, or the one that replaced it.
    pub current_room: RoomId,
    /// The sender.
    pub sender: MatrixUserId,
    /// The time of the event, according to the homeserver (`origin_server_ts`).
    pub timestamp: Timestamp,
    /// The searched text, as last edited.
    pub text: String,
}

/// A page of messages that match a query, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundMessages<Found = FoundMessage> {
    /// The messages.
    pub messages: Vec<Found>,
    /// The [`before`](MessageQuery::before) of the next page; `None` at the end.
    pub next_before: Option<SearchPosition>,
}

/// A message that matches a query, as a user sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchResult {
    /// The message.
    pub message: FoundMessage,
    /// The display name of the sender.
    pub sender_display_name: String,
    /// The part of the text that shows the matches.
    pub excerpt: Vec<Passage>,
}

/// A part of an excerpt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The text.
    pub text: String,
    /// Whether it is one of the words of the query.
    pub is_match: bool,
}

/// Returns the form of a text in which words are looked for: on one line, without case and accents.
pub fn fold(text: &str) -> String {
    name::fold(&legible(text))
}

impl SearchTerms {
    /// Parses a query.
    ///
    /// # Errors
    /// Returns a sentence part that names the violated rule.
    pub fn parse(query: &str) -> Result<Self, &'static str> {
        let line = legible(query);
        let words: Vec<_> = line.split_whitespace().map(spellings).filter(|word| !word.is_empty()).collect();
        let is_long = |word: &Vec<String>| word.iter().any(|one| one.chars().count() >= WORD_MIN);
        if !words.iter().any(is_long) {
            Err("must have a word of at least 2 characters")
        } else if words.len() > WORDS_MAX {
            Err("must have at most 8 words")
        } else {
            Ok(Self(words))
        }
    }

    /// Returns the folded spellings of each word. One of them must be in the text.
    pub fn words(&self) -> &[Vec<String>] {
        &self.0
    }

    /// Returns whether a [folded](fold) text matches.
    pub fn are_in(&self, folded: &str) -> bool {
        self.0.iter().all(|word| word.iter().any(|spelling| folded.contains(spelling)))
    }

    /// Returns the part of a text around the first match, with all matches in it. It is cut to
    /// 160 characters, with `…` at each cut.
    pub fn excerpt(&self, text: &str) -> Vec<Passage> {
        let line: Vec<char> = legible(text).chars().collect();
        let is_match = self.marks(&line);
        let first = is_match.iter().position(|is_match| *is_match).unwrap_or_default();
        let from = if line.len() <= EXCERPT_MAX { 0 } else { beginning(&line, first) };
        let to = line.len().min(from + EXCERPT_MAX);
        let mut passages: Vec<Passage> = Vec::new();
        let mut add = |c: char, is_match: bool| match passages.last_mut() {
            Some(last) if last.is_match == is_match => last.text.push(c),
            _ => passages.push(Passage { text: c.into(), is_match }),
        };
        if from > 0 {
            add('…', false);
        }
        for (c, is_match) in line[from..to].iter().zip(&is_match[from..to]) {
            add(*c, *is_match);
        }
        if to < line.len() {
            add('…', false);
        }
        passages
    }

    /// Returns for each character whether it belongs to a match.
    fn marks(&self, line: &[char]) -> Vec<bool> {
        let (mut folded, mut origins) = (String::new(), Vec::new());
        for (index, c) in line.iter().enumerate() {
            let one = if c.is_whitespace() { " ".to_owned() } else { name::fold(c.encode_utf8(&mut [0; 4])) };
            origins.resize(origins.len() + one.len(), index);
            folded.push_str(&one);
        }
        let mut marks = vec![false; line.len()];
        for spelling in self.0.iter().flatten() {
            for (at, found) in folded.match_indices(spelling.as_str()) {
                for index in &origins[at..at + found.len()] {
                    marks[*index] = true;
                }
            }
        }
        // A combining mark belongs to the letter before it.
        for index in 1..line.len() {
            let is_mark = name::fold(line[index].encode_utf8(&mut [0; 4])).is_empty();
            marks[index] |= is_mark && !line[index].is_whitespace() && marks[index - 1];
        }
        marks
    }
}

/// Returns the index at which an excerpt begins: some characters before the first match, behind a space if
/// there is one.
fn beginning(line: &[char], first: usize) -> usize {
    let earliest = first.saturating_sub(LEAD_MAX);
    if earliest == 0 {
        return 0;
    }
    let space = line[earliest..first].iter().position(|c| c.is_whitespace());
    space.map_or(earliest, |space| earliest + space + 1)
}

/// Returns the folded spellings of a word: as it is, with its umlauts as two letters, and with two letters as
/// umlauts. Returns none if nothing of the word is left.
fn spellings(word: &str) -> Vec<String> {
    let folded = fold(word);
    let (mut written_out, mut contracted) = (String::with_capacity(word.len()), folded.clone());
    for c in name::normal(word).to_lowercase().chars() {
        match c {
            'ä' => written_out.push_str("ae"),
            'ö' => written_out.push_str("oe"),
            'ü' => written_out.push_str("ue"),
            c => written_out.push(c),
        }
    }
    for (umlaut, letters) in UMLAUTS {
        contracted = contracted.replace(letters, umlaut.encode_utf8(&mut [0; 4]));
    }
    let mut spellings = vec![folded, fold(&written_out), contracted];
    spellings.retain(|spelling| !spelling.is_empty());
    spellings.sort_unstable();
    spellings.dedup();
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(query: &str, text: &str) -> bool {
        SearchTerms::parse(query).expect("a query").are_in(&fold(text))
    }

    fn marked(query: &str, text: &str) -> String {
        let passages = SearchTerms::parse(query).expect("a query").excerpt(text);
        let marked = passages
            .iter()
            .map(|one| if one.is_match { format!("[{}]", one.text) } else { one.text.clone() });
        marked.collect()
    }

    #[test]
    fn a_part_of_a_word_is_found_in_any_spelling() {
        for (query, text) in [
            ("spindel", "Hauptspindel getauscht"),
            ("SPINDEL haupt", "Hauptspindel getauscht"),
            ("4711-a", "Auftrag 4711-A fertig"),
            ("kühl", "Kuehlmittel nachfüllen"),
            ("kuehl", "KÜHLMITTEL nachfüllen"),
            ("kuhl", "Kühlmittel"),
            ("Ku\u{308}hl", "Kühlmittel"),
            ("grösse", "Größe"),
            ("frequ", "Frequenz"),
            ("100%", "zu 100% fertig"),
            ("a_b\\c", "Datei a_b\\c.txt"),
            ("Spindel", "Haupt\u{ad}spindel"),
            ("насос", "Насос"),
        ] {
            assert!(matches(query, text), "{query} in {text}");
        }
        for (query, text) in
            [("spindel", "Spinde"), ("a_b", "axb"), ("1%0", "100"), ("haupt kühl", "Hauptspindel")]
        {
            assert!(!matches(query, text), "{query} in {text}");
        }
    }

    #[test]
    fn a_query_has_a_word_of_two_characters_and_at_most_eight_words() {
        for query in ["", " ", "a", "a b c", "\u{200b}", "\u{301} x"] {
            assert_eq!(
                SearchTerms::parse(query),
                Err("must have a word of at least 2 characters"),
                "{query:?}"
            );
        }
        assert_eq!(SearchTerms::parse("a b c d e f g h ij"), Err("must have at most 8 words"));
        assert!(SearchTerms::parse("M 8 aa b c d e f").is_ok());
    }

    #[test]
    fn an_excerpt_marks_each_match_as_it_is_written() {
        assert_eq!(marked("spindel", "Haupt\nSPINDEL, spindel"), "Haupt [SPINDEL], [spindel]");
        assert_eq!(marked("kuehl gross", "Kühlmittel: große Menge"), "[Kühl]mittel: [groß]e Menge");
        assert_eq!(marked("ku", "Ku\u{308}hl"), "[Kü]hl");
        assert_eq!(marked("xx", "nichts"), "nichts");
    }

    #[test]
    fn a_long_text_is_cut_around_the_first_match() {
        let text = format!("{}Spindel{}", "Wort ".repeat(100), " Ende".repeat(100));
        let excerpt = marked("spindel", &text);
        assert!(excerpt.starts_with("…Wort ") && excerpt.ends_with('…'), "{excerpt}");
        assert!(excerpt.contains("Wort [Spindel] Ende"), "{excerpt}");
        assert_eq!(excerpt.chars().count(), EXCERPT_MAX + "…[]…".chars().count());
        let unbroken = "x".repeat(500) + "spindel";
        assert!(marked("spindel", &unbroken).ends_with("xx[spindel]"));
    }
}
