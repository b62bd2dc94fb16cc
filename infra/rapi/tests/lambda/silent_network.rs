//! A proxy in front of PostgreSQL that can stop forwarding the bytes of its open connections, as a network
//! does that has forgotten them: neither side learns of it.

use std::future::pending;

use messenger_devstack::TestDatabase;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// The proxy. It ends when dropped.
pub(crate) struct SilentNetwork {
    database_url: String,
    forgotten: watch::Sender<u32>,
    task: JoinHandle<()>,
}

impl SilentNetwork {
    /// Starts a proxy in front of a database.
    pub(crate) async fn in_front_of(database: &TestDatabase) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let url = database.url();
        let (before, path) = url.rsplit_once('/').expect("a URL with a database");
        let (host, port) = before.rsplit_once(':').expect("a URL with a port");
        let (database_url, port) = (format!("{host}:{own}/{path}"), port.parse().expect("a port"));
        let forgotten = watch::Sender::new(0);
        let forgetting = forgotten.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, port, forgetting.subscribe()));
            }
        });
        Self { database_url, forgotten, task }
    }

    /// Returns the URL of the database by the proxy.
    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Forgets all open connections; new ones work.
    pub(crate) fn forget_connections(&self) {
        self.forgotten.send_modify(|times| *times += 1);
    }
}

impl Drop for SilentNetwork {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut client: TcpStream, port: u16, mut forgotten: watch::Receiver<u32>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        // Both sides stay open, and nothing passes.
        Ok(()) = forgotten.changed() => pending().await,
    }
}
