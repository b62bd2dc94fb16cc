//! The one thread from which all children are spawned.
use std::io;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};

struct Job {
    command: Command,
    answer: Sender<io::Result<Child>>,
}

static THREAD: LazyLock<Sender<Job>> = LazyLock::new(|| {
    let (sender, jobs) = channel::<Job>();
    std::thread::spawn(move || {
        for mut job in jobs {
            // A caller that is gone drops the child unheard; it is killed when we end.
            let _ = job.answer.send(job.command.spawn());
        }
    });
    sender
});

/// Spawns from the thread that lives as long as our process.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let (answer, child) = channel();
    THREAD.send(Job { command, answer }).map_err(io::Error::other)?;
    child.recv().map_err(io::Error::other)?
}
