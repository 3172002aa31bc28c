//! An emulator in a process of its own, for whoever is measured against it.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use jiff::Timestamp;

#[path = "../crates/redrill-emulator/tests/served.rs"]
mod served;
use served::{Served, served_by};

/// An emulator as a process, and its log.
pub(crate) struct Emulator {
    _process: Served,
    pub(crate) url: String,
    pub(crate) folder: tempfile::TempDir,
}

impl Emulator {
    /// In real time; `arguments` come on top, and the folder may hold what they name.
    pub(crate) fn start(folder: tempfile::TempDir, arguments: &[&str]) -> Self {
        let log = folder.path().join("log");
        let mut all = vec!["--speed", "1", "--log", log.to_str().unwrap()];
        all.extend(arguments);
        let mut command = Command::new(env!("CARGO_BIN_EXE_redrill"));
        command.arg("emulator").args(all).stderr(Stdio::null());
        let (_process, url) = served_by(command);
        Self {
            _process,
            url,
            folder,
        }
    }

    /// A client of it, with credentials that it does not look at.
    pub(crate) fn client(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", "123456789012")
            .env("AWS_SECRET_ACCESS_KEY", "any")
            .env("AWS_REGION", "us-west-2")
            .env("AWS_DEFAULT_REGION", "us-west-2")
            .env("AWS_CONFIG_FILE", "none")
            .stdout(Stdio::null());
        command
    }

    /// redrill, running a plan of so many restores.
    pub(crate) fn run(&self, restores: usize, arguments: &[&str]) -> Command {
        let path = self.folder.path().join("plan.yaml");
        std::fs::write(&path, plan(restores)).unwrap();
        let mut command = self.client(env!("CARGO_BIN_EXE_redrill"));
        command
            .args(["run", "--yes", "-q", "--state"])
            .arg(self.folder.path().join("state"))
            .args(arguments)
            .arg(path);
        command
    }

    /// When each restore was asked for, and whether it was accepted.
    pub(crate) fn starts(&self) -> Vec<(Timestamp, bool)> {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines()
            .filter(|line| line.contains("\"StartRestoreJob\""))
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter_map(|line| Some((line["at"].as_str()?.parse().ok()?, line["status"] == 200)))
            .collect()
    }
}

/// The recovery point of a restore.
pub(crate) fn recovery_point(at: usize) -> String {
    format!("arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-{at:012}")
}

fn plan(restores: usize) -> String {
    let mut plan = String::from(
        "plan: many\ntarget:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: arn:aws:iam::123456789012:role/restore\nrestores:\n",
    );
    for at in 0..restores {
        let _ = write!(
            plan,
            "  r{at}:\n    type: EFS\n    recovery_point: {}\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      PerformanceMode: generalPurpose\n      CreationToken: r{at}\n",
            recovery_point(at)
        );
    }
    plan
}
