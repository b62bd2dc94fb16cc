//! A gate between the homeserver and the service: what the homeserver pushes passes through, or does not.

use std::sync::Arc;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// The gate. Open at first; ends when dropped.
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
    port: u16,
    task: JoinHandle<()>,
}

impl Gate {
    /// A gate before a port of this machine.
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let open = Arc::new(watch::Sender::new(true));
        let opening = open.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut outer, _)) = listener.accept().await {
                let mut is_open = opening.subscribe();
                tokio::spawn(async move {
                    if !*is_open.borrow() {
                        return;
                    }
                    let Ok(mut inner) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut outer, &mut inner) => {}
                        _ = is_open.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { open, port: own, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lets through what comes.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Lets nothing through, and breaks off what is on its way.
    pub fn close(&self) {
        self.open.send_replace(false);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}
