//! Vaults and recovery points, read from AWS page by page and from a file: the same answers.

use std::fmt::Write as _;

use redrill::aws::{Aws, ConnectionSettings, Reads, Writes};
use redrill::backup::{
    Operation as Asked, PointQuery, Reader, RecoveryPoint, Sources, Writer, all_points, all_tags,
    all_vaults,
};
use redrill::ids::{AccountId, IdempotencyToken, RegionName};
use redrill::inventory::RecordedInventory;
use redrill::plan::{Request, TokenedRequest};
use redrill::render::VaultName;
use redrill_emulator::{Fault, FaultKind, Faults, Inventory, Operation, Options};

use crate::support::{at_once, emulator};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-west-2";

/// More than two pages in one vault, two resources, every status, and an account that is not asked.
fn inventory() -> String {
    let statuses = [
        "COMPLETED",
        "AVAILABLE",
        "PARTIAL",
        "EXPIRED",
        "STOPPED",
        "CREATING",
        "DELETING",
    ];
    let mut text = format!(
        "account: \"{ACCOUNT}\"\nregion: {REGION}\nvaults:\n  many:\n    recovery_points:\n"
    );
    for at in 0..2_345 {
        let _ = write!(
            text,
            "      - arn: arn:aws:backup:{REGION}:{ACCOUNT}:recovery-point:00000000-0000-0000-0000-{at:012}\n        resource_arn: arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/fs-{:08}\n        resource_type: EFS\n        created_at: 2026-11-{:02}T03:00:00Z\n        size_bytes: {at}\n        status: {}\n        expires_at: 2027-01-01T00:00:00Z\n        restore_metadata: {{ file-system-id: fs-{at} }}\n        tags: {{ n: \"{at}\" }}\n",
            at % 2,
            1 + at % 28,
            statuses[at % statuses.len()],
        );
    }
    let _ = write!(
        text,
        "  few:\n    recovery_points:\n      - arn: arn:aws:rds:{REGION}:{ACCOUNT}:cluster-snapshot:awsbackup:job-1\n        resource_arn: arn:aws:rds:{REGION}:{ACCOUNT}:cluster:orders\n        resource_type: Aurora\n        created_at: 2026-11-20T03:00:00.25Z\n        storage_class: COLD\n        encryption_key_arn: arn:aws:kms:{REGION}:{ACCOUNT}:key/1\n  none: {{}}\n---\naccount: \"{ACCOUNT}\"\nregion: eu-central-1\nvaults: {{ few: {{}}, elsewhere: {{}} }}\n"
    );
    text
}

/// What a listing says of a recovery point; the class is in none, and a file has it.
fn listed(mut points: Vec<RecoveryPoint>, by_resource: bool) -> Vec<RecoveryPoint> {
    for point in &mut points {
        point.storage_class = None;
        if by_resource {
            point.resource_type = None;
            point.expires_at = None;
        }
    }
    points.sort_by(|a, b| a.arn.cmp(&b.arn));
    points
}

#[tokio::test]
async fn a_file_answers_as_aws_does_page_by_page() {
    let text = inventory();
    let file = RecordedInventory::parse(&text)
        .unwrap()
        .seen_from(&AccountId::new(ACCOUNT), &RegionName::new(REGION));
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(&text).unwrap()),
        ..at_once()
    })
    .await;
    let aws = Aws::<Reads>::connect(&ConnectionSettings {
        account: AccountId::new(ACCOUNT),
        region: RegionName::new(REGION),
        endpoint_url: Some(emulator.url()),
        without_credentials: true,
        ..ConnectionSettings::default()
    })
    .await
    .unwrap();

    let names = |vaults: Vec<redrill::backup::Vault>| {
        let mut names: Vec<_> = vaults
            .into_iter()
            .map(|vault| (vault.name, vault.recovery_points, vault.kind))
            .collect();
        names.sort();
        names
    };
    let of_file = names(all_vaults(&file).await.unwrap());
    assert_eq!(of_file.len(), 3);
    assert_eq!(names(all_vaults(&aws).await.unwrap()), of_file);

    let in_vault = |vault: &str, resource_arn: Option<String>, resource_type: Option<&str>| {
        PointQuery::InVault {
            vault: VaultName::own(vault),
            resource_arn,
            resource_type: resource_type.map(str::to_owned),
        }
    };
    let one = format!("arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/fs-00000001");
    for (query, count) in [
        (in_vault("many", None, None), 2_345),
        (in_vault("many", Some(one.clone()), None), 1_172),
        (in_vault("many", None, Some("Aurora")), 0),
        (in_vault("few", None, Some("Aurora")), 1),
        (in_vault("none", None, None), 0),
        (PointQuery::OfResource { resource_arn: one }, 1_172),
    ] {
        let by_resource = matches!(query, PointQuery::OfResource { .. });
        let of_file = listed(all_points(&file, &query).await.unwrap(), by_resource);
        assert_eq!(of_file.len(), count, "{query:?}");
        let of_aws = listed(all_points(&aws, &query).await.unwrap(), by_resource);
        assert_eq!(of_aws, of_file, "{query:?}");
    }
    // The vault's 2,345 are three pages, of one resource two.
    assert_eq!(
        aws.calls()[&Asked::ListRecoveryPointsByBackupVault],
        3 + 2 + 3
    );
    assert_eq!(aws.calls()[&Asked::ListRecoveryPointsByResource], 2);

    for query in [
        in_vault("elsewhere", None, None),
        in_vault("nowhere", None, None),
    ] {
        all_points(&file, &query).await.unwrap_err();
        all_points(&aws, &query).await.unwrap_err();
    }

    let arn = format!("arn:aws:rds:{REGION}:{ACCOUNT}:cluster-snapshot:awsbackup:job-1");
    for (vault, arn) in [
        ("few", arn.as_str()),
        ("many", arn.as_str()),
        ("gone", "arn:aws:x:::y"),
    ] {
        let named = VaultName::own(vault);
        let point = file.point(&named, arn).await.unwrap();
        assert_eq!(aws.point(&named, arn).await.unwrap(), point);
        assert_eq!(point.is_some(), vault == "few");
    }
    assert_eq!(
        aws.source(&arn, None).await.unwrap(),
        file.source(&arn, None).await.unwrap()
    );
    let arn = format!(
        "arn:aws:backup:{REGION}:{ACCOUNT}:recovery-point:00000000-0000-0000-0000-000000002344"
    );
    let many = VaultName::own("many");
    assert_eq!(
        aws.restore_metadata(&many, &arn).await.unwrap(),
        file.restore_metadata(&many, &arn).await.unwrap()
    );
    let tags = all_tags(&file, &arn).await.unwrap();
    assert_eq!(tags["n"], "2344");
    assert_eq!(all_tags(&aws, &arn).await.unwrap(), tags);
    file.restore_metadata(&VaultName::own("few"), &arn)
        .await
        .unwrap_err();
    aws.restore_metadata(&VaultName::own("few"), &arn)
        .await
        .unwrap_err();
    emulator.shutdown().await;
}

/// What AWS answers, and nobody can read, is said with its operation and its field, and is nobody's proxy.
#[tokio::test]
async fn issue_14_g_an_answer_that_cannot_be_read() {
    let fault = Fault::new(Operation::DescribeRestoreJob, FaultKind::PercentNumber);
    let emulator = emulator(Options {
        faults: Faults(vec![fault]),
        ..at_once()
    })
    .await;
    let aws = Aws::<Writes>::connect(&ConnectionSettings {
        account: AccountId::new(ACCOUNT),
        region: RegionName::new(REGION),
        endpoint_url: Some(emulator.url()),
        without_credentials: true,
        ..ConnectionSettings::default()
    })
    .await
    .unwrap();
    let request = Request {
        recovery_point_arn: format!("arn:aws:ec2:{REGION}::image/ami-0abc"),
        resource_type: "EC2".to_owned(),
        ..Request::default()
    };
    let request = TokenedRequest::new(request, &IdempotencyToken::new("t1"));
    let job = aws.start(&request).await.unwrap().job_id;
    let error = aws.job(&job).await.unwrap_err().to_string();
    assert!(error.contains("DescribeRestoreJob"), "{error}");
    assert!(
        error.contains("could not be read at `PercentDone`"),
        "{error}"
    );
    assert!(error.contains("the request id "), "{error}");
    assert!(!error.contains("proxy"), "{error}");
}
