//! What an earlier version has begun goes on: nothing is sent twice, nothing is lost.

use redrill::ids::RunId;
use redrill::journal::{RunKey, RunStore as _};
use redrill::state::Event;
use redrill_emulator::{Api, Operation};
use serde_json::Value;

use super::{Old, RUNS, assert_each_once, assert_statuses, evidence, statuses};
use crate::dry_run::outputs::assert_valid;
use crate::support::{bytes, now, store};

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

    // And there is nothing left to do: AWS Backup is not even asked, as the journal has its endpoint by now. Whether what the
    // run made is still there is looked at, by whoever is of its account.
    let of_backup = || {
        let mut calls = emulator.calls();
        // How often a cleanup looks at what it deletes is the clock's.
        calls.retain(|operation, _| operation.api() == Api::Backup);
        calls
    };
    let calls = of_backup();
    let (code, statuses) = old.run(&emulator.url(), &[]);
    assert_eq!(code, 6);
    assert_statuses(&statuses, &wanted);
    assert_eq!(of_backup(), calls);
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
    let run = RunKey::new("orders", &RunId::new("main"));
    let store = store(&old.state());
    assert_eq!(now(store.runs()).unwrap(), std::slice::from_ref(&run));
    let latest = |but| now(store.latest_other(&RunKey::new("orders", &RunId::new(but))));
    assert_eq!(latest("next"), Some(run));
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
            ("web", "DELETING"),
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
        stdout.contains("0 deleted (verified), 4 already gone, 1 remaining\nleft: stack  arn:"),
        "{stdout}"
    );
    assert_eq!(token(1), Some(first), "AWS is asked for the same deletion");
    assert_eq!(old.status()["web"], "DELETED");
    let (code, stdout, _) = cleanup();
    assert_eq!((code, token(2)), (5, None), "{stdout}");

    // The run itself is over, and says what it came to.
    let records = old.records();
    let (code, stdout, stderr) =
        old.of_the_run("run", &["--yes", "--cutover", "--endpoint-url", &url]);
    assert_eq!((code, stdout.as_str()), (4, ""), "{stderr}");
    assert!(
        stderr.contains("and was cleaned up, last 20") && stderr.contains("4 of the 5 resources"),
        "{stderr}"
    );
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

/// The journals of earlier versions do not say where the run was made: one of its jobs tells.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r2_9_an_old_run_is_not_taken_up_where_its_jobs_are_not_known() {
    for name in ["one-file", "cleanup"] {
        let old = Old::copy(name);
        let elsewhere = crate::support::emulator(crate::support::at_once()).await;
        let before = old.files();
        for command in ["run", "cleanup"] {
            let url = elsewhere.url();
            let (code, stdout, stderr) =
                old.of_the_run(command, &["--yes", "--endpoint-url", &url]);
            assert_eq!((code, stdout.as_str()), (4, ""), "{name}: {stderr}");
            assert!(
                stderr.contains(
                    "its journal, by an earlier redrill, does not say where, and its job "
                ),
                "{stderr}"
            );
        }
        assert_eq!(old.files(), before);
        let calls = elsewhere.calls();
        assert!(
            calls
                .keys()
                .all(|call| *call == Operation::DescribeRestoreJob),
            "{calls:?}"
        );
        elsewhere.shutdown().await;
    }
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
        // What became of it since counts: what is deleted is not restored.
        assert_eq!(statuses(&report), old.status(), "{name}");
    }
}
