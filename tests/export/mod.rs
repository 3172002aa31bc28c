//! `redrill export kit`: the script against the emulator, its files, what drifts, what cannot be carried.

mod deaths;
mod drift;
mod flow;
mod folder;
mod refused;
mod runbook;
mod script;
mod shell;
mod storms;
mod twice;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use redrill_emulator::Emulator;

use crate::support::{process, write};

/// The account of the plans.
const ACCOUNT: &str = "123456789012";

/// Exports a plan of a folder into its `kit`.
fn exported(folder: &Path, plan: &str, more: &[&str]) -> PathBuf {
    write(folder, "plan.yaml", plan);
    let output = export(folder, &[&["-o", "kit"], more].concat());
    assert!(output.status.success(), "{}", said(&output));
    folder.join("kit")
}

/// `redrill export kit plan.yaml` with more words.
fn export(folder: &Path, more: &[&str]) -> Output {
    let mut command = process(folder);
    command.args(["export", "kit", "plan.yaml"]).args(more);
    command.output().unwrap()
}

/// All that a command has printed.
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// The script of a kit, with a stub for the AWS CLI; in a process group of its own, which can be killed.
fn script(kit: &Path, url: &str) -> Command {
    let stub = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export/aws.py");
    let counts = kit.parent().unwrap().join("counts");
    std::fs::create_dir_all(&counts).unwrap();
    let mut command = Command::new("bash");
    command
        .arg(kit.join("restore.sh"))
        .env("KIT_AWS", stub)
        .env("STUB_COUNTS", counts)
        .env("STUB_ACCOUNT", ACCOUNT)
        .env("AWS_ENDPOINT_URL", url)
        .env("KIT_POLL_SECONDS", "0")
        .env("KIT_RETRY_SECONDS", "0")
        .env("KIT_VISIBLE_SECONDS", "0")
        .stdin(std::process::Stdio::null())
        .process_group(0);
    command
}

/// The same with the AWS CLI itself; none where it cannot be installed.
fn script_with_aws(kit: &Path, url: &str) -> Option<Command> {
    let venv = crate::python::venv("aws", crate::python::AWS_TOOLS)?;
    let mut command = script(kit, url);
    command
        .env("KIT_AWS", venv.join("bin/aws"))
        .env("AWS_ACCESS_KEY_ID", ACCOUNT)
        .env("AWS_SECRET_ACCESS_KEY", "no-secret")
        .env("AWS_CONFIG_FILE", "none")
        .env("AWS_SHARED_CREDENTIALS_FILE", "none")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    Some(command)
}

/// Runs a command while an emulator of this process answers: its exit code, and what it printed.
async fn ended(mut command: Command) -> (Option<i32>, String) {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    (output.status.code(), said(&output))
}

/// The requests of an emulator's jobs, by token.
fn sent(emulator: &Emulator) -> Vec<serde_json::Value> {
    let mut sent: Vec<_> = emulator.jobs().into_iter().map(|job| job.request).collect();
    sent.sort_by_key(|request| request["IdempotencyToken"].to_string());
    sent
}
