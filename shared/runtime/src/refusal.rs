//! Refusals of requests that no handler has seen: their words for each status, and their place in hyper's
//! answers.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{problem, request_log::REQUEST_ID};

/// The socket of an HTTP connection. It replaces the answer that hyper itself gives, with an empty body, to a
/// request that it cannot parse, by a problem.
///
/// Only the first bytes that are written are replaced, which are always the head of an answer. Later bytes
/// may be those of a file that looks like one.
pub(crate) struct ReplaceRefusals<S> {
    socket: S,
    state: State,
}

enum State {
    /// Nothing is written yet.
    Start,
    /// The bytes of a problem that are still to be written in place of those of hyper.
    Replacing(Vec<u8>),
    /// All bytes are passed on.
    Passing,
}

impl<S> ReplaceRefusals<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self { socket, state: State::Start }
    }
}

impl<S: AsyncWrite + Unpin> ReplaceRefusals<S> {
    /// Decides about the first bytes, and writes the problem in their place. Returns `None` if they are to be
    /// passed on.
    fn poll_replace(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Option<io::Result<usize>>> {
        if matches!(self.state, State::Start) {
            self.state = replacement(bytes).map_or(State::Passing, State::Replacing);
        }
        let State::Replacing(rest) = &mut self.state else { return Poll::Ready(None) };
        while !rest.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(context, rest)) {
                Ok(0) => return Poll::Ready(Some(Err(io::ErrorKind::WriteZero.into()))),
                Ok(written) => drop(rest.drain(..written)),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        self.state = State::Passing;
        Poll::Ready(Some(Ok(bytes.len())))
    }
}

/// Returns the answer that replaces a refusal by hyper; `None` for any other answer. Answers of this service
/// have a request id.
fn replacement(answer: &[u8]) -> Option<Vec<u8>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Response::new(&mut headers);
    let complete = parsed.parse(answer).ok()?;
    let status = StatusCode::from_u16(parsed.code?).ok()?;
    let is_ours = parsed.headers.iter().any(|header| header.name.eq_ignore_ascii_case(REQUEST_ID));
    if complete.is_partial() || is_ours || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    let (code, detail) = problem::words(status);
    Some(problem::raw(status, code, detail, None).into_bytes())
}

impl<S: AsyncRead + Unpin> AsyncRead for ReplaceRefusals<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReplaceRefusals<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match ready!(self.poll_replace(context, bytes)) {
            Some(replaced) => Poll::Ready(replaced),
            None => Pin::new(&mut self.socket).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = pieces.first().map_or(&[][..], |piece| piece);
        match ready!(self.poll_replace(context, first)) {
            Some(replaced) => Poll::Ready(replaced),
            None => Pin::new(&mut self.socket).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const BARE: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const OURS: &[u8] = b"HTTP/1.1 404 Not Found\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n";

    /// Writes pieces to a socket that takes a few bytes at once. Returns the bytes that arrive.
    async fn written(pieces: &[&[u8]]) -> String {
        let (near, mut far) = duplex(7);
        let mut socket = ReplaceRefusals::new(near);
        let read = tokio::spawn(async move {
            let mut text = String::new();
            far.read_to_string(&mut text).await.map(|_| text)
        });
        for piece in pieces {
            socket.write_all(piece).await.unwrap();
        }
        socket.shutdown().await.unwrap();
        drop(socket);
        read.await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_refusal_by_hyper_becomes_a_problem() {
        let text = written(&[BARE]).await;
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{text}");
        assert!(body.contains("\"code\":\"invalid_request\""), "{text}");
    }

    #[tokio::test]
    async fn answers_of_this_service_and_later_bytes_stay_as_they_are() {
        let file = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), BARE, b"the file goes on"];
        for pieces in [&[OURS, BARE][..], &file, &[b"HTTP/1.1 4", BARE], &[b"", OURS, BARE]] {
            assert_eq!(written(pieces).await.as_bytes(), pieces.concat());
        }
    }
}
