//! Exit codes and slips of the fingers.

use redrill_emulator::{Fault, FaultKind, JobFault, Operation};
use snapbox::str;

use crate::support::{at_once, emulator, folder, many, ran, redrill, repository_file, write};

#[test]
fn a_wrong_command_line_is_64() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(2, 0));
    for arguments in [
        &["rnu", "plan.yaml"][..],
        &["run"],
        &["run", "plan.yaml", "--var", "novalue"],
        &["run", "plan.yaml", "--run-id", "a/b"],
        &["run", "plan.yaml", "--report", "pdf=x"],
        &["render", "plan.yaml", "--only", "r9"],
        &["render", "plan.yaml", "--region", "eu-west-1"],
        &["emulator", "--speed", "fast"],
        &[],
    ] {
        redrill(folder.path()).args(arguments).assert().code(64);
    }
}

#[test]
fn without_a_terminal_and_without_yes_nothing_starts() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    let emulator_is_not_even_asked = "http://127.0.0.1:9";
    redrill(folder.path())
        .args([
            "run",
            "plan.yaml",
            "--dry-run",
            "--endpoint-url",
            emulator_is_not_even_asked,
        ])
        .assert()
        .success();
    redrill(folder.path())
        .args([
            "run",
            "plan.yaml",
            "--endpoint-url",
            emulator_is_not_even_asked,
        ])
        .assert()
        .code(64)
        .stderr_eq("error: nothing was sent: not a terminal, cannot ask; [..]with --yes\n");
    assert!(
        !folder.path().join(".redrill").exists(),
        "a dry run writes nothing"
    );
}

#[test]
fn a_file_that_is_no_text() {
    let folder = folder();
    std::fs::write(
        folder.path().join("binary.yaml"),
        b"plan: x\nrestores: \xff\xfe\n",
    )
    .unwrap();
    redrill(folder.path())
        .args(["validate", "binary.yaml"])
        .assert()
        .code(4)
        .stderr_eq("")
        .stdout_eq(str![[r#"
error[yaml/encoding]: this is not UTF-8, from byte 18 on
 --> binary.yaml:2:11
  |
2 | ************
  |           ^
  |
  = help: save the file as UTF-8; a plan is a text file

binary.yaml: invalid; 0 restores, 1 error, 0 warnings

"#]]);
}

#[test]
fn a_file_that_is_not_there() {
    let folder = folder();
    redrill(folder.path())
        .args(["validate", "nowhere.yaml"])
        .assert()
        .code(1)
        .stderr_eq(str![[r#"
error: nowhere.yaml: No such file or directory (os error 2)
help: check that the path exists

"#]]);
}

#[test]
fn validate_says_everything_at_once() {
    let folder = folder();
    write(folder.path(), "good.yaml", &many(2, 0));
    write(
        folder.path(),
        "bad.yaml",
        &repository_file("tests/cases/rejected/cycle.yaml"),
    );
    write(folder.path(), "empty.yaml", "");
    redrill(folder.path())
        .args(["validate", "good.yaml", "bad.yaml", "empty.yaml"])
        .assert()
        .code(4)
        .stderr_eq("")
        .stdout_eq(str![[r#"
error[needs/cycle]: b: these restores wait for one another: a → c → b → a
  --> bad.yaml:18:13
   |
18 |     needs: [a]
   |             ^
   |
   = help: remove one of the needs, so that one of them can start
note: `a` waits here
  --> bad.yaml:9:13
   |
 9 |     needs: [c]
   |             ^
note: `c` waits here
  --> bad.yaml:28:13
   |
28 |     needs: [b, d]
   |             ^

error[yaml/empty]: the file is empty
 --> empty.yaml:1:1
  |
1 |
  | ^
  |
  = help: `redrill init` writes a plan from the recovery points of your account

good.yaml: valid; 2 restores, 0 errors, 0 warnings
bad.yaml: invalid; 4 restores, 1 error, 0 warnings
empty.yaml: invalid; 0 restores, 1 error, 0 warnings

"#]]);
    redrill(folder.path())
        .args(["validate", "bad.yaml", "--format", "json"])
        .assert()
        .code(4)
        .stdout_eq(str![[r#"
{
  "schema": "redrill.validate/v1",
  "findings": [
    {
      "rule": "needs/cycle",
      "severity": "error",
      "message": "these restores wait for one another: a → c → b → a",
      "help": "remove one of the needs, so that one of them can start",
      "file": "bad.yaml",
      "line": 18,
      "column": 13,
      "restore": "b",
      "key": null,
      "url": null,
      "also": [
        {
          "message": "`a` waits here",
          "file": "bad.yaml",
          "line": 9,
          "column": 13
        },
        {
          "message": "`c` waits here",
          "file": "bad.yaml",
          "line": 28,
          "column": 13
        }
      ]
    }
  ]
}

"#]]);
}

#[test]
fn variables_from_everywhere_and_which_wins() {
    let folder = folder();
    let plan = many(1, 0)
        .replace(
            "restores:",
            "vars: { a: default, b: default, c: default, d: default }\nrestores:",
        )
        .replace(
            "{{ restore }}",
            "{{ vars.a }}-{{ vars.b }}-{{ vars.c }}-{{ vars.d }}",
        );
    write(folder.path(), "plan.yaml", &plan);
    write(folder.path(), "vars.yaml", "b: file\nc: file\n");
    redrill(folder.path())
        .env("REDRILL_VAR_A", "env")
        .env("REDRILL_VAR_B", "env")
        .args([
            "render",
            "plan.yaml",
            "--var-file",
            "vars.yaml",
            "--var",
            "c=typed",
        ])
        .assert()
        .success()
        .stdout_eq(
            "{\"restore\":\"r0\"[..]\"CreationToken\":\"env-file-typed-default-main\"[..]}\n",
        );
    redrill(folder.path())
        .env("REDRILL_VAR_NOBODY", "x")
        .args(["render", "plan.yaml", "--var", "dd=typed"])
        .assert()
        .code(4)
        .stderr_eq(str![[r#"
error[vars/undeclared]: `dd` is given, but plan.yaml declares no such variable
 --> --var:1:1
  |
1 | dd
  | ^^
  |
  = help: did you mean `d`?

error[vars/undeclared]: `nobody` is given, but plan.yaml declares no such variable
 --> REDRILL_VAR_NOBODY:1:1
  |
1 | NOBODY
  | ^^^^^^
  |
  = help: known are `a`, `b`, `c`, `d`

error: the plan is invalid

"#]]);
}

#[test]
fn an_objective_that_is_missed_is_7() {
    let folder = folder();
    let plan = many(1, 0).replace(
        "    metadata:",
        "    objectives: { rto: 1s }\n    metadata:",
    );
    write(folder.path(), "plan.yaml", &plan);
    redrill(folder.path())
        .args(["rehearse", "plan.yaml", "-q"])
        .assert()
        .code(7)
        .stdout_eq(str![[r#"
A rehearsal against the embedded emulator, not AWS. Nothing was restored at AWS, and its times are estimates.

COMPLETED  r0  [..]  arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-[..]

objective: r0: RTO of 1s missed by [..]; it took [..]
many run main: objective missed; 1 of 1 restored in [..]
at the embedded emulator (a rehearsal, not AWS), into 123456789012 us-west-2; started [..] UTC, ended [..] UTC

"#]]);
}

#[test]
fn a_source_is_looked_up_in_an_inventory_without_a_network() {
    let folder = folder();
    let plan = many(1, 0).replace("fs-0a1b2c3d", "\"{{ source.metadata['file-system-id'] }}\"");
    write(folder.path(), "plan.yaml", &plan);
    write(
        folder.path(),
        "inventory.yaml",
        r#"
account: "123456789012"
region: us-west-2
vaults:
  dr:
    recovery_points:
      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-000000000000
        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0feedbeef
        resource_type: EFS
        created_at: 2026-11-20T03:00:00Z
        restore_metadata: { file-system-id: fs-0feedbeef }
"#,
    );
    for command in ["render", "plan"] {
        redrill(folder.path())
            .args([
                command,
                "plan.yaml",
                "--inventory",
                "inventory.yaml",
                "--format",
                "json",
            ])
            .assert()
            .success()
            .stdout_eq("...\n[..]fs-0feedbeef[..]\n...\n");
    }
    redrill(folder.path())
        .args(["validate", "plan.yaml", "--inventory", "inventory.yaml"])
        .assert()
        .success()
        .stdout_eq("plan.yaml: valid; 1 restore, 0 errors, 0 warnings\n");
    redrill(folder.path())
        .args(["validate", "plan.yaml"])
        .assert()
        .success()
        .stdout_eq(
            "note[source/unchecked]: what templates make of `source` was not checked[..]\n...\n",
        );
    let other = plan.replace("000000000000\n", "000000000009\n");
    write(folder.path(), "other.yaml", &other);
    redrill(folder.path())
        .args(["render", "other.yaml", "--inventory", "inventory.yaml"])
        .assert()
        .code(4)
        .stderr_eq("error[source/not-found]: r0: no vault has the recovery point[..]\n...\n");
}

#[test]
fn rules_that_need_the_recovery_point_run_with_an_inventory_and_are_said_to_be_skipped_without() {
    let folder = folder();
    let plan = r#"plan: volumes
target: { region: us-west-2, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }
restores:
  data:
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0c01dc01dc01dc01d
    metadata: { availabilityZone: us-west-2a }
"#;
    write(folder.path(), "plan.yaml", plan);
    write(
        folder.path(),
        "inventory.yaml",
        &repository_file("tests/rules/inventory.yaml"),
    );
    redrill(folder.path())
        .args(["validate", "plan.yaml"])
        .assert()
        .success()
        .stdout_eq("note: EBS: skipped the rules that need the recovery point itself; add --inventory FILE to check them\n\nplan.yaml: valid; 1 restore, 0 errors, 0 warnings\n");
    redrill(folder.path())
        .args(["validate", "plan.yaml", "--format", "json"])
        .assert()
        .success()
        .stdout_eq("...\n[..]\"rule\": \"EBS/recovery-point-unchecked\"[..]\n...\n");
    for command in ["validate", "plan", "render"] {
        redrill(folder.path())
            .args([command, "plan.yaml", "--inventory", "inventory.yaml"])
            .assert()
            .code(4);
    }
    redrill(folder.path())
        .args(["validate", "plan.yaml", "--inventory", "inventory.yaml"])
        .assert()
        .code(4)
        .stdout_eq("error[EBS/archived-needs-days]: data: temporaryRestoreDays: [..]\n...\n");
}

/// A job that outlasts its timeout is not followed any more, which is not the end of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_chosen_and_is_not_back_is_5() {
    let emulator = emulator(at_once()).await;
    let hangs = FaultKind::Job(JobFault::Hangs);
    emulator.inject(Fault::new(Operation::StartRestoreJob, hangs));
    let folder = folder();
    let plan = many(2, 0).replace("    metadata:", "    timeout: 1s\n    metadata:");
    write(folder.path(), "plan.yaml", &plan);
    let run = ["run", "plan.yaml", "--yes", "-q", "--only", "r0"];
    assert_eq!(ran(folder.path(), &emulator, &run).await.0, 5);
    emulator.shutdown().await;
}

/// A plan by its name, without its folder, or with a slip of the fingers: the file is named.
#[test]
fn a_file_that_was_meant_is_named() {
    let folder = folder();
    let path = folder.path();
    std::fs::create_dir(path.join("plans")).unwrap();
    write(path, "plans/tables.yaml", "plan: tables\n");
    write(path, "common.vars.yaml", "a: 1\n");
    for (words, near) in [
        (&["run", "tables"][..], Some("plans/tables.yaml")),
        (&["plan", "plans/tabels.yaml"], Some("plans/tables.yaml")),
        (&["validate", "plans/tables"], Some("plans/tables.yaml")),
        (
            &["plan", "plans/tables.yaml", "--var-file", "comon.vars.yaml"],
            Some("common.vars.yaml"),
        ),
        (&["run", "nothing-like-it.yaml"], None),
    ] {
        let output = redrill(path).args(words).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{stderr}");
        let said = stderr.split_once("did you mean ").map(|(_, rest)| rest);
        let said = said
            .and_then(|rest| rest.split_once('?'))
            .map(|(file, _)| file);
        assert_eq!(said, near, "{words:?}: {stderr}");
    }
}

/// One journal that is damaged hides no other run.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_run_hides_no_other() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &many(1, 0));
    for run in ["a", "b"] {
        let words = ["run", "plan.yaml", "--yes", "-q", "--run-id", run];
        let (code, _, stderr) = ran(path, &emulator, &words).await;
        assert_eq!(code, 0, "{stderr}");
    }
    let segment = path.join(".redrill/many/a/journal/00000001.jsonl");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[30] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    for words in [
        &["runs"][..],
        &["status"],
        &["status", "many"],
        &["runs", "--json"],
    ] {
        let output = redrill(path).args(words).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {stdout}{stderr}");
        assert!(stdout.contains("many"), "{words:?}: {stdout}");
        assert!(
            stderr.contains("many/a/journal/00000001.jsonl: damaged at byte"),
            "{words:?}: {stderr}"
        );
    }
    emulator.shutdown().await;
}
