//! Journals of earlier versions are taken up by this one; `tests/journals/README.md` says what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use redrill::emulator::{Emulator, Inventory, Operation, Options, Speed};
use redrill::execute::{Event, Journal as _, Recorded};
use redrill::journal::{self, Journal, Owner};
use redrill::plan::sha256;
use serde_json::Value;

use crate::drill;
use crate::dry_run::outputs::assert_valid;
use crate::support::{bytes, emulator, files, folder, repository_file};

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
        journal::directory(&self.state(), self.plan, self.run)
    }

    /// The journal, without the lock.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(&self.directory())
    }

    fn records(&self) -> Vec<Recorded> {
        journal::read(&self.directory()).unwrap()
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
        let lock = journal::directory(Path::new("state"), plan, run).join("lock");
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

/// What a run did that was killed is not done again, whichever of the two first formats it wrote.
async fn a_killed_run_goes_on(name: &str, segments: usize) -> Old {
    let old = Old::copy(name);
    let emulator = old.emulator().await;
    assert_each_once(&emulator, 4);
    assert_statuses(
        &old.status(),
        &[
            ("blocked", "SKIPPED"),
            ("completed", "COMPLETED"),
            ("failed", "FAILED"),
            ("refused", "FAILED"),
            ("running", "RUNNING"),
            ("unanswered", "UNANSWERED"),
            ("unsent", "UNANSWERED"),
        ],
    );
    let before = old.files();
    assert_eq!(before.len(), segments);

    let wanted = [
        ("blocked", "SKIPPED"),
        ("completed", "COMPLETED"),
        ("failed", "FAILED"),
        ("refused", "FAILED"),
        ("running", "COMPLETED"),
        ("unanswered", "COMPLETED"),
        ("unsent", "COMPLETED"),
        ("waiting", "COMPLETED"),
    ];
    let (code, statuses) = old.run(&emulator.url(), &[]);
    assert_eq!(code, 6);
    assert_statuses(&statuses, &wanted);
    assert_each_once(&emulator, 6);
    // `unsent` and `waiting`; the job of `unanswered` was there.
    assert_eq!(emulator.calls()[&Operation::StartRestoreJob], 2);
    let adopted = old.records().iter().any(|recorded| {
        matches!(&recorded.event, Event::Adopted { restore, .. } if restore == "unanswered")
    });
    assert!(adopted);

    // What was there stays as it was; what is new goes behind it.
    let after = old.files();
    assert!(before.iter().all(|file| after.contains(file)));
    let next = old
        .directory()
        .join(format!("journal/{:08}.jsonl", segments + 1));
    assert!(next.exists());

    // And there is nothing left to do: AWS is not even asked.
    let (code, statuses) = old.run(NOWHERE, &[]);
    assert_eq!(code, 6);
    assert_statuses(&statuses, &wanted);
    assert_eq!(old.files(), after);
    emulator.shutdown().await;
    old
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_begun_as_one_file_goes_on() {
    let old = a_killed_run_goes_on("one-file", 1).await;
    assert!(!old.directory().join("journal/00000001.jsonl").exists());
    // Evidence is read by the names of segments.
    evidence(&old);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_the_first_segments_goes_on() {
    a_killed_run_goes_on("segments", 19).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_failed_in_an_old_journal_gets_another_attempt() {
    let old = Old::copy("one-file");
    let emulator = old.emulator().await;
    let (code, statuses) = old.run(&emulator.url(), &["--retry-failed"]);
    assert_eq!(code, 0);
    assert_eq!(statuses.len(), 8);
    assert!(statuses.values().all(|status| status == "COMPLETED"));
    // All eight, and the one that had failed twice.
    assert_eq!(emulator.jobs().len(), 9);
    emulator.shutdown().await;
}

/// The crash may have been in the middle of a record: it counts as not written.
#[tokio::test(flavor = "multi_thread")]
async fn a_torn_record_of_one_file_is_cut_off() {
    let old = Old::copy("one-file");
    let file = old.directory().join("journal.jsonl");
    let whole = bytes(&file);
    std::fs::write(&file, &whole[..whole.len() - 10]).unwrap();
    assert_eq!(old.status()["completed"], "RUNNING");
    let emulator = old.emulator().await;
    let (code, statuses) = old.run(&emulator.url(), &[]);
    assert_eq!((code, statuses["completed"].as_str()), (6, "COMPLETED"));
    assert_each_once(&emulator, 6);
    let last = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n');
    assert_eq!(bytes(&file), whole[..=last.unwrap()]);
    emulator.shutdown().await;
}

/// A version that looks only for segments would have begun such a run anew, beside its journal. Neither is thrown away.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_two_beginnings_is_refused() {
    let old = Old::copy("one-file");
    let emulator = old.emulator().await;
    let second = old.directory().join("journal/00000001.jsonl");
    std::fs::create_dir_all(second.parent().unwrap()).unwrap();
    std::fs::copy(old.directory().join("journal.jsonl"), &second).unwrap();
    let before = old.files();
    let url = emulator.url();
    for words in [&["status"][..], &["run", "plan.yaml", "--yes"]] {
        let mut all = words.to_vec();
        all.extend(["--endpoint-url", &url]);
        let (code, _, stderr) = old.redrill(&all);
        assert_eq!(code, 1);
        assert!(
            stderr.contains("00000001.jsonl: damaged at byte 0 (record 1): the run begins in journal.jsonl already"),
            "{stderr}"
        );
    }
    assert_eq!(old.files(), before);
    assert!(emulator.calls().is_empty());
    emulator.shutdown().await;
}

/// How long restores took is looked up in the run before, whatever its format.
#[test]
fn a_journal_of_one_file_is_a_run() {
    let old = Old::copy("one-file");
    let run = ("orders".to_owned(), "main".to_owned());
    assert_eq!(journal::runs(&old.state()).unwrap(), [run]);
    let latest = |run| journal::latest_other(&old.state(), "orders", run);
    assert_eq!(latest("next"), Some(old.directory()));
    assert_eq!(latest("main"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_was_killed_goes_on() {
    let old = Old::copy("drill");
    let emulator = old.emulator().await;
    assert_each_once(&emulator, 12);
    let completed = |name| (name, "COMPLETED");
    let ended = [
        completed("adopted"),
        ("blocked", "SKIPPED"),
        completed("copy"),
        ("failed", "FAILED"),
        completed("files"),
        ("judged", "CHECK_FAILED"),
        ("refused", "FAILED"),
        ("rejected", "FAILED"),
        completed("silent"),
        completed("tables[invoices]"),
        completed("tables[orders]"),
        completed("withdrawn"),
    ];
    let mut wanted = ended.to_vec();
    wanted.extend([
        ("overdue", "RUNNING"),
        ("running", "RUNNING"),
        ("unanswered", "UNANSWERED"),
        ("unsent", "UNANSWERED"),
    ]);
    assert_statuses(&old.status(), &wanted);
    let before = old.records().len();

    let mut wanted = ended.to_vec();
    wanted.extend(["overdue", "running", "unanswered", "unsent"].map(completed));
    let (code, statuses) = old.run(&emulator.url(), &[]);
    assert_eq!(code, 6);
    assert_statuses(&statuses, &wanted);
    assert_each_once(&emulator, 13);
    assert_eq!(emulator.calls()[&Operation::StartRestoreJob], 1);
    // What a selector means is kept; no check runs again that is over; AWS is not told again what came of it.
    let calls = emulator.calls();
    assert!(!calls.contains_key(&Operation::PutRestoreValidationResult));
    let records = old.records();
    assert!(!records[before..].iter().any(|recorded| {
        matches!(
            recorded.event,
            Event::Resolved { .. } | Event::CheckStarted { .. }
        )
    }));

    let (code, statuses) = old.run(&emulator.url(), &[]);
    assert_eq!(code, 6);
    assert_statuses(&statuses, &wanted);
    assert_eq!(old.records(), records);
    assert_each_once(&emulator, 13);
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_that_was_killed_goes_on() {
    let old = Old::copy("cleanup");
    let emulator = old.emulator().await;
    assert_statuses(
        &old.status(),
        &[
            ("app", "DELETED"),
            ("files", "DELETED"),
            ("orders", "DELETED"),
            ("stack", "COMPLETED"),
            ("web", "COMPLETED"),
        ],
    );
    let token = |nth: usize| {
        let records = old.records();
        let mut tokens = records.iter().filter_map(|recorded| match &recorded.event {
            Event::Deleting { restore, token, .. } if restore == "web" => Some(token.clone()),
            _ => None,
        });
        tokens.nth(nth)
    };
    let first = token(0).unwrap();
    let url = emulator.url();
    let cleanup = || old.of_the_run("cleanup", &["--yes", "-q", "--endpoint-url", &url]);
    let (code, stdout, stderr) = cleanup();
    assert_eq!(code, 5, "{stderr}");
    assert!(
        stdout.contains("4 deleted and not found any more, 1 left\nleft: stack  arn:"),
        "{stdout}"
    );
    assert_eq!(token(1), Some(first), "AWS is asked for the same deletion");
    assert_eq!(old.status()["web"], "DELETED");
    let (code, stdout, _) = cleanup();
    assert_eq!((code, token(2)), (5, None), "{stdout}");

    // The run itself is over, and says what it came to.
    let records = old.records();
    let (code, statuses) = old.run(&url, &["--cutover"]);
    assert_eq!(code, 0);
    assert!(statuses.values().all(|status| status == "COMPLETED"));
    let (code, _, stderr) = old.redrill(&["run", "saved.json", "--endpoint-url", &url]);
    assert_eq!(code, 4);
    assert!(
        stderr.contains("this saved plan has been carried out already, by run 2026-Q4"),
        "{stderr}"
    );
    assert_eq!(old.records(), records);
    assert_each_once(&emulator, 5);
    emulator.shutdown().await;
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

#[test]
fn evidence_and_reports_are_made_of_old_journals() {
    for (name, ..) in RUNS {
        let old = Old::copy(name);
        evidence(&old);
        let (code, stdout, stderr) = old.of_the_run("report", &["--format", "json"]);
        assert_eq!(code, 0, "{stderr}");
        let report: Value = serde_json::from_str(&stdout).unwrap();
        assert_valid("run", &report);
        let mut wanted = old.status();
        // A report is of what was restored, whatever became of it since.
        for status in wanted.values_mut().filter(|status| *status == "DELETED") {
            "COMPLETED".clone_into(status);
        }
        assert_eq!(statuses(&report), wanted, "{name}");
    }
}

/// Adds a line to the journal of `segments`, as a later version might.
fn with_line(body: &str) -> Old {
    let old = Old::copy("segments");
    let last = old.directory().join("journal/00000019.jsonl");
    let before = String::from_utf8(bytes(&last)).unwrap();
    let sum = &before[before.len() - 35..before.len() - 3];
    let sum = &sha256(format!("{sum}{body}"))[..32];
    let line = format!("{body},\"sum\":\"{sum}\"}}\n");
    std::fs::write(old.directory().join("journal/00000020.jsonl"), line).unwrap();
    old
}

/// A later format is refused, and so is an event that this version does not know: what follows from it is not known.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_version_wrote_is_refused_and_nothing_is_sent() {
    const AT: &str = "\"seq\":21,\"at\":\"2026-11-29T09:00:00Z\"";
    for (body, why) in [
        (
            format!(
                "{{\"v\":2,{AT},\"event\":\"seen\",\"restore\":\"running\",\"status\":\"RUNNING\""
            ),
            "this journal has format 2, and this redrill knows formats up to 1\nhelp: nothing was sent; use the redrill that wrote it",
        ),
        (
            format!("{{\"v\":1,{AT},\"event\":\"paused\",\"restore\":\"running\""),
            "damaged at byte 0 (record 21): it is not a record: unknown variant `paused`",
        ),
    ] {
        let old = with_line(&body);
        let emulator = old.emulator().await;
        let before = old.files();
        let url = emulator.url();
        for words in [
            &["status"][..],
            &["run", "plan.yaml", "--yes"],
            &["run", "plan.yaml", "--yes", "--retry-failed", "--take-over"],
            &["cleanup", "plan.yaml", "--yes"],
        ] {
            let mut all = words.to_vec();
            all.extend(["--endpoint-url", &url]);
            let (code, _, stderr) = old.redrill(&all);
            assert_eq!(code, 1, "{words:?}: {stderr}");
            assert!(stderr.contains(why), "{words:?}: {stderr}");
        }
        assert_eq!(old.files(), before);
        assert!(emulator.calls().is_empty());
        emulator.shutdown().await;
    }
}

/// A field that is only more to tell is passed over, and its bytes are kept; what is sent is understood whole or not at all.
#[test]
fn a_field_of_a_later_version_is_passed_over() {
    let old = with_line(
        "{\"v\":1,\"seq\":21,\"at\":\"2026-11-29T09:00:00Z\",\"event\":\"seen\",\"restore\":\"running\",\"status\":\"RUNNING\",\"percent\":40",
    );
    let seen = Event::Seen {
        restore: "running".to_owned(),
        status: "RUNNING".to_owned(),
    };
    assert_eq!(old.records()[20].event, seen);
    evidence(&old);

    let old = with_line(
        "{\"v\":1,\"seq\":21,\"at\":\"2026-11-29T09:00:00Z\",\"event\":\"intended\",\"restore\":\"waiting\",\"attempt\":1,\"token\":\"t\",\"digest\":\"d\",\"request\":{\"Metadata\":{},\"RecoveryPointArn\":\"a\",\"ResourceType\":\"EFS\",\"Priority\":\"high\"}",
    );
    let error = journal::read(&old.directory()).unwrap_err().to_string();
    assert!(error.contains("unknown field `Priority`"), "{error}");
}

/// The kinds of events and what they are called in a journal. The compiler says where one is missing; a kind that is
/// new then needs its line in `journals/events.jsonl`.
macro_rules! kinds {
    ($($variant:ident => $name:literal,)*) => {
        const KINDS: &[&str] = &[$($name),*];

        fn kind(event: &Event) -> &'static str {
            match event {
                $(Event::$variant { .. } => $name,)*
                // They are for the screen.
                Event::Trouble { .. } | Event::Recovered | Event::Draining => "",
            }
        }
    };
}

kinds! {
    RunOpened => "run_opened",
    RunResumed => "run_resumed",
    Planned => "planned",
    Resolved => "resolved",
    Intended => "intended",
    Accepted => "accepted",
    Adopted => "adopted",
    Withdrawn => "withdrawn",
    Refused => "refused",
    Rejected => "rejected",
    Seen => "seen",
    Completed => "completed",
    Failed => "failed",
    Overdue => "overdue",
    Skipped => "skipped",
    CheckStarted => "check_started",
    CheckEnded => "check_ended",
    Published => "published",
    NotPublished => "not_published",
    Deleting => "deleting",
    Deleted => "deleted",
    Left => "left",
    Called => "called",
    Detached => "detached",
    RunEnded => "run_ended",
}

/// What this version would write where it wrote these events from the beginning.
fn written(records: &[Recorded]) -> String {
    let folder = folder();
    let owner = Owner {
        pid: 1,
        host: "test".to_owned(),
        user: "test".to_owned(),
        since: jiff::Timestamp::UNIX_EPOCH,
    };
    let take = |_| Ok::<(), journal::Error>(());
    let mut journal = Journal::open(folder.path(), &owner, false, take).unwrap();
    journal.append(records).unwrap();
    String::from_utf8(bytes(&folder.path().join("journal/00000001.jsonl"))).unwrap()
}

#[test]
fn every_kind_of_event_is_read_and_written_byte_for_byte() {
    let kept = repository_file("tests/journals/events.jsonl");
    let mut records = Vec::new();
    for line in kept.lines() {
        let recorded: Recorded = serde_json::from_str(line).unwrap();
        assert!(recorded.event.is_durable(), "{line}");
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["event"], kind(&recorded.event), "{line}");
        records.push(recorded);
    }
    for (written, kept) in written(&records).lines().zip(kept.lines()) {
        // Whoever adds a line finds here what it has to be, its sum included.
        assert_eq!(written, kept, "a line is written otherwise than it is kept");
    }
    let found: BTreeSet<&str> = records.iter().map(|record| kind(&record.event)).collect();
    assert_eq!(found, KINDS.iter().copied().collect());
    let segment = [("00000001.jsonl", kept.as_bytes())];
    assert_eq!(journal::parse(segment).unwrap(), records);
}

/// The runs that are kept have every kind of event too, as those versions wrote it; and nothing has come to be written
/// otherwise since.
#[test]
fn old_journals_have_every_kind_of_event() {
    let mut found = BTreeSet::new();
    for (name, ..) in RUNS {
        let old = Old::copy(name);
        let records = old.records();
        found.extend(records.iter().map(|recorded| kind(&recorded.event)));
        let kept = old.files().into_iter().flat_map(|(_, content)| content);
        assert_eq!(written(&records).into_bytes(), kept.collect::<Vec<_>>());
    }
    assert_eq!(found, KINDS.iter().copied().collect());
}
