//! What several tests need: the binary with a clean environment, an emulator to point it at, plans of any size.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use redrill::ids::RunId;
use redrill::journal::{self, Journal, LocalStore, Owner, RunKey};
use redrill::state::Recorded;
use redrill_emulator::{Emulator, Options, Speed};
use snapbox::cmd::{Command, cargo_bin};

/// What a command must not see of this machine.
fn hidden() -> impl Iterator<Item = std::ffi::OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        ["AWS_", "REDRILL_", "GIT_"]
            .iter()
            .any(|of| name.starts_with(of))
            || name == "NO_COLOR"
    })
}

/// What it sees instead.
const SHOWN: [(&str, &str); 5] = [
    ("TZ", "UTC"),
    ("AWS_CONFIG_FILE", "none"),
    ("AWS_SHARED_CREDENTIALS_FILE", "none"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("COLUMNS", "100"),
];

/// The binary, which sees nothing of this machine's AWS configuration.
pub(crate) fn redrill(directory: &Path) -> Command {
    let command = Command::new(cargo_bin!("redrill")).current_dir(directory);
    hidden()
        .fold(command, |command, name| command.env_remove(name))
        .envs(SHOWN)
}

/// The same as a process that can be killed.
pub(crate) fn process(directory: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(cargo_bin!("redrill"));
    for name in hidden() {
        command.env_remove(name);
    }
    command
        .current_dir(directory)
        .envs(SHOWN)
        .stdin(std::process::Stdio::null());
    command
}

/// A command that works on a bucket, from a machine of its own.
pub(crate) fn on_bucket(url: &str, machine: &Path, words: &[&str]) -> std::process::Command {
    let mut command = process(machine);
    command
        .args(words)
        .env("AWS_ENDPOINT_URL_S3", url)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "123456789012")
        .env("AWS_SECRET_ACCESS_KEY", "no-secret");
    command
}

/// Runs a command against an emulator in this process, which goes on meanwhile: its exit code, standard output and
/// standard error.
pub(crate) async fn ran(
    folder: &Path,
    emulator: &Emulator,
    arguments: &[&str],
) -> (i32, String, String) {
    let (folder, url) = (folder.to_owned(), emulator.url());
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let run = move || {
        let words = arguments.iter().map(String::as_str);
        let all: Vec<&str> = words.chain(["--endpoint-url", &url]).collect();
        crate::drill::run(&folder, &all)
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// An emulator in this process, fast.
pub(crate) async fn emulator(options: Options) -> Emulator {
    Emulator::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options)
        .await
        .unwrap()
}

/// Jobs take no time: each look moves the clock.
pub(crate) fn at_once() -> Options {
    Options {
        speed: Speed::Max,
        ..Options::default()
    }
}

/// An emulator's log, a line a request, in order.
pub(crate) fn requests(log: &Path) -> Vec<serde_json::Value> {
    let log = std::fs::read_to_string(log).unwrap();
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The operations in it.
pub(crate) fn operations(log: &Path) -> Vec<String> {
    requests(log)
        .iter()
        .filter_map(|line| line["operation"].as_str().map(str::to_owned))
        .collect()
}

/// A folder for one test.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a file into a folder.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// A file of the repository.
pub(crate) fn repository_file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// How the plans of [`many`] and their like begin.
pub(crate) const HEAD: &str = "plan: many\ntarget:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: arn:aws:iam::123456789012:role/restore\nrestores:\n";

/// A recovery point of a file system, by its number.
pub(crate) fn point(at: usize) -> String {
    format!("arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-{at:012}")
}

/// A plan of `count` file systems; each `every`-th needs the one before it.
pub(crate) fn many(count: usize, every: usize) -> String {
    let mut plan = String::from(HEAD);
    for at in 0..count {
        let needs = if every > 0 && at > 0 && at % every == 0 {
            format!("    needs: [r{}]\n", at - 1)
        } else {
            String::new()
        };
        let _ = write!(
            plan,
            "  r{at}:\n    type: EFS\n{needs}    recovery_point: {}\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      CreationToken: \"{{{{ restore }}}}-{{{{ run.id }}}}\"\n",
            point(at)
        );
    }
    plan
}

/// The engine on the emulator's clock: waits in which nothing else happens are skipped.
/// This machine's clock may be ahead of the emulator's, or behind.
pub(crate) struct Virtual(
    pub(crate) redrill_emulator::Clock,
    pub(crate) jiff::SignedDuration,
);

impl redrill::backup::Clock for Virtual {
    fn now(&self) -> jiff::Timestamp {
        self.0.now() + self.1
    }

    async fn sleep_until(&self, _at: jiff::Timestamp) {
        std::future::pending().await
    }

    async fn idle_until(&self, at: jiff::Timestamp) {
        self.0
            .advance_to(at - self.1 + jiff::SignedDuration::from_millis(1));
    }
}

/// The bytes of a file.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// Every file under a folder, with its bytes, except locks.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("lock") {
            let content = bytes(&path);
            found.push((path, content));
        }
    }
    found.sort();
    found
}

/// The answer of what does not have to wait, such as a store on this machine's disk.
pub(crate) fn now<T>(answer: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(answer).poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

/// The runs in a folder; what is written there need not survive the machine.
pub(crate) fn store(state: &Path) -> LocalStore {
    LocalStore::new(state).in_passing()
}

/// The journal of a run in a folder.
pub(crate) fn records(
    state: &Path,
    plan: &str,
    run: &str,
) -> Result<Vec<Recorded>, journal::Error> {
    now(journal::read(
        &store(state),
        &RunKey::new(plan, &RunId::new(run)),
    ))
}

/// The same, to be written.
pub(crate) fn journal_of(
    state: &Path,
    plan: &str,
    run: &str,
    owner: &Owner,
    take_over: bool,
) -> Result<Journal<LocalStore>, journal::Error> {
    let (store, run) = (store(state), RunKey::new(plan, &RunId::new(run)));
    let take = |_| Ok::<(), journal::Error>(());
    now(Journal::open(&store, &run, owner, take_over, take))
}

/// The text with every calendar date as `DATE`, because a test may run over midnight.
pub(crate) fn without_dates(text: &str) -> String {
    static DATE: std::sync::LazyLock<regex::Regex> =
        std::sync::LazyLock::new(|| regex::Regex::new("20[0-9]{2}-[0-9]{2}-[0-9]{2}").unwrap());
    DATE.replace_all(text, "DATE").into_owned()
}
