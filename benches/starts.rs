//! How fast restores are started, against the same emulator, by redrill, by a script with boto3 (32 threads), and by
//! `xargs -P 32 aws`: what people use today. No rates are kept; a real account allows five a second, whoever asks.
//!
//! `cargo bench --bench starts` prints the table and fails where redrill is not ten times as fast as the script and two
//! hundred times as fast as the command line. The time is that between the first and the last request in the
//! emulator's log, so that nobody's start-up counts. Python and its packages are made in `target/`.

#![expect(clippy::print_stdout, reason = "the table is what it is run for")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench that cannot run measures nothing"
)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;

#[path = "../tests/python.rs"]
mod python;

const REDRILL: usize = 10_000;
const SCRIPT: usize = 2_000;
const COMMANDS: usize = 64;

const BOTO3: &str = "
import sys, boto3
from concurrent.futures import ThreadPoolExecutor
client = boto3.client('backup', config=boto3.session.Config(max_pool_connections=32))
def start(n):
    client.start_restore_job(
        RecoveryPointArn=f'arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-{n:012}',
        IamRoleArn='arn:aws:iam::123456789012:role/restore', ResourceType='EFS', IdempotencyToken=f'script-{n}',
        Metadata={'file-system-id': 'fs-0a1b2c3d', 'newFileSystem': 'true', 'Encrypted': 'true', 'CreationToken': f'r{n}'})
with ThreadPoolExecutor(32) as pool:
    list(pool.map(start, range(int(sys.argv[1]))))
";

/// An emulator as a process, and its log.
struct Emulator {
    process: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Emulator {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_redrill"))
            .args(["emulator", "--speed", "1", "--log"])
            .arg(folder.path().join("log"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line[line.find("http://").unwrap()..].trim().to_owned();
        Self {
            process,
            url,
            folder,
        }
    }

    /// A client of it, with credentials that it does not look at.
    fn client(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
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

    /// When each restore was asked for.
    fn starts(&self) -> Vec<Timestamp> {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines()
            .filter(|line| line.contains("\"StartRestoreJob\""))
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter_map(|line| line["at"].as_str()?.parse().ok())
            .collect()
    }

    /// Starts a second, when a client has asked for so many.
    fn rate(mut self, mut client: Child, count: usize) -> f64 {
        while self.starts().len() < count {
            assert!(
                client
                    .try_wait()
                    .unwrap()
                    .is_none_or(|status| status.success()),
                "the client failed"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        let _ = client.kill();
        let _ = client.wait();
        let starts = self.starts();
        let _ = self.process.kill();
        let _ = self.process.wait();
        let (first, last) = (starts.iter().min().unwrap(), starts.iter().max().unwrap());
        (starts.len() - 1) as f64 / last.duration_since(*first).as_secs_f64()
    }
}

fn redrill() -> f64 {
    let emulator = Emulator::start();
    let mut plan = String::from(
        "plan: many\ntarget:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: arn:aws:iam::123456789012:role/restore\nrestores:\n",
    );
    for at in 0..REDRILL {
        let _ = write!(
            plan,
            "  r{at}:\n    type: EFS\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-{at:012}\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      CreationToken: r{at}\n"
        );
    }
    let path = emulator.folder.path().join("plan.yaml");
    std::fs::write(&path, plan).unwrap();
    let client = emulator
        .client(env!("CARGO_BIN_EXE_redrill"))
        .args(["run", "--yes", "-q", "--no-rate-limit", "--state"])
        .arg(emulator.folder.path().join("state"))
        .arg(path)
        .spawn()
        .unwrap();
    emulator.rate(client, REDRILL)
}

fn script(home: &Path) -> f64 {
    let emulator = Emulator::start();
    let client = emulator
        .client(home.join("bin/python"))
        .args(["-c", BOTO3, &SCRIPT.to_string()])
        .spawn()
        .unwrap();
    emulator.rate(client, SCRIPT)
}

fn commands(home: &Path) -> f64 {
    let emulator = Emulator::start();
    let aws = home.join("bin/aws");
    let start = format!(
        "seq {COMMANDS} | xargs -P 32 -I N '{}' backup start-restore-job --recovery-point-arn arn:aws:ec2:us-west-2::image/ami-N --metadata '{{\"InstanceType\":\"t3.micro\"}}' --idempotency-token commands-N",
        aws.display()
    );
    let client = emulator.client("sh").args(["-c", &start]).spawn().unwrap();
    emulator.rate(client, COMMANDS)
}

fn main() {
    let home = python::venv(
        "aws",
        &["botocore==1.43.11", "boto3==1.43.11", "awscli==1.45.11"],
    )
    .unwrap();
    let (ours, script, commands) = (redrill(), script(&home), commands(&home));
    println!("starts a second, against the same emulator");
    println!("redrill run              {ours:8.0}");
    println!(
        "boto3, 32 threads        {script:8.0}   redrill is {:4.0} times as fast",
        ours / script
    );
    println!(
        "xargs -P 32 aws          {commands:8.1}   redrill is {:4.0} times as fast",
        ours / commands
    );
    assert!(ours >= 10.0 * script, "not ten times as fast as the script");
    assert!(
        ours >= 200.0 * commands,
        "not two hundred times as fast as the command line"
    );
}
