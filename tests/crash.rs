//! Whatever moment redrill dies at: as many jobs as restores, and every one followed to its end.

use std::path::Path;
use std::time::Duration;

use redrill::execute::Ended;
use redrill::ids::RunId;
use redrill::journal::{self, RunKey};
use redrill::state::{Append as _, Event, Recorded};
use redrill_emulator::{AfterFinish, Fault, FaultKind, Operation, Options, Speed, TokenSemantics};

use crate::harness::{completed, directory, driven, journal_bytes, owner, run, set_journal};
use crate::support::{
    emulator, folder, journal_of, many, now, process, records, redrill, store, write,
};

/// Five restores in three levels.
fn plan() -> String {
    many(5, 2)
}

/// Where each record ends.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).collect()
}

/// A run that has ended: its folder, its journal, and where each record of that ends.
async fn ended() -> (tempfile::TempDir, Vec<u8>, Vec<usize>) {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let state = folder();
    run(state.path(), &plan(), &emulator).await.unwrap();
    emulator.shutdown().await;
    let bytes = journal_bytes(state.path());
    let ends = ends(&bytes);
    (state, bytes, ends)
}

/// A crash after each record: the next run goes on against an AWS that has seen everything.
#[tokio::test]
async fn a_journal_cut_after_any_record_never_makes_a_second_job() {
    for tokens in [TokenSemantics::default(), TokenSemantics::recorded()] {
        let emulator = emulator(driven(tokens)).await;
        let first = folder();
        assert_eq!(
            run(first.path(), &plan(), &emulator).await.unwrap(),
            Ended::Finished
        );
        assert_eq!(emulator.jobs().len(), 5);
        let bytes = journal_bytes(first.path());
        let ends = ends(&bytes);
        assert!(ends.len() > 15, "{}", ends.len());
        for end in std::iter::once(0).chain(ends) {
            let state = folder();
            set_journal(state.path(), &bytes[..end]);
            let ended = run(state.path(), &plan(), &emulator).await;
            assert_eq!(ended.unwrap(), Ended::Finished, "cut at byte {end}");
            assert_eq!(emulator.jobs().len(), 5, "cut at byte {end}");
            assert_eq!(completed(state.path()), 5, "cut at byte {end}");
        }
        emulator.shutdown().await;
    }
}

/// A crash in the middle of a record: it is cut off, and counts as not written.
#[tokio::test]
async fn a_torn_last_record_is_cut_off() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let first = folder();
    run(first.path(), &plan(), &emulator).await.unwrap();
    let bytes = journal_bytes(first.path());
    let ends = ends(&bytes);
    for pair in ends.windows(2) {
        for end in [pair[0] + 1, usize::midpoint(pair[0], pair[1]), pair[1] - 1] {
            let state = folder();
            set_journal(state.path(), &bytes[..end]);
            run(state.path(), &plan(), &emulator).await.unwrap();
            assert_eq!(emulator.jobs().len(), 5, "torn at byte {end}");
            assert_eq!(completed(state.path()), 5);
        }
    }
    emulator.shutdown().await;
}

/// Any other damage is an error that names the byte of the record.
#[tokio::test]
async fn a_changed_byte_is_an_error_that_names_its_record() {
    let (state, bytes, ends) = ended().await;
    // The very last byte has a turn of its own, below.
    for at in (0..bytes.len() - 1).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x01;
        set_journal(state.path(), &damaged);
        let record = ends.iter().filter(|end| **end <= at).count();
        let start = if record == 0 { 0 } else { ends[record - 1] };
        match records(state.path(), "many", "main") {
            Err(journal::Error::Damaged { offset, .. }) => {
                assert!(
                    offset == start || damaged[at] == b'\n',
                    "byte {at}: named {offset}, not {start}"
                );
            }
            // The version itself was made another.
            Err(journal::Error::Newer { .. }) => {}
            other => panic!("byte {at}: {other:?}"),
        }
    }
    // The end of the last record is what makes it whole.
    set_journal(state.path(), &bytes[..bytes.len() - 1]);
    assert_eq!(
        records(state.path(), "many", "main").unwrap().len(),
        ends.len() - 1
    );
}

/// Whoever looks at a run while somebody works on it may meet a segment half written, and then the next one.
#[tokio::test]
async fn a_segment_that_was_being_written_is_read_to_its_end() {
    let (state, bytes, ends) = ended().await;
    let (first, second) = bytes.split_at(ends[5]);
    let directory = directory(state.path());
    let segment = |number: u32| directory.join(format!("journal/{number:08}.jsonl"));

    set_journal(state.path(), &first[..first.len() - 10]);
    let mut read = 0;
    let take = |_| {
        if read == 0 {
            std::fs::write(segment(1), first).unwrap();
            std::fs::write(segment(2), second).unwrap();
        }
        read += 1;
        Ok::<(), journal::Error>(())
    };
    let run = RunKey::new("many", &RunId::new("main"));
    journal::each(&store(state.path()), &run, take)
        .await
        .unwrap();
    assert_eq!(read, ends.len());

    // One that stays so is damage.
    std::fs::write(segment(1), &first[..first.len() - 10]).unwrap();
    match records(state.path(), "many", "main") {
        Err(journal::Error::Damaged { offset, record, .. }) => {
            assert_eq!((offset, record), (ends[4], 6));
        }
        other => panic!("{other:?}"),
    }
}

/// The answer to each StartRestoreJob is lost, after the job was made; and the token may be forgotten by then.
#[tokio::test]
async fn lost_answers_make_no_second_job() {
    for tokens in [
        TokenSemantics::default(),
        TokenSemantics::recorded(),
        TokenSemantics {
            after_finish: AfterFinish::AlreadyFinished,
            ..TokenSemantics::default()
        },
    ] {
        let emulator = emulator(driven(tokens)).await;
        for after in [0, 2, 4] {
            let fault = Fault::new(Operation::StartRestoreJob, FaultKind::ResetAfter);
            emulator.inject(fault.times(1).after(after));
        }
        let state = folder();
        run(state.path(), &plan(), &emulator).await.unwrap();
        assert_eq!(emulator.jobs().len(), 5);
        assert_eq!(completed(state.path()), 5);
        emulator.shutdown().await;
    }
}

/// The process died at any record, and comes back a day later, when AWS has forgotten every token: what was intended
/// is looked for by its metadata, what was not by its mark.
#[tokio::test]
async fn a_day_later_without_tokens_there_is_no_second_job_either() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let first = folder();
    run(first.path(), &plan(), &emulator).await.unwrap();
    let bytes = journal_bytes(first.path());
    for end in std::iter::once(0).chain(ends(&bytes)) {
        let clock = emulator.clock();
        clock.advance_to(clock.now() + jiff::SignedDuration::from_hours(24));
        let state = folder();
        set_journal(state.path(), &bytes[..end]);
        run(state.path(), &plan(), &emulator).await.unwrap();
        assert_eq!(emulator.jobs().len(), 5, "cut at byte {end}");
        assert_eq!(completed(state.path()), 5, "cut at byte {end}");
    }
    emulator.shutdown().await;
}

/// Throttled, refused connections, failures of AWS: said, waited for, and nothing is lost or doubled.
#[tokio::test]
async fn a_storm_of_faults_makes_no_second_job() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    for (kind, after) in [
        (FaultKind::Throttle, 0),
        (FaultKind::ResetBefore, 1),
        (FaultKind::internal_failure(), 2),
        (FaultKind::ResetAfter, 3),
        (FaultKind::service_unavailable(), 4),
    ] {
        emulator.inject(
            Fault::new(Operation::StartRestoreJob, kind.clone())
                .times(2)
                .after(after),
        );
        emulator.inject(
            Fault::new(Operation::DescribeRestoreJob, kind)
                .times(2)
                .after(after),
        );
    }
    let state = folder();
    run(state.path(), &plan(), &emulator).await.unwrap();
    assert_eq!(emulator.jobs().len(), 5);
    assert_eq!(completed(state.path()), 5);
    emulator.shutdown().await;
}

/// kill -9 in the middle of fifty restores, again and again; then one run to the end.
#[tokio::test(flavor = "multi_thread")]
async fn killed_processes_leave_fifty_jobs_of_fifty_restores() {
    let emulator = emulator(Options {
        speed: Speed::Times(3000.0),
        ..Options::default()
    })
    .await;
    let folder = folder();
    let path = folder.path().to_owned();
    write(
        &path,
        "plan.yaml",
        &format!("{}\nlimits: {{ concurrent: 12 }}\n", many(50, 5)),
    );
    let url = emulator.url();
    for jobs in [1, 7, 20, 33, 45] {
        let mut child = process(&path)
            .args(["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Until it has got that far, or has ended already.
        while emulator.jobs().len() < jobs && child.try_wait().unwrap().is_none() {
            tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)))
                .await
                .unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let output = tokio::task::spawn_blocking(move || {
        redrill(&path)
            .args(["run", "plan.yaml", "--yes", "--endpoint-url", &url])
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(emulator.jobs().len(), 50);
    assert!(String::from_utf8_lossy(&output.stdout).contains("50 of 50 restored"));
    emulator.shutdown().await;
}

/// A segment out of the middle is missing.
#[tokio::test]
async fn a_missing_segment_is_damage() {
    let (state, _, ends) = ended().await;
    let directory = directory(state.path());
    let all = ends.len();
    std::fs::remove_file(directory.join("journal/00000003.jsonl")).unwrap();
    match records(state.path(), "many", "main") {
        Ok(records) => panic!("{} of {all} records, and nothing is said", records.len()),
        Err(err) => drop(err),
    }
}

/// After `--take-over` it is the new runner that holds the lock, also when the old process has gone.
#[test]
fn whoever_has_taken_over_holds_the_run() {
    let state = folder();
    let open = |pid, take_over| journal_of(state.path(), "many", "main", &owner(pid), take_over);
    let old = open(1, false).unwrap();
    let new = open(2, true).unwrap();
    assert!(open(3, false).is_err());
    drop(old);
    let third = open(3, false);
    assert!(
        matches!(third, Err(journal::Error::Held { .. })),
        "a third runner has got it"
    );
    drop(new);
}

fn opened() -> Recorded {
    Recorded {
        aws_ahead: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        event: Event::RunResumed {
            world: None,
            redrill: "x".to_owned(),
            saved_plan: None,
            reports: None,
        },
    }
}

/// A runner is stuck between making a segment and writing it (a full or absent disk); somebody takes over; it wakes. It
/// stops, and the journal of the new one is whole.
#[test]
fn a_take_over_while_a_segment_is_written() {
    let state = folder();
    let mut first = journal_of(state.path(), "many", "main", &owner(1), false).unwrap();
    now(first.append(&[opened()])).unwrap();
    // What `first` does in its next append, in its steps.
    let copy = folder();
    let mut same = journal_of(copy.path(), "many", "main", &owner(1), false).unwrap();
    now(same.append(&[opened()])).unwrap();
    now(same.append(&[opened()])).unwrap();
    let segment = |of: &Path| directory(of).join("journal/00000002.jsonl");
    let bytes = std::fs::read(segment(copy.path())).unwrap();
    use std::io::Write as _;
    let mut stuck = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(segment(state.path()))
        .unwrap();
    let mut second = journal_of(state.path(), "many", "main", &owner(2), true).unwrap();
    now(second.append(&[opened()])).unwrap();
    stuck.write_all(&bytes).unwrap();
    drop(first);
    let read = records(state.path(), "many", "main");
    assert!(read.is_ok(), "{read:?}");
}
