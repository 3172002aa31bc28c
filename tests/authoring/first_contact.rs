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

/// C19: twelve equal tables are one block, and nothing is said twice.
#[test]
fn first_contact_c19_equal_tables_are_one_block_and_a_key_is_explained_once() {
    let folder = folder();
    let arn = |at: usize| {
        (
            format!(
                "arn:aws:dynamodb:us-east-1:123456789012:table/t-{at}/backup/01489173575360-b308cd7d"
            ),
            format!("arn:aws:dynamodb:us-east-1:123456789012:table/t-{at}"),
        )
    };
    let all: Vec<(String, String)> = (0..12).map(arn).collect();
    let points: Vec<_> = all
        .iter()
        .map(|(arn, of)| (&**arn, &**of, "DynamoDB", "{}"))
        .collect();
    let text = document("123456789012", "us-east-1", "v", &points);
    write(folder.path(), "shop.yaml", &text);
    let (plan, said) = run(folder.path(), &["init", "--inventory", "shop.yaml"], 0);
    // The modeline of an editor names no file that is not there; the plan is called after the inventory.
    assert!(
        !plan
            .lines()
            .any(|line| line.starts_with("# yaml-language-server")),
        "{plan}"
    );
    assert!(plan.contains("\nplan: shop\n"), "{plan}");
    assert_eq!(plan.matches("for_each:").count(), 1, "{plan}");
    assert_eq!(
        plan.matches("The name of the new table").count(),
        1,
        "{plan}"
    );
    assert!(plan.lines().count() < 60, "{plan}");
    assert!(
        said.starts_with("12 restores of 123456789012 in us-east-1;"),
        "{said}"
    );
    let options = [
        "init",
        "--inventory",
        "shop.yaml",
        "-o",
        "plan.yaml",
        "--name",
        "Shop DR",
    ];
    let (_, said) = run(folder.path(), &options, 0);
    let plan = std::fs::read_to_string(folder.path().join("plan.yaml")).unwrap();
    assert!(plan.contains("\nplan: shop-dr\n"), "{plan}");
    let hint: Vec<&str> = said
        .trim()
        .split_once("then: redrill ")
        .unwrap()
        .1
        .split(' ')
        .collect();
    let (rehearsed, _) = run(folder.path(), &hint, 0);
    assert!(rehearsed.contains("12 of 12 restored"), "{rehearsed}");
    assert!(
        rehearsed.contains("dynamodb[t-0] ") && rehearsed.contains("table/t-0-main"),
        "{rehearsed}"
    );
    // Two are few enough to be read as they are.
    let text = document("123456789012", "us-east-1", "v", &points[..2]);
    write(folder.path(), "shop.yaml", &text);
    let (plan, _) = run(folder.path(), &["init", "--inventory", "shop.yaml"], 0);
    assert!(!plan.contains("for_each:"), "{plan}");
    assert_eq!(
        plan.matches("The name of the new table").count(),
        1,
        "{plan}"
    );
}

#[test]
fn first_contact_b12_init_writes_a_target_for_each_account_and_region() {
    let folder = folder();
    let point =
        "arn:aws:backup:eu-west-1:444455556666:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90";
    let table = "arn:aws:dynamodb:eu-west-1:444455556666:table/orders";
    let other = document(
        "444455556666",
        "eu-west-1",
        "v",
        &[(point, table, "DynamoDB", "{}")],
    );
    let mine = repository_file("inventories/mixed.yaml")
        .replace("restore: { fails: Access denied to KMS key. }", "");
    write(folder.path(), "other.yaml", &other);
    write(folder.path(), "mine.yaml", &mine);
    write(folder.path(), "both.yaml", &format!("{mine}\n---\n{other}"));
    let two = ["--inventory", "mine.yaml", "--inventory", "other.yaml"];
    let init = |of: &[&str]| run(folder.path(), &[&["init", "--name", "two"], of].concat(), 0);
    let (plan, said) = init(&two);
    assert!(
        said.contains("8 restores of 123456789012 in us-east-1 and 444455556666 in eu-west-1"),
        "{said}"
    );
    assert_eq!(init(&["--inventory", "both.yaml"]).0, plan);
    assert!(
        plan.contains("\ntargets:\n") && plan.contains("    target: eu-west-1\n"),
        "{plan}"
    );
    write(folder.path(), "two.yaml", &plan);
    let (checked, _) = run(
        folder.path(),
        &[&["validate", "two.yaml"], &two[..]].concat(),
        0,
    );
    assert!(checked.ends_with("0 errors, 0 warnings\n"), "{checked}");
    let (rehearsed, _) = run(
        folder.path(),
        &[&["rehearse", "two.yaml"], &two[..]].concat(),
        0,
    );
    assert!(rehearsed.contains("8 of 8 restored"), "{rehearsed}");
    // One of them is one target, as before.
    let (plan, _) = init(&["--inventory", "both.yaml", "--region", "eu-west-1"]);
    assert!(
        plan.contains("\ntarget:\n") && !plan.contains("targets:"),
        "{plan}"
    );
    let (_, said) = run(
        folder.path(),
        &["init", "--inventory", "both.yaml", "--region", "eu-west"],
        64,
    );
    assert!(
        said.contains("the inventory has no Region `eu-west`; did you mean `eu-west-1`?"),
        "{said}"
    );
}

#[test]
fn first_contact_c19_init_takes_some_types_only() {
    let folder = folder();
    write(
        folder.path(),
        "mixed.yaml",
        &repository_file("inventories/mixed.yaml"),
    );
    let (plan, _) = run(
        folder.path(),
        &[
            "init",
            "--inventory",
            "mixed.yaml",
            "--type",
            "efs",
            "--type",
            "S3",
        ],
        0,
    );
    assert_eq!(plan.matches("    type: ").count(), 2, "{plan}");
    let (_, said) = run(
        folder.path(),
        &[
            "init",
            "--inventory",
            "mixed.yaml",
            "--type",
            "VirtualMachine",
        ],
        64,
    );
    assert!(
        said.contains("no recovery point of type VirtualMachine; ") && said.contains("`DynamoDB`"),
        "{said}"
    );
}

/// What is said of a variable is about the variable, and not about the key that holds a map of it.
#[test]
fn first_contact_b13_a_variable_is_described_by_what_it_holds() {
    let folder = folder();
    write(
        folder.path(),
        "compute.yaml",
        &repository_file("inventories/compute.yaml"),
    );
    let (plan, _) = run(
        folder.path(),
        &["init", "--inventory", "compute.yaml", "--type", "EKS"],
        0,
    );
    let described = "  availability_zone:\n    description: The Availability Zone of the volumes of the cluster.\n";
    assert!(plan.contains(described), "{plan}");
}

#[test]
fn first_contact_init_says_what_matches_nothing() {
    let folder = folder();
    write(
        folder.path(),
        "mixed.yaml",
        &repository_file("inventories/mixed.yaml"),
    );
    let (_, said) = run(
        folder.path(),
        &["init", "--inventory", "mixed.yaml", "--resource", "nope"],
        64,
    );
    assert!(
        said.contains("nothing matches `nope` (9 recovery points searched)"),
        "{said}"
    );
}
