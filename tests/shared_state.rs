//! Runs whose record is in a bucket, over the wire: the S3 of moto, processes that die, freeze and come back.
//!
//! `REDRILL_ROUNDS` makes more rounds of it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use redrill_emulator::{Emulator, Options, Speed};

use crate::python::venv;
use crate::support::{emulator, folder, many, on_bucket, redrill, write};

/// moto looks at the condition of a write and then writes, which are two steps: a lock around both makes one of them, as at
/// S3 (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
const SERVER: &str = r#"
import sys, threading
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer
import logging
logging.getLogger("werkzeug").setLevel(logging.ERROR)
lock, put = threading.Lock(), S3Response.put_object
def put_object(self, *args, **kwargs):
    with lock:
        return put(self, *args, **kwargs)
S3Response.put_object = put_object
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
import boto3
s3 = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
    aws_access_key_id="a", aws_secret_access_key="b")
s3.create_bucket(Bucket="drills")
print(f"http://{host}:{port}", flush=True)
sys.stdin.read()
"#;
const PACKAGES: &[&str] = &["moto[s3,server]==5.2.1"];

/// The S3 of moto, until it is dropped.
pub(crate) struct Bucket {
    server: Child,
    url: String,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Bucket {
    /// None where Python cannot have it, which was said.
    pub(crate) fn start() -> Option<Self> {
        let home = venv("moto", PACKAGES)?;
        let mut server = Command::new(home.join("bin/python"))
            .args(["-c", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let out = server.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        assert!(url.starts_with("http://"), "moto has not started: {url}");
        Some(Self { server, url })
    }

    /// A command that works on the bucket from a machine of its own.
    fn on(&self, machine: &Path, words: &[&str]) -> Command {
        on_bucket(&self.url, machine, words)
    }

    fn said(&self, machine: &Path, words: &[&str]) -> (i32, String, String) {
        said(&self.on(machine, words).output().unwrap())
    }
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr),
    )
}

const STATE: &str = "s3://drills/redrill";

fn rounds(least: usize) -> usize {
    let more = std::env::var("REDRILL_ROUNDS").ok();
    more.and_then(|rounds| rounds.parse().ok()).unwrap_or(least)
}

/// A machine with a plan of so many restores, two after each other.
fn machine(restores: usize) -> tempfile::TempDir {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(restores, 2));
    folder
}

/// Restores that take a second or so.
async fn slow() -> Emulator {
    emulator(Options {
        speed: Speed::Times(1200.0),
        ..Options::default()
    })
    .await
}

/// What is asked of a run by a person: `--yes`, and which.
fn words<'a>(run: &'a str, url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![
        "run",
        "plan.yaml",
        "--yes",
        "--run-id",
        run,
        "--state",
        STATE,
    ];
    words.extend(["--endpoint-url", url, "--no-rate-limit", "--lease", "1s"]);
    words.extend(more);
    words
}

/// From one machine to the next: run, status, report, evidence, cleanup.
#[tokio::test(flavor = "multi_thread")]
async fn another_machine_knows_what_this_one_has_done() {
    let Some(bucket) = Bucket::start() else {
        return;
    };
    let emulator = emulator(Options::default()).await;
    let url = emulator.url();
    tokio::task::spawn_blocking(move || {
        let (first, second) = (machine(3), machine(3));
        let (code, stdout, stderr) = bucket.said(first.path(), &words("q4", &url, &[]));
        assert_eq!(code, 0, "{stdout}{stderr}");
        // Nothing was left on the first machine.
        assert!(!first.path().join(".redrill").exists());
        let state = ["--state", STATE];
        let (code, stdout, stderr) = bucket.said(second.path(), &[&["runs"][..], &state].concat());
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains("q4"), "{stdout}");
        let report = ["report", "plan.yaml", "--run-id", "q4", "--format", "json"];
        let (code, of_second, stderr) = bucket.said(second.path(), &[&report[..], &state].concat());
        assert_eq!(code, 0, "{stderr}");
        let (_, of_first, _) = bucket.said(first.path(), &[&report[..], &state].concat());
        assert_eq!(of_first, of_second);
        // What has ended is not run again.
        let (code, stdout, stderr) = bucket.said(second.path(), &words("q4", &url, &[]));
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains("nothing was started now"), "{stdout}");
        // There and back again is the same, byte by byte.
        let copy = |from: &str, to: &str| {
            let (code, stdout, stderr) = bucket.said(second.path(), &["state", "copy", from, to]);
            assert_eq!(code, 0, "{stdout}{stderr}");
        };
        copy(STATE, "here");
        copy("here", "s3://drills/again");
        copy("s3://drills/again", "there");
        let files = |state: &str| {
            let folder = second.path().join(state).join("many/q4/journal");
            let mut files: Vec<_> = std::fs::read_dir(&folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            files.sort();
            let bytes = files.iter().map(|file| std::fs::read(file).unwrap());
            bytes.collect::<Vec<Vec<u8>>>()
        };
        assert!(!files("here").is_empty());
        assert_eq!(files("here"), files("there"));
        // What is further is left alone.
        let shorter = second.path().join("shorter/many/q4/journal");
        std::fs::create_dir_all(&shorter).unwrap();
        let first_segment = second.path().join("here/many/q4/journal/00000001.jsonl");
        std::fs::copy(first_segment, shorter.join("00000001.jsonl")).unwrap();
        let (code, stdout, stderr) =
            bucket.said(second.path(), &["state", "copy", "shorter", STATE]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert!(stdout.contains("is there already, and further"), "{stdout}");
        // A flipped byte is named.
        let segment = second.path().join("there/many/q4/journal/00000001.jsonl");
        let mut bytes = std::fs::read(&segment).unwrap();
        bytes[40] ^= 1;
        std::fs::write(&segment, bytes).unwrap();
        let (code, stdout, stderr) = bucket.said(second.path(), &["state", "check", "there"]);
        assert_eq!(code, 6, "{stdout}{stderr}");
        assert!(
            stdout.contains("00000001.jsonl: damaged at byte"),
            "{stdout}"
        );
        let (code, stdout, _) = bucket.said(second.path(), &["state", "check", STATE]);
        assert_eq!(code, 0, "{stdout}");
        assert!(stdout.contains("conditional writes: kept"), "{stdout}");
        let cleanup = [
            "cleanup",
            "plan.yaml",
            "--run-id",
            "q4",
            "--yes",
            "--endpoint-url",
            &url,
        ];
        let (code, stdout, stderr) = bucket.said(second.path(), &[&cleanup[..], &state].concat());
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert!(
            stdout.contains("3 deleted (verified), 0 remaining"),
            "{stdout}"
        );
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 3);
    emulator.shutdown().await;
}

/// A is killed at some moment, B stands by and ends the run: as many jobs as restores, and each followed to its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_killed_has_an_heir() {
    let Some(bucket) = Bucket::start() else {
        return;
    };
    let rounds = rounds(3);
    for round in 0..rounds {
        let emulator = slow().await;
        let url = emulator.url();
        let bucket = &bucket;
        let run = format!("killed-{round}");
        tokio::task::block_in_place(|| {
            let (a, b) = (machine(5), machine(5));
            let mut first = bucket.on(a.path(), &words(&run, &url, &["-q"]));
            let mut first = first
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut standby = bucket.on(b.path(), &words(&run, &url, &["--standby"]));
            let standby = standby
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // Anywhere from before its first call to after its last.
            std::thread::sleep(Duration::from_millis(fastrand::u64(0..2500)));
            let _ = first.kill();
            let _ = first.wait();
            let output = standby.wait_with_output().unwrap();
            let (code, stdout, stderr) = said(&output);
            assert_eq!(code, 0, "round {round}: {stdout}{stderr}");
            let report = [
                "report",
                "plan.yaml",
                "--run-id",
                &run,
                "--state",
                STATE,
                "--json",
            ];
            let (_, of_a, _) = bucket.said(a.path(), &report);
            let (_, of_b, _) = bucket.said(b.path(), &report);
            assert_eq!(of_a, of_b, "round {round}");
            assert_eq!(
                of_b.matches("\"COMPLETED\"").count(),
                5,
                "round {round}: {of_b}"
            );
        });
        assert_eq!(emulator.jobs().len(), 5, "round {round}");
        emulator.shutdown().await;
    }
}

/// A is frozen, B takes over, A thaws: it sends nothing more, and says that the run is another's.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_thaws_sends_nothing_more() {
    let Some(bucket) = Bucket::start() else {
        return;
    };
    let signal = |child: &Child, name: &str| {
        let pid = child.id().to_string();
        let done = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(done.success());
    };
    for round in 0..rounds(2) {
        let emulator = slow().await;
        let url = emulator.url();
        let bucket = &bucket;
        let run = format!("frozen-{round}");
        tokio::task::block_in_place(|| {
            let (a, b) = (machine(5), machine(5));
            let mut first = bucket.on(a.path(), &words(&run, &url, &[]));
            let mut first = first
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // It has begun where it says so.
            let mut said_by_first = BufReader::new(first.stderr.take().unwrap());
            let mut line = String::new();
            while !line.contains("started, job") {
                line.clear();
                assert!(
                    said_by_first.read_line(&mut line).unwrap() > 0,
                    "round {round}: it ended"
                );
            }
            signal(&first, "-STOP");
            let (code, stdout, stderr) = bucket.said(b.path(), &words(&run, &url, &["--standby"]));
            assert_eq!(code, 0, "round {round}: {stdout}{stderr}");
            let jobs = emulator.jobs().len();
            signal(&first, "-CONT");
            let status = first.wait().unwrap();
            assert_eq!(status.code(), Some(10), "round {round}");
            assert_eq!(emulator.jobs().len(), jobs, "round {round}");
        });
        assert_eq!(emulator.jobs().len(), 5, "round {round}");
        emulator.shutdown().await;
    }
}

/// Six at once: one works, the others are told who does.
#[tokio::test(flavor = "multi_thread")]
async fn of_six_runners_at_once_one_works() {
    let Some(bucket) = Bucket::start() else {
        return;
    };
    for round in 0..rounds(2) {
        let emulator = slow().await;
        let url = emulator.url();
        let run = format!("six-{round}");
        let bucket = &bucket;
        tokio::task::block_in_place(|| {
            let machines: Vec<_> = (0..6).map(|_| machine(3)).collect();
            let runners: Vec<Child> = machines
                .iter()
                .map(|machine| {
                    let mut command = bucket.on(machine.path(), &words(&run, &url, &[]));
                    command.stdout(Stdio::piped()).stderr(Stdio::piped());
                    command.spawn().unwrap()
                })
                .collect();
            let ends: Vec<(i32, String, String)> = runners
                .into_iter()
                .map(|runner| said(&runner.wait_with_output().unwrap()))
                .collect();
            let count = |code| ends.iter().filter(|end| end.0 == code).count();
            // Whoever comes when it has ended is told that it has.
            assert!(
                count(0) >= 1 && count(0) + count(10) == 6,
                "round {round}: {ends:#?}"
            );
        });
        assert_eq!(emulator.jobs().len(), 3, "round {round}");
        emulator.shutdown().await;
    }
}

#[test]
fn what_is_no_state_is_said() {
    let machine = machine(1);
    for (state, says) in [
        ("s3://", "is not the name of a bucket"),
        ("s3://Upper/x", "is not the name of a bucket"),
        ("s3://drills//x//y", "two slashes"),
        ("gs://drills", "not in gs://"),
        ("s3:/drills/x", "write a bucket as s3://"),
        ("s3:drills/x", "write a bucket as s3://"),
        ("S3://drills/x", "write a bucket as s3://"),
        ("arn:aws:s3:::drills", "write a bucket as s3://"),
    ] {
        let assert = redrill(machine.path())
            .args(["runs", "--state", state])
            .assert();
        let output = assert.get_output();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{state}: {stderr}");
        assert!(stderr.contains(says), "{state}: {stderr}");
    }
}
