//! Checks: what they are given, when they run, and what follows from them.

use std::time::Duration;

use redrill_emulator::{Fault, FaultKind, Operation};

use super::{check, plan, rehearse, run};
use crate::support::{at_once, bytes, emulator, folder, many, process, ran, write};

fn text(path: &std::path::Path) -> String {
    String::from_utf8(bytes(path)).unwrap()
}

#[test]
fn a_check_is_given_words_and_names() {
    let folder = folder();
    let script = "echo $REDRILL_PLAN $REDRILL_RUN_ID $REDRILL_RESTORE $REDRILL_CHECK $REDRILL_TRY; echo $REDRILL_RESOURCE_TYPE $REDRILL_ACCOUNT $REDRILL_REGION; echo $REDRILL_JOB_ID; echo $REDRILL_CREATED_ARN; echo $REDRILL_RECOVERY_POINT_ARN; echo $1; echo $AWS_REGION $REDRILL_REHEARSAL; case $AWS_ENDPOINT_URL in http://127.0.0.1*) echo local;; esac; pwd";
    let more = format!(
        "    checks:\n      - name: names\n        run: [sh, -c, '{script}', x, \"{{{{ created.resource_arn }}}} {{{{ vars.a }}}} {{{{ restore }}}} {{{{ source.arn }}}}\"]\n"
    );
    let whole = "vars: { a: b }\nchecks:\n  - { name: whole, run: [sh, -c, 'echo $REDRILL_CREATED_ARNS; echo $1', x, \"{{ restores.r0.created.resource_arn }}\"] }\n";
    let (code, report) = rehearse(folder.path(), &plan(1, whole, |_| more.clone()), &[]);
    assert_eq!(code, 0, "{report:#}");
    let restore = &report["restores"][0];
    let arn = restore["created_resource_arn"].as_str().unwrap();
    let point = restore["recovery_point_arn"].as_str().unwrap();
    let here = std::fs::canonicalize(folder.path()).unwrap();
    assert_eq!(
        restore["checks"][0]["output"],
        format!(
            "drill main r0 names 1\nEFS 123456789012 us-west-2\n{}\n{arn}\n{point}\n{arn} b r0 {point}\nus-west-2 true\nlocal\n{}\n",
            restore["job_id"].as_str().unwrap(),
            here.display(),
        )
    );
    assert_eq!(
        report["checks"][0]["output"],
        format!("{{\"r0\":\"{arn}\"}}\n{arn}\n")
    );
}

#[test]
fn expectations_decide() {
    for (script, expect, why) in [
        ("echo 12 rows", "{ output: '^[0-9]+ rows' }", None),
        ("exit 3", "{ exit: 3 }", None),
        (
            "exit 0",
            "{ exit: 3 }",
            Some("it ended with exit code 0, not 3"),
        ),
        (
            "echo none",
            "{ output: '^[0-9]+ rows' }",
            Some("its output does not match `^[0-9]+ rows`"),
        ),
        (
            "kill -15 $$",
            "{ exit: 0 }",
            Some("it was ended by signal 15"),
        ),
    ] {
        let folder = folder();
        let more = check("c", script, &format!(", expect: {expect}"));
        let (code, report) = rehearse(folder.path(), &plan(1, "", |_| more.clone()), &[]);
        assert_eq!(code, if why.is_none() { 0 } else { 6 }, "{script}");
        assert_eq!(report["restores"][0]["checks"][0]["message"].as_str(), why);
    }
    let folder = folder();
    // Known only when the restore is back, so that nothing was refused before.
    let more = "    checks: [{ name: c, run: [\"./{{ created.job_id }}\"] }]\n";
    let (code, report) = rehearse(folder.path(), &plan(1, "", |_| more.to_owned()), &[]);
    assert_eq!(code, 6);
    let message = report["restores"][0]["checks"][0]["message"]
        .as_str()
        .unwrap();
    assert!(
        message.starts_with("it could not be run: there is no file `./"),
        "{message}"
    );
}

/// A path with a slash is one from the plan's own directory.
#[test]
fn programs_are_looked_for_beside_the_plan() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let plans = folder.path().join("plans/checks");
    std::fs::create_dir_all(&plans).unwrap();
    let script = write(&plans, "answers.sh", "#!/bin/sh\necho answers $1\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let more = "    checks: [{ name: c, run: [./checks/answers.sh, 5432] }]\n";
    write(
        folder.path(),
        "plans/plan.yaml",
        &plan(1, "", |_| more.to_owned()),
    );
    let (code, stdout, _) = run(
        folder.path(),
        &["rehearse", "plans/plan.yaml", "-q", "--format", "json"],
    );
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("answers 5432"), "{stdout}");
}

#[test]
fn a_cutover_runs_when_it_is_asked_for_and_stops_where_it_fails() {
    let folder = folder();
    let head = "cutover:\n  - { name: one, run: [sh, -c, 'echo 1 >> steps'] }\n  - { name: two, run: [sh, -c, 'echo 2 >> steps; exit 1'] }\n  - { name: three, run: [sh, -c, 'echo 3 >> steps'] }\n";
    let text_of = plan(1, head, |_| check("good", "true", ""));
    let (code, report) = rehearse(folder.path(), &text_of, &[]);
    assert_eq!(code, 0);
    assert_eq!(report["cutover"], serde_json::json!([]));
    assert!(!folder.path().join("steps").exists());
    let (code, report) = rehearse(folder.path(), &text_of, &["--cutover"]);
    assert_eq!(code, 6);
    assert_eq!(text(&folder.path().join("steps")), "1\n2\n");
    let status: Vec<&str> = (0..3)
        .map(|at| report["cutover"][at]["status"].as_str().unwrap())
        .collect();
    assert_eq!(status, ["PASSED", "FAILED", "NOT_RUN"]);
}

#[test]
fn what_is_wrong_with_checks_is_said_at_once() {
    let folder = folder();
    let head = "publish_validation: maybe\nchecks: no\nprotect: x\n";
    let more = "    checks:\n      - { name: a, run: ./check.sh --fast }\n      - { name: b, run: [sh], expect: { exit: 300, output: '(' }, retries: -1, timeout: soon }\n      - { run: [] }\n      - { name: b, run: [sh, { a: b }], tmeout: 1m }\n      - { name: c, run: [sh, \"{{ creatd.resource_arn }}\"] }\n";
    write(
        folder.path(),
        "plan.yaml",
        &plan(1, head, |_| more.to_owned()),
    );
    let (code, stdout, _) = run(folder.path(), &["validate", "plan.yaml"]);
    assert_eq!(code, 4);
    snapbox::assert_data_eq!(stdout, snapbox::file!["checks.txt"]);
}

/// A check that has passed is not run again; one that has failed is, when that is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_runs_once_a_run() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let text_of = plan(3, "publish_validation: true\n", |at| match at {
        0 => check("good", "echo good >> seen", ""),
        1 => check("bad", "echo bad >> seen; test -f mended", ""),
        _ => "    needs: [r1]\n".to_owned(),
    });
    write(folder.path(), "plan.yaml", &text_of);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        // The two run side by side.
        let seen = || {
            let text = text(&path.join("seen"));
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let again = |more: &[&str]| {
            let mut arguments = vec!["run", "plan.yaml", "--yes", "--endpoint-url", &url];
            arguments.extend(more);
            run(&path, &arguments)
        };
        let (code, stdout, _) = again(&[]);
        assert_eq!(code, 6, "{stdout}");
        assert!(
            stdout.contains("skipped") || stdout.contains("SKIPPED"),
            "{stdout}"
        );
        assert_eq!(seen(), ["bad", "good"]);
        let (code, stdout, _) = again(&[]);
        assert_eq!(code, 6, "{stdout}");
        assert_eq!(seen(), ["bad", "good"]);
        write(&path, "mended", "");
        let (code, stdout, stderr) = again(&["--retry-failed"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert_eq!(seen(), ["bad", "bad", "good"]);
    })
    .await
    .unwrap();
    // The restore whose check had failed was not restored again.
    assert_eq!(emulator.jobs().len(), 3);
    assert_eq!(emulator.calls()[&Operation::PutRestoreValidationResult], 3);
    emulator.shutdown().await;
}

/// AWS Backup may not take what the checks have come to: that is said, and nothing fails for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_validation_is_reported_and_tolerated() {
    let emulator = emulator(at_once()).await;
    let kind = FaultKind::Error {
        status: 400,
        code: "InvalidRequestException".to_owned(),
        message: "not for this job".to_owned(),
    };
    emulator.inject(Fault::new(Operation::PutRestoreValidationResult, kind));
    let folder = folder();
    let text_of = plan(1, "publish_validation: true\n", |_| {
        check("good", "true", "")
    });
    write(folder.path(), "plan.yaml", &text_of);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let (code, stdout, stderr) = run(
            &path,
            &[
                "run",
                "plan.yaml",
                "--yes",
                "--format",
                "json",
                "--endpoint-url",
                &url,
            ],
        );
        assert_eq!(code, 0, "{stderr}");
        assert!(
            stdout.contains("not published: not for this job"),
            "{stdout}"
        );
        assert!(
            stderr.contains("validation result not accepted"),
            "{stderr}"
        );
    })
    .await
    .unwrap();
    emulator.shutdown().await;
}

/// While a check hangs, everything else goes on; Ctrl-C kills it, leaves with 5, and the next run begins it anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_left_while_a_check_hangs() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let text_of = plan(2, "", |at| match at {
        0 => check("hangs", "echo $$ >> ids; test -f mended || sleep 3600", ""),
        _ => check("good", "touch other", ""),
    });
    write(folder.path(), "plan.yaml", &text_of);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let mut child = process(&path)
            .args(["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let wait = |name: &str| {
            while !path.join(name).exists() {
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        wait("ids");
        // The other restore is not held up by it.
        wait("other");
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(5));
        let first: i32 = text(&path.join("ids")).trim().parse().unwrap();
        let first = rustix::process::Pid::from_raw(first).unwrap();
        while rustix::process::test_kill_process_group(first).is_ok() {
            std::thread::sleep(Duration::from_millis(2));
        }
        write(&path, "mended", "");
        let (code, stdout, stderr) = run(
            &path,
            &["run", "plan.yaml", "--yes", "--endpoint-url", &url],
        );
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert_eq!(text(&path.join("ids")).lines().count(), 2);
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

/// What needs a restore is not started past its check, chosen alone or not.
#[tokio::test(flavor = "multi_thread")]
async fn only_does_not_pass_over_a_failed_check() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let checks = "    checks: [{ name: good, run: [\"false\"] }]\n    metadata:";
    let plan = many(2, 1).replacen("    metadata:", checks, 1);
    write(folder.path(), "plan.yaml", &plan);
    let run = ["run", "plan.yaml", "--yes", "-q"];
    let (code, said, _) = ran(folder.path(), &emulator, &run).await;
    assert_eq!(code, 6, "{said}");
    let only = ["run", "plan.yaml", "--yes", "-q", "--only", "r1"];
    let (code, said, _) = ran(folder.path(), &emulator, &only).await;
    assert_eq!(code, 6, "{said}");
    assert_eq!(emulator.jobs().len(), 1);
    emulator.shutdown().await;
}

/// A pull request from a stranger may hold any command: whatever judges it starts none of them.
#[tokio::test(flavor = "multi_thread")]
async fn commands_that_read_start_no_command_of_a_plan() {
    let folder = folder();
    let path = folder.path();
    let step = "{ name: a, run: [sh, -c, 'touch started'] }";
    let whole = format!("checks: [{step}]\ncutover: [{step}]\n");
    let text = plan(1, &whole, |_| format!("    checks: [{step}]\n"));
    write(path, "plan.yaml", &text);
    let open = emulator(at_once()).await;
    for words in [
        &["validate", "plan.yaml"][..],
        &["render", "plan.yaml"],
        &["plan", "plan.yaml"],
        &["plan", "plan.yaml", "-o", "saved"],
        &["preflight", "plan.yaml"],
        &["iam", "plan.yaml"],
        &["lock", "plan.yaml"],
        &["status", "plan.yaml"],
        &["export", "kit", "plan.yaml", "-o", "kit"],
    ] {
        match ["validate", "iam"].contains(&words[0]) {
            true => drop(run(path, words)),
            false => drop(ran(path, &open, words).await),
        }
        assert!(!path.join("started").exists(), "{words:?}");
    }
    let (code, _, said) = ran(path, &open, &["run", "plan.yaml", "--yes", "--cutover"]).await;
    assert!(path.join("started").exists(), "{code}: {said}");
    open.shutdown().await;
}
