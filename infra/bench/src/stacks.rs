//! Call stacks with how often each was seen: read from perf and heaptrack, ranked, and kept as files.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::flame;

/// How many of the top functions are shown.
const TOP: usize = 40;
/// How the symbols of our own crates begin.
const OURS: &str = "messenger_";

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

    /// Adds what `heaptrack_print --print-flamegraph` writes, below the name of a program.
    pub(crate) fn add_heaptrack(&mut self, program: &str, text: &str) {
        for line in text.lines() {
            let Some((stack, count)) = line.rsplit_once(' ') else { continue };
            // A `;` within a type is followed by a space, one between functions is not.
            let stack = stack.trim_end_matches(';').replace("; ", ", ");
            let symbols: Vec<String> = stack.split(';').map(demangled).collect();
            self.add(format!("{program};{}", symbols.join(";")), count.parse().unwrap_or(0));
        }
    }

    fn add(&mut self, stack: String, count: u64) {
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

    /// The functions of ours below which there was none of ours.
    pub(crate) fn innermost_of_ours(&self) -> String {
        self.ranked(|stack| {
            let ours =
                stack.iter().rev().find(|symbol| symbol.trim_start_matches(['<', '&']).starts_with(OURS));
            vec![ours.copied().unwrap_or("(none of ours)")]
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

/// Without the hash that the compiler appends.
fn without_hash(name: &str) -> &str {
    let name = name.trim();
    name.rsplit_once("::").filter(|(_, hash)| is_hash(hash)).map_or(name, |(name, _)| name)
}

fn is_hash(text: &str) -> bool {
    text.len() == 17 && text.starts_with('h')
}

/// The symbol as people write it, with the file that heaptrack names in brackets. heaptrack takes Rust's older names for
/// those of C++, which leaves their escapes in them, and newer ones it does not know.
fn demangled(frame: &str) -> String {
    let (name, file) = frame.split_once(" (").unwrap_or((frame, ""));
    let is_older = name.rsplit_once("::").is_some_and(|(_, hash)| is_hash(hash));
    let mangled = if is_older {
        let parts = name.split("::").map(|part| format!("{}{part}", part.len()));
        format!("_ZN{}E", parts.collect::<Vec<_>>().concat())
    } else {
        name.to_owned()
    };
    let name = format!("{:#}", rustc_demangle::demangle(&mangled)).replace("; ", ", ");
    if file.is_empty() { name } else { format!("{name} ({file}") }
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
    fn symbols_of_heaptrack_become_legible() {
        let mut stacks = Stacks::default();
        let text = "main;alloc::vec::Vec$LT$T$C$A$GT$::push::h204d0641a85c06f9 (mod.rs);push<[u8; 4]> (vec.rs);\
                    _RNvNtCsjrHSEGnQ3l9_3std2rt4init (rt.rs); 12\n";
        stacks.add_heaptrack("router", text);
        let expected =
            "router;main;alloc::vec::Vec<T,A>::push (mod.rs);push<[u8, 4]> (vec.rs);std::rt::init (rt.rs)";
        assert_eq!(stacks.0.into_iter().collect::<Vec<_>>(), [(expected.to_owned(), 12)]);
    }

    #[test]
    fn the_innermost_function_of_ours_answers_for_what_it_calls() {
        let stacks = [
            ("router;messenger_core::a;<messenger_store::B as T>::b;alloc::grow".to_owned(), 3),
            ("router;tokio::run".to_owned(), 1),
        ];
        let expected = " 75.0 %  <messenger_store::B as T>::b\n 25.0 %  (none of ours)";
        assert_eq!(Stacks(stacks.into()).innermost_of_ours(), expected);
    }
}
