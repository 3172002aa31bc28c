//! Idempotency tokens: the documented meaning, and the others that AWS was seen with.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use redrill_emulator::{AfterFinish, Mismatch, TokenSemantics};

use crate::clients::*;

async fn with_tokens(tokens: TokenSemantics) -> Emulator {
    start(Options {
        tokens,
        ..standing()
    })
    .await
}

/// A replay with the same token and other metadata.
async fn other(client: &aws_sdk_backup::Client, token: &str) -> Result<String, (String, String)> {
    let request = client
        .start_restore_job()
        .recovery_point_arn(EC2)
        .metadata("InstanceType", "t3.large")
        .idempotency_token(token);
    match request.send().await {
        Ok(answer) => Ok(answer.restore_job_id.unwrap()),
        error => Err(refusal(error)),
    }
}

#[tokio::test]
async fn documented_a_replay_takes_no_action_ever() {
    let emulator = with_tokens(TokenSemantics::default()).await;
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    assert_eq!(start_ec2(&client, "t1").await, id);
    while advance(&emulator) {}
    assert_eq!(start_ec2(&client, "t1").await, id);
    let clock = emulator.clock();
    clock.advance_to(clock.now() + SignedDuration::from_hours(24 * 365));
    assert_eq!(start_ec2(&client, "t1").await, id);
    assert_eq!(other(&client, "t1").await, Ok(id.clone()));
    assert_eq!(emulator.jobs().len(), 1);
    assert_ne!(start_ec2(&client, "t2").await, id);
}

#[tokio::test]
async fn recorded_a_finished_job_is_named_in_a_refusal() {
    let emulator = with_tokens(TokenSemantics {
        after_finish: AfterFinish::AlreadyFinished,
        ..TokenSemantics::default()
    })
    .await;
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    assert_eq!(start_ec2(&client, "t1").await, id);
    while advance(&emulator) {}
    let request = client
        .start_restore_job()
        .recovery_point_arn(EC2)
        .metadata("InstanceType", "t3.micro")
        .iam_role_arn("arn:aws:iam::123456789012:role/restore")
        .idempotency_token("t1");
    assert_eq!(
        refusal(request.send().await),
        (
            "InvalidParameterValueException".into(),
            format!("Restore job {id} already finished")
        )
    );
    assert_eq!(emulator.jobs().len(), 1);
}

#[tokio::test]
async fn recorded_a_token_is_forgotten_after_an_hour() {
    let emulator = with_tokens(TokenSemantics {
        lifetime: Some(SignedDuration::from_hours(1)),
        ..TokenSemantics::default()
    })
    .await;
    let client = sdk(&emulator);
    let (clock, begin) = (emulator.clock(), emulator.clock().now());
    let id = start_ec2(&client, "t1").await;
    clock.advance_to(begin + SignedDuration::from_secs(3599));
    assert_eq!(start_ec2(&client, "t1").await, id);
    clock.advance_to(begin + SignedDuration::from_secs(3600));
    let second = start_ec2(&client, "t1").await;
    assert_ne!(second, id);
    assert_eq!(start_ec2(&client, "t1").await, second);
    assert_eq!(emulator.jobs().len(), 2);
}

#[tokio::test]
async fn undocumented_another_request_with_the_same_token() {
    for (mismatch, code) in [
        (
            Mismatch::InvalidParameterValue,
            "InvalidParameterValueException",
        ),
        (Mismatch::InvalidRequest, "InvalidRequestException"),
    ] {
        let emulator = with_tokens(TokenSemantics {
            mismatch,
            ..TokenSemantics::default()
        })
        .await;
        let client = sdk(&emulator);
        let id = start_ec2(&client, "t1").await;
        assert_eq!(other(&client, "t1").await.unwrap_err().0, code);
        assert_eq!(start_ec2(&client, "t1").await, id);
        assert_eq!(emulator.jobs().len(), 1);
    }
}

#[tokio::test]
async fn a_refused_request_spends_no_token() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let request = client
        .start_restore_job()
        .recovery_point_arn("arn:aws:ec2:us-east-1::image/ami-0unknown")
        .metadata("InstanceType", "t3.micro")
        .idempotency_token("t1");
    assert_eq!(refusal(request.send().await).0, "ResourceNotFoundException");
    start_ec2(&client, "t1").await;
    assert_eq!(emulator.jobs().len(), 1);
}

#[tokio::test]
async fn tokens_of_other_accounts_and_regions_are_others() {
    let emulator = with_tokens(TokenSemantics::default()).await;
    let mut ids = BTreeSet::new();
    for (region, key) in [
        ("us-east-1", "AKIDEXAMPLE"),
        ("us-east-1", "210987654321"),
        ("eu-west-1", "AKIDEXAMPLE"),
    ] {
        let client = sdk_with(&emulator, region, key, 1);
        let point = format!("arn:aws:ec2:{region}::image/ami-0abc");
        let request = client.start_restore_job().recovery_point_arn(point);
        let request = request.metadata("InstanceType", "t3.micro");
        let started = request.idempotency_token("t1").send().await.unwrap();
        ids.insert(started.restore_job_id);
    }
    assert_eq!(ids.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_replays_start_one_job() {
    let emulator = with_tokens(TokenSemantics::default()).await;
    let client = sdk(&emulator);
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { start_ec2(&client, &format!("t{}", n % 4)).await })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for task in tasks {
        ids.insert(task.await.unwrap());
    }
    assert_eq!(ids.len(), 4);
    assert_eq!(emulator.jobs().len(), 4);
}
