//! The life of a job.

use aws_sdk_backup::types::RestoreJobStatus;
use redrill_emulator::{JobStatus, Options, Speed};

use crate::clients::*;

#[tokio::test]
async fn from_pending_to_completed() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    let describe = || client.describe_restore_job().restore_job_id(&id).send();
    let created = emulator.clock().now();

    let job = describe().await.unwrap();
    assert_eq!(job.status(), Some(&RestoreJobStatus::Pending));
    assert_eq!(job.account_id(), Some("123456789012"));
    assert_eq!(job.recovery_point_arn(), Some(EC2));
    assert_eq!(
        job.backup_vault_arn(),
        Some("arn:aws:backup:us-east-1:123456789012:backup-vault:primary")
    );
    assert_eq!(
        job.source_resource_arn(),
        Some("arn:aws:ec2:us-east-1:123456789012:instance/i-0a1b2c3d4e5f60718")
    );
    assert_eq!(job.resource_type(), Some("EC2"));
    assert_eq!(millis(job.creation_date()), created.as_millisecond());
    assert_eq!(job.completion_date(), None);
    assert_eq!(job.created_resource_arn(), None);
    assert!(!job.is_parent());

    assert!(advance(&emulator));
    let job = describe().await.unwrap();
    assert_eq!(job.status(), Some(&RestoreJobStatus::Running));
    assert_eq!(job.percent_done(), Some("0.00%"));
    assert_eq!(job.backup_size_in_bytes(), Some(0));
    assert_eq!(job.created_resource_arn(), None);

    assert!(advance(&emulator));
    let job = describe().await.unwrap();
    assert_eq!(job.status(), Some(&RestoreJobStatus::Completed));
    assert_eq!(job.percent_done(), Some("100.00%"));
    assert_eq!(job.backup_size_in_bytes(), Some(8 << 30));
    let arn = job.created_resource_arn().unwrap();
    assert!(
        arn.starts_with("arn:aws:ec2:us-east-1:123456789012:instance/i-"),
        "{arn}"
    );
    // 8 GiB in a minute, as recorded.
    let took = millis(job.completion_date()) - created.as_millisecond();
    assert_eq!(took, 60_000);
    assert!(!advance(&emulator), "nothing is left to happen");
}

#[tokio::test]
async fn a_job_fails_with_the_message_of_the_inventory_and_in_its_time() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let request = client
        .start_restore_job()
        .recovery_point_arn(RDS)
        .metadata("DBInstanceIdentifier", "orders-drill");
    let id = request.send().await.unwrap().restore_job_id.unwrap();
    let start = emulator.clock().now();
    while advance(&emulator) {}
    let job = client.describe_restore_job().restore_job_id(&id).send();
    let job = job.await.unwrap();
    assert_eq!(job.status(), Some(&RestoreJobStatus::Failed));
    assert_eq!(job.status_message(), Some("Access denied to KMS key."));
    assert_eq!(job.created_resource_arn(), None);
    let took = millis(job.completion_date()) - start.as_millisecond();
    assert_eq!(took, (90 * 60 + 10) * 1000);
}

#[tokio::test]
async fn some_types_tell_the_created_resource_early() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let request = client
        .start_restore_job()
        .recovery_point_arn(FSX)
        .metadata("Name", "restored_vol")
        .metadata(
            "OntapConfiguration",
            r#"{"storageVirtualMachineId":"svm-0123456789abcdef0"}"#,
        );
    request.send().await.unwrap();
    advance(&emulator);
    let jobs = emulator.jobs();
    assert_eq!(jobs[0].status, JobStatus::Running);
    let arn = jobs[0].created_resource_arn.as_deref().unwrap();
    assert!(
        arn.starts_with("arn:aws:fsx:us-east-1:123456789012:volume/fs-"),
        "{arn}"
    );
}

#[tokio::test]
async fn recorded_job_failures_are_provoked_by_the_request() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let request = client
        .start_restore_job()
        .recovery_point_arn(EC2)
        .metadata("SecurityGroupIds", "sg-0123456789abcdef0");
    request.send().await.unwrap();
    let request = client
        .start_restore_job()
        .recovery_point_arn(EC2)
        .metadata("IamInstanceProfileName", "another");
    request.send().await.unwrap();
    while advance(&emulator) {}
    let messages: Vec<_> = emulator
        .jobs()
        .into_iter()
        .map(|job| job.status_message.unwrap())
        .collect();
    assert_eq!(
        messages,
        [
            "Restore metadata is invalid.",
            "AWS Backup does not permit attaching a new instance profile to an EC2 instance. Please restore using the backed up instance profile."
        ]
    );
}

#[tokio::test]
async fn metadata_comes_back_and_the_request_is_kept() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    let role = "arn:aws:iam::123456789012:role/restore";
    let request = client
        .start_restore_job()
        .recovery_point_arn(EC2)
        .metadata("a", "b");
    let with_role = request.iam_role_arn(role).send().await.unwrap();
    let job = client
        .describe_restore_job()
        .set_restore_job_id(with_role.restore_job_id);
    assert_eq!(job.send().await.unwrap().iam_role_arn(), Some(role));
    let found = client.get_restore_job_metadata().restore_job_id(&id).send();
    let found = found.await.unwrap();
    assert_eq!(found.restore_job_id(), Some(&*id));
    assert_eq!(found.metadata().unwrap()["InstanceType"], "t3.micro");
    let jobs = emulator.jobs();
    assert_eq!(jobs[0].id, id);
    assert_eq!(jobs[0].token.as_deref(), Some("t1"));
    assert_eq!(jobs[0].metadata["InstanceType"], "t3.micro");
    assert_eq!(jobs[0].request["RecoveryPointArn"], EC2);
}

#[tokio::test]
async fn unknown_jobs_are_not_found() {
    let emulator = listed().await;
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    for (client, id) in [
        (&client, "1323657E-2AA4-1D94-2C48-5D7A423E7394"),
        (&sdk_with(&emulator, "eu-west-1", "AKIDEXAMPLE", 1), &id),
        (&sdk_with(&emulator, "us-east-1", "210987654321", 1), &id),
    ] {
        let (code, _) = refusal(
            client
                .describe_restore_job()
                .restore_job_id(id)
                .send()
                .await,
        );
        assert_eq!(code, "ResourceNotFoundException");
        let answer = client.get_restore_job_metadata().restore_job_id(id).send();
        assert_eq!(refusal(answer.await).0, "ResourceNotFoundException");
    }
}

/// Behaviour for an outside client at `--speed max`: each look at a job jumps to its next change, after the answer.
#[tokio::test]
async fn at_full_speed_looking_moves_the_clock() {
    let emulator = start(Options {
        speed: Speed::Max,
        ..Options::default()
    })
    .await;
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    let before = emulator.clock().now();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let job = client.describe_restore_job().restore_job_id(&id).send();
        seen.push(job.await.unwrap().status().unwrap().as_str().to_owned());
    }
    assert_eq!(seen, ["PENDING", "RUNNING", "COMPLETED", "COMPLETED"]);
    let after = emulator.clock().now();
    assert_eq!(after.duration_since(before).as_secs(), 60);

    // A list jumps to where each of those that it is about has changed: the sooner one has ended by then.
    let second = start_ec2(&client, "t2").await;
    let request = client.start_restore_job().recovery_point_arn(RDS);
    let third = request.metadata("DBInstanceIdentifier", "x").send().await;
    let third = third.unwrap().restore_job_id.unwrap();
    let mut looks = 0;
    let mut ended: Vec<String> = Vec::new();
    while ended.len() < 3 {
        looks += 1;
        let page = client.list_restore_jobs().send().await.unwrap();
        let done = page
            .restore_jobs()
            .iter()
            .filter(|job| job.status() == Some(&RestoreJobStatus::Completed));
        for id in done.filter_map(|job| job.restore_job_id()) {
            if !ended.iter().any(|other| other == id) {
                ended.push(id.to_owned());
            }
        }
    }
    assert_eq!((looks, ended), (3, vec![id, third, second]));
}

#[tokio::test]
async fn time_runs_by_itself_at_a_speed() {
    let emulator = start(Options {
        speed: Speed::Times(1e6),
        ..Options::default()
    })
    .await;
    let client = sdk(&emulator);
    let id = start_ec2(&client, "t1").await;
    loop {
        let job = client.describe_restore_job().restore_job_id(&id).send();
        let job = job.await.unwrap();
        if job.status() == Some(&RestoreJobStatus::Completed) {
            let start = millis(job.creation_date());
            let end = millis(job.completion_date());
            assert_eq!(end - start, 60_000);
            break;
        }
    }
}

/// By hand: 8 GiB take 10 min and 163 s at 50 MiB a second. The first runs from 10 s to 12 min 53 s, and the second, which
/// waits for its end, as long again.
#[tokio::test]
async fn an_estimate_of_real_time() {
    let emulator = start(standing()).await;
    let client = sdk(&emulator);
    assert_eq!(emulator.estimate(), None);
    let mut ids = Vec::new();
    for fault in [None, None, Some("job-waits")] {
        if let Some(fault) = fault {
            emulator.inject(fault.parse().unwrap());
        }
        let request = client
            .start_restore_job()
            .recovery_point_arn(EFS)
            .resource_type("Timestream")
            .metadata("DatabaseName", "sensors")
            .metadata("TableName", "readings");
        ids.push(request.send().await.unwrap().restore_job_id.unwrap());
    }
    while advance(&emulator) {}
    let estimate = emulator.estimate().unwrap();
    let seconds = jiff::SignedDuration::from_secs;
    let one = seconds(600 + 163);
    assert_eq!(estimate.total, seconds(10) + one + one);
    assert_eq!(estimate.chain, [ids[1].as_str()]);
    assert_eq!(
        (estimate.chain_took, estimate.chain_waited),
        (estimate.total, one)
    );
    assert_eq!((estimate.waited, estimate.endless), (1, 1));
    assert!(estimate.starting.is_zero(), "five may start in a second");
    let words = estimate.to_string();
    assert!(
        words.contains("estimated at AWS: 25m 36s (longest chain: 1 restore"),
        "{words}"
    );
}
