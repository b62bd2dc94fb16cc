//! HTTP/1.1 on a bare socket: one request after the other, as cheap as a client can be.
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// So many connections may come from one loopback address before its ports run short.
const PORTS: usize = 20_000;
/// Longest head of an answer.
const HEAD: usize = 64 << 10;

/// Where a server listens. `https` is not spoken: measure behind the TLS of the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// For the `Host` header.
    pub(crate) host: String,
}

impl Server {
    /// Reads `http://host:port`.
    pub(crate) fn of(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("http://").context("an address that begins with http://")?;
        let host = rest.trim_end_matches('/');
        ensure!(!host.contains('/'), "{url}: an address without a path is needed");
        let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let address = with_port.to_socket_addrs().with_context(|| format!("looking for {host}"))?.next();
        Ok(Self {
            address: address.with_context(|| format!("{host} has no address"))?,
            host: host.to_owned(),
        })
    }

    /// A server on this machine.
    pub(crate) fn local(port: u16) -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), host: format!("127.0.0.1:{port}") }
    }

    /// The bytes of a request.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        use std::fmt::Write;
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in headers {
            // Writing to a String cannot fail.
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if method != "GET" {
            if headers.iter().all(|(name, _)| *name != "Content-Type") {
                text.push_str("Content-Type: application/json\r\n");
            }
            let _ = write!(text, "Content-Length: {}\r\n", body.len());
        }
        text.push_str("\r\n");
        text.push_str(body);
        text.into_bytes()
    }

    /// A socket to it. On loopback, connections above [`PORTS`] come from further addresses.
    pub(crate) async fn connect(&self, number: usize) -> Result<TcpStream> {
        let stream = match self.address {
            SocketAddr::V4(address) if address.ip().is_loopback() && number >= PORTS => {
                let socket = TcpSocket::new_v4()?;
                let last = u8::try_from(1 + number / PORTS).context("too many connections")?;
                socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into())?;
                socket.connect(self.address).await
            }
            _ => TcpStream::connect(self.address).await,
        };
        let stream = stream.with_context(|| format!("connecting to {}", self.host))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// A connection that is kept alive.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl HttpResponse {
    /// Whether the status is one of success.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| self.text())
    }

    /// Status and body for people.
    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// The first line and the headers of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) chunked: bool,
    length: Option<usize>,
    /// How many bytes it has, the empty line included.
    pub(crate) end: usize,
}

impl Head {
    /// `None` while it is not complete.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
            ensure!(bytes.len() < HEAD, "an answer without an end of its head");
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes[..end]).context("a head that is no text")?;
        let mut lines = text.split("\r\n");
        let status =
            lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let mut head =
            Self { status: status.context("no HTTP status")?, chunked: false, length: None, end: end + 4 };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                head.length = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                head.chunked = value.trim().eq_ignore_ascii_case("chunked");
            }
        }
        Ok(Some(head))
    }
}

impl Connection {
    pub(crate) async fn open(server: &Server) -> Result<Self> {
        Ok(Self { stream: server.connect(0).await?, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Result<HttpResponse> {
        let head = self.head(request).await?;
        let body = if head.chunked {
            self.chunks(head.end).await?
        } else {
            let end = head.end + head.length.unwrap_or(0);
            while self.buffer.len() < end {
                self.more().await?;
            }
            self.buffer[head.end..end].to_vec()
        };
        Ok(HttpResponse { status: head.status, body })
    }

    /// Sends a request and reads the head of the answer.
    pub(crate) async fn head(&mut self, request: &[u8]) -> Result<Head> {
        self.stream.write_all(request).await.context("sending a request")?;
        self.buffer.clear();
        loop {
            self.more().await?;
            if let Some(head) = Head::parse(&self.buffer)? {
                return Ok(head);
            }
        }
    }

    async fn chunks(&mut self, mut at: usize) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let Some(line) = memmem::find(&self.buffer[at..], b"\r\n") else {
                self.more().await?;
                continue;
            };
            let size = std::str::from_utf8(&self.buffer[at..at + line])?;
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
            at += line + 2;
            while self.buffer.len() < at + size + 2 {
                self.more().await?;
            }
            body.extend_from_slice(&self.buffer[at..at + size]);
            at += size + 2;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await.context("reading an answer")? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

/// Any text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

/// One call on a connection of its own.
pub(crate) async fn once(server: &Server, request: &[u8]) -> Result<HttpResponse> {
    Connection::open(server).await?.call(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(pieces: &'static [&'static str]) -> Result<HttpResponse> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            stream.read_buf(&mut Vec::with_capacity(1000)).await.unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        let server = Server::local(port);
        once(&server, &server.request("GET", "/", &[], "")).await
    }

    #[tokio::test]
    async fn answers_with_a_length_and_in_chunks_are_read_whole() {
        let counted =
            answered(&["HTTP/1.1 201 Created\r\ncontent-le", "ngth: 5\r\n\r\nhe", "llo"]).await.unwrap();
        assert_eq!((counted.status, counted.body.as_slice()), (201, b"hello".as_slice()));
        let chunked =
            ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2", "\r\nlo\r\n0\r\n\r\n"];
        let chunked = answered(Box::leak(Box::new(chunked))).await.unwrap();
        assert_eq!(chunked.body, b"hello");
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_an_error() {
        assert!(answered(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe"]).await.is_err());
    }

    #[test]
    fn a_segment_keeps_what_needs_no_escape() {
        assert_eq!(segment("!Room-1:ä/b"), "%21Room-1%3A%C3%A4%2Fb");
    }

    #[test]
    fn addresses_are_read() {
        let server = Server::of("http://127.0.0.1:8000/").unwrap();
        assert_eq!(server, Server::local(8000));
        assert!(Server::of("https://example.org").is_err());
        assert!(Server::of("http://127.0.0.1:8000/path").is_err());
    }
}
