//! Runs whose record is in a bucket: every answer that a store can give, and every moment at which a runner can fall silent.

use std::time::Duration;

use redrill::ids::{RestoreName, RunId};
use redrill::journal::{
    self, Journal, LocalStore, MemoryObjects, Mishap, ObjectError, ObjectStore, Objects as _,
    ProbeVerdict, Put, RunKey, RunStore, probe,
};
use redrill::state::{Append as _, Event, JournalError, Recorded};

use crate::harness::owner;

/// Short enough to be waited for, and long enough for a busy machine.
const LEASE: Duration = Duration::from_millis(400);
const KEY: &str = "orders/main/lease.json";

fn store() -> ObjectStore<MemoryObjects> {
    ObjectStore::new(MemoryObjects::default(), LEASE)
}

fn run() -> RunKey {
    RunKey::new("orders", &RunId::new("main"))
}

fn event(restore: &str) -> Recorded {
    Recorded {
        at: jiff::Timestamp::UNIX_EPOCH,
        aws_ahead: None,
        event: Event::Withdrawn {
            restore: RestoreName::new(restore),
            message: String::new(),
        },
    }
}

type Opened = Result<Journal<ObjectStore<MemoryObjects>>, journal::Error>;

async fn open(store: &ObjectStore<MemoryObjects>, pid: u32, take_over: bool) -> Opened {
    let nothing = |_| Ok::<(), journal::Error>(());
    Journal::open(store, &run(), &owner(pid), take_over, nothing).await
}

async fn read(store: &ObjectStore<MemoryObjects>) -> Vec<String> {
    let records = journal::read(store, &run()).await.unwrap();
    let restore = |recorded: &Recorded| {
        recorded
            .event
            .restore()
            .map_or_else(String::new, ToString::to_string)
    };
    records.iter().map(restore).collect()
}

/// The lease of a runner that says nothing more.
fn silent(beat: u64) -> Vec<u8> {
    format!(
        "{{\"v\":1,\"pid\":9,\"host\":\"gone\",\"user\":\"u\",\"since\":\"2026-11-01T00:00:00Z\",\
         \"holder\":\"gone-9\",\"beat\":{beat},\"lease_ms\":400,\"is_released\":false}}"
    )
    .into_bytes()
}

#[tokio::test]
async fn every_answer_to_a_write_leaves_one_record_and_no_more() {
    for mishap in [
        Mishap::None,
        Mishap::Before,
        Mishap::After,
        Mishap::Conflict,
    ] {
        for times in 1..=3 {
            let store = store();
            let mut journal = open(&store, 1, false).await.unwrap();
            // Heartbeats take their part of them.
            store
                .objects()
                .disturb_writes(std::iter::repeat_n(mishap, times));
            journal.append(&[event("a")]).await.unwrap();
            journal.append(&[event("b")]).await.unwrap();
            assert_eq!(read(&store).await, ["a", "b"], "{mishap:?}, {times} times");
        }
    }
}

/// A run can move between them, and evidence of both is verified alike.
#[tokio::test]
async fn a_journal_has_the_same_bytes_in_a_bucket_and_on_disk() {
    async fn kept<S: RunStore>(store: &S) -> Vec<(String, Vec<u8>)> {
        let nothing = |_| Ok::<(), journal::Error>(());
        for events in [vec![event("a"), event("b")], vec![event("c")]] {
            let opened = Journal::open(store, &run(), &owner(1), false, nothing).await;
            let mut journal = opened.unwrap();
            journal.append(&events).await.unwrap();
            let held = journal.held();
            drop(journal);
            held.release().await;
        }
        journal::segments(store, &run()).await.unwrap()
    }
    let folder = tempfile::tempdir().unwrap();
    let on_disk = kept(&LocalStore::new(folder.path())).await;
    assert_eq!(on_disk.len(), 2);
    assert_eq!(on_disk, kept(&store()).await);
}

#[tokio::test]
async fn a_store_that_refuses_the_caller_stops_the_run_at_once() {
    let store = store();
    let mut journal = open(&store, 1, false).await.unwrap();
    journal.append(&[event("a")]).await.unwrap();
    store
        .objects()
        .disturb_writes(std::iter::repeat_n(Mishap::Denied, 3));
    let refused = journal.append(&[event("b")]).await;
    let Err(JournalError::Disk(why)) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("orders/main/journal/00000002.jsonl"), "{why}");
    assert!(why.contains("AccessDenied"), "{why}");
    assert_eq!(read(&store).await, ["a"]);
}

#[tokio::test]
async fn a_store_that_is_silent_for_too_long_stops_the_run() {
    let store = store().with_patience(Duration::from_millis(1));
    let mut journal = open(&store, 1, false).await.unwrap();
    store
        .objects()
        .disturb_writes(std::iter::repeat_n(Mishap::Before, 9));
    let stopped = journal.append(&[event("a")]).await;
    assert!(matches!(stopped, Err(JournalError::Disk(_))), "{stopped:?}");
}

#[tokio::test]
async fn reading_is_repeated_and_then_says_what_is_wrong() {
    let store = store();
    let mut journal = open(&store, 1, false).await.unwrap();
    journal.append(&[event("a")]).await.unwrap();
    store
        .objects()
        .disturb_reads([Mishap::Before, Mishap::Before]);
    assert_eq!(read(&store).await, ["a"]);
    store.objects().disturb_reads([Mishap::Denied]);
    let refused = journal::read(&store, &run()).await.unwrap_err().to_string();
    assert!(refused.contains("AccessDenied"), "{refused}");
}

/// Nobody's clock is compared with another's: the lease is over when nothing has changed for as long as it lasts.
#[tokio::test]
async fn a_runner_that_is_gone_is_waited_for_and_then_passed_over() {
    let store = store();
    store.objects().put(KEY, silent(1));
    let began = tokio::time::Instant::now();
    let mut journal = open(&store, 2, false).await.unwrap();
    assert!(began.elapsed() >= LEASE, "{:?}", began.elapsed());
    journal.append(&[event("a")]).await.unwrap();
    assert_eq!(store.holder(&run()).await.unwrap().unwrap().pid, 2);
}

#[tokio::test]
async fn a_runner_that_is_alive_is_named() {
    let store = store();
    store.objects().put(KEY, silent(1));
    let objects = store.objects().clone();
    let beats = tokio::spawn(async move {
        for beat in 2.. {
            tokio::time::sleep(LEASE / 8).await;
            objects.put(KEY, silent(beat));
        }
    });
    let held = open(&store, 2, false).await;
    let Err(journal::Error::Held { owner }) = held else {
        panic!("a living runner was passed over");
    };
    assert_eq!((owner.pid, owner.host.as_str()), (9, "gone"));
    beats.abort();
}

#[tokio::test]
async fn whoever_was_taken_over_passes_no_gate_and_writes_nothing() {
    let store = store();
    let mut old = open(&store, 1, false).await.unwrap();
    let fence = old.fence();
    fence.clone().pass().await;
    let mut new = open(&store, 2, true).await.unwrap();
    // It finds out with its next heartbeat.
    tokio::time::timeout(LEASE * 10, fence.clone().lost())
        .await
        .unwrap();
    let passed = tokio::time::timeout(LEASE, fence.pass()).await;
    assert!(passed.is_err(), "it may still send");
    new.append(&[event("new")]).await.unwrap();
    let late = old.append(&[event("old")]).await;
    assert!(matches!(late, Err(JournalError::TakenOver)), "{late:?}");
    assert_eq!(read(&store).await, ["new"]);
}

#[tokio::test]
async fn nothing_is_sent_while_the_heart_does_not_beat() {
    let store = store();
    let journal = open(&store, 1, false).await.unwrap();
    let fence = journal.fence();
    store
        .objects()
        .disturb_writes(std::iter::repeat_n(Mishap::Before, 24));
    tokio::time::sleep(LEASE * 3 / 2).await;
    let passed = tokio::time::timeout(Duration::from_millis(20), fence.clone().pass()).await;
    assert!(
        passed.is_err(),
        "the last heartbeat is older than the lease"
    );
    // The store answers again, nobody else has come, and the run goes on.
    tokio::time::timeout(LEASE * 20, fence.pass())
        .await
        .unwrap();
}

/// An answer that was lost is not somebody else.
#[tokio::test]
async fn a_lost_answer_to_a_heartbeat_loses_nothing() {
    let store = store();
    let mut journal = open(&store, 1, false).await.unwrap();
    store
        .objects()
        .disturb_writes([Mishap::After, Mishap::Conflict, Mishap::After]);
    tokio::time::sleep(LEASE * 2).await;
    tokio::time::timeout(LEASE * 10, journal.fence().pass())
        .await
        .unwrap();
    journal.append(&[event("a")]).await.unwrap();
    assert_eq!(store.holder(&run()).await.unwrap().unwrap().pid, 1);
}

#[tokio::test]
async fn of_six_at_once_one_works() {
    for round in 0..50 {
        let store = ObjectStore::new(MemoryObjects::default(), Duration::from_millis(200));
        let runners = (0..6).map(|pid| {
            let store = store.clone();
            tokio::spawn(async move {
                let opened = open(&store, pid, false).await;
                match opened {
                    Ok(mut journal) => {
                        journal.append(&[event(&pid.to_string())]).await.unwrap();
                        Ok(journal)
                    }
                    Err(error) => Err(error),
                }
            })
        });
        let runners: Vec<_> = runners.collect();
        let mut working = Vec::new();
        for runner in runners {
            match runner.await.unwrap() {
                Ok(journal) => working.push(journal),
                Err(journal::Error::Held { .. }) => {}
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        assert_eq!(working.len(), 1, "round {round}");
        assert_eq!(read(&store).await.len(), 1, "round {round}");
    }
}

#[tokio::test]
async fn a_segment_that_is_missing_or_changed_is_named() {
    let store = store();
    let mut journal = open(&store, 1, false).await.unwrap();
    for restore in ["a", "b", "c"] {
        journal.append(&[event(restore)]).await.unwrap();
    }
    let all = store.objects().all();
    let copy = |change: &dyn Fn(&str, &mut Vec<u8>) -> bool| {
        let other = self::store();
        for (key, bytes) in &all {
            let mut bytes = bytes.clone();
            if change(key, &mut bytes) {
                other.objects().put(key, bytes);
            }
        }
        other
    };
    let missing = copy(&|key, _| !key.ends_with("00000002.jsonl"));
    let said = journal::read(&missing, &run())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("00000002.jsonl") && said.contains("missing"),
        "{said}"
    );
    let flipped = copy(&|key, bytes| {
        if key.ends_with("00000003.jsonl") {
            bytes[30] ^= 1;
        }
        true
    });
    let said = journal::read(&flipped, &run())
        .await
        .unwrap_err()
        .to_string();
    assert!(said.contains("00000003.jsonl"), "{said}");
}

#[tokio::test]
async fn a_long_journal_is_listed_and_read_a_hundred_at_a_time() {
    let store = store();
    let mut journal = open(&store, 1, false).await.unwrap();
    for nth in 0..300 {
        journal.append(&[event(&nth.to_string())]).await.unwrap();
    }
    let before = store.objects().counts();
    assert_eq!(read(&store).await.len(), 300);
    let now = store.objects().counts();
    assert_eq!(now.gets - before.gets, 300);
    // Whether it is compacted, three times a hundred, and twice to see that there is no more.
    assert!(now.lists - before.lists <= 6, "{now:?}");
}

#[tokio::test]
async fn a_run_that_has_ended_is_read_in_few_calls() {
    let store = store();
    let mut journal = open(&store, 1, false).await.unwrap();
    for nth in 0..40 {
        journal.append(&[event(&nth.to_string())]).await.unwrap();
    }
    let whole = journal::segments(&store, &run()).await.unwrap();
    store.compact(&run()).await;
    let before = store.objects().counts();
    assert_eq!(read(&store).await.len(), 40);
    let now = store.objects().counts();
    assert_eq!(now.gets - before.gets, 1, "{now:?}");
    // What comes later, such as a cleanup, is behind it, with the next number.
    journal.append(&[event("later")]).await.unwrap();
    assert_eq!(read(&store).await.last().unwrap(), "later");
    assert!(
        store
            .objects()
            .all()
            .contains_key("orders/main/journal/00000041.jsonl")
    );
    // Evidence has the segments as they were written.
    let now = journal::segments(&store, &run()).await.unwrap();
    assert_eq!(now.len(), 41);
    assert_eq!(now[..40], whole);
    // A flipped byte is found there, too.
    let key = "orders/main/compacted/00000040.jsonl";
    let mut bytes = store.objects().all()[key].clone();
    bytes[40] ^= 1;
    store.objects().put(key, bytes);
    assert!(journal::read(&store, &run()).await.is_err());
    // A short run stays as it is.
    let short = self::store();
    let mut journal = open(&short, 1, false).await.unwrap();
    journal.append(&[event("a")]).await.unwrap();
    short.compact(&run()).await;
    assert_eq!(short.objects().all().len(), 2);
}

/// A colleague's copy, a log of the bucket: they are no segments, wherever their names sort.
#[tokio::test]
async fn what_others_have_put_there_is_passed_over() {
    let store = store();
    store.objects().page_by(2);
    let mut journal = open(&store, 1, false).await.unwrap();
    for nth in 0..5 {
        journal.append(&[event(&nth.to_string())]).await.unwrap();
    }
    for name in [
        "00000003.jsonl.bak",
        "0",
        "00000005.jsonl.bak",
        "notes.txt",
        "00000002",
        "zz",
        "zzz",
    ] {
        let key = format!("orders/main/journal/{name}");
        store.objects().put(&key, b"not ours".to_vec());
    }
    let read = tokio::time::timeout(Duration::from_secs(20), read(&store)).await;
    assert_eq!(read.unwrap().len(), 5);
}

/// Whoever is passed over may have recorded what they are about to send, and send it as long as they believe in their lease.
#[tokio::test]
async fn whoever_takes_over_waits_until_the_other_can_send_nothing_more() {
    let store = store();
    let old = open(&store, 1, false).await.unwrap();
    let began = tokio::time::Instant::now();
    let new = open(&store, 2, true).await.unwrap();
    assert!(began.elapsed() >= LEASE, "{:?}", began.elapsed());
    let passed = tokio::time::timeout(Duration::from_millis(1), old.fence().pass()).await;
    assert!(passed.is_err(), "the old one may still send");
    new.fence().pass().await;
}

#[tokio::test]
async fn the_probe_refuses_a_store_that_ignores_conditions() {
    let good = MemoryObjects::default();
    for _ in 0..3 {
        assert_eq!(probe(&good).await, Ok(ProbeVerdict::Good));
    }
    let bad = MemoryObjects::default();
    bad.ignore_conditions();
    assert!(
        matches!(probe(&bad).await, Ok(ProbeVerdict::Ignores(why)) if why.contains("If-None-Match"))
    );
    let denied = MemoryObjects::default();
    denied.disturb_writes([Mishap::Denied]);
    assert!(matches!(probe(&denied).await, Err(ObjectError::Denied(_))));
}

/// What the store does by itself, so that the tests above mean something.
#[tokio::test]
async fn objects_in_memory_keep_conditions() {
    let objects = MemoryObjects::default();
    let Ok(Put::Done(first)) = objects.create("k", vec![1], "a").await else {
        panic!("not created");
    };
    assert_eq!(objects.create("k", vec![2], "b").await, Ok(Put::Refused));
    let second = objects.replace("k", vec![3], "a", &first).await.unwrap();
    assert!(matches!(second, Put::Done(_)));
    assert_eq!(
        objects.replace("k", vec![4], "a", &first).await,
        Ok(Put::Refused)
    );
    assert_eq!(
        objects.replace("no", vec![4], "a", &first).await,
        Ok(Put::Refused)
    );
    assert_eq!(objects.get("k").await.unwrap().unwrap().bytes, [3]);
}
