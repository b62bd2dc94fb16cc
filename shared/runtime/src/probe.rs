//! The argument `probe` of every program: it asks `/readyz` of the program that listens on `PORT`, for health
//! checks of images that contain no other program.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::config::DEFAULT_PORT;

/// The time limit of a probe. It is longer than that of `/readyz`, and ends within the second that health
/// checks usually have.
const LIMIT: Duration = Duration::from_millis(950);
/// Most bytes of an answer that are read.
const ANSWER_MAX: usize = 64 << 10;
const REQUEST: &[u8] = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// Asks the program that listens on `PORT` of this machine. The exit code is 0 if it is ready, else 1; the
/// reason is printed.
#[expect(clippy::disallowed_methods, reason = "a probe reads two variables, not the whole configuration")]
pub fn run() -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok().map(|value| value.trim().to_owned());
    let asked = address(variable("HOST").as_deref(), variable("PORT").as_deref()).and_then(ask);
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("not ready: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the address at which this machine reaches a program with these variables.
fn address(host: Option<&str>, port: Option<&str>) -> Result<SocketAddr, String> {
    let port = match port.filter(|port| !port.is_empty()) {
        None => DEFAULT_PORT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| format!("PORT is `{text}`, must be a whole number from 1 to {}", u16::MAX))?,
    };
    let host = host.map(|host| host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>());
    let host = match host {
        Some(Ok(IpAddr::V6(all))) if all.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        Some(Ok(host)) if !host.is_unspecified() => host,
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    Ok(SocketAddr::new(host, port))
}

/// Asks whether the program at this address is ready. The error says why it is not.
fn ask(address: SocketAddr) -> Result<(), String> {
    let answer = exchange(address).map_err(|error| format!("http://{address}/readyz: {error}"))?;
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = head.parse(&answer) else {
        return Err(format!("http://{address}/readyz: the answer is no HTTP"));
    };
    match head.code {
        Some(200) => Ok(()),
        code => {
            let body = answer.get(length..).unwrap_or_default();
            Err(format!("status {}: {}", code.unwrap_or_default(), String::from_utf8_lossy(body)))
        }
    }
}

/// Sends the request and reads the whole answer within the time limit.
fn exchange(address: SocketAddr) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + LIMIT;
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {LIMIT:?}"));
    let mut socket = TcpStream::connect_timeout(&address, LIMIT)?;
    socket.set_write_timeout(Some(LIMIT))?;
    socket.write_all(REQUEST)?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    while answer.len() < ANSWER_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late());
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(piece.get(..length).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err(late());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// Serves one answer. Returns the result of a probe.
    fn probed(answer: &'static [u8]) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = socket.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            socket.write_all(answer).unwrap();
        });
        let result = ask(address);
        server.join().unwrap();
        result
    }

    #[test]
    fn a_program_that_answers_200_is_ready() {
        assert_eq!(probed(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"), Ok(()));
    }

    #[test]
    fn any_other_answer_is_the_reason_of_the_failure() {
        let reason = probed(b"HTTP/1.1 503 Service Unavailable\r\n\r\nthe database").unwrap_err();
        assert_eq!(reason, "status 503: the database");
        assert!(probed(b"SSH-2.0-OpenSSH").unwrap_err().ends_with("the answer is no HTTP"));
    }

    #[test]
    fn a_program_that_is_silent_or_absent_is_not_ready_within_a_second() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let begun = Instant::now();
        assert!(ask(address).unwrap_err().contains("no answer within"));
        assert!(begun.elapsed() >= LIMIT);
        drop(silent);
        assert!(ask(address).unwrap_err().contains("refused"));
    }

    #[test]
    fn the_address_is_that_at_which_this_machine_reaches_the_program() {
        for (host, port, expected) in [
            (None, None, "127.0.0.1:8000"),
            (Some("0.0.0.0"), Some("81"), "127.0.0.1:81"),
            (Some("localhost"), Some(""), "127.0.0.1:8000"),
            (Some("::"), None, "[::1]:8000"),
            (Some("[::1]"), None, "[::1]:8000"),
            (Some("10.0.0.7"), Some("8001"), "10.0.0.7:8001"),
        ] {
            assert_eq!(address(host, port).unwrap().to_string(), expected);
        }
        assert!(address(None, Some("http")).unwrap_err().starts_with("PORT is `http`"));
    }
}
