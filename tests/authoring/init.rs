//! `redrill init`: what it writes, and of what.

use std::collections::BTreeSet;
use std::path::Path;

use redrill::rules::Rules;
use redrill_emulator::Operation;

use super::{account, returned, run, serving};
use crate::support::{at_once, folder, write};

/// Read what this test wrote as if you had to answer for the plan (`SNAPSHOTS=overwrite`).
#[test]
fn the_plan_of_every_kind() {
    let folder = folder();
    write(folder.path(), "account.yaml", &account(1));
    let (plan, _) = run(folder.path(), &["init", "--inventory", "account.yaml"], 0);
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/authoring/plan.yaml");
    snapbox::assert_data_eq!(plan, snapbox::Data::read_from(&expected, None).raw());
}

/// A type without a fixture would be without proof.
#[test]
fn every_type_is_among_the_fixtures() {
    let rules = Rules::embedded();
    let covered: BTreeSet<String> = returned().into_iter().map(|r| r.resource_type).collect();
    let missing: Vec<&str> = rules
        .types()
        .filter(|name| !covered.contains(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "add what AWS returns of each to tests/authoring/returned.yaml: {missing:?}"
    );
    let fsx: BTreeSet<Option<String>> = returned()
        .into_iter()
        .filter(|r| r.resource_type == "FSx")
        .map(|r| r.variant)
        .collect();
    assert_eq!(fsx.len(), 5);
}

#[test]
fn the_same_recovery_points_make_the_same_plan() {
    let folder = folder();
    let text = account(3);
    write(folder.path(), "account.yaml", &text);
    // The same file, each vault backwards.
    let mut inventory = redrill_emulator::Inventory::parse(&text).unwrap();
    for vault in inventory.accounts[0].vaults.values_mut() {
        vault.recovery_points.reverse();
    }
    let backwards = serde_yaml::to_string(&inventory.accounts[0]).unwrap();
    write(folder.path(), "backwards.yaml", &backwards);
    let (one, _) = run(
        folder.path(),
        &["init", "--name", "a", "--inventory", "account.yaml"],
        0,
    );
    let (other, _) = run(
        folder.path(),
        &["init", "--name", "a", "--inventory", "backwards.yaml"],
        0,
    );
    assert_eq!(one, other);
}

#[test]
fn no_secret_of_the_source_is_in_the_plan() {
    let folder = folder();
    let text = account(2);
    assert!(text.contains("CANARY-1") && text.contains("Q0FOQVJZ"));
    write(folder.path(), "account.yaml", &text);
    let (plan, said) = run(folder.path(), &["init", "--inventory", "account.yaml"], 0);
    for canary in ["CANARY", "Q0FOQVJZ"] {
        assert!(!plan.contains(canary) && !said.contains(canary));
    }
    for name in [
        "MasterUserPassword",
        "StackParameters.DbPassword",
        "WindowsConfiguration.SelfManagedActiveDirectoryConfiguration.Password",
        "UserData",
    ] {
        assert!(
            plan.contains(&format!("# - {name}: it looks like a secret")),
            "{name}"
        );
    }
}

#[test]
fn a_file_is_not_overwritten_unless_that_is_asked_for() {
    let folder = folder();
    write(folder.path(), "account.yaml", &account(1));
    write(folder.path(), "plan.yaml", "mine\n");
    let arguments = ["init", "--inventory", "account.yaml", "-o", "plan.yaml"];
    let (_, said) = run(folder.path(), &arguments, 64);
    assert!(said.contains("plan.yaml exists"), "{said}");
    assert_eq!(
        std::fs::read_to_string(folder.path().join("plan.yaml")).unwrap(),
        "mine\n"
    );
    let forced: Vec<&str> = arguments.into_iter().chain(["--force"]).collect();
    run(folder.path(), &forced, 0);
    let plan = std::fs::read_to_string(folder.path().join("plan.yaml")).unwrap();
    // The plan has the name of its file.
    assert!(plan.contains("\nplan: plan\n"));
}

#[test]
fn some_of_a_vault_and_some_resources() {
    let folder = folder();
    write(folder.path(), "account.yaml", &account(2));
    let restores = |arguments: &[&str]| {
        let all: Vec<&str> = ["init", "--inventory", "account.yaml"]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        let (plan, _) = run(folder.path(), &all, 0);
        plan.lines()
            .filter_map(|line| line.strip_prefix("    recovery_point: "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let efs = "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-00000002";
    let point = "arn:aws:backup:us-east-1:123456789012:recovery-point:E00000002-9EB0-435A-A80B-108B488B0D45";
    let older = format!("{point}older");
    assert_eq!(restores(&["--resource", efs]), [point]);
    // A recovery point that is named is taken, though there is a later one.
    assert_eq!(restores(&["--resource", &older]), [older.as_str()]);
    assert_eq!(
        restores(&["--resource", &older, "--resource", efs]),
        [older.as_str()]
    );
    let of_one = restores(&["--vault", "vault-0"]);
    assert!(of_one.len() > 3 && of_one.len() < restores(&[]).len());
    for (arguments, words) in [
        (["--vault", "vault-9"], "there is no vault `vault-9`"),
        (
            ["--resource", "arn:aws:s3:::no"],
            "nothing matches `arn:aws:s3:::no`",
        ),
        (
            ["--region", "eu-west-1"],
            "the inventory has no Region `eu-west-1`",
        ),
    ] {
        let all: Vec<&str> = ["init", "--inventory", "account.yaml"]
            .into_iter()
            .chain(arguments)
            .collect();
        let (_, said) = run(folder.path(), &all, 64);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn what_cannot_be_restored_is_said() {
    let folder = folder();
    let text = "account: \"123456789012\"\nregion: us-east-1\nvaults:\n  v:\n    recovery_points:\n      - { arn: 'arn:aws:backup:us-east-1:123456789012:recovery-point:1', resource_arn: 'arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-1', resource_type: EFS, created_at: 2026-11-20T03:00:00Z, status: PARTIAL }\n";
    write(folder.path(), "account.yaml", text);
    let (_, said) = run(folder.path(), &["init", "--inventory", "account.yaml"], 64);
    assert!(
        said.contains("nothing to restore (1 recovery point searched)")
            && said.contains("recovery-point:1: it is PARTIAL"),
        "{said}"
    );
    let two = format!("{text}---\n{}", text.replace("us-east-1", "us-west-2"));
    write(
        folder.path(),
        "account.yaml",
        &two.replace("status: PARTIAL", "status: COMPLETED"),
    );
    let (plan, _) = run(folder.path(), &["init", "--inventory", "account.yaml"], 0);
    assert!(plan.contains("\ntargets:\n"), "{plan}");
    let (plan, _) = run(
        folder.path(),
        &[
            "init",
            "--inventory",
            "account.yaml",
            "--region",
            "us-west-2",
        ],
        0,
    );
    assert!(plan.contains("region: us-west-2"));
}

/// AWS adds types faster than we release: what AWS returned is written down, and is the user's to judge.
#[test]
fn a_type_that_redrill_does_not_know() {
    let folder = folder();
    let text = "account: \"123456789012\"\nregion: us-east-1\nvaults:\n  v:\n    recovery_points:\n      - { arn: 'arn:aws:backup:us-east-1:123456789012:recovery-point:1', resource_arn: 'arn:aws:qldb:us-east-1:123456789012:ledger/books', resource_type: Ledger, created_at: 2026-11-20T03:00:00Z, restore_metadata: { ledgerName: 'books {{ x }}', password: CANARY } }\n";
    write(folder.path(), "account.yaml", text);
    let (plan, _) = run(folder.path(), &["init", "--inventory", "account.yaml"], 0);
    let restores = &plan[plan.find("restores:").unwrap()..];
    snapbox::assert_data_eq!(
        restores,
        snapbox::str![[r#"
restores:
  # Ledger: redrill does not know this type; its metadata is as AWS returned it.
  books:
    # arn:aws:qldb:us-east-1:123456789012:ledger/books, in vault v, of 2026-11-20T03:00:00Z
    type: Ledger
    recovery_point: arn:aws:backup:us-east-1:123456789012:recovery-point:1
    metadata:
      # As AWS returned it; no page of AWS that redrill knows lists it.
      ledgerName: '{{ "books {{ x }}" }}'
      # Not sent back:
      # - password: it looks like a secret; give it as a variable with `secret: true` where it is needed
      # To fix: `Ledger` is not a resource type that redrill knows; its metadata is sent unchecked; known are
      # `Aurora`, `Aurora DSQL`, [..]
...
"#]]
    );
    write(folder.path(), "plan.yaml", &plan);
    let (checked, _) = run(folder.path(), &["validate", "plan.yaml"], 0);
    assert!(
        checked.contains("1 restore, 0 errors, 1 warning"),
        "{checked}"
    );
}

/// What leaving out does not mend is said where it stands, and the plan is none the less valid.
#[test]
fn what_is_still_to_be_fixed() {
    let folder = folder();
    let text = account(1).replace(
        r#"[\"subnet-0e66e94eb43235351\",\"subnet-0e66e94eb43235352\"]"#,
        r#"[\"subnet-0e66e94eb43235351\"]"#,
    );
    assert_ne!(text, account(1));
    write(folder.path(), "account.yaml", &text);
    let windows = "arn:aws:fsx:us-east-1:123456789012:file-system/fs-0b1b2c3d400000001";
    let (plan, _) = run(
        folder.path(),
        &["init", "--inventory", "account.yaml", "--resource", windows],
        0,
    );
    assert!(plan.contains("DeploymentType: MULTI_AZ_1"));
    let words = "# To fix: MULTI_AZ_1 needs two subnets, and one of them as `PreferredSubnetId`";
    assert!(plan.contains(words), "{plan}");
    write(folder.path(), "plan.yaml", &plan);
    let (checked, _) = run(folder.path(), &["validate", "plan.yaml"], 0);
    assert!(checked.contains("1 restore, 0 errors, "), "{checked}");
}

/// The same plan, whether AWS is asked or a file of what it answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_what_aws_says() {
    let folder = folder();
    let text = account(1);
    write(folder.path(), "account.yaml", &text);
    let emulator = serving(&text, at_once()).await;
    let (url, path) = (emulator.url(), folder.path().to_owned());
    let (of_file, of_aws, said) = tokio::task::spawn_blocking(move || {
        let (of_file, _) = run(
            &path,
            &["init", "--name", "a", "--inventory", "account.yaml"],
            0,
        );
        let aws = [
            "init",
            "--name",
            "a",
            "--region",
            "us-east-1",
            "--endpoint-url",
            &url,
            "-v",
        ];
        let (of_aws, said) = run(&path, &aws, 0);
        (of_file, of_aws, said)
    })
    .await
    .unwrap();
    assert_eq!(of_file, of_aws);
    assert!(said.contains("which it belongs to"), "{said}");
    // Only what a restore is written for is asked about: two points belong to another, which comes back with them.
    let calls = emulator.calls();
    let asked = calls[&Operation::GetRecoveryPointRestoreMetadata];
    assert_eq!(asked, returned().len() as u64 - 2);
    emulator.shutdown().await;
}
