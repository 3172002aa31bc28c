//! What a pull request changes.

use snapbox::str;

use super::repository::{BEFORE, after, commit, git, repository};
use crate::support::{files, redrill, write};

/// `plans/orders.yaml` as it was on `main`, and changed on a branch.
fn pull_request() -> tempfile::TempDir {
    let folder = repository();
    std::fs::create_dir(folder.path().join("plans")).unwrap();
    write(folder.path(), "plans/orders.yaml", BEFORE);
    commit(folder.path(), "before");
    git(folder.path(), &["checkout", "--quiet", "-b", "change"]);
    write(folder.path(), "plans/orders.yaml", &after());
    commit(folder.path(), "after");
    folder
}

fn plan(folder: &std::path::Path) -> snapbox::cmd::Command {
    redrill(folder).args([
        "plan",
        "plans/orders.yaml",
        "--detailed-exitcode",
        "--against",
        "git:main",
    ])
}

#[test]
fn the_difference_is_shown_and_nothing_else_for_the_eye() {
    let folder = pull_request();
    plan(folder.path()).assert().code(2).stdout_eq(str![[r#"
orders run main, into 123456789012 us-west-2
against git:main: 1 added, 1 removed, 1 renamed, 1 changed, 1 unchanged
Review: 1 writes into an existing resource; 1 network; 1 encryption

  start  web     EC2  image/ami-0a1b2c3d4e5f60718
         token rd1-4f0afa704cfeec06e79b1ad05e84c14760460616
         ~ NetworkInterfaces[0].SubnetId: "subnet-0a1b2c3d4e5f60718" → "subnet-0ffffffff"  (network)
           6 keys unchanged
  start  share   EFS  recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
         renamed from `files`
         token rd1-8a0f9a5c68876f86ef66356e5fb280d3344c8aa4
         ~ CreationToken: "orders-files-main" → "orders-share-main"
           8 keys unchanged
  start  bucket  S3   recovery-point:orders-20261120030000-0a1b2c3d
         added
         token rd1-f5e76fe57bdd854e29a0a45937af0376b1c338b0
         ! writes into bucket orders-live; say so with `into_existing: true`
         + DestinationBucketName: "orders-live"
         + Encrypted: "true"  (encryption)
         + EncryptionType: "SSE-S3"  (encryption)
         + NewBucket: "false"
         + RestoreACLs: "false"
  - orders  DynamoDB  arn:aws:backup:us-west-2:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90  removed
  1 restore did not change; --full shows it

4 start
forecast: half of such runs end within 35m 34s, nine in ten within 2h 14m, were 30m 04s and 1h 43m on main (no history, 1000 samples)
A restore job that has been started cannot be cancelled.

"#]]);
}

#[test]
fn the_difference_as_a_comment_on_the_pull_request() {
    let folder = pull_request();
    plan(folder.path())
        .args(["--format", "markdown"])
        .assert()
        .code(2)
        .stdout_eq(str![[r#"
<!-- redrill plan plans/orders.yaml -->
### redrill plan: orders, run main

**4 start** in 123456789012 us-west-2.
Forecast: half of such runs end within 35m 34s, nine in ten within 2h 14m, were 30m 04s and 1h 43m on main (no history, 1000 samples).
Against `git:main`: **1 added, 1 removed, 1 renamed, 1 changed, 1 unchanged**.

| review | restores |
|---|---|
| writes into an existing resource | 1 |
| network | 1 |
| encryption | 1 |

<details><summary><b>web</b> · EC2 · start · ⚠ network</summary>

`arn:aws:ec2:us-west-2::image/ami-0a1b2c3d4e5f60718`
· token `rd1-4f0afa704cfeec06e79b1ad05e84c14760460616`

```diff
- NetworkInterfaces[0].SubnetId: "subnet-0a1b2c3d4e5f60718"
+ NetworkInterfaces[0].SubnetId: "subnet-0ffffffff"  (network)
  6 keys unchanged
```

</details>

<details><summary><b>share</b> · EFS · start · renamed from files</summary>

`arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45`
· token `rd1-8a0f9a5c68876f86ef66356e5fb280d3344c8aa4`

```diff
- CreationToken: "orders-files-main"
+ CreationToken: "orders-share-main"
  8 keys unchanged
```

</details>

<details><summary><b>bucket</b> · S3 · start · added · ⚠ writes into an existing resource · ⚠ encryption</summary>

`arn:aws:backup:us-west-2:123456789012:recovery-point:orders-20261120030000-0a1b2c3d`
· token `rd1-f5e76fe57bdd854e29a0a45937af0376b1c338b0`

```diff
! writes into bucket orders-live; say so with `into_existing: true`
+ DestinationBucketName: "orders-live"
+ Encrypted: "true"  (encryption)
+ EncryptionType: "SSE-S3"  (encryption)
+ NewBucket: "false"
+ RestoreACLs: "false"
```

</details>

<details><summary><b>orders</b> · DynamoDB · removed</summary>

`arn:aws:backup:us-west-2:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90`

</details>

A restore job that has been started cannot be cancelled.

"#]]);
}

#[test]
fn the_difference_as_annotations() {
    let folder = pull_request();
    plan(folder.path())
        .args(["--format", "github"])
        .assert()
        .code(2)
        .stdout_eq(str![[r#"
::notice file=plans/orders.yaml,line=1,title=redrill plan%3A orders%2C run main::4 start%0Aagainst git:main: 1 added, 1 removed, 1 renamed, 1 changed, 1 unchanged%0Awrites into an existing resource: 1 restore%0Anetwork: 1 restore%0Aencryption: 1 restore%0Acannot be cancelled once started: 3 restores
::warning file=plans/orders.yaml,line=4,title=web%3A start::~ NetworkInterfaces[0].SubnetId: "subnet-0a1b2c3d4e5f60718" → "subnet-0ffffffff"  (network)
::warning file=plans/orders.yaml,line=18,title=bucket%3A start%2C added::writes into bucket orders-live; say so with `into_existing: true`%0A+ DestinationBucketName: "orders-live"%0A+ Encrypted: "true"  (encryption)%0A+ EncryptionType: "SSE-S3"  (encryption)%0A+ NewBucket: "false"%0A+ RestoreACLs: "false"
::notice file=plans/orders.yaml,line=10,title=share%3A start%2C renamed from `files`::~ CreationToken: "orders-files-main" → "orders-share-main"
::notice file=plans/orders.yaml,line=1,title=orders%3A removed::the plan does not restore it any more

"#]]);
}

#[test]
fn the_difference_for_machines() {
    let folder = pull_request();
    plan(folder.path())
        .args(["--format", "json"])
        .assert()
        .code(2)
        .stdout_eq(snapbox::file!["against_git.json"]);
}

#[test]
fn nothing_changed_is_0_and_full_shows_it_all_the_same() {
    let folder = pull_request();
    git(folder.path(), &["checkout", "--quiet", "main"]);
    plan(folder.path()).assert().code(0).stdout_eq(str![[r#"
orders run main, into 123456789012 us-west-2
against git:main: 4 unchanged

  4 restores did not change; --full shows them

4 start
forecast: half of such runs end within 33m 34s, nine in ten within 1h 44m, as on main (no history, 1000 samples)
A restore job that has been started cannot be cancelled.

"#]]);
    plan(folder.path())
        .args(["--full", "--only", "orders"])
        .assert()
        .code(0)
        .stdout_eq(str![[r#"
orders run main, into 123456789012 us-west-2
against git:main: 1 unchanged

  start  orders  DynamoDB  arn:aws:backup:us-west-2:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90
         token rd1-84fa0c0a4d8bd4488e6aba2ad23cb6bcfaf60ad9
           IamRoleArn: "arn:aws:iam::123456789012:role/restore"
           RecoveryPointArn: "arn:aws:backup:us-west-2:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90"
           ResourceType: "DynamoDB"
           encryptionType: "Default"
           target.account: "123456789012"
           target.region: "us-west-2"
           targetTableName: "orders-drill"

1 start
forecast: half of such runs end within 21m 04s, nine in ten within 1h 06m, as on main (no history, 1000 samples)
A restore job that has been started cannot be cancelled.

"#]]);
    // A comment, a description and the order of restores are no part of a request.
    let text = BEFORE.replace(
        "restores:",
        "description: other words # and a comment\nrestores:",
    );
    write(folder.path(), "plans/orders.yaml", &text);
    plan(folder.path()).assert().code(0);
}

/// Everything that was as it is now is read from the revision: variables and inventory as well.
#[test]
fn variables_and_inventory_are_those_of_the_revision_where_they_are_in_it() {
    let folder = repository();
    let plan = BEFORE
        .replace("restores:", "vars: { table: x }\nrestores:")
        .replace(
            "orders-drill",
            "\"{{ vars.table }}-{{ source.metadata.originalTableName }}\"",
        );
    let point = |name: &str| {
        format!(
            "account: \"123456789012\"\nregion: us-west-2\nvaults:\n  dr:\n    recovery_points:\n      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90\n        resource_arn: arn:aws:dynamodb:us-west-2:123456789012:table/{name}\n        resource_type: DynamoDB\n        created_at: 2026-11-20T03:00:00Z\n        restore_metadata: {{ originalTableName: {name} }}\n"
        )
    };
    std::fs::create_dir(folder.path().join("a b")).unwrap();
    write(folder.path(), "a b/plan é.yaml", &plan);
    write(folder.path(), "vars.yaml", "table: before\n");
    write(folder.path(), "inventory.yaml", &point("old"));
    commit(folder.path(), "before");
    write(folder.path(), "vars.yaml", "table: after\n");
    write(folder.path(), "inventory.yaml", &point("new"));
    let subfolder = folder.path().join("a b");
    let arguments = |var_file: &str| {
        redrill(&subfolder).args([
            "plan",
            "plan é.yaml",
            "--detailed-exitcode",
            "--against",
            "git:HEAD",
            "--inventory",
            "../inventory.yaml",
            "--var-file",
            var_file,
        ])
    };
    arguments("../vars.yaml")
        .assert()
        .code(2)
        .stdout_eq(str![[r#"
orders run main, into 123456789012 us-west-2
against git:HEAD: 1 changed, 3 unchanged

  start  orders  DynamoDB  recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90
         [..] old
         token rd1-dc183bce5b0cc6be3f55d4d1e6dcc2beaa07c4cc
         ~ targetTableName: "before-old" → "after-new"
           6 keys unchanged
  3 restores did not change; --full shows them

4 start
forecast: half of such runs end within 33m 34s, nine in ten within 1h 43m, as on HEAD (no history, 1000 samples)
A restore job that has been started cannot be cancelled.

"#]]);
    // A file outside the repository is what it is today.
    let elsewhere = crate::support::folder();
    let vars = write(elsewhere.path(), "vars.yaml", "table: same\n");
    arguments(vars.to_str().unwrap())
        .assert()
        .code(2)
        .stdout_eq("...\n[..]~ targetTableName: \"same-old\" → \"same-new\"\n...\n");
}

#[test]
fn a_variable_that_is_new_or_gone_does_not_stand_in_the_way() {
    let folder = repository();
    let before = BEFORE
        .replace(
            "restores:",
            "vars: { old: { description: gone since } }\nrestores:",
        )
        .replace("same-drill", "\"{{ vars.old }}\"");
    let after = BEFORE
        .replace("restores:", "vars: { new: {} }\nrestores:")
        .replace("same-drill", "\"{{ vars.new }}\"");
    write(folder.path(), "plan.yaml", &before);
    commit(folder.path(), "before");
    write(folder.path(), "plan.yaml", &after);
    redrill(folder.path())
        .args([
            "plan",
            "plan.yaml",
            "--against",
            "git:HEAD",
            "--var",
            "new=x",
        ])
        .assert()
        .success()
        .stdout_eq("...\n[..]~ targetTableName: \"the-value-of-old\" → \"x\"\n...\n");
}

/// Hooks tell git where it is by variables that would send us astray.
#[test]
fn variables_of_another_git_are_not_listened_to() {
    let folder = pull_request();
    plan(folder.path())
        .env("GIT_DIR", "/nowhere")
        .env("GIT_WORK_TREE", "/nowhere")
        .env("GIT_INDEX_FILE", "/nowhere/index")
        .env("GIT_PREFIX", "plans/")
        .env("GIT_LITERAL_PATHSPECS", "1")
        .env("GIT_OBJECT_DIRECTORY", "/nowhere")
        .assert()
        .code(2);
}

#[test]
fn what_git_cannot_give_is_said() {
    let folder = pull_request();
    let path = folder.path();
    let against = |of: &str| redrill(path).args(["plan", "plans/orders.yaml", "--against", of]);
    against("git:nowhere").assert().code(64).stderr_eq(
        "...\nerror: --against git:nowhere: the repository [..] has no revision `nowhere`; fetch it first: `git fetch origin BRANCH`; a shallow checkout lacks most revisions\n",
    );
    // What looks like an option is a revision that is not there.
    against("git:--all").assert().code(64);
    git(path, &["update-ref", "refs/remotes/origin/release", "main"]);
    against("git:release")
        .assert()
        .code(64)
        .stderr_eq("...\nerror: [..]; did you mean `git:origin/release`?\n");
    against("git:origin/release").assert().success();
    // A plan that is new: everything is added.
    std::fs::copy(path.join("plans/orders.yaml"), path.join("plans/new.yaml")).unwrap();
    redrill(path)
        .args([
            "plan",
            "plans/new.yaml",
            "--against",
            "git:main",
            "--detailed-exitcode",
        ])
        .assert()
        .code(2)
        .stderr_eq("...\nplans/new.yaml is not in that revision, so everything is new\n\nwhether it would succeed: [..]\n")
        .stdout_eq("[..]\nagainst git:main: 4 added\n...\n");
    // A plan that was none, and one of which a part was invalid.
    for (was, totals) in [
        ("no: [plan", "4 added"),
        (
            &BEFORE
                .replace("type: EC2", "type: EC2x")
                .replace("newFileSystem: true", "newFileSystem: 7")[..],
            "3 added",
        ),
    ] {
        git(path, &["checkout", "--quiet", "--detach", "main"]);
        write(path, "plans/orders.yaml", was);
        commit(path, "invalid");
        write(path, "plans/orders.yaml", &after());
        against("git:HEAD")
            .assert()
            .success()
            .stderr_eq(
                "...\nwhat it is compared with is invalid ([..]), so all of that shows as new\n\nwhether it would succeed: [..]\n",
            )
            .stdout_eq(format!(
                "[..]\nagainst git:HEAD: [..]{}[..]\n...\n",
                if totals == "4 added" {
                    totals
                } else {
                    "removed"
                }
            ));
        git(path, &["checkout", "--quiet", "--force", "change"]);
    }
    let outside = crate::support::folder();
    write(outside.path(), "plan.yaml", BEFORE);
    redrill(outside.path())
        .args(["plan", "plan.yaml", "--against", "git:main"])
        .assert()
        .code(64)
        .stderr_eq("...\nerror: --against git:main: not a git repository (or any [..]\n");
}

#[test]
fn nothing_is_written_into_the_repository() {
    let folder = pull_request();
    let before = files(folder.path());
    for format in ["human", "json", "markdown", "github"] {
        plan(folder.path())
            .args(["--format", format])
            .assert()
            .code(2);
    }
    assert_eq!(files(folder.path()), before);
}

/// What the document shows is what is printed.
#[test]
fn first_contact_the_sample_of_the_document_is_what_is_printed() {
    let document = crate::support::repository_file("docs/dry-run.md");
    let sample = document.split("```text\n").nth(1).unwrap();
    let sample = sample.split("```").next().unwrap().to_owned();
    let folder = pull_request();
    plan(folder.path()).assert().code(2).stdout_eq(sample);
}

/// The other side is asked where this plan has somebody to ask: a target that was taken out has nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_revision_with_more_targets_than_the_plan_is_compared() {
    let folder = repository();
    let path = folder.path();
    let target = |name: &str, region: &str| {
        format!(
            "  {name}: {{ region: {region}, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }}\n"
        )
    };
    let restore = |name: &str, target: &str| {
        format!(
            "  {name}:\n    type: DynamoDB\n    target: {target}\n    recovery_point: {{ vault: dr, resource: \"arn:aws:dynamodb:us-west-2:123456789012:table/orders\" }}\n    metadata: {{ targetTableName: restored-{name} }}\n"
        )
    };
    let plan = |targets: &str, restores: &str| {
        format!("plan: two\ntargets:\n{targets}restores:\n{restores}")
    };
    let (first, second) = (target("west", "us-west-2"), target("east", "us-east-1"));
    let before = plan(
        &format!("{first}{second}"),
        &(restore("a", "west") + &restore("b", "east")),
    );
    write(path, "plan.yaml", &before);
    commit(path, "before");
    write(path, "plan.yaml", &plan(&first, &restore("a", "west")));
    let world = "account: \"123456789012\"\nregion: us-west-2\nvaults:\n  dr:\n    recovery_points:\n      - { arn: \"arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45\", resource_arn: \"arn:aws:dynamodb:us-west-2:123456789012:table/orders\", resource_type: DynamoDB, created_at: 2026-11-20T03:00:00Z }\n";
    let emulator = crate::support::emulator(redrill_emulator::Options {
        inventory: Some(redrill_emulator::Inventory::parse(world).unwrap()),
        ..crate::support::at_once()
    })
    .await;
    let words = ["plan", "plan.yaml", "--against", "git:HEAD"];
    let (code, stdout, stderr) = crate::support::ran(path, &emulator, &words).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("git:HEAD"), "{stdout}{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    emulator.shutdown().await;
}

/// A reviewer sees what a change makes of the objective.
#[test]
fn the_forecast_says_what_it_was() {
    let folder = repository();
    std::fs::create_dir(folder.path().join("plans")).unwrap();
    let timed = |text: &str| text.replacen("target:", "objectives: { rto: 1h }\ntarget:", 1);
    let slower =
        |text: &str| timed(text).replacen("target:", "limits: { concurrent: 1 }\ntarget:", 1);
    write(folder.path(), "plans/orders.yaml", &timed(BEFORE));
    commit(folder.path(), "before");
    let shown = |format: &str| {
        let words = ["--format", format];
        let output = plan(folder.path()).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let same = shown("human");
    let line = same.lines().find(|line| line.starts_with("forecast: "));
    let line = line.unwrap_or_else(|| panic!("{same}"));
    assert!(line.contains(", as on main; RTO 1h 00m: "), "{line}");
    assert!(
        line.contains(" %, as on main (no history, 1000 samples)"),
        "{line}"
    );

    write(folder.path(), "plans/orders.yaml", &slower(BEFORE));
    for format in ["human", "markdown"] {
        let text = shown(format);
        let line = text
            .lines()
            .find(|line| line.contains("orecast: half of such runs end within"));
        let line = line.unwrap_or_else(|| panic!("{text}"));
        assert!(
            line.contains(", were ") && line.contains(" on main; RTO 1h 00m: "),
            "{line}"
        );
        assert!(
            line.contains(" %, was ") && line.contains(" % on main ("),
            "{line}"
        );
    }
    let document: serde_json::Value = serde_json::from_str(&shown("json")).unwrap();
    super::outputs::assert_valid("plan", &document);
    let forecast = &document["forecast"];
    let chance = |of: &serde_json::Value| of["objectives"][0]["probability"].as_f64().unwrap();
    assert!(
        chance(forecast) + 0.05 < chance(&forecast["before"]),
        "{forecast}"
    );
    assert_eq!(forecast["seed"], forecast["before"]["seed"]);
}
