//! Policies of the inventory, over the wire: who calls, what is refused, and in which words.

use redrill_emulator::Operation;

use super::wire::sts;
use crate::clients::*;
use crate::raw;

const OPERATOR: &str = "AKIAIOSFODNN7EXAMPLE";
const INTERN: &str = "AKIAI44QH8DHBEXAMPLE";
const OTHER: &str = "210987654321";

/// An operator who may start restores and pass one role, an intern who may look, a role for drills, and a locked vault.
pub(crate) const PEOPLE: &str = r#"
account: "123456789012"
region: us-east-1
users:
  operator:
    path: /ops/
    access_keys: [AKIAIOSFODNN7EXAMPLE]
    policies:
      restore:
        Version: 2012-10-17
        Statement:
          - { Effect: Allow, Action: ["backup:*", "cloudformation:GetResource", "kms:DescribeKey", "servicequotas:*", "iam:SimulatePrincipalPolicy", "iam:GetRole", "iam:ListAttachedRolePolicies"], Resource: "*" }
          - Effect: Allow
            Action: iam:PassRole
            Resource: arn:aws:iam::123456789012:role/restore
            Condition: { StringEquals: { iam:PassedToService: backup.amazonaws.com } }
          - { Effect: Allow, Action: sts:AssumeRole, Resource: "*" }
    permissions_boundary:
      Statement: { Effect: Allow, NotAction: "backup:DeleteRecoveryPoint", Resource: "*" }
  intern:
    access_keys: [AKIAI44QH8DHBEXAMPLE]
    policies:
      look: { Statement: [{ Effect: Allow, Action: "backup:Describe*", Resource: "*" }, { Effect: Deny, Action: "backup:DescribeBackupVault", Resource: "*" }] }
roles:
  restore:
    policies:
      arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores: { Statement: [{ Effect: Allow, Action: "*", Resource: "*" }] }
    trust_policy: { Statement: [{ Effect: Allow, Principal: { Service: backup.amazonaws.com }, Action: sts:AssumeRole }] }
  drill:
    path: /dr/
    policies: { all: { Statement: [{ Effect: Allow, Action: "backup:*", Resource: "*" }] } }
    trust_policy: { Statement: [{ Effect: Allow, Principal: { AWS: ["arn:aws:iam::123456789012:user/ops/operator", "210987654321"] }, Action: sts:AssumeRole }] }
scps:
  - FullAWSAccess: { Statement: [{ Effect: Allow, Action: "*", Resource: "*" }] }
  - OnlyHere: { Version: 2012-10-17, Statement: [{ Effect: Allow, Action: "*", Resource: "*" }, { Effect: Deny, NotAction: ["iam:*", "sts:*"], Resource: "*", Condition: { StringNotEquals: { aws:RequestedRegion: us-east-1 } } }] }
resources:
  - { type: "AWS::KMS::Key", identifier: 1234abcd-12ab-34cd-56ef-1234567890ab, properties: { Enabled: true, MultiRegion: false } }
  - { type: "AWS::EC2::Subnet", identifier: subnet-0a1b2c3d, properties: { VpcId: vpc-1 } }
  - { type: "AWS::RDS::DBInstance", identifier: orders-copy }
service_quotas:
  - { service: rds, code: L-7B6409FD, value: 42, in_use: 40 }
vaults:
  primary:
    recovery_points:
      - { arn: "arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-1", resource_arn: "arn:aws:rds:us-east-1:123456789012:db:orders", resource_type: RDS, created_at: 2026-11-20T03:00:00Z }
  locked:
    access_policy: { Statement: [{ Effect: Deny, Principal: "*", Action: [backup:StartRestoreJob, backup:DescribeRecoveryPoint], Resource: "*" }] }
    recovery_points:
      - { arn: "arn:aws:ec2:us-east-1::image/ami-0abc", resource_arn: "arn:aws:ec2:us-east-1:123456789012:instance/i-0a1b2c3d4e5f60718", resource_type: EC2, created_at: 2026-11-20T03:00:00Z }
  shared:
    type: LOGICALLY_AIR_GAPPED_BACKUP_VAULT
    shared_with: ["210987654321"]
    recovery_points:
      - { arn: "arn:aws:backup:us-east-1:123456789012:recovery-point:5EA7ED", resource_arn: "arn:aws:s3:::amzn-s3-demo-bucket", resource_type: S3, created_at: 2026-11-20T03:00:00Z }
---
account: "123456789012"
region: eu-west-1
vaults: { primary: {} }
---
account: "210987654321"
region: us-east-1
caller: arn:aws:iam::210987654321:user/consumer
users:
  consumer:
    policies:
      some: { Statement: [{ Effect: Allow, Action: ["backup:DescribeBackupVault", "sts:AssumeRole"], Resource: "*" }] }
vaults: {}
"#;

pub(crate) async fn people() -> Emulator {
    start(Options {
        inventory: Some(Inventory::parse(PEOPLE).unwrap_or_else(|e| panic!("{e}"))),
        ..standing()
    })
    .await
}

fn client(emulator: &Emulator, key: &str) -> aws_sdk_backup::Client {
    sdk_with(emulator, "us-east-1", key, 1)
}

async fn restore(client: &aws_sdk_backup::Client, point: &str, role: &str) -> (String, String) {
    let request = client
        .start_restore_job()
        .recovery_point_arn(point)
        .metadata("DBInstanceIdentifier", "copy")
        .iam_role_arn(role);
    match request.send().await {
        Ok(_) => (String::new(), String::new()),
        Err(error) => refusal::<(), _, _>(Err(error)),
    }
}

const RESTORE: &str = "arn:aws:iam::123456789012:role/restore";

#[tokio::test]
async fn each_kind_of_policy_refuses_in_its_words() {
    let emulator = people().await;
    let (operator, intern) = (client(&emulator, OPERATOR), client(&emulator, INTERN));
    let user = "User: arn:aws:iam::123456789012:user";
    let denied = |words: &str| ("AccessDeniedException".to_owned(), words.to_owned());

    assert_eq!(restore(&operator, RDS, RESTORE).await, Default::default());
    assert_eq!(
        restore(&intern, RDS, RESTORE).await,
        denied(&format!(
            "{user}/intern is not authorized to perform: backup:StartRestoreJob on resource: {RDS} because no identity-based policy allows the backup:StartRestoreJob action"
        ))
    );
    let drill = "arn:aws:iam::123456789012:role/dr/drill";
    assert_eq!(
        restore(&operator, RDS, drill).await,
        denied(&format!(
            "{user}/ops/operator is not authorized to perform: iam:PassRole on resource: {drill} because no identity-based policy allows the iam:PassRole action"
        ))
    );
    // The access policy of a vault answers as AWS Backup was recorded to.
    let vault = denied("Insufficient privileges to perform this action.");
    assert_eq!(restore(&operator, EC2, RESTORE).await, vault);
    let point = operator
        .describe_recovery_point()
        .backup_vault_name("locked");
    assert_eq!(refusal(point.recovery_point_arn(EC2).send().await), vault);
    let delete = operator
        .delete_recovery_point()
        .backup_vault_name("primary");
    assert_eq!(
        refusal(delete.recovery_point_arn(RDS).send().await),
        denied(&format!(
            "{user}/ops/operator is not authorized to perform: backup:DeleteRecoveryPoint on resource: {RDS} because no permissions boundary allows the backup:DeleteRecoveryPoint action"
        ))
    );
    let describe = intern.describe_backup_vault().backup_vault_name("primary");
    assert_eq!(
        refusal(describe.send().await),
        denied(&format!(
            "{user}/intern is not authorized to perform: backup:DescribeBackupVault on resource: arn:aws:backup:us-east-1:123456789012:backup-vault:primary with an explicit deny in an identity-based policy"
        ))
    );
    let elsewhere = sdk_with(&emulator, "eu-west-1", OPERATOR, 1);
    assert_eq!(
        refusal(elsewhere.list_backup_vaults().send().await),
        denied(&format!(
            "{user}/ops/operator is not authorized to perform: backup:ListBackupVaults on resource: * with an explicit deny in a service control policy"
        ))
    );
    // Nobody limits the account's default caller but the organization.
    let anyone = client(&emulator, "AKIDEXAMPLE");
    assert_eq!(restore(&anyone, RDS, drill).await, Default::default());
    let elsewhere = sdk_with(&emulator, "eu-west-1", "AKIDEXAMPLE", 1);
    refusal(elsewhere.list_backup_vaults().send().await);
}

#[tokio::test]
async fn a_session_is_its_role() {
    let emulator = people().await;
    let operator = sts(&emulator, OPERATOR);
    let identity = operator.get_caller_identity().send().await.unwrap();
    let arn = "arn:aws:iam::123456789012:user/ops/operator";
    assert_eq!(identity.arn(), Some(arn));
    let assume = |client: &aws_sdk_sts::Client, role: &str, policy: Option<&str>| {
        let request = client.assume_role().role_session_name("drill-1");
        request
            .role_arn(format!("arn:aws:iam::123456789012:role/{role}"))
            .set_policy(policy.map(str::to_owned))
            .send()
    };
    let drill = assume(&operator, "dr/drill", None).await.unwrap();
    let credentials = drill.credentials().unwrap();
    let session = |credentials: &aws_sdk_sts::types::Credentials| {
        use aws_sdk_backup::config::{BehaviorVersion, Credentials, Region};
        let config = aws_sdk_backup::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(emulator.url())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(
                credentials.access_key_id(),
                credentials.secret_access_key(),
                Some(credentials.session_token().to_owned()),
                None,
                "test",
            ))
            .build();
        aws_sdk_backup::Client::from_conf(config)
    };
    let as_drill = session(credentials);
    as_drill.list_backup_vaults().send().await.unwrap();
    let (_, words) = restore(&as_drill, RDS, RESTORE).await;
    assert!(
        words.starts_with("User: arn:aws:sts::123456789012:assumed-role/drill/drill-1 is not authorized to perform: iam:PassRole"),
        "{words}"
    );
    let only = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"backup:Describe*","Resource":"*"}]}"#;
    let limited = assume(&operator, "dr/drill", Some(only)).await.unwrap();
    let limited = session(limited.credentials().unwrap());
    let (_, words) = refusal(limited.list_backup_vaults().send().await);
    assert!(
        words.ends_with("because no session policy allows the backup:ListBackupVaults action"),
        "{words}"
    );

    // Callers that are not trusted, have no permission, or ask for what is not there.
    let refused = |result: Result<aws_sdk_sts::operation::assume_role::AssumeRoleOutput, _>| {
        let (code, words) = refusal(result);
        assert_eq!(code, "AccessDenied", "{words}");
        words
    };
    let words = refused(assume(&operator, "restore", None).await);
    assert_eq!(
        words,
        format!("User: {arn} is not authorized to perform: sts:AssumeRole on resource: {RESTORE}")
    );
    refused(assume(&operator, "nobody", None).await);
    refused(assume(&sts(&emulator, INTERN), "dr/drill", None).await);
    // Between accounts both sides have to allow it.
    assume(&sts(&emulator, OTHER), "dr/drill", None)
        .await
        .unwrap();
    let malformed = assume(&operator, "dr/drill", Some("{}")).await;
    assert_eq!(refusal(malformed).0, "MalformedPolicyDocument");
    assert_eq!(emulator.calls()[&Operation::AssumeRole], 7);
}

#[tokio::test]
async fn a_shared_vault_needs_identity_too() {
    let emulator = people().await;
    let consumer = client(&emulator, OTHER);
    let vault = consumer.describe_backup_vault().backup_vault_name("shared");
    let vault = vault.backup_vault_account_id("123456789012").send().await;
    assert_eq!(vault.unwrap().number_of_recovery_points(), 1);
    let shared = "arn:aws:backup:us-east-1:123456789012:recovery-point:5EA7ED";
    let (_, words) = restore(&consumer, shared, "arn:aws:iam::210987654321:role/restore").await;
    assert!(
        words.contains("user/consumer is not authorized to perform: backup:StartRestoreJob"),
        "{words}"
    );
    let point = consumer
        .describe_recovery_point()
        .backup_vault_name("shared");
    let point = point.backup_vault_account_id("123456789012");
    let (_, words) = refusal(point.recovery_point_arn(shared).send().await);
    assert!(
        words.contains(&format!(
            "backup:DescribeRecoveryPoint on resource: {shared}"
        )),
        "{words}"
    );
}

/// Requests that were accepted once are made again, whatever the policies say by then.
#[tokio::test]
async fn a_state_is_not_judged_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let with = |text: &str| Options {
        inventory: Some(Inventory::parse(text).unwrap()),
        state: Some(state.clone()),
        ..standing()
    };
    let emulator = start(with(PEOPLE)).await;
    assert_eq!(
        restore(&client(&emulator, OPERATOR), RDS, RESTORE).await,
        Default::default()
    );
    emulator.shutdown().await;
    let stricter = PEOPLE.replace("[\"backup:*\", ", "[");
    let emulator = start(with(&stricter)).await;
    assert_eq!(emulator.jobs().len(), 1);
    let (code, _) = restore(&client(&emulator, OPERATOR), RDS, RESTORE).await;
    assert_eq!(code, "AccessDeniedException");
}

/// Inventories of before say what they said.
#[tokio::test]
async fn deny_lines_stay() {
    let text = INVENTORY.replace(
        "vaults:\n  primary:",
        "deny: [{ action: \"cloudformation:GetResource\" }, { action: \"backup:DescribeProtectedResource\", resource: \"arn:aws:elasticfilesystem:*\" }]\nvaults:\n  primary:",
    );
    let emulator = start(Options {
        inventory: Some(Inventory::parse(&text).unwrap()),
        ..standing()
    })
    .await;
    let (_, words) = refusal(
        sdk(&emulator)
            .describe_protected_resource()
            .resource_arn(
                "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0a1b2c3d",
            )
            .send()
            .await,
    );
    assert!(
        words.starts_with("User: arn:aws:iam::123456789012:user/emulated"),
        "{words}"
    );
    let body = r#"{"TypeName":"AWS::EC2::Instance","Identifier":"i-1"}"#;
    let length = body.len();
    let text = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Target: CloudApiService.GetResource\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let answer = raw::exchange(&emulator, text.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("x-amzn-errortype"), None);
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-amz-json-1.0")
    );
    assert_eq!(
        answer.json(),
        serde_json::json!({
            "__type": "com.amazon.coral.service#AccessDeniedException",
            "Message": "User: arn:aws:iam::123456789012:user/emulated is not authorized to perform: cloudformation:GetResource on resource: arn:aws:cloudformation:us-east-1:123456789012:resource/* because no identity-based policy allows the cloudformation:GetResource action",
        })
    );
}
