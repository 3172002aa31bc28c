//! Cleanup where something is not as it should be: what was there before, what somebody else has made, what AWS has mixed up.

use std::path::Path;

use redrill::state::{Append as _, Event, Recorded};
use redrill_emulator::{Emulator, Faults, Inventory, Options};

use crate::harness::owner;
use crate::support::{at_once, emulator, folder, journal_of, now, ran, records, write};

const ACCOUNT: &str = "123456789012";
const TARGET: &str = "target: { region: us-west-2, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }\n";

fn backup(id: u32) -> String {
    format!("arn:aws:backup:us-west-2:{ACCOUNT}:recovery-point:00000000-0000-0000-0000-{id:012}")
}

/// Every row of `existing:` in schemas/, by what cleanup makes of it.
fn existing() -> String {
    let rows = [
        (
            "EBS",
            "arn:aws:ec2:us-west-2::snapshot/snap-0123456789abcdef0",
            "{ restoreType: FILE_LEVEL_RESTORE, destinationBucketName: live-bucket, pathsToRestore: [/data/a.txt] }",
        ),
        (
            "EFS",
            &backup(1),
            "{ file-system-id: fs-0a1b2c3d, newFileSystem: false }",
        ),
        (
            "EKS",
            "arn:aws:backup:us-west-2:123456789012:recovery-point:composite:eks/shop-20261120030000",
            "{ clusterName: shop, newCluster: false, restoreKubernetesManifestsOnly: true }",
        ),
        (
            "Redshift",
            "arn:aws:redshift:us-west-2:123456789012:snapshot:orders/awsbackup:job-1",
            "{ RestoreType: TABLE_RESTORE, ClusterIdentifier: warehouse, SourceDatabaseName: d, SourceTableName: t, NewTableName: t2 }",
        ),
        (
            "Redshift",
            "arn:aws:redshift:us-west-2:123456789012:snapshot:orders/awsbackup:job-2",
            "{ RestoreType: NAMESPACE_RESTORE, ClusterIdentifier: live }",
        ),
        (
            "Redshift Serverless",
            "arn:aws:redshift-serverless:us-west-2:123456789012:snapshot/a12bc34d-567e-890f-1234-a4bcde78f8a9",
            "{ RestoreType: NAMESPACE_RESTORE, NamespaceIdentifier: live-namespace }",
        ),
        (
            "Redshift Serverless",
            "arn:aws:redshift-serverless:us-west-2:123456789012:snapshot/a12bc34d-567e-890f-1234-a4bcde78f8aa",
            "{ RestoreType: TABLE_RESTORE, NamespaceIdentifier: live-namespace, sourceDatabaseName: d, sourceTableName: t, newTableName: t2 }",
        ),
        (
            "S3",
            &backup(2),
            "{ DestinationBucketName: live-objects, NewBucket: false }",
        ),
        (
            "SAP HANA on Amazon EC2",
            &backup(3),
            "{ \"aws:backup:TargetDatabaseArn\": \"arn:aws:ssm-sap:us-west-2:123456789012:HANA/myapp/DB/HDB\", CatalogRestoreOption: NO_CATALOG, RecoveryType: FULL_DATA_BACKUP_RECOVERY }",
        ),
    ];
    let mut text = format!("plan: into\n{TARGET}limits: {{ concurrent: 4 }}\nrestores:\n");
    for (at, (of, point, metadata)) in rows.iter().enumerate() {
        text += &format!(
            "  r{at}:\n    type: {of}\n    recovery_point: {point}\n    into_existing: true\n    metadata: {metadata}\n"
        );
    }
    text
}

/// Whether a thing was there before is asked before whether its type can be deleted.
#[tokio::test(flavor = "multi_thread")]
async fn field_a_what_was_there_before_stays_and_is_no_failure() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &existing());
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    let (code, stdout, stderr) = on(&["run", "plan.yaml", "--yes", "-q", "--into-existing"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let before = emulator.resources(ACCOUNT);
    for how in ["--dry-run", "--yes"] {
        let (code, stdout, stderr) = on(&["cleanup", "plan.yaml", how]).await;
        assert_eq!(code, 0, "{stdout}{stderr}");
        let stays = "it existed before; the restore wrote into it";
        assert_eq!(stdout.matches(stays).count(), 9, "{stdout}");
        assert!(
            stdout.contains("0 to delete, 0 already gone, 0 left, 9 not created by this run"),
            "{stdout}"
        );
    }
    assert_eq!(emulator.resources(ACCOUNT), before);
    let (_, stdout, _) = on_report(folder.path(), "plan.yaml", "main");
    assert_eq!(
        stdout.matches("\"into_existing\": true").count(),
        9,
        "{stdout}"
    );
    emulator.shutdown().await;
}

fn on_report(folder: &Path, plan: &str, run_id: &str) -> (i32, String, String) {
    let words = ["report", plan, "--run-id", run_id, "--format", "json"];
    let reported = super::run(folder, &words);
    crate::dry_run::outputs::assert_valid("run", &serde_json::from_str(&reported.1).unwrap());
    reported
}

/// What is made of a system of ONTAP's is new, and is not deleted silently either.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_volume_of_an_existing_file_system_is_left_and_said() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let plan = format!(
        "plan: ontap\n{TARGET}restores:\n  v:\n    type: FSx\n    recovery_point: arn:aws:fsx:us-west-2:{ACCOUNT}:backup/backup-0a1b2c3d4e5f6071b\n    into_existing: true\n    metadata: {{ Name: o, OntapConfiguration: {{ storageVirtualMachineId: svm-01234567890abcdef, junctionPath: /o, sizeInMegabytes: 1024, storageEfficiencyEnabled: true }} }}\n"
    );
    write(folder.path(), "plan.yaml", &plan);
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    let (code, stdout, stderr) = on(&["run", "plan.yaml", "--yes", "-q", "--into-existing"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (code, stdout, _) = on(&["cleanup", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 5);
    assert!(
        stdout.contains("left  v  arn:aws:fsx:us-west-2:123456789012:volume/fs-"),
        "{stdout}"
    );
    emulator.shutdown().await;
}

/// Two accounts: `us` has a table, `eu` a file system.
fn two_accounts() -> String {
    let target = |name: &str, region: &str, account: &str| {
        format!(
            "  {name}: {{ region: {region}, account: \"{account}\", iam_role_arn: \"arn:aws:iam::{account}:role/restore\", assume_role_arn: \"arn:aws:iam::{account}:role/redrill\" }}\n"
        )
    };
    format!(
        "plan: shop\ntargets:\n{}{}restores:\n  orders:\n    target: us\n    type: DynamoDB\n    recovery_point: arn:aws:dynamodb:us-east-1:111122223333:table/orders/backup/01600000000000-aaaaaaaa\n    metadata: {{ targetTableName: \"orders-{{{{ run.id }}}}\" }}\n  files:\n    target: eu\n    type: EFS\n    recovery_point: arn:aws:backup:eu-west-1:444455556666:recovery-point:00000000-0000-0000-0000-000000000001\n    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: \"f-{{{{ run.id }}}}\" }}\n",
        target("us", "us-east-1", "111122223333"),
        target("eu", "eu-west-1", "444455556666"),
    )
}

/// What is asked about, and has to be typed out, are the accounts in which something is deleted.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a4_the_accounts_that_are_confirmed_are_those_that_are_touched() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "shop.yaml", &two_accounts());
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    let (code, stdout, stderr) = on(&[
        "run",
        "shop.yaml",
        "--yes",
        "-q",
        "--run-id",
        "prod-x",
        "--only",
        "files",
    ])
    .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let clean = ["cleanup", "shop.yaml", "--run-id", "prod-x", "--yes"];
    let with = |more: &[&'static str]| [&clean[..], more].concat();
    let (code, _, stderr) = on(&clean).await;
    assert_eq!(code, 64);
    assert_eq!(
        stderr,
        "error: nothing was deleted: `prod-x` looks like production: look at --dry-run, then give --yes --confirm-account 444455556666\n"
    );
    let (code, _, stderr) = on(&with(&["--confirm-account", "111122223333"])).await;
    assert_eq!(code, 64);
    assert_eq!(
        stderr,
        "error: nothing was deleted: --confirm-account says 111122223333, and nothing is deleted in that account; look at --dry-run, then give --confirm-account 444455556666\n"
    );
    assert_eq!(emulator.resources("444455556666").len(), 1);
    let (code, stdout, stderr) = on(&with(&["--confirm-account", "444455556666"])).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(
        stderr.contains(
            "This deletes 1 resource in account 444455556666, eu-west-1. It cannot be undone."
        ),
        "{stderr}"
    );
    assert_eq!(emulator.resources("444455556666"), Vec::<String>::new());

    let (code, stdout, stderr) =
        on(&["run", "shop.yaml", "--yes", "-q", "--run-id", "prod-y"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let clean = ["cleanup", "shop.yaml", "--run-id", "prod-y", "--yes"];
    let with = |more: &[&'static str]| [&clean[..], more].concat();
    let (code, _, stderr) = on(&with(&["--confirm-account", "444455556666"])).await;
    assert_eq!(code, 64);
    assert_eq!(
        stderr,
        "error: nothing was deleted: --confirm-account does not say 111122223333, and something is deleted in that account too; look at --dry-run, then give --confirm-account 111122223333,444455556666\n"
    );
    let both = [
        "--confirm-account",
        "111122223333",
        "--confirm-account",
        "444455556666",
    ];
    let (code, stdout, stderr) = on(&with(&both)).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stderr.contains("This deletes 2 resources in 2 places. It cannot be undone:\n  account 111122223333, us-east-1: 1\n  account 444455556666, eu-west-1: 1\n"), "{stderr}");
    assert_eq!(emulator.resources("111122223333"), Vec::<String>::new());
    emulator.shutdown().await;
}

const SNAPSHOT: &str = "arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60718";

fn cluster(name: &str) -> String {
    format!(
        r#"plan: shop
{TARGET}restores:
  cluster:
    type: EKS
    recovery_point: arn:aws:backup:us-west-2:{ACCOUNT}:recovery-point:composite:eks/shop-20261120030000
    metadata:
      clusterName: "{name}"
      newCluster: true
      clusterRole: arn:aws:iam::{ACCOUNT}:role/eks
      clusterVpcConfig: {{ vpcId: vpc-0a1b2c3d, subnetIds: [subnet-0a1b2c3d, subnet-0a1b2c3e], securityGroupIds: [sg-0a1b2c3d] }}
      nestedRestoreJobs: {{ "{SNAPSHOT}": {{ AvailabilityZone: us-west-2a }} }}
"#
    )
}

async fn with_points() -> Emulator {
    let text = format!(
        "account: \"{ACCOUNT}\"\nregion: us-west-2\nvaults:\n  v:\n    recovery_points:\n      - {{ arn: \"arn:aws:backup:us-west-2:{ACCOUNT}:recovery-point:composite:eks/shop-20261120030000\", resource_arn: \"arn:aws:eks:us-west-2:{ACCOUNT}:cluster/shop\", resource_type: EKS, created_at: 2026-11-20T03:00:00Z, size_bytes: 1024 }}\n      - {{ arn: \"arn:aws:backup:us-west-2:{ACCOUNT}:recovery-point:eks/shop-20261120030000\", resource_arn: \"arn:aws:eks:us-west-2:{ACCOUNT}:cluster/shop\", resource_type: EKS, created_at: 2026-11-20T03:00:00Z, size_bytes: 1024, parent: \"arn:aws:backup:us-west-2:{ACCOUNT}:recovery-point:composite:eks/shop-20261120030000\" }}\n      - {{ arn: \"{SNAPSHOT}\", resource_arn: \"arn:aws:ec2:us-west-2:{ACCOUNT}:volume/vol-0a1b2c3d4e5f60718\", resource_type: EBS, created_at: 2026-11-20T03:00:00Z, size_bytes: 1024, parent: \"arn:aws:backup:us-west-2:{ACCOUNT}:recovery-point:composite:eks/shop-20261120030000\" }}\n"
    );
    emulator(Options {
        inventory: Some(Inventory::parse(&text).unwrap()),
        ..at_once()
    })
    .await
}

/// What nested jobs have made is reported, deleted, and proven gone; and that of another run is not.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a7_what_nested_jobs_have_made_is_deleted_too() {
    let emulator = with_points().await;
    let before = emulator.resources(ACCOUNT);
    let folder = folder();
    write(folder.path(), "shop.yaml", &cluster("shop-{{ run.id }}"));
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    for run_id in ["one", "two"] {
        let (code, stdout, stderr) = on(&["run", "shop.yaml", "--yes", "--run-id", run_id]).await;
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert!(
            stdout.contains("also created: arn:aws:ec2:us-west-2:123456789012:volume/vol-"),
            "{stdout}"
        );
        assert!(
            stderr.contains("cluster: nested jobs made arn:aws:"),
            "{stderr}"
        );
    }
    let of_both = emulator.resources(ACCOUNT);
    assert_eq!(of_both.len(), before.len() + 4, "{of_both:?}");
    let (_, two, _) = on_report(folder.path(), "shop.yaml", "two");
    let (code, stdout, stderr) =
        on(&["cleanup", "shop.yaml", "--run-id", "one", "--dry-run"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    snapbox::assert_data_eq!(
        stdout,
        snapbox::str![[r#"
delete  cluster  arn:aws:eks:us-west-2:123456789012:cluster/shop-one              AWS::EKS::Cluster
delete  cluster  arn:aws:ec2:us-west-2:123456789012:volume/vol-[..]  AWS::EC2::Volume, of nested job [..]

2 to delete, 0 already gone, 0 left, 0 not created by this run

"#]]
    );
    assert!(
        stderr.contains("AWS::EKS::Cluster: load balancers of its services; node groups"),
        "{stderr}"
    );
    let (code, stdout, stderr) = on(&["cleanup", "shop.yaml", "--run-id", "one", "--yes"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(stdout, "shop run one: 2 deleted (verified), 0 remaining\n");
    let left = emulator.resources(ACCOUNT);
    assert_eq!(left.len(), before.len() + 2);
    let of_two: Vec<&String> = left.iter().filter(|arn| !before.contains(arn)).collect();
    assert!(
        of_two.iter().all(|arn| two.contains(arn.as_str())),
        "{of_two:?}"
    );
    let (_, report, _) = on_report(folder.path(), "shop.yaml", "one");
    assert_eq!(
        report.matches("\"cleanup\": \"GONE\"").count(),
        2,
        "{report}"
    );
    emulator.shutdown().await;
}

/// A journal of an earlier version says nothing of nested jobs: they are asked for.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a7_nested_jobs_that_no_journal_names_are_asked_for() {
    let emulator = with_points().await;
    let before = emulator.resources(ACCOUNT);
    let folder = folder();
    write(folder.path(), "shop.yaml", &cluster("shop-{{ run.id }}"));
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    let (code, stdout, stderr) = on(&["run", "shop.yaml", "--yes", "-q"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    edit(folder.path(), "shop", |event| {
        !matches!(event, Event::Nested { .. })
    });
    let (code, stdout, stderr) = on(&["cleanup", "shop.yaml", "--yes"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(emulator.resources(ACCOUNT), before);
    let (code, stdout, _) = on(&["cleanup", "shop.yaml", "--yes"]).await;
    assert_eq!(code, 0);
    assert!(
        stdout.contains("0 to delete, 2 already gone, 0 left"),
        "{stdout}"
    );
    emulator.shutdown().await;
}

/// Writes the journal of the run `main` again, sums and all: with those events for which it is so, as they are by then.
fn edit(folder: &Path, plan: &str, mut keep: impl FnMut(&mut Event) -> bool) {
    let state = folder.join(".redrill");
    let events: Vec<Recorded> = records(&state, plan, "main")
        .unwrap()
        .into_iter()
        .filter_map(|mut recorded| keep(&mut recorded.event).then_some(recorded))
        .collect();
    std::fs::remove_dir_all(state.join(plan).join("main")).unwrap();
    let mut journal = journal_of(&state, plan, "main", &owner(1), false).unwrap();
    now(journal.append(&events)).unwrap();
}

fn table(head: &str) -> String {
    format!(
        "plan: orders\n{head}{TARGET}restores:\n  orders:\n    type: DynamoDB\n    recovery_point: arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/orders/backup/01600000000000-aaaaaaaa\n    metadata: {{ targetTableName: orders-drill }}\n"
    )
}

const TABLE: &str = "arn:aws:dynamodb:us-west-2:123456789012:table/orders-drill";

/// Whoever can write the journal can give it sums: an ARN that is not what the request asked for is not deleted.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r3_15_what_a_journal_names_is_held_against_the_request() {
    let surroundings: String = ["prod-orders", "orders-drill-2"]
        .map(|name| {
            format!("\"resource arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/{name}\": exists, ")
        })
        .concat();
    let text = format!(
        "account: \"{ACCOUNT}\"\nregion: us-west-2\nsurroundings: {{ {surroundings} }}\nvaults: {{ v: {{ recovery_points: [{{ arn: \"arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/orders/backup/01600000000000-aaaaaaaa\", resource_arn: \"arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/orders\", resource_type: DynamoDB, created_at: 2026-11-20T03:00:00Z, size_bytes: 1024 }}] }} }}\n"
    );
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(&text).unwrap()),
        ..at_once()
    })
    .await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &table(""));
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    let (code, stdout, stderr) = on(&["run", "plan.yaml", "--yes", "-q"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let all = emulator.resources(ACCOUNT);
    for (arn, why) in [
        (
            "arn:aws:dynamodb:us-west-2:123456789012:table/prod-orders",
            "a restore of DynamoDB that was asked for like this makes",
        ),
        (
            "arn:aws:dynamodb:us-west-2:123456789012:table/orders-drill/index/by-day",
            "makes `arn:aws:dynamodb:us-west-2:123456789012:table/orders-drill`",
        ),
        (
            "arn:aws-cn:dynamodb:us-west-2:123456789012:table/orders-drill",
            "its partition is `aws-cn`",
        ),
        (
            "arn:aws:dynamodb:us-west-2::table/orders-drill",
            "makes `arn:aws:dynamodb:us-west-2:123456789012:table/orders-drill`",
        ),
        (
            "arn:aws:dynamodb:us-west-2:123456789012:table/orders-drill|x",
            "it has a character that no ARN of a resource has",
        ),
        (
            "arn:aws:dynamodb:us-west-2:123456789012:table/*",
            "it has a character",
        ),
        (
            "arn:aws:dynamodb:us-west-2:123456789012:table/",
            "makes `arn:aws:dynamodb",
        ),
        (
            "arn:aws:ec2:us-west-2:123456789012:instance/i-0a1b2c3d4e5f60718",
            "makes `arn:aws:dynamodb",
        ),
        (
            "arn:aws:dynamodb:us-west-2:999999999999:table/orders-drill",
            "its account is `999999999999`",
        ),
        (
            "arn:aws:dynamodb:us-east-1:123456789012:table/orders-drill",
            "its Region is `us-east-1`",
        ),
    ] {
        edit(folder.path(), "orders", |event| {
            if let Event::Completed {
                created_resource_arn,
                ..
            } = event
            {
                *created_resource_arn = Some(arn.to_owned());
            }
            !matches!(event, Event::DeletionFailed { .. })
        });
        let (code, stdout, stderr) = on(&["cleanup", "plan.yaml", "--yes"]).await;
        assert_eq!(code, 5, "{arn}: {stdout}{stderr}");
        assert!(
            stdout.contains("it is not what was asked for, so it is not deleted"),
            "{stdout}"
        );
        assert!(stdout.contains(why), "{arn}: {stdout}");
        assert_eq!(emulator.resources(ACCOUNT), all, "{arn}");
    }
    emulator.shutdown().await;
}

/// `protect` holds as it was when the plan was run, whatever it says today.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r3_14_what_was_protected_when_the_plan_was_run_is_left() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &table(""));
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    let (code, stdout, stderr) = on(&["run", "plan.yaml", "--yes", "-q"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    // As if the run had been taken up with it.
    edit(folder.path(), "orders", |event| {
        if let Event::Planned { outline } = event {
            std::sync::Arc::make_mut(outline).protect = vec!["orders-*".to_owned()];
        }
        true
    });
    write(folder.path(), "plan.yaml", &table(""));
    let (code, stdout, stderr) = on(&["cleanup", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 5, "{stdout}{stderr}");
    assert!(
        stdout.contains("it is protected: `protect` had `orders-*` when the plan ran"),
        "{stdout}"
    );
    assert_eq!(emulator.resources(ACCOUNT), [TABLE]);
    emulator.shutdown().await;
}

/// The journal keeps what `protect` had.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r3_14_the_journal_keeps_what_is_protected() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let head = "vars: { kept: { default: live, type: string } }\nprotect: [\"{{ vars.kept }}-*\", fs-0a1b2c3d]\n";
    write(folder.path(), "plan.yaml", &table(head));
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    let (code, stdout, stderr) =
        on(&["run", "plan.yaml", "--yes", "-q", "--var", "kept=prod"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let events = records(&folder.path().join(".redrill"), "orders", "main").unwrap();
    let protect = events.iter().find_map(|recorded| match &recorded.event {
        Event::Planned { outline } => Some(outline.protect.clone()),
        _ => None,
    });
    assert_eq!(protect.unwrap(), ["prod-*", "fs-0a1b2c3d"]);
    emulator.shutdown().await;
}

/// Patterns of another kind than `*` would match nothing, silently.
#[test]
fn reliability_r3_14_a_pattern_that_is_none_is_a_finding() {
    let folder = folder();
    for (entry, what, code) in [
        ("prod-?", "error[protect/pattern]: `?` means itself here", 4),
        ("^prod-", "error[protect/pattern]: `^`", 4),
        ("prod-[0-9]*", "error[protect/pattern]: `[`", 4),
        ("(prod|live)-*", "error[protect/pattern]: `|`", 4),
        ("prod-.*", "warning[protect/pattern]: `.*`", 0),
        ("prod-*", "valid", 0),
        ("arn:aws:s3:::a.b-*", "valid", 0),
    ] {
        let head = format!("protect: [{entry:?}]\n");
        write(folder.path(), "plan.yaml", &table(&head));
        let (is, stdout, stderr) = super::run(folder.path(), &["validate", "plan.yaml"]);
        assert_eq!(is, code, "{entry}: {stdout}{stderr}");
        assert!(stdout.contains(what), "{entry}: {stdout}{stderr}");
    }
}

/// A job that has failed names what it had made: four file systems, none of which is passed over.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r3_13_what_a_failed_job_had_made_is_listed() {
    let fault = "job-fails,resource_type=FSx,message=x".parse().unwrap();
    let emulator = emulator(Options {
        faults: Faults(vec![fault]),
        ..at_once()
    })
    .await;
    let folder = folder();
    write(
        folder.path(),
        "fsx.yaml",
        &crate::support::repository_file("plans/fsx.yaml"),
    );
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    let (code, stdout, stderr) = on(&["run", "fsx.yaml", "--yes", "-q"]).await;
    assert_eq!(code, 6, "{stdout}{stderr}");
    let (code, stdout, stderr) = on(&["cleanup", "fsx.yaml", "--yes"]).await;
    assert_eq!(code, 5, "{stdout}{stderr}");
    assert_eq!(stdout.matches("left  ").count(), 4, "{stdout}");
    assert!(
        stdout.contains("0 to delete, 0 already gone, 4 left"),
        "{stdout}"
    );
    // The second attempt makes others; those of the first are not forgotten.
    let (code, stdout, stderr) = on(&["run", "fsx.yaml", "--yes", "-q", "--retry-failed"]).await;
    assert_eq!(code, 6, "{stdout}{stderr}");
    let (code, stdout, stderr) = on(&["cleanup", "fsx.yaml", "--yes"]).await;
    assert_eq!(code, 5, "{stdout}{stderr}");
    assert_eq!(stdout.matches("left  ").count(), 8, "{stdout}");
    assert_eq!(stdout.matches(", of attempt 1").count(), 4, "{stdout}");
    let (_, report, _) = on_report(folder.path(), "fsx.yaml", "main");
    assert_eq!(report.matches("\"nested\": false").count(), 4, "{report}");
    emulator.shutdown().await;
}

/// A table that somebody has deleted and another run has made again under its name is that run's.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r3_12_what_was_made_again_stays() {
    let emulator = emulator(at_once()).await;
    let (folder, elsewhere) = (folder(), crate::support::folder());
    for path in [folder.path(), elsewhere.path()] {
        write(path, "plan.yaml", &table(""));
    }
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    let (code, stdout, stderr) = on(&["run", "plan.yaml", "--yes", "-q"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    // Somebody deletes it, with what looks like this run.
    copy(
        &folder.path().join(".redrill"),
        &elsewhere.path().join(".redrill"),
    );
    let (code, stdout, stderr) = ran(
        elsewhere.path(),
        &emulator,
        &["cleanup", "plan.yaml", "--yes"],
    )
    .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let again = ["run", "plan.yaml", "--yes", "-q", "--run-id", "again"];
    let (code, stdout, stderr) = ran(elsewhere.path(), &emulator, &again).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(emulator.resources(ACCOUNT), [TABLE]);
    let (code, stdout, stderr) = on(&["cleanup", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(
        stdout.contains(", which is not part of this run, created it again"),
        "{stdout}{stderr}"
    );
    assert_eq!(emulator.resources(ACCOUNT), [TABLE]);
    emulator.shutdown().await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A day later nobody can tell from a name alone whose it is: that is said, and asked for.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r3_12_what_is_known_by_its_name_alone_is_asked_about() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &table(""));
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    let (code, stdout, stderr) = on(&["run", "plan.yaml", "--yes", "-q"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    edit(folder.path(), "orders", |event| {
        if let Event::Completed {
            started_at,
            ended_at,
            ..
        } = event
        {
            (*started_at, *ended_at) = (
                Some("2026-01-02T03:04:05Z".parse().unwrap()),
                Some("2026-01-02T04:04:05Z".parse().unwrap()),
            );
        }
        true
    });
    // AWS Backup keeps no job from that time, either.
    let (code, stdout, _) = on(&["cleanup", "plan.yaml", "--dry-run"]).await;
    assert_eq!(code, 0, "{stdout}");
    let doubt = "its job ended on 2026-01-02, and AWS does not say when the resource that has this name now was created";
    assert!(stdout.contains(doubt), "{stdout}");
    let (code, stdout, _) = on(&["cleanup", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 5, "{stdout}");
    assert!(
        stdout.contains(&format!(
            "left: orders  {TABLE}  {doubt}; check it, then delete it with --known-by-name"
        )),
        "{stdout}"
    );
    assert_eq!(emulator.resources(ACCOUNT), [TABLE]);
    let (code, stdout, stderr) = on(&["cleanup", "plan.yaml", "--yes", "--known-by-name"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(emulator.resources(ACCOUNT), Vec::<String>::new());
    emulator.shutdown().await;
}
