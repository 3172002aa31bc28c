//! Restores without a mark, and an AWS that remembers no token: what exists already is asked about, and what appears
//! meanwhile is said.

use std::path::Path;

use jiff::SignedDuration;
use redrill::backup::Writer as _;
use redrill::execute::{DuplicatePolicy, Ended, Policy, Stopped};
use redrill::ids::{JobId, RunId};
use redrill::report::{Record, Verdict, run_report};
use redrill::state::{Event, Recorded};
use redrill_emulator::{Emulator, Fault, FaultKind, Operation, TokenSemantics};

use super::others::request_of;
use super::{meanwhile, refused, unmarked};
use crate::harness::{
    completed, connect, driven, events, fast, journal_bytes, run, run_as, run_watched, set_journal,
    sleep,
};
use crate::support::{emulator, folder, many};

/// The plan says that its restores get no mark.
fn without_marks(count: usize, every: usize) -> String {
    many(count, every).replace("restores:", "mark: false\nrestores:")
}

async fn forgetful() -> Emulator {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(Fault::new(
        Operation::StartRestoreJob,
        FaultKind::ForgetToken,
    ));
    emulator
}

async fn run_with(
    duplicates: DuplicatePolicy,
    state: &Path,
    plan: &str,
    emulator: &Emulator,
) -> Ended {
    let policy = Policy {
        duplicates,
        ..fast()
    };
    run_as(policy, state, plan, emulator).await.unwrap()
}

#[tokio::test]
async fn issue_14_an_unmarked_job_is_asked_about_however_young_it_is() {
    for plan in [unmarked(1), without_marks(1, 0)] {
        for (minutes, is_followed) in [(0, false), (0, true), (40, true), (600, true)] {
            let emulator = forgetful().await;
            if is_followed {
                run(folder().path(), &plan, &emulator).await.unwrap();
            } else {
                let request = request_of(&plan, 0);
                connect(&emulator).await.start(&request).await.unwrap();
            }
            sleep(&emulator, SignedDuration::from_mins(minutes));
            let asked = run(folder().path(), &plan, &emulator).await;
            let job = emulator.jobs()[0].id.clone();
            let Err(Stopped::Duplicate { jobs, .. }) = &asked else {
                panic!("{minutes} {is_followed}: {asked:?}");
            };
            assert_eq!((jobs, emulator.jobs().len()), (&vec![JobId::new(job)], 1));
            // A person has looked at it.
            let adopting = folder();
            let ended = run_with(DuplicatePolicy::Adopt, adopting.path(), &plan, &emulator).await;
            assert_eq!(
                (ended, completed(adopting.path()), emulator.jobs().len()),
                (Ended::Finished, 1, 1)
            );
            run_with(
                DuplicatePolicy::StartAnyway,
                folder().path(),
                &plan,
                &emulator,
            )
            .await;
            assert_eq!(emulator.jobs().len(), 2);
            emulator.shutdown().await;
        }
    }
}

/// Two runners looked before either had started anything: the second job is said, and nothing more is started.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_a_second_job_without_a_mark_ends_the_starting() {
    let plan = without_marks(5, 1).replace("restores:", "limits: { concurrent: 1 }\nrestores:");
    let emulator = forgetful().await;
    let request = request_of(&plan, 0);
    let state = folder();
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Accepted { restore, .. } = &recorded.event
            && restore == "r0"
        {
            meanwhile(|| async { connect(&emulator).await.start(&request).await.unwrap() });
        }
    };
    let ended = run_watched(state.path(), &plan, &emulator, &mut onlooker).await;
    assert!(
        matches!(&ended, Err(Stopped::SecondJob { restore, .. }) if restore == "r0"),
        "{ended:?}"
    );
    assert!(emulator.jobs().len() < 6, "it goes on starting");
    let record: Record = events(state.path()).iter().collect();
    let report = run_report("many", &RunId::new("main"), record);
    assert_eq!(report.verdict, Verdict::Unfinished);
    assert_eq!(report.restores[0].second_jobs.len(), 1);
    emulator.shutdown().await;
}

/// A person chose a job, and the disk has kept only the first half of its adoption. AWS has forgotten the token, so the
/// request is not sent as if it had been about to leave.
#[tokio::test]
async fn an_adoption_that_was_half_recorded_goes_on() {
    for (plan, is_listed) in [
        (many(1, 0), true),
        (many(1, 0), false),
        (without_marks(1, 0), true),
        (without_marks(1, 0), false),
        (unmarked(1), true),
        (unmarked(1), false),
    ] {
        let emulator = forgetful().await;
        let unmarked = Fault::new(
            Operation::GetRestoreJobMetadata,
            FaultKind::MetadataUnmarked,
        );
        emulator.inject(unmarked);
        run(folder().path(), &plan, &emulator).await.unwrap();
        sleep(&emulator, SignedDuration::from_hours(10));
        let state = folder();
        run_with(DuplicatePolicy::Adopt, state.path(), &plan, &emulator).await;
        let bytes = journal_bytes(state.path());
        let text = std::str::from_utf8(&bytes).unwrap();
        let adopted = text.find("\"event\":\"adopted\"").unwrap();
        let whole = text[..adopted].rfind('\n').unwrap() + 1;
        assert!(text[..whole].contains("\"event\":\"intended\""));
        set_journal(state.path(), &bytes[..whole]);
        if !is_listed {
            let lag = FaultKind::ListLag(SignedDuration::from_hours(20));
            emulator.inject(Fault::new(Operation::ListRestoreJobs, lag));
        }
        let ended = run(state.path(), &plan, &emulator).await;
        match (is_listed, &ended) {
            (true, Ok(Ended::Finished)) => assert_eq!(completed(state.path()), 1),
            (false, Err(Stopped::Duplicate { .. })) => {}
            _ => panic!("{is_listed}: {ended:?}"),
        }
        assert_eq!(emulator.jobs().len(), 1, "{plan}");
        emulator.shutdown().await;
    }
}

/// Each operation is tried by its own count: requests that got no answer do not make the first «not known yet» about a job
/// the last one.
#[tokio::test]
async fn issue_14_an_operation_that_fails_does_not_use_up_the_tries_of_another() {
    for unanswered in 0..6 {
        let emulator = emulator(driven(TokenSemantics::default())).await;
        let inject = |operation, kind| emulator.inject(Fault::new(operation, kind).times(1));
        for _ in 0..unanswered {
            inject(Operation::StartRestoreJob, FaultKind::ResetAfter);
        }
        if unanswered > 0 {
            // What settles it is a look at what exists.
            inject(Operation::StartRestoreJob, refused());
        }
        inject(Operation::GetRestoreJobMetadata, FaultKind::NotYet);
        let state = folder();
        let ended = run(state.path(), &many(1, 0), &emulator).await;
        assert_eq!(ended.unwrap(), Ended::Finished, "{unanswered}");
        assert_eq!((emulator.jobs().len(), completed(state.path())), (1, 1));
        emulator.shutdown().await;
    }
}

/// `--adopt=JOB` takes one job for one restore; the others are asked about, however well a job fits them.
#[tokio::test]
async fn issue_14_a_named_job_is_adopted_and_no_other() {
    let emulator = forgetful().await;
    let plan = without_marks(3, 0);
    run(folder().path(), &plan, &emulator).await.unwrap();
    let named = emulator.jobs()[1].id.clone();
    let state = folder();
    for chosen in [["deadbeef-0000-4000-8000-000000000000"], [&*named]] {
        let policy = Policy {
            duplicates: DuplicatePolicy::Adopt,
            chosen: chosen.map(JobId::new).into(),
            ..fast()
        };
        let ended = run_as(policy, state.path(), &plan, &emulator).await;
        assert!(
            matches!(&ended, Err(Stopped::Duplicate { .. })),
            "{ended:?}"
        );
    }
    let adopted: Vec<String> = events(state.path())
        .into_iter()
        .filter_map(|recorded| match recorded.event {
            Event::Adopted { job_id, .. } => Some(job_id.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(adopted, [named]);
    assert_eq!(emulator.jobs().len(), 3);
    emulator.shutdown().await;
}
