//! What is slow, late, held back or over, and what the engine makes of it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use redrill::diff::Stage;
use redrill::emulator::{Fault, FaultKind, Operation, TokenSemantics};
use redrill::execute::{Ended, Event, Policy, Recorded, Stopped, Writer};
use redrill::journal;
use redrill::plan::Request;

use super::{going, point, stage_of};
use crate::harness::{completed, connect, driven, fast, run, run_going};
use crate::support::{emulator, folder, many};

/// The network goes, the lid closes; two hours later the first call comes a second before the network does.
#[tokio::test]
async fn a_sleep_during_trouble_is_not_two_hours_of_silence() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(Fault::new(Operation::DescribeRestoreJob, FaultKind::ResetBefore).times(2));
    let clock = emulator.clock();
    let state = folder();
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Trouble { .. } = recorded.event {
            clock.advance_to(clock.now() + SignedDuration::from_hours(2));
        }
    };
    let ended = run_going(
        state.path(),
        &many(1, 0),
        &emulator,
        going(fast(), &mut onlooker),
    )
    .await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    emulator.shutdown().await;
}

/// DescribeRestoreJob does not know a job yet that was started a second ago: the whole run stops.
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

/// What is due and held back by the rates: the engine waits for a time that has passed, that is, it spins until they let it;
/// where idle time is skipped (`rehearse`), for ever.
#[tokio::test]
async fn what_the_rates_hold_back_is_waited_for() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = many(5, 0);
    let state = folder();
    tokio::select! {
        _ = run(state.path(), &plan, &emulator) => unreachable!(),
        () = async {
            let mut accepted = 0;
            while accepted < 5 {
                tokio::task::yield_now().await;
                let directory = journal::directory(state.path(), "many", "main");
                accepted = journal::read(&directory).map_or(0, |all| {
                    all.iter().filter(|one| matches!(one.event, Event::Accepted { .. })).count()
                });
            }
        } => {}
    }
    let mut nothing = |_: &Recorded| {};
    let ended = run_going(
        state.path(),
        &plan,
        &emulator,
        going(Policy::default(), &mut nothing),
    )
    .await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    emulator.shutdown().await;
}

/// One restore has a twin, and the run stops: others that were being compared are started all the same, later.
#[tokio::test]
async fn a_run_that_has_stopped_starts_nothing_new() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let aws = connect(&emulator).await;
    for at in 0..20 {
        let twin = at == 0;
        let mut metadata: BTreeMap<String, String> = [
            ("file-system-id", "fs-0a1b2c3d"),
            ("newFileSystem", "true"),
            ("Encrypted", "true"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        let token = if twin { "r0-main" } else { "else" };
        metadata.insert("CreationToken".to_owned(), token.to_owned());
        let request = Request {
            copy_source_tags_to_restored_resource: None,
            iam_role_arn: Some("arn:aws:iam::123456789012:role/restore".to_owned()),
            idempotency_token: Some(format!("s{at}")),
            metadata: metadata.into_iter().collect(),
            recovery_point_arn: point(at),
            resource_type: "EFS".to_owned(),
        };
        aws.start(&request).await.unwrap();
    }
    let state = folder();
    let mut nothing = |_: &Recorded| {};
    let ended = run_going(
        state.path(),
        &many(20, 0),
        &emulator,
        going(Policy::default(), &mut nothing),
    )
    .await;
    assert!(matches!(ended, Err(Stopped::Twin { .. })), "{ended:?}");
    let started = emulator.jobs().len() - 20;
    assert!(started <= 2, "{started} of 19 were started");
    emulator.shutdown().await;
}

/// Without a journal; the listing does not say what a job has made (AWS does not promise it), a description would. What hangs
/// on it counts as failed, although its job is there.
#[tokio::test]
async fn what_a_listing_leaves_out_is_asked_for() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let plan = format!(
        "{}  late:\n    type: EFS\n    needs: [r0]\n    recovery_point: \"arn:aws:backup:us-west-2:123456789012:recovery-point:{{{{ restores.r0.created.job_id }}}}\"\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      CreationToken: late\n",
        many(1, 0)
    );
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

/// One listing is refused once (a signature that was made before a sleep): from there on each job is described, for good.
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
        let mut nothing = |_: &Recorded| {};
        let ended = run_going(
            state.path(),
            &many(200, 0),
            &emulator,
            going(Policy::default(), &mut nothing),
        )
        .await;
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
    let refused = FaultKind::Error {
        status: 400,
        code: "InvalidParameterValueException".to_owned(),
        message: "no".to_owned(),
    };
    emulator.inject(Fault::new(Operation::StartRestoreJob, refused).times(1));
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::ResetBefore).times(1));
    let plan = many(2, 0) + "on_failure: stop\n";
    let state = folder();
    let ended = run(state.path(), &plan, &emulator).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!(emulator.jobs().len(), 0);
    let stages = ["r0", "r1"].map(|name| stage_of(state.path(), name));
    assert!(stages.contains(&Stage::Intended), "{stages:?}");
    run(state.path(), &plan, &emulator).await.unwrap();
    assert_eq!((emulator.jobs().len(), completed(state.path())), (1, 1));
    emulator.shutdown().await;
}
