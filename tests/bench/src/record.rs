//! What heaptrack recorded, as its interpreter leaves it: strings, instructions, traces and allocations, a line each,
//! which name each other by their numbers in hexadecimal. heaptrack's own folded stacks leave out the directories of files,
//! and with them whose function it is.
use std::io::BufRead;

use anyhow::Result;

use crate::stacks::Stacks;

#[derive(Default)]
struct Record {
    strings: Vec<String>,
    /// Of each instruction its functions, innermost first: inlined ones come before those that they are in.
    instructions: Vec<Vec<String>>,
    /// Instruction, and the trace of its caller; from 1, 0 is none.
    traces: Vec<(usize, usize)>,
    /// Of each kind of allocation its trace, and how often it was made; from 0.
    allocations: Vec<(usize, u64)>,
}

/// The stacks that allocated, below the name of the program.
pub(crate) fn stacks(program: &str, record: impl BufRead) -> Result<Stacks> {
    let mut read = Record::default();
    for line in record.lines() {
        read.take(&line?);
    }
    let mut stacks = Stacks::default();
    for (trace, count) in read.allocations.iter().filter(|(_, count)| *count > 0) {
        let mut stack = read.stack(*trace);
        stack.push(program);
        stack.reverse();
        stacks.add(stack.join(";"), *count);
    }
    Ok(stacks)
}

impl Record {
    fn take(&mut self, line: &str) {
        let Some((kind, rest)) = line.split_once(' ') else { return };
        let numbers = || rest.split(' ').map(|number| usize::from_str_radix(number, 16).unwrap_or(0));
        match kind {
            // Its length stands before it.
            "s" => self.strings.push(rest.split_once(' ').map_or(rest, |(_, text)| text).to_owned()),
            "i" => {
                let frames: Vec<usize> = numbers().skip(2).collect();
                self.instructions.push(frames.chunks(3).map(|frame| self.label(frame)).collect());
            }
            "t" => self.traces.push(pair(numbers())),
            "a" => self.allocations.push((pair(numbers()).1, 0)),
            "+" => {
                let number = numbers().next().unwrap_or(usize::MAX);
                if let Some((_, count)) = self.allocations.get_mut(number) {
                    *count += 1;
                }
            }
            _ => {}
        }
    }

    /// A function, its file, and in our own the line.
    fn label(&self, frame: &[usize]) -> String {
        let text =
            |index: usize| frame.get(index).and_then(|number| self.strings.get(number.checked_sub(1)?));
        let name = demangled(text(0).map_or("?", String::as_str));
        match text(1).map(|file| short(file)) {
            None => name,
            Some(file) if is_ours(file) => format!("{name} ({file}:{})", frame.get(2).unwrap_or(&0)),
            Some(file) => format!("{name} ({file})"),
        }
    }

    fn stack(&self, mut trace: usize) -> Vec<&str> {
        let mut stack = Vec::new();
        while let Some((instruction, caller)) = trace.checked_sub(1).and_then(|trace| self.traces.get(trace))
        {
            let frames =
                instruction.checked_sub(1).and_then(|instruction| self.instructions.get(instruction));
            stack.extend(frames.into_iter().flatten().map(String::as_str));
            trace = *caller;
        }
        stack
    }
}

fn pair(mut numbers: impl Iterator<Item = usize>) -> (usize, usize) {
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Files of this workspace are named from its root.
fn is_ours(file: &str) -> bool {
    file.starts_with("shared/") || file.starts_with("functions/")
}

/// A file from its crate on, or from `library` if it is one of Rust itself.
fn short(file: &str) -> &str {
    let registry = file.split_once("/registry/src/").and_then(|(_, rest)| Some(rest.split_once('/')?.1));
    registry.or_else(|| file.find("/library/").map(|at| &file[at + 1..])).unwrap_or(file)
}

/// The symbol as people write it. heaptrack takes Rust's older names for those of C++, which leaves their escapes in them,
/// and newer ones it does not know. `;` stands between the functions of a stack.
fn demangled(name: &str) -> String {
    let is_older = name.rsplit_once("::h").is_some_and(|(_, hash)| hash.len() == 16);
    let mangled = if is_older {
        let parts = name.split("::").map(|part| format!("{}{part}", part.len()));
        format!("_ZN{}E", parts.collect::<Vec<_>>().concat())
    } else {
        name.to_owned()
    };
    let name = format!("{:#}", rustc_demangle::demangle(&mangled)).replace(';', ",");
    match name.find('<') {
        // For which types a function was compiled fills lines and says little.
        Some(at) if at > 0 && name.ends_with('>') => name[..at].to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_counted_by_their_stacks() {
        let record = "v 10400 3\ns 3 /r/router\ns 4 main\ns 18 functions/router/main.rs\n\
            s 9 push<[u8; 4]>\ns 28 /rustc/59807616/library/alloc/src/vec.rs\n\
            i 5583 1 2 3 1d\ni 5590 1 4 5 7 2 3 2a\nt 1 0\nt 2 1\na 10 2\n+ 0\n- 0\n+ 0\n";
        let stacks = stacks("router", record.as_bytes()).unwrap().0;
        let expected = "router;main (functions/router/main.rs:29);main (functions/router/main.rs:42);\
                        push (library/alloc/src/vec.rs)";
        assert_eq!(stacks.into_iter().collect::<Vec<_>>(), [(expected.to_owned(), 2)]);
    }

    #[test]
    fn symbols_become_legible() {
        assert_eq!(
            demangled("alloc::vec::Vec$LT$T$C$A$GT$::push::h204d0641a85c06f9"),
            "alloc::vec::Vec<T,A>::push"
        );
        assert_eq!(demangled("_RNvNtCsjrHSEGnQ3l9_3std2rt4init"), "std::rt::init");
        assert_eq!(demangled("<T as core::Clone>::clone"), "<T as core::Clone>::clone");
    }

    #[test]
    fn files_are_named_from_their_crate_on() {
        assert_eq!(
            short("/root/.cargo/registry/src/index.crates.io-19/axum-0.8.9/src/lib.rs"),
            "axum-0.8.9/src/lib.rs"
        );
        assert_eq!(short("shared/core/src/hub.rs"), "shared/core/src/hub.rs");
    }
}
