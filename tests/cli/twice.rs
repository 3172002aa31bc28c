//! The main job: a run, the same run again, and the same run without its journal.

use snapbox::str;

use crate::support::{at_once, emulator, folder, process, redrill, repository_file, write};

#[test]
fn the_first_command_of_the_readme() {
    let folder = folder();
    write(
        folder.path(),
        "quickstart.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    redrill(folder.path())
        .args(["rehearse", "quickstart.yaml", "-q"])
        .assert()
        .success()
        .stdout_eq(str![[r#"
COMPLETED  files   [..]m [..]s   arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-[..]
COMPLETED  orders  [..]m [..]s  arn:aws:dynamodb:us-west-2:123456789012:table/orders-main
COMPLETED  app     1m [..]s   arn:aws:cloudformation:us-west-2:123456789012:stack/app-main/[..]

quickstart run main: passed; 3 of 3 restored in [..]m [..]s

"#]]);
    assert!(
        !folder.path().join(".redrill").exists(),
        "a rehearsal leaves nothing behind"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_starts_nothing_and_neither_does_one_without_a_journal() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    let url = emulator.url();
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let run = |state: &str| {
            redrill(&path).args([
                "run", "plan.yaml", "--yes", "--endpoint-url", &url, "--state", state, "--format", "json",
            ])
        };
        run(".redrill").assert().success();
        // Nothing is asked of AWS when there is nothing to do: it works without a network.
        redrill(&path)
            .args(["run", "plan.yaml", "--yes", "--endpoint-url", "http://127.0.0.1:9"])
            .assert()
            .success();
        run("elsewhere").assert().success();
        redrill(&path).args(["plan", "plan.yaml", "-q"]).assert().success().stdout_eq(str![[r#"
quickstart run main, into 123456789012 us-west-2

  done  files   EFS             arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45  rd1-050a12a288819304ce0cdffed9073673bfe61552
  done  orders  DynamoDB        arn:aws:backup:us-west-2:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90  rd1-71eae55542befb00cba8aa0cddc23c7cad33e56e
  done  app     CloudFormation  arn:aws:backup:us-west-2:123456789012:recovery-point:4D2B7C91-0E5A-4F3C-8A6D-9B1E2F3A4C5D  rd1-[..]

3 done

"#]]);
        redrill(&path).args(["status"]).assert().success().stdout_eq(str![[r#"
quickstart run main
  COMPLETED  app     [..]  arn:aws:cloudformation:us-west-2:123456789012:stack/app-main/[..]
  COMPLETED  files   [..]  arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-[..]
  COMPLETED  orders  [..]  arn:aws:dynamodb:us-west-2:123456789012:table/orders-main

"#]]);
        // Another run id is another run.
        redrill(&path)
            .args(["run", "plan.yaml", "--yes", "--endpoint-url", &url, "--run-id", "2026-Q4", "-q"])
            .assert()
            .success();
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 6);
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_request_is_a_conflict_and_nothing_is_sent() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let plan = repository_file("plans/quickstart.yaml");
    write(folder.path(), "plan.yaml", &plan);
    write(
        folder.path(),
        "changed.yaml",
        &plan.replace("alias/dr", "alias/other"),
    );
    write(
        folder.path(),
        "renamed.yaml",
        &plan.replace("  orders:\n", "  ordres:\n"),
    );
    let url = emulator.url();
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let run = |plan: &str| redrill(&path).args(["run", plan, "--yes", "-q", "--endpoint-url", &url]);
        run("plan.yaml").assert().success();
        run("changed.yaml").assert().code(4).stdout_eq("").stderr_eq(str![[r#"
...
error: the plan asks for something else than what this run has started; nothing was sent

quickstart run main, into 123456789012 us-west-2

  conflict  files   EFS             arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45  rd1-050a12a288819304ce0cdffed9073673bfe61552
  done      orders  DynamoDB        arn:aws:backup:us-west-2:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90  rd1-71eae55542befb00cba8aa0cddc23c7cad33e56e
  done      app     CloudFormation  arn:aws:backup:us-west-2:123456789012:recovery-point:4D2B7C91-0E5A-4F3C-8A6D-9B1E2F3A4C5D  rd1-[..]

  files: the request has changed since this run sent it: undo the change, or give the new request a run of its own with `--run-id`

2 done, 1 conflict


"#]]);
        redrill(&path).args(["plan", "changed.yaml", "-q"]).assert().code(4);
        // What has ended under its old name stays ended; the new name is a new restore.
        redrill(&path)
            .args(["plan", "renamed.yaml", "--format", "json"])
            .assert()
            .success();
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 3);
    emulator.shutdown().await;
}

/// Two runners on one run: one works, the other is told who does.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_runner_is_told_who_holds_the_run() {
    let emulator = emulator(redrill::emulator::Options {
        speed: redrill::emulator::Speed::Times(1.0),
        ..Default::default()
    })
    .await;
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    let url = emulator.url();
    let mut first = process(folder.path())
        .args(["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while emulator.jobs().is_empty() {
        assert!(first.try_wait().unwrap().is_none());
        tokio::task::yield_now().await;
    }
    let path = folder.path().to_owned();
    let pid = first.id();
    tokio::task::spawn_blocking(move || {
        redrill(&path)
            .args(["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url])
            .assert()
            .code(10)
            .stderr_eq(format!(
                "...\nerror: [..]@[..] (process {pid}) holds this run since [..]\nhelp: wait for it, or stop it; `redrill status` shows what it does\n"
            ));
        redrill(&path)
            .args(["status"])
            .assert()
            .success()
            .stdout_eq(format!("quickstart run main (worked on by [..] (process {pid}))\n...\n"));
    })
    .await
    .unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}
