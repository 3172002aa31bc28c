//! Programs that cannot be started are found before anything is restored; AWS Backup is told the verdict that stands; and a
//! command that is started again does not run beside itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use redrill_emulator::{Emulator, Operation};

use super::{check, plan, run};
use crate::support::{at_once, bytes, emulator, folder, process, ran, write};

fn script(folder: &Path, name: &str, text: &str, mode: u32) {
    let path = write(folder, name, text);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A plan with one check of a restore, of the plan and of the cutover.
fn with_program(place: &str, program: &str) -> String {
    let one = format!("{{ name: c, run: [{program}] }}");
    match place {
        "restore" => plan(2, "", |at| match at {
            0 => format!("    checks: [{one}]\n"),
            _ => String::new(),
        }),
        of => plan(2, &format!("{of}: [{one}]\n"), |_| String::new()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_a12_programs_are_found_before_anything_starts() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    script(folder.path(), "plain.sh", "#!/bin/sh\n", 0o644);
    script(folder.path(), "returns.sh", "#!/bin/sh\r\necho\r\n", 0o755);
    script(
        folder.path(),
        "nobody.sh",
        "#!/opt/nosuch/bin/python\n",
        0o755,
    );
    // The message, and whether `validate` refuses it: what may be there later, or elsewhere, is a warning.
    for (program, message, is_error) in [
        ("./missing.sh", "there is no file `./missing.sh`", true),
        ("./plain.sh", "`./plain.sh` is not executable", true),
        (
            "./returns.sh",
            "the first line of `./returns.sh` ends with a carriage return (CRLF)",
            true,
        ),
        (
            "./nobody.sh",
            "the interpreter of `./nobody.sh`, /opt/nosuch/bin/python, is not there",
            false,
        ),
        (
            "/opt/nosuch/check",
            "there is no file `/opt/nosuch/check`",
            false,
        ),
        (
            "nosuch-program",
            "there is no program `nosuch-program` in PATH",
            false,
        ),
        (
            "\"./{{ plan }}.sh\"",
            "there is no file `./drill.sh`",
            false,
        ),
    ] {
        for place in ["restore", "checks", "cutover"] {
            write(folder.path(), "plan.yaml", &with_program(place, program));
            let (code, said, _) = run(folder.path(), &["validate", "plan.yaml"]);
            assert_eq!(code, if is_error { 4 } else { 0 }, "{program}: {said}");
            assert!(said.contains(message), "{program}: {said}");
            let line = 1 + said
                .lines()
                .position(|line| line.contains("--> plan.yaml:"))
                .unwrap();
            assert!(line > 1, "{said}");
            let (code, _, said) = ran(folder.path(), &emulator, &["plan", "plan.yaml"]).await;
            assert_eq!(code, 0, "{program}: {said}");
            assert!(said.contains(message), "{program}: {said}");
            for arguments in [
                &["run", "plan.yaml", "--yes"][..],
                &["rehearse", "plan.yaml"],
            ] {
                let mut arguments = [arguments, &["-q", "--cutover"]].concat();
                let (code, _, said) = match arguments[0] {
                    "rehearse" => run(folder.path(), &arguments),
                    _ => {
                        arguments.push("--no-rate-limit");
                        ran(folder.path(), &emulator, &arguments).await
                    }
                };
                assert_eq!(code, 4, "{program}: {said}");
                assert!(said.contains(message), "{program}: {said}");
            }
        }
    }
    assert_eq!(emulator.jobs().len(), 0);
    assert!(!folder.path().join(".redrill").exists());
    emulator.shutdown().await;
}

/// What does not run stands in nobody's way: a cutover without `--cutover`, a restore that `--only` leaves out, a program that
/// is known when its restore is back.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a12_what_will_not_run_refuses_nothing() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &with_program("cutover", "./missing.sh"),
    );
    let (code, _, said) = ran(folder.path(), &emulator, &["run", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 0, "{said}");
    write(
        folder.path(),
        "plan.yaml",
        &with_program("restore", "./missing.sh"),
    );
    let only = [
        "run",
        "plan.yaml",
        "--yes",
        "--run-id",
        "only",
        "--only",
        "r1",
    ];
    let (_, _, said) = ran(folder.path(), &emulator, &only).await;
    assert!(!said.contains("missing.sh"), "{said}");
    assert_eq!(emulator.jobs().len(), 3);
    write(
        folder.path(),
        "plan.yaml",
        &with_program("restore", "\"{{ created.resource_arn }}\""),
    );
    let late = ["run", "plan.yaml", "--yes", "--run-id", "late"];
    let (code, _, said) = ran(folder.path(), &emulator, &late).await;
    assert_eq!(code, 6, "{said}");
    assert!(
        said.contains("it could not be run: there is no file `arn:aws:"),
        "{said}"
    );
    emulator.shutdown().await;
}

fn told(emulator: &Emulator) -> u64 {
    let calls = emulator.calls();
    calls
        .get(&Operation::PutRestoreValidationResult)
        .copied()
        .unwrap_or(0)
}

/// A check that could not be run says nothing of the restore, and AWS keeps what it is told first: it is told once there is a
/// verdict.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a12_a_check_that_could_not_be_run_is_not_told_as_failed() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let publishing = |program: &str| {
        format!(
            "publish_validation: true\n{}",
            with_program("restore", program)
        )
    };
    write(
        folder.path(),
        "plan.yaml",
        &publishing("\"{{ created.resource_arn }}\""),
    );
    let arguments = ["run", "plan.yaml", "--yes"];
    for _ in 0..2 {
        let (code, _, said) = ran(folder.path(), &emulator, &arguments).await;
        assert_eq!(code, 6, "{said}");
        assert_eq!(told(&emulator), 0);
    }
    write(folder.path(), "plan.yaml", &publishing("\"true\""));
    let again = ["run", "plan.yaml", "--yes", "--retry-failed"];
    let (code, stdout, said) = ran(folder.path(), &emulator, &again).await;
    assert_eq!(code, 0, "{stdout}{said}");
    assert!(
        said.contains("validation result SUCCESSFUL published"),
        "{said}"
    );
    assert_eq!(told(&emulator), 1);
    emulator.shutdown().await;
}

/// A verdict that changes is told again. AWS documents that it keeps the first, and what it answers is reported, once.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a12_the_verdict_that_stands_in_the_end_is_told() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let text = plan(1, "publish_validation: true\n", |_| {
        check("c", "test -f mended", "")
    });
    write(folder.path(), "plan.yaml", &text);
    let (code, _, said) = ran(folder.path(), &emulator, &["run", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 6, "{said}");
    assert!(
        said.contains("validation result FAILED published"),
        "{said}"
    );
    write(folder.path(), "mended", "");
    let again = [
        "run",
        "plan.yaml",
        "--yes",
        "--retry-failed",
        "--format",
        "json",
    ];
    let (code, report, said) = ran(folder.path(), &emulator, &again).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("validation result not accepted"), "{said}");
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let validation = report["restores"][0]["validation"].as_str().unwrap();
    assert!(
        validation
            .starts_with("FAILED; the later verdict was not published: The validation status"),
        "{validation}"
    );
    assert_eq!(told(&emulator), 2);
    let (code, _, said) = ran(folder.path(), &emulator, &["run", "plan.yaml", "--yes"]).await;
    assert_eq!((code, told(&emulator)), (0, 2), "{said}");
    emulator.shutdown().await;
}

/// The runner is killed in a step of the cutover: the next one kills what is left of that before it starts it again.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r4_21_a_step_does_not_run_beside_itself() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    // The first start waits for ever, in a child; each says that it has begun.
    let step = "echo begin >> log; if test -f first; then sleep 0; else touch first; sh -c 'sleep 3600; echo switched >> log'; fi; echo switched >> log";
    let head = format!("cutover: [{{ name: dns, run: [sh, -c, {step:?}] }}]\n");
    write(
        folder.path(),
        "plan.yaml",
        &plan(1, &head, |_| String::new()),
    );
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let arguments = [
            "run",
            "plan.yaml",
            "--yes",
            "--cutover",
            "--endpoint-url",
            &url,
        ];
        let mut child = process(&path)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !path.join("first").exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (code, stdout, stderr) = run(&path, &arguments);
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert!(
            stderr.contains("cutover dns: ")
                && stderr.contains("of its earlier start were still there, and were killed first"),
            "{stderr}"
        );
        let log = String::from_utf8(bytes(&path.join("log"))).unwrap();
        assert_eq!(log, "begin\nbegin\nswitched\n");
    })
    .await
    .unwrap();
    emulator.shutdown().await;
}

/// A named pipe where the journal, or what a person has named, would be: said, and not waited for.
#[test]
fn reliability_r4_20_a_named_pipe_is_not_waited_for() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &plan(1, "", |_| String::new()));
    let mkfifo = |name: &str| {
        let path = folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        path
    };
    std::fs::create_dir_all(folder.path().join(".redrill/drill/main/journal")).unwrap();
    for name in ["journal/00000001.jsonl", "journal.jsonl", "lock"] {
        let name = format!(".redrill/drill/main/{name}");
        let pipe = mkfifo(&name);
        for arguments in [
            &[
                "run",
                "plan.yaml",
                "--yes",
                "--endpoint-url",
                "http://127.0.0.1:9",
            ][..],
            &[
                "status",
                "plan.yaml",
                "--endpoint-url",
                "http://127.0.0.1:9",
            ],
            &["report", "plan.yaml", "--report", "json=out.json"],
            &["evidence", "plan.yaml", "-o", "x.zip"],
        ] {
            let is_only_read = name.ends_with("lock") && arguments[0] != "status";
            if is_only_read {
                continue;
            }
            let (code, _, stderr) = run(folder.path(), arguments);
            assert_eq!(code, 1, "{arguments:?}: {stderr}");
            assert!(
                stderr.contains(&name)
                    && stderr.contains("it is a named pipe, a socket or a device"),
                "{arguments:?}: {stderr}"
            );
        }
        std::fs::remove_file(pipe).unwrap();
    }
}
