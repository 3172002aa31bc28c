//! How long `redrill coverage` takes, and how much memory: 10,000 resources, 200,000 lines in the ledger.
//!
//! `cargo bench --bench coverage` prints both, and fails above 2 seconds or 300 MB. Lines are as `redrill prove` writes them, with ARNs and
//! reasons of usual length, each following the one before.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench that cannot run measures nothing"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use redrill::backup::Endpoint;
use redrill::ids::{AccountId, JobId, RegionName, RestoreName, RunId};
use redrill::proof::{Proof, ProofResult};

const RESOURCES: usize = 10_000;
const LINES: usize = 200_000;
const TRIES: usize = 5;
const SECONDS: f64 = 2.0;
const KILOBYTES: u64 = 300_000;

fn arn(at: usize) -> String {
    format!("arn:aws:dynamodb:us-east-1:123456789012:table/orders-of-the-shop-{at:05}")
}

fn inventory() -> String {
    let mut text =
        "account: \"123456789012\"\nregion: us-east-1\nvaults:\n  primary:\n    recovery_points:\n"
            .to_owned();
    for at in 0..RESOURCES {
        let _ = write!(
            text,
            "      - arn: {}/backup/01489173575360-b308cd7d\n        resource_arn: {0}\n        resource_type: DynamoDB\n        created_at: 2026-11-20T03:00:00Z\n        size_bytes: 1073741824\n",
            arn(at)
        );
    }
    text
}

fn ledger(path: &Path) {
    let begin: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut follows = Vec::new();
    for at in 0..LINES {
        let is_proven = at % 7 != 0;
        let proof = Proof {
            schema: "redrill.proof/v1".to_owned(),
            follows,
            resource_arn: arn(at % RESOURCES),
            resource_type: "DynamoDB".to_owned(),
            result: match is_proven {
                true => ProofResult::Proven,
                false => ProofResult::Restored,
            },
            reason: (!is_proven).then(|| "no_check".to_owned()),
            message: (!is_proven)
                .then(|| "it has no check, so nothing looked at the data".to_owned()),
            recovery_point_arn: Some(format!(
                "{}/backup/01489173575360-b308cd7d",
                arn(at % RESOURCES)
            )),
            recovery_point_created_at: Some(begin),
            recovery_point_age_seconds: Some(3600),
            at: begin + SignedDuration::from_secs(400 * i64::try_from(at).unwrap()),
            rto_seconds: is_proven.then_some(1200),
            rto_is: "start of the run to the last check passed".to_owned(),
            checks: if is_proven {
                vec!["rows".to_owned(), "newest order".to_owned()]
            } else {
                Vec::new()
            },
            plan: format!("orders-{}", at % 20),
            run: RunId::new(format!("2026-{}", at / 1000)),
            restore: RestoreName::new(format!("tables[orders-of-the-shop-{:05}]", at % RESOURCES)),
            job_id: Some(JobId::new(format!("98eb7152-aa5b-57a0-a118-{at:012}"))),
            attempts: 1,
            evidence_sha256: "0123456789abcdef".repeat(4),
            signer: None,
            endpoint: Endpoint::Aws,
            account: AccountId::new("210987654321"),
            region: RegionName::new("us-west-2"),
            redrill: "0.1.0".to_owned(),
        };
        let (line, digest) = proof.line();
        writeln!(file, "{line}").unwrap();
        follows = vec![digest];
    }
}

/// The most memory that a process has had, in kilobytes; none where the system does not say.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Seconds and kilobytes of one try.
fn measured(at: &Path) -> (f64, u64) {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_redrill"))
        .current_dir(at)
        .args([
            "coverage",
            "--inventory",
            "inventory.yaml",
            "--at",
            "2026-12-31",
        ])
        .args(["--format", "json"])
        .stdout(Stdio::from(
            std::fs::File::create(at.join("out.json")).unwrap(),
        ))
        .spawn()
        .unwrap();
    let mut memory = 0;
    let status = loop {
        memory = memory.max(peak(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = began.elapsed().as_secs_f64();
    assert!(status.success());
    let out = std::fs::read_to_string(at.join("out.json")).unwrap();
    assert!(out.matches("\"state\":").count() == RESOURCES);
    (took, memory)
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("inventory.yaml"), inventory()).unwrap();
    std::fs::write(
        at.join("coverage.yaml"),
        "every: year\nrto: 4h\npolicies: [{ name: \"*-0001*\", every: month }]\n",
    )
    .unwrap();
    ledger(&at.join("proven.jsonl"));
    let size = std::fs::metadata(at.join("proven.jsonl")).unwrap().len();
    // Others may work on this machine: the fastest says what it takes.
    let tries = (0..TRIES).map(|_| measured(at));
    let (took, memory) = tries.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap();
    println!(
        "{RESOURCES} resources, {LINES} lines ({} MB): {took:.2} s, {} MB",
        size / 1_000_000,
        memory / 1000
    );
    assert!(
        took <= SECONDS && memory <= KILOBYTES,
        "more than {SECONDS} s or {KILOBYTES} kB"
    );
}
