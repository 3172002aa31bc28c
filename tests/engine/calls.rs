//! How many calls it takes to find and to watch many jobs.

use redrill::emulator::{Fault, FaultKind, JobFault, Operation, TokenSemantics};

use super::{at, counted, one_point};
use crate::harness::{completed, driven, run};
use crate::support::{emulator, folder, many};

/// Many restores out of one recovery point, without a journal: each is compared with each.
#[tokio::test]
async fn many_restores_of_one_point_are_not_compared_each_with_each() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = one_point(40);
    run(folder().path(), &plan, &emulator).await.unwrap();
    let before: u64 = emulator.calls().values().sum();
    let state = folder();
    run(state.path(), &plan, &emulator).await.unwrap();
    let calls: u64 = emulator.calls().values().sum::<u64>() - before;
    assert_eq!((emulator.jobs().len(), completed(state.path())), (40, 40));
    assert!(calls <= 100, "{calls} calls for 40 restores");
    emulator.shutdown().await;
}

/// Without a journal, long jobs of another machine are adopted: each listing of everything begins at the adoption, shows none
/// of them, and each is described.
#[tokio::test]
async fn adopted_jobs_are_watched_by_listings() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(Fault::new(
        Operation::StartRestoreJob,
        FaultKind::Job(JobFault::Slow(60)),
    ));
    let plan = many(50, 0);
    let first = folder();
    tokio::select! {
        _ = run(first.path(), &plan, &emulator) => unreachable!(),
        () = async {
            while emulator.jobs().len() < 50 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    at(&emulator, emulator.jobs()[0].created_at, 30);
    let before: u64 = emulator.calls().values().sum();
    let described = counted(&emulator, Operation::DescribeRestoreJob);
    let state = folder();
    run(state.path(), &plan, &emulator).await.unwrap();
    let calls: u64 = emulator.calls().values().sum::<u64>() - before;
    let described = counted(&emulator, Operation::DescribeRestoreJob) - described;
    assert_eq!((emulator.jobs().len(), completed(state.path())), (50, 50));
    assert!(
        described < 100,
        "{calls} calls, {described} of them descriptions, for 50 jobs; {:?}",
        emulator.calls()
    );
    emulator.shutdown().await;
}
