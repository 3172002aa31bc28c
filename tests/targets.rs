//! One plan, several accounts and Regions.

use std::collections::BTreeMap;

use redrill::diagnostic::Source;
use redrill::ids::{RunId, StepIndex};
use redrill::render::{Inputs, Known};
use redrill::rules::Rules;
use redrill::session;
use redrill_emulator::Options;
use snapbox::str;

use crate::support::{at_once, emulator, folder, redrill, write};

pub(crate) const PLAN: &str = r#"plan: everywhere
targets:
  west: { region: us-west-2, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }
  east: { region: us-east-1, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }
  other: { region: us-west-2, account: "210987654321", iam_role_arn: "arn:aws:iam::210987654321:role/restore", assume_role_arn: "arn:aws:iam::210987654321:role/redrill" }
limits: { by_target: { east: 1 } }
restores:
  a:
    target: west
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60718
    metadata: { availabilityZone: "{{ target.region }}a", encrypted: true }
  b:
    target: east
    type: EBS
    needs: [a]
    recovery_point: arn:aws:ec2:us-east-1::snapshot/snap-0a1b2c3d4e5f60718
    metadata: { availabilityZone: "{{ target.region }}a", encrypted: true }
  c:
    target: other
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60719
    metadata: { availabilityZone: "{{ target.region }}b", encrypted: true }
"#;

/// Each job is in its account and Region, whose clients see it, and a second run starts nothing.
#[tokio::test(flavor = "multi_thread")]
async fn each_restore_runs_in_its_target() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", PLAN);
    let url = emulator.url();
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let run = |state: &str| {
            redrill(&path)
                .args(["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url])
                .args(["--state", state])
                .assert()
                .success()
        };
        run("first").stdout_eq(str![[r#"
Not AWS: this run was at http://127.0.0.1:[..], which is not an AWS endpoint. Nothing was restored at AWS, and its times are by the clock of that endpoint.

COMPLETED  a  123456789012 us-west-2  1m 00s  arn:aws:ec2:us-west-2:123456789012:volume/vol-243e52d3cb8c1c572
COMPLETED  b  123456789012 us-east-1  1m 00s  arn:aws:ec2:us-east-1:123456789012:volume/vol-f42f0c881aac96258
COMPLETED  c  210987654321 us-west-2  1m 00s  arn:aws:ec2:us-west-2:210987654321:volume/vol-7adf7a10f24a67339

everywhere run main: passed; 3 of 3 restored in [..]
at http://127.0.0.1:[..] (not AWS), into 123456789012 us-west-2, 123456789012 us-east-1, 210987654321 us-west-2; started [..] UTC, ended [..] UTC

"#]]);
        run("first");
        run("second");
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 3);
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_has_all_targets_too() {
    let folder = folder();
    write(folder.path(), "plan.yaml", PLAN);
    redrill(folder.path())
        .args(["rehearse", "plan.yaml", "-q"])
        .assert()
        .success();
}

/// The role that redrill assumes is assumed with the caller's credentials, and is the account that is checked.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_assumed_where_the_target_says_so() {
    let emulator = emulator(Options {
        account: Some("123456789012".to_owned()),
        ..at_once()
    })
    .await;
    let folder = folder();
    write(folder.path(), "plan.yaml", PLAN);
    let url = emulator.url();
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        redrill(&path)
            .args(["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url])
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .assert()
            .success();
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 3);
    emulator.shutdown().await;
}

fn tokens(plan: &str) -> BTreeMap<String, String> {
    let rules = std::sync::Arc::new(Rules::embedded());
    let source = Source::new("plan.yaml", plan);
    let loaded = session::read(&source, &RunId::new("main"), &Inputs::default(), &rules).unwrap();
    let plan = loaded.draft(&Known::default()).plan.unwrap();
    let token = |(at, step): (StepIndex, &redrill::plan::Step)| {
        (
            step.name.to_string(),
            plan.token(at, 1).unwrap().to_string(),
        )
    };
    plan.steps.enumerated().map(token).collect()
}

/// What a target is called, and how redrill gets there, is no part of what is asked for.
#[test]
fn the_name_of_a_target_and_the_way_to_it_change_no_token() {
    let before = tokens(PLAN);
    let renamed = PLAN
        .replace("west:", "oregon:")
        .replace("target: west", "target: oregon")
        .replace(
            ", assume_role_arn: \"arn:aws:iam::210987654321:role/redrill\"",
            "",
        );
    assert_eq!(tokens(&renamed), before);
    let moved = PLAN.replace("role/restore\" }\n  east", "role/another\" }\n  east");
    assert_ne!(tokens(&moved)["a"], before["a"]);
    assert_eq!(tokens(&moved)["c"], before["c"]);
}
