//! A gate between the homeserver and the service: what the homeserver pushes passes through, or does not.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// Time limit for a push on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// The answer to a transaction that is lost: the homeserver takes it for delivered.
const TAKEN: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// The gate. Open at first; ends when dropped.
pub struct Gate {
    mode: Arc<watch::Sender<Mode>>,
    lost: Arc<watch::Sender<usize>>,
    port: u16,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    Closed,
    Losing,
}

impl Gate {
    /// A gate before a port of this machine.
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let (mode, lost) = (Arc::new(watch::Sender::new(Mode::Open)), Arc::new(watch::Sender::new(0)));
        let (changing, counting) = (mode.clone(), lost.clone());
        let task = tokio::spawn(async move {
            while let Ok((outer, _)) = listener.accept().await {
                let (mode, lost) = (changing.subscribe(), counting.clone());
                tokio::spawn(pass(outer, port, mode, lost));
            }
        });
        Self { mode, lost, port: own, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lets through what comes.
    pub fn open(&self) {
        self.mode.send_replace(Mode::Open);
    }

    /// Lets nothing through, and breaks off what is on its way.
    pub fn close(&self) {
        self.mode.send_replace(Mode::Closed);
    }

    /// From now on takes transactions in the service's place and loses them, as a homeserver that is killed does.
    pub fn lose(&self) {
        self.mode.send_replace(Mode::Losing);
    }

    /// Waits until so many transactions were lost.
    pub async fn has_lost(&self, count: usize) {
        let mut lost = self.lost.subscribe();
        let enough = timeout(PATIENCE, lost.wait_for(|lost| *lost >= count)).await;
        enough.expect("a transaction in time").expect("the gate is there");
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    mut outer: TcpStream,
    port: u16,
    mut mode: watch::Receiver<Mode>,
    lost: Arc<watch::Sender<usize>>,
) {
    let now = *mode.borrow_and_update();
    match now {
        Mode::Closed => {}
        Mode::Losing => {
            if take(&mut outer).await.is_ok() {
                lost.send_modify(|lost| *lost += 1);
            }
        }
        Mode::Open => {
            let Ok(mut inner) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut outer, &mut inner) => {}
                _ = mode.wait_for(|mode| *mode != now) => {}
            }
        }
    }
}

/// Reads a request and answers that it was taken.
async fn take(outer: &mut TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if outer.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    outer.write_all(TAKEN).await?;
    outer.shutdown().await
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    request.len() >= end + 4 + length.unwrap_or(0)
}
