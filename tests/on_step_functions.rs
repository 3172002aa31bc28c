//! `run --on step-functions`: a state machine starts the restores, and runs follow it, from wherever they are typed.
//!
//! `REDRILL_ROUNDS` kills more followers.
//!
//! The machine is a small stand-in in this process, which does with an export what Step Functions does: that the exported machine
//! does the same on a real interpreter is tested in `step_functions`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use redrill::backup::Writer as _;
use redrill::plan::{Request, TokenedRequest};
use redrill_emulator::{Emulator, Faults, JobStatus, Options, Speed};
use serde_json::{Value, json};

use crate::harness::connect;
use crate::s3_faults::S3;
use crate::support::{emulator, folder, many, on_bucket, write};

const MACHINE: &str = "arn:aws:states:us-west-2:123456789012:stateMachine:redrill-many";
/// As an export writes it, as far as anybody asks.
const DEFINITION: &str = r#"{"States":{"Lanes":{"ResultWriter":{"Parameters":{"Bucket":"drills","Prefix":"sfn/many/results"}}}}}"#;

#[derive(Clone, Debug)]
struct Seen {
    input: String,
    status: &'static str,
}

/// Step Functions, with one machine.
struct States {
    url: String,
    executions: Arc<Mutex<BTreeMap<String, Seen>>>,
}

impl States {
    /// Starts restores at an emulator, from items in a bucket; no more of them than so many.
    fn start(s3: &S3, emulator: &Arc<Emulator>, most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let executions: Arc<Mutex<BTreeMap<String, Seen>>> = Arc::default();
        let (shared, s3, emulator) = (Arc::clone(&executions), s3.clone(), Arc::clone(emulator));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (shared, s3, emulator) =
                    (Arc::clone(&shared), s3.clone(), Arc::clone(&emulator));
                thread::spawn(
                    move || while answer(&stream, &shared, &s3, &emulator, most).is_some() {},
                );
            }
        });
        Self { url, executions }
    }

    fn on(
        &self,
        s3: &S3,
        emulator: &Emulator,
        machine: &Path,
        more: &[&str],
    ) -> std::process::Command {
        let url = emulator.url();
        let words = [
            &[
                "run",
                "plan.yaml",
                "--yes",
                "--on",
                "step-functions",
                "--state-machine",
                MACHINE,
            ][..],
            &["--endpoint-url", &url, "--no-rate-limit"],
            more,
        ];
        let mut command = on_bucket(&s3.url, machine, &words.concat());
        command.env("AWS_ENDPOINT_URL_SFN", &self.url);
        command
    }

    fn executions(&self) -> BTreeMap<String, Seen> {
        let executions = self
            .executions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        executions.clone()
    }
}

/// Answers one request of a connection; none where it has ended.
fn answer(
    mut stream: &TcpStream,
    executions: &Arc<Mutex<BTreeMap<String, Seen>>>,
    s3: &S3,
    emulator: &Arc<Emulator>,
    most: usize,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut length, mut operation) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_lowercase();
        if let Some(of) = line.strip_prefix("content-length:") {
            length = of.trim().parse().ok()?;
        }
        if let Some((_, of)) = line.split_once("awsstepfunctions.") {
            operation = of.to_owned();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let asked: Value = serde_json::from_slice(&body).ok()?;
    let text = |key: &str| asked[key].as_str().unwrap_or_default().to_owned();
    let mut all = executions.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, said) = match operation.as_str() {
        "describestatemachine" => (
            200,
            json!({ "stateMachineArn": MACHINE, "name": "redrill-many", "definition": DEFINITION, "roleArn": "arn:aws:iam::123456789012:role/x",
                "type": "STANDARD", "creationDate": 1_700_000_000.0 }),
        ),
        "startexecution" => {
            let (name, input) = (text("name"), text("input"));
            let arn = format!("{}:{name}", MACHINE.replace("stateMachine", "execution"));
            match all.get(&arn) {
                Some(seen) if seen.input != input || seen.status != "RUNNING" => (
                    400,
                    json!({ "__type": "ExecutionAlreadyExists", "message": "it is there" }),
                ),
                seen => {
                    if seen.is_none() {
                        let status = "RUNNING";
                        all.insert(
                            arn.clone(),
                            Seen {
                                input: input.clone(),
                                status,
                            },
                        );
                        let (executions, s3, emulator) =
                            (Arc::clone(executions), s3.clone(), Arc::clone(emulator));
                        let of = arn.clone();
                        thread::spawn(move || {
                            let status = carry_out(&input, &s3, &emulator, most);
                            let mut all = executions.lock().unwrap_or_else(PoisonError::into_inner);
                            all.get_mut(&of).unwrap().status = status;
                        });
                    }
                    (
                        200,
                        json!({ "executionArn": arn, "startDate": 1_700_000_000.0 }),
                    )
                }
            }
        }
        "describeexecution" => match all.get(&text("executionArn")) {
            Some(seen) => (
                200,
                json!({ "executionArn": text("executionArn"), "stateMachineArn": MACHINE, "status": seen.status, "startDate": 1_700_000_000.0,
                    "input": seen.input }),
            ),
            None => (
                400,
                json!({ "__type": "ExecutionDoesNotExist", "message": "there is none" }),
            ),
        },
        _ => (400, json!({ "__type": "UnknownOperationException" })),
    };
    drop(all);
    let said = said.to_string();
    let whole = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/x-amz-json-1.0\r\nx-amzn-requestid: r-1\r\ncontent-length: {}\r\n\r\n{said}",
        said.len()
    );
    stream.write_all(whole.as_bytes()).ok()
}

/// Lane after lane, level after level, restore after restore.
fn carry_out(input: &str, s3: &S3, emulator: &Arc<Emulator>, most: usize) -> &'static str {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let input: Value = serde_json::from_str(input).unwrap();
    let mut started = 0;
    let mut status = "SUCCEEDED";
    for pool in input["pools"].as_array().unwrap() {
        let items = s3.get(pool["itemsKey"].as_str().unwrap()).unwrap();
        let lanes: Value = serde_json::from_slice(&items).unwrap();
        for lane in lanes.as_array().unwrap() {
            let restores = lane["levels"].as_array().unwrap().iter();
            let restores = restores.flat_map(|level| level["restores"].as_array().unwrap());
            for restore in restores {
                if started == most {
                    return "ABORTED";
                }
                started += 1;
                let request: Request = serde_json::from_value(restore["request"].clone()).unwrap();
                let token = request.idempotency_token.clone().unwrap();
                let job = runtime.block_on(async {
                    let aws = connect(emulator).await;
                    aws.start(&TokenedRequest::new(request, &token))
                        .await
                        .unwrap()
                        .job_id
                });
                let ended = loop {
                    let jobs = emulator.jobs();
                    let of = jobs.iter().find(|of| job == *of.id).unwrap().status;
                    if !matches!(of, JobStatus::Pending | JobStatus::Running) {
                        break of;
                    }
                    thread::sleep(Duration::from_millis(20));
                };
                if ended != JobStatus::Completed {
                    status = "FAILED";
                    break;
                }
            }
        }
    }
    status
}

async fn aws(faults: &str) -> Arc<Emulator> {
    let options = Options {
        speed: Speed::Times(2000.0),
        faults: Faults::parse(faults).unwrap(),
        ..Options::default()
    };
    Arc::new(emulator(options).await)
}

fn said(output: &std::process::Output) -> (i32, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    (output.status.code().unwrap_or(-1), said)
}

fn machine(plan: &str) -> tempfile::TempDir {
    let folder = folder();
    write(folder.path(), "plan.yaml", plan);
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_follows_what_a_state_machine_starts() {
    let (s3, emulator) = (S3::start(), aws("[]").await);
    let states = States::start(&s3, &emulator, usize::MAX);
    let checked = many(3, 2).replace(
        "  r0:\n",
        "  r0:\n    checks: [{ name: seen, run: [\"true\"] }]\n",
    );
    let here = machine(&checked);
    let elsewhere = machine(&checked);
    tokio::task::block_in_place(|| {
        let (code, text) = said(
            &states
                .on(&s3, &emulator, here.path(), &[])
                .output()
                .unwrap(),
        );
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("3 of 3 restored"), "{text}");
        assert_eq!(
            text.matches("started elsewhere for this run").count(),
            3,
            "{text}"
        );
        // Anybody else finds the same, with what the run has checked by then.
        let (code, text) = said(
            &states
                .on(&s3, &emulator, elsewhere.path(), &[])
                .output()
                .unwrap(),
        );
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("3 of 3 restored"), "{text}");
        // And so does a run that starts what is left.
        let fresh = machine(&checked);
        let words = ["run", "plan.yaml", "--yes", "--endpoint-url"];
        let url = emulator.url();
        let native = on_bucket(&s3.url, fresh.path(), &[&words[..], &[&url]].concat());
        let (code, text) = said(&{ native }.output().unwrap());
        assert_eq!(code, 0, "{text}");
        // Another version of the plan is not the same run.
        write(here.path(), "plan.yaml", &many(4, 0));
        let command = &mut states.on(&s3, &emulator, here.path(), &["--state", "other"]);
        let (code, text) = said(&command.output().unwrap());
        assert_eq!(code, 4, "{text}");
        assert!(
            text.contains("has other restores than the plan asks for now"),
            "{text}"
        );
        assert_eq!(states.executions().len(), 1);
    });
    assert_eq!(emulator.jobs().len(), 3);
}

/// A machine starts every restore of the plan: a run that has begun without it is not given to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_begun_by_itself_is_not_given_to_a_machine() {
    let (s3, emulator) = (S3::start(), aws("[]").await);
    let states = States::start(&s3, &emulator, usize::MAX);
    let (here, elsewhere) = (machine(&many(3, 1)), machine(&many(3, 1)));
    tokio::task::block_in_place(|| {
        let url = emulator.url();
        let words = [
            "run",
            "plan.yaml",
            "--yes",
            "-q",
            "--only",
            "r0",
            "--endpoint-url",
            &url,
        ];
        let native = on_bucket(&s3.url, here.path(), &words).output().unwrap();
        assert_eq!(said(&native).0, 0, "{native:?}");
        // Where its record is, and where only its job at AWS says so.
        for folder in [&here, &elsewhere] {
            let (code, text) = said(
                &states
                    .on(&s3, &emulator, folder.path(), &[])
                    .output()
                    .unwrap(),
            );
            assert_eq!(code, 4, "{text}");
            assert!(
                text.contains("run main has begun without the state machine, with `r0`"),
                "{text}"
            );
        }
        assert!(states.executions().is_empty());
    });
    assert_eq!(emulator.jobs().len(), 1);
}

/// Two that start the same restores are kept apart while one of them is known to.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_not_taken_from_a_machine_that_works_on_it() {
    let options = Options {
        speed: Speed::Times(80.0),
        ..Options::default()
    };
    let (s3, emulator) = (S3::start(), Arc::new(emulator(options).await));
    // It ends after the first.
    let states = States::start(&s3, &emulator, 1);
    let here = machine(&many(3, 1));
    tokio::task::block_in_place(|| {
        let mut follower = states.on(&s3, &emulator, here.path(), &[]);
        let mut follower = follower
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(follower.stderr.take().unwrap()).lines();
        let is_found = |line: &String| line.contains("many run main, at ");
        assert!(lines.map(|line| line.unwrap()).any(|line| is_found(&line)));
        // It has begun to look; its first record is there.
        let journal = here
            .path()
            .join(".redrill/many/main/journal/00000001.jsonl");
        while !journal.exists() {
            thread::yield_now();
        }
        follower.kill().unwrap();
        follower.wait().unwrap();
        let status = on_bucket(&s3.url, here.path(), &["status"])
            .output()
            .unwrap();
        let (_, text) = said(&status);
        assert!(
            text.contains(&format!("--on step-functions --state-machine {MACHINE}")),
            "{text}"
        );
        let url = emulator.url();
        let native = |sfn: &str, more: &[&str]| {
            let words = [&["run", "plan.yaml", "--yes", "--endpoint-url", &url], more].concat();
            let mut command = on_bucket(&s3.url, here.path(), &words);
            said(&command.env("AWS_ENDPOINT_URL_SFN", sfn).output().unwrap())
        };
        let (code, text) = native(&states.url, &[]);
        assert_eq!(code, 4, "{text}");
        assert!(
            text.contains("aws stepfunctions stop-execution --region us-west-2"),
            "{text}"
        );
        let words = ["cleanup", "plan.yaml", "--yes", "--endpoint-url", &url];
        let mut cleanup = on_bucket(&s3.url, here.path(), &words);
        let (code, text) = said(
            &cleanup
                .env("AWS_ENDPOINT_URL_SFN", &states.url)
                .output()
                .unwrap(),
        );
        assert_eq!(code, 4, "{text}");
        let (code, text) = native("http://127.0.0.1:9", &[]);
        assert_eq!(code, 4, "{text}");
        assert!(
            text.contains("whether it still runs is not known"),
            "{text}"
        );
        while states
            .executions()
            .values()
            .any(|of| of.status == "RUNNING")
        {
            thread::sleep(Duration::from_millis(20));
        }
        let (code, text) = native(&states.url, &[]);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("3 of 3 restored"), "{text}");
    });
    assert_eq!(emulator.jobs().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_there_fails_here() {
    let faults = format!(
        "- {{ fault: job-fails, recovery_point: '{}', message: No space. }}\n",
        crate::support::point(0)
    );
    let (s3, emulator) = (S3::start(), aws(&faults).await);
    let states = States::start(&s3, &emulator, usize::MAX);
    let here = machine(&many(4, 1).replace("    needs: [r2]\n", ""));
    tokio::task::block_in_place(|| {
        let (code, text) = said(
            &states
                .on(&s3, &emulator, here.path(), &[])
                .output()
                .unwrap(),
        );
        assert_eq!(code, 6, "{text}");
        assert!(text.contains("No space."), "{text}");
        // It has ended: what it has not started, it never will.
        let hint = text
            .lines()
            .rfind(|line| line.contains("redrill run"))
            .unwrap();
        assert!(
            !hint.contains("--on") && !hint.contains("--state-machine"),
            "{hint}"
        );
        assert!(text.contains("1 of 4 restored"), "{text}");
        let words = [
            "run",
            "plan.yaml",
            "--yes",
            "--retry-failed",
            "--endpoint-url",
        ];
        let url = emulator.url();
        // A new attempt is redrill's own.
        let again = &mut on_bucket(&s3.url, here.path(), &[&words[..], &[&url]].concat());
        let (code, text) = said(&again.output().unwrap());
        assert_eq!(code, 6, "{text}");
    });
    assert_eq!(emulator.jobs().len(), 3);
}

/// Killed anywhere, and typed again on the same machine or on one that knows nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_is_killed_has_an_heir() {
    let more = std::env::var("REDRILL_ROUNDS").ok();
    let rounds = more.and_then(|of| of.parse().ok()).unwrap_or(5);
    for round in 0..rounds {
        let millis = 30 + 1400 * round / rounds;
        let (s3, emulator) = (S3::start(), aws("[]").await);
        let states = States::start(&s3, &emulator, usize::MAX);
        let (here, elsewhere) = (machine(&many(4, 1)), machine(&many(4, 1)));
        tokio::task::block_in_place(|| {
            let mut command = states.on(&s3, &emulator, here.path(), &["-q"]);
            let mut child = command.spawn().unwrap();
            thread::sleep(Duration::from_millis(millis));
            let _ = child.kill();
            let _ = child.wait();
            let next = [&here, &elsewhere][usize::from(round % 2 == 1)].path();
            let (code, text) = said(
                &states
                    .on(&s3, &emulator, next, &["--take-over"])
                    .output()
                    .unwrap(),
            );
            assert_eq!(code, 0, "{millis} ms: {text}");
            assert!(text.contains("4 of 4 restored"), "{text}");
        });
        assert_eq!(emulator.jobs().len(), 4, "{millis} ms");
        assert_eq!(states.executions().len(), 1, "{millis} ms");
    }
}

#[test]
fn what_is_wrong_with_a_machine_is_said() {
    let here = machine(&many(1, 0));
    for (words, wanted) in [
        (&["--on", "step-functions"][..], "--state-machine <ARN>"),
        (&["--state-machine", MACHINE], "--on <ENGINE>"),
        (
            &[
                "--on",
                "step-functions",
                "--state-machine",
                "arn:aws:lambda:us-west-2:1:function:x",
            ],
            "is not the ARN of a state machine",
        ),
        (
            &[
                "--on",
                "step-functions",
                "--state-machine",
                "arn:aws:states:eu-west-1:123456789012:stateMachine:redrill-many",
            ],
            "is in eu-west-1, and the plan restores in us-west-2; nothing was started",
        ),
        (
            &[
                "--on",
                "step-functions",
                "--state-machine",
                "arn:aws:states:us-west-2:210987654321:stateMachine:redrill-many",
            ],
            "is in the account 210987654321, and the plan restores in 123456789012",
        ),
        (
            &[
                "--on",
                "step-functions",
                "--state-machine",
                MACHINE,
                "--retry-failed",
            ],
            "the machine starts every restore, each for the first time",
        ),
    ] {
        let mut command = on_bucket(
            "http://127.0.0.1:9",
            here.path(),
            &["run", "plan.yaml", "--yes"],
        );
        let (code, text) = said(&command.args(words).output().unwrap());
        assert_eq!(code, 64, "{text}");
        assert!(text.contains(wanted), "{text}");
    }
    // A file and the environment say it without the command line's knowing.
    let file = format!("[run]\non = \"step-functions\"\nstate-machine = [\"{MACHINE}\"]\n");
    write(here.path(), "redrill.toml", &file);
    for (words, wanted) in [
        (
            &["--only", "r0"][..],
            "--only cannot be used with --on step-functions",
        ),
        (&["--retry-failed"], "--retry-failed cannot be used with"),
        (&["--adopt=x"], "--adopt cannot be used with"),
    ] {
        let mut command = on_bucket(
            "http://127.0.0.1:9",
            here.path(),
            &["run", "plan.yaml", "--yes"],
        );
        let (code, text) = said(&command.args(words).output().unwrap());
        assert_eq!(code, 64, "{text}");
        assert!(text.contains(wanted), "{text}");
    }
}
