//! Every kind of event is read and written byte for byte.

use std::collections::BTreeSet;

use redrill::journal;
use redrill::state::{Append as _, Event, Recorded};
use serde_json::Value;

use super::{Old, RUNS};
use crate::harness::owner;
use crate::support::{bytes, folder, journal_of, now, repository_file};

/// The kinds of events and what they are called in a journal. The compiler says where one is missing; a kind that is
/// new then needs its line in `journals/events.jsonl`.
macro_rules! kinds {
    ($($variant:ident => $name:literal,)*) => {
        const KINDS: &[&str] = &[$($name),*];

        fn kind(event: &Event) -> &'static str {
            match event {
                $(Event::$variant { .. } => $name,)*
                // They are for the screen.
                Event::AwsUnavailable { .. }
                | Event::Waiting { .. }
                | Event::Recovered
                | Event::Draining => "",
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
    StatusChanged => "seen",
    Nested => "nested",
    Completed => "completed",
    SecondJob => "second_job",
    Failed => "failed",
    Overdue => "overdue",
    Skipped => "skipped",
    CheckStarted => "check_started",
    CheckEnded => "check_ended",
    Published => "published",
    NotPublished => "not_published",
    Deleting => "deleting",
    Deleted => "deleted",
    DeletionFailed => "left",
    CallsMade => "called",
    Detached => "detached",
    RunEnded => "run_ended",
}

/// What this version would write where it wrote these events from the beginning.
fn written(records: &[Recorded]) -> String {
    let folder = folder();
    let mut journal = journal_of(folder.path(), "p", "r", &owner(1), false).unwrap();
    now(journal.append(records)).unwrap();
    let segment = folder.path().join("p/r/journal/00000001.jsonl");
    String::from_utf8(bytes(&segment)).unwrap()
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

/// Kinds of events that no version wrote whose runs are kept.
const SINCE: [&str; 2] = ["nested", "second_job"];

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
    let kinds = KINDS.iter().copied();
    assert_eq!(found, kinds.filter(|kind| !SINCE.contains(kind)).collect());
}
