//! Output that nobody reads, or reads too slowly, holds nobody up.
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use messenger_devstack::Outlet;
use messenger_devstack::process::{Launch, Output, Process};
use tokio::time::timeout;

/// More than any machine takes.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_child_ends_though_nobody_reads_what_it_writes_and_the_reader_is_told_what_is_missing() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let outlet = Outlet::to(writer);
    let queue = Arc::clone(&outlet);
    let sink = Output::Lines(Arc::new(move |line| queue.write(format!("child | {line}\n"))));
    let child = Process::spawn(Launch::new("seq", "seq").args(["1", "300000"]).output(sink)).unwrap();
    let status = timeout(PATIENCE, child.ended()).await.expect("the child does not wait for the reader");
    assert!(status.success());
    assert!(!outlet.flush(Duration::ZERO), "the pipe is full");
    // Whoever reads again gets what waits, in order, and a line about what does not.
    let read = std::thread::spawn(move || {
        let mut text = String::new();
        let mut bytes = [0; 4096];
        while !text.contains("the last line") {
            let length = reader.read(&mut bytes).unwrap();
            text.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
        }
        text
    });
    assert!(outlet.flush(PATIENCE));
    outlet.write("the last line\n");
    let text = tokio::task::spawn_blocking(|| read.join().unwrap()).await.unwrap();
    let mut expected = 1;
    let mut lines = text.lines();
    let notice = lines.find(|line| {
        let is_next = *line == format!("child | {expected}");
        expected += usize::from(is_next);
        !is_next
    });
    let left_out = format!("[{} lines left out: this output is read too slowly]", 300_000 - (expected - 1));
    assert_eq!(notice, Some(left_out.as_str()));
    assert_eq!(lines.next(), Some("the last line"));
    assert!(expected > 10_000, "{expected}");
}

#[test]
fn a_stream_that_fails_stops_nobody() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let outlet = Outlet::to(Closed);
    for _ in 0..100 {
        outlet.write(vec![b'x'; 100_000]);
        assert!(outlet.flush(PATIENCE));
    }
}
