//! What is slow, late, held back or over, and what the engine makes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use redrill::execute::{Ended, Policy, Stopped};
use redrill::state::{Event, Recorded, RestoreStage};
use redrill_emulator::{Fault, FaultKind, JobFault, Operation, TokenSemantics};

use super::{OTHER, SAME, one_after_the_other, refused, stage_of, stranger};
use crate::harness::{
    Death, completed, driven, events, going, run, run_as, run_going, run_until, run_until_jobs,
    run_watched, sleep,
};
use crate::support::{emulator, folder, many, point};

/// The network goes, the lid closes; when it is opened the first call comes a second before the network does. While a job
/// is followed, and before there is one.
#[tokio::test]
async fn a_sleep_during_trouble_is_not_silence() {
    for (operation, slept) in [
        (Operation::DescribeRestoreJob, SignedDuration::from_hours(2)),
        (Operation::StartRestoreJob, SignedDuration::from_mins(20)),
    ] {
        let emulator = emulator(driven(TokenSemantics::default())).await;
        emulator.inject(Fault::new(operation, FaultKind::ResetBefore).times(2));
        let state = folder();
        let mut onlooker = |recorded: &Recorded| {
            if let Event::AwsUnavailable { .. } = recorded.event {
                sleep(&emulator, slept);
            }
        };
        let ended = run_watched(state.path(), &many(1, 0), &emulator, &mut onlooker).await;
        assert_eq!(ended.unwrap(), Ended::Finished);
        emulator.shutdown().await;
    }
}

/// DescribeRestoreJob may not know a job yet that was started a second ago.
#[tokio::test]
async fn a_job_that_is_not_known_yet_stops_nothing() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(Fault::new(Operation::DescribeRestoreJob, FaultKind::NotYet).times(1));
    let state = folder();
    let ended = run(state.path(), &many(3, 1), &emulator).await;
    assert!(
        matches!(ended, Ok(Ended::Finished)),
        "{ended:?}: {} jobs of 3",
        emulator.jobs().len()
    );
    emulator.shutdown().await;
}

/// What is due and held back by the rates is made when they let it: nobody waits for a time that has passed.
#[tokio::test]
async fn what_the_rates_hold_back_is_waited_for() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = many(5, 0);
    let state = folder();
    let accepted = || {
        let events = events(state.path());
        let accepted = |one: &&Recorded| matches!(one.event, Event::Accepted { .. });
        events.iter().filter(accepted).count()
    };
    tokio::select! {
        _ = run(state.path(), &plan, &emulator) => unreachable!(),
        () = async {
            while accepted() < 5 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    let ended = run_as(Policy::default(), state.path(), &plan, &emulator).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    emulator.shutdown().await;
}

/// One restore has a twin, and the run stops: others that are being compared are not started any more.
#[tokio::test]
async fn a_run_that_has_stopped_starts_nothing_new() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    for at in 0..20 {
        let mut metadata = SAME;
        metadata[3].1 = if at == 0 { "r0-main" } else { "else" };
        stranger(&emulator, &format!("s{at}"), at, &metadata).await;
    }
    let state = folder();
    let ended = run_as(Policy::default(), state.path(), &many(20, 0), &emulator).await;
    assert!(matches!(ended, Err(Stopped::Duplicate { .. })), "{ended:?}");
    let started = emulator.jobs().len() - 20;
    assert!(started <= 2, "{started} of 19 were started");
    emulator.shutdown().await;
}

/// Without a journal; the listing does not say what a job has made (AWS does not promise it), a description would: what
/// hangs on it is known to be there.
#[tokio::test]
async fn what_a_listing_leaves_out_is_asked_for() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = one_after_the_other();
    assert_eq!(
        run(folder().path(), &plan, &emulator).await.unwrap(),
        Ended::Finished
    );
    assert_eq!(emulator.jobs().len(), 2);
    emulator.inject(Fault::new(Operation::ListRestoreJobs, FaultKind::Sparse).times(1));
    let again = folder();
    let ended = run(again.path(), &plan, &emulator).await;
    assert_eq!(
        (emulator.jobs().len(), completed(again.path())),
        (2, 2),
        "{ended:?}: {:?}",
        stage_of(again.path(), "late")
    );
    emulator.shutdown().await;
}

/// One listing is refused once (a signature that was made before a sleep): the next one is asked for all the same.
#[tokio::test]
async fn one_refused_listing_is_not_for_good() {
    let refused = FaultKind::Error {
        status: 403,
        code: "InvalidSignatureException".to_owned(),
        message: "Signature expired.".to_owned(),
    };
    let mut calls = Vec::new();
    for kind in [None, Some(refused)] {
        let emulator = emulator(driven(TokenSemantics::default())).await;
        if let Some(kind) = kind {
            // The first is the look at what exists.
            emulator.inject(
                Fault::new(Operation::ListRestoreJobs, kind)
                    .after(1)
                    .times(1),
            );
        }
        let state = folder();
        let ended = run_as(Policy::default(), state.path(), &many(200, 0), &emulator).await;
        assert_eq!(ended.unwrap(), Ended::Finished);
        assert_eq!(completed(state.path()), 200);
        calls.push(emulator.calls());
        emulator.shutdown().await;
    }
    let sum = |calls: &BTreeMap<Operation, u64>| calls.values().sum::<u64>();
    assert!(
        sum(&calls[1]) < 2 * sum(&calls[0]),
        "without: {:?}, with one refusal: {:?}",
        calls[0],
        calls[1]
    );
}

/// A request that may have arrived is looked for by a run that has stopped, and left for the next one.
#[tokio::test]
async fn a_run_that_has_stopped_sends_nothing_again() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(Fault::new(Operation::StartRestoreJob, refused()).times(1));
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::ResetBefore).times(1));
    let plan = many(2, 0) + "on_failure: stop\n";
    let state = folder();
    let ended = run(state.path(), &plan, &emulator).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!(emulator.jobs().len(), 0);
    let stages = ["r0", "r1"].map(|name| stage_of(state.path(), name));
    assert!(stages.contains(&Some(RestoreStage::Intended)), "{stages:?}");
    run(state.path(), &plan, &emulator).await.unwrap();
    assert_eq!((emulator.jobs().len(), completed(state.path())), (1, 1));
    emulator.shutdown().await;
}

/// `on_failure: stop` while restores are being compared: they are skipped, as all others.
#[tokio::test]
async fn what_was_compared_when_a_failure_stopped_the_run() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    for at in 1..6 {
        stranger(&emulator, &format!("s{at}"), at, &OTHER).await;
    }
    emulator.inject(Fault::new(Operation::StartRestoreJob, refused()).times(1));
    emulator.inject(Fault::new(
        Operation::GetRestoreJobMetadata,
        FaultKind::Latency(Duration::from_secs(2)),
    ));
    let plan = many(6, 0).replace("restores:", "on_failure: stop\nrestores:");
    let state = folder();
    let ended = run(state.path(), &plan, &emulator).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!(emulator.jobs().len(), 5);
    let stages: Vec<_> = (0..6)
        .map(|at| stage_of(state.path(), &format!("r{at}")))
        .collect();
    assert!(
        stages[1..]
            .iter()
            .all(|stage| *stage == Some(RestoreStage::Skipped)),
        "{stages:?}"
    );
    emulator.shutdown().await;
}

/// Jobs that were listed as running long before they were adopted, and have ended since.
#[tokio::test]
async fn an_adopted_job_that_has_ended_since_it_was_listed() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    for slow in [6, 2] {
        emulator.inject(
            Fault::new(
                Operation::StartRestoreJob,
                FaultKind::Job(JobFault::Slow(slow)),
            )
            .times(10),
        );
    }
    let plan = many(20, 0);
    let first = folder();
    run_until_jobs(first.path(), &plan, &emulator, 20).await;
    let again = folder();
    let limited = plan.replace("restores:", "limits: { concurrent: 10 }\nrestores:");
    let ended = run(again.path(), &limited, &emulator).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    let mut ends: Vec<_> = emulator
        .jobs()
        .iter()
        .map(|job| job.ended_at.unwrap())
        .collect();
    ends.sort();
    assert_eq!((emulator.jobs().len(), completed(again.path())), (20, 20));
    let late = emulator.clock().now().duration_since(*ends.last().unwrap());
    let began = emulator.jobs()[0].created_at;
    let ends: Vec<_> = ends.iter().map(|end| end.duration_since(began)).collect();
    assert!(
        late < SignedDuration::from_secs(90),
        "{late:?} after the last had ended; {ends:?}"
    );
    emulator.shutdown().await;
}

/// A look at what exists fails for a quarter of an hour: what runs is followed all the same.
#[tokio::test]
async fn a_failing_second_look_leaves_nothing_behind() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    for (of, slow) in [(0, 60), (1, 8)] {
        emulator.inject(Fault {
            recovery_point: Some(point(of)),
            ..Fault::new(
                Operation::StartRestoreJob,
                FaultKind::Job(JobFault::Slow(slow)),
            )
        });
    }
    let state = folder();
    let plan = many(3, 2);
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Accepted { restore, .. } = &recorded.event
            && restore == "r1"
        {
            emulator.inject(Fault::new(Operation::ListRestoreJobs, FaultKind::Bare(500)));
        }
    };
    let ended = run_watched(state.path(), &plan, &emulator, &mut onlooker).await;
    let stages = (stage_of(state.path(), "r0"), stage_of(state.path(), "r1"));
    assert!(
        matches!(stages.0, Some(RestoreStage::Completed { .. })),
        "{ended:?}: {stages:?}"
    );
    emulator.shutdown().await;
}

/// The metadata of a job that was made a moment ago is not known yet.
#[tokio::test]
async fn metadata_that_is_not_known_yet_stops_nothing() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let state = folder();
    let plan = many(3, 0);
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::ResetAfter).times(3));
    run_until(state.path(), &plan, &emulator, Death::Before(2))
        .await
        .unwrap_err();
    emulator.clear_faults();
    assert!(!emulator.jobs().is_empty());
    emulator.inject(Fault::new(Operation::GetRestoreJobMetadata, FaultKind::NotYet).times(1));
    let ended = run(state.path(), &plan, &emulator).await;
    assert!(
        matches!(ended, Ok(Ended::Finished)),
        "{ended:?} {:?}",
        emulator.calls()
    );
    assert_eq!((emulator.jobs().len(), completed(state.path())), (3, 3));
    emulator.shutdown().await;
}

/// A question that is due is not held up by requests that wait for their own, slower rate.
#[tokio::test]
async fn questions_do_not_wait_for_the_rate_of_requests() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let state = folder();
    let plan = many(30, 0);
    emulator.inject(Fault {
        recovery_point: Some(point(0)),
        ..Fault::new(Operation::StartRestoreJob, FaultKind::ResetAfter)
    });
    for at in 1..30 {
        emulator.inject(Fault {
            recovery_point: Some(point(at)),
            ..Fault::new(Operation::StartRestoreJob, FaultKind::ResetBefore)
        });
    }
    run_until(state.path(), &plan, &emulator, Death::Before(2))
        .await
        .unwrap_err();
    emulator.clear_faults();
    assert_eq!(emulator.jobs().len(), 1);
    // Something else of the same recovery point, so that there is more than one to compare.
    stranger(&emulator, "x", 0, &OTHER).await;
    let began = emulator.clock().now();
    let mut adopted = None;
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Adopted { restore, .. } = &recorded.event
            && restore == "r0"
        {
            adopted = Some(recorded.at.duration_since(began));
        }
    };
    run_going(
        state.path(),
        &plan,
        &emulator,
        going(Policy::default(), &mut onlooker),
    )
    .await
    .unwrap();
    let adopted = adopted.unwrap();
    assert!(
        adopted < SignedDuration::from_secs(1),
        "{adopted:?} for two calls"
    );
    emulator.shutdown().await;
}
