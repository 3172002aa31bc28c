//! Every answer of S3 that is none, over the wire: a small S3 in this process that fails as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use redrill_emulator::{Emulator, Options};

use crate::support::{emulator, folder, many, on_bucket, write};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// This status and code; nothing is done.
    Answer(u16, &'static str),
    /// The connection is closed before anything is done.
    ResetBefore,
    /// It is done, and the connection is closed.
    ResetAfter,
    /// Half of the body.
    Truncated,
}

#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, (Vec<u8>, u64, Option<String>)>,
    version: u64,
    /// Faults of requests with a method whose key ends with this: the first of each is taken.
    faults: VecDeque<(&'static str, &'static str, Fault)>,
    /// From now on everything is refused.
    denied: Option<(u16, &'static str)>,
}

/// A small S3: objects by their path, and conditional writes as of S3
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
#[derive(Clone)]
pub(crate) struct S3 {
    kept: Arc<Mutex<Kept>>,
    pub(crate) url: String,
}

impl S3 {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let shared = Arc::clone(&kept);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), kept) = (stream, Arc::clone(&shared)) else {
                    return;
                };
                thread::spawn(move || while serve(&stream, &kept).is_some() {});
            }
        });
        Self { kept, url }
    }

    /// What is under a key, which may have the bucket before it.
    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.objects.get(key).map(|(bytes, ..)| bytes.clone())
    }

    fn fail(&self, method: &'static str, key: &'static str, fault: Fault) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.faults.push_back((method, key, fault));
    }

    fn deny(&self, with: Option<(u16, &'static str)>) {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .denied = with;
    }

    /// Whether every fault was met.
    fn is_done(&self) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.faults.is_empty()
    }

    fn on(&self, machine: &Path, words: &[&str]) -> Command {
        on_bucket(&self.url, machine, words)
    }
}

/// Answers one request of a connection; none where it has ended.
fn serve(stream: &TcpStream, kept: &Mutex<Kept>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|of| of.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let key = path
        .trim_start_matches('/')
        .split_once('/')
        .map_or("", |(_, key)| key)
        .to_owned();
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let is_it = |(of, ends, _): &(&str, &str, Fault)| *of == method && key.ends_with(ends);
    let fault = kept
        .faults
        .iter()
        .position(is_it)
        .and_then(|at| kept.faults.remove(at));
    let fault = fault.map(|(_, _, fault)| fault);
    if let Some((status, code)) = kept.denied.filter(|_| method != "HEAD") {
        return answer(stream, status, &[], error(code).as_bytes(), None);
    }
    match fault {
        Some(Fault::ResetBefore) => {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return None;
        }
        Some(Fault::Answer(status, code)) => {
            return answer(stream, status, &[], error(code).as_bytes(), None);
        }
        Some(Fault::ResetAfter | Fault::Truncated) | None => {}
    }
    let (status, mut fields, bytes) = done(&mut kept, &method, &key, query, &headers, body);
    if fault == Some(Fault::ResetAfter) {
        let _ = stream.shutdown(std::net::Shutdown::Both);
        return None;
    }
    fields.push(("x-amz-request-id".to_owned(), "r-1".to_owned()));
    let cut = (fault == Some(Fault::Truncated)).then_some(bytes.len() / 2);
    answer(stream, status, &fields, &bytes, cut)
}

type Answer = (u16, Vec<(String, String)>, Vec<u8>);

fn done(
    kept: &mut Kept,
    method: &str,
    key: &str,
    query: &str,
    headers: &BTreeMap<String, String>,
    body: Vec<u8>,
) -> Answer {
    let refused = |status, code| (status, Vec::new(), error(code).into_bytes());
    match (method, key) {
        ("HEAD", _) => (
            200,
            vec![("x-amz-bucket-region".to_owned(), "us-east-1".to_owned())],
            Vec::new(),
        ),
        ("GET", "") => (200, Vec::new(), listing(kept, query).into_bytes()),
        ("GET", _) => match kept.objects.get(key) {
            Some((bytes, version, writer)) => {
                let mut fields = vec![("etag".to_owned(), format!("\"{version}\""))];
                let writer = writer
                    .iter()
                    .map(|of| ("x-amz-meta-redrill-writer".to_owned(), of.clone()));
                fields.extend(writer);
                (200, fields, bytes.clone())
            }
            None => refused(404, "NoSuchKey"),
        },
        ("PUT", _) => {
            let there = kept
                .objects
                .get(key)
                .map(|(_, version, _)| format!("\"{version}\""));
            match (
                headers.get("if-none-match"),
                headers.get("if-match"),
                &there,
            ) {
                (Some(_), _, Some(_)) => return refused(412, "PreconditionFailed"),
                (_, Some(_), None) => return refused(404, "NoSuchKey"),
                (_, Some(wanted), Some(is)) if wanted != is => {
                    return refused(412, "PreconditionFailed");
                }
                _ => {}
            }
            kept.version += 1;
            let version = kept.version;
            let writer = headers.get("x-amz-meta-redrill-writer").cloned();
            kept.objects.insert(key.to_owned(), (body, version, writer));
            (
                200,
                vec![("etag".to_owned(), format!("\"{version}\""))],
                Vec::new(),
            )
        }
        _ => refused(405, "MethodNotAllowed"),
    }
}

fn listing(kept: &Kept, query: &str) -> String {
    let parameter = |name: &str| {
        let found = query
            .split('&')
            .find_map(|of| of.strip_prefix(&format!("{name}=")));
        found
            .unwrap_or_default()
            .replace("%2F", "/")
            .replace("%7E", "~")
    };
    let (prefix, after, delimiter) = (
        parameter("prefix"),
        parameter("start-after"),
        parameter("delimiter"),
    );
    let mut text =
        String::from("<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>");
    let mut folders = Vec::new();
    for key in kept
        .objects
        .keys()
        .filter(|key| key.starts_with(&prefix) && **key > after)
    {
        let folder = key[prefix.len()..]
            .split_once('/')
            .filter(|_| !delimiter.is_empty());
        match folder {
            Some((name, _)) if folders.last() != Some(&name) => {
                folders.push(name);
                text.push_str(&format!(
                    "<CommonPrefixes><Prefix>{prefix}{name}/</Prefix></CommonPrefixes>"
                ));
            }
            Some(_) => {}
            None => text.push_str(&format!("<Contents><Key>{key}</Key></Contents>")),
        }
    }
    text + "</ListBucketResult>"
}

fn error(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as it was told</Message></Error>"
    )
}

/// Writes an answer, or the first part of it and then nothing.
fn answer(
    mut stream: &TcpStream,
    status: u16,
    fields: &[(String, String)],
    body: &[u8],
    cut: Option<usize>,
) -> Option<()> {
    let mut head = format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\ncontent-type: application/xml\r\n",
        body.len()
    );
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if fields.is_empty() {
        head.push_str("x-amz-request-id: r-1\r\n");
    }
    // One packet: the other side would wait before it acknowledges the first of two.
    let mut whole = format!("{head}\r\n").into_bytes();
    whole.extend_from_slice(&body[..cut.unwrap_or(body.len())]);
    stream.write_all(&whole).ok()?;
    if cut.is_some() {
        let _ = stream.shutdown(std::net::Shutdown::Both);
        return None;
    }
    Some(())
}

/// A run of three restores, and what it says.
fn run(s3: &S3, machine: &Path, emulator: &Emulator, run: &str, more: &[&str]) -> (i32, String) {
    let url = emulator.url();
    let mut words = vec![
        "run",
        "plan.yaml",
        "--yes",
        "--run-id",
        run,
        "--state",
        "s3://drills/x",
    ];
    words.extend(["--endpoint-url", &url, "--no-rate-limit", "--lease", "2s"]);
    words.extend(more);
    let output = s3.on(machine, &words).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (
        output.status.code().unwrap_or(-1),
        text + &String::from_utf8_lossy(&output.stderr),
    )
}

fn machine() -> tempfile::TempDir {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(3, 1));
    folder
}

/// What AWS documents as answers of S3 under load, and what networks do: the run goes on, with one job each.
#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_waited_for() {
    let segment = "00000002.jsonl";
    for (nth, (method, key, fault)) in [
        (
            "PUT",
            segment,
            Fault::Answer(409, "ConditionalRequestConflict"),
        ),
        ("PUT", segment, Fault::Answer(500, "InternalError")),
        ("PUT", segment, Fault::Answer(503, "SlowDown")),
        ("PUT", segment, Fault::ResetBefore),
        ("PUT", segment, Fault::ResetAfter),
        ("PUT", "lease.json", Fault::ResetAfter),
        (
            "PUT",
            "lease.json",
            Fault::Answer(409, "ConditionalRequestConflict"),
        ),
        ("PUT", "lease.json", Fault::Answer(500, "InternalError")),
        ("GET", "00000001.jsonl", Fault::Truncated),
        ("GET", "00000001.jsonl", Fault::Answer(503, "SlowDown")),
        ("GET", "", Fault::ResetBefore),
    ]
    .into_iter()
    .enumerate()
    {
        let (s3, machine) = (S3::start(), machine());
        let emulator = emulator(Options::default()).await;
        let id = format!("r{nth}");
        s3.fail(method, key, fault);
        tokio::task::block_in_place(|| {
            let (code, said) = run(&s3, machine.path(), &emulator, &id, &[]);
            assert_eq!(code, 0, "{method} {key} {fault:?}: {said}");
            // It is read again from the beginning.
            let (code, said) = run(&s3, machine.path(), &emulator, &id, &[]);
            assert_eq!(code, 0, "{method} {key} {fault:?}: {said}");
            assert!(said.contains("nothing was started now"), "{said}");
            assert!(s3.is_done(), "{method} {key} {fault:?} was never met");
        });
        assert_eq!(emulator.jobs().len(), 3, "{method} {key} {fault:?}");
        emulator.shutdown().await;
    }
}

/// A bucket that is gone, read-only, or not this caller's: said at once, nothing is sent, and the same command goes on later.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_is_said() {
    for (status, code) in [
        (403, "AccessDenied"),
        (404, "NoSuchBucket"),
        (403, "InvalidAccessKeyId"),
    ] {
        let (s3, machine) = (S3::start(), machine());
        let emulator = emulator(Options::default()).await;
        tokio::task::block_in_place(|| {
            s3.deny(Some((status, code)));
            let (exit, said) = run(&s3, machine.path(), &emulator, "main", &[]);
            assert_eq!(exit, 1, "{said}");
            assert!(
                said.contains(code) && said.contains("check the bucket"),
                "{said}"
            );
            assert!(emulator.jobs().is_empty());
            // In the middle of it.
            s3.deny(None);
            s3.fail("PUT", "00000003.jsonl", Fault::Answer(status, code));
            let (exit, said) = run(&s3, machine.path(), &emulator, "main", &[]);
            assert_eq!(exit, 1, "{said}");
            assert_eq!(said.matches(code).count(), 1, "{said}");
            assert!(said.contains("run the same command again"), "{said}");
            let (exit, said) = run(&s3, machine.path(), &emulator, "main", &[]);
            assert_eq!(exit, 0, "{said}");
        });
        assert_eq!(emulator.jobs().len(), 3, "{code}");
        emulator.shutdown().await;
    }
}

/// A run that somebody works on is named, with who does.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_held_is_said_with_its_holder() {
    let (s3, machine) = (S3::start(), machine());
    let emulator = emulator(Options {
        speed: redrill_emulator::Speed::Times(60.0),
        ..Options::default()
    })
    .await;
    let url = emulator.url();
    let mut words = vec!["run", "plan.yaml", "--yes", "--state", "s3://drills/x"];
    words.extend(["--endpoint-url", &url, "--lease", "2s"]);
    let mut first = s3.on(machine.path(), &words);
    let mut first = first.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let stderr = first.stderr.take().unwrap();
    tokio::task::block_in_place(|| {
        let mut lines = BufReader::new(stderr).lines();
        assert!(lines.any(|line| line.unwrap().contains("started, job")));
        let (code, said) = run(&s3, machine.path(), &emulator, "main", &[]);
        assert_eq!(code, 10, "{said}");
        assert!(
            said.contains("holds this run since") && said.contains("last heard of"),
            "{said}"
        );
        let state = ["status", "--state", "s3://drills/x", "--utc"];
        let output = s3.on(machine.path(), &state).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("worked on by"), "{said}");
        let copy = ["state", "copy", "s3://drills/x", "here"];
        let output = s3.on(machine.path(), &copy).output().unwrap();
        assert_eq!(output.status.code(), Some(10), "{output:?}");
        first.kill().unwrap();
        first.wait().unwrap();
        // Whoever comes now waits until it counts as gone.
        let (code, said) = run(&s3, machine.path(), &emulator, "main", &[]);
        assert_eq!(code, 0, "{said}");
        assert!(
            said.contains("waiting to see whether it is still alive"),
            "{said}"
        );
    });
    assert_eq!(emulator.jobs().len(), 3);
    emulator.shutdown().await;
}

/// A copy that was broken off is no shorter run: nobody reads past the gap, nothing is started, and the same copy mends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_broken_off_is_not_taken_for_the_run() {
    let (s3, machine) = (S3::start(), machine());
    let emulator = emulator(Options::default()).await;
    tokio::task::block_in_place(|| {
        let (code, said) = run(&s3, machine.path(), &emulator, "main", &[]);
        assert_eq!(code, 0, "{said}");
        let on = |words: &[&str]| {
            let output = s3.on(machine.path(), words).output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let said = text(&output.stdout) + &text(&output.stderr);
            (output.status.code().unwrap_or(-1), said)
        };
        let copy = ["state", "copy", "s3://drills/x", "s3://drills/y"];
        s3.fail("PUT", "00000001.jsonl", Fault::Answer(403, "AccessDenied"));
        let (code, said) = on(&copy);
        assert_eq!(code, 1, "{said}");
        let (code, said) = on(&["state", "check", "s3://drills/y"]);
        assert_eq!(code, 6, "{said}");
        let gap = "00000001.jsonl: damaged at byte 0 (record 1): it is missing, and later segments are there: \
                   where `redrill state copy` was interrupted, repeat it";
        assert!(said.contains(gap), "{said}");
        let run = ["run", "plan.yaml", "--yes", "--state", "s3://drills/y"];
        let url = emulator.url();
        let (code, said) = on(&[&run[..], &["--endpoint-url", &url]].concat());
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("repeat it"), "{said}");
        // The same on a disk that was full in the middle of a segment.
        let here = machine.path().join("here/many/main/journal");
        let (code, said) = on(&["state", "copy", "s3://drills/x", "here"]);
        assert_eq!(code, 0, "{said}");
        let segment = |number: u32| here.join(format!("{number:08}.jsonl"));
        let bytes = std::fs::read(segment(2)).unwrap();
        std::fs::write(segment(2), &bytes[..bytes.len() / 2]).unwrap();
        std::fs::remove_file(segment(1)).unwrap();
        for (to, segments) in [("here", 2), ("s3://drills/y", 1)] {
            let (code, said) = on(&["state", "copy", "s3://drills/x", to]);
            assert_eq!(code, 0, "{said}");
            let copied = format!("run main: {segments} of ");
            assert!(said.contains(&copied), "{said}");
            let (code, said) = on(&["state", "check", to]);
            assert_eq!(code, 0, "{said}");
            assert!(said.contains("1 run, whole"), "{said}");
        }
        assert_eq!(std::fs::read(segment(2)).unwrap(), bytes);
        // What the bucket does not let anybody see is said as it was answered.
        let (code, said) = on(&["state", "check", "s3://drills/y"]);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("versioning: "), "{said}");
    });
    assert_eq!(emulator.jobs().len(), 3);
    emulator.shutdown().await;
}
