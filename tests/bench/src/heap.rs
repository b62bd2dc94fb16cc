//! Who allocates in the router: it runs with heaptrack's library in it, and what that writes is read for the time of the
//! measurement.
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use messenger_devstack::process::Launch;

use crate::apt;
use crate::record;
use crate::stack;
use crate::stacks::{Stacks, file_name};

const PACKAGE: &str = "heaptrack";
/// Where Debian puts it.
const LIBRARY: &str = "/usr/lib/heaptrack/libheaptrack_preload.so";
const INTERPRETER: &str = "/usr/lib/heaptrack/libexec/heaptrack_interpret";
const PRINTER: &str = "/usr/bin/heaptrack_print";
/// How an allocation is written.
const ALLOCATION: u8 = b'+';
const NOTE: &str =
    "The router was slowed down by heaptrack: the figures above are not its own, no goal is checked.";

/// Tracks the allocations of routers that are started with it.
#[derive(Debug)]
pub(crate) struct Heap {
    directory: PathBuf,
    /// Where it writes meanwhile.
    records: PathBuf,
    windows: Vec<Window>,
}

/// The part of a router's record that was written during the measurement, in bytes.
#[derive(Debug)]
struct Window {
    record: PathBuf,
    from: u64,
    to: u64,
}

impl Heap {
    /// Installs heaptrack if it is missing. Results go into `directory`.
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        if [LIBRARY, INTERPRETER, PRINTER].iter().any(|file| !Path::new(file).exists()) {
            apt::install(PACKAGE)?;
        }
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
        Ok(Self { directory: directory.to_owned(), records: stack::place()?, windows: Vec::new() })
    }

    /// A program that is tracked. `env` is between, since a launch may begin with another program, which would be tracked
    /// instead.
    pub(crate) fn launch(&self, name: &str, program: &Path) -> Launch {
        let record = self.record("$$");
        Launch::new(name, "env")
            .arg(format!("LD_PRELOAD={LIBRARY}"))
            .arg(format!("DUMP_HEAPTRACK_OUTPUT={}", record.display()))
            .arg(program)
    }

    /// The measurement begins.
    pub(crate) fn start(&mut self, pids: &[i32]) -> Result<()> {
        let window = |pid: &i32| {
            let record = self.record(&pid.to_string());
            anyhow::Ok(Window { from: length(&record)?, to: 0, record })
        };
        self.windows = pids.iter().map(window).collect::<Result<_>>()?;
        Ok(())
    }

    /// The measurement ends.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.windows.iter_mut().try_for_each(|window| {
            window.to = length(&window.record)?;
            Ok(())
        })
    }

    /// Writes a flame graph and the top stacks; who allocates, as text. `units` says what was done meanwhile, how often.
    pub(crate) fn evaluate(&self, title: &str, units: &[(&str, f64)]) -> Result<String> {
        let title = format!("{title}, allocations");
        let (mut stacks, mut allocations, mut details) = (Stacks::default(), 0, String::new());
        for (number, window) in self.windows.iter().enumerate() {
            let file = self.directory.join(format!("{}-{number}.heaptrack", file_name(&title)));
            allocations += window.interpret(&file)?;
            details.push_str(&print(&file)?);
            for (stack, count) in record::stacks("messenger-router", BufReader::new(File::open(&file)?))?.0 {
                stacks.add(stack, count);
            }
        }
        ensure!(allocations > 0, "heaptrack recorded nothing");
        let text = self.directory.join(format!("{}.txt", file_name(&title)));
        fs::write(&text, details)?;
        let each =
            units.iter().map(|(unit, count)| format!(", {:.1} for each {unit}", allocations as f64 / count));
        Ok(format!(
            "{NOTE}\n\n{allocations} allocations{}\n\nthe innermost line of ours in each stack\n{}\n\nlines of ours with all that they call\n{}\n\n\
             flame graph: {}\ntop stacks: {}",
            each.collect::<String>(),
            stacks.innermost_of_ours(),
            stacks.inclusive_of_ours(),
            stacks.write(&self.directory, &title)?.display(),
            text.display()
        ))
    }

    fn record(&self, pid: &str) -> PathBuf {
        self.records.join(format!("heaptrack.{pid}"))
    }
}

impl Window {
    /// Resolves the record's addresses. Returns how many allocations were made during the measurement; earlier ones are
    /// left out.
    fn interpret(&self, file: &Path) -> Result<u64> {
        let mut interpreter = Command::new(INTERPRETER)
            .stdin(Stdio::piped())
            .stdout(File::create(file)?)
            .stderr(Stdio::null())
            .spawn()
            .context("starting heaptrack_interpret")?;
        let stdin = interpreter.stdin.take().context("a pipe")?;
        let record = BufReader::new(File::open(&self.record)?.take(self.to));
        let allocations = copy(record, BufWriter::new(stdin), self.from)?;
        ensure!(interpreter.wait()?.success(), "heaptrack_interpret failed");
        Ok(allocations)
    }
}

/// Copies a record without the allocations before `from`; a last line that is not whole is left out. Returns how many
/// allocations are copied.
fn copy(mut record: impl BufRead, mut to: impl Write, from: u64) -> Result<u64> {
    let (mut line, mut at, mut allocations) = (Vec::new(), 0, 0);
    while record.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        let is_allocation = line.first() == Some(&ALLOCATION);
        if !is_allocation || at >= from {
            to.write_all(&line)?;
            allocations += u64::from(is_allocation);
        }
        at += line.len() as u64;
        line.clear();
    }
    to.flush()?;
    Ok(allocations)
}

/// The top stacks as text.
fn print(file: &Path) -> Result<String> {
    let printed = Command::new(PRINTER)
        .args(["--print-allocators=1", "--print-peaks=0", "--print-temporary=0", "--print-leaks=0"])
        .args(["--peak-limit=40", "--sub-peak-limit=3", "--file"])
        .arg(file)
        .output()
        .context("running heaptrack_print")?;
    ensure!(printed.status.success(), "heaptrack_print: {}", String::from_utf8_lossy(&printed.stderr));
    Ok(String::from_utf8_lossy(&printed.stdout).into_owned())
}

fn length(file: &Path) -> Result<u64> {
    let metadata = fs::metadata(file).with_context(|| format!("{}: nothing is tracked", file.display()))?;
    Ok(metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_before_the_measurement_are_left_out_and_all_else_is_kept() {
        let record = b"m 1 x\n+ 10 1 aa\nt 5 1\n- aa\n+ 20 1 bb\n+ 30 1".as_slice();
        let mut copied = Vec::new();
        let allocations = copy(record, &mut copied, 16).unwrap();
        assert_eq!(String::from_utf8(copied).unwrap(), "m 1 x\nt 5 1\n- aa\n+ 20 1 bb\n");
        assert_eq!(allocations, 1);
    }
}
