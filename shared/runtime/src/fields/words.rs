//! Reads of the words that a search looks for.

use messenger_core::search::{QUERY_MAX, SearchTerms};

use super::Fields;

impl Fields {
    /// Returns the words of a required text.
    pub fn required_words(&mut self, name: &'static str) -> SearchTerms {
        let text = self.required_text(name, QUERY_MAX);
        self.words(name, &text)
    }

    /// Returns the words of an optional text; `None` if it is missing, `null` or blank.
    pub fn optional_words(&mut self, name: &'static str) -> Option<SearchTerms> {
        let text = self.optional_text(name, QUERY_MAX).filter(|text| !text.trim().is_empty())?;
        Some(self.words(name, &text))
    }

    fn words(&mut self, name: &'static str, text: &str) -> SearchTerms {
        SearchTerms::parse(text).unwrap_or_else(|rule| {
            self.wrong(name, rule);
            SearchTerms::default()
        })
    }
}
