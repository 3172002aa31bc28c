//! Restores without a mark, and an AWS that remembers no token: what exists already is asked about, and what appears
//! meanwhile is said.

use std::path::Path;

use jiff::SignedDuration;
use redrill::execute::{Ended, Event, Policy, Recorded, Stopped, Twins, Writer as _};
use redrill::report::{Record, Verdict, run_report};
use redrill_emulator::{Emulator, Fault, FaultKind, Operation, TokenSemantics};

use super::others::request_of;
use super::{meanwhile, refused, unmarked};
use crate::harness::{completed, connect, driven, events, fast, run, run_as, run_watched, sleep};
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

async fn run_with(twins: Twins, state: &Path, plan: &str, emulator: &Emulator) -> Ended {
    let policy = Policy { twins, ..fast() };
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
            let Err(Stopped::Twin { jobs, .. }) = &asked else {
                panic!("{minutes} {is_followed}: {asked:?}");
            };
            assert_eq!((jobs, emulator.jobs().len()), (&vec![job], 1));
            // A person has looked at it.
            let adopting = folder();
            let ended = run_with(Twins::Adopt, adopting.path(), &plan, &emulator).await;
            assert_eq!(
                (ended, completed(adopting.path()), emulator.jobs().len()),
                (Ended::Finished, 1, 1)
            );
            run_with(Twins::StartAnyway, folder().path(), &plan, &emulator).await;
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
    assert_eq!(run_report("many", "main", record).verdict, Verdict::Unfinished);
    emulator.shutdown().await;
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
