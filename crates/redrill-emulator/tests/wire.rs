//! The wire: bytes that SDKs hide, other clients' habits, and abuse.

use redrill_emulator::{Emulator, Operation, StartError};

use super::raw::{request, send};
use crate::clients::*;

pub(crate) fn sts(emulator: &Emulator, key: &str) -> aws_sdk_sts::Client {
    use aws_sdk_sts::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(emulator.url())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(key, "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

#[tokio::test]
async fn caller_identity() {
    let emulator = listed().await;
    for (key, account) in [
        ("AKIDEXAMPLE", "123456789012"),
        ("210987654321", "210987654321"),
    ] {
        let identity = sts(&emulator, key)
            .get_caller_identity()
            .send()
            .await
            .unwrap();
        assert_eq!(identity.account(), Some(account));
        assert_eq!(
            identity.arn(),
            Some(&*format!("arn:aws:iam::{account}:user/emulated"))
        );
    }
    let mut options = standing();
    options.account = Some("111122223333".into());
    let emulator = start(options).await;
    let identity = sts(&emulator, "AKIDEXAMPLE")
        .get_caller_identity()
        .send()
        .await;
    assert_eq!(identity.unwrap().account(), Some("111122223333"));
    let nobody = request(&emulator, "POST /", "Action=AssumeRole&Version=2011-06-15").await;
    assert_eq!(nobody.status, 400);
    assert!(
        nobody.body.contains("<Code>ValidationError</Code>"),
        "{}",
        nobody.body
    );
    let role = "Action=AssumeRole&RoleSessionName=s&RoleArn=arn:aws:iam::444455556666:role/dr";
    let role = request(&emulator, "POST /", role).await;
    assert_eq!(role.status, 200);
    // The access key id of the account, so that what is signed with it is the account's.
    let key = "<AccessKeyId>444455556666</AccessKeyId>";
    assert!(role.body.contains(key), "{}", role.body);
    let other = request(
        &emulator,
        "POST /",
        "Action=GetSessionToken&Version=2011-06-15",
    )
    .await;
    assert_eq!(other.status, 400);
    assert!(
        other.body.contains("<Code>InvalidAction</Code>"),
        "{}",
        other.body
    );
}

#[tokio::test]
async fn an_error_has_header_body_and_request_id() {
    let emulator = listed().await;
    let answer = request(&emulator, "GET /restore-jobs/nope", "").await;
    assert_eq!(answer.status, 400, "not 404: so AWS Backup documents it");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.header("x-amzn-ErrorType"),
        Some("ResourceNotFoundException")
    );
    assert_eq!(answer.header("x-amzn-RequestId").map(str::len), Some(36));
    let body = answer.json();
    assert_eq!(body["Code"], "ResourceNotFoundException");
    assert_eq!(body["Type"], "Client");
    assert_eq!(body["Message"], "Restore job nope does not exist.");
    assert!(body.get("Context").is_some());
}

#[tokio::test]
async fn numbers_and_nulls_as_the_live_service_writes_them() {
    let emulator = listed().await;
    let body = format!(r#"{{"RecoveryPointArn":"{EC2}","Metadata":{{}}}}"#);
    let started = request(&emulator, "PUT /restore-jobs", &body).await;
    assert_eq!(started.status, 200, "{}", started.body);
    let list = request(&emulator, "GET /restore-jobs/", "").await;
    assert!(list.body.contains(r#""NextToken":null"#), "{}", list.body);
    assert!(
        list.body.contains(r#""CompletionDate":null"#),
        "{}",
        list.body
    );
    assert!(
        list.body
            .contains(r#""RecoveryPointCreationDate":1.7951436E9"#),
        "{}",
        list.body
    );
}

#[tokio::test]
async fn null_is_absent() {
    let emulator = listed().await;
    let put = async |body: &str| request(&emulator, "PUT /restore-jobs/", body).await;
    let body = format!(
        r#"{{"RecoveryPointArn":"{EC2}","Metadata":{{"InstanceType":null,"SubnetId":"subnet-1"}},"IdempotencyToken":null,
        "IamRoleArn":null,"ResourceType":null,"CopySourceTagsToRestoredResource":null,"Extra":1}}"#
    );
    let (first, second) = (put(&body).await, put(&body).await);
    assert_eq!((first.status, second.status), (200, 200), "{}", first.body);
    assert_ne!(first.body, second.body, "no token, two jobs");
    let jobs = emulator.jobs();
    assert_eq!(jobs[0].metadata.keys().collect::<Vec<_>>(), ["SubnetId"]);
    for (body, code) in [
        (
            r#"{"RecoveryPointArn":null,"Metadata":{}}"#.to_owned(),
            "MissingParameterValueException",
        ),
        (
            r#"{"Metadata":{}}"#.to_owned(),
            "MissingParameterValueException",
        ),
        (
            format!(r#"{{"RecoveryPointArn":"{EC2}"}}"#),
            "MissingParameterValueException",
        ),
        (
            format!(r#"{{"RecoveryPointArn":"{EC2}","Metadata":null}}"#),
            "MissingParameterValueException",
        ),
        (
            format!(r#"{{"RecoveryPointArn":"{EC2}","Metadata":{{"a":true}}}}"#),
            "SerializationException",
        ),
        (
            format!(r#"{{"RecoveryPointArn":"{EC2}","Metadata":[]}}"#),
            "SerializationException",
        ),
        (
            r#"{"RecoveryPointArn":1,"Metadata":{}}"#.to_owned(),
            "SerializationException",
        ),
        ("".to_owned(), "SerializationException"),
        ("[]".to_owned(), "SerializationException"),
        ("{".repeat(100_000), "SerializationException"),
        ("[".repeat(100_000), "SerializationException"),
    ] {
        let answer = put(&body).await;
        assert_eq!(answer.json()["Code"], code, "{body:.80}");
        assert_eq!(answer.status, 400);
    }
    assert_eq!(emulator.jobs().len(), 2);
}

#[tokio::test]
async fn both_forms_of_a_path_and_any_form_of_an_arn() {
    let emulator = listed().await;
    for slash in ["", "/"] {
        let answer = request(&emulator, &format!("GET /restore-jobs{slash}"), "").await;
        assert_eq!(answer.json()["RestoreJobs"], serde_json::json!([]));
        let answer = request(&emulator, &format!("GET /backup-vaults{slash}"), "").await;
        assert_eq!(
            answer.json()["BackupVaultList"].as_array().unwrap().len(),
            3
        );
        for arn in [
            "arn%3Aaws%3Aec2%3Aus-east-1%3A%3Aimage%2Fami-0abc",
            "arn:aws:ec2:us-east-1::image%2fami-0abc",
        ] {
            let path = format!("GET /backup-vaults/primary/recovery-points/{arn}{slash}");
            assert_eq!(
                request(&emulator, &path, "").await.json()["ResourceType"],
                "EC2"
            );
        }
    }
    for line in [
        "GET /backup-vaults/primary/recovery-points/arn:aws:ec2:us-east-1::image/ami-0abc",
        "DELETE /restore-jobs",
        "GET /plans",
    ] {
        let answer = request(&emulator, line, "").await;
        assert_eq!(answer.status, 404);
        assert_eq!(
            answer.header("x-amzn-errortype"),
            Some("UnknownOperationException")
        );
    }
}

#[tokio::test]
async fn abuse_is_answered_or_closed_and_serving_goes_on() {
    let emulator = listed().await;
    let big = format!(
        "PUT /restore-jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        10 << 20
    );
    let mut big = big.into_bytes();
    big.resize(big.len() + (10 << 20), b' ');
    // The refusal may be lost when it crosses the rest of the body; that nothing was started is not.
    if let Some(answer) = send(&emulator, &big).await {
        assert_eq!(answer.status, 413);
    }
    let mut chunked =
        b"PUT /restore-jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec();
    for _ in 0..40 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.resize(chunked.len() + 0x10000, b' ');
        chunked.extend_from_slice(b"\r\n");
    }
    if let Some(answer) = send(&emulator, &chunked).await {
        assert_eq!(answer.status, 413);
    }
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a".repeat(1 << 20)
    );
    let early = b"PUT /restore-jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{";
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"",
        long.as_bytes(),
        early,
    ] {
        if let Some(answer) = send(&emulator, bytes).await {
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
    }
    start_ec2(&sdk(&emulator), "t1").await;
    assert_eq!(emulator.jobs().len(), 1);
    assert!(emulator.calls()[&Operation::StartRestoreJob] >= 1);
}

#[tokio::test]
async fn starts_on_loopback_only_and_stops() {
    let error = Emulator::start(([0, 0, 0, 0], 0).into(), Options::default()).await;
    assert!(matches!(error.unwrap_err(), StartError::NotLoopback(_)));
    let mut options = standing();
    options.account = Some("me".into());
    let error = Emulator::start(([127, 0, 0, 1], 0).into(), options).await;
    assert!(matches!(error.unwrap_err(), StartError::Account(_)));

    let emulator = start(standing()).await;
    let addr = emulator.addr();
    assert_eq!(emulator.url(), format!("http://{addr}"));
    let taken = Emulator::start(addr, Options::default()).await;
    assert!(matches!(taken.unwrap_err(), StartError::Listen { .. }));
    // An idle connection does not hold it up.
    let idle = tokio::net::TcpStream::connect(addr).await.unwrap();
    emulator.shutdown().await;
    tokio::net::TcpStream::connect(addr).await.unwrap_err();
    drop(idle);
    start(standing()).await.shutdown().await;
}
