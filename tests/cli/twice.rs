//! The main job: a run, the same run again, and the same run without its journal.

use snapbox::str;

use crate::support::{
    at_once, emulator, folder, many, process, ran, redrill, repository_file, write,
};

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
A rehearsal against the embedded emulator, not AWS. Nothing was restored at AWS, and its times are estimates.

COMPLETED  files   [..]m [..]s   arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-[..]
COMPLETED  orders  [..]m [..]s  arn:aws:dynamodb:us-west-2:123456789012:table/orders-main
COMPLETED  app     1m [..]s   arn:aws:cloudformation:us-west-2:123456789012:stack/app-main/[..]

quickstart run main: passed; 3 of 3 restored in [..]m [..]s
at the embedded emulator (a rehearsal, not AWS), into 123456789012 us-west-2; started [..] UTC, ended [..] UTC

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
        run(".redrill").assert().success();
        run("elsewhere").assert().success();
        redrill(&path).args(["plan", "plan.yaml", "-q", "--endpoint-url", &url]).assert().success().stdout_eq(str![[r#"
Run main ended [..] UTC. A new restore needs another --run-id.

quickstart run main, at http://127.0.0.1:[..] (not AWS), into 123456789012 us-west-2
against source: 3 unchanged

  done  files   EFS             recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
        token rd1-050a12a288819304ce0cdffed9073673bfe61552
  done  orders  DynamoDB        recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90
        token rd1-71eae55542befb00cba8aa0cddc23c7cad33e56e
  done  app     CloudFormation  recovery-point:4D2B7C91-0E5A-4F3C-8A6D-9B1E2F3A4C5D
        token rd1-[..]

3 done

"#]]);
        redrill(&path).args(["status"]).assert().success().stdout_eq(str![[r#"
quickstart run main, at http://127.0.0.1:[..] (not AWS), into 123456789012 us-west-2, opened [..] UTC, ended [..] UTC
passed: 3 of 3 completed; last recorded [..] UTC
  COMPLETED  files   [..]  arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-[..]
  COMPLETED  orders  [..]  arn:aws:dynamodb:us-west-2:123456789012:table/orders-main
  COMPLETED  app     [..]  arn:aws:cloudformation:us-west-2:123456789012:stack/app-main/[..]
delete what it created with: redrill cleanup plan.yaml --endpoint-url http://127.0.0.1:[..]

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
error: the plan differs from what this run has already started; nothing was sent

quickstart run main, at http://127.0.0.1:[..] (not AWS), into 123456789012 us-west-2

  conflict  files   EFS             recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
            the request has changed since this run sent it: undo the change, or give the new request a run of its own with `--run-id`
            token rd1-050a12a288819304ce0cdffed9073673bfe61552
  done      orders  DynamoDB        recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90
            token rd1-71eae55542befb00cba8aa0cddc23c7cad33e56e
  done      app     CloudFormation  recovery-point:4D2B7C91-0E5A-4F3C-8A6D-9B1E2F3A4C5D
            token rd1-[..]

2 done, 1 conflict

`files`: the request that this run sent has made job [..]

"#]]);
        redrill(&path).args(["plan", "changed.yaml", "-q", "--endpoint-url", &url]).assert().code(4);
        // What has ended under its old name stays ended; the new name is a new restore.
        redrill(&path)
            .args(["plan", "renamed.yaml", "--format", "json", "--endpoint-url", &url])
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
    let emulator = emulator(redrill_emulator::Options {
        speed: redrill_emulator::Speed::Times(1.0),
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
    // Both that need nothing; they leave a fifth of a second apart.
    while emulator.jobs().len() < 2 {
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
                "...\nerror: [..]@[..] (process {pid}) holds this run since [..]\nhelp: wait for it, or stop it; --take-over takes the run from a runner that is stuck. What it does: redrill status plan.yaml --endpoint-url [..]\n"
            ));
        redrill(&path)
            .args(["status"])
            .assert()
            .success()
            .stdout_eq(format!("quickstart run main, at http://[..] (worked on by [..] (process {pid}))\n...\n"));
    })
    .await
    .unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

/// A runner that is frozen, robbed of its run on purpose, and woken: it sends and writes nothing more.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_runner_whose_run_was_taken_over_stops() {
    let emulator = emulator(redrill_emulator::Options {
        speed: redrill_emulator::Speed::Times(300.0),
        ..Default::default()
    })
    .await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &crate::support::many(4, 1));
    let url = emulator.url();
    let first = process(folder.path())
        .args(["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while emulator.jobs().is_empty() {
        tokio::task::yield_now().await;
    }
    let signal = |name: &str| {
        let pid = first.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    };
    signal("-STOP");
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let run = |more: &[&str]| {
            redrill(&path)
                .args(["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url])
                .args(more)
                .assert()
        };
        run(&[]).code(10);
        run(&["--take-over"]).success();
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 4);
    let before = crate::support::files(folder.path());
    signal("-CONT");
    let first = tokio::task::spawn_blocking(|| first.wait_with_output().unwrap())
        .await
        .unwrap();
    assert_eq!(first.status.code(), Some(10));
    let said = String::from_utf8(first.stderr).unwrap();
    assert!(
        said.contains("another runner has taken this run over"),
        "{said}"
    );
    assert_eq!(emulator.jobs().len(), 4);
    assert_eq!(crate::support::files(folder.path()), before);
    emulator.shutdown().await;
}

/// Another machine, long after: no journal, and AWS has forgotten the tokens. The mark tells whose job it is.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_journal_marked_jobs_are_adopted_and_twins_are_asked_about() {
    let emulator = emulator(redrill_emulator::Options {
        tokens: redrill_emulator::TokenSemantics::recorded(),
        ..at_once()
    })
    .await;
    let folder = folder();
    let plan = crate::support::many(2, 0);
    write(folder.path(), "plan.yaml", &plan);
    // The same two, started by somebody else: the mark is theirs.
    let marked = plan.replace("      Encrypted: true\n", "      Encrypted: true\n      aws:backup:request-id: 3d86b624-cb6c-436f-bf72-2938f50e1954\n");
    write(
        folder.path(),
        "theirs.yaml",
        &marked.replace("plan: many", "plan: theirs"),
    );
    let (path, url, clock) = (folder.path().to_owned(), emulator.url(), emulator.clock());
    let jobs = tokio::task::spawn_blocking(move || {
        let run = |plan: &str, state: &str, more: &[&str]| {
            redrill(&path)
                .args(["run", plan, "--yes", "-q", "--endpoint-url", &url, "--state", state])
                .args(more)
                .assert()
        };
        let later = || clock.advance_to(clock.now() + jiff::SignedDuration::from_hours(5));
        run("plan.yaml", "a", &[]).success();
        later();
        run("plan.yaml", "b", &[]).success();
        let ours = emulator.jobs().len();
        run("plan.yaml", "c", &["--run-id", "another"]).success();
        let another = emulator.jobs().len();
        run("theirs.yaml", "d", &["--run-id", "x"]).success();
        later();
        let theirs = emulator.jobs().len();
        // Their jobs are twins of ours under a new run id.
        let asked = run("plan.yaml", "e", &["--run-id", "x"]);
        asked.code(5).stderr_eq(
            "error: `r[..]` has not been started by this run, but a job asks for the same: [..]\nhelp: nothing was sent for it; [..] --adopt [..] --start-anyway [..]\n",
        );
        let asked = emulator.jobs().len();
        run("plan.yaml", "e", &["--run-id", "x", "--adopt"]).success();
        let adopted = emulator.jobs().len();
        run("plan.yaml", "f", &["--run-id", "x", "--start-anyway"]).success();
        [ours, another, theirs, asked, adopted, emulator.jobs().len()]
    })
    .await
    .unwrap();
    assert_eq!(jobs, [2, 4, 6, 6, 6, 8]);
}

/// A value that the plan gives `aws:backup:request-id` itself is the same in every run, and tells none from another.
#[tokio::test(flavor = "multi_thread")]
async fn a_mark_of_the_plan_is_no_mark() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let own = "      \"aws:backup:request-id\": 11111111-1111-4111-8111-111111111111\n";
    let plan = many(1, 0).replace("{{ restore }}-{{ run.id }}", "drill") + own;
    write(folder.path(), "plan.yaml", &plan);
    let run = async |id: &str, more: &[&str]| {
        let words: &[&str] = &["run", "plan.yaml", "--yes", "-q", "--run-id", id];
        ran(folder.path(), &emulator, &[words, more].concat())
            .await
            .0
    };
    assert_eq!(run("2026-Q3", &[]).await, 0);
    // Whether this run has started it, from another machine, cannot be told.
    assert_eq!(run("2026-Q4", &[]).await, 5);
    assert_eq!(emulator.jobs().len(), 1);
    assert_eq!(run("2026-Q4", &["--start-anyway"]).await, 0);
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}
