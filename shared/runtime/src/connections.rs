//! The connections of a server. Each is admitted, then the head of its first request is read, which decides
//! between an SSE socket and a connection of hyper.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use axum::Router;
use http::{HeaderValue, header::CONNECTION};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncReadExt as _, join},
    net::TcpStream,
};
use tokio_util::task::TaskTracker;
use tower::Service as _;

use crate::{
    Config, connection,
    limits::{
        Peer,
        connections::{Admission, Admissions, Admitted, Beyond},
    },
    refusal::ReplaceRefusals,
    request_head::{self, Refusal, RequestHead},
    shutdown::Shutdown,
    sse_socket,
};

/// Most bytes that are read from a connection at once. Uploads are passed on in pieces of this size.
const READ_MAX: usize = 64 << 10;
/// Time limit for the head of a connection's first request, and for the next one on the same connection.
const HEAD_WAIT: Duration = Duration::from_secs(10);
/// Time limit for the head of a request on a connection beyond the limit.
const SHORT_HEAD_WAIT: Duration = Duration::from_secs(2);

/// The connections of a server.
pub(crate) struct Connections {
    routes: Router,
    admissions: Admissions,
    write_silence: Duration,
    base_path: Arc<str>,
    http: GracefulShutdown,
    streams: TaskTracker,
    shutdown: Shutdown,
}

/// A connection that is served.
struct Connection {
    socket: TcpStream,
    peer: Peer,
    routes: Router,
    admitted: Admitted,
    watcher: Watcher,
    streams: TaskTracker,
    shutdown: Shutdown,
}

impl Connections {
    pub(crate) fn new(routes: Router, config: &Config, shutdown: Shutdown) -> Self {
        let limits = &config.limits;
        Self {
            routes,
            admissions: Admissions::new(limits.clone()),
            write_silence: limits.write_silence,
            base_path: config.serving.base_path.as_str().into(),
            http: GracefulShutdown::new(),
            streams: TaskTracker::new(),
            shutdown,
        }
    }

    /// Serves a connection in a task of its own.
    pub(crate) fn serve(&self, socket: TcpStream, peer: IpAddr) {
        // Small answers and events must not wait for more to come (Nagle).
        let _ = socket.set_nodelay(true);
        let peer = Peer::new(peer);
        match self.admissions.admit(&socket, peer) {
            Admission::Served(admitted) => self.spawn(socket, peer, admitted),
            Admission::Beyond(beyond) => {
                let (routes, base) = (self.routes.clone(), self.base_path.clone());
                tokio::spawn(answer_probe(socket, peer, routes, base, beyond));
            }
            Admission::Closed => {}
        }
    }

    fn spawn(&self, socket: TcpStream, peer: Peer, admitted: Admitted) {
        // Without it a client that reads nothing would keep its connection for as long as its machine runs.
        let silence = u32::try_from(self.write_silence.as_millis()).unwrap_or(u32::MAX);
        if silence > 0 {
            let _ = rustix::net::sockopt::set_tcp_user_timeout(&socket, silence);
        }
        let (routes, watcher, streams) = (self.routes.clone(), self.http.watcher(), self.streams.clone());
        let (shutdown, base) = (self.shutdown.clone(), self.base_path.clone());
        let mut connection = Connection { socket, peer, routes, admitted, watcher, streams, shutdown };
        tokio::spawn(async move {
            let ending = connection.shutdown.begun();
            let head = tokio::select! {
                head = request_head::read(&mut connection.socket, HEAD_WAIT, &base) => head,
                () = ending => return,
            };
            connection.dispatch(head).await;
        });
    }

    /// Waits until every connection has ended; idle ones end at once. The shutdown has begun.
    pub(crate) async fn end(self) {
        self.streams.close();
        tokio::join!(self.http.shutdown(), self.streams.wait());
    }
}

impl Connection {
    /// Serves a connection by the way that the head of its first request asks for.
    async fn dispatch(self, head: Result<RequestHead, Refusal>) {
        match head {
            Ok(RequestHead::Stream(mut request)) => {
                let Self { socket, peer, routes, admitted, streams, watcher, .. } = self;
                // The watcher is for connections that may send another request.
                drop(watcher);
                request.extensions_mut().insert(peer);
                // A new task holds no more than the stream needs.
                streams.spawn(async move {
                    let _admitted = admitted;
                    sse_socket::answer(socket, request, routes).await
                });
            }
            Ok(RequestHead::Probe(_, read) | RequestHead::Other(read)) => {
                Box::pin(self.http(read)).await;
            }
            Err(refusal) => {
                drop(self.watcher);
                let _ = request_head::refuse(self.socket, refusal).await;
            }
        }
    }

    /// Serves a connection with hyper. `read` are the bytes that were read from it already.
    async fn http(self, read: Vec<u8>) {
        let Self { socket, peer, routes, shutdown, watcher, admitted: _admitted, streams: _ } = self;
        let number = connection::Connection::next();
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(number);
            let (answer, shutdown) = (routes.clone().call(request), shutdown.clone());
            async move {
                let mut answer = answer.await;
                if let Ok(answer) = &mut answer
                    && shutdown.is_draining()
                {
                    // The client's next request comes on a connection to another copy.
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                answer
            }
        });
        let (reader, writer) = socket.into_split();
        let socket = ReplaceRefusals::new(join(io::Cursor::new(read).chain(reader), writer));
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WAIT)
            .max_buf_size(READ_MAX)
            .serve_connection(TokioIo::new(socket), service);
        if let Err(error) = watcher.watch(served).await {
            tracing::debug!(%error, "connection ended");
        }
    }
}

/// Answers a health check on a connection beyond the limit, and refuses any other request.
async fn answer_probe(
    mut socket: TcpStream,
    peer: Peer,
    routes: Router,
    base: Arc<str>,
    beyond: Beyond,
) -> io::Result<()> {
    let full = if beyond.of_address { Refusal::AddressLimit } else { Refusal::Full };
    match request_head::read(&mut socket, SHORT_HEAD_WAIT, &base).await {
        Ok(RequestHead::Probe(mut request, _)) => {
            request.extensions_mut().insert(peer);
            sse_socket::answer(socket, request, routes).await
        }
        Ok(_) => request_head::refuse(socket, full).await,
        Err(refusal) => request_head::refuse(socket, refusal).await,
    }
}
