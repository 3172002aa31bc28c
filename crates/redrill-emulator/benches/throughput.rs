//! Share of a bare server's throughput that the emulator keeps: same hyper, same runtime, same client, one run.
//!
//! `cargo bench -p redrill-emulator`; it fails below [`WANTED`].

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use redrill_emulator::{Emulator, Inventory, Options, Speed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The share that has to be left.
const WANTED: f64 = 0.7;
const CONNECTIONS: usize = 32;
const ROUND: Duration = Duration::from_millis(100);
const ROUNDS: usize = 31;
/// Memory that a job may cost, with the body of its request.
const MOST_BYTES: u64 = 1500;
const JOBS: u64 = 50_000;
/// A recovery point of `inventories/mixed.yaml`.
const POINT: &str =
    "arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45";
const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261122/us-east-1/backup/aws4_request, SignedHeaders=host, Signature=0\r\n";

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

/// Function that makes the request of a given number.
type Ask = dyn Fn(u64) -> Vec<u8> + Send + Sync;

/// Requests over one connection, one after the other, until the time is up; how many were answered.
async fn load(addr: SocketAddr, request: Arc<Ask>, room: usize, first: u64, until: Instant) -> u64 {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; room];
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
async fn rate(addr: SocketAddr, request: &Arc<Ask>, room: usize, round: u64) -> f64 {
    let until = Instant::now() + ROUND;
    let tasks: Vec<_> = (0..CONNECTIONS as u64)
        .map(|n| {
            tokio::spawn(load(
                addr,
                Arc::clone(request),
                room,
                (round * 1000 + n) << 32,
                until,
            ))
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.unwrap();
    }
    count as f64 / ROUND.as_secs_f64()
}

/// The median share over rounds that alternate, so that whatever else runs on the machine strikes both.
async fn compare(name: &str, emulator: &Emulator, request: Arc<Ask>) -> f64 {
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    let answer = ask(&mut stream, &request(u64::MAX)).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let room = answer.len() + 1024;
    let bare = bare(Bytes::copy_from_slice(body.as_bytes())).await;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS as u64 {
        let own = rate(emulator.addr(), &request, room, round).await;
        let plain = rate(bare, &request, room, round).await;
        rounds.push((own / plain, own, plain));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (share, own, plain) = rounds[ROUNDS / 2];
    println!(
        "{name:<32} {own:>8.0}/s, bare {plain:>8.0}/s: {share:.2} ({} bytes)",
        body.len()
    );
    share
}

/// One request, and the whole answer to it.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = vec![0; 4096];
    let mut got = 0;
    while !whole(&answer[..got]) {
        if got == answer.len() {
            answer.resize(2 * got, 0);
        }
        got += stream.read(&mut answer[got..]).await.unwrap();
    }
    answer.truncate(got);
    String::from_utf8(answer).unwrap()
}

/// Measures what jobs cost in memory: of so many, each of a recovery point of its own. None if the system does not say.
async fn bytes_for_each_job(count: u64) -> Option<u64> {
    let options = Options {
        speed: Speed::Max,
        driven: true,
        ..Options::default()
    };
    let emulator = Emulator::start(([127, 0, 0, 1], 0).into(), options);
    let emulator = emulator.await.unwrap();
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    // The first ones pay for what is there once.
    for n in 0..100 {
        ask(&mut stream, &start(n)).await;
    }
    let before = resident()?;
    for n in 100..100 + count {
        let request = String::from_utf8(start(n)).unwrap();
        let request = request.replace("108B488B0D45", &format!("{n:012}"));
        ask(&mut stream, request.as_bytes()).await;
    }
    let grown = resident()?.saturating_sub(before);
    emulator.shutdown().await;
    Some(grown / count)
}

/// Bytes of memory that this process holds.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// A signed request without a body.
fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{SIGNED}\r\n").into_bytes()
}

/// A StartRestoreJob, as long as usual; each has a token of its own.
fn start(n: u64) -> Vec<u8> {
    let body = format!(
        r#"{{"RecoveryPointArn":"{POINT}","IamRoleArn":"arn:aws:iam::123456789012:role/restore","IdempotencyToken":"{n}","Metadata":{{"file-system-id":"fs-0a1b2c3d","newFileSystem":"true","Encrypted":"true","KmsKeyId":"alias/dr","PerformanceMode":"generalPurpose","CreationToken":"{n}"}}}}"#
    );
    let length = body.len();
    format!("PUT /restore-jobs HTTP/1.1\r\nHost: localhost\r\n{SIGNED}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

fn main() {
    // `cargo bench --bench emulator -- Describe` measures those only.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let wanted =
        |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
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
        let free = Emulator::start(([127, 0, 0, 1], 0).into(), options.clone());
        let free = free.await.unwrap();
        let inventory = Inventory::parse(include_str!("../../../inventories/mixed.yaml")).unwrap();
        let options = Options {
            inventory: Some(inventory),
            ..options
        };
        let listed = Emulator::start(([127, 0, 0, 1], 0).into(), options);
        let listed = listed.await.unwrap();

        if wanted("memory")
            && let Some(bytes) = bytes_for_each_job(JOBS).await
        {
            println!("{bytes} bytes of memory for each of {JOBS} jobs");
            assert!(bytes <= MOST_BYTES, "{MOST_BYTES} are wanted at most");
        }

        let mut worst = f64::INFINITY;
        let starts: [(&str, &Emulator); 2] = [
            ("StartRestoreJob", &free),
            ("StartRestoreJob, inventory", &listed),
        ];
        for (name, emulator) in starts {
            if wanted(name) {
                let share = compare(name, emulator, Arc::new(start)).await;
                worst = worst.min(share);
            }
        }
        let mut ids = Vec::new();
        let mut stream = TcpStream::connect(free.addr()).await.unwrap();
        for n in 0..1000 {
            let answer = ask(&mut stream, &start(n)).await;
            let (_, id) = answer.split_once("\"RestoreJobId\":\"").unwrap();
            ids.push(id[..36].to_owned());
        }
        let one = |kind: &'static str, ids: &[String]| -> Arc<Ask> {
            let ids = ids.to_vec();
            Arc::new(move |n| {
                let id = &ids[n as usize % ids.len()];
                get(&format!("/restore-jobs/{id}{kind}"))
            })
        };
        let path = |path: &'static str| -> Arc<Ask> { Arc::new(move |_| get(path)) };
        let reads: Vec<(&str, &Emulator, Arc<Ask>)> = vec![
            ("DescribeRestoreJob", &free, one("", &ids)),
            ("GetRestoreJobMetadata", &free, one("/metadata", &ids)),
            (
                "DescribeRecoveryPoint",
                &free,
                path("/backup-vaults/Default/recovery-points/arn%3Aaws%3Aec2%3Aus-east-1%3A%3Aimage%2Fami-0abc"),
            ),
            ("ListRestoreJobs of 10", &free, path("/restore-jobs/?maxResults=10")),
            ("ListRestoreJobs of 100", &free, path("/restore-jobs/?maxResults=100")),
            ("ListRestoreJobs of 1000", &free, path("/restore-jobs/?maxResults=1000")),
            (
                "ListRecoveryPointsByBackupVault",
                &listed,
                path("/backup-vaults/primary/recovery-points/"),
            ),
            ("ListBackupVaults", &listed, path("/backup-vaults/")),
            ("ListProtectedResources", &listed, path("/resources/")),
        ];
        for (name, emulator, request) in reads {
            if wanted(name) {
                worst = worst.min(compare(name, emulator, request).await);
            }
        }
        worst
    });
    assert!(
        worst >= WANTED,
        "{worst:.2} of a bare server, {WANTED} is wanted"
    );
}
