//! What `redrill iam` prints: every plan, every format, and nothing that a policy must not hold.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::drill::run;
use crate::dry_run::outputs::assert_valid;
use crate::support::{folder, repository_file, write};

/// The plans that redrill comes with, by their names.
pub(super) fn plans() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let files = std::fs::read_dir(folder).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let yaml = paths.filter(|path| path.extension().is_some_and(|end| end == "yaml"));
    let named = yaml.map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    });
    let all: Vec<_> = named.collect();
    assert!(all.len() >= 22);
    all
}

fn iam(path: &Path, more: &[&str]) -> Value {
    let (code, stdout, stderr) = run(path, &[&["iam", "plan.yaml"], more].concat());
    assert_eq!(code, 0, "{stderr}");
    let document = serde_json::from_str(&stdout).unwrap();
    assert_valid("iam", &document);
    document
}

/// The statement of a name in the policy of a principal.
fn statement<'d>(document: &'d Value, principal: &str, sid: &str) -> Option<&'d Value> {
    let policies = document["policies"].as_array().unwrap().iter();
    let mut of = policies.filter(|policy| policy["principal"] == principal);
    of.find_map(|policy| {
        let mut statements = policy["policy"]["Statement"].as_array().unwrap().iter();
        statements.find(|statement| statement["Sid"] == sid)
    })
}

#[test]
fn every_plan_has_policies_in_every_format() {
    for (name, text) in plans() {
        let folder = folder();
        write(folder.path(), "plan.yaml", &text);
        let document = iam(folder.path(), &[]);
        let policies = document["policies"].as_array().unwrap();
        assert_eq!(policies[0]["principal"], "caller", "{name}");
        for policy in policies {
            let statements = policy["policy"]["Statement"].as_array().unwrap();
            let sids: BTreeSet<&str> = statements
                .iter()
                .map(|of| of["Sid"].as_str().unwrap())
                .collect();
            assert_eq!(
                sids.len(),
                statements.len(),
                "{name}: each statement has a name of its own"
            );
            for statement in statements {
                let resources = statement["Resource"].as_array().unwrap();
                assert!(!resources.is_empty(), "{name}: {statement}");
                for resource in resources {
                    let resource = resource.as_str().unwrap();
                    let is_arn = resource == "*" || resource.split(':').count() >= 6;
                    assert!(
                        is_arn && !resource.contains(['{', ' ']),
                        "{name}: {resource}"
                    );
                }
                for action in statement["Action"].as_array().unwrap() {
                    let (service, verb) = action.as_str().unwrap().split_once(':').unwrap();
                    assert!(
                        !service.is_empty() && verb.chars().all(char::is_alphanumeric),
                        "{action}"
                    );
                }
            }
        }
        for format in ["terraform", "cloudformation"] {
            let (code, stdout, stderr) =
                run(folder.path(), &["iam", "plan.yaml", "--format", format]);
            assert_eq!(code, 0, "{name}: {stderr}");
            for sid in stdout.lines().filter(|line| line.contains("sid ")) {
                assert!(sid.contains('"'), "{name}: {sid}");
            }
            if format == "cloudformation" {
                let template: Value = serde_yaml::from_str(&stdout).unwrap();
                let resources = template["Resources"].as_object().unwrap();
                assert_eq!(resources.len(), policies.len(), "{name}");
                let caller = &resources["Caller"]["Properties"]["PolicyDocument"]["Statement"];
                assert_eq!(caller, &policies[0]["policy"]["Statement"], "{name}");
            }
        }
    }
}

/// What each command needs, and no more.
#[test]
fn a_command_needs_what_it_calls() {
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &repository_file("plans/drill.yaml"));
    let sids = |purpose: &str| {
        let document = iam(path, &["--for", purpose]);
        let policies = document["policies"].as_array().unwrap();
        let statements = policies
            .iter()
            .flat_map(|of| of["policy"]["Statement"].as_array().unwrap());
        statements
            .map(|of| of["Sid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(sids("plan"), ["FindVaults", "ReadRecoveryPoints"]);
    assert_eq!(
        sids("run"),
        [
            "FollowRestoreJobs",
            "PassRestoreRoles",
            "PublishValidation",
            "StartRestoreJobs"
        ]
    );
    assert_eq!(sids("status"), ["FollowRestoreJobs"]);
    assert_eq!(
        sids("kit"),
        ["FollowRestoreJobs", "PassRestoreRoles", "StartRestoreJobs"]
    );
    assert_eq!(sids("lock"), [""; 0]);
    let (code, _, stderr) = run(path, &["iam", "plan.yaml", "--for", "step-functions"]);
    assert_eq!(code, 64);
    assert!(
        stderr.contains("--for step-functions needs --state-machine ARN"),
        "{stderr}"
    );
}

/// Roles that are assumed do the work, and the caller may assume them.
#[test]
fn each_account_has_its_policy() {
    let folder = folder();
    let path = folder.path();
    let text = "plan: two
targets:
  a: { region: us-west-2, account: '123456789012', iam_role_arn: 'arn:aws:iam::123456789012:role/r', assume_role_arn: 'arn:aws:iam::123456789012:role/dr' }
  b: { region: cn-north-1, account: '234567890123', iam_role_arn: 'arn:aws-cn:iam::234567890123:role/r', assume_role_arn: 'arn:aws-cn:iam::234567890123:role/dr' }
restores:
  t: { type: DynamoDB, target: a, recovery_point: 'arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45', metadata: { targetTableName: t } }
  u: { type: DynamoDB, target: b, recovery_point: { vault: v, resource: 'arn:aws-cn:dynamodb:cn-north-1:234567890123:table/u' }, metadata: { targetTableName: u, encryptionType: KMS, kmsMasterKeyArn: alias/dr } }
";
    write(path, "plan.yaml", text);
    let document = iam(path, &["--state", "s3://acme-drills/redrill"]);
    assert_eq!(
        statement(&document, "caller", "AssumeTargetRoles").unwrap()["Resource"],
        serde_json::json!([
            "arn:aws-cn:iam::234567890123:role/dr",
            "arn:aws:iam::123456789012:role/dr"
        ])
    );
    assert_eq!(
        statement(&document, "caller", "KeepRecords").unwrap()["Resource"],
        serde_json::json!(["arn:aws:s3:::acme-drills/redrill/*"])
    );
    assert!(statement(&document, "caller", "StartRestoreJobs").is_none());
    let policies = document["policies"].as_array().unwrap();
    let kinds: Vec<(&str, &str)> = policies
        .iter()
        .map(|of| {
            (
                of["principal"].as_str().unwrap(),
                of["account"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("caller", ""),
            ("target_role", "234567890123"),
            ("target_role", "123456789012"),
            ("restore_role", "234567890123"),
            ("restore_role", "123456789012"),
        ]
    );
    // Whatever the selector means, in the vault's account; the key by its alias.
    let text = document.to_string();
    for wanted in [
        "arn:aws-cn:backup:cn-north-1:234567890123:backup-vault:v",
        "arn:aws-cn:backup:cn-north-1:234567890123:recovery-point:*",
        "arn:aws-cn:dynamodb:cn-north-1:234567890123:table/*/backup/*",
        r#""kms:ResourceAliases":["alias/dr"]"#,
        "arn:aws-cn:kms:cn-north-1:234567890123:key/*",
        "arn:aws:dynamodb:us-west-2:123456789012:table/t",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
}

#[test]
fn no_secret_is_in_a_policy() {
    let folder = folder();
    let path = folder.path();
    let text = repository_file("plans/dynamodb.yaml").replace(
        "restores:\n",
        "vars:\n  hidden: { secret: true }\nrestores:\n",
    );
    let text = text.replacen(
        "targetTableName: ",
        "targetTableName: \"{{ vars.hidden }}\" # ",
        1,
    );
    assert!(text.contains("vars.hidden }}"));
    write(path, "plan.yaml", &text);
    for format in ["json", "terraform", "cloudformation"] {
        let words = [
            "iam",
            "plan.yaml",
            "--var",
            "hidden=swordfish",
            "--format",
            format,
        ];
        let (code, stdout, stderr) = run(path, &words);
        assert_eq!(code, 0, "{stderr}");
        assert!(
            !stdout.contains("swordfish") && !stderr.contains("swordfish"),
            "{stdout}"
        );
        assert!(stdout.contains(":table/*"), "{stdout}");
    }
}

/// Two roles whose names differ in a way that CloudFormation or IAM does not see.
#[test]
fn each_policy_has_a_name_of_its_own() {
    let folder = folder();
    let path = folder.path();
    let restore = |name: &str, role: &str| {
        format!(
            "  {name}: {{ type: DynamoDB, target: {name}, recovery_point: 'arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45', metadata: {{ targetTableName: {name}-table }} }}\n#{role}\n"
        )
    };
    let target = |name: &str, role: &str| {
        format!(
            "  {name}: {{ region: us-west-2, account: '123456789012', iam_role_arn: 'arn:aws:iam::123456789012:role/{role}' }}\n"
        )
    };
    let plan = format!(
        "plan: two\ntargets:\n{}{}restores:\n{}{}",
        target("a", "re-store"),
        target("b", "reStore"),
        restore("a", "re-store"),
        restore("b", "reStore")
    );
    write(path, "plan.yaml", &plan);
    let words = ["iam", "plan.yaml", "--format", "cloudformation"];
    let (code, stdout, stderr) = run(path, &words);
    assert_eq!(code, 0, "{stderr}");
    let ids = stdout.lines().filter(|line| line.starts_with("  Restore"));
    let ids: BTreeSet<String> = ids.map(str::to_lowercase).collect();
    assert_eq!(ids.len(), 2, "{stdout}");
    for (arn, why) in [
        ("nope", "is not the ARN of a state machine"),
        (
            "arn:aws:states:eu-west-1:123456789012:stateMachine:x",
            "the plan restores in us-west-2",
        ),
    ] {
        let words = [
            "iam",
            "plan.yaml",
            "--for",
            "step-functions",
            "--state-machine",
            arn,
        ];
        let (code, _, stderr) = run(path, &words);
        assert_eq!(code, 64, "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
    }
}
