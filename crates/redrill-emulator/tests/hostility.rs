//! Clients that are broken, slow, many, or mean.

use redrill_emulator::fuzzing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw::{exchange, request, send};
use crate::clients::*;

/// Requests that are answered at all are answered by a refusal; and afterwards the emulator serves as before.
#[tokio::test]
async fn malformed_http() {
    let emulator = listed().await;
    let host = "Host: localhost\r\n";
    let long = "a".repeat(300_000);
    for bytes in [
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "GET  /restore-jobs HTTP/1.1\r\n\r\n".to_owned(),
        format!("G\0T /restore-jobs HTTP/1.1\r\n{host}\r\n"),
        format!("GET /restore-jobs HTTP/1.1\r\nHost x\r\n{host}\r\n"),
        format!("GET /restore-jobs HTTP/1.1\r\n{host}X: {long}\r\n\r\n"),
        format!(
            "GET /restore-jobs HTTP/1.1\r\n{}\r\n",
            "A: b\r\n".repeat(20_000)
        ),
        format!("PUT /restore-jobs HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n"),
        format!("PUT /restore-jobs HTTP/1.1\r\n{host}Content-Length: 99999999999999999999\r\n\r\n"),
        format!(
            "PUT /restore-jobs HTTP/1.1\r\n{host}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"
        ),
        format!("PUT /restore-jobs HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        format!(
            "PUT /restore-jobs HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"
        ),
        format!(
            "PUT /restore-jobs HTTP/1.1\r\n{host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET"
        ),
        "\r\n\r\n\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "CONNECT example.com:443 HTTP/1.1\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
    ] {
        if let Some(answer) = send(&emulator, bytes.as_bytes()).await {
            let refused = (400..500).contains(&answer.status);
            assert!(refused, "{bytes:.60}: {answer:?}");
        }
    }
    start_ec2(&sdk(&emulator), "t1").await;
    assert_eq!(emulator.jobs().len(), 1);
}

#[tokio::test]
async fn any_content_type_and_body() {
    let emulator = listed().await;
    let body = format!(r#"{{"RecoveryPointArn":"{EC2}","Metadata":{{}}}}"#);
    for (kind, body, status) in [
        ("application/json", body.as_str(), 200),
        ("text/plain", &body, 200),
        ("application/x-www-form-urlencoded", &body, 200),
        ("application/json", "\u{feff}{}", 400),
        ("application/xml", "<a/>", 400),
        ("multipart/form-data; boundary=x", "--x\r\n\r\n--x--", 400),
        (
            "application/json",
            "{\"RecoveryPointArn\":\"\\ud800\"}",
            400,
        ),
        (
            "application/json",
            "{\"Metadata\":{\"a\":\"b\",\"a\":\"c\"}}",
            400,
        ),
    ] {
        let text = format!(
            "PUT /restore-jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(&emulator, text.as_bytes()).await.unwrap();
        assert_eq!(answer.status, status, "{kind}: {body}");
    }
}

#[tokio::test]
async fn percent_encoding_tricks() {
    let emulator = listed().await;
    for path in [
        "/restore-jobs/%",
        "/restore-jobs/%2",
        "/restore-jobs/%zz",
        "/restore-jobs/%00",
        "/restore-jobs/%ff%fe",
        "/restore-jobs/..%2f..%2fetc%2fpasswd",
        "/restore-jobs/%252e%252e",
        "/restore-jobs/%2e%2e/metadata",
        "/%72estore-jobs",
        "//restore-jobs",
        "/restore-jobs///",
        "/backup-vaults/%2F/recovery-points/%2F",
        "/backup-vaults/primary%00/recovery-points/",
        "/backup-vaults/primary/recovery-points/arn:aws:ec2:us-east-1::image%252Fami-0abc",
        "/tags/%F0%9F%92%A5/",
        "/restore-jobs?maxResults=%31%30%30%30%30",
        "/restore-jobs?nextToken=%00",
        "/restore-jobs?createdAfter=9e999",
        "/restore-jobs?createdAfter=-9e18",
        "/restore-jobs?createdAfter=NaN",
        "/restore-jobs?accountId=１２３４５６７８９０１２",
    ] {
        let answer = request(&emulator, &format!("GET {path}"), "").await;
        let refused = (400..500).contains(&answer.status);
        // Not a time, or one long ago: a filter that fits none is no error.
        let fine = path.contains("createdAfter") && answer.status == 200;
        assert!(refused || fine, "{path}: {answer:?}");
    }
    // A label is cut before it is decoded: encoded once is right, in any case of digits.
    let right = "GET /backup-vaults/primary/recovery-points/arn%3aaws%3Aec2%3aus-east-1%3a%3aimage%2fami-0abc";
    assert_eq!(request(&emulator, right, "").await.status, 200);
}

/// Many that never finish what they say hinder nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_connections_and_slow_ones_among_them() {
    let emulator = listed().await;
    let mut idle = Vec::new();
    for n in 0..2000 {
        // Both ends are this process's: where the system gives it too few, as many as there are.
        let Ok(mut stream) = TcpStream::connect(emulator.addr()).await else {
            break;
        };
        let part: &[u8] = match n % 3 {
            0 => b"",
            1 => b"PUT /restore-jobs HTTP/1.1\r\nHost: localhost\r\nContent-Le",
            _ => b"PUT /restore-jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"Recovery",
        };
        stream.write_all(part).await.unwrap();
        idle.push(stream);
    }
    assert!(idle.len() >= 400, "{}", idle.len());
    drop(idle.split_off(idle.len() - 20));
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    let job = client.describe_restore_job().restore_job_id(id).send();
    assert_eq!(job.await.unwrap().recovery_point_arn(), Some(EC2));
    assert_eq!(emulator.jobs().len(), 1);
    // And they do not hold up the end either.
    emulator.shutdown().await;
    let mut first = idle.swap_remove(0);
    let mut rest = Vec::new();
    let _ = first.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{rest:?}");
}

/// Does what the fuzz target does, with its seeds and with damage to them: the same on every machine.
/// `REDRILL_FUZZ=100000` damages each seed that often; cargo-fuzz, which learns from what it reaches, goes deeper.
#[test]
fn seeds_of_the_fuzz_target_and_damaged_ones() {
    let seeds: [&[u8]; 5] = [
        include_bytes!("../../../fuzz/seeds/emulator/start"),
        include_bytes!("../../../fuzz/seeds/emulator/eks"),
        include_bytes!("../../../fuzz/seeds/emulator/lists"),
        include_bytes!("../../../fuzz/seeds/emulator/inventory"),
        include_bytes!("../../../fuzz/seeds/emulator/faults"),
    ];
    let rounds = std::env::var("REDRILL_FUZZ").map_or(300, |count| count.parse().unwrap());
    let mut dice = fastrand::Rng::with_seed(7);
    for seed in seeds {
        assert!(run(seed).iter().all(|status| *status < 500), "{seed:?}");
        for _ in 0..rounds {
            run(&damaged(seed, seeds[dice.usize(..seeds.len())], &mut dice));
        }
    }
}

fn damaged(seed: &[u8], other: &[u8], dice: &mut fastrand::Rng) -> Vec<u8> {
    const WORDS: [&str; 12] = [
        "null",
        "[",
        "{",
        "\\u0000",
        "\\ud800",
        "1e999",
        "-0",
        "arn:aws:",
        "%2F",
        "%ff",
        "&maxResults=1",
        "\0",
    ];
    let mut bytes = seed.to_vec();
    for _ in 0..dice.usize(1..6) {
        let at = dice.usize(..bytes.len());
        match dice.u8(..6) {
            0 => bytes[at] = dice.u8(..),
            1 => bytes.truncate(at.max(1)),
            2 => bytes.insert(at, b"\"{}[]:%/,0\\"[dice.usize(..11)]),
            3 => {
                let word = WORDS[dice.usize(..WORDS.len())].bytes();
                drop(bytes.splice(at..at, word));
            }
            4 => {
                let end = (at + dice.usize(..40)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = dice.usize(..bytes.len());
                drop(bytes.splice(to..to, part));
            }
            _ => {
                let from = dice.usize(..other.len());
                bytes.truncate(at.max(1));
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

fn run(data: &[u8]) -> Vec<u16> {
    let end = data
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(data.len());
    let body = data.get(end + 1..).unwrap_or_default();
    if let Ok(text) = std::str::from_utf8(body) {
        fuzzing::texts(text);
    }
    let head = String::from_utf8_lossy(&data[..end]).into_owned();
    let requests = head.lines().filter_map(|line| line.split_once(' '));
    fuzzing::requests(
        None,
        requests.map(|(method, target)| (method, target, body)),
    )
}
