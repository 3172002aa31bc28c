//! SIGHUP, which a terminal sends that closes, is SIGTERM: what runs is recorded, and its checks are killed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};

use super::{check, plan, run};
use crate::support::{at_once, bytes, emulator, folder, process, write};

/// The binary behind a command, such as a shell that ignores a signal first; SIGHUP is not ignored before that, however the
/// tests were started.
fn behind(folder: &Path, words: &[&str], arguments: &[&str]) -> Child {
    let binary = process(folder);
    let mut command = Command::new("env");
    if cfg!(target_os = "linux") {
        command.arg("--default-signal=HUP");
    }
    for (name, value) in binary.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .args(words)
        .arg(binary.get_program())
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn text(path: &Path) -> String {
    String::from_utf8(bytes(path)).unwrap()
}

fn wait_for(path: &Path) {
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A plan whose check says who it is and hangs, with a child of its own.
fn hanging() -> String {
    plan(1, "", |_| {
        check(
            "hangs",
            "echo $$ > id.new; mv id.new id; sleep 3600 & wait",
            "",
        )
    })
}

/// The process group of the hanging check is gone.
fn assert_gone(folder: &Path) {
    let group: i32 = text(&folder.join("id")).trim().parse().unwrap();
    let group = Pid::from_raw(group).unwrap();
    while test_kill_process_group(group).is_ok() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_a14_a_terminal_that_closes_detaches_and_kills_the_check() {
    let emulator = emulator(at_once()).await;
    let (folder, url) = (folder(), emulator.url());
    write(folder.path(), "plan.yaml", &hanging());
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let arguments = ["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url];
        let mut child = behind(&path, &[], &arguments);
        wait_for(&path.join("id"));
        // The terminal sends it, and so does the shell.
        for _ in 0..3 {
            let _ = kill_process(Pid::from_child(&child), Signal::HUP);
        }
        assert_eq!(child.wait().unwrap().code(), Some(5));
        assert_gone(&path);
        let (_, status, _) = run(&path, &["status", "plan.yaml"]);
        assert!(!status.contains("another runner"), "{status}");
        let journal = crate::support::files(&path.join(".redrill"));
        let (_, last) = journal.last().unwrap();
        let last = String::from_utf8_lossy(last);
        assert!(last.contains("\"event\":\"detached\""), "{last}");
    })
    .await
    .unwrap();
    emulator.shutdown().await;
}

#[test]
fn safety_a14_a_rehearsal_ends_as_well() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &hanging());
    let mut child = behind(folder.path(), &[], &["rehearse", "plan.yaml", "-q"]);
    wait_for(&folder.path().join("id"));
    send(&child, Signal::HUP);
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert_gone(folder.path());
}

/// Who starts it with `nohup` wants it to outlive the terminal.
#[test]
fn safety_a14_what_nohup_has_started_goes_on() {
    let folder = folder();
    let waiting = "touch id; while ! test -f go; do sleep 0.01; done";
    let text = plan(1, "", |_| check("waits", waiting, ""));
    write(folder.path(), "plan.yaml", &text);
    let shell = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"];
    let mut child = behind(folder.path(), &shell, &["rehearse", "plan.yaml", "-q"]);
    wait_for(&folder.path().join("id"));
    send(&child, Signal::HUP);
    write(folder.path(), "go", "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn safety_a14_an_emulator_ends_and_keeps_its_jobs() {
    for signal in [Signal::TERM, Signal::HUP] {
        let folder = folder();
        let mut child = behind(
            folder.path(),
            &[],
            &[
                "emulator",
                "--listen",
                "127.0.0.1:0",
                "--state",
                "jobs.jsonl",
                "-q",
            ],
        );
        wait_for(&folder.path().join("jobs.jsonl"));
        send(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal:?}");
    }
}
