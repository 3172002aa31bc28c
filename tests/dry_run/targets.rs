//! The dry run of a plan with several targets.

use serde_json::{Value, json};
use snapbox::str;

use crate::support::{at_once, bytes, emulator, folder, redrill, write};
use crate::targets::PLAN;

fn saved(path: &std::path::Path) -> Value {
    serde_json::from_slice(&bytes(&path.join("saved.json"))).unwrap()
}

/// `b` moves from one Region to another, and its placement with it.
fn moved() -> String {
    PLAN.replace("target: east", "target: other")
}

#[test]
fn a_restore_that_moves_to_another_target_shows_where() {
    let folder = folder();
    let path = folder.path();
    write(path, "old.yaml", PLAN);
    write(path, "plan.yaml", &moved());
    let plan = |format: &str| {
        redrill(path)
            .args(["plan", "plan.yaml", "-q", "--detailed-exitcode"])
            .args(["--against", "file:old.yaml", "--format", format])
            .assert()
            .code(2)
    };
    plan("human").stdout_eq(str![[r#"
everywhere run main, into 123456789012 us-west-2, 123456789012 us-east-1, 210987654321 us-west-2
against file:old.yaml: 1 changed, 2 unchanged

  start  b  EBS  other  arn:aws:ec2:us-east-1::snapshot/snap-0a1b2c3d4e5f60718
         token rd1-65daf7768b82b1b6bd47f9aaa48ba69ef44fd56a
         ~ IamRoleArn: "arn:aws:iam::123456789012:role/restore" → "arn:aws:iam::210987654321:role/restore"
         ~ target.account: "123456789012" → "210987654321"
         ~ target.region: "us-east-1" → "us-west-2"
         ~ availabilityZone: "us-east-1a" → "us-west-2a"
           3 keys unchanged
  2 restores did not change; --full shows them

3 start
forecast: half of such runs end within 3m 14s, nine in ten within 13m 52s, as in old.yaml (no history, 1000 samples)
A restore job that has been started cannot be cancelled.

"#]]);
    plan("markdown").stdout_eq(str![[r#"
<!-- redrill plan plan.yaml -->
### redrill plan: everywhere, run main

> **warning[arn/other-region]** plan.yaml:17: the recovery point is in us-east-1, the target in us-west-2; AWS Backup restores in the Region of the recovery point

**3 start** in 123456789012 us-west-2, 123456789012 us-east-1, 210987654321 us-west-2.
Forecast: half of such runs end within 3m 14s, nine in ten within 13m 52s, as in old.yaml (no history, 1000 samples).
Against `file:old.yaml`: **1 changed, 2 unchanged**.

<details><summary><b>b</b> · EBS · start · in other</summary>

`arn:aws:ec2:us-east-1::snapshot/snap-0a1b2c3d4e5f60718`
· token `rd1-65daf7768b82b1b6bd47f9aaa48ba69ef44fd56a`

```diff
- IamRoleArn: "arn:aws:iam::123456789012:role/restore"
+ IamRoleArn: "arn:aws:iam::210987654321:role/restore"
- target.account: "123456789012"
+ target.account: "210987654321"
- target.region: "us-east-1"
+ target.region: "us-west-2"
- availabilityZone: "us-east-1a"
+ availabilityZone: "us-west-2a"
  3 keys unchanged
```

</details>

A restore job that has been started cannot be cancelled.

"#]]);
    let output = plan("json").get_output().stdout.clone();
    let plan: Value = serde_json::from_slice(&output).unwrap();
    let targets: Vec<&Value> = plan["restores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| &of["target"])
        .collect();
    let other = json!({
        "name": "other",
        "account": "210987654321",
        "iam_role_arn": "arn:aws:iam::210987654321:role/restore",
        "region": "us-west-2",
        "assume_role_arn": "arn:aws:iam::210987654321:role/redrill",
    });
    assert_eq!(targets[0]["name"], "west");
    assert_eq!(targets[1..], [&other, &other]);
    // Of a plan with one target it is said once.
    write(
        path,
        "plan.yaml",
        &crate::support::repository_file("plans/quickstart.yaml"),
    );
    let output = redrill(path)
        .args(["plan", "plan.yaml", "-q", "--format", "json"])
        .output()
        .unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["restores"][0].get("target"), None);
}

/// What a run has sent is known by target, and a saved plan is carried out in its targets and in no others.
#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_of_several_targets() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", PLAN);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        redrill(&path)
            .args(["plan", "plan.yaml", "-q", "-o", "saved.json"])
            .assert()
            .success();
        let names: Vec<Value> = saved(&path)["restores"]
            .as_array()
            .unwrap()
            .iter()
            .map(|of| of["target"].clone())
            .collect();
        assert_eq!(names, ["west", "east", "other"]);
        let run =
            || redrill(&path).args(["run", "saved.json", "--yes", "-q", "--endpoint-url", &url]);
        write(&path, "plan.yaml", &moved());
        run()
            .assert()
            .code(4)
            .stderr_eq("...\n  plan.yaml has changed\n...\n");
        write(&path, "plan.yaml", PLAN);
        run().assert().success();
        let against = |code: i32| {
            let run = redrill(&path)
                .args([
                    "plan",
                    "plan.yaml",
                    "-q",
                    "--against",
                    "run",
                    "--detailed-exitcode",
                    "--endpoint-url",
                    &url,
                ])
                .assert()
                .code(code);
            String::from_utf8(run.get_output().stdout.clone()).unwrap()
        };
        let shown = against(0);
        assert!(shown.contains("against run: 3 unchanged"), "{shown}");
        // What it would be in another target is another request: a conflict.
        write(&path, "plan.yaml", &moved());
        let shown = against(4);
        assert!(shown.contains("1 changed, 2 unchanged"), "{shown}");
        assert!(
            shown.contains("~ target.account: \"123456789012\" → \"210987654321\""),
            "{shown}"
        );
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 3);
    emulator.shutdown().await;
}

/// Whoever reviews a plan sees what validation says of it, and no value that stands for one that is not known yet.
#[test]
fn first_contact_a_comment_has_the_findings_and_no_placeholder() {
    let folder = folder();
    let path = folder.path();
    let plan = |of_new: &str| {
        crate::support::many(1, 0)
            + "  new:\n    type: Foo\n    needs: [r0]\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:1\n"
            + &format!("    metadata: {{ {of_new} }}\n")
    };
    let made = "a: \"x-{{ restores.r0.created.resource_arn | split('/') | last }}\", b: \"{{ restores.r0.created.job_id }}\", \
                c: \"{{ restores.r0.created.resource_arn }}\"";
    write(path, "old.yaml", &plan("d: x"));
    write(path, "plan.yaml", &plan(made));
    for (against, format) in [
        ("old.yaml", "human"),
        ("old.yaml", "markdown"),
        ("plan.yaml", "human"),
        ("plan.yaml", "markdown"),
    ] {
        let output = redrill(path)
            .args(["plan", "plan.yaml", "-q", "--full", "--format", format])
            .args(["--against", &format!("file:{against}")])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        for key in ["a", "b", "c"] {
            let said = format!(" {key}: (known later)");
            assert!(text.contains(&said), "{against} {format} {key}: {text}");
        }
        for never in ["job-id", "known-after-restore"] {
            assert!(!text.contains(never), "{against} {format}: {text}");
        }
        if format == "markdown" {
            let finding = "\n\n> **warning[type/unknown]** plan.yaml:";
            let (head, rest) = text.split_once(finding).unwrap();
            assert_eq!(head.lines().count(), 2, "{text}");
            assert!(
                rest.contains("is not a resource type") && !rest.contains("\\\n\n"),
                "{text}"
            );
        }
    }
}
