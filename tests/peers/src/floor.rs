//! `floor`: writes prepared bytes to all sockets, one after the other: the least cost of an event over TCP.
use std::io::ErrorKind;
use std::net::Ipv4Addr;

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::naive::{PUBLISH, STREAM, frame};

const PREAMBLE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: {\"type\":\"connected\"}\n\n";
const CREATED: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
const ALIVE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

enum Work {
    Socket(TcpStream),
    Event(Bytes),
}

/// A socket, and the bytes that wait for it.
struct Reader {
    socket: TcpStream,
    waiting: BytesMut,
}

/// Serves until the process is killed.
pub(crate) async fn run(port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(write(receiver));
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(answer(socket, sender.clone()));
    }
}

/// Answers the requests of one connection.
async fn answer(mut socket: TcpStream, work: UnboundedSender<Work>) -> Result<()> {
    let mut bytes = Vec::new();
    loop {
        let Some(end) = memmem::find(&bytes, b"\r\n\r\n").map(|end| end + 4) else {
            if socket.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        if head.starts_with(&format!("get {STREAM} ")) {
            socket.write_all(PREAMBLE).await?;
            return Ok(work.send(Work::Socket(socket))?);
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let whole = end + length.unwrap_or(0);
        while bytes.len() < whole {
            if socket.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        if head.starts_with(&format!("post {PUBLISH} ")) {
            work.send(Work::Event(frame(&bytes[end..whole])))?;
            socket.write_all(CREATED).await?;
        } else {
            socket.write_all(ALIVE).await?;
        }
        bytes.drain(..whole);
    }
}

/// Writes all waiting events to one socket after the other.
async fn write(mut work: UnboundedReceiver<Work>) {
    let (mut readers, mut waiting) = (Vec::new(), Vec::new());
    while work.recv_many(&mut waiting, 1024).await > 0 {
        let mut piece = BytesMut::new();
        for one in waiting.drain(..) {
            match one {
                Work::Event(event) => piece.extend_from_slice(&event),
                Work::Socket(socket) => readers.push(Reader { socket, waiting: BytesMut::new() }),
            }
        }
        readers.retain_mut(|reader| reader.write(&piece));
        // A full socket is tried again with the next event, or after a millisecond.
        while work.is_empty() && readers.iter().any(|reader| !reader.waiting.is_empty()) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            readers.retain_mut(|reader| reader.write(&[]));
        }
        tokio::task::yield_now().await;
    }
}

impl Reader {
    /// Writes as much as the socket takes. Returns `false` if it is closed.
    fn write(&mut self, piece: &[u8]) -> bool {
        if self.waiting.is_empty() {
            match self.socket.try_write(piece) {
                Ok(written) => self.waiting.extend_from_slice(&piece[written..]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.waiting.extend_from_slice(piece),
                Err(_) => return false,
            }
            return true;
        }
        self.waiting.extend_from_slice(piece);
        match self.socket.try_write(&self.waiting) {
            Ok(written) => drop(self.waiting.split_to(written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
        true
    }
}
