//! Somebody else sends the requests of a plan: a run that follows finds their jobs and sends nothing.

use std::path::Path;

use jiff::Timestamp;
use redrill::execute::{Ended, Policy, StartedElsewhere, Stopped};
use redrill::state::RestoreStage;
use redrill_emulator::{Emulator, Fault, FaultKind, JobFault, Operation, TokenSemantics};
use tokio::sync::watch;

use super::{OTHER, SAME, stage_of, stranger};
use crate::harness::{
    Death, Going, completed, driven, events, fast, going, run, run_as, run_going, run_until_jobs,
};
use crate::support::{emulator, folder, many};

fn follower(has_ended: &watch::Receiver<bool>) -> Policy {
    Policy {
        started_elsewhere: Some(StartedElsewhere {
            since: Timestamp::UNIX_EPOCH,
            has_ended: has_ended.clone(),
        }),
        ..fast()
    }
}

/// Follows while somebody else runs the plan to its end.
async fn followed(state: &Path, plan: &str, emulator: &Emulator) -> Result<Ended, Stopped> {
    let (end, has_ended) = watch::channel(false);
    let elsewhere = folder();
    let other = async {
        let ended = run(elsewhere.path(), plan, emulator).await;
        end.send_replace(true);
        ended
    };
    let (_, here) = tokio::join!(other, run_as(follower(&has_ended), state, plan, emulator));
    here
}

fn starts(emulator: &Emulator) -> u64 {
    let calls = emulator.calls();
    calls.get(&Operation::StartRestoreJob).copied().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_started_elsewhere_is_recorded_and_nothing_is_sent() {
    for plan in [
        many(5, 0),
        many(5, 1),
        many(5, 2).replace("restores:", "mark: false\nrestores:"),
    ] {
        let emulator = emulator(driven(TokenSemantics::default())).await;
        let state = folder();
        let ended = followed(state.path(), &plan, &emulator).await;
        assert_eq!(ended.unwrap(), Ended::Finished, "{plan}");
        assert_eq!((completed(state.path()), emulator.jobs().len()), (5, 5));
        assert_eq!(starts(&emulator), 5);
        // Afterwards it is a run like any other.
        let ended = run(state.path(), &plan, &emulator).await;
        assert_eq!(ended.unwrap(), Ended::Finished);
        assert_eq!(starts(&emulator), 5);
        emulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_elsewhere_skips_what_needs_it() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(
        Fault::new(
            Operation::StartRestoreJob,
            FaultKind::Job(JobFault::Fails("no room".to_owned())),
        )
        .times(1),
    );
    let plan = many(4, 2);
    let state = folder();
    let _ = followed(state.path(), &plan, &emulator).await;
    let here = folder();
    // The same as where it was started.
    let _ = run(here.path(), &plan, &emulator).await;
    for name in ["r0", "r1", "r2", "r3"] {
        let (followed, ran) = (stage_of(state.path(), name), stage_of(here.path(), name));
        let kind = |stage: &Option<RestoreStage>| stage.as_ref().map(std::mem::discriminant);
        assert_eq!(kind(&followed), kind(&ran), "{name}: {followed:?} {ran:?}");
    }
    emulator.shutdown().await;
}

/// Whoever starts them is gone half-way: what it has started is followed to its end, and the rest is left, to be started by a
/// run that starts.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_started_elsewhere_is_left() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = many(6, 1);
    run_until_jobs(folder().path(), &plan, &emulator, 2).await;
    let (_end, has_ended) = watch::channel(true);
    let state = folder();
    let ended = run_as(follower(&has_ended), state.path(), &plan, &emulator).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!((completed(state.path()), emulator.jobs().len()), (2, 2));
    assert_eq!(stage_of(state.path(), "r2"), None);
    let ended = run(state.path(), &plan, &emulator).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!((completed(state.path()), emulator.jobs().len()), (6, 6));
    emulator.shutdown().await;
}

/// Jobs of the same recovery points that people have started are not the run's, nor in its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_job_is_not_taken_for_one_that_was_started_elsewhere() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    stranger(&emulator, "by-hand", 0, &SAME).await;
    stranger(&emulator, "by-hand-too", 0, &OTHER).await;
    let (_end, has_ended) = watch::channel(true);
    let state = folder();
    let plan = many(1, 0);
    let ended = run_as(follower(&has_ended), state.path(), &plan, &emulator).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!(completed(state.path()), 0);
    assert_eq!(starts(&emulator), 2);
    emulator.shutdown().await;
}

/// A follower that dies anywhere is followed by another one, on a machine that knows nothing or where it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_may_die_at_any_record() {
    let plan = many(4, 1);
    for (segment, is_here) in (1..8).flat_map(|at| [(at, true), (at, false)]) {
        let emulator = emulator(driven(TokenSemantics::default())).await;
        let (end, has_ended) = watch::channel(false);
        let (state, elsewhere) = (folder(), folder());
        let other = async {
            let _ = run(elsewhere.path(), &plan, &emulator).await;
            end.send_replace(true);
        };
        let mut silent = |_: &redrill::state::Recorded| {};
        let follower_dies = Going {
            death: match segment % 2 {
                0 => Death::Before(segment),
                _ => Death::After(segment),
            },
            ..going(follower(&has_ended), &mut silent)
        };
        let _ = tokio::join!(
            other,
            run_going(state.path(), &plan, &emulator, follower_dies)
        );
        let fresh = folder();
        let next = if is_here { state.path() } else { fresh.path() };
        let ended = run_as(follower(&has_ended), next, &plan, &emulator).await;
        assert_eq!(ended.unwrap(), Ended::Finished, "segment {segment}");
        assert_eq!((completed(next), starts(&emulator)), (4, 4), "{segment}");
        assert!(!events(next).is_empty());
        emulator.shutdown().await;
    }
}
