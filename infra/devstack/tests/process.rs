//! Children and their own children end with this process.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use messenger_devstack::process::{Launch, Output, Process, Signal};
use tokio::time::{Instant, sleep, timeout};

fn shell(script: &str) -> Launch {
    Launch::new("sh", "sh").args(["-c", script])
}

/// Returns whether a process runs: it has a command line, and a zombie has none.
fn runs(pid: &str) -> bool {
    std::fs::read(format!("/proc/{}/cmdline", pid.trim())).is_ok_and(|line| !line.is_empty())
}

async fn wait_for_end(pid: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while runs(pid) {
        assert!(Instant::now() < deadline, "{pid} still runs");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn output_arrives_line_by_line_before_the_exit_status() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let copy = Arc::clone(&lines);
    let sink = Output::Lines(Arc::new(move |line| copy.lock().unwrap().push(line.to_owned())));
    let process = Process::spawn(shell("echo one; echo two >&2; printf three; exit 3").output(sink)).unwrap();
    assert_eq!(process.ended().await.code(), Some(3));
    assert_eq!(*lines.lock().unwrap(), ["one", "two", "three"]);
    assert_eq!(process.last_lines(), "one\ntwo\nthree");
}

#[tokio::test]
async fn a_child_that_ignores_sigterm_is_killed_after_the_grace_period() {
    let process = Process::spawn(shell("trap '' TERM; echo ready; while :; do sleep 1; done")).unwrap();
    while process.last_lines() != "ready" {
        sleep(Duration::from_millis(5)).await;
    }
    let begin = Instant::now();
    assert!(!process.stop(Duration::from_millis(200)).await.success());
    assert!(begin.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn no_thread_of_a_frozen_child_runs() {
    let script = "import threading\n\
                  for _ in range(8): threading.Thread(target=lambda: [print('.', flush=True) for _ in iter(int, 1)]).start()";
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let sink = Output::Lines(Arc::new(move |_: &str| {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    let launch = Launch::new("threads", "python3").args(["-c", script]).output(sink);
    let process = Process::spawn(launch).unwrap();
    let until = async |count| {
        while written.load(Ordering::Relaxed) <= count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    until(100).await;
    process.freeze();
    let states = || {
        let threads = std::fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
        let stats =
            threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap());
        stats.map(|stat| stat.rsplit_once(") ").unwrap().1[..1].to_owned()).collect::<Vec<_>>()
    };
    let frozen = states();
    assert!(frozen.len() > 1 && frozen.iter().all(|state| state == "T"), "{frozen:?}");
    process.signal(Signal::CONT);
    until(written.load(Ordering::Relaxed)).await;
}

#[tokio::test]
async fn dropping_a_child_ends_it_and_its_own_children() {
    let process = Process::spawn(shell("sleep 1000 & echo $!; wait")).unwrap();
    while process.last_lines().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let (child, grandchild) = (process.id().to_string(), process.last_lines());
    assert!(runs(&child) && runs(&grandchild));
    drop(process);
    wait_for_end(&child).await;
    wait_for_end(&grandchild).await;
}

#[tokio::test]
async fn the_process_group_of_a_child_ends_with_it() {
    let process = Process::spawn(shell("sleep 1000 & echo $!")).unwrap();
    assert!(timeout(Duration::from_secs(10), process.ended()).await.unwrap().success());
    wait_for_end(&process.last_lines()).await;
}

#[tokio::test]
async fn a_child_survives_the_thread_that_started_it() {
    let thread = std::thread::spawn(|| Process::spawn(shell("exec sleep 1000")).unwrap());
    let process = thread.join().unwrap();
    sleep(Duration::from_millis(200)).await;
    assert!(process.status().is_none());
    process.signal(Signal::TERM);
    process.ended().await;
}

/// The killed parent is this test program: it runs `the_parent_that_is_killed` as a child.
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
        if let Some(line) = parent.last_lines().lines().find_map(|line| line.split_once("child ")) {
            break line.1.to_owned();
        }
        sleep(Duration::from_millis(10)).await;
    };
    assert!(runs(&child));
    // The signal goes to the parent only: the child has another process group.
    let pid = rustix::process::Pid::from_raw(parent.id()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    wait_for_end(&child).await;
}

#[tokio::test]
#[ignore = "runs only as the parent in `a_child_ends_when_its_parent_is_killed`"]
async fn the_parent_that_is_killed() {
    let process = Process::spawn(shell("exec sleep 30")).unwrap();
    println!("child {}", process.id());
    process.ended().await;
}
