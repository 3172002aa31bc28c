//! Scripted faults, as the SDK meets them.

use std::time::Duration;

use aws_sdk_backup::error::SdkError;
use redrill_emulator::{Fault, FaultKind, Faults, Operation};

use crate::clients::*;

async fn with_fault(fault: Fault) -> Emulator {
    start(Options {
        faults: Faults(vec![fault]),
        ..standing()
    })
    .await
}

#[tokio::test]
async fn throttled_so_many_times() {
    let fault = Fault::new(Operation::ListRestoreJobs, FaultKind::Throttle);
    let emulator = with_fault(fault.times(2)).await;
    let client = sdk(&emulator);
    for _ in 0..2 {
        assert_eq!(
            refusal(client.list_restore_jobs().send().await),
            ("ThrottlingException".into(), "Rate exceeded".into())
        );
    }
    client.list_restore_jobs().send().await.unwrap();
    start_ec2(&client, "t1").await;
    assert_eq!(emulator.calls()[&Operation::ListRestoreJobs], 3);
    assert_eq!(emulator.calls()[&Operation::StartRestoreJob], 1);
}

#[tokio::test]
async fn an_outage_begins_and_ends() {
    let emulator = start(standing()).await;
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    let describe = || client.describe_restore_job().restore_job_id(&id).send();
    for (kind, code) in [
        (FaultKind::internal_failure(), "InternalFailure"),
        (
            FaultKind::service_unavailable(),
            "ServiceUnavailableException",
        ),
        (FaultKind::expired_token(), "ExpiredTokenException"),
    ] {
        emulator.inject(Fault::everywhere(kind));
        assert_eq!(refusal(describe().await).0, code);
        emulator.clear_faults();
        describe().await.unwrap();
    }
}

#[tokio::test]
async fn the_sdk_retries_what_it_can() {
    let fault = Fault::new(Operation::StartRestoreJob, FaultKind::internal_failure());
    let emulator = with_fault(fault.times(2)).await;
    let client = sdk_with(&emulator, "us-east-1", "AKIDEXAMPLE", 3);
    start_ec2(&client, "t1").await;
    assert_eq!(emulator.jobs().len(), 1);
    assert_eq!(emulator.calls()[&Operation::StartRestoreJob], 3);
}

#[tokio::test]
async fn a_reset_before_starts_nothing_a_reset_after_starts_a_job() {
    for (kind, jobs) in [(FaultKind::ResetBefore, 0), (FaultKind::ResetAfter, 1)] {
        let fault = Fault::new(Operation::StartRestoreJob, kind);
        let emulator = with_fault(fault.times(1)).await;
        let client = sdk(&emulator);
        let request = client
            .start_restore_job()
            .recovery_point_arn(EC2)
            .metadata("InstanceType", "t3.micro")
            .iam_role_arn("arn:aws:iam::123456789012:role/restore")
            .idempotency_token("t1");
        let error = request.send().await.unwrap_err();
        assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
        assert_eq!(emulator.jobs().len(), jobs);
        // The same token settles it.
        let id = start_ec2(&client, "t1").await;
        let all = emulator.jobs();
        assert_eq!((all.len(), &all[0].id), (1, &id));
    }
}

#[tokio::test]
async fn a_slow_answer_comes_after_the_deed() {
    let emulator = with_fault(Fault::new(
        Operation::StartRestoreJob,
        FaultKind::Latency(Duration::from_secs(3600)),
    ))
    .await;
    let client = sdk(&emulator);
    let pending = tokio::spawn(async move { start_ec2(&client, "t1").await });
    while emulator.jobs().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!pending.is_finished());
    pending.abort();
}

#[tokio::test]
async fn the_account_check_can_fail_too() {
    let fault = Fault::new(Operation::GetCallerIdentity, FaultKind::expired_token());
    let emulator = with_fault(fault.times(1)).await;
    let sts = crate::wire::sts(&emulator, "AKIDEXAMPLE");
    assert_eq!(
        refusal(sts.get_caller_identity().send().await).0,
        "ExpiredTokenException"
    );
    sts.get_caller_identity().send().await.unwrap();
}
