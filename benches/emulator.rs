//! How much of a bare server's throughput the emulator keeps: the same hyper, the same runtime, the same client, one run.
//!
//! `cargo bench --bench emulator`; it fails below [`WANTED`].

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use redrill::emulator::{Emulator, Options, Speed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The share that has to be left.
const WANTED: f64 = 0.7;
const CONNECTIONS: usize = 32;
const ROUND: Duration = Duration::from_millis(500);
const ROUNDS: usize = 7;

/// A server that reads requests whole and always answers the same.
async fn bare(answer: Bytes) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let answer = answer.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer.clone();
                async move {
                    let _ = request.into_body().collect().await;
                    let mut response = Response::new(Full::new(answer));
                    let headers = response.headers_mut();
                    headers.insert("content-type", "application/json".parse().unwrap());
                    headers.insert("x-amzn-requestid", "0".repeat(36).parse().unwrap());
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(
                http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    addr
}

/// Requests over one connection, one after the other, until the time is up; how many were answered.
async fn load(
    addr: SocketAddr,
    request: impl Fn(u64) -> Vec<u8>,
    first: u64,
    until: Instant,
) -> u64 {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 1 << 20];
    let mut count = 0;
    while Instant::now() < until {
        stream.write_all(&request(first + count)).await.unwrap();
        let mut got = 0;
        loop {
            got += stream.read(&mut buffer[got..]).await.unwrap();
            if whole(&buffer[..got]) {
                break;
            }
        }
        assert!(
            buffer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&buffer[..got])
        );
        count += 1;
    }
    count
}

fn whole(bytes: &[u8]) -> bool {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let text = std::str::from_utf8(&bytes[..head]).unwrap();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    bytes.len() >= head + 4 + length.unwrap().parse::<usize>().unwrap()
}

/// Requests in a second, over all connections.
async fn rate(
    addr: SocketAddr,
    request: &(impl Fn(u64) -> Vec<u8> + Clone + Send + Sync + 'static),
    round: u64,
) -> f64 {
    let until = Instant::now() + ROUND;
    let tasks: Vec<_> = (0..CONNECTIONS as u64)
        .map(|n| tokio::spawn(load(addr, request.clone(), (round * 1000 + n) << 32, until)))
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.unwrap();
    }
    count as f64 / ROUND.as_secs_f64()
}

/// The median share over rounds that alternate, so that whatever else runs on the machine strikes both.
async fn compare(
    name: &str,
    emulator: &Emulator,
    request: impl Fn(u64) -> Vec<u8> + Clone + Send + Sync + 'static,
) -> f64 {
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    stream.write_all(&request(u64::MAX)).await.unwrap();
    let mut answer = vec![0; 1 << 20];
    let mut got = 0;
    while !whole(&answer[..got]) {
        got += stream.read(&mut answer[got..]).await.unwrap();
    }
    let head = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let bare = bare(Bytes::copy_from_slice(&answer[head + 4..got])).await;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS as u64 {
        let own = rate(emulator.addr(), &request, round).await;
        let plain = rate(bare, &request, round).await;
        rounds.push((own / plain, own, plain));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (share, own, plain) = rounds[ROUNDS / 2];
    println!("{name:<24} {own:>8.0}/s, bare {plain:>8.0}/s: {share:.2}");
    share
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let worst = runtime.block_on(async {
        let options = Options {
            speed: Speed::Max,
            driven: true,
            ..Options::default()
        };
        let emulator = Emulator::start(([127, 0, 0, 1], 0).into(), options).await.unwrap();
        let start = |n: u64| {
            let body = format!(
                r#"{{"RecoveryPointArn":"arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45","IamRoleArn":"arn:aws:iam::123456789012:role/restore","IdempotencyToken":"{n}","Metadata":{{"file-system-id":"fs-0a1b2c3d","newFileSystem":"true","Encrypted":"true","KmsKeyId":"alias/dr","PerformanceMode":"generalPurpose","CreationToken":"{n}"}}}}"#
            );
            format!(
                "PUT /restore-jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKID/20261122/us-east-1/backup/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        };
        let mut worst = compare("StartRestoreJob", &emulator, start).await;
        let ids: Vec<String> = emulator.jobs().into_iter().take(1000).map(|job| job.id).collect();
        println!("{} jobs", emulator.jobs().len());
        let get = |path: String| {
            format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKID/20261122/us-east-1/backup/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n"
            )
            .into_bytes()
        };
        let describe = move |n: u64| get(format!("/restore-jobs/{}", ids[n as usize % ids.len()]));
        worst = worst.min(compare("DescribeRestoreJob", &emulator, describe).await);
        let point = move |_| {
            get("/backup-vaults/Default/recovery-points/arn%3Aaws%3Aec2%3Aus-east-1%3A%3Aimage%2Fami-0abc".into())
        };
        worst = worst.min(compare("DescribeRecoveryPoint", &emulator, point).await);
        let list = move |_| get("/restore-jobs/?maxResults=100".into());
        compare("ListRestoreJobs of 100", &emulator, list).await;
        worst
    });
    assert!(
        worst >= WANTED,
        "{worst:.2} of a bare server, {WANTED} is wanted"
    );
}
