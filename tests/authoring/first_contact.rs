//! What a new user met between an account and a plan, by the case.

use super::run;
use crate::support::{at_once, folder, repository_file, write};

/// One recovery point in a document of its own.
fn document(
    account: &str,
    region: &str,
    vault: &str,
    points: &[(&str, &str, &str, &str)],
) -> String {
    let mut text = format!(
        "account: \"{account}\"\nregion: {region}\nvaults:\n  {vault}:\n    recovery_points:\n"
    );
    for (arn, resource, of_type, metadata) in points {
        text.push_str(&format!(
            "      - {{ arn: '{arn}', resource_arn: '{resource}', resource_type: {of_type}, created_at: 2026-11-20T03:00:00Z, size_bytes: 1024, restore_metadata: {metadata} }}\n"
        ));
    }
    text
}

const AMI: &str = "arn:aws:ec2:us-east-1::image/ami-0a1b2c3d4e5f60718";
const INSTANCE: &str = "arn:aws:ec2:us-east-1:123456789012:instance/i-0a1b2c3d4e5f60718";

#[test]
fn first_contact_b9_a_plan_fresh_from_init_does_not_alarm() {
    let folder = folder();
    let metadata = "{ InstanceType: t3.large, SubnetId: subnet-0a1b2c3d4e5f60718, VpcId: vpc-0a1b2c3d4e5f60718 }";
    let text = document(
        "123456789012",
        "us-east-1",
        "primary",
        &[(AMI, INSTANCE, "EC2", metadata)],
    );
    write(folder.path(), "account.yaml", &text);
    run(
        folder.path(),
        &["init", "--inventory", "account.yaml", "-o", "plan.yaml"],
        0,
    );
    let (shown, _) = run(
        folder.path(),
        &["plan", "plan.yaml", "--inventory", "account.yaml"],
        0,
    );
    assert!(shown.contains("- VpcId:"), "{shown}");
    assert!(
        !shown.contains("Review:") && !shown.contains("network"),
        "{shown}"
    );
    assert_eq!(shown.matches("cancelled").count(), 1, "{shown}");
}

#[test]
fn first_contact_c8_an_inventory_of_another_account_is_named() {
    let folder = folder();
    let point =
        "arn:aws:backup:eu-west-1:444455556666:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90";
    let table = "arn:aws:dynamodb:eu-west-1:444455556666:table/orders";
    let text = document(
        "444455556666",
        "eu-west-1",
        "other",
        &[(point, table, "DynamoDB", "{}")],
    );
    write(folder.path(), "other.yaml", &text);
    write(
        folder.path(),
        "tables.yaml",
        &repository_file("plans/tables.yaml"),
    );
    write(
        folder.path(),
        "quickstart.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    let says = "the inventory is of 444455556666 eu-west-1, and the target is 123456789012 us-";
    let (_, said) = run(
        folder.path(),
        &["plan", "tables.yaml", "--inventory", "other.yaml"],
        4,
    );
    assert!(
        said.contains("cannot be listed: ListRecoveryPoints") && said.contains(says),
        "{said}"
    );
    assert!(
        !said.contains("there is none") && !said.contains("has no vault"),
        "{said}"
    );
    for command in ["plan", "rehearse", "validate"] {
        let output = crate::support::redrill(folder.path())
            .args([command, "quickstart.yaml", "--inventory", "other.yaml"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.matches(says).count(), 1, "{said}");
    }
}

#[test]
fn first_contact_b7_nobody_is_told_to_give_the_inventory_that_was_given() {
    let folder = folder();
    let point =
        "arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-000000000001";
    let table = "arn:aws:dynamodb:us-west-2:123456789012:table/other";
    let text = document(
        "123456789012",
        "us-west-2",
        "v",
        &[(point, table, "DynamoDB", "{}")],
    );
    write(folder.path(), "other.yaml", &text);
    write(
        folder.path(),
        "plan.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    for command in ["plan", "rehearse", "validate"] {
        let output = crate::support::redrill(folder.path())
            .args([command, "plan.yaml", "--inventory", "other.yaml"])
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(
            said.contains("the inventory does not have the recovery point"),
            "{said}"
        );
        assert!(!said.contains("--inventory"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn first_contact_c9_each_region_says_how_much_it_found() {
    let folder = folder();
    let text = repository_file("inventories/tables.yaml");
    let emulator = super::serving(&text, at_once()).await;
    let url = emulator.url();
    let path = folder.path().to_owned();
    let (_, said) = tokio::task::spawn_blocking(move || {
        let asked = [
            "inventory",
            "--region",
            "us-east-1",
            "--region",
            "eu-west-1",
        ];
        run(
            &path,
            &[&asked[..], &["--endpoint-url", &url, "-o", "all.yaml"]].concat(),
            0,
        )
    })
    .await
    .unwrap();
    assert!(
        said.contains("123456789012 us-east-1: 8 recovery points in 2 vaults\n"),
        "{said}"
    );
    assert!(
        said.contains("123456789012 eu-west-1: no recovery points\n"),
        "{said}"
    );
    emulator.shutdown().await;
}

#[test]
fn first_contact_b12_several_inventories_are_read_as_one() {
    let folder = folder();
    let text = repository_file("inventories/tables.yaml");
    let (tables, files) = text.split_once("  files:\n").unwrap();
    write(folder.path(), "tables.yaml", tables);
    write(
        folder.path(),
        "files.yaml",
        &format!("account: \"123456789012\"\nregion: us-east-1\nvaults:\n  files:\n{files}"),
    );
    write(
        folder.path(),
        "plan.yaml",
        &repository_file("plans/tables.yaml"),
    );
    let both = ["--inventory", "tables.yaml", "--inventory", "files.yaml"];
    for command in ["validate", "plan", "render", "lock", "rehearse"] {
        run(
            folder.path(),
            &[&[command, "plan.yaml"], &both[..]].concat(),
            0,
        );
    }
    let (_, said) = run(
        folder.path(),
        &[&["plan", "plan.yaml", "-o", "saved.json"], &both[..]].concat(),
        0,
    );
    let saved = std::fs::read_to_string(folder.path().join("saved.json")).unwrap();
    assert!(
        saved.contains("\"more_inventories\"") && saved.contains("files.yaml"),
        "{said}{saved}"
    );
    // The second has changed: the saved plan is another one.
    write(folder.path(), "files.yaml", "");
    let (_, said) = run(folder.path(), &["run", "saved.json", "--yes"], 4);
    assert!(
        said.contains("files.yaml has changed")
            && said.contains("--inventory tables.yaml --inventory files.yaml"),
        "{said}"
    );
    let twice = ["--inventory", "tables.yaml", "--inventory", "tables.yaml"];
    let (_, said) = run(
        folder.path(),
        &[&["plan", "plan.yaml"], &twice[..]].concat(),
        64,
    );
    assert!(said.contains("is in tables.yaml already"), "{said}");
}
