//! Children end with us, together with what they started.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use messenger_devstack::process::{Launch, Output, Process, Signal};
use tokio::time::{Instant, sleep, timeout};

fn shell(script: &str) -> Launch {
    Launch::new("sh", "sh").args(["-c", script])
}

/// Whether a process runs: it has a command line, which a zombie has not.
fn runs(pid: &str) -> bool {
    std::fs::read(format!("/proc/{}/cmdline", pid.trim())).is_ok_and(|line| !line.is_empty())
}

async fn gone(pid: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while runs(pid) {
        assert!(Instant::now() < deadline, "{pid} still runs");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_a_child_writes_arrives_line_by_line_and_its_end_last() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let copy = Arc::clone(&lines);
    let sink = Output::Lines(Arc::new(move |line| copy.lock().unwrap().push(line.to_owned())));
    let process = Process::spawn(shell("echo one; echo two >&2; printf three; exit 3").output(sink)).unwrap();
    assert_eq!(process.ended().await.code(), Some(3));
    assert_eq!(*lines.lock().unwrap(), ["one", "two", "three"]);
    assert_eq!(process.tail(), "one\ntwo\nthree");
}

#[tokio::test]
async fn a_child_that_does_not_listen_is_killed_after_the_grace() {
    let process = Process::spawn(shell("trap '' TERM; echo ready; while :; do sleep 1; done")).unwrap();
    while process.tail() != "ready" {
        sleep(Duration::from_millis(5)).await;
    }
    let begin = Instant::now();
    assert!(!process.stop(Duration::from_millis(200)).await.success());
    assert!(begin.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn dropping_a_child_ends_it_and_what_it_started() {
    let process = Process::spawn(shell("sleep 1000 & echo $!; wait")).unwrap();
    while process.tail().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let (child, grandchild) = (process.id().to_string(), process.tail());
    assert!(runs(&child) && runs(&grandchild));
    drop(process);
    gone(&child).await;
    gone(&grandchild).await;
}

#[tokio::test]
async fn what_a_child_leaves_behind_in_its_group_ends_with_it() {
    let process = Process::spawn(shell("sleep 1000 & echo $!")).unwrap();
    assert!(timeout(Duration::from_secs(10), process.ended()).await.unwrap().success());
    gone(&process.tail()).await;
}

#[tokio::test]
async fn a_child_lives_on_when_the_thread_that_asked_for_it_ends() {
    let asked = std::thread::spawn(|| Process::spawn(shell("exec sleep 1000")).unwrap());
    let process = asked.join().unwrap();
    sleep(Duration::from_millis(200)).await;
    assert!(process.status().is_none());
    process.signal(Signal::TERM);
    process.ended().await;
}

/// The test program itself is the parent that is killed: it is run once more, by name, as a child.
#[tokio::test]
async fn a_child_ends_when_its_parent_is_killed() {
    let parent = Launch::new("parent", std::env::current_exe().unwrap()).args([
        "--ignored",
        "--exact",
        "--nocapture",
        "the_parent_that_is_killed",
    ]);
    let parent = Process::spawn(parent).unwrap();
    let child = loop {
        if let Some(line) = parent.tail().lines().find_map(|line| line.split_once("child ")) {
            break line.1.to_owned();
        }
        sleep(Duration::from_millis(10)).await;
    };
    assert!(runs(&child));
    // Not through its group, in which the child is not anyway.
    let pid = rustix::process::Pid::from_raw(parent.id()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    gone(&child).await;
}

#[tokio::test]
#[ignore = "the part of the killed parent in `a_child_ends_when_its_parent_is_killed`"]
async fn the_parent_that_is_killed() {
    let process = Process::spawn(shell("exec sleep 1000")).unwrap();
    println!("child {}", process.id());
    process.ended().await;
}
