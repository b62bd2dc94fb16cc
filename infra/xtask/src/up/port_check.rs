//! Checks that a port is free, else names the process that listens on it.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use messenger_devstack::port::is_free;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// Returns an error if a process listens on the port. The error names the process if its number is readable.
pub(super) fn ensure_free(port: u16) -> Result<()> {
    if is_free(port) {
        return Ok(());
    }
    let listener = listener(port).map_or_else(
        || {
            "another process (as root: `ss -ltnp` names it; another service, or an `up` of another checkout?)"
                .to_owned()
        },
        |listener| format!("the process {listener}"),
    );
    bail!("port {port} is held by {listener}: stop it, or choose another port with PORT=…")
}

/// Returns number and command line of the process that listens on the port.
fn listener(port: u16) -> Option<String> {
    let mut tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|table| fs::read_to_string(table).ok());
    let socket = tables.find_map(|table| listening_socket(&table, port))?;
    let numbers = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut processes = numbers.map(|number| (number, PathBuf::from(format!("/proc/{number}"))));
    let (number, process) = processes.find(|(_, process)| has_open(process, &socket))?;
    let command = fs::read(process.join("cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    Some(format!("{number} ({})", command.trim()))
}

/// Returns the socket that listens on the port, as the links in `/proc/…/fd` name it.
fn listening_socket(table: &str, port: u16) -> Option<String> {
    let fields = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let local = format!(":{port:04X}");
    let mut found =
        fields.filter(|fields| fields.len() > 9 && fields[1].ends_with(&local) && fields[3] == LISTENING);
    found.next().map(|fields| format!("socket:[{}]", fields[9]))
}

fn has_open(process: &Path, socket: &str) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.as_os_str() == socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_error_names_the_process_that_listens_on_the_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = ensure_free(port).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()) && error.contains("PORT="), "{error}");
        drop(listener);
        ensure_free(port).unwrap();
    }
}
