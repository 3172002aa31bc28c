//! Ways to a second job of one restore, or to one job of two: none of them leads there.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use redrill::execute::{DuplicatePolicy, Ended, Policy, Stopped};
use redrill::ids::JobId;
use redrill::state::{Event, Recorded};
use redrill_emulator::{Fault, FaultKind, JobFault, Operation, TokenSemantics};

use super::{
    OTHER, elsewhere_now, job_of, lagging, meanwhile, one_after_the_other, refused, stage_of,
    stranger, unmarked,
};
use crate::harness::{
    Death, completed, driven, fast, going, jobs_are_there, run, run_as, run_going, run_until,
    run_watched, sleep,
};
use crate::support::{emulator, folder, many};

/// A machine that slept for longer than AWS remembers tokens, between a request and its second try.
#[tokio::test]
async fn a_request_is_not_sent_again_when_its_token_may_be_forgotten() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::ResetAfter).times(1));
    let state = folder();
    let mut adopted = 0;
    let mut onlooker = |recorded: &Recorded| match &recorded.event {
        Event::AwsUnavailable { .. } => sleep(&emulator, SignedDuration::from_hours(2)),
        Event::Adopted { .. } => adopted += 1,
        _ => {}
    };
    let ended = run_watched(state.path(), &many(1, 0), &emulator, &mut onlooker).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!((emulator.jobs().len(), adopted), (1, 1));
    emulator.shutdown().await;
}

/// The same while the request was on its way: AWS has its copy since before the sleep.
#[tokio::test]
async fn a_sleep_on_the_way_counts() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::NoAnswer).times(1));
    let state = folder();
    let plan = many(1, 0);
    let sleep = async {
        jobs_are_there(&emulator, 1).await;
        sleep(&emulator, SignedDuration::from_hours(2));
        emulator.drop_connections();
    };
    let (ended, ()) = tokio::join!(run(state.path(), &plan, &emulator), sleep);
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!((emulator.jobs().len(), completed(state.path())), (1, 1));
    emulator.shutdown().await;
}

/// A machine sleeps with half of the work done; somebody does the rest from another machine, and AWS has forgotten the
/// tokens by the time the first one wakes.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_started_during_a_sleep_is_found() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    // Each needs the one before.
    let plan = many(4, 1);
    let (state, elsewhere) = (folder(), folder());
    let (mut completed_here, mut adopted) = (0, 0);
    let mut onlooker = |recorded: &Recorded| match recorded.event {
        Event::Completed { .. } => {
            completed_here += 1;
            if completed_here == 2 {
                let ended = elsewhere_now(elsewhere.path(), &plan, &emulator);
                assert_eq!(ended.unwrap(), Ended::Finished);
                sleep(&emulator, SignedDuration::from_hours(2));
            }
        }
        Event::Adopted { .. } => adopted += 1,
        _ => {}
    };
    let ended = run_watched(state.path(), &plan, &emulator, &mut onlooker).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!((completed_here, adopted), (4, 2));
    assert_eq!(emulator.jobs().len(), 4);
    assert_eq!(
        (completed(state.path()), completed(elsewhere.path())),
        (4, 4)
    );
    emulator.shutdown().await;
}

/// A restore is tried anew, and again from a machine without its journal, when AWS has forgotten the token.
#[tokio::test]
async fn a_second_attempt_is_looked_for_as_well() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let fails = JobFault::Fails("no room".to_owned());
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::Job(fails)).times(1));
    let plan = many(1, 0);
    for state in [folder(), folder()] {
        for retry_failed in [false, true] {
            let policy = Policy {
                retry_failed,
                ..fast()
            };
            let ended = run_as(policy, state.path(), &plan, &emulator).await;
            assert_eq!(ended.unwrap(), Ended::Finished);
        }
        assert_eq!((emulator.jobs().len(), completed(state.path())), (2, 1));
        sleep(&emulator, SignedDuration::from_hours(2));
    }
    emulator.shutdown().await;
}

/// One request was throttled and waits for its second try; others wait for their first. The machine sleeps, somebody does
/// all of it elsewhere, AWS forgets. The look after the sleep makes neither of them any younger.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_after_a_sleep_is_for_those_that_were_throttled_too() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::Throttle).times(1));
    let plan = many(3, 0);
    let (state, other) = (folder(), folder());
    let mut slept = false;
    let mut onlooker = |recorded: &Recorded| {
        if let Event::AwsUnavailable { .. } = recorded.event
            && !slept
        {
            slept = true;
            assert_eq!(
                elsewhere_now(other.path(), &plan, &emulator).unwrap(),
                Ended::Finished
            );
            sleep(&emulator, SignedDuration::from_hours(2));
        }
    };
    let going = going(Policy::default(), &mut onlooker);
    let ended = run_going(state.path(), &plan, &emulator, going).await;
    assert!(slept);
    assert_eq!(emulator.jobs().len(), 3, "{ended:?}");
    emulator.shutdown().await;
}

/// A request was lost; what exists was listed; the machine sleeps before all of it is compared, and somebody does the
/// restore elsewhere. The listing is from before that.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_is_as_old_as_it_is() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let plan = many(1, 0);
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::ResetBefore).times(1));
    emulator.inject(Fault::new(Operation::GetRestoreJobMetadata, FaultKind::Throttle).times(1));
    let (state, other) = (folder(), folder());
    let mut troubles = 0;
    let mut onlooker = |recorded: &Recorded| {
        if let Event::AwsUnavailable { .. } = recorded.event {
            troubles += 1;
            if troubles == 1 {
                // Something else of the same recovery point, to be compared.
                meanwhile(|| stranger(&emulator, "x", 0, &OTHER));
            } else {
                let ended = elsewhere_now(other.path(), &plan, &emulator);
                assert_eq!(ended.unwrap(), Ended::Finished);
            }
            sleep(&emulator, SignedDuration::from_hours(2));
        }
    };
    let ended = run_watched(state.path(), &plan, &emulator, &mut onlooker).await;
    assert_eq!((ended.unwrap(), troubles), (Ended::Finished, 2));
    assert_eq!(emulator.jobs().len(), 2, "one of them is the stranger's");
    emulator.shutdown().await;
}

/// A recovery point that hangs on another restore's result is looked for once it is known.
#[tokio::test]
async fn a_recovery_point_that_becomes_known_later_is_looked_for() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let plan = one_after_the_other();
    let first = folder();
    assert_eq!(
        run(first.path(), &plan, &emulator).await.unwrap(),
        Ended::Finished
    );
    assert_eq!(emulator.jobs().len(), 2);
    sleep(&emulator, SignedDuration::from_hours(2));
    let again = folder();
    let ended = run(again.path(), &plan, &emulator).await;
    assert_eq!(emulator.jobs().len(), 2, "{ended:?}");
    emulator.shutdown().await;
}

/// The job was made and the answer lost; the next try is refused because of what the first has made; a listing lags.
#[tokio::test]
async fn a_refusal_is_not_believed_while_a_listing_may_lag() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = many(1, 0);
    let state = folder();
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::ResetAfter).times(1));
    emulator.inject(Fault::new(Operation::StartRestoreJob, refused()).times(1));
    emulator.inject(lagging().after(1));
    let ended = run(state.path(), &plan, &emulator).await;
    assert_eq!(
        (emulator.jobs().len(), completed(state.path())),
        (1, 1),
        "{ended:?}: {:?}",
        stage_of(state.path(), "r0")
    );
    emulator.shutdown().await;
}

/// Two restores ask for the same (no mark); of two requests without an answer one has arrived. One of them takes its job.
#[tokio::test]
async fn one_job_is_not_taken_for_two_restores() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let plan = unmarked(2);
    let state = folder();
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::ResetAfter).times(1));
    emulator.inject(Fault::new(
        Operation::StartRestoreJob,
        FaultKind::ResetBefore,
    ));
    run_until(state.path(), &plan, &emulator, Death::Before(2))
        .await
        .unwrap_err();
    assert_eq!(emulator.jobs().len(), 1);
    emulator.clear_faults();
    let mut ended = Vec::new();
    for _ in 0..3 {
        ended.push(run(state.path(), &plan, &emulator).await);
    }
    let jobs: BTreeSet<_> = ["r0", "r1"].map(|name| job_of(state.path(), name)).into();
    assert!(
        jobs.len() == 2 || completed(state.path()) < 2,
        "{} job at AWS, {} restores completed, {jobs:?}, {ended:?}",
        emulator.jobs().len(),
        completed(state.path()),
    );
    emulator.shutdown().await;
}

/// Both requests have arrived, unanswered: `--adopt=JOB` gives a job to one restore, and the other is left for the other.
#[tokio::test]
async fn a_chosen_job_is_taken_once() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let plan = unmarked(2);
    let state = folder();
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::ResetAfter).times(2));
    run_until(state.path(), &plan, &emulator, Death::Before(2))
        .await
        .unwrap_err();
    let made: Vec<String> = emulator.jobs().iter().map(|job| job.id.clone()).collect();
    assert_eq!(made.len(), 2);
    let asked = run(state.path(), &plan, &emulator).await;
    assert!(matches!(asked, Err(Stopped::Ambiguous { .. })), "{asked:?}");
    let chosen = |ids: &[&String]| Policy {
        duplicates: DuplicatePolicy::Adopt,
        chosen: ids.iter().map(|id| JobId::new(id.as_str())).collect(),
        ..fast()
    };
    let both = run_as(
        chosen(&[&made[0], &made[1]]),
        state.path(),
        &plan,
        &emulator,
    )
    .await;
    let one = run_as(chosen(&[&made[0]]), state.path(), &plan, &emulator).await;
    let last = run(state.path(), &plan, &emulator).await;
    let jobs: BTreeSet<_> = ["r0", "r1"].map(|name| job_of(state.path(), name)).into();
    assert_eq!(
        jobs.len(),
        2,
        "{jobs:?} of {made:?}; {} completed; both: {both:?}, one: {one:?}, last: {last:?}",
        completed(state.path())
    );
    emulator.shutdown().await;
}
