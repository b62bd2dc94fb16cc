//! Checks that the first line of each Rust file is a comment that states the purpose of the file.
use super::source::Source;

/// Returns each Rust file that begins with something else, as `path:line: message`.
pub(super) fn violations(sources: &[Source]) -> Vec<String> {
    let rust = sources.iter().filter(|source| source.extension() == "rs");
    rust.filter(|source| !states_its_purpose(&source.text))
        .map(|source| {
            format!("{}:1: the file does not begin with a `//!` comment that states its purpose", source.path)
        })
        .collect()
}

/// The documentation of a shared crate may be its README.
fn states_its_purpose(text: &str) -> bool {
    text.starts_with(r#"#![doc = include_str!("../README.md")]"#)
        || text
            .strip_prefix("//! ")
            .is_some_and(|purpose| purpose.starts_with(|first: char| !first.is_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_begin_with_its_purpose_is_refused() {
        for text in ["use x;\n//! Too late.", "//!\n//! Too late.", ""] {
            let expected = ["a.rs:1: the file does not begin with a `//!` comment that states its purpose"];
            assert_eq!(violations(&[Source::new("a.rs", text)]), expected, "{text}");
        }
    }

    #[test]
    fn a_file_that_begins_with_its_purpose_or_its_readme_passes() {
        for text in ["//! Its purpose.\nuse x;", "#![doc = include_str!(\"../README.md\")]\nmod x;"] {
            assert_eq!(violations(&[Source::new("a.rs", text)]), [""; 0], "{text}");
        }
        assert_eq!(violations(&[Source::new("a.py", "")]), [""; 0]);
    }
}
