//! Helpers that tests of the emulator share: an inventory, and the SDK as its client.

use aws_sdk_backup::config::retry::RetryConfig;
use aws_sdk_backup::config::{BehaviorVersion, Credentials, Region};
pub(crate) use aws_sdk_backup::error::ProvideErrorMetadata;
pub(crate) use redrill_emulator::{Emulator, Inventory, Options, Speed};

/// An EFS recovery point of [`INVENTORY`], 1 GiB.
pub(crate) const EFS: &str =
    "arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45";
/// An EC2 one.
pub(crate) const EC2: &str = "arn:aws:ec2:us-east-1::image/ami-0abc";
/// An RDS one whose restores fail.
pub(crate) const RDS: &str = "arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-1";
/// An FSx for ONTAP one.
pub(crate) const FSX: &str = "arn:aws:fsx:us-east-1:123456789012:backup/backup-0123456789abcdef0";

pub(crate) const INVENTORY: &str = r#"
account: "123456789012"
region: us-east-1
vaults:
  primary:
    recovery_points:
      - arn: arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
        resource_arn: arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0a1b2c3d
        resource_type: EFS
        created_at: 2026-11-20T03:00:00.250Z
        size_bytes: 1073741824
        encryption_key_arn: arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
        expires_at: 2027-11-20T03:00:00Z
        restore_metadata: { file-system-id: fs-0a1b2c3d }
      - arn: arn:aws:ec2:us-east-1::image/ami-0abc
        resource_arn: arn:aws:ec2:us-east-1:123456789012:instance/i-0a1b2c3d4e5f60718
        resource_type: EC2
        created_at: 2026-11-20T03:00:00Z
        size_bytes: 8589934592
        restore_metadata: { InstanceType: t3.micro, IamInstanceProfileName: web }
      - arn: arn:aws:fsx:us-east-1:123456789012:backup/backup-0123456789abcdef0
        resource_arn: arn:aws:fsx:us-east-1:123456789012:volume/fs-0123456789abcdef0/fsvol-0123456789abcdef0
        resource_type: FSx
        created_at: 2026-11-20T03:00:00Z
        restore: { duration: 2m }
  aws/efs/automatic-backup-vault:
    recovery_points:
      - arn: arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-1
        resource_arn: arn:aws:rds:us-east-1:123456789012:db:orders
        resource_type: RDS
        created_at: 2026-11-20T03:00:00Z
        restore: { duration: 1h 30m, fails: "Access denied to KMS key." }
---
account: "123456789012"
region: eu-west-1
vaults: { elsewhere: {} }
"#;

/// A recovery point of a bucket of [`BUCKETS`], and a continuous one.
pub(crate) const BUCKET: &str = "arn:aws:backup:us-east-1:123456789012:recovery-point:amzn-s3-demo-bucket-20261120030000-5ec207d0";
pub(crate) const CONTINUOUS: &str =
    "arn:aws:backup:us-east-1:123456789012:recovery-point:continuous:amzn-s3-demo-bucket-0f51c39b";

pub(crate) const BUCKETS: &str = r#"
account: "123456789012"
region: us-east-1
surroundings:
  access point broken: "FAILED: The key is disabled."
  malware arn:aws:backup:us-east-1:123456789012:recovery-point:continuous:amzn-s3-demo-bucket-0f51c39b: "2026-11-19T12:00:00Z"
vaults:
  buckets:
    recovery_points:
      - arn: arn:aws:backup:us-east-1:123456789012:recovery-point:amzn-s3-demo-bucket-20261120030000-5ec207d0
        resource_arn: arn:aws:s3:::amzn-s3-demo-bucket
        resource_type: S3
        created_at: 2026-11-20T03:00:00Z
      - arn: arn:aws:backup:us-east-1:123456789012:recovery-point:continuous:amzn-s3-demo-bucket-0f51c39b
        resource_arn: arn:aws:s3:::amzn-s3-demo-bucket-2
        resource_type: S3
        created_at: 2026-11-20T03:00:00Z
        status: AVAILABLE
"#;

pub(crate) async fn start(options: Options) -> Emulator {
    Emulator::start(([127, 0, 0, 1], 0).into(), options)
        .await
        .unwrap()
}

/// With [`INVENTORY`], and a clock that only the test moves.
pub(crate) async fn listed() -> Emulator {
    start(Options {
        inventory: Some(Inventory::parse(INVENTORY).unwrap()),
        ..standing()
    })
    .await
}

/// Without an inventory, and a clock that only the test moves.
pub(crate) fn standing() -> Options {
    Options {
        speed: Speed::Max,
        driven: true,
        ..Options::default()
    }
}

/// The real SDK, pointed at the emulator. It does not retry unless the test wants it to.
pub(crate) fn sdk(emulator: &Emulator) -> aws_sdk_backup::Client {
    sdk_with(emulator, "us-east-1", "AKIDEXAMPLE", 1)
}

pub(crate) fn sdk_with(
    emulator: &Emulator,
    region: &str,
    key: &str,
    attempts: u32,
) -> aws_sdk_backup::Client {
    sdk_at(&emulator.url(), region, key, attempts)
}

pub(crate) fn sdk_at(url: &str, region: &str, key: &str, attempts: u32) -> aws_sdk_backup::Client {
    let retry = RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(std::time::Duration::from_millis(1));
    let config = aws_sdk_backup::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(url)
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new(key, "secret", None, None, "test"))
        .retry_config(retry)
        .build();
    aws_sdk_backup::Client::from_conf(config)
}

/// An accepted request for an instance.
pub(crate) async fn start_ec2(client: &aws_sdk_backup::Client, token: &str) -> String {
    let request = client
        .start_restore_job()
        .recovery_point_arn(EC2)
        .metadata("InstanceType", "t3.micro")
        .idempotency_token(token);
    let answer = request.send().await.unwrap();
    answer.restore_job_id().unwrap().to_owned()
}

/// Code and message of what the service answered.
pub(crate) fn refusal<T: std::fmt::Debug, E, R>(
    result: Result<T, aws_sdk_backup::error::SdkError<E, R>>,
) -> (String, String)
where
    E: ProvideErrorMetadata,
{
    match result {
        Ok(answer) => panic!("accepted: {answer:?}"),
        Err(error) => (
            error.code().unwrap_or("no code").to_owned(),
            error.message().unwrap_or("no message").to_owned(),
        ),
    }
}

/// Moves the clock to the next event and says whether there was one.
pub(crate) fn advance(emulator: &Emulator) -> bool {
    let next = emulator.next_event();
    if let Some(event) = next {
        emulator.clock().advance_to(event);
    }
    next.is_some()
}

/// Milliseconds since 1970. The SDK reads times from doubles and truncates: 0.441 becomes 0.440999….
pub(crate) fn millis(time: Option<&aws_sdk_backup::primitives::DateTime>) -> i64 {
    (time.unwrap().as_secs_f64() * 1000.0).round() as i64
}
