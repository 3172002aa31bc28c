//! Backup access points and malware scans, from outside.

use aws_sdk_backup::primitives::DateTime;
use jiff::SignedDuration;

use crate::clients::*;

async fn buckets(options: Options) -> Emulator {
    start(Options {
        inventory: Some(Inventory::parse(BUCKETS).unwrap()),
        ..options
    })
    .await
}

async fn create(client: &aws_sdk_backup::Client, name: &str, point: &str) -> (String, String) {
    let made = client.create_backup_access_point().name(name);
    let made = made.recovery_point_arn(point).send().await;
    match made {
        Ok(made) => ("created".to_owned(), made.access_point_arn().to_owned()),
        error => refusal(error),
    }
}

#[tokio::test]
async fn from_creating_to_gone() {
    let emulator = buckets(standing()).await;
    let client = sdk(&emulator);
    let (_, arn) = create(&client, "orders", BUCKET).await;
    assert_eq!(
        arn,
        "arn:aws:backup:us-east-1:123456789012:accesspoint/orders"
    );
    let describe = || {
        client
            .describe_backup_access_point()
            .access_point_arn(&arn)
            .send()
    };
    let one = describe().await.unwrap();
    assert_eq!(one.status().as_str(), "CREATING");
    assert!(one.access_point_metadata().is_none_or(|map| map.is_empty()));
    let later = |minutes| {
        let clock = emulator.clock();
        clock.advance_to(clock.now() + SignedDuration::from_mins(minutes));
    };
    later(1);
    let one = describe().await.unwrap();
    assert_eq!(one.status().as_str(), "AVAILABLE");
    assert_eq!(one.resource_arn(), "arn:aws:s3:::amzn-s3-demo-bucket");
    let metadata = one.access_point_metadata().unwrap();
    let read_through = "arn:aws:s3:us-east-1:123456789012:accesspoint/orders";
    assert_eq!(metadata["S3AccessPointArn"], read_through);
    assert!(metadata["S3AccessPointAlias"].ends_with("-s3alias"));
    let (code, _) = create(&client, "orders", BUCKET).await;
    assert_eq!(code, "AlreadyExistsException");
    let delete = || {
        client
            .delete_backup_access_point()
            .access_point_arn(&arn)
            .send()
    };
    delete().await.unwrap();
    assert_eq!(describe().await.unwrap().status().as_str(), "DELETING");
    later(1);
    assert_eq!(refusal(describe().await).0, "ResourceNotFoundException");
    assert_eq!(refusal(delete().await).0, "ResourceNotFoundException");
    create(&client, "orders", BUCKET).await;
}

#[tokio::test]
async fn five_of_a_recovery_point_and_of_s3_alone() {
    let emulator = buckets(standing()).await;
    let client = sdk(&emulator);
    for n in 0..5 {
        assert_eq!(
            create(&client, &format!("orders-{n}"), BUCKET).await.0,
            "created"
        );
    }
    assert_eq!(
        create(&client, "orders-5", BUCKET).await.0,
        "LimitExceededException"
    );
    let arn = "arn:aws:backup:us-east-1:123456789012:accesspoint/orders-0";
    client
        .delete_backup_access_point()
        .access_point_arn(arn)
        .send()
        .await
        .unwrap();
    assert_eq!(create(&client, "orders-5", BUCKET).await.0, "created");

    let listed = listed().await;
    let (code, words) = create(&sdk(&listed), "files", EFS).await;
    assert_eq!(code, "InvalidRequestException");
    assert!(words.contains("EFS"), "{words}");
    let nowhere = "arn:aws:backup:us-east-1:123456789012:recovery-point:nowhere";
    assert_eq!(
        create(&sdk(&listed), "files", nowhere).await.0,
        "ResourceNotFoundException"
    );

    let making = BUCKETS.replace("    status: AVAILABLE", "    status: CREATING");
    let inventory = Some(Inventory::parse(&making).unwrap());
    let emulator = start(Options {
        inventory,
        ..standing()
    })
    .await;
    let client = sdk(&emulator);
    let made = client
        .create_backup_access_point()
        .name("orders")
        .recovery_point_arn(CONTINUOUS);
    let made = made.access_point_metadata("AccessPointInTime", "2026-11-20T02:00:00Z");
    assert_eq!(refusal(made.send().await).0, "InvalidRequestException");
}

#[tokio::test]
async fn a_continuous_one_is_read_as_of_a_time() {
    let emulator = buckets(standing()).await;
    let client = sdk(&emulator);
    assert_eq!(
        create(&client, "orders", CONTINUOUS).await.0,
        "InvalidParameterValueException"
    );
    let at = |point: &str, time: &str| {
        let made = client
            .create_backup_access_point()
            .name("orders")
            .recovery_point_arn(point);
        made.access_point_metadata("AccessPointInTime", time).send()
    };
    let invalid = "InvalidParameterValueException";
    assert_eq!(refusal(at(CONTINUOUS, "yesterday").await).0, invalid);
    assert_eq!(refusal(at(BUCKET, "2026-11-20T02:00:00Z").await).0, invalid);
    at(CONTINUOUS, "2026-11-20T02:00:00Z").await.unwrap();
}

#[tokio::test]
async fn looks_move_a_standing_clock_and_some_never_come() {
    let options = Options {
        speed: Speed::Max,
        ..Options::default()
    };
    let emulator = buckets(options).await;
    let client = sdk(&emulator);
    let mut seen = Vec::new();
    let (_, arn) = create(&client, "broken", BUCKET).await;
    for _ in 0..2 {
        let one = client
            .describe_backup_access_point()
            .access_point_arn(&arn)
            .send();
        seen.push(one.await.unwrap());
    }
    assert_eq!(seen[0].status().as_str(), "CREATING");
    assert_eq!(seen[1].status().as_str(), "FAILED");
    assert_eq!(seen[1].status_message(), Some("The key is disabled."));
}

/// Access points come back with the state, and those that were deleted do not.
#[tokio::test]
async fn they_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.jsonl");
    let options = || Options {
        state: Some(state.clone()),
        ..standing()
    };
    let emulator = buckets(options()).await;
    let client = sdk(&emulator);
    create(&client, "orders", BUCKET).await;
    let (_, gone) = create(&client, "gone", BUCKET).await;
    client
        .delete_backup_access_point()
        .access_point_arn(gone)
        .send()
        .await
        .unwrap();
    emulator
        .clock()
        .advance_to(emulator.clock().now() + SignedDuration::from_mins(5));
    emulator.shutdown().await;
    let emulator = buckets(options()).await;
    let all = sdk(&emulator)
        .list_backup_access_points()
        .send()
        .await
        .unwrap();
    let names: Vec<&str> = all
        .backup_access_points()
        .iter()
        .map(|one| one.name())
        .collect();
    assert_eq!(names, ["orders"]);
    assert_eq!(all.backup_access_points()[0].status().as_str(), "AVAILABLE");
}

/// Not scanned is not clean.
#[tokio::test]
async fn malware_is_known_from_a_time_on() {
    let emulator = buckets(standing()).await;
    let client = sdk(&emulator);
    let found = |point: &str, at: &str| {
        let scans = client
            .get_pitr_malware_scan_results()
            .recovery_point_arn(point);
        let at: jiff::Timestamp = at.parse().unwrap();
        let scans = scans
            .backup_vault_name("buckets")
            .malware_scanner("GUARDDUTY".into());
        scans
            .scan_end_time(DateTime::from_secs(at.as_second()))
            .send()
    };
    for (point, at, status) in [
        (CONTINUOUS, "2026-11-19T11:59:59Z", "NO_THREATS_FOUND"),
        (CONTINUOUS, "2026-11-19T12:00:00Z", "THREATS_FOUND"),
        (BUCKET, "2026-11-19T12:00:00Z", "UNKNOWN"),
    ] {
        let answer = found(point, at).await.unwrap();
        let result = answer.scan_result().unwrap().scan_result_status();
        assert_eq!(result.as_str(), status, "{at}");
        assert_eq!(answer.scan_id().is_some(), status != "UNKNOWN");
    }
}
