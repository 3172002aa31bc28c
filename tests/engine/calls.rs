//! How many calls it takes to find and to watch many jobs.

use redrill_emulator::{Emulator, Fault, FaultKind, JobFault, Operation, TokenSemantics};

use super::later;
use crate::harness::{completed, driven, run, run_until_jobs};
use crate::support::{emulator, folder, many, point};

/// How often the emulator was asked, for anything and for descriptions.
fn counted(emulator: &Emulator) -> (u64, u64) {
    let calls = emulator.calls();
    let described = calls.get(&Operation::DescribeRestoreJob);
    (calls.values().sum(), described.copied().unwrap_or_default())
}

/// Many restores out of one recovery point, without a journal: what each job was asked for is asked for once.
#[tokio::test]
async fn many_restores_of_one_point_are_not_compared_each_with_each() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = (1..40).fold(many(40, 0), |plan, at| plan.replace(&point(at), &point(0)));
    run(folder().path(), &plan, &emulator).await.unwrap();
    let (before, _) = counted(&emulator);
    let state = folder();
    run(state.path(), &plan, &emulator).await.unwrap();
    let calls = counted(&emulator).0 - before;
    assert_eq!((emulator.jobs().len(), completed(state.path())), (40, 40));
    assert!(calls <= 100, "{calls} calls for 40 restores");
    emulator.shutdown().await;
}

/// Without a journal, long jobs of another machine are adopted: a listing of everything begins when they began.
#[tokio::test]
async fn adopted_jobs_are_watched_by_listings() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(Fault::new(
        Operation::StartRestoreJob,
        FaultKind::Job(JobFault::Slow(60)),
    ));
    let plan = many(50, 0);
    let first = folder();
    run_until_jobs(first.path(), &plan, &emulator, 50).await;
    later(&emulator, emulator.jobs()[0].created_at, 30);
    let before = counted(&emulator);
    let state = folder();
    run(state.path(), &plan, &emulator).await.unwrap();
    let after = counted(&emulator);
    let (calls, described) = (after.0 - before.0, after.1 - before.1);
    assert_eq!((emulator.jobs().len(), completed(state.path())), (50, 50));
    assert!(
        described < 100,
        "{calls} calls, {described} of them descriptions, for 50 jobs; {:?}",
        emulator.calls()
    );
    emulator.shutdown().await;
}
