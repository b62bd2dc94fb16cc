//! The thread that spawns all children.
use std::io;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};

struct Job {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

static THREAD: LazyLock<Sender<Job>> = LazyLock::new(|| {
    let (sender, jobs) = channel::<Job>();
    std::thread::spawn(move || {
        for mut job in jobs {
            // If the caller has gone, the child runs until this process ends.
            let _ = job.reply.send(job.command.spawn());
        }
    });
    sender
});

/// Spawns a child from the thread that lives as long as this process.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let (reply, child) = channel();
    THREAD.send(Job { command, reply }).map_err(io::Error::other)?;
    child.recv().map_err(io::Error::other)?
}
