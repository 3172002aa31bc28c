//! HTTP by hand, for what no SDK sends or shows.

use redrill_emulator::Emulator;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Raw {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// Sends bytes, says that there are no more, reads to the end; None if there was no answer.
pub(crate) async fn send(emulator: &Emulator, bytes: &[u8]) -> Option<Raw> {
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    // The emulator may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    answer(stream).await
}

/// Sends bytes and leaves it open, as clients do: the emulator has to be the one that ends it.
pub(crate) async fn exchange(emulator: &Emulator, bytes: &[u8]) -> Option<Raw> {
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    let _ = stream.write_all(bytes).await;
    answer(stream).await
}

async fn answer(mut stream: TcpStream) -> Option<Raw> {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some(Raw {
        status: head.split(' ').nth(1)?.parse().ok()?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// An unsigned request.
pub(crate) async fn request(emulator: &Emulator, line: &str, body: &str) -> Raw {
    let length = body.len();
    let text = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    exchange(emulator, text.as_bytes()).await.unwrap()
}
