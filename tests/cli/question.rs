//! What is asked before a run, on a terminal of 80×24: everything that matters is still there when the cursor waits.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use redrill_emulator::Emulator;

use crate::support::{HEAD, at_once, emulator, folder, point, process, write};

/// Runs a command on a terminal of its own, answers its question, and gives what was shown before that, as 80 columns wrap it.
const TERMINAL: &str = r#"
import os, pty, select, struct, sys, fcntl, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
shown = b""
while b"to start: " not in shown:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    shown += data
os.write(fd, b"no\n")
try:
    while os.read(fd, 65536):
        pass
except OSError:
    pass
os.waitpid(pid, 0)
sys.stdout.write(shown.decode().replace("\r\n", "\n"))
"#;

/// The lines of the screen that stand there when the question waits.
async fn screen(folder: &Path, emulator: &Emulator, words: &[&str]) -> Option<String> {
    let binary = process(folder).get_program().to_owned();
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL]).arg(binary).args(words);
    command.args(["--endpoint-url", &emulator.url(), "--color", "never"]);
    for (name, value) in process(folder).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(folder);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap();
    let output = output.ok()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let shown = String::from_utf8(output.stdout).unwrap();
    let wrapped = shown.lines().flat_map(|line| {
        let characters: Vec<char> = line.chars().collect();
        let mut rows: Vec<String> = characters
            .chunks(80)
            .map(|row| row.iter().collect())
            .collect();
        if rows.is_empty() {
            rows.push(String::new());
        }
        rows
    });
    let rows: Vec<String> = wrapped.collect();
    Some(rows[rows.len().saturating_sub(24)..].join("\n"))
}

/// The text as one line, so that what was broken between words is found.
fn unwrapped(screen: &str) -> String {
    screen.split_whitespace().collect::<Vec<&str>>().join(" ") + " "
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_a9_the_question_repeats_what_matters_where_the_dry_run_is_long() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    // Two accounts, many restores, and more of them that write into something than are listed.
    let mut plan = HEAD.replace(
        "target:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: arn:aws:iam::123456789012:role/restore\n",
        "targets:\n  west: { region: us-west-2, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }\n  north: { region: eu-north-1, account: \"444455556666\", iam_role_arn: \"arn:aws:iam::444455556666:role/restore\" }\n",
    );
    for at in 0..40 {
        let (target, region, account) = match at % 4 {
            0 => ("north", "eu-north-1", "444455556666"),
            _ => ("west", "us-west-2", "123456789012"),
        };
        let point = point(at).replace("us-west-2:123456789012", &format!("{region}:{account}"));
        let into = match at % 3 {
            0 => "newFileSystem: false",
            _ => {
                "newFileSystem: true\n      Encrypted: true\n      CreationToken: \"{{ restore }}-{{ run.id }}\""
            }
        };
        let _ = write!(
            plan,
            "  r{at}:\n    type: EFS\n    target: {target}\n    recovery_point: {point}\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      {into}\n"
        );
    }
    write(folder.path(), "plan.yaml", &plan);
    let words = ["run", "plan.yaml", "--run-id", "2026-Q4"];
    let Some(screen) = screen(folder.path(), &emulator, &words).await else {
        crate::npm::skip("no terminal", "python3 is not there");
        return;
    };
    let text = unwrapped(&screen);
    for wanted in [
        "This starts 40 restores of many, run 2026-Q4, at http://127.0.0.1:",
        "(not AWS)",
        "30 restores into account 123456789012, us-west-2",
        "10 restores into account 444455556666, eu-north-1",
        "Review:",
        "r0: writes into ",
        "and 11 more restores, above",
        "A restore job that has been started cannot be cancelled.",
        "Type yes to start: ",
    ] {
        assert!(
            text.contains(wanted),
            "{wanted} is not on the screen:\n{screen}"
        );
    }
    assert!(emulator.jobs().is_empty());
    emulator.shutdown().await;
}
