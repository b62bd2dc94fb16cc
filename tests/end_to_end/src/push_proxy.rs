//! A proxy between the homeserver and the service, which forwards, blocks or discards pushes.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// The longest that a push may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// The response to a discarded transaction: the homeserver takes it for delivered.
const ACCEPTED: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// The proxy. It forwards at first, and ends when dropped.
pub struct PushProxy {
    mode: Arc<watch::Sender<Mode>>,
    discarded: Arc<watch::Sender<usize>>,
    port: u16,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    Block,
    Discard,
}

impl PushProxy {
    /// Starts a proxy in front of a port of this machine.
    pub(crate) async fn in_front_of(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let (mode, discarded) =
            (Arc::new(watch::Sender::new(Mode::Forward)), Arc::new(watch::Sender::new(0)));
        let (changing, counting) = (mode.clone(), discarded.clone());
        let task = tokio::spawn(async move {
            while let Ok((outer, _)) = listener.accept().await {
                let (mode, discarded) = (changing.subscribe(), counting.clone());
                tokio::spawn(pass(outer, port, mode, discarded));
            }
        });
        Self { mode, discarded, port: own, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Forwards pushes.
    pub fn forward(&self) {
        self.mode.send_replace(Mode::Forward);
    }

    /// Blocks pushes, and breaks connections in progress.
    pub fn block(&self) {
        self.mode.send_replace(Mode::Block);
    }

    /// Accepts pushes instead of the service and discards them, as a homeserver that is killed does.
    pub fn discard(&self) {
        self.mode.send_replace(Mode::Discard);
    }

    /// Waits until this number of transactions was discarded.
    pub async fn wait_until_discarded(&self, count: usize) {
        let mut discarded = self.discarded.subscribe();
        let enough = timeout(PATIENCE, discarded.wait_for(|discarded| *discarded >= count)).await;
        enough.expect("a transaction in time").expect("the proxy runs");
    }
}

impl Drop for PushProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    mut outer: TcpStream,
    port: u16,
    mut mode: watch::Receiver<Mode>,
    discarded: Arc<watch::Sender<usize>>,
) {
    let now = *mode.borrow_and_update();
    match now {
        Mode::Block => {}
        Mode::Discard => {
            if accept(&mut outer).await.is_ok() {
                discarded.send_modify(|discarded| *discarded += 1);
            }
        }
        Mode::Forward => {
            let Ok(mut inner) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut outer, &mut inner) => {}
                _ = mode.wait_for(|mode| *mode != now) => {}
            }
        }
    }
}

/// Reads a request and responds that it was accepted.
async fn accept(outer: &mut TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !is_complete(&request) {
        if outer.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    outer.write_all(ACCEPTED).await?;
    outer.shutdown().await
}

fn is_complete(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    request.len() >= end + 4 + length.unwrap_or(0)
}
