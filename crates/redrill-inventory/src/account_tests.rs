//! Principals, policies, resources and quotas of an inventory: read, written, and refused with a place.

use super::*;

const ACCOUNT: &str = r#"
account: "123456789012"
region: us-east-1
caller: arn:aws:iam::123456789012:user/ops/operator
users:
  operator:
    path: /ops/
    access_keys: [AKIAIOSFODNN7EXAMPLE]
    policies:
      restore:
        Version: 2012-10-17
        Statement:
          - Sid: Start
            Effect: Allow
            Action: [backup:StartRestoreJob, "backup:Describe*"]
            Resource: "*"
            Condition:
              StringEquals: { aws:RequestedRegion: [us-east-1, us-west-2] }
              BoolIfExists: { aws:SecureTransport: true }
          - Effect: Allow
            Action: iam:PassRole
            Resource: arn:aws:iam::123456789012:role/restore
            Condition: { StringEquals: { iam:PassedToService: backup.amazonaws.com } }
      arn:aws:iam::aws:policy/ReadOnlyAccess: { Statement: [] }
    permissions_boundary: { Statement: { Effect: Allow, NotAction: iam:*, Resource: "*" } }
roles:
  restore:
    trust_policy:
      Statement:
        - { Effect: Allow, Principal: { Service: backup.amazonaws.com }, Action: sts:AssumeRole }
    policies: {}
  plain: {}
scps:
  - FullAWSAccess: { Statement: [{ Effect: Allow, Action: "*", Resource: "*" }] }
  - OnlyHere: { Statement: [{ Effect: Deny, Action: "*", Resource: "*", Condition: { StringNotEquals: { aws:RequestedRegion: us-east-1 } } }] }
resources:
  - type: AWS::KMS::Key
    identifier: 1234abcd-12ab-34cd-56ef-1234567890ab
    properties:
      Enabled: true
      KeyPolicy: { Statement: [{ Effect: Allow, Principal: { AWS: arn:aws:iam::123456789012:root }, Action: "kms:*", Resource: "*" }] }
    grants: [{ grantee_principal: arn:aws:iam::123456789012:role/restore, operations: [CreateGrant] }]
service_quotas:
  - { service: rds, code: L-7B6409FD, value: 40, in_use: 39 }
vaults:
  locked:
    access_policy:
      Statement:
        - { Effect: Deny, Principal: "*", Action: backup:StartRestoreJob, Resource: "*" }
"#;

#[test]
fn all_of_it_is_read_and_written() {
    let inventory = Inventory::parse(ACCOUNT).unwrap();
    let account = &inventory.accounts[0];
    let operator = &account.users["operator"];
    let policies = operator.policies.as_ref().unwrap();
    let start = &policies["restore"].statements[0];
    assert!(policies["restore"].variables);
    assert_eq!(start.action.patterns.len(), 2);
    assert_eq!(start.conditions.len(), 2);
    let boundary = operator.permissions_boundary.as_ref().unwrap();
    assert!(boundary.statements[0].action.all_but && !boundary.variables);
    let roles = account.roles.as_ref().unwrap();
    assert!(roles["plain"].policies.is_none() && roles["restore"].policies.is_some());
    assert_eq!(account.scps.len(), 2);
    let resources = account.resources.as_ref().unwrap();
    assert!(resources[0].key_policy.is_some());
    assert_eq!(account.service_quotas[0].in_use, Some(39.0));
    assert!(account.vaults["locked"].access_policy.is_some());

    let text = serde_yaml::to_string(account).unwrap();
    let again = Inventory::parse(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(again.accounts[0], *account, "{text}");
}

#[test]
fn a_key_that_is_there_says_more_than_one_that_is_not() {
    let head = "account: \"123456789012\"\nregion: us-east-1\n";
    let parse = |rest: &str| Inventory::parse(&format!("{head}{rest}")).unwrap();
    let without = &parse("").accounts[0];
    assert!(without.roles.is_none() && without.resources.is_none());
    let with = &parse("roles: {}\nresources: []\n").accounts[0];
    assert!(with.roles.is_some() && with.resources.is_some());
}

fn mistake(from: &str, to: &str) -> (usize, usize, String) {
    assert!(ACCOUNT.contains(from), "{from}");
    let error = Inventory::parse(&ACCOUNT.replacen(from, to, 1)).unwrap_err();
    (error.line, error.column, error.message)
}

#[test]
fn mistakes_have_a_place() {
    for (from, to, line, words) in [
        (
            "Effect: Allow\n",
            "Effect: Alow\n",
            14,
            "\"Alow\" is not an effect; write Allow or Deny",
        ),
        (
            "Sid: Start",
            "Cid: Start",
            13,
            "a statement has no \"Cid\"; it has Sid, Effect",
        ),
        ("2012-10-17", "2012-10-18", 11, "write 2012-10-17"),
        (
            "[backup:StartRestoreJob,",
            "[StartRestoreJob,",
            15,
            "write service:Operation",
        ),
        (
            "Resource: \"*\"\n            Condition",
            "Resource: all\n            Condition",
            16,
            "neither an ARN nor \"*\"",
        ),
        (
            "StringEquals:",
            "StringEqual:",
            18,
            "is not a condition operator that is known here; there are StringEquals,",
        ),
        (
            "BoolIfExists",
            "EachValue:Bool",
            19,
            "stands before no condition operator",
        ),
        (
            "Statement: { Effect: Allow, NotAction: iam:*, Resource: \"*\" }",
            "Rules: []",
            25,
            "a policy has no \"Rules\"",
        ),
        (
            "Principal: { Service: backup.amazonaws.com }, ",
            "",
            30,
            "a statement of a trust policy needs Principal",
        ),
        (
            "Principal: { Service: backup.amazonaws.com }",
            "Principal: backup.amazonaws.com",
            30,
            "is not a principal; write \"*\"",
        ),
        (
            "{ Service: backup",
            "{ User: backup",
            30,
            "a principal has no \"User\"",
        ),
        (
            "Action: sts:AssumeRole }",
            "Action: sts:AssumeRole, Resource: \"*\" }",
            30,
            "a trust policy has no Resource",
        ),
        (
            "NotAction: iam:*, ",
            "Principal: \"*\", NotAction: iam:*, ",
            25,
            "a policy of a principal has no Principal",
        ),
        (
            "AWS::KMS::Key",
            "KMS key",
            37,
            "write it as CloudFormation does",
        ),
        (
            "identifier: 1234abcd-12ab-34cd-56ef-1234567890ab",
            "identifier: \"\"",
            37,
            "the identifier is empty",
        ),
        (
            "AWS: arn:aws:iam::123456789012:root",
            "AWS: arn:aws:iam::123456789012:user/*",
            37,
            "KeyPolicy",
        ),
        (
            "grantee_principal: arn:aws",
            "grantee_principal: aws",
            42,
            "is not an ARN",
        ),
        (
            "user/ops/operator",
            "user/nobody",
            4,
            "account 123456789012 has no user nobody; write it under `users:`",
        ),
        (
            "arn:aws:iam::123456789012:user/ops/operator",
            "operator",
            4,
            "write the ARN of a user or a role",
        ),
        (
            "Deny, Principal: \"*\", Action: backup:StartRestoreJob",
            "Deny, Principal: \"*\", Action: \"backup:*\"",
            47,
            "takes no wildcard in the Action of a vault access policy",
        ),
        ("value: 40", "value: many", 44, "f64"),
    ] {
        let (found, column, message) = mistake(from, to);
        assert!(message.contains(words), "{to}: {message}");
        assert_eq!(found, line, "{to}: {message}");
        assert!(column >= 1);
    }
}

#[test]
fn iam_is_of_the_account_as_a_whole() {
    let other = "---\naccount: \"123456789012\"\nregion: eu-west-1\nroles: { restore: {} }\n";
    let twice = Inventory::parse(&format!("{ACCOUNT}{other}")).unwrap_err();
    assert!(
        twice.message.contains("role restore in two documents"),
        "{twice}"
    );
    let files = Inventory::of_files([("a.yaml", ACCOUNT), ("b.yaml", other)]).unwrap_err();
    assert!(files.contains("role restore in two documents"), "{files}");
    let fine = "---\naccount: \"123456789012\"\nregion: eu-west-1\ncaller: arn:aws:iam::123456789012:user/operator\n";
    let without = ACCOUNT.replace("caller: ", "# ");
    Inventory::parse(&format!("{without}{fine}")).unwrap();
}

#[test]
fn policies_on_their_own() {
    let json =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    assert_eq!(
        PolicyDocument::of_principal(json).unwrap().statements.len(),
        1
    );
    assert!(
        PolicyDocument::of_resource(json)
            .unwrap_err()
            .message
            .contains("needs Principal")
    );
    assert_eq!(PolicyDocument::of_principal("{").unwrap_err().line, 2);
}
