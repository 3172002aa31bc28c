//! Cleanup beside others: a run that somebody works on, and what somebody has deleted already.

use redrill::cleanup::{DeleteAnswer, DeletionProgress, Resources as _};
use redrill::ids::{AccountId, ClientToken, PlaceIndex, RegionName, RunId};
use redrill::state::{Append as _, Event, Recorded};

use crate::harness::owner;
use crate::support::{at_once, emulator, folder, journal_of, many, ran, write};

const RUN: [&str; 4] = ["run", "plan.yaml", "--yes", "-q"];

/// A run that has begun and made nothing yet is held like any other: what it makes next would be left.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_cleanup_beside_a_run_that_has_just_begun() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    let state = folder.path().join(".redrill");
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    let mut journal = journal_of(&state, "many", "main", &owner(1), false).unwrap();
    let refused = async || {
        let (code, stdout, stderr) = on(&["cleanup", "plan.yaml", "--yes"]).await;
        assert_eq!((code, stdout.as_str()), (10, ""), "{stderr}");
        assert!(stderr.contains("(process 1) holds this run"), "{stderr}");
    };
    // Not even its first record is there.
    refused().await;
    let (code, stdout, stderr) = on(&RUN).await;
    assert_eq!(code, 10, "{stdout}{stderr}");
    let opened = Event::RunOpened {
        plan: "many".to_owned(),
        run: RunId::new("main"),
        redrill: "test".to_owned(),
        world: None,
        target: redrill::render::Target {
            region: RegionName::new("us-west-2"),
            account: AccountId::new("123456789012"),
            ..Default::default()
        },
        others: Vec::new(),
        file: "plan.yaml".to_owned(),
        options: Vec::new(),
        saved_plan: None,
        reports: None,
        forecast: None,
    };
    let recorded = Recorded {
        at: jiff::Timestamp::UNIX_EPOCH,
        aws_ahead: None,
        event: opened,
    };
    journal.append(&[recorded]).await.unwrap();
    refused().await;
    // What would be deleted may be looked at, and who works on it is said.
    let (code, _, stderr) = on(&["cleanup", "plan.yaml", "--dry-run"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("(process 1) has worked on this run"),
        "{stderr}"
    );
    drop(journal);
    let (code, _, stderr) = on(&["cleanup", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 0, "{stderr}");
    emulator.shutdown().await;
}

/// What somebody else has deleted was not deleted by this command.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_what_is_already_gone_is_not_said_to_be_deleted() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(3, 0));
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    assert_eq!(on(&RUN).await.0, 0);
    // Somebody else, such as in the console.
    let arn = emulator.resources("123456789012").swap_remove(1);
    let named = redrill::cleanup::Named {
        type_name: "AWS::EFS::FileSystem".to_owned(),
        identifier: arn.rsplit('/').next().unwrap().to_owned(),
        is_name: false,
        place: PlaceIndex::FIRST,
    };
    let aws = crate::harness::connect(&emulator).await;
    let asked = aws
        .delete(&named, &ClientToken::new("another-token"))
        .await
        .unwrap();
    let DeleteAnswer::Request(request) = asked else {
        panic!("{asked:?}");
    };
    while aws.progress(&named, &request).await.unwrap() != DeletionProgress::Done {}
    let (code, stdout, stderr) = on(&["cleanup", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(
        stdout,
        "many run main: 2 deleted (verified), 1 already gone, 0 remaining\n"
    );
    emulator.shutdown().await;
}

/// The result lists what is left in the plan's order, however many are deleted at once.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_many_are_deleted_at_once_and_told_in_their_order() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(60, 20));
    let on = async |arguments: &[&str]| ran(folder.path(), &emulator, arguments).await;
    assert_eq!(on(&RUN).await.0, 0);
    let (code, stdout, stderr) = on(&["cleanup", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(
        stdout,
        "many run main: 60 deleted (verified), 0 remaining\n"
    );
    let asked: Vec<&str> = stderr
        .lines()
        .filter_map(|line| line.split_once(": deleting")?.0.split_whitespace().last())
        .collect();
    assert_eq!(asked.len(), 60, "{stderr}");
    assert_eq!(
        asked[..2],
        ["r20", "r40"],
        "what needs something goes first"
    );
    assert!(asked[2..].is_sorted(), "{asked:?}");
    assert_eq!(emulator.resources("123456789012"), Vec::<String>::new());
    emulator.shutdown().await;
}
