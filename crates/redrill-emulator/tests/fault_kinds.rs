//! Every kind of fault, provoked.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use redrill_emulator::{Fault, FaultKind, Faults, JobStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw::{Raw, exchange, request};
use crate::clients::*;

async fn with(text: &str) -> Emulator {
    let fault: Fault = text.parse().unwrap();
    start(Options {
        faults: Faults(vec![fault]),
        ..standing()
    })
    .await
}

fn body() -> String {
    format!(
        r#"{{"RecoveryPointArn":"{EC2}","Metadata":{{"InstanceType":"t3.micro"}},"IdempotencyToken":"t1"}}"#
    )
}

/// A StartRestoreJob; None if no answer came.
async fn start_job(emulator: &Emulator) -> Option<Raw> {
    let body = body();
    let length = body.len();
    let text = format!(
        "PUT /restore-jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    exchange(emulator, text.as_bytes()).await
}

/// A job made under the fault, at its end.
async fn ended(fault: &str) -> redrill_emulator::JobSnapshot {
    let emulator = with(&format!("{fault},times=1")).await;
    assert_eq!(start_job(&emulator).await.unwrap().status, 200);
    while advance(&emulator) {}
    let clock = emulator.clock();
    clock.advance_to(clock.now() + SignedDuration::from_hours(1000));
    emulator.jobs().remove(0)
}

/// Returns the status and code of an error that is an answer of the service.
fn error_of(name: &str) -> Option<(u16, &'static str)> {
    Some(match name {
        "throttle" => (400, "ThrottlingException"),
        "error" => (500, "InternalFailure"),
        "internal-failure" => (500, "InternalFailure"),
        "service-unavailable" => (500, "ServiceUnavailableException"),
        "unavailable-503" => (503, "ServiceUnavailable"),
        "dependency-failure" => (500, "DependencyFailureException"),
        "too-many-requests" => (429, "TooManyRequestsException"),
        "limit-exceeded" => (400, "LimitExceededException"),
        "expired-token" => (403, "ExpiredTokenException"),
        "invalid-token" => (403, "UnrecognizedClientException"),
        "missing-token" => (403, "MissingAuthenticationTokenException"),
        "access-denied" => (403, "AccessDeniedException"),
        "clock-skew" => (403, "InvalidSignatureException"),
        "opt-in" => (403, "OptInRequired"),
        "validation" => (400, "ValidationError"),
        _ => return None,
    })
}

async fn provoke(name: &str) {
    if let Some((status, code)) = error_of(name) {
        let emulator = with(name).await;
        let answer = start_job(&emulator).await.unwrap();
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.header("x-amzn-errortype"), Some(code), "{name}");
        assert_eq!(answer.json()["Code"], code);
        assert!(emulator.jobs().is_empty(), "{name} comes before the deed");
        return;
    }
    match name {
        "squeeze" => {
            let emulator = with("squeeze,rate=2").await;
            let mut seen = Vec::new();
            for _ in 0..3 {
                seen.push(request(&emulator, "GET /restore-jobs", "").await.status);
            }
            assert_eq!(seen, [200, 200, 400]);
            let clock = emulator.clock();
            clock.advance_to(clock.now() + SignedDuration::from_secs(1));
            assert_eq!(
                request(&emulator, "GET /restore-jobs", "").await.status,
                200
            );
        }
        "code-in-body-only" => {
            let emulator = with("code-in-body-only,status=400,code=Throttling").await;
            let answer = start_job(&emulator).await.unwrap();
            assert_eq!(
                (answer.status, answer.header("x-amzn-errortype")),
                (400, None)
            );
            assert_eq!(answer.json()["Code"], "Throttling");
            let list = sdk(&emulator).list_restore_jobs().send().await;
            assert_eq!(
                refusal(list).0,
                "no code",
                "where the Rust SDK does not look"
            );
        }
        "bare-status" => {
            let answer = start_job(&with("bare-status").await).await.unwrap();
            assert_eq!((answer.status, answer.body.as_str()), (429, ""));
        }
        "html-error" | "html-success" => {
            let emulator = with(name).await;
            let answer = start_job(&emulator).await.unwrap();
            let status = if name == "html-success" { 200 } else { 502 };
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("content-type"), Some("text/html"));
            sdk(&emulator).list_restore_jobs().send().await.unwrap_err();
        }
        "html-after" => {
            let emulator = with("html-after,times=1").await;
            let answer = start_job(&emulator).await.unwrap();
            assert_eq!(answer.status, 403);
            assert_eq!(answer.header("content-type"), Some("text/html"));
            assert_eq!(answer.header("x-amzn-requestid"), None);
            assert_eq!(emulator.jobs().len(), 1, "it is done");
        }
        "twice" => {
            let emulator = with("twice,times=1").await;
            assert_eq!(start_job(&emulator).await.unwrap().status, 200);
            assert_eq!(emulator.jobs().len(), 1, "the same token settles it");
        }
        "names-job" => {
            let emulator = with("names-job,message=elsewhere").await;
            let answer = start_job(&emulator).await.unwrap();
            assert_eq!(answer.json()["RestoreJobId"], "elsewhere");
            assert_eq!(emulator.jobs().len(), 1);
        }
        "mixed" => {
            const OTHER: &str = "arn:aws:ec2:us-east-1::image/ami-0def";
            let emulator = with("mixed").await;
            let id = start_job(&emulator).await.unwrap().json()["RestoreJobId"].clone();
            let other = body().replace("\"t1\"", "\"t2\"").replace(EC2, OTHER);
            request(&emulator, "PUT /restore-jobs", &other).await;
            let line = format!("GET /restore-jobs/{}", id.as_str().unwrap());
            let job = request(&emulator, &line, "").await.json();
            assert_eq!(
                (&job["RestoreJobId"], &job["RecoveryPointArn"]),
                (&id, &OTHER.into())
            );
            let list = request(&emulator, "GET /restore-jobs", "").await.json();
            let of_id = |job: &&serde_json::Value| job["RestoreJobId"] == id;
            let job = list["RestoreJobs"]
                .as_array()
                .unwrap()
                .iter()
                .find(of_id)
                .unwrap()
                .clone();
            assert_eq!(job["RecoveryPointArn"], OTHER);
        }
        "metadata-upper" | "metadata-unmarked" => {
            let emulator = with(name).await;
            let marked = body().replace(
                "\"Metadata\":{",
                "\"Metadata\":{\"aws:backup:request-id\":\"3d86b624-cb6c-436f-bf72-2938f50e1954\",",
            );
            let started = request(&emulator, "PUT /restore-jobs", &marked)
                .await
                .json();
            let line = format!(
                "GET /restore-jobs/{}/metadata",
                started["RestoreJobId"].as_str().unwrap()
            );
            let metadata = request(&emulator, &line, "").await.json()["Metadata"].clone();
            let upper = serde_json::json!({
                "AWS:BACKUP:REQUEST-ID": "3D86B624-CB6C-436F-BF72-2938F50E1954",
                "INSTANCETYPE": "t3.micro",
                "aws:backup:another-key": "1",
            });
            let unmarked = serde_json::json!({ "InstanceType": "t3.micro" });
            let wanted = if name == "metadata-upper" {
                upper
            } else {
                unmarked
            };
            assert_eq!(metadata, wanted);
        }
        "garbage" => {
            let emulator = with(name).await;
            let answer = start_job(&emulator).await.unwrap();
            assert_eq!(answer.status, 200);
            sdk(&emulator).list_restore_jobs().send().await.unwrap_err();
        }
        "reset-before" | "close-before" | "reset-after" | "close-after" => {
            let emulator = with(&format!("{name},times=1")).await;
            assert!(start_job(&emulator).await.is_none(), "{name}");
            let jobs = usize::from(name.ends_with("after"));
            assert_eq!(emulator.jobs().len(), jobs, "{name}");
            assert_eq!(start_job(&emulator).await.unwrap().status, 200);
            assert_eq!(emulator.jobs().len(), 1, "the same token settles it");
        }
        "truncate" => {
            let emulator = with(name).await;
            let answer = start_job(&emulator).await.unwrap();
            let promised = answer.header("content-length").unwrap().parse::<usize>();
            assert!(answer.body.len() < promised.unwrap(), "{answer:?}");
            assert_eq!(emulator.jobs().len(), 1);
        }
        "drip" => {
            let emulator = with("drip,delay=1ms").await;
            let began = now();
            let answer = start_job(&emulator).await.unwrap();
            let took = began.elapsed();
            assert!(
                took >= Duration::from_millis(40),
                "a byte each: {took:?} {answer:?}"
            );
            assert!(
                answer.json()["RestoreJobId"].is_string(),
                "and whole at last"
            );
        }
        "no-answer" => {
            let emulator = with(name).await;
            let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
            let body = body();
            let head = format!(
                "PUT /restore-jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            while emulator.jobs().is_empty() {
                tokio::task::yield_now().await;
            }
            let mut byte = [0];
            let read = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut byte));
            read.await.unwrap_err();
        }
        "latency" | "late-deed" => {
            let emulator = with(&format!("{name},delay=50ms")).await;
            let began = now();
            assert_eq!(start_job(&emulator).await.unwrap().status, 200);
            assert!(began.elapsed() >= Duration::from_millis(50));
        }
        "close-connection" => {
            let answer = request(&with(name).await, "GET /restore-jobs", "").await;
            assert_eq!(answer.header("connection"), Some("close"));
            assert_eq!(answer.status, 200);
        }
        "restart" => {
            let emulator = with("restart,after=1,times=1").await;
            assert_eq!(start_job(&emulator).await.unwrap().status, 200);
            let mut idle = TcpStream::connect(emulator.addr()).await.unwrap();
            // The client counts as served once it has had an answer.
            idle.write_all(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .await
                .unwrap();
            let mut part = [0; 64];
            assert!(idle.read(&mut part).await.unwrap() > 0);
            assert!(start_job(&emulator).await.is_none());
            let mut rest = Vec::new();
            let _ = idle.read_to_end(&mut rest).await;
            assert_eq!(start_job(&emulator).await.unwrap().status, 200);
            assert_eq!(emulator.jobs().len(), 1, "jobs and tokens stay");
        }
        "job-fails" => {
            let job = ended("job-fails,times=1,message=No, and no.").await;
            let said = job.status_message.unwrap();
            assert_eq!(job.status, JobStatus::Failed);
            assert!(said.starts_with("No, and no."), "{said}");
        }
        "job-aborts" => assert_eq!(ended(name).await.status, JobStatus::Aborted),
        "job-issues" => {
            let job = ended(name).await;
            assert_eq!(job.status, JobStatus::Completed);
            assert!(job.status_message.is_some());
        }
        "job-hangs" => assert_eq!(ended(name).await.status, JobStatus::Running),
        "job-waits" => assert_eq!(ended(name).await.status, JobStatus::Pending),
        "job-slow" => {
            let job = ended("job-slow,factor=3").await;
            let took = job.ended_at.unwrap().duration_since(job.created_at);
            assert_eq!(took.as_secs(), 10 + 3 * 50);
        }
        "job-without-arn" => {
            let job = ended(name).await;
            assert_eq!(job.status, JobStatus::Completed);
            assert_eq!(job.created_resource_arn, None);
        }
        "forget-token" => {
            let emulator = with("forget-token,after=1,times=1").await;
            for _ in 0..3 {
                assert_eq!(start_job(&emulator).await.unwrap().status, 200);
            }
            assert_eq!(emulator.jobs().len(), 2, "forgotten once");
        }
        "list-lag" => {
            let emulator = with("list-lag,delay=30s,operation=ListRestoreJobs").await;
            start_job(&emulator).await.unwrap();
            let list = || request(&emulator, "GET /restore-jobs", "");
            let count = |raw: Raw| raw.json()["RestoreJobs"].as_array().unwrap().len();
            assert_eq!(count(list().await), 0);
            let clock = emulator.clock();
            clock.advance_to(clock.now() + SignedDuration::from_secs(30));
            assert_eq!(count(list().await), 1);
        }
        "not-yet" => {
            let emulator = with("not-yet,times=1,operation=DescribeRestoreJob").await;
            let id = start_job(&emulator).await.unwrap().json()["RestoreJobId"].clone();
            let line = format!("GET /restore-jobs/{}", id.as_str().unwrap());
            let first = request(&emulator, &line, "").await;
            assert_eq!(first.json()["Code"], "ResourceNotFoundException");
            assert_eq!(request(&emulator, &line, "").await.status, 200);
        }
        "lost-page" => {
            let emulator = with(name).await;
            for token in ["a", "b"] {
                let body = body().replace("\"t1\"", &format!("{token:?}"));
                request(&emulator, "PUT /restore-jobs", &body).await;
            }
            let page = request(&emulator, "GET /restore-jobs?maxResults=1", "").await;
            let token = page.json()["NextToken"].as_str().unwrap().to_owned();
            let line = format!("GET /restore-jobs?maxResults=1&nextToken={token}");
            let next = request(&emulator, &line, "").await;
            assert_eq!(next.json()["Message"], "Invalid NextToken.");
        }
        "percent-number" => {
            let emulator = with(name).await;
            start_job(&emulator).await.unwrap();
            let list = request(&emulator, "GET /restore-jobs", "").await;
            assert_eq!(list.json()["RestoreJobs"][0]["PercentDone"], 0);
        }
        "unknown-status" | "sparse" => {
            let emulator = with(name).await;
            start_job(&emulator).await.unwrap();
            while advance(&emulator) {}
            let list = request(&emulator, "GET /restore-jobs", "").await;
            let job = &list.json()["RestoreJobs"][0];
            if name == "sparse" {
                assert_eq!(job["Status"], "COMPLETED");
                for member in ["CreatedResourceArn", "PercentDone", "BackupSizeInBytes"] {
                    assert_eq!(job[member], serde_json::Value::Null);
                }
            } else {
                assert_eq!(job["Status"], "SUSPENDED");
            }
        }
        name => panic!("write a test for the fault {name}"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "scripted delays are in real time, and measured in it"
)]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test]
async fn every_kind_is_provoked() {
    let names = FaultKind::names();
    assert!(names.len() >= 30, "{}", names.len());
    for name in names {
        provoke(name).await;
    }
}

#[test]
fn every_kind_is_in_the_page() {
    let page = include_str!("../../../docs/emulator.md");
    for name in FaultKind::names() {
        assert!(
            page.contains(&format!("| `{name}` |")),
            "docs/emulator.md lacks {name}"
        );
    }
    // And the page has none that there is not.
    let rows = page.split("\n## Faults").nth(1).unwrap();
    let rows = rows.split("\n## ").next().unwrap();
    for row in rows.lines().filter_map(|line| line.strip_prefix("| `")) {
        let name = row.split('`').next().unwrap();
        assert!(FaultKind::names().contains(&name), "{name}");
    }
}

#[tokio::test]
async fn a_script_strikes_in_its_order() {
    let script = "
- { fault: throttle, operation: StartRestoreJob, times: 2 }
- { fault: job-fails, recovery_point: arn:aws:ec2:us-east-1::image/ami-0abc, message: Scripted. }
";
    let emulator = start(Options {
        faults: Faults::parse(script).unwrap(),
        ..standing()
    })
    .await;
    let client = sdk_with(&emulator, "us-east-1", "AKIDEXAMPLE", 3);
    start_ec2(&client, "t1").await;
    while advance(&emulator) {}
    let job = emulator.jobs().remove(0);
    assert_eq!(job.status_message.as_deref(), Some("Scripted."));
}
