//! Quotas, the log, and the state that outlives the process.

use redrill_emulator::{Fault, Operation, Quotas, StartError};

use crate::clients::*;

#[tokio::test]
async fn the_published_rates_throttle_with_the_error_of_aws() {
    let emulator = start(Options {
        quotas: Quotas::aws(),
        ..standing()
    })
    .await;
    let client = sdk(&emulator);
    for n in 0..5 {
        start_ec2(&client, &format!("t{n}")).await;
    }
    let sixth = client
        .start_restore_job()
        .recovery_point_arn(EC2)
        .metadata("a", "b");
    assert_eq!(
        refusal(sixth.clone().send().await),
        ("ThrottlingException".into(), "Rate exceeded".into())
    );
    client.list_restore_jobs().send().await.unwrap();
    // Another account has its own.
    let other = sdk_with(&emulator, "us-east-1", "210987654321", 1);
    start_ec2(&other, "t0").await;
    let clock = emulator.clock();
    clock.advance_to(clock.now() + jiff::SignedDuration::from_millis(200));
    sixth.send().await.unwrap();
}

/// At a standstill whoever is throttled would be for ever: the clock jumps by the wait.
#[tokio::test]
async fn at_full_speed_being_throttled_passes_time() {
    let emulator = start(Options {
        quotas: Quotas::parse("StartRestoreJob: 0.5").unwrap(),
        driven: false,
        ..standing()
    })
    .await;
    let client = sdk(&emulator);
    start_ec2(&client, "t1").await;
    let again = client
        .start_restore_job()
        .recovery_point_arn(EC2)
        .metadata("a", "b");
    assert_eq!(refusal(again.send().await).0, "ThrottlingException");
    start_ec2(&client, "t2").await;
}

#[tokio::test]
async fn a_line_for_each_request_and_no_secret_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("requests.jsonl");
    let fault: Fault = "reset-before,operation=GetRestoreJobMetadata"
        .parse()
        .unwrap();
    let emulator = start(Options {
        log: Some(path.clone()),
        faults: redrill_emulator::Faults(vec![fault]),
        ..standing()
    })
    .await;
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    let missing = client.describe_restore_job().restore_job_id("nope").send();
    missing.await.unwrap_err();
    let lost = client.get_restore_job_metadata().restore_job_id(id).send();
    lost.await.unwrap_err();
    crate::raw::request(&emulator, "GET /plans", "").await;
    emulator.shutdown().await;
    let text = read(&path);
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["operation"], "StartRestoreJob");
    assert_eq!(
        (&lines[0]["status"], &lines[0]["region"]),
        (&200.into(), &"us-east-1".into())
    );
    assert_eq!(lines[1]["error"], "ResourceNotFoundException");
    assert_eq!(lines[2]["status"], serde_json::Value::Null);
    assert_eq!(lines[2]["fault"], "ResetBefore");
    assert_eq!(lines[3]["operation"], serde_json::Value::Null);
    assert!(!text.contains("t3.micro"), "metadata may hold secrets");
}

#[tokio::test]
async fn jobs_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.jsonl");
    let options = || Options {
        inventory: Some(Inventory::parse(INVENTORY).unwrap()),
        state: Some(path.clone()),
        ..standing()
    };
    let mut options_with_fault = options();
    let fault: Fault = "job-aborts,after=1,times=1".parse().unwrap();
    options_with_fault.faults = redrill_emulator::Faults(vec![fault]);
    let emulator = start(options_with_fault).await;
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    advance(&emulator);
    let aborted = start_ec2(&client, "t2").await;
    let result = client.put_restore_validation_result().restore_job_id(&id);
    let result = result.validation_status("SUCCESSFUL".into());
    result.send().await.unwrap();
    let before = emulator.jobs();
    let clock = emulator.clock().now();
    emulator.shutdown().await;

    let emulator = start(options()).await;
    let client = sdk(&emulator);
    assert!(
        emulator.clock().now() >= clock,
        "time does not run backwards"
    );
    let after = emulator.jobs();
    assert_eq!((&after[0].id, &after[1].id), (&id, &aborted));
    assert_eq!(after[0].created_at, before[0].created_at);
    assert_eq!(
        start_ec2(&client, "t1").await,
        id,
        "the token is remembered"
    );
    while advance(&emulator) {}
    let job = client
        .describe_restore_job()
        .restore_job_id(&aborted)
        .send();
    assert_eq!(job.await.unwrap().status().unwrap().as_str(), "ABORTED");
    let job = client
        .describe_restore_job()
        .restore_job_id(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(job.validation_status().unwrap().as_str(), "SUCCESSFUL");
    assert_eq!(emulator.calls()[&Operation::StartRestoreJob], 1);
    drop(emulator);

    // With another inventory the jobs cannot come back.
    let other = "account: \"123456789012\"\nregion: us-east-1\nvaults: { a: {} }\n";
    let error = Emulator::start(
        ([127, 0, 0, 1], 0).into(),
        Options {
            inventory: Some(Inventory::parse(other).unwrap()),
            ..options()
        },
    )
    .await
    .unwrap_err();
    assert!(matches!(error, StartError::File { .. }), "{error}");
}

#[tokio::test]
async fn beyond_loopback_only_when_told_twice() {
    let everywhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Emulator::start(everywhere, standing()).await.unwrap_err();
    assert!(matches!(refused, StartError::NotLoopback(_)));
    let mut options = standing();
    options.exposed = true;
    let emulator = Emulator::start(everywhere, options).await.unwrap();
    emulator.shutdown().await;
}

#[expect(clippy::disallowed_methods, reason = "tests look at what was written")]
fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
