//! The contract: botocore's own model of AWS Backup, the AWS CLI, and the Rust SDK, operation by operation.

use redrill::emulator::Operation;

use super::*;

/// The AWS CLI of 2026 that is made for this botocore.
pub(crate) const AWS_TOOLS: &[&str] = &["botocore==1.43.11", "boto3==1.43.11", "awscli==1.45.11"];

/// Acceptance of the API by its model: see `contract.py`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn botocore_and_the_aws_cli() {
    let made = tokio::task::spawn_blocking(|| crate::python::venv("aws", AWS_TOOLS));
    let Some(venv) = made.await.unwrap() else {
        return;
    };
    let emulator = start(Options {
        inventory: Some(Inventory::parse(INVENTORY).unwrap()),
        ..standing()
    })
    .await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/emulator/contract.py");
    let mut command = std::process::Command::new(venv.join("bin/python"));
    command.arg(script).arg(emulator.url());
    let all = Operation::ALL
        .iter()
        .filter(|o| **o != Operation::GetCallerIdentity);
    command.args(all.map(|operation| operation.name()));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["operations"], Operation::ALL.len() - 1);
    assert!(said["checks"].as_u64().unwrap() > 2000, "{said}");
    for operation in Operation::ALL {
        if *operation != Operation::GetCallerIdentity {
            assert!(emulator.calls()[operation] >= 2, "{operation}");
        }
    }
}
