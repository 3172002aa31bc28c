//! `redrill inventory`: what it records, and what becomes of what AWS refuses.

use redrill_emulator::{Inventory, Options};

use super::{account, run, serving};
use crate::support::{at_once, folder};

/// Runs `redrill inventory` against an emulator of its own.
async fn inventory(
    text: &str,
    options: Options,
    arguments: &[&str],
    code: i32,
) -> (String, String, std::time::Duration) {
    let folder = folder();
    let emulator = serving(text, options).await;
    let url = emulator.url();
    let path = folder.path().to_owned();
    let mut all: Vec<String> = ["inventory", "--region", "us-east-1", "--endpoint-url", &url]
        .into_iter()
        .map(str::to_owned)
        .collect();
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let started = std::time::Instant::now();
    let (out, said) = tokio::task::spawn_blocking(move || {
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        run(&path, &all, code)
    })
    .await
    .unwrap();
    emulator.shutdown().await;
    (out, said, started.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_recorded_but_secrets() {
    let text = account(2);
    let served = Inventory::parse(&text).unwrap();
    let (recorded, said, _) = inventory(&text, at_once(), &["--include-secrets"], 0).await;
    let recorded = Inventory::parse(&recorded).unwrap();
    let sorted = |inventory: &Inventory| {
        let mut points: Vec<_> = inventory
            .recovery_points()
            .map(|(_, vault, point)| (vault.to_owned(), point.clone()))
            .collect();
        points.sort_by(|a, b| (&a.0, &a.1.arn).cmp(&(&b.0, &b.1.arn)));
        points
    };
    assert_eq!(sorted(&recorded), sorted(&served));
    assert!(!said.contains("CANARY"));

    let (text, said, _) = inventory(&text, at_once(), &[], 0).await;
    assert!(!text.contains("CANARY") && !said.contains("CANARY"));
    assert!(text.contains("left out, as it looks like a secret: MasterUserPassword"));
    assert!(said.contains("left out, as it looks like a secret: StackParameters.DbPassword"));
    assert_eq!(
        Inventory::parse(&text).unwrap().recovery_points().count(),
        served.recovery_points().count()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn some_vaults_types_and_resources() {
    let text = account(2);
    let count = async |arguments: &[&str]| {
        let (recorded, ..) = inventory(&text, at_once(), arguments, 0).await;
        Inventory::parse(&recorded)
            .unwrap()
            .recovery_points()
            .count()
    };
    let all = Inventory::parse(&text).unwrap().recovery_points().count();
    let of_one = count(&["--vault", "vault-1"]).await;
    assert!(of_one > 0 && of_one < all);
    assert_eq!(count(&["--type", "efs"]).await, 6);
    let efs = "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-00000002";
    assert_eq!(count(&["--resource", efs]).await, 2);
    let point = "arn:aws:ec2:us-east-1::image/ami-0a1b2c3d400000001";
    assert_eq!(count(&["--resource", point]).await, 1);
    let (_, said, _) = inventory(&text, at_once(), &["--vault", "nope", "--type", "X"], 64).await;
    assert!(
        said.contains("there is no vault `nope`; there is no recovery point of type `X`"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_refuses_is_noted_and_the_rest_recorded() {
    let text = format!(
        "{}deny:\n  - {{ action: backup:GetRecoveryPointRestoreMetadata, resource: 'arn:aws:ec2:us-east-1::image/*' }}\n",
        account(1)
    );
    let (recorded, said, _) = inventory(&text, at_once(), &[], 0).await;
    assert!(
        said.contains("image/ami-0a1b2c3d400000001: without restore metadata: "),
        "{said}"
    );
    let recorded = Inventory::parse(&recorded).unwrap();
    let (_, _, image) = recorded
        .recovery_points()
        .find(|(_, _, point)| point.resource_type == "EC2")
        .unwrap();
    assert!(image.restore_metadata.is_empty());
    assert_eq!(image.size_bytes, 107_374_182_400);
}

/// A local emulator is asked as fast as it answers until it throttles; then the calls are paced, and none is lost.
#[tokio::test(flavor = "multi_thread")]
async fn throttled_answers_are_asked_for_again() {
    let text = account(1);
    let faults = [
        "throttle,operation=GetRecoveryPointRestoreMetadata,times=3",
        "throttle,operation=ListBackupVaults,times=1",
        "throttle,operation=ListRecoveryPointsByBackupVault,times=4",
    ];
    let options = Options {
        faults: redrill_emulator::Faults(
            faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ),
        ..at_once()
    };
    let (recorded, said, _) = inventory(&text, options, &["-q", "--type", "FSx"], 0).await;
    assert_eq!(said, "");
    assert_eq!(
        Inventory::parse(&recorded)
            .unwrap()
            .recovery_points()
            .count(),
        5
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_region_is_a_document() {
    let one = account(1);
    let other = one.replace("us-east-1", "eu-central-1");
    let text = format!("{one}---\n{other}");
    let (recorded, said, _) = inventory(
        &text,
        at_once(),
        &[
            "--region",
            "eu-central-1",
            "--region",
            "us-east-1",
            "--type",
            "EFS",
        ],
        0,
    )
    .await;
    let recorded = Inventory::parse(&recorded).unwrap();
    let regions: Vec<&str> = recorded
        .accounts
        .iter()
        .map(|a| a.region.as_str())
        .collect();
    assert_eq!(regions, ["us-east-1", "eu-central-1"]);
    assert_eq!(recorded.recovery_points().count(), 4);
    assert!(said.contains("eu-central-1: vault vault-1: "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_aws_does_not_answer_no_file_is_left() {
    let folder = folder();
    let path = folder.path().to_owned();
    let (_, said) = tokio::task::spawn_blocking(move || {
        run(
            &path,
            &[
                "inventory",
                "--region",
                "us-east-1",
                "--endpoint-url",
                "http://127.0.0.1:9",
                "-o",
                "account.yaml",
            ],
            1,
        )
    })
    .await
    .unwrap();
    assert!(said.contains("GetCallerIdentity"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
