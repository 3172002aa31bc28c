//! Journals of earlier versions are taken up by this one; `tests/journals/README.md` says what they are.

mod events;
mod going_on;
mod later;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use redrill::journal;
use redrill::state::Recorded;
use redrill_emulator::{Emulator, Inventory, Options, Speed};
use serde_json::Value;

use crate::drill;
use crate::dry_run::outputs::assert_valid;
use crate::support::{bytes, emulator, files, folder};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// The runs that are kept: the folder, the plan, the run.
const RUNS: [(&str, &str, &str); 4] = [
    ("one-file", "orders", "main"),
    ("segments", "orders", "main"),
    ("drill", "drill", "2026-Q4"),
    ("cleanup", "quarterly", "2026-Q4"),
];

/// A copy of a run that is kept.
struct Old {
    folder: tempfile::TempDir,
    plan: &'static str,
    run: &'static str,
}

impl Old {
    fn copy(name: &str) -> Self {
        let (_, plan, run) = *RUNS.iter().find(|(of, ..)| *of == name).unwrap();
        let folder = folder();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
        copy(&root.join(name), folder.path());
        Self { folder, plan, run }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The run's directory.
    fn directory(&self) -> PathBuf {
        self.state().join(self.plan).join(self.run)
    }

    /// The journal, without the lock.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(&self.directory())
    }

    fn records(&self) -> Vec<Recorded> {
        self.read().unwrap()
    }

    fn read(&self) -> Result<Vec<Recorded>, journal::Error> {
        crate::support::records(&self.state(), self.plan, self.run)
    }

    /// What AWS remembers of the run, a day later: whatever ran has ended, and what is started takes no time.
    async fn emulator(&self) -> Emulator {
        let inventory = std::fs::read_to_string(self.folder.path().join("inventory.yaml"));
        let emulator = emulator(Options {
            inventory: Some(Inventory::parse(&inventory.unwrap()).unwrap()),
            state: Some(self.folder.path().join("emulator.jsonl")),
            speed: Speed::Times(1e6),
            ..Options::default()
        })
        .await;
        let clock = emulator.clock();
        clock.advance_to(clock.now() + SignedDuration::from_hours(24));
        emulator
    }

    /// Exit code, standard output, standard error.
    fn redrill(&self, words: &[&str]) -> (i32, String, String) {
        let mut all = words.to_vec();
        all.extend(["--state", "state"]);
        drill::run(self.folder.path(), &all)
    }

    /// The same of a command that takes a plan and a run.
    fn of_the_run(&self, command: &str, words: &[&str]) -> (i32, String, String) {
        let mut all = vec![command, "plan.yaml", "--run-id", self.run];
        all.extend(words);
        self.redrill(&all)
    }

    /// `run`: the exit code, and the status of each restore by the report.
    fn run(&self, url: &str, words: &[&str]) -> (i32, BTreeMap<String, String>) {
        let mut all = vec!["--yes", "-q", "--format", "json", "--endpoint-url", url];
        all.extend(words);
        let (code, stdout, stderr) = self.of_the_run("run", &all);
        let report = serde_json::from_str(&stdout).unwrap_or_else(|err| panic!("{err}: {stderr}"));
        assert_valid("run", &report);
        (code, statuses(&report))
    }

    /// `status`, as the journal has it.
    fn status(&self) -> BTreeMap<String, String> {
        let (code, stdout, stderr) =
            self.redrill(&["status", "--format", "json", "--endpoint-url", NOWHERE]);
        assert_eq!(code, 0, "{stderr}");
        let status: Value = serde_json::from_str(&stdout).unwrap();
        assert_valid("status", &status);
        let runs = status["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 1);
        assert_eq!(
            runs[0]["held_by"],
            Value::Null,
            "a lock ends with its process"
        );
        runs[0]["restores"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, restore)| (name.clone(), text(&restore["status"])))
            .collect()
    }
}

fn copy(from: &Path, to: &Path) {
    for (path, content) in files(from) {
        let to = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, content).unwrap();
    }
    // `files` leaves locks out: what a runner that was killed leaves of one is a part of it.
    for (_, plan, run) in RUNS {
        let lock = Path::new("state").join(plan).join(run).join("lock");
        if from.join(&lock).exists() {
            std::fs::copy(from.join(&lock), to.join(&lock)).unwrap();
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// What a report says of each restore.
fn statuses(report: &Value) -> BTreeMap<String, String> {
    let restores = report["restores"].as_array().unwrap().iter();
    restores
        .map(|restore| (text(&restore["restore"]), text(&restore["status"])))
        .collect()
}

#[track_caller]
fn assert_statuses(found: &BTreeMap<String, String>, wanted: &[(&str, &str)]) {
    let wanted: BTreeMap<String, String> = wanted
        .iter()
        .map(|(name, status)| ((*name).to_owned(), (*status).to_owned()))
        .collect();
    assert_eq!(*found, wanted);
}

/// As many jobs as recovery points that something was ever sent for: none was started twice.
#[track_caller]
fn assert_each_once(emulator: &Emulator, wanted: usize) {
    let jobs = emulator.jobs();
    let points: BTreeSet<String> = jobs
        .iter()
        .map(|job| job.recovery_point_arn.clone())
        .collect();
    assert_eq!((jobs.len(), points.len()), (wanted, wanted));
}

/// Makes evidence of a run and checks it; the journal in it is the one on the disk.
fn evidence(old: &Old) {
    let (code, _, stderr) = old.of_the_run("evidence", &["-o", "bundle"]);
    assert_eq!(code, 0, "{stderr}");
    let bundle = old.folder.path().join("bundle");
    let (code, _, stderr) = drill::run(old.folder.path(), &["evidence", "verify", "bundle"]);
    assert_eq!(code, 0, "{stderr}");
    let content = |files: Vec<(PathBuf, Vec<u8>)>| -> Vec<Vec<u8>> {
        files.into_iter().map(|(_, content)| content).collect()
    };
    let mut written = old.files();
    // The one file is the first segment.
    written.sort_by_key(|(path, _)| !path.ends_with("journal.jsonl"));
    assert_eq!(content(files(&bundle.join("journal"))), content(written));
    let report = bytes(&bundle.join("reports/report.json"));
    assert_valid("run", &serde_json::from_slice(&report).unwrap());
}
