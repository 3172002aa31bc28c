//! ListRestoreJobs: filters and pages.

use aws_sdk_backup::primitives::DateTime;
use aws_sdk_backup::types::RestoreJobStatus;
use jiff::{SignedDuration, Timestamp};

use crate::clients::*;

fn time(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.as_millisecond())
}

#[tokio::test]
async fn pages_hold_every_job_once_the_newest_first() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(start_ec2(&client, &format!("t{n}")).await);
    }
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let request = client.list_restore_jobs().max_results(3);
        let page = request.set_next_token(token).send().await.unwrap();
        seen.extend(
            page.restore_jobs()
                .iter()
                .map(|j| j.restore_job_id().unwrap().to_owned()),
        );
        // A job that comes in between moves no page.
        start_ec2(&client, &format!("late{}", seen.len())).await;
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    ids.reverse();
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn filters() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let clock = emulator.clock();
    let first_at = clock.now();
    let first = start_ec2(&client, "t1").await;
    clock.advance_to(first_at + SignedDuration::from_hours(1));
    let second_at = clock.now();
    let request = client
        .start_restore_job()
        .recovery_point_arn(EFS)
        .metadata("file-system-id", "fs-0a1b2c3d")
        .metadata("newFileSystem", "false");
    let second = request.send().await.unwrap().restore_job_id.unwrap();

    let list = || client.list_restore_jobs();
    let ids = async |request: aws_sdk_backup::operation::list_restore_jobs::builders::ListRestoreJobsFluentBuilder| {
        let page = request.send().await.unwrap();
        let jobs = page.restore_jobs().iter();
        jobs.map(|job| job.restore_job_id().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (first, second) = (vec![first], vec![second]);
    let none: Vec<String> = vec![];
    assert_eq!(ids(list()).await, [&second[..], &first[..]].concat());
    assert_eq!(ids(list().by_resource_type("EFS")).await, second);
    assert_eq!(
        ids(list().by_status(RestoreJobStatus::Completed)).await,
        first
    );
    assert_eq!(
        ids(list().by_status(RestoreJobStatus::Pending)).await,
        second
    );
    assert_eq!(ids(list().by_created_after(time(first_at))).await, second);
    assert_eq!(ids(list().by_created_before(time(second_at))).await, first);
    assert_eq!(ids(list().by_complete_before(time(second_at))).await, first);
    assert_eq!(ids(list().by_complete_after(time(second_at))).await, none);
    assert_eq!(
        ids(list().by_account_id("123456789012").by_resource_type("EC2")).await,
        first
    );
    assert_eq!(ids(list().by_account_id("210987654321")).await, none);
    assert_eq!(ids(list().by_parent_job_id("x")).await, none);
    let plan = "arn:aws:backup:us-east-1:123456789012:restore-testing-plan:p";
    assert_eq!(ids(list().by_restore_testing_plan_arn(plan)).await, none);
    let elsewhere = sdk_with(&emulator, "eu-west-1", "AKIDEXAMPLE", 1);
    assert_eq!(ids(elsewhere.list_restore_jobs()).await, none);
}

#[tokio::test]
async fn bad_parameters_are_refused() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    for n in 0..3 {
        start_ec2(&client, &format!("t{n}")).await;
    }
    let list = || client.list_restore_jobs();
    let page = list().max_results(1).send().await.unwrap();
    let token = page.next_token.unwrap();
    for request in [
        list().max_results(0),
        list().max_results(1001),
        list().next_token("guess"),
        list()
            .next_token(&token)
            .by_status(RestoreJobStatus::Failed),
        list().by_account_id("me"),
        list().by_status(RestoreJobStatus::from("DONE")),
    ] {
        assert_eq!(
            refusal(request.send().await).0,
            "InvalidParameterValueException"
        );
    }
    list()
        .max_results(2)
        .next_token(&token)
        .send()
        .await
        .unwrap();
}
