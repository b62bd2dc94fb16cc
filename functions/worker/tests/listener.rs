//! The worker binary: its arguments, and the port on which it answers probes.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// Time limit for the worker to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker whose database cannot be reached. Ends when dropped.
struct TestWorker(Child);

impl Drop for TestWorker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn worker(arguments: &[&str], port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_messenger-worker"));
    command.env_clear().args(arguments).envs([
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing"),
        ("MATRIX_HOMESERVER_URL", "http://127.0.0.1:9"),
        ("HOST", "127.0.0.1"),
        ("PORT", &port.to_string()),
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ended(arguments: &[&str], port: u16) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = worker(arguments, port).output().expect("it ends");
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// Returns a port without a listener.
fn nobodys_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Returns the answer to a `GET`, or `None` while nobody listens.
fn get(port: u16, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).expect("it takes the request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it is text");
    Some(answer)
}

#[test]
fn the_worker_answers_probes_before_its_database_does() {
    let port = nobodys_port();
    let mut command = worker(&[], port);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let _worker = TestWorker(command.spawn().expect("it starts"));
    let begun = Instant::now();
    let alive = loop {
        if let Some(answer) = get(port, "/livez") {
            break answer;
        }
        assert!(begun.elapsed() < PATIENCE, "the worker does not listen");
        std::thread::yield_now();
    };
    assert!(alive.starts_with("HTTP/1.1 200 OK\r\n"), "{alive}");
    let unready = get(port, "/readyz").expect("it listens");
    assert!(unready.starts_with("HTTP/1.1 503 "), "{unready}");
    for part in ["\"database_unavailable\"", "\"part\":\"setup\"", "\"since\":\""] {
        assert!(unready.contains(part), "{part}: {unready}");
    }
    let metrics = get(port, "/metrics").expect("it listens");
    assert!(metrics.contains("messenger_database_up{function=\"worker\"} 0"), "{metrics}");
    let (code, output) = ended(&["probe"], port);
    assert!(code == Some(1) && output.contains("status 503"), "{code:?} {output}");
}

#[test]
fn a_port_that_is_set_and_taken_stops_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let (code, output) = ended(&[], port);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains(&format!("cannot listen on 127.0.0.1:{port} (HOST and PORT)")), "{output}");
}

#[test]
fn the_help_names_the_commands_and_variables_and_other_arguments_are_refused() {
    let (code, help) = ended(&["--help"], 1);
    assert_eq!(code, Some(0), "{help}");
    for part in ["setup", "registration", "probe", "DATABASE_URL", "PORT", "<SECRET>_FILE"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let (code, output) = ended(&["serve"], 1);
    assert!(code == Some(2) && output.contains("'serve'"), "{code:?} {output}");
}

#[test]
fn a_probe_without_a_worker_fails() {
    let (code, output) = ended(&["probe"], nobodys_port());
    assert!(code == Some(1) && output.starts_with("not ready: "), "{code:?} {output}");
}
