//! A thousand restores in three targets, `run --preflight`, and what documents say of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use redrill::preflight::{CheckId, PreflightVerdict};
use redrill_emulator::{Inventory, Options};
use serde_json::Value;

use crate::dry_run::outputs::assert_valid;
use crate::support::{at_once, emulator, folder, operations, ran, repository_file, write};

const REGIONS: [&str; 3] = ["us-west-2", "us-east-1", "eu-west-1"];

fn inventory(restores: usize) -> Inventory {
    let mut text = String::new();
    for (at, region) in REGIONS.iter().enumerate() {
        let _ = write!(
            text,
            "---\naccount: \"123456789012\"\nregion: {region}\nresources: []\nvaults:\n  dr:\n    recovery_points:\n"
        );
        for point in (0..restores).filter(|point| point % 3 == at) {
            let _ = writeln!(
                text,
                "      - {{ arn: \"arn:aws:backup:{region}:123456789012:recovery-point:{point:08x}-9EB0-435A-A80B-108B488B0D45\", resource_arn: \"arn:aws:dynamodb:{region}:123456789012:table/t{point}\", resource_type: DynamoDB, created_at: 2026-11-30T03:00:00Z }}"
            );
        }
    }
    Inventory::parse(&text).unwrap()
}

fn plan(restores: usize, more: &str) -> String {
    let mut text = "plan: many\ntargets:\n".to_owned();
    for region in REGIONS {
        let _ = writeln!(
            text,
            "  {region}: {{ region: {region}, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }}"
        );
    }
    text.push_str("restores:\n");
    for at in 0..restores {
        let region = REGIONS[at % 3];
        let _ = write!(
            text,
            "  t{at}:\n    type: DynamoDB\n    target: {region}\n    recovery_point: {{ arn: \"arn:aws:backup:{region}:123456789012:recovery-point:{at:08x}-9EB0-435A-A80B-108B488B0D45\", vault: dr }}\n    metadata: {{ targetTableName: new-{at}{more} }}\n"
        );
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_restores_are_few_calls_beside_what_they_name() {
    let folder = folder();
    let path = folder.path();
    let log = path.join("log");
    let emulator = emulator(Options {
        inventory: Some(inventory(1000)),
        log: Some(log.clone()),
        ..at_once()
    })
    .await;
    let more = ", encryptionType: KMS, kmsMasterKeyArn: alias/gone";
    write(path, "plan.yaml", &plan(1000, more));
    let words = ["preflight", "plan.yaml", "--format", "json"];
    let (code, stdout, stderr) = ran(path, &emulator, &words).await;
    assert_eq!(code, 8, "{stderr}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_valid("preflight", &document);
    let rows = document["checks"].as_array().unwrap();
    let failed = rows.iter().filter(|row| row["verdict"] == "fail");
    assert_eq!(failed.clone().count(), 1000);
    assert!(failed.clone().all(|row| row["id"] == "key/exists"));
    // One entry a target, and not a thousand.
    assert_eq!(document["totals"]["fail"], 3);
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for operation in operations(&log) {
        *calls.entry(operation).or_default() += 1;
    }
    assert_eq!(calls["DescribeRecoveryPoint"], 1000, "{calls:?}");
    // A name each, and the alias in each target.
    assert_eq!(calls["GetResource"], 1003, "{calls:?}");
    let rest: usize = calls.values().sum::<usize>() - 2003;
    assert!(rest < 60, "{calls:?}");
    // Progress is told.
    assert!(stderr.contains("questions answered"), "{stderr}");
    // People read one line of it.
    let (_, stdout, _) = ran(path, &emulator, &["preflight", "plan.yaml"]).await;
    assert_eq!(stdout.matches("fail[key/exists]").count(), 3, "{stdout}");
    assert!(stdout.contains("t0, t3, t6 and 331 more"), "{stdout}");
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_stops_before_anything_is_sent() {
    let folder = folder();
    let path = folder.path();
    let emulator = emulator(Options {
        inventory: Some(inventory(3)),
        ..at_once()
    })
    .await;
    write(
        path,
        "plan.yaml",
        &plan(3, ", encryptionType: KMS, kmsMasterKeyArn: alias/gone"),
    );
    let run = ["run", "plan.yaml", "--yes", "--preflight"];
    let (code, _, said) = ran(path, &emulator, &run).await;
    assert_eq!(code, 8, "{said}");
    assert!(
        said.contains("fail[key/exists]") && said.contains("nothing was sent"),
        "{said}"
    );
    assert!(emulator.jobs().is_empty());
    assert!(!path.join(".redrill/many/main").exists());
    write(path, "plan.yaml", &plan(3, ""));
    let (code, _, said) = ran(path, &emulator, &run).await;
    assert_eq!((code, emulator.jobs().len()), (0, 3), "{said}");
    // What has been restored is not checked again, and its names are no longer free.
    let (code, stdout, said) = ran(path, &emulator, &["preflight", "plan.yaml"]).await;
    assert_eq!(code, 0, "{stdout}{said}");
    assert!(stdout.contains("nothing to check"), "{stdout}");
    let again = ["preflight", "plan.yaml", "--run-id", "again"];
    let (code, stdout, _) = ran(path, &emulator, &again).await;
    assert_eq!(code, 8);
    assert_eq!(stdout.matches("fail[name/free]").count(), 3, "{stdout}");
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_format_tells_the_same() {
    let folder = folder();
    let path = folder.path();
    let emulator = emulator(Options {
        inventory: Some(inventory(30)),
        ..at_once()
    })
    .await;
    let more = ", encryptionType: KMS, kmsMasterKeyArn: alias/gone";
    write(path, "plan.yaml", &plan(30, more));
    for (format, words) in [
        (
            "human",
            "fail[key/exists]: the KMS key alias/gone does not exist",
        ),
        (
            "markdown",
            "| fail | `key/exists` | the KMS key alias/gone does not exist |",
        ),
        ("junit", "failures=\"3\""),
    ] {
        let (code, stdout, stderr) = ran(
            path,
            &emulator,
            &["preflight", "plan.yaml", "--format", format],
        )
        .await;
        assert_eq!(code, 8, "{stderr}");
        assert!(stdout.contains(words), "{format}: {stdout}");
    }
    // Whoever sees a plan is told how to look.
    let (_, _, said) = ran(path, &emulator, &["plan", "plan.yaml"]).await;
    assert!(said.contains("redrill preflight plan.yaml"), "{said}");
    emulator.shutdown().await;
}

#[test]
fn each_check_is_documented() {
    let document = repository_file("docs/preflight.md");
    for id in CheckId::ALL {
        let row = format!("| `{}` | {} |", id.id(), id.says());
        assert!(document.contains(&row), "docs/preflight.md has no {row}");
    }
    for verdict in PreflightVerdict::ALL {
        assert!(document.contains(&format!("| `{}` |", verdict.name())));
    }
}
