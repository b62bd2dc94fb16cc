//! Writers do not wait for a slow or closed output stream.
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use messenger_devstack::OutputQueue;
use messenger_devstack::process::{Launch, Output, Process};
use tokio::time::timeout;

/// A time limit that no machine reaches.
const TIMEOUT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_child_ends_although_its_output_is_not_read_and_a_notice_counts_the_dropped_lines() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let queue = OutputQueue::to(writer);
    let sink_queue = Arc::clone(&queue);
    let sink = Output::Lines(Arc::new(move |line| sink_queue.write(format!("child | {line}\n"))));
    let child = Process::spawn(Launch::new("seq", "seq").args(["1", "300000"]).output(sink)).unwrap();
    let status = timeout(TIMEOUT, child.ended()).await.expect("the child does not wait for the reader");
    assert!(status.success());
    assert!(!queue.flush(Duration::ZERO), "the pipe is full");
    // The reader gets the queued lines in order, and a notice about the dropped ones.
    let read = std::thread::spawn(move || {
        let mut text = String::new();
        let mut bytes = [0; 4096];
        while !text.contains("the last line") {
            let length = reader.read(&mut bytes).unwrap();
            text.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
        }
        text
    });
    assert!(queue.flush(TIMEOUT));
    queue.write("the last line\n");
    let text = tokio::task::spawn_blocking(|| read.join().unwrap()).await.unwrap();
    let mut expected = 1;
    let mut lines = text.lines();
    let notice = lines.find(|line| {
        let is_next = *line == format!("child | {expected}");
        expected += usize::from(is_next);
        !is_next
    });
    let dropped = format!("[{} lines left out: this output is read too slowly]", 300_000 - (expected - 1));
    assert_eq!(notice, Some(dropped.as_str()));
    assert_eq!(lines.next(), Some("the last line"));
    assert!(expected > 10_000, "{expected}");
}

#[test]
fn a_failing_stream_does_not_block_writers() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let queue = OutputQueue::to(Closed);
    for _ in 0..100 {
        queue.write(vec![b'x'; 100_000]);
        assert!(queue.flush(TIMEOUT));
    }
}
