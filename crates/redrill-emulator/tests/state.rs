//! Effects of recovery points, policies, limits and names on restores.

use aws_sdk_backup::types::{RestoreJobStatus, RestoreValidationStatus};
use redrill_emulator::JobStatus;

use crate::clients::*;

const POINTS: &str = r#"
account: "123456789012"
region: us-east-1
deny:
  - { action: "backup:List*", resource: "arn:aws:backup:us-east-1:123456789012:backup-vault:closed", by: vault }
  - { action: "backup:StartRestoreJob", resource: "arn:aws:ec2:us-east-1::image/ami-0denied" }
  - { action: "backup:DescribeRecoveryPoint", resource: "arn:aws:ec2:us-east-1::image/ami-0denied", by: explicit }
  - { action: "iam:PassRole", resource: "arn:aws:iam::123456789012:role/admin*", by: organization }
vaults:
  closed: {}
  air: { type: LOGICALLY_AIR_GAPPED_BACKUP_VAULT, locked: true }
  primary:
    encryption_key_arn: arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
    recovery_points:
IMAGES      - arn: arn:aws:backup:us-east-1:123456789012:recovery-point:composite:eks/prod-20261120
        resource_arn: arn:aws:eks:us-east-1:123456789012:cluster/prod
        resource_type: EKS
        created_at: 2026-11-20T03:00:00Z
      - arn: arn:aws:backup:us-east-1:123456789012:recovery-point:eks/prod-20261120
        resource_arn: arn:aws:eks:us-east-1:123456789012:cluster/prod
        resource_type: EKS
        created_at: 2026-11-20T03:00:00Z
        parent: arn:aws:backup:us-east-1:123456789012:recovery-point:composite:eks/prod-20261120
      - arn: arn:aws:ec2:us-east-1::snapshot/snap-0c
        resource_arn: arn:aws:ec2:us-east-1:123456789012:volume/vol-0c
        resource_type: EBS
        created_at: 2026-11-20T03:00:00Z
        parent: arn:aws:backup:us-east-1:123456789012:recovery-point:composite:eks/prod-20261120
        restore: { duration: 2h }
      - arn: arn:aws:ec2:us-east-1::snapshot/snap-0d
        resource_arn: arn:aws:ec2:us-east-1:123456789012:volume/vol-0d
        resource_type: EBS
        created_at: 2026-11-20T03:00:00Z
        parent: arn:aws:backup:us-east-1:123456789012:recovery-point:composite:eks/prod-20261120
        restore: { fails: "No space." }
      - arn: arn:aws:backup:us-east-1:123456789012:recovery-point:composite:cloudformation/stack-1
        resource_arn: arn:aws:cloudformation:us-east-1:123456789012:stack/shop/1
        resource_type: CloudFormation
        created_at: 2026-11-20T03:00:00Z
      - arn: arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-1
        resource_arn: arn:aws:rds:us-east-1:123456789012:db:orders
        resource_type: RDS
        created_at: 2026-11-20T03:00:00Z
        tags: { team: orders }
      - arn: arn:aws:backup:us-east-1:123456789012:recovery-point:0F1E2D3C-timestream
        resource_arn: arn:aws:timestream:us-east-1:123456789012:database/d/table/t
        resource_type: Timestream
        created_at: 2026-11-20T03:00:00Z
        restore: { duration: 30m }
"#;

const COMPOSITE: &str =
    "arn:aws:backup:us-east-1:123456789012:recovery-point:composite:eks/prod-20261120";

/// Recovery points of one instance, and what is special about each.
const IMAGES: [(&str, &str); 11] = [
    ("denied", ""),
    ("creating", "status: CREATING"),
    ("deleting", "status: DELETING"),
    ("available", "status: AVAILABLE"),
    ("expired", "status: EXPIRED"),
    ("partial", "status: PARTIAL"),
    ("stopped", "status: STOPPED"),
    ("aborts", "restore: { aborts: Gone. }"),
    ("issues", "restore: { issues: Mostly. }"),
    ("hangs", "restore: { hangs: running }"),
    ("waits", "restore: { hangs: pending }"),
];

async fn world() -> Emulator {
    let images: String = IMAGES
        .iter()
        .map(|(name, special)| {
            format!(
                "      - arn: arn:aws:ec2:us-east-1::image/ami-0{name}\n        \
                 resource_arn: arn:aws:ec2:us-east-1:123456789012:instance/i-0a1b2c3d4e5f60718\n        \
                 resource_type: EC2\n        created_at: 2026-11-20T03:00:00Z\n        {special}\n"
            )
        })
        .collect();
    let text = POINTS.replace("IMAGES", &images);
    start(Options {
        inventory: Some(Inventory::parse(&text).unwrap()),
        ..standing()
    })
    .await
}

async fn restore(
    client: &aws_sdk_backup::Client,
    arn: &str,
    metadata: &[(&str, &str)],
) -> Result<String, (String, String)> {
    let mut request = client.start_restore_job().recovery_point_arn(arn);
    for (key, value) in metadata.iter().chain([&("aws:backup:request-id", "1")]) {
        request = request.metadata(*key, *value);
    }
    match request.send().await {
        Ok(answer) => Ok(answer.restore_job_id.unwrap()),
        error => Err(refusal(error)),
    }
}

fn image(name: &str) -> String {
    format!("arn:aws:ec2:us-east-1::image/ami-0{name}")
}

#[tokio::test]
async fn only_what_is_there_is_restored() {
    let emulator = world().await;
    let client = sdk(&emulator);
    for name in ["creating", "deleting"] {
        let (code, _) = restore(&client, &image(name), &[]).await.unwrap_err();
        assert_eq!(code, "InvalidRequestException", "{name}");
    }
    for name in ["available", "expired", "partial", "stopped"] {
        restore(&client, &image(name), &[]).await.unwrap();
    }
    let stack =
        "arn:aws:backup:us-east-1:123456789012:recovery-point:composite:cloudformation/stack-1";
    let (code, message) = restore(&client, stack, &[]).await.unwrap_err();
    assert_eq!(code, "InvalidRequestException");
    assert!(message.contains("nested recovery points"), "{message}");
    assert_eq!(emulator.jobs().len(), 4);
}

#[tokio::test]
async fn every_end_that_a_job_can_have() {
    let emulator = world().await;
    let client = sdk(&emulator);
    for name in ["aborts", "issues", "hangs", "waits"] {
        restore(&client, &image(name), &[]).await.unwrap();
    }
    while advance(&emulator) {}
    let clock = emulator.clock();
    clock.advance_to(clock.now() + jiff::SignedDuration::from_hours(10_000));
    assert_eq!(emulator.next_event(), None);
    let ends: Vec<_> = emulator
        .jobs()
        .into_iter()
        .map(|job| (job.status, job.status_message))
        .collect();
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(
        ends,
        [
            (JobStatus::Aborted, said("Gone.")),
            (JobStatus::Completed, said("Mostly.")),
            (JobStatus::Running, None),
            (JobStatus::Pending, None),
        ]
    );
    let list = client.list_restore_jobs();
    let aborted = list.by_status(RestoreJobStatus::Aborted).send().await;
    assert_eq!(aborted.unwrap().restore_jobs().len(), 1);
}

#[tokio::test]
async fn policies_refuse_in_the_words_of_iam() {
    let emulator = world().await;
    let client = sdk(&emulator);
    let denied = image("denied");
    let (code, message) = restore(&client, &denied, &[]).await.unwrap_err();
    assert_eq!(code, "AccessDeniedException");
    assert_eq!(
        message,
        "User: arn:aws:iam::123456789012:user/emulated is not authorized to perform: backup:StartRestoreJob on \
         resource: arn:aws:ec2:us-east-1::image/ami-0denied because no identity-based policy allows the \
         backup:StartRestoreJob action"
    );
    let describe = client
        .describe_recovery_point()
        .backup_vault_name("primary");
    let (_, message) = refusal(describe.recovery_point_arn(&denied).send().await);
    assert!(message.ends_with("with an explicit deny in an identity-based policy"));
    let list = client.list_recovery_points_by_backup_vault();
    let closed = list.backup_vault_name("closed").send().await;
    assert_eq!(
        refusal(closed).1,
        "Insufficient privileges to perform this action."
    );
    let request = client
        .start_restore_job()
        .recovery_point_arn(image("available"))
        .metadata("a", "b");
    let role = request.iam_role_arn("arn:aws:iam::123456789012:role/administrator");
    let (code, message) = refusal(role.send().await);
    assert_eq!(code, "AccessDeniedException");
    assert!(message.contains("iam:PassRole"), "{message}");
    assert!(message.ends_with("service control policy"), "{message}");
    assert!(emulator.jobs().is_empty());
}

#[tokio::test]
async fn a_cluster_has_children() {
    let emulator = world().await;
    let client = sdk(&emulator);
    let nested =
        r#"{"arn:aws:ec2:us-east-1::snapshot/snap-0c":"{\"AvailabilityZone\":\"us-east-1a\"}"}"#;
    let metadata = [("clusterName", "prod"), ("nestedRestoreJobs", nested)];
    let parent = restore(&client, COMPOSITE, &metadata).await.unwrap();
    let list = client.list_restore_jobs().by_parent_job_id(&parent);
    let children = list.send().await.unwrap().restore_jobs.unwrap();
    assert_eq!(children.len(), 3, "the cluster's state and two volumes");
    for child in &children {
        assert_eq!(child.parent_job_id(), Some(&*parent));
        assert!(!child.is_parent());
    }
    let volume = children.iter().find(|child| {
        child.recovery_point_arn() == Some("arn:aws:ec2:us-east-1::snapshot/snap-0c")
    });
    let id = volume.unwrap().restore_job_id().unwrap();
    let found = client.get_restore_job_metadata().restore_job_id(id).send();
    let found = found.await.unwrap().metadata.unwrap();
    assert_eq!(found["AvailabilityZone"], "us-east-1a");

    while advance(&emulator) {}
    let jobs = emulator.jobs();
    assert!(jobs.iter().all(|job| job.ended_at.is_some()));
    let job = client.describe_restore_job().restore_job_id(&parent).send();
    let job = job.await.unwrap();
    assert!(job.is_parent());
    assert_eq!(job.status(), Some(&RestoreJobStatus::Completed));
    let message = job.status_message().unwrap();
    assert_eq!(message, "1 of 3 nested restore jobs failed.");
    let ends = jobs.iter().map(|job| job.ended_at.unwrap()).max();
    assert_eq!(jobs[0].ended_at, ends, "the parent is the last to end");

    // Manifests alone have no volumes; namespaces have those that are named.
    let manifests = [
        ("clusterName", "b"),
        ("restoreKubernetesManifestsOnly", "true"),
    ];
    restore(&client, COMPOSITE, &manifests).await.unwrap();
    assert_eq!(emulator.jobs().len(), 5);
    let spaces = [
        metadata[1],
        ("clusterName", "c"),
        ("namespaceLevelRestore", "true"),
    ];
    restore(&client, COMPOSITE, &spaces).await.unwrap();
    assert_eq!(emulator.jobs().len(), 7);
    let broken = [("clusterName", "d"), ("nestedRestoreJobs", "none")];
    let (code, _) = restore(&client, COMPOSITE, &broken).await.unwrap_err();
    assert_eq!(code, "InvalidParameterValueException");
    let parents = client.list_restore_jobs().by_resource_type("EKS").send();
    assert!(parents.await.unwrap().restore_jobs().len() >= 3);
}

#[tokio::test]
async fn beyond_a_limit_jobs_wait() {
    let emulator = world().await;
    let client = sdk(&emulator);
    let table = "arn:aws:backup:us-east-1:123456789012:recovery-point:0F1E2D3C-timestream";
    for _ in 0..3 {
        restore(
            &client,
            table,
            &[("TableName", "copy"), ("DatabaseName", "metrics")],
        )
        .await
        .unwrap();
    }
    let start = emulator.clock().now();
    advance(&emulator);
    let states = || emulator.jobs().into_iter().map(|job| job.status);
    use JobStatus::{Completed, Pending, Running};
    assert_eq!(states().collect::<Vec<_>>(), [Running, Pending, Pending]);
    advance(&emulator);
    assert_eq!(states().collect::<Vec<_>>(), [Completed, Running, Pending]);
    while advance(&emulator) {}
    let took = emulator.clock().now().duration_since(start);
    assert_eq!(took.as_secs(), 10 + 3 * 30 * 60, "one after the other");
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let emulator = world().await;
    let client = sdk(&emulator);
    let snapshot = "arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-1";
    let name = |name| [("DBInstanceIdentifier", name)];
    restore(&client, snapshot, &name("one")).await.unwrap();
    restore(&client, snapshot, &name("ONE")).await.unwrap();
    restore(&client, snapshot, &name("two")).await.unwrap();
    // Failed restores have taken no name.
    restore(
        &client,
        snapshot,
        &[
            ("DBInstanceIdentifier", "three"),
            ("DBSnapshotIdentifier", "x"),
        ],
    )
    .await
    .unwrap();
    restore(&client, snapshot, &name("three")).await.unwrap();
    while advance(&emulator) {}
    let ends: Vec<_> = emulator.jobs().into_iter().map(|job| job.status).collect();
    use JobStatus::{Completed, Failed};
    assert_eq!(ends, [Completed, Failed, Completed, Failed, Completed]);
}

#[tokio::test]
async fn a_validation_status_is_set_once() {
    let emulator = world().await;
    let client = sdk(&emulator);
    let id = restore(&client, &image("available"), &[]).await.unwrap();
    let put = async |status: RestoreValidationStatus| {
        let request = client.put_restore_validation_result().restore_job_id(&id);
        let request = request.validation_status_message("12 of 12 rows");
        request.validation_status(status).send().await
    };
    put(RestoreValidationStatus::Validating).await.unwrap();
    put(RestoreValidationStatus::Successful).await.unwrap();
    put(RestoreValidationStatus::Successful).await.unwrap();
    let changed = put(RestoreValidationStatus::Failed).await;
    assert_eq!(refusal(changed).0, "InvalidRequestException");
    // A status that a public script was found sending.
    let skipped = put(RestoreValidationStatus::from("SKIPPED")).await;
    assert_eq!(refusal(skipped).0, "InvalidParameterValueException");
    let job = client.describe_restore_job().restore_job_id(&id).send();
    let job = job.await.unwrap();
    assert_eq!(
        job.validation_status(),
        Some(&RestoreValidationStatus::Successful)
    );
    assert_eq!(job.validation_status_message(), Some("12 of 12 rows"));
}

#[tokio::test]
async fn what_is_listed_is_what_is_there() {
    let emulator = world().await;
    let client = sdk(&emulator);
    let list = || {
        client
            .list_recovery_points_by_backup_vault()
            .backup_vault_name("primary")
    };
    let all = list().send().await.unwrap();
    assert_eq!(all.recovery_points().len(), 18);
    let children = list().by_parent_recovery_point_arn(COMPOSITE).send();
    assert_eq!(children.await.unwrap().recovery_points().len(), 3);
    let images = list().by_resource_type("EC2").send().await.unwrap();
    assert_eq!(images.recovery_points().len(), 11);
    let snapshot = list().by_resource_arn("arn:aws:ec2:us-east-1::snapshot/snap-0c");
    assert_eq!(
        refusal(snapshot.send().await),
        (
            "InvalidParameterValueException".into(),
            "Unsupported resource type: arn:aws:ec2:us-east-1::snapshot/snap-0c".into()
        )
    );
    let orders = "arn:aws:rds:us-east-1:123456789012:db:orders";
    let points = client
        .list_recovery_points_by_resource()
        .resource_arn(orders);
    let points = points.send().await.unwrap();
    assert_eq!(points.recovery_points().len(), 1);
    let snapshot = points.recovery_points()[0].recovery_point_arn().unwrap();
    let tags = client.list_tags().resource_arn(snapshot).send();
    assert_eq!(tags.await.unwrap().tags().unwrap()["team"], "orders");

    let resources = client.list_protected_resources().send().await.unwrap();
    assert_eq!(resources.results().len(), 7);
    let describe = || {
        client
            .describe_protected_resource()
            .resource_arn(orders)
            .send()
    };
    assert_eq!(
        describe()
            .await
            .unwrap()
            .latest_restore_execution_time_minutes(),
        None
    );
    restore(&client, snapshot, &[("DBInstanceIdentifier", "copy")])
        .await
        .unwrap();
    while advance(&emulator) {}
    let described = describe().await.unwrap();
    assert_eq!(described.latest_restore_execution_time_minutes(), Some(4));
    let jobs = client.list_restore_jobs_by_protected_resource();
    let jobs = jobs.resource_arn(orders).send().await.unwrap();
    assert_eq!(jobs.restore_jobs().len(), 1);
    let point = client
        .describe_recovery_point()
        .backup_vault_name("primary");
    let point = point.recovery_point_arn(snapshot).send().await.unwrap();
    assert!(point.last_restore_time().is_some());

    let air = client
        .describe_backup_vault()
        .backup_vault_name("air")
        .send();
    let air = air.await.unwrap();
    assert_eq!(
        air.vault_type().unwrap().as_str(),
        "LOGICALLY_AIR_GAPPED_BACKUP_VAULT"
    );
    assert_eq!(air.locked(), Some(true));
    let summaries = client.list_restore_job_summaries().send().await.unwrap();
    let summary = &summaries.restore_job_summaries()[0];
    assert_eq!((summary.count(), summary.resource_type()), (1, Some("RDS")));
}
