//! Ways to a second job of one restore, or to one job of two: none of them leads there.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use redrill::emulator::{Fault, FaultKind, JobFault, Operation, TokenSemantics};
use redrill::execute::{Ended, Event, Policy, Recorded, Stopped, Twins};

use super::{at, elsewhere_now, going, job_of, meanwhile, stage_of, stranger, unmarked};
use crate::harness::{Death, Going, completed, driven, fast, run, run_going, run_until};
use crate::support::{emulator, folder, many};

/// A machine that slept for longer than AWS remembers tokens, between a request and its second try.
#[tokio::test]
async fn a_request_is_not_sent_again_when_its_token_may_be_forgotten() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::ResetAfter).times(1));
    let clock = emulator.clock();
    let state = folder();
    let mut adopted = 0;
    let mut onlooker = |recorded: &Recorded| match &recorded.event {
        Event::Trouble { .. } => clock.advance_to(clock.now() + SignedDuration::from_hours(2)),
        Event::Adopted { .. } => adopted += 1,
        _ => {}
    };
    let going = Going {
        death: Death::Never,
        policy: fast(),
        onlooker: &mut onlooker,
    };
    let ended = run_going(state.path(), &many(1, 0), &emulator, going).await;
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
        while emulator.jobs().is_empty() {
            tokio::task::yield_now().await;
        }
        let clock = emulator.clock();
        clock.advance_to(clock.now() + SignedDuration::from_hours(2));
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
    let clock = emulator.clock();
    let (mut completed_here, mut adopted) = (0, 0);
    let mut onlooker = |recorded: &Recorded| match recorded.event {
        Event::Completed { .. } => {
            completed_here += 1;
            if completed_here == 2 {
                let ended = elsewhere_now(elsewhere.path(), &plan, &emulator);
                assert_eq!(ended.unwrap(), Ended::Finished);
                clock.advance_to(clock.now() + SignedDuration::from_hours(2));
            }
        }
        Event::Adopted { .. } => adopted += 1,
        _ => {}
    };
    let going = Going {
        death: Death::Never,
        policy: fast(),
        onlooker: &mut onlooker,
    };
    let ended = run_going(state.path(), &plan, &emulator, going).await;
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
    let clock = emulator.clock();
    for state in [folder(), folder()] {
        for retry_failed in [false, true] {
            let going = Going {
                death: Death::Never,
                policy: Policy {
                    retry_failed,
                    ..fast()
                },
                onlooker: &mut |_| {},
            };
            let ended = run_going(state.path(), &plan, &emulator, going).await;
            assert_eq!(ended.unwrap(), Ended::Finished);
        }
        assert_eq!((emulator.jobs().len(), completed(state.path())), (2, 1));
        clock.advance_to(clock.now() + SignedDuration::from_hours(2));
    }
    emulator.shutdown().await;
}

/// No mark, no journal: a job of 40 minutes counts as answered by its token. The runner dies with the intent on disk, and
/// comes back when AWS has forgotten that token: the listing begins at the intent, not at the job.
#[tokio::test]
async fn a_young_unmarked_job_is_remembered_by_the_next_runner() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let plan = unmarked(1);
    run(folder().path(), &plan, &emulator).await.unwrap();
    let made = emulator.jobs()[0].created_at;
    at(&emulator, made, 40);
    let state = folder();
    run_until(state.path(), &plan, &emulator, Death::After(1))
        .await
        .unwrap_err();
    assert_eq!(emulator.jobs().len(), 1);
    at(&emulator, made, 62);
    let ended = run(state.path(), &plan, &emulator).await;
    assert_eq!(emulator.jobs().len(), 1, "{ended:?}");
    emulator.shutdown().await;
}

/// The same, and the machine sleeps for half an hour between the comparison and the request.
#[tokio::test]
async fn a_young_unmarked_job_grows_old_before_the_request_leaves() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let plan = unmarked(1);
    run(folder().path(), &plan, &emulator).await.unwrap();
    let made = emulator.jobs()[0].created_at;
    at(&emulator, made, 40);
    let state = folder();
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Intended { .. } = recorded.event {
            at(&emulator, made, 70);
        }
    };
    let ended = run_going(state.path(), &plan, &emulator, going(fast(), &mut onlooker)).await;
    assert_eq!(emulator.jobs().len(), 1, "{ended:?}");
    emulator.shutdown().await;
}

/// One request was throttled and waits for its second try; others wait for their first. The machine sleeps, somebody does all
/// of it elsewhere, AWS forgets. The look after the sleep is for those that were not sent, and resets the time for the other one.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_after_a_sleep_is_for_those_that_were_throttled_too() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::Throttle).times(1));
    let plan = many(3, 0);
    let (state, other) = (folder(), folder());
    let clock = emulator.clock();
    let mut slept = false;
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Trouble { .. } = recorded.event
            && !slept
        {
            slept = true;
            assert_eq!(
                elsewhere_now(other.path(), &plan, &emulator).unwrap(),
                Ended::Finished
            );
            clock.advance_to(clock.now() + SignedDuration::from_hours(2));
        }
    };
    let ended = run_going(
        state.path(),
        &plan,
        &emulator,
        going(Policy::default(), &mut onlooker),
    )
    .await;
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
    let clock = emulator.clock();
    let mut troubles = 0;
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Trouble { .. } = recorded.event {
            troubles += 1;
            if troubles == 1 {
                // Something else of the same recovery point, to be compared.
                meanwhile(stranger(
                    &emulator,
                    "x",
                    "EFS",
                    &[
                        ("file-system-id", "fs-0a1b2c3d"),
                        ("newFileSystem", "false"),
                    ],
                ));
            } else {
                let ended = elsewhere_now(other.path(), &plan, &emulator);
                assert_eq!(ended.unwrap(), Ended::Finished);
            }
            clock.advance_to(clock.now() + SignedDuration::from_hours(2));
        }
    };
    let going = going(fast(), &mut onlooker);
    let ended = run_going(state.path(), &plan, &emulator, going).await;
    assert_eq!((ended.unwrap(), troubles), (Ended::Finished, 2));
    assert_eq!(emulator.jobs().len(), 2, "one of them is the stranger's");
    emulator.shutdown().await;
}

/// A recovery point that hangs on another restore's result is not looked for without a journal.
#[tokio::test]
async fn a_recovery_point_that_becomes_known_later_is_looked_for() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let plan = format!(
        "{}  late:\n    type: EFS\n    needs: [r0]\n    recovery_point: \"arn:aws:backup:us-west-2:123456789012:recovery-point:{{{{ restores.r0.created.job_id }}}}\"\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      CreationToken: late\n",
        many(1, 0)
    );
    let first = folder();
    assert_eq!(
        run(first.path(), &plan, &emulator).await.unwrap(),
        Ended::Finished
    );
    assert_eq!(emulator.jobs().len(), 2);
    let clock = emulator.clock();
    clock.advance_to(clock.now() + SignedDuration::from_hours(2));
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
    emulator.inject(
        Fault::new(
            Operation::StartRestoreJob,
            FaultKind::Error {
                status: 400,
                code: "InvalidParameterValueException".to_owned(),
                message: "It exists already.".to_owned(),
            },
        )
        .times(1),
    );
    emulator.inject(
        Fault::new(
            Operation::ListRestoreJobs,
            FaultKind::ListLag(SignedDuration::from_secs(60)),
        )
        .after(1)
        .times(1),
    );
    let ended = run(state.path(), &plan, &emulator).await;
    assert_eq!(
        (emulator.jobs().len(), completed(state.path())),
        (1, 1),
        "{ended:?}: {:?}",
        stage_of(state.path(), "r0")
    );
    emulator.shutdown().await;
}

/// Two restores ask for the same (no mark); of two requests without an answer one has arrived. Both take its job.
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

/// Both requests have arrived, unanswered: `--adopt=JOB` gives the one job to both restores, and the other is lost.
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
        twins: Twins::Adopt,
        chosen: ids.iter().map(|id| (*id).clone()).collect(),
        ..fast()
    };
    let mut nothing = |_: &Recorded| {};
    let both = run_going(
        state.path(),
        &plan,
        &emulator,
        going(chosen(&[&made[0], &made[1]]), &mut nothing),
    )
    .await;
    let mut nothing = |_: &Recorded| {};
    let one = run_going(
        state.path(),
        &plan,
        &emulator,
        going(chosen(&[&made[0]]), &mut nothing),
    )
    .await;
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
