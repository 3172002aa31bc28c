//! A rehearsal is typed, interrupted and continued as a run is.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use redrill_emulator::Emulator;
use rustix::process::{Pid, Signal, kill_process};

use crate::drill::{check, plan, run};
use crate::support::{
    at_once, emulator, folder, many, process, ran, redrill, repository_file, write,
};

/// How many jobs the emulator of a kept rehearsal has started.
fn jobs(folder: &Path, name: &str, run_id: &str) -> usize {
    let kept = folder
        .join("state")
        .join(name)
        .join(run_id)
        .join("emulator.jsonl");
    let text = std::fs::read_to_string(kept).unwrap_or_default();
    text.lines()
        .filter(|line| line.starts_with("{\"started\""))
        .count()
}

#[test]
fn first_contact_c7_only_says_what_it_needs() {
    let folder = folder();
    write(
        folder.path(),
        "shop.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    let (code, out, _) = run(folder.path(), &["rehearse", "shop.yaml", "--only", "app"]);
    assert_eq!(code, 5, "{out}");
    assert_eq!(
        out,
        "app: needs `files`, which `--only` leaves out; add it to `--only`\nadd what they need: redrill rehearse shop.yaml --only=files,app\n"
    );
    let (code, out, _) = run(
        folder.path(),
        &["rehearse", "shop.yaml", "--only=files,app"],
    );
    assert_eq!(code, 0, "{out}");
}

#[test]
fn first_contact_d_every_flag_of_run_is_one_of_rehearse() {
    let folder = folder();
    write(
        folder.path(),
        "shop.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    let (_, help, _) = run(folder.path(), &["run", "--help"]);
    let flags = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let at = if line.starts_with("--") {
            0
        } else {
            line.find(", --").filter(|at| *at < 4)? + 2
        };
        line[at..].split([' ', '=', '[']).next()
    });
    let mut tried = 0;
    for flag in flags {
        let value: &[&str] = match flag {
            // The plan's own preview is a command of its own, and a file is no plan.
            "--dry-run" | "--help" | "--version" => continue,
            // A rehearsal starts its restores itself, at its own emulator.
            "--on" | "--state-machine" => continue,
            // Its own emulator has what the plan needs.
            "--preflight" | "--allow-unscanned" => continue,
            "--var" | "--var-file" | "--inventory" | "--report" | "--format" | "--color"
            | "--progress" => continue,
            "--only" => &["orders"],
            "--run-id" => &["other"],
            "--state" => &["state"],
            "--region" => &["us-west-2"],
            "--profile" | "--state-profile" => &["dr"],
            "--lease" => &["2m"],
            "--limit" => &["2"],
            "--ledger" => &["proven.jsonl", "--prove"],
            "--endpoint-url" => &["http://127.0.0.1:9"],
            _ => &[],
        };
        let mut words = vec!["rehearse", "shop.yaml", flag];
        words.extend(value);
        let (code, out, err) = run(folder.path(), &words);
        assert_eq!(code, 0, "{flag}: {code} {out}{err}");
        tried += 1;
    }
    assert!(tried > 9, "{tried}\n{help}");
    assert!(!folder.path().join(".redrill").exists());
}

#[test]
fn first_contact_d_a_rehearsal_keeps_nothing_unless_state_is_typed() {
    let folder = folder();
    write(
        folder.path(),
        "shop.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    write(folder.path(), "redrill.toml", "state = \"runs\"\n");
    std::fs::create_dir(folder.path().join(".redrill")).unwrap();
    let output = redrill(folder.path())
        .args(["rehearse", "shop.yaml"])
        .env("REDRILL_STATE", "elsewhere")
        .output()
        .unwrap();
    assert!(output.status.success());
    for kept in ["runs", "elsewhere", ".redrill/quickstart"] {
        assert!(!folder.path().join(kept).exists(), "{kept}");
    }
}

/// A check that fails first, and what `--retry-failed` makes of it.
#[test]
fn first_contact_d_a_rehearsal_tries_again_what_failed() {
    let folder = folder();
    let plan = plan(2, "", |_| check("is there", "test -e mended", ""));
    write(folder.path(), "drill.yaml", &plan);
    let words = ["rehearse", "drill.yaml", "--state", "state"];
    let (code, out, _) = run(folder.path(), &words);
    assert_eq!(code, 6, "{out}");
    let hint = "retry what failed with: redrill rehearse drill.yaml --state state --retry-failed\n";
    assert!(out.contains(hint), "{out}");
    write(folder.path(), "mended", "");
    let (code, out, _) = run(folder.path(), &[&words[..], &["--retry-failed"]].concat());
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("2 of 2 restored"), "{out}");
    assert_eq!(jobs(folder.path(), "drill", "main"), 2);
}

/// Whatever ended it, the same command continues it, and no restore starts twice.
#[test]
fn first_contact_d_an_interrupted_rehearsal_is_continued() {
    for signal in [Signal::INT, Signal::KILL] {
        let folder = folder();
        write(folder.path(), "many.yaml", &many(4, 2));
        let words = ["rehearse", "many.yaml", "--state", "state", "-q"];
        let mut child = process(folder.path())
            .args(words)
            .args(["--speed", "20"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while jobs(folder.path(), "many", "main") == 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap();
        let before = jobs(folder.path(), "many", "main");
        assert!((1..4).contains(&before), "{before}");
        let (code, out, err) = run(folder.path(), &words);
        assert_eq!(code, 0, "{out}{err}");
        assert!(out.contains("4 of 4 restored"), "{out}");
        assert_eq!(jobs(folder.path(), "many", "main"), 4);
    }
}

/// Nothing of a rehearsal is at AWS, and without `--state` nothing of it is anywhere.
#[test]
fn first_contact_an_interrupted_rehearsal_speaks_of_no_aws() {
    for state in [&[][..], &["--state", "state"]] {
        let folder = folder();
        write(folder.path(), "many.yaml", &many(2, 1));
        let mut child = process(folder.path())
            .args(["rehearse", "many.yaml", "--speed", "20"])
            .args(state)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = String::new();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        while !err.contains("started, job") {
            assert_ne!(told.read_line(&mut err).unwrap(), 0, "{err}");
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        told.read_to_string(&mut err).unwrap();
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(5), "{out}{err}");
        assert!(
            err.contains("stopping: no new restores (Ctrl-C again"),
            "{err}"
        );
        assert!(
            out.contains("1 restore job of the rehearsal was still running."),
            "{out}"
        );
        let is_kept = !state.is_empty();
        assert_eq!(
            out.contains("nothing of this rehearsal was kept"),
            !is_kept,
            "{out}"
        );
        assert_eq!(
            out.contains("continue with: redrill rehearse many.yaml"),
            is_kept,
            "{out}"
        );
        for never in ["continue at AWS", "continues at AWS", "continues from here"] {
            assert!(!out.contains(never) && !err.contains(never), "{out}{err}");
        }
    }
}

/// The journal of a rehearsal without what its emulator knew is not continued as if that were there.
#[test]
fn first_contact_d_a_rehearsal_whose_emulator_is_gone_says_so() {
    let folder = folder();
    write(folder.path(), "many.yaml", &many(1, 0));
    let words = ["rehearse", "many.yaml", "--state", "state"];
    assert_eq!(run(folder.path(), &words).0, 0);
    std::fs::remove_file(folder.path().join("state/many/main/emulator.jsonl")).unwrap();
    let (code, _, err) = run(folder.path(), &words);
    assert_eq!(code, 64, "{err}");
    assert!(
        err.contains("emulator.jsonl is gone") && err.contains("another --run-id"),
        "{err}"
    );
}

/// A run id is of a rehearsal or of a run, in whichever order.
#[tokio::test(flavor = "multi_thread")]
async fn first_contact_d_a_rehearsal_and_a_run_are_never_one() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "many.yaml", &many(1, 0));
    let rehearse = ["rehearse", "many.yaml", "--state", "state", "--run-id", "a"];
    assert_eq!(run(folder.path(), &rehearse).0, 0);
    let real = [
        "run",
        "many.yaml",
        "--state",
        "state",
        "--yes",
        "--run-id",
        "a",
    ];
    let (code, _, err) = ran(folder.path(), &emulator, &real).await;
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("was made at the embedded emulator"), "{err}");
    assert_eq!(emulator.jobs().len(), 0);
    let real = [
        "run",
        "many.yaml",
        "--state",
        "state",
        "--yes",
        "--run-id",
        "b",
    ];
    assert_eq!(ran(folder.path(), &emulator, &real).await.0, 0);
    let rehearse = ["rehearse", "many.yaml", "--state", "state", "--run-id", "b"];
    let (code, _, err) = run(folder.path(), &rehearse);
    assert_eq!(code, 4, "{err}");
    assert!(
        err.contains("this command works at the embedded emulator"),
        "{err}"
    );
    assert!(!folder.path().join("state/many/b/emulator.jsonl").exists());
    assert_eq!(emulator.jobs().len(), 1);
    emulator.shutdown().await;
}

/// What is printed at the end is pasted.
#[tokio::test(flavor = "multi_thread")]
async fn first_contact_d_the_next_commands_of_a_rehearsal_work() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        "it's.yaml",
        &many(2, 0).replace("restores:", "vars: { a: { pattern: '.*' } }\nrestores:"),
    );
    let words = [
        "rehearse",
        "it's.yaml",
        "--run-id",
        "Q4",
        "--var",
        "a=b c",
        "--only",
        "r1",
        "--speed",
        "max",
    ];
    let (code, out, err) = run(folder.path(), &words);
    assert_eq!(code, 0, "{out}{err}");
    let hints: Vec<&str> = err
        .lines()
        .filter_map(|line| Some(line.split_once("): redrill ")?.1))
        .collect();
    assert_eq!(
        hints,
        [
            r"plan 'it'\''s.yaml' --run-id Q4 --var 'a=b c' --only=r1",
            r"run 'it'\''s.yaml' --run-id Q4 --var 'a=b c' --only=r1"
        ]
    );
    for hint in hints {
        assert_eq!(pasted(folder.path(), &emulator, hint).await, 0, "{hint}");
    }
    assert_eq!(emulator.jobs().len(), 1);
    emulator.shutdown().await;
}

/// Runs what a shell makes of a printed command, at an emulator.
async fn pasted(folder: &Path, emulator: &Emulator, hint: &str) -> i32 {
    let binary = process(folder);
    let mut command = std::process::Command::new("sh");
    let program = binary.get_program().to_str().unwrap().to_owned();
    let yes = if hint.starts_with("run ") {
        " --yes"
    } else {
        ""
    };
    command
        .arg("-c")
        .arg(format!("{program} {hint}{yes}"))
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL", emulator.url())
        .env("AWS_ACCESS_KEY_ID", "123456789012")
        .env("AWS_SECRET_ACCESS_KEY", "none");
    tokio::task::spawn_blocking(move || {
        let output = command.output().unwrap();
        output.status.code().unwrap()
    })
    .await
    .unwrap()
}

/// B7: under `--only`, the hint after a failed check does not repeat the failure.
#[test]
fn first_contact_b7_a_failed_check_under_only_is_tried_again() {
    let folder = folder();
    let plan = plan(2, "", |_| check("is there", "test -e mended", ""));
    write(folder.path(), "drill.yaml", &plan);
    let words = ["rehearse", "drill.yaml", "--state", "state", "--only", "r0"];
    let (code, out, _) = run(folder.path(), &words);
    assert_eq!(code, 6, "{out}");
    let hint = out
        .lines()
        .find_map(|line| line.strip_prefix("continue with: redrill "))
        .unwrap();
    assert_eq!(
        hint,
        "rehearse drill.yaml --state state --only r0 --retry-failed"
    );
    write(folder.path(), "mended", "");
    let hint: Vec<&str> = hint.split(' ').collect();
    let (code, out, _) = run(folder.path(), &hint);
    assert_eq!(code, 0, "{out}");
    assert_eq!(jobs(folder.path(), "drill", "main"), 1);
}

/// Two rehearsals of one run are one too many, as two runs are.
#[test]
fn first_contact_d_a_second_rehearsal_of_a_run_is_told_who_holds_it() {
    let folder = folder();
    write(folder.path(), "many.yaml", &many(1, 0));
    let words = ["rehearse", "many.yaml", "--state", "state", "-q"];
    let mut child = process(folder.path())
        .args(words)
        .args(["--speed", "1"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while jobs(folder.path(), "many", "main") == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let (code, _, err) = run(folder.path(), &words);
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    assert_eq!(code, 10, "{err}");
    assert!(err.contains("holds this run since"), "{err}");
}
