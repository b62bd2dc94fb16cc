//! A push gateway, which receives the pushes for a phone (Matrix specification, "Push Gateway API").

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::JoinHandle,
};

/// A push gateway that listens until it is dropped.
pub(crate) struct Gateway {
    url: String,
    pushes: UnboundedReceiver<Value>,
    listening: JoinHandle<()>,
}

impl Gateway {
    pub(crate) async fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/_matrix/push/v1/notify", listener.local_addr()?);
        let (sender, pushes) = mpsc::unbounded_channel();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                tokio::spawn(async move { serve(stream, &sender).await });
            }
        });
        Ok(Self { url, pushes, listening })
    }

    /// Returns the pusher that a client sets for a phone (`POST /pushers/set`).
    pub(crate) fn pusher(&self) -> Value {
        json!({
            "kind": "http", "app_id": "test", "pushkey": "phone", "app_display_name": "Test",
            "device_display_name": "Phone", "lang": "de", "data": { "url": self.url },
        })
    }

    /// Waits for the next push and returns its notification.
    pub(crate) async fn next(&mut self) -> Result<Value> {
        self.pushes.recv().await.context("the gateway is closed")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Responds to the requests of one connection.
async fn serve(stream: TcpStream, pushes: &UnboundedSender<Value>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            match line.trim().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse()?;
                }
                _ if line.trim().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let mut push: Value = serde_json::from_slice(&body)?;
        pushes.send(push["notification"].take())?;
        let response = r#"{"rejected":[]}"#;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            response.len()
        );
        stream.write_all(format!("{head}{response}").as_bytes()).await?;
    }
}
