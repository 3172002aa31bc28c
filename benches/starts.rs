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

use std::path::Path;
use std::process::Child;
use std::time::Duration;

#[path = "emulated.rs"]
mod emulated;
use emulated::Emulator;

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

/// Starts a second, when a client has asked for so many.
fn rate(emulator: &Emulator, mut client: Child, count: usize) -> f64 {
    while emulator.starts().len() < count {
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
    let starts = emulator.starts();
    let times = || starts.iter().map(|(at, _)| *at);
    let (first, last) = (times().min().unwrap(), times().max().unwrap());
    (starts.len() - 1) as f64 / last.duration_since(first).as_secs_f64()
}

fn redrill() -> f64 {
    let emulator = Emulator::start(tempfile::tempdir().unwrap(), &[]);
    let client = emulator.run(REDRILL, &["--no-rate-limit"]).spawn().unwrap();
    rate(&emulator, client, REDRILL)
}

fn script(home: &Path) -> f64 {
    let emulator = Emulator::start(tempfile::tempdir().unwrap(), &[]);
    let client = emulator
        .client(home.join("bin/python"))
        .args(["-c", BOTO3, &SCRIPT.to_string()])
        .spawn()
        .unwrap();
    rate(&emulator, client, SCRIPT)
}

fn commands(home: &Path) -> f64 {
    let emulator = Emulator::start(tempfile::tempdir().unwrap(), &[]);
    let aws = home.join("bin/aws");
    let start = format!(
        "seq {COMMANDS} | xargs -P 32 -I N '{}' backup start-restore-job --recovery-point-arn arn:aws:ec2:us-west-2::image/ami-N --metadata '{{\"InstanceType\":\"t3.micro\"}}' --idempotency-token commands-N",
        aws.display()
    );
    let client = emulator.client("sh").args(["-c", &start]).spawn().unwrap();
    rate(&emulator, client, COMMANDS)
}

fn main() {
    let home = python::venv("aws", python::AWS_TOOLS).unwrap();
    let (ours, script, commands) = (redrill(), script(&home), commands(&home));
    println!("starts a second, against the same emulator");
    println!("redrill run              {ours:8.0}");
    println!(
        "boto3, 32 threads        {script:8.0}   redrill is {:6.1} times as fast",
        ours / script
    );
    println!(
        "xargs -P 32 aws          {commands:8.1}   redrill is {:6.1} times as fast",
        ours / commands
    );
    assert!(ours >= 10.0 * script, "not ten times as fast as the script");
    assert!(
        ours >= 200.0 * commands,
        "not two hundred times as fast as the command line"
    );
}
