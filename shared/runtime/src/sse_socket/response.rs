//! The response on an SSE socket: its head, its framing, and writing it without a copy.

use std::{
    io::{self, IoSlice, Write as _},
    time::Duration,
};

use axum::body::Body;
use bytes::{Buf, Bytes};
use http::{HeaderMap, Response, Version, header};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// The longest time for which a client may read nothing. If events come, its full send buffer ends the stream
/// long before.
const WRITE_WAIT: Duration = Duration::from_mins(1);
/// Most bytes of a chunk's head: 16 hexadecimal digits and a line end.
const CHUNK_HEAD_MAX: usize = 18;

/// The framing of a body without a length (RFC 9112, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Chunked transfer coding (section 7.1): libraries deliver a chunk as soon as it is complete.
    Chunked,
    /// The body ends with the connection: HTTP/1.0 has no transfer codings.
    UntilClose,
}

impl Framing {
    /// Returns the framing that a client of this version understands.
    pub(super) fn of(version: Version) -> Self {
        if version < Version::HTTP_11 { Self::UntilClose } else { Self::Chunked }
    }
}

/// Returns whether the media type is that of Server-Sent Events, whatever its parameters.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// Returns the status line and the headers, without those of the framing and without the empty line.
pub(super) fn head(response: &Response<()>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        if [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(name) {
            continue;
        }
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head
}

/// Returns the rest of a stream's head.
pub(super) fn end_of_head(framing: Framing) -> &'static [u8] {
    match framing {
        Framing::Chunked => b"transfer-encoding: chunked\r\n\r\n",
        Framing::UntilClose => b"\r\n",
    }
}

/// Writes each piece of the body until the body ends or the client is gone.
pub(super) async fn pass_on(mut socket: TcpStream, mut body: Body, framing: Framing) -> io::Result<()> {
    let mut nothing = [0; 64];
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            read = socket.read(&mut nothing) => match read? {
                0 => return Ok(()),
                // Bytes of the client have no meaning here.
                _ => continue,
            },
        };
        match frame {
            Some(Ok(frame)) => write(&mut socket, frame.into_data().unwrap_or_default(), framing).await?,
            // Without the last chunk the client knows that the body is incomplete.
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => return end(socket, framing).await,
        }
    }
}

/// Writes one piece as one chunk. Only a client that lags behind needs a timer.
async fn write(socket: &mut TcpStream, piece: Bytes, framing: Framing) -> io::Result<()> {
    // A chunk of no bytes would end the body.
    if piece.is_empty() {
        return Ok(());
    }
    let mut space = [0; CHUNK_HEAD_MAX];
    let (before, after) = around(piece.len(), framing, &mut space);
    let mut rest = Buf::chain(before, Buf::chain(piece, after));
    let mut slices = [IoSlice::new(&[]); 3];
    let count = rest.chunks_vectored(&mut slices);
    // All readers share the piece: the kernel gathers it with its frame, and nothing is copied here.
    match socket.try_write_vectored(slices.get(..count).unwrap_or_default()) {
        Ok(written) => rest.advance(written),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    if rest.has_remaining() {
        Box::pin(timeout(WRITE_WAIT, socket.write_all_buf(&mut rest))).await??;
    }
    Ok(())
}

/// Returns the bytes around a piece of this length.
fn around(length: usize, framing: Framing, space: &mut [u8; CHUNK_HEAD_MAX]) -> (&[u8], &'static [u8]) {
    if framing == Framing::UntilClose {
        return (b"", b"");
    }
    let mut free = space.as_mut_slice();
    // The space is enough for every length.
    let _ = write!(free, "{length:x}\r\n");
    let used = CHUNK_HEAD_MAX - free.len();
    (space.get(..used).unwrap_or_default(), b"\r\n")
}

async fn end(mut socket: TcpStream, framing: Framing) -> io::Result<()> {
    if framing == Framing::Chunked {
        timeout(WRITE_WAIT, socket.write_all(b"0\r\n\r\n")).await??;
    }
    socket.shutdown().await
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tokio::net::TcpListener;

    use super::*;

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.expect("a connection"), accepted.expect("a connection").0)
    }

    async fn passed_on(pieces: Vec<Bytes>, framing: Framing) -> Vec<u8> {
        let (mut client, server) = connected().await;
        let body = Body::from_stream(futures::stream::iter(pieces.into_iter().map(Ok::<_, io::Error>)));
        let writing = tokio::spawn(pass_on(server, body, framing));
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.expect("bytes");
        writing.await.expect("no panic").expect("it is written");
        read
    }

    #[tokio::test]
    async fn each_piece_is_one_chunk_and_an_empty_one_none() {
        let pieces = || vec![Bytes::from_static(b"data: a\n\n"), Bytes::new(), Bytes::from(vec![b'x'; 26])];
        let chunked = passed_on(pieces(), Framing::Chunked).await;
        let expected = format!("9\r\ndata: a\n\n\r\n1a\r\n{}\r\n0\r\n\r\n", "x".repeat(26));
        assert_eq!(String::from_utf8(chunked).expect("text"), expected);
        let plain = passed_on(pieces(), Framing::UntilClose).await;
        assert_eq!(String::from_utf8(plain).expect("text"), format!("data: a\n\n{}", "x".repeat(26)));
    }

    #[tokio::test]
    async fn a_piece_that_the_socket_takes_in_parts_arrives_completely() {
        // More than the buffers of a loopback connection hold.
        let large = Bytes::from(vec![b'y'; 24 << 20]);
        for (framing, around) in
            [(Framing::Chunked, "1800000\r\n\r\n0\r\n\r\n".len()), (Framing::UntilClose, 0)]
        {
            let read = passed_on(vec![large.clone()], framing).await;
            assert_eq!(read.len(), large.len() + around);
            let body = read.iter().copied().filter(|byte| *byte == b'y');
            assert_eq!(body.count(), large.len());
        }
    }

    #[tokio::test]
    async fn a_body_that_fails_has_no_last_chunk() {
        let (mut client, server) = connected().await;
        let pieces = [Ok(Bytes::from_static(b"a")), Err(io::Error::other("broken"))];
        let body = Body::from_stream(futures::stream::iter(pieces));
        let writing = tokio::spawn(pass_on(server, body, Framing::Chunked));
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.expect("bytes");
        assert_eq!(read, b"1\r\na\r\n");
        assert!(writing.await.expect("no panic").is_err());
    }

    #[test]
    fn an_event_stream_is_recognised_by_its_media_type_without_parameters() {
        for (kind, expected) in [
            ("text/event-stream", true),
            ("text/event-stream; charset=utf-8", true),
            ("Text/Event-Stream;charset=utf-8", true),
            ("text/event-streams", false),
            ("application/problem+json", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
            assert_eq!(is_event_stream(&headers), expected, "{kind}");
        }
        assert!(!is_event_stream(&HeaderMap::new()));
    }

    #[test]
    fn only_clients_of_http_1_1_get_chunks() {
        assert_eq!(Framing::of(Version::HTTP_10), Framing::UntilClose);
        assert_eq!(Framing::of(Version::HTTP_11), Framing::Chunked);
    }
}
