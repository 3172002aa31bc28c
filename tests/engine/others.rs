//! Jobs of others, and of this run from elsewhere, when answers are lost.

use std::sync::Arc;

use jiff::SignedDuration;
use redrill::backup::Writer as _;
use redrill::diagnostic::Source;
use redrill::execute::{DuplicatePolicy, Ended, Policy};
use redrill::ids::{RunId, StepIndex};
use redrill::plan::TokenedRequest;
use redrill::render::{Inputs, Known};
use redrill::rules::Rules;
use redrill::session;
use redrill::state::{Event, Recorded, RestoreStage};
use redrill_emulator::{Fault, FaultKind, JobFault, Operation, TokenSemantics};

use super::{
    OTHER, SAME, elsewhere_now, job_of, lagging, later, meanwhile, refused, stage_of, stranger,
};
use crate::harness::{
    Death, completed, connect, driven, fast, going, run, run_as, run_going, run_until, run_watched,
    sleep,
};
use crate::support::{at_once, emulator, folder, many, point, ran, write};

/// What another machine would send for a restore.
pub(crate) fn request_of(text: &str, step: usize) -> TokenedRequest {
    let rules = Arc::new(Rules::embedded());
    let source = Source::new("plan.yaml", text);
    let loaded = session::read(&source, &RunId::new("main"), &Inputs::default(), &rules).unwrap();
    let plan = loaded.draft(&Known::default()).plan.unwrap();
    let step = StepIndex::new(step);
    let token = plan.token(step, 1).unwrap();
    plan.steps[step].draft.sent_with(&token)
}

/// A new run compares a restore with a stranger's job; the machine sleeps meanwhile, somebody does the restore elsewhere,
/// AWS forgets. The second look begins at the first one, not at the intent, which was written after the sleep.
#[tokio::test(flavor = "multi_thread")]
async fn a_sleep_while_a_new_restore_is_compared() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let plan = many(1, 0);
    stranger(&emulator, "x", 0, &OTHER).await;
    emulator.inject(Fault::new(Operation::GetRestoreJobMetadata, FaultKind::Throttle).times(1));
    let (state, other) = (folder(), folder());
    let mut slept = 0;
    let mut onlooker = |recorded: &Recorded| {
        if let Event::AwsUnavailable { .. } = recorded.event {
            slept += 1;
            sleep(&emulator, SignedDuration::from_mins(30));
            let ended = elsewhere_now(other.path(), &plan, &emulator);
            assert_eq!(ended.unwrap(), Ended::Finished);
            sleep(&emulator, SignedDuration::from_mins(90));
        }
    };
    let ended = run_watched(state.path(), &plan, &emulator, &mut onlooker).await;
    assert_eq!(slept, 1);
    assert_eq!(
        emulator.jobs().len(),
        2,
        "one of them is the stranger's: {ended:?}"
    );
    emulator.shutdown().await;
}

/// The first copy of a request did not arrive; three minutes later one does, and its answer is lost; the next is refused
/// because of what that one has made, and the listing lags.
#[tokio::test]
async fn a_refusal_soon_after_the_last_copy() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = many(2, 0);
    let state = folder();
    let of = |at: usize, kind: FaultKind| Fault {
        recovery_point: Some(point(at)),
        ..Fault::new(Operation::StartRestoreJob, kind).times(1)
    };
    emulator.inject(of(1, FaultKind::Job(JobFault::Slow(60))));
    emulator.inject(of(0, FaultKind::ResetBefore));
    emulator.inject(of(0, FaultKind::ResetAfter));
    emulator.inject(of(0, refused()));
    // The first is the look at what exists.
    emulator.inject(lagging().after(1));
    let mut slept = false;
    let mut onlooker = |recorded: &Recorded| {
        if let Event::AwsUnavailable { .. } = recorded.event
            && !slept
        {
            slept = true;
            sleep(&emulator, SignedDuration::from_mins(3));
        }
    };
    let ended = run_watched(state.path(), &plan, &emulator, &mut onlooker).await;
    assert_eq!(
        (emulator.jobs().len(), completed(state.path())),
        (2, 2),
        "{ended:?}: {:?}",
        stage_of(state.path(), "r0")
    );
    emulator.shutdown().await;
}

/// This machine looked, waits (limits), somebody does r1 elsewhere after 5 minutes; at 40 minutes r1's intent is written and
/// the process dies. It comes back at 70: the listing begins when this machine may have looked.
#[tokio::test(flavor = "multi_thread")]
async fn a_marked_job_older_than_the_intent() {
    let plan = many(2, 0).replace("restores:", "limits: { concurrent: 1 }\nrestores:");
    for death in 2..16 {
        let emulator = emulator(driven(TokenSemantics::recorded())).await;
        emulator.inject(
            Fault::new(
                Operation::StartRestoreJob,
                FaultKind::Job(JobFault::Slow(6)),
            )
            .times(1),
        );
        // What others have started meanwhile does not show while it waits.
        let lag = FaultKind::ListLag(SignedDuration::from_hours(2));
        emulator.inject(Fault::new(Operation::ListRestoreJobs, lag).after(1));
        let state = folder();
        let began = emulator.clock().now();
        let request = request_of(&plan, 1);
        let mut onlooker = |recorded: &Recorded| match &recorded.event {
            Event::Accepted { restore, .. } if restore == "r0" => {
                later(&emulator, began, 5);
                meanwhile(|| async {
                    let aws = connect(&emulator).await;
                    aws.start(&request).await.unwrap();
                });
                later(&emulator, began, 39);
            }
            _ => {}
        };
        let mut going = going(fast(), &mut onlooker);
        going.death = Death::After(death);
        let ended = run_going(state.path(), &plan, &emulator, going).await;
        if stage_of(state.path(), "r1") == Some(RestoreStage::Intended) {
            assert!(ended.is_err());
            assert_eq!(emulator.jobs().len(), 2);
            later(&emulator, began, 70);
            emulator.clear_faults();
            let ended = run(state.path(), &plan, &emulator).await;
            assert_eq!(emulator.jobs().len(), 2, "{ended:?}");
            emulator.shutdown().await;
            return;
        }
        emulator.shutdown().await;
    }
    panic!("the case was not met");
}

/// The plan's Region is changed after a request was lost on the way. Token and place are others now.
#[tokio::test(flavor = "multi_thread")]
async fn the_region_changes_between_runs() {
    let emulator = emulator(at_once()).await;
    let plan = many(1, 0);
    let state = folder();
    run_until(state.path(), &plan, &emulator, Death::Before(2))
        .await
        .unwrap_err();
    assert_eq!(emulator.jobs().len(), 1);
    let moved = plan.replace("region: us-west-2", "region: us-east-1");
    assert_ne!(
        request_of(&plan, 0).idempotency_token,
        request_of(&moved, 0).idempotency_token
    );
    write(state.path(), "plan.yaml", &moved);
    let run = ["run", "plan.yaml", "--yes", "-q", "--state", "."];
    let (code, said, _) = ran(state.path(), &emulator, &run).await;
    let regions: Vec<String> = emulator
        .jobs()
        .iter()
        .map(|job| job.region.clone())
        .collect();
    assert_eq!(regions, ["us-west-2"], "{said}");
    assert_eq!(code, 4);
    emulator.shutdown().await;
}

/// A request with its mark has made a job, the answer was lost with the process; somebody asked for the same by hand two
/// minutes before, without a mark. The listing lags.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_the_mark_is_not_the_lost_one() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let state = folder();
    let plan = many(1, 0);
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Intended { .. } = recorded.event {
            meanwhile(|| stranger(&emulator, "x", 0, &SAME));
            sleep(&emulator, SignedDuration::from_mins(2));
        }
    };
    let mut going = going(fast(), &mut onlooker);
    going.death = Death::Before(2);
    run_going(state.path(), &plan, &emulator, going)
        .await
        .unwrap_err();
    assert_eq!(emulator.jobs().len(), 2);
    emulator.inject(lagging());
    let ended = run(state.path(), &plan, &emulator).await;
    let own = Some(request_of(&plan, 0).token().to_string());
    let job = emulator
        .jobs()
        .into_iter()
        .find(|job| job.token == own)
        .unwrap()
        .id;
    let followed = job_of(state.path(), "r0");
    assert!(
        followed.is_none() || followed == Some(job.clone()),
        "{ended:?}: the run's own job {job} is lost; {followed:?} is somebody else's"
    );
    emulator.shutdown().await;
}

/// A person has said `--start-anyway` about somebody else's job; the process dies before the request leaves. The next run
/// does not take that job for its own.
#[tokio::test]
async fn start_anyway_holds_after_a_crash() {
    for duplicates in [DuplicatePolicy::StartAnyway, DuplicatePolicy::Ask] {
        let emulator = emulator(driven(TokenSemantics::default())).await;
        stranger(&emulator, "x", 0, &SAME).await;
        sleep(&emulator, SignedDuration::from_mins(5));
        let state = folder();
        let plan = many(1, 0);
        let anyway = Policy {
            duplicates: DuplicatePolicy::StartAnyway,
            ..fast()
        };
        let mut nothing = |_: &Recorded| {};
        let mut first = going(anyway, &mut nothing);
        first.death = Death::After(1);
        run_going(state.path(), &plan, &emulator, first)
            .await
            .unwrap_err();
        assert_eq!(emulator.jobs().len(), 1);
        assert_eq!(stage_of(state.path(), "r0"), Some(RestoreStage::Intended));
        let strangers = emulator.jobs()[0].id.clone();
        let ended = run_as(
            Policy {
                duplicates,
                ..fast()
            },
            state.path(),
            &plan,
            &emulator,
        )
        .await;
        assert_ne!(
            job_of(state.path(), "r0"),
            Some(strangers),
            "{duplicates:?}: {ended:?}"
        );
        emulator.shutdown().await;
    }
}
