//! Stores of runs: each keeps what a journal asks of it.

use std::time::Duration;

use redrill::ids::RunId;
use redrill::journal::{
    self, Journal, LocalStore, MemoryObjects, MemoryStore, ObjectStore, Owner, RunKey, RunStore,
};
use redrill::state::{Append as _, Event, JournalError, Recorded};

use crate::harness::owner;
use crate::support::folder;

fn event(redrill: &str) -> Recorded {
    Recorded {
        at: jiff::Timestamp::UNIX_EPOCH,
        aws_ahead: None,
        event: Event::RunResumed {
            redrill: redrill.to_owned(),
            world: None,
            saved_plan: None,
            reports: None,
        },
    }
}

async fn open<S: RunStore>(
    store: &S,
    run: &RunKey,
    pid: u32,
    take_over: bool,
) -> Result<(Journal<S>, usize), journal::Error> {
    let mut records = 0;
    let take = |_| {
        records += 1;
        Ok::<(), journal::Error>(())
    };
    let journal = Journal::open(store, run, &owner(pid), take_over, take).await?;
    Ok((journal, records))
}

/// Runs a test against every store.
macro_rules! stores {
    ($($name:ident: $test:ident;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn in_a_directory() {
                let folder = folder();
                $test(LocalStore::new(folder.path())).await;
                let folder = super::folder();
                $test(LocalStore::new(folder.path()).in_passing()).await;
            }

            #[tokio::test]
            async fn in_memory() {
                $test(MemoryStore::default()).await;
            }
        }
    )*};
}

/// Runs a test against what a bucket is to a run; an object is written whole, so that none is torn.
macro_rules! buckets {
    ($($name:ident: $test:ident;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn in_a_bucket() {
                $test(ObjectStore::new(MemoryObjects::default(), LEASE)).await;
            }

            #[tokio::test]
            async fn in_a_bucket_that_lists_two_keys_at_once() {
                let objects = MemoryObjects::default();
                objects.page_by(2);
                $test(ObjectStore::new(objects, LEASE)).await;
            }
        }
    )*};
}

stores! {
    what_is_written_is_read: written_and_read;
    a_run_is_held_by_one: held_by_one;
    a_taken_over_runner_is_fenced: fenced;
    a_torn_segment_is_cut: torn;
    runs_are_listed: listed;
}

buckets! {
    what_is_written_to_a_bucket_is_read: written_and_read;
    a_run_in_a_bucket_is_held_by_one: held_by_one;
    a_taken_over_runner_of_a_bucket_is_fenced: fenced;
    runs_of_a_bucket_are_listed: listed;
}

/// Short enough to be waited for.
const LEASE: Duration = Duration::from_millis(400);

/// Whoever holds a run, without when it was last heard of.
async fn holder<S: RunStore>(store: &S, run: &RunKey) -> Option<Owner> {
    let owner = store.holder(run).await.unwrap();
    owner.map(|owner| Owner {
        beat_at: None,
        ..owner
    })
}

/// Gives a run back as a process does that ends as it should.
async fn leave<S: RunStore>(journal: Journal<S>) {
    let held = journal.held();
    drop(journal);
    held.release().await;
}

async fn written_and_read<S: RunStore>(store: S) {
    let run = RunKey::new("orders", &RunId::new("main"));
    assert!(journal::read(&store, &run).await.unwrap().is_empty());
    let (mut first, records) = open(&store, &run, 1, false).await.unwrap();
    assert_eq!(records, 0);
    first.append(&[event("1"), event("2")]).await.unwrap();
    first.append(&[event("3")]).await.unwrap();
    leave(first).await;
    let read = journal::read(&store, &run).await.unwrap();
    assert_eq!(read, [event("1"), event("2"), event("3")]);
    // The next runner goes on with the numbers and the sums.
    let (mut second, records) = open(&store, &run, 2, false).await.unwrap();
    assert_eq!(records, 3);
    second.append(&[event("4")]).await.unwrap();
    let segments = journal::segments(&store, &run).await.unwrap();
    let names: Vec<&str> = segments.iter().map(|(name, _)| name.as_str()).collect();
    let number = |at| format!("journal/0000000{at}.jsonl");
    assert_eq!(names, [number(1), number(2), number(3)]);
    let parts = segments
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    assert_eq!(journal::parse(parts).unwrap().len(), 4);
}

async fn held_by_one<S: RunStore>(store: S) {
    let run = RunKey::new("orders", &RunId::new("main"));
    assert_eq!(holder(&store, &run).await, None);
    let (first, _) = open(&store, &run, 1, false).await.unwrap();
    assert_eq!(holder(&store, &run).await, Some(owner(1)));
    let Err(journal::Error::Held { owner: by }) = open(&store, &run, 2, false).await else {
        panic!("two runners hold it");
    };
    assert_eq!(by.pid, 1);
    // Another run is free.
    let other = RunKey::new("orders", &RunId::new("other"));
    leave(open(&store, &other, 2, false).await.unwrap().0).await;
    let (taken_over, _) = open(&store, &run, 3, true).await.unwrap();
    leave(first).await;
    assert_eq!(holder(&store, &run).await, Some(owner(3)));
    leave(taken_over).await;
    assert_eq!(holder(&store, &run).await, None);
}

async fn fenced<S: RunStore>(store: S) {
    let run = RunKey::new("orders", &RunId::new("main"));
    let (mut old, _) = open(&store, &run, 1, false).await.unwrap();
    old.append(&[event("old")]).await.unwrap();
    let (mut new, _) = open(&store, &run, 2, true).await.unwrap();
    new.append(&[event("new")]).await.unwrap();
    let late = old.append(&[event("late")]).await;
    assert!(matches!(late, Err(JournalError::TakenOver)), "{late:?}");
    new.append(&[event("more")]).await.unwrap();
    let read = journal::read(&store, &run).await.unwrap();
    assert_eq!(read, [event("old"), event("new"), event("more")]);
}

async fn torn<S: RunStore>(store: S) {
    for take_over in [false, true] {
        let run = RunId::new(if take_over { "taken" } else { "main" });
        let run = RunKey::new("orders", &run);
        let (mut first, _) = open(&store, &run, 1, false).await.unwrap();
        first.append(&[event("1")]).await.unwrap();
        first.append(&[event("2"), event("3")]).await.unwrap();
        drop(first);
        let whole = store.read(&run, 2).await.unwrap().unwrap();
        store.cut(&run, 2, whole.len() - 5, false).await.unwrap();
        let (mut second, records) = open(&store, &run, 2, take_over).await.unwrap();
        assert_eq!(records, 2);
        second.append(&[event("4")]).await.unwrap();
        let read = journal::read(&store, &run).await.unwrap();
        assert_eq!(read, [event("1"), event("2"), event("4")]);
    }
}

async fn listed<S: RunStore>(store: S) {
    assert!(store.runs().await.unwrap().is_empty());
    let keys = [
        RunKey::new("b", &RunId::new("1")),
        RunKey::new("a", &RunId::new("2")),
        RunKey::new("a", &RunId::new("1")),
    ];
    for run in &keys {
        let (mut journal, _) = open(&store, run, 1, false).await.unwrap();
        journal.append(&[event("x")]).await.unwrap();
    }
    let mut sorted = keys.to_vec();
    sorted.sort();
    assert_eq!(store.runs().await.unwrap(), sorted);
    let other = store
        .latest_other(&RunKey::new("a", &RunId::new("1")))
        .await;
    assert_eq!(other, Some(RunKey::new("a", &RunId::new("2"))));
    assert_eq!(
        store
            .latest_other(&RunKey::new("b", &RunId::new("1")))
            .await,
        None
    );
}
