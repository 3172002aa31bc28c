//! The services beside AWS Backup, with botocore and the AWS CLI; and faults, quotas and the log, which are theirs too.

use redrill_emulator::{Fault, FaultKind, Operation, Quotas};
use serde_json::json;

use super::permissions::people;
use crate::clients::*;
use crate::python::{AWS_TOOLS, venv};
use crate::raw::{Raw, exchange};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_botocore_and_the_aws_cli_read_them() {
    let made = tokio::task::spawn_blocking(|| venv("aws", AWS_TOOLS));
    let Some(venv) = made.await.unwrap() else {
        return;
    };
    let emulator = people().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services.py");
    let mut command = std::process::Command::new(venv.join("bin/python"));
    command.arg(script).arg(emulator.url());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(said["checks"].as_u64().unwrap() > 70, "{said}");
}

/// A call of a JSON protocol, unsigned.
async fn call(emulator: &Emulator, target: &str, body: &serde_json::Value) -> Raw {
    let body = body.to_string();
    let length = body.len();
    let text = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Target: {target}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    exchange(emulator, text.as_bytes()).await.unwrap()
}

async fn form(emulator: &Emulator, body: &str) -> Raw {
    let length = body.len();
    let text = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    exchange(emulator, text.as_bytes()).await.unwrap()
}

#[tokio::test]
async fn faults_strike_them_in_their_own_form() {
    let emulator = start(standing()).await;
    let instance = json!({ "TypeName": "AWS::EC2::Instance" });
    for kind in [FaultKind::Throttle, FaultKind::expired_token()] {
        emulator.clear_faults();
        emulator.inject(Fault::everywhere(kind.clone()));
        let throttled = kind == FaultKind::Throttle;
        let cloud = call(&emulator, "CloudApiService.ListResources", &instance).await;
        let code = if throttled {
            "ThrottlingException"
        } else {
            "ExpiredTokenException"
        };
        assert_eq!(
            cloud.json()["__type"],
            format!("com.amazon.cloudapiservice#{code}")
        );
        assert_eq!(cloud.header("x-amzn-errortype"), None);
        let service = json!({ "ServiceCode": "rds" });
        let quotas = call(
            &emulator,
            "ServiceQuotasV20190624.ListServiceQuotas",
            &service,
        )
        .await;
        let code = if throttled {
            "TooManyRequestsException"
        } else {
            "ExpiredTokenException"
        };
        assert_eq!(quotas.json()["__type"], code);
        assert_eq!(
            quotas.header("content-type"),
            Some("application/x-amz-json-1.1")
        );
        for action in [
            "Action=GetRole&Version=2010-05-08&RoleName=r",
            "Action=GetCallerIdentity",
        ] {
            let answer = form(&emulator, action).await;
            assert!(answer.body.contains("<ErrorResponse"), "{}", answer.body);
            assert_eq!(answer.header("content-type"), Some("text/xml"));
        }
    }
    emulator.clear_faults();
    // One operation alone, so many times, and the connection itself.
    let only: Fault = "reset-before,operation=GetResource,times=1"
        .parse()
        .unwrap();
    emulator.inject(only);
    let get = json!({ "TypeName": "AWS::EC2::Instance", "Identifier": "i-1" });
    let text = "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: CloudApiService.GetResource\r\nContent-Length: 2\r\n\r\n{}";
    assert!(exchange(&emulator, text.as_bytes()).await.is_none());
    let after = call(&emulator, "CloudApiService.GetResource", &get).await;
    assert!(
        after.json()["__type"]
            .as_str()
            .unwrap()
            .ends_with("#ResourceNotFoundException")
    );
    assert_eq!(emulator.calls()[&Operation::GetResource], 2);
    assert_eq!(emulator.calls()[&Operation::GetRole], 2);
}

#[tokio::test]
async fn quotas_and_the_log_are_theirs_too() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let emulator = start(Options {
        quotas: Quotas::parse("all: 1\nListResources: 2\nGetRole: 1\n").unwrap(),
        log: Some(log.clone()),
        ..standing()
    })
    .await;
    let instance = json!({ "TypeName": "AWS::EC2::Instance" });
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = call(&emulator, "CloudApiService.ListResources", &instance).await;
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [200, 200, 400]);
    let role = "Action=GetRole&RoleName=r";
    assert_eq!(form(&emulator, role).await.status, 200);
    let throttled = form(&emulator, role).await;
    assert!(
        throttled.body.contains("<Code>ThrottlingException</Code>"),
        "{}",
        throttled.body
    );
    emulator.shutdown().await;
    let lines = std::fs::read_to_string(log).unwrap();
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let seen: Vec<(&str, &serde_json::Value)> = lines
        .iter()
        .map(|line| (line["operation"].as_str().unwrap(), &line["error"]))
        .collect();
    let throttled = json!("ThrottlingException");
    let none = serde_json::Value::Null;
    assert_eq!(
        seen,
        [
            ("ListResources", &none),
            ("ListResources", &none),
            ("ListResources", &throttled),
            ("GetRole", &none),
            ("GetRole", &throttled),
        ]
    );
}

/// Everything is there and allowed if nothing is said of an account, as before.
#[tokio::test]
async fn without_an_inventory_all_is_allowed() {
    let emulator = start(standing()).await;
    let role = form(&emulator, "Action=GetRole&RoleName=anything").await;
    assert!(
        role.body
            .contains("<Arn>arn:aws:iam::123456789012:role/anything</Arn>"),
        "{}",
        role.body
    );
    assert!(
        role.body.contains("backup%2Eamazonaws%2Ecom"),
        "{}",
        role.body
    );
    let simulated = form(
        &emulator,
        "Action=SimulatePrincipalPolicy&PolicySourceArn=arn:aws:iam::123456789012:role/anything&ActionNames.member.1=backup:StartRestoreJob",
    )
    .await;
    assert!(
        simulated
            .body
            .contains("<EvalDecision>allowed</EvalDecision>"),
        "{}",
        simulated.body
    );
    let key = json!({ "TypeName": "AWS::KMS::Key", "Identifier": "x" });
    let key = call(&emulator, "CloudApiService.GetResource", &key).await;
    assert!(
        key.json()["__type"]
            .as_str()
            .unwrap()
            .ends_with("#TypeNotFoundException")
    );
    let unknown = call(&emulator, "CloudApiService.CreateResource", &json!({})).await;
    assert_eq!(
        (unknown.status, unknown.json()["__type"].as_str()),
        (
            404,
            Some("com.amazon.coral.service#UnknownOperationException")
        )
    );
}
