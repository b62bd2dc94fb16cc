//! HTTP/1.1 client on a bare socket: one request after the other, with as little work as possible.
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, ensure};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Connections from one loopback address, before its ports run short.
const PORTS: usize = 20_000;
const HEADERS: usize = 64;
/// Characters that a path segment escapes: all but the unreserved ones (RFC 3986, section 2.3).
const SEGMENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An address of a server. `https` is not supported: measure behind the TLS of the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub(crate) address: SocketAddr,
    /// The value of the `Host` header.
    pub(crate) host: String,
}

impl Server {
    /// Parses `http://host:port`.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let host = url.strip_prefix("http://").context("an address that begins with http://")?;
        let host = host.trim_end_matches('/');
        ensure!(!host.contains('/'), "{url}: an address without a path is needed");
        let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let address = with_port.to_socket_addrs().with_context(|| format!("looking for {host}"))?.next();
        let address = address.with_context(|| format!("{host} has no address"))?;
        Ok(Self { address, host: host.to_owned() })
    }

    /// Returns the address of a server on this machine.
    pub fn local(port: u16) -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), host: format!("127.0.0.1:{port}") }
    }

    /// Returns the text of a request. Its body is JSON unless the headers contain a `Content-Type`.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        let (mut headers, length) = (headers.to_vec(), body.len().to_string());
        if method != "GET" {
            if headers.iter().all(|(name, _)| *name != "Content-Type") {
                headers.push(("Content-Type", "application/json"));
            }
            headers.push(("Content-Length", &length));
        }
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        [head.as_str(), "\r\n", body].concat()
    }

    /// Opens a socket. On loopback, connections above [`PORTS`] come from further addresses.
    async fn connect(&self, number: usize) -> Result<TcpStream> {
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
pub struct Connection {
    /// The socket.
    pub stream: TcpStream,
    /// The bytes that were read since the last request.
    pub buffer: Vec<u8>,
}

/// A whole response.
#[derive(Debug)]
pub struct HttpResponse {
    /// Its status.
    pub status: u16,
    /// Its body without framing.
    pub body: Vec<u8>,
}

impl HttpResponse {
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| self.text())
    }

    /// Returns status and body as text.
    pub fn text(&self) -> String {
        format!("{}: {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// The status line and the headers of a response.
#[derive(Debug)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// Whether the body has the chunked transfer coding.
    pub chunked: bool,
    content_length: usize,
    /// Its length in bytes, with the empty line.
    pub end: usize,
}

impl Head {
    /// Returns `None` while the head is incomplete.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(end) = response.parse(bytes)? else { return Ok(None) };
        let header = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            header.and_then(|header| std::str::from_utf8(header.value).ok()).unwrap_or_default()
        };
        Ok(Some(Self {
            status: response.code.context("no HTTP status")?,
            chunked: header("transfer-encoding").eq_ignore_ascii_case("chunked"),
            content_length: header("content-length").parse().unwrap_or(0),
            end,
        }))
    }
}

impl Connection {
    /// Opens the connection with this number: see [`Server::connect`].
    pub async fn open(server: &Server, number: usize) -> Result<Self> {
        Ok(Self { stream: server.connect(number).await?, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads the whole response.
    pub async fn call(&mut self, request: &str) -> Result<HttpResponse> {
        let head = self.head(request).await?;
        let mut body = Vec::new();
        self.buffer.drain(..head.end);
        if head.chunked {
            let mut decoder = Chunked::START;
            while !decoder.feed(&self.buffer, &mut |data| body.extend_from_slice(data)) {
                self.buffer.clear();
                self.read_more().await?;
            }
        } else {
            while self.buffer.len() < head.content_length {
                self.read_more().await?;
            }
            body.extend_from_slice(&self.buffer[..head.content_length]);
        }
        Ok(HttpResponse { status: head.status, body })
    }

    /// Sends a request and reads the head of the response; the body begins at [`Head::end`] of the buffer.
    pub async fn head(&mut self, request: &str) -> Result<Head> {
        self.stream.write_all(request.as_bytes()).await.context("sending a request")?;
        self.buffer.clear();
        loop {
            self.read_more().await?;
            if let Some(head) = Head::parse(&self.buffer)? {
                return Ok(head);
            }
        }
    }

    /// Appends the bytes of the socket to the buffer.
    pub async fn read_more(&mut self) -> Result<()> {
        let length = self.stream.read_buf(&mut self.buffer).await.context("reading a response")?;
        ensure!(length > 0, "the server closed the connection");
        Ok(())
    }
}

/// The state of a decoder of the chunked transfer coding (RFC 9112, section 7.1), without trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunked {
    /// In the line with a chunk's size.
    Size {
        /// The digits so far.
        size: usize,
        /// Whether the size has ended.
        extension: bool,
    },
    /// In a chunk, with this many bytes to come.
    Data(usize),
    /// In the line end after a chunk.
    LineEnd {
        /// Whether no chunk follows.
        last: bool,
    },
    /// After the last chunk.
    Done,
}

impl Chunked {
    /// The state before the first chunk.
    pub const START: Self = Self::Size { size: 0, extension: false };

    /// Passes the decoded bytes to `receive`. Returns `true` after the last chunk.
    pub fn feed(&mut self, mut bytes: &[u8], receive: &mut impl FnMut(&[u8])) -> bool {
        while let Some(first) = bytes.first().copied() {
            let mut used = 1;
            *self = match *self {
                Self::Size { size: 0, .. } if first == b'\n' => Self::LineEnd { last: true },
                Self::Size { size, .. } if first == b'\n' => Self::Data(size),
                Self::Size { size, extension } => match char::from(first).to_digit(16) {
                    Some(digit) if !extension => Self::Size { size: size * 16 + digit as usize, extension },
                    _ => Self::Size { size, extension: extension || first != b'\r' },
                },
                Self::Data(left) => {
                    used = left.min(bytes.len());
                    receive(&bytes[..used]);
                    if used == left { Self::LineEnd { last: false } } else { Self::Data(left - used) }
                }
                Self::LineEnd { last: true } if first == b'\n' => Self::Done,
                Self::LineEnd { last: false } if first == b'\n' => Self::START,
                unchanged => unchanged,
            };
            bytes = &bytes[used..];
        }
        *self == Self::Done
    }
}

/// Returns the text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, &SEGMENT).to_string()
}

/// Makes one call on a new connection.
pub(crate) async fn call_once(server: &Server, request: &str) -> Result<HttpResponse> {
    Connection::open(server, 0).await?.call(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn response_of(pieces: &'static [&'static str]) -> Result<HttpResponse> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let server = Server::local(listener.local_addr()?.port());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            stream.read_buf(&mut Vec::with_capacity(1000)).await.unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        call_once(&server, &server.request("GET", "/", &[], "")).await
    }

    #[tokio::test]
    async fn the_client_reads_bodies_with_a_length_and_in_chunks() {
        let counted = &["HTTP/1.1 201 Created\r\ncontent-le", "ngth: 5\r\n\r\nhe", "llo"];
        let chunked =
            &["HTTP/1.1 201 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2", "\r\nlo\r\n0\r\n\r\n"];
        for response in [response_of(counted).await.unwrap(), response_of(chunked).await.unwrap()] {
            assert_eq!((response.status, response.body.as_slice()), (201, b"hello".as_slice()));
        }
        assert!(response_of(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe"]).await.is_err());
    }

    #[test]
    fn a_segment_keeps_unreserved_characters_only() {
        assert_eq!(segment("!Room-1:ä/b"), "%21Room-1%3A%C3%A4%2Fb");
    }

    #[test]
    fn an_address_is_http_without_a_path() {
        assert_eq!(Server::parse("http://127.0.0.1:8000/").unwrap(), Server::local(8000));
        assert!(Server::parse("https://example.org").is_err());
        assert!(Server::parse("http://127.0.0.1:8000/path").is_err());
    }
}
