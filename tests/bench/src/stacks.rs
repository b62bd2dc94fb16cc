//! Call stacks with how often each was seen: ranked, and kept as files.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::flame;

/// How many of the top functions are shown.
const TOP: usize = 40;
/// How the files of our own crates begin.
const OURS: [&str; 2] = ["(shared/", "(functions/"];

/// Each stack, outermost first and separated by `;`.
#[derive(Debug, Default)]
pub(crate) struct Stacks(pub(crate) BTreeMap<String, u64>);

impl Stacks {
    /// Reads what `perf script` prints.
    pub(crate) fn of_perf(script: &str) -> Self {
        let mut stacks = Self::default();
        for sample in script.split("\n\n") {
            let mut lines = sample.lines().filter(|line| !line.trim().is_empty());
            let Some(program) = lines.next() else { continue };
            let mut symbols: Vec<&str> =
                lines.filter_map(|line| Some(without_hash(line.trim().split_once(' ')?.1))).collect();
            symbols.push(program.trim());
            symbols.reverse();
            stacks.add(symbols.join(";"), 1);
        }
        stacks
    }

    pub(crate) fn add(&mut self, stack: String, count: u64) {
        *self.0.entry(stack).or_default() += count;
    }

    /// The functions that were innermost.
    pub(crate) fn innermost(&self) -> String {
        self.ranked(|stack| stack.last().copied().into_iter().collect())
    }

    /// The functions that were in the stack, wherever.
    pub(crate) fn inclusive(&self) -> String {
        self.ranked(|stack| {
            let mut symbols = stack.to_vec();
            symbols.sort_unstable();
            symbols.dedup();
            symbols
        })
    }

    /// The lines of ours below which there was none of ours.
    pub(crate) fn innermost_of_ours(&self) -> String {
        self.ranked(|stack| {
            let ours = stack.iter().rev().find(|symbol| is_ours(symbol));
            vec![ours.copied().unwrap_or("(none of ours)")]
        })
    }

    /// The lines of ours that were in the stack, wherever.
    pub(crate) fn inclusive_of_ours(&self) -> String {
        self.ranked(|stack| {
            let mut ours: Vec<_> = stack.iter().copied().filter(|symbol| is_ours(symbol)).collect();
            ours.sort_unstable();
            ours.dedup();
            ours
        })
    }

    fn ranked(&self, chosen: impl for<'a> Fn(&[&'a str]) -> Vec<&'a str>) -> String {
        let (mut counts, mut all) = (BTreeMap::<&str, u64>::new(), 0);
        for (stack, count) in &self.0 {
            all += count;
            let symbols: Vec<&str> = stack.split(';').skip(1).collect();
            for symbol in chosen(&symbols) {
                *counts.entry(symbol).or_default() += count;
            }
        }
        let mut ranked: Vec<_> = counts.into_iter().collect();
        ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let line =
            |(symbol, count): &(&str, u64)| format!("{:5.1} %  {symbol}", 100.0 * *count as f64 / all as f64);
        ranked.iter().take(TOP).map(line).collect::<Vec<_>>().join("\n")
    }

    /// Writes them down, and a flame graph, whose path is returned.
    pub(crate) fn write(&self, directory: &Path, title: &str) -> Result<PathBuf> {
        let name = file_name(title);
        let picture = directory.join(format!("{name}.svg"));
        fs::write(&picture, flame::svg(title, &self.0))?;
        let folded: Vec<String> = self.0.iter().map(|(stack, count)| format!("{stack} {count}")).collect();
        fs::write(directory.join(format!("{name}.folded")), folded.join("\n"))?;
        Ok(picture)
    }
}

/// The title of a measurement as a file is called.
pub(crate) fn file_name(title: &str) -> String {
    title.replace(|letter: char| !letter.is_alphanumeric(), "-")
}

/// Whether the symbol names a file of ours, as only those of allocations do.
fn is_ours(symbol: &str) -> bool {
    OURS.iter().any(|file| symbol.contains(file))
}

/// Without the hash that the compiler appends.
fn without_hash(name: &str) -> &str {
    let name = name.trim();
    name.rsplit_once("::h").filter(|(_, hash)| hash.len() == 16).map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_with_the_same_stack_are_one() {
        let sample = "router \n\t  ffff do_write\n\t  5555 core::run<T>::h0123456789abcdef\n\n";
        let stacks = Stacks::of_perf(&sample.repeat(2)).0;
        assert_eq!(stacks.into_iter().collect::<Vec<_>>(), [("router;core::run<T>;do_write".to_owned(), 2)]);
    }

    #[test]
    fn the_innermost_function_of_ours_answers_for_what_it_calls() {
        let stacks = [
            ("router;a (shared/core/src/a.rs:1);b (shared/store/src/b.rs:2);grow (library/alloc/src/raw_vec.rs)".to_owned(), 3),
            ("router;tokio::run".to_owned(), 1),
        ];
        let expected = " 75.0 %  b (shared/store/src/b.rs:2)\n 25.0 %  (none of ours)";
        assert_eq!(Stacks(stacks.into()).innermost_of_ours(), expected);
    }
}
