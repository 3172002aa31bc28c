//! Whether `run` keeps AWS's published rates and uses them, against the emulator enforcing them (`--quotas aws`) in real
//! time: alone in the account, and beside another client that takes half of the share of StartRestoreJob.
//!
//! `cargo bench --bench rates` takes seven minutes, both cases beside each other. It prints a table, and fails where
//! redrill alone starts less than 97 % of five restores a second or is throttled at all, and where beside the other it
//! gets less than 90 % of what that leaves or more than 1 % of its calls are throttled. Its own calls are those of its
//! report (`api_calls`); what the other got is in the emulator's log.

#![expect(clippy::print_stdout, reason = "the table is what it is run for")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench that cannot run measures nothing"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

#[path = "emulated.rs"]
mod emulated;
use emulated::{Emulator, recovery_point};

const RESTORES: usize = 1_000;
/// What AWS publishes for StartRestoreJob
/// (<https://docs.aws.amazon.com/general/latest/gr/bk.html>, «AWS Backup API throttling»).
const PUBLISHED: f64 = 5.0;
/// What the other client asks for, a second.
const OTHER: f64 = 2.5;

/// What became of one run.
struct Measured {
    /// Starts a second, from the first to the last.
    rate: f64,
    /// What the other client got meanwhile, a second.
    other: f64,
    /// redrill's calls that were throttled.
    throttled: u64,
    /// All of redrill's calls.
    calls: u64,
}

fn measure(beside: bool) -> Measured {
    let folder = tempfile::tempdir().unwrap();
    let inventory = folder.path().join("inventory.yaml");
    std::fs::write(&inventory, recovery_points()).unwrap();
    let emulator = Emulator::start(
        folder,
        &[
            "--quotas",
            "aws",
            "--inventory",
            inventory.to_str().unwrap(),
        ],
    );
    let report = emulator.folder.path().join("report.json");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        if beside {
            scope.spawn(|| another(&emulator.url, &is_over));
        }
        let to = format!("json={}", report.display());
        let status = emulator.run(RESTORES, &["--report", &to]).status().unwrap();
        is_over.store(true, Ordering::Relaxed);
        assert!(status.success(), "the run failed");
    });
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let restores = report["restores"].as_array().unwrap();
    let started = restores.iter().map(|of| of["started_at"].as_str().unwrap());
    let mut started: Vec<Timestamp> = started.map(|at| at.parse().unwrap()).collect();
    started.sort();
    let (first, last) = (started[0], started[RESTORES - 1]);
    let took = last.duration_since(first).as_secs_f64();
    let meanwhile = emulator
        .starts()
        .iter()
        .filter(|(at, accepted)| *accepted && (first..=last).contains(at))
        .count();
    let calls = report["api_calls"].as_object().unwrap();
    Measured {
        rate: (RESTORES - 1) as f64 / took,
        other: meanwhile.saturating_sub(RESTORES) as f64 / took,
        // Whatever was accepted was asked for once.
        throttled: calls["StartRestoreJob"].as_u64().unwrap() - RESTORES as u64,
        calls: calls.values().filter_map(Value::as_u64).sum(),
    }
}

/// Jobs that end soon, so that what is measured ends soon after the last start.
fn recovery_points() -> String {
    let points: Vec<Value> = (0..RESTORES)
        .map(|at| {
            json!({
                "arn": recovery_point(at),
                "resource_arn": "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0a1b2c3d",
                "resource_type": "EFS",
                "created_at": "2026-11-20T03:00:00Z",
                "restore": {"duration": "20s"},
            })
        })
        .collect();
    // JSON is YAML.
    json!({
        "account": "123456789012",
        "region": "us-west-2",
        "vaults": {"primary": {"recovery_points": points}},
    })
    .to_string()
}

/// Somebody else in the account, who asks at an even rate and does not wait when throttled.
fn another(url: &str, is_over: &AtomicBool) {
    let began = Instant::now();
    for at in 0_u32.. {
        let due = Duration::from_secs_f64(f64::from(at) / OTHER);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let body = json!({
            "RecoveryPointArn": recovery_point(at as usize % RESTORES),
            "IamRoleArn": "arn:aws:iam::123456789012:role/restore",
            "ResourceType": "EFS",
            "IdempotencyToken": format!("other-{at}"),
            "Metadata": {"file-system-id": "fs-0a1b2c3d", "newFileSystem": "true", "Encrypted": "true",
                "PerformanceMode": "generalPurpose", "CreationToken": format!("other-{at}")},
        })
        .to_string();
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
        write!(
            stream,
            "PUT /restore-jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: AWS4-HMAC-SHA256 Credential=123456789012/20261120/us-west-2/backup/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let is_known = answer.starts_with("HTTP/1.1 200") || answer.contains("hrottl");
        assert!(is_known, "{answer}");
    }
}

fn main() {
    let (alone, beside) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| measure(true));
        (measure(false), beside.join().unwrap())
    });
    println!(
        "                     starts/s  other's/s  of what is left  throttled  calls a restore"
    );
    for (name, of) in [("alone", &alone), ("beside another", &beside)] {
        println!(
            "{name:20} {:8.2}  {:9.2}  {:13.1} %  {:9}  {:15.3}",
            of.rate,
            of.other,
            100.0 * of.share(),
            of.throttled,
            of.calls as f64 / RESTORES as f64
        );
    }
    assert!(alone.share() >= 0.97, "less than 97 % of what is allowed");
    assert_eq!(alone.throttled, 0, "throttled while alone");
    assert!(beside.share() >= 0.90, "less than 90 % of what is left");
    let limit = beside.calls as f64 / 100.0;
    assert!(beside.throttled as f64 <= limit, "more than 1 % throttled");
}

impl Measured {
    /// How much was used of what the other client left.
    fn share(&self) -> f64 {
        self.rate / (PUBLISHED - self.other)
    }
}
