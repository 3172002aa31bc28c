//! What the emulator refuses and fails, line by line, and whether the rules agree.

use std::collections::{BTreeMap, BTreeSet};

use redrill_emulator::JobStatus;
use serde::Deserialize;

use super::*;

pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/restore";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "type")]
    resource_type: String,
    recovery_point: String,
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    point_metadata: BTreeMap<String, String>,
    #[serde(default)]
    surroundings: BTreeMap<String, String>,
    /// Other keys of the inventory: roles, resources, quotas.
    #[serde(default)]
    declared: serde_json::Map<String, serde_json::Value>,
    point_key: Option<String>,
    status: Option<String>,
    storage_class: Option<String>,
    size_bytes: Option<u64>,
    vault_type: Option<String>,
    resource: Option<String>,
    role: Option<String>,
    #[serde(default)]
    copy_tags: bool,
    asked: Option<String>,
    refusal: Option<String>,
    near: Option<Near>,
    expect: Expect,
    message: Option<String>,
    source: Option<String>,
}

/// What makes another request of a case, that is accepted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Near {
    #[serde(default)]
    metadata: BTreeMap<String, Option<String>>,
    recovery_point: Option<String>,
    status: Option<String>,
    role: Option<String>,
    copy_tags: Option<bool>,
    asked: Option<String>,
}

impl Case {
    /// The nearby request that is accepted: where what lies around is why, without that.
    fn nearby(&self) -> Option<Case> {
        let near = match &self.near {
            None if self.surroundings.is_empty() && self.declared.is_empty() => return None,
            None => Near::default(),
            Some(near) => near.clone(),
        };
        let mut other = self.clone();
        other.surroundings.clear();
        // Another value is accepted in the same world, if it is said which; otherwise the world is why.
        if self.near.is_none() {
            other.declared.clear();
        }
        for (key, value) in near.metadata {
            match value {
                None => other.metadata.remove(&key),
                Some(value) => other.metadata.insert(key, value),
            };
        }
        other.recovery_point = near.recovery_point.unwrap_or(other.recovery_point);
        other.copy_tags = near.copy_tags.unwrap_or(other.copy_tags);
        other.status = near.status.or(other.status);
        other.role = near.role.or(other.role);
        other.asked = near.asked.or(other.asked);
        Some(other)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expect {
    Accepted,
    Refused,
    Fails,
}

fn cases() -> Vec<Case> {
    serde_yaml::from_str(include_str!("judgements.yaml")).unwrap()
}

/// The recovery point of a case alone, in the account that its ARN names.
fn world(case: &Case) -> (Inventory, String, String) {
    let parts: Vec<&str> = case.recovery_point.split(':').collect();
    let account = if parts[4].is_empty() {
        "123456789012"
    } else {
        parts[4]
    };
    let region = parts[3].to_owned();
    let mut entry = serde_json::json!({
        "account": account,
        "region": region,
        "surroundings": case.surroundings,
        "vaults": { "primary": {
            "type": case.vault_type.as_deref().unwrap_or("BACKUP_VAULT"),
            "recovery_points": [{
            "arn": case.recovery_point,
            "resource_arn": case.resource.clone().unwrap_or_else(|| format!("arn:aws:backup:{region}:{account}:resource:source")),
            "resource_type": case.resource_type,
            "created_at": "2026-11-20T03:00:00Z",
            "restore_metadata": case.point_metadata,
            "encryption_key_arn": case.point_key,
            "status": case.status.as_deref().unwrap_or("COMPLETED"),
            "storage_class": case.storage_class.as_deref().unwrap_or("WARM"),
            "size_bytes": case.size_bytes.unwrap_or_default(),
        }] } },
    });
    let keys = case.declared.clone().into_iter();
    entry.as_object_mut().unwrap().extend(keys);
    let inventory = Inventory::parse(&entry.to_string()).unwrap();
    (inventory, account.to_owned(), region)
}

/// What the emulator does with it, and says.
async fn judge(case: &Case) -> (Expect, Option<String>) {
    let (inventory, account, region) = world(case);
    let emulator = start(Options {
        inventory: Some(inventory),
        ..standing()
    })
    .await;
    let client = sdk_with(&emulator, &region, &account, 1);
    let request = client
        .start_restore_job()
        .recovery_point_arn(&case.recovery_point)
        .set_metadata(Some(case.metadata.clone().into_iter().collect()))
        .copy_source_tags_to_restored_resource(case.copy_tags)
        .set_resource_type(case.asked.clone())
        .iam_role_arn(case.role.as_deref().unwrap_or(ROLE));
    ended(&emulator, request.send().await)
}

/// What becomes of the request, and what is said of it.
pub(super) fn ended<T, E, R>(
    emulator: &Emulator,
    answer: Result<T, aws_sdk_backup::error::SdkError<E, R>>,
) -> (Expect, Option<String>)
where
    T: std::fmt::Debug,
    E: ProvideErrorMetadata,
{
    if answer.is_err() {
        return (Expect::Refused, Some(refusal(answer).1));
    }
    while advance(emulator) {}
    let job = emulator.jobs().remove(0);
    match job.status {
        JobStatus::Completed => (Expect::Accepted, job.status_message),
        JobStatus::Failed => (Expect::Fails, job.status_message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_recorded_answer_is_given() {
    let mut names = BTreeSet::new();
    for case in cases() {
        assert!(
            names.insert(case.name.clone()),
            "{} is there twice",
            case.name
        );
        let (found, said) = judge(&case).await;
        assert_eq!(found, case.expect, "{}: {said:?}", case.name);
        assert_eq!(said, case.message, "{}", case.name);
        let sourced = case.refusal.is_some() || case.source.is_some();
        assert!(sourced, "{} has no source", case.name);
    }
}

/// Each refusal has a request nearby that passes, so that no line refuses more than what it is about.
#[tokio::test]
async fn issue_14_h_what_stands_beside_a_refusal_is_accepted() {
    for case in cases().into_iter().filter(|case| case.refusal.is_some()) {
        let Some(near) = case.nearby() else {
            panic!("{} has no request nearby that is accepted", case.name);
        };
        let judged = judge(&near).await;
        assert_eq!(judged, (Expect::Accepted, None), "{}", case.name);
    }
}

/// Of a recovery point that no inventory knows, the ARN says what it can be.
#[tokio::test]
async fn issue_14_h_recovery_points_of_another_type_are_refused() {
    const SNAPSHOT: &str = "arn:aws:ec2:us-east-1::snapshot/snap-0123456789abcdef0";
    const CLUSTER: &str = "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:awsbackup:job-1";
    const TABLE: &str =
        "arn:aws:dynamodb:us-east-1:123456789012:table/T/backup/01489173575360-b308cd7d";
    let of = |id: &str| format!("arn:aws:backup:us-east-1:123456789012:recovery-point:{id}");
    let (continuous, cluster) = (of("continuous:bucket-0f51c39b"), of("composite:eks/prod-1"));
    let emulator = start(standing()).await;
    let client = sdk(&emulator);
    for (name, point, fits) in [
        ("EFS", SNAPSHOT, false),
        ("S3", EC2, false),
        ("DynamoDB", RDS, false),
        ("EC2", SNAPSHOT, false),
        ("EBS", EC2, false),
        ("RDS", TABLE, false),
        ("Aurora", RDS, false),
        ("EFS", "arn:aws:sqs:us-east-1:123456789012:queue", false),
        ("EBS", &continuous, false),
        ("S3", &cluster, false),
        ("EBS", SNAPSHOT, true),
        ("Storage Gateway", SNAPSHOT, true),
        ("Neptune", CLUSTER, true),
        ("RDS", CLUSTER, true),
        ("S3", &continuous, true),
        ("EKS", &cluster, true),
        ("DynamoDB", EFS, true),
        ("EC2", EFS, true),
    ] {
        let request = client.start_restore_job().recovery_point_arn(point);
        let request = request.set_metadata(Some(Default::default()));
        let answer = request.resource_type(name).iam_role_arn(ROLE).send().await;
        // What is missing in the metadata is said after.
        let said = answer
            .err()
            .and_then(|error| error.message().map(str::to_owned));
        let other = format!("{point} is not a recovery point of {name}.");
        assert_eq!(
            said.as_ref() != Some(&other),
            fits,
            "{name}, {point}: {said:?}"
        );
    }
}

/// A region that the things of a request are in, if they are in one.
fn region_of(metadata: &serde_json::Value) -> Option<String> {
    let text = metadata.to_string();
    let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let is_region = |word: &&str| {
        let parts: Vec<&str> = word
            .trim_end_matches(|c: char| c.is_alphabetic())
            .split('-')
            .collect();
        parts.len() == 3
            && parts[2].parse::<u8>().is_ok()
            && ["us", "eu", "ap", "cn"].contains(&parts[0])
    };
    let word = words.find(is_region)?;
    Some(
        word.trim_end_matches(|c: char| c.is_alphabetic())
            .to_owned(),
    )
}

/// Nothing that others have sent, and that worked or that AWS prints, is refused or fails. What nobody knows is not judged here.
#[tokio::test]
async fn field_h_nothing_that_worked_is_refused() {
    let mut refused = String::new();
    let mut judged = 0;
    for known in crate::rules::corpus::accepted_requests() {
        let entries = known.metadata.as_object().unwrap().iter();
        let text = |value: &serde_json::Value| match value.as_str() {
            Some(text) => text.to_owned(),
            None => value.to_string(),
        };
        let metadata = entries.map(|(key, value)| (key.clone(), text(value)));
        let metadata: BTreeMap<String, String> = metadata.collect();
        let mut point = known.recovery_point();
        if let Some(region) = region_of(&known.metadata) {
            let mut parts: Vec<&str> = point.splitn(6, ':').collect();
            parts[3] = &region;
            if region.starts_with("cn-") {
                parts[1] = "aws-cn";
            }
            point = parts.join(":");
        }
        // Every recovery point exists: some name others.
        let emulator = start(standing()).await;
        let parts: Vec<&str> = point.split(':').collect();
        let account = Some(parts[4]).filter(|account| !account.is_empty());
        let account = account.unwrap_or("123456789012");
        let role = format!("arn:{}:iam::{account}:role/restore", parts[1]);
        let client = sdk_with(&emulator, parts[3], account, 1);
        let request = client.start_restore_job().recovery_point_arn(&point);
        let request = request.set_metadata(Some(metadata.into_iter().collect()));
        let request = request
            .resource_type(&known.resource_type)
            .iam_role_arn(role);
        let (found, said) = ended(&emulator, request.send().await);
        judged += 1;
        if found != Expect::Accepted {
            refused.push_str(&format!("{}: {said:?}\n", known.id));
        }
    }
    assert!(judged > 20, "{judged}");
    assert!(refused.is_empty(), "{refused}");
}

/// Whatever a request lacks: what AWS would have no name for has no ARN, and what a job tells is one.
#[tokio::test]
async fn field_h_no_arn_is_made_up_for_a_request_that_says_nothing() {
    let emulator = start(standing()).await;
    let client = sdk(&emulator);
    let types = client.get_supported_resource_types().send().await.unwrap();
    for name in types.resource_types() {
        let request = client
            .start_restore_job()
            .set_metadata(Some(Default::default()));
        let point = match name.as_str() {
            "EKS" => "arn:aws:backup:us-east-1:123456789012:recovery-point:composite:eks/c-1",
            _ => "arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7",
        };
        let request = request.recovery_point_arn(point).resource_type(name);
        let _ = request.send().await;
    }
    while advance(&emulator) {}
    let completed = emulator
        .jobs()
        .into_iter()
        .filter(|job| job.status == JobStatus::Completed);
    let mut made: Vec<String> = Vec::new();
    for job in completed {
        let arn = job.created_resource_arn.unwrap_or_default();
        assert!(
            arn.starts_with("arn:aws:") && !arn.contains("unnamed"),
            "{}: {arn}",
            job.resource_type
        );
        made.push(job.resource_type);
    }
    made.sort();
    // What these make is named by AWS, and no page calls any of their metadata mandatory.
    assert_eq!(made, ["Aurora DSQL", "EC2"]);
}

/// What is asked of one Region is not done in another, and not for a type that AWS Backup has not.
#[tokio::test]
async fn field_h_other_regions_and_types_that_are_none_are_refused() {
    let emulator = start(standing()).await;
    let point = "arn:aws:dynamodb:us-east-1:123456789012:table/T/backup/01489173575360-b308cd7d";
    let ask = async |region: &str, point: &str, name: Option<&str>| {
        let client = sdk_with(&emulator, region, "AKIDEXAMPLE", 1);
        let request = client.start_restore_job().recovery_point_arn(point);
        let request = request.metadata("targetTableName", "copy");
        let answer = request
            .set_resource_type(name.map(str::to_owned))
            .send()
            .await;
        answer
            .err()
            .map(|error| error.code().unwrap_or_default().to_owned())
    };
    assert_eq!(ask("us-east-1", point, None).await, None);
    let missing = Some("ResourceNotFoundException".to_owned());
    assert_eq!(ask("us-west-2", point, None).await, missing);
    let gov = point.replace("arn:aws:", "arn:aws-us-gov:");
    assert_eq!(ask("us-east-1", &gov, None).await, missing);
    let invalid = Some("InvalidParameterValueException".to_owned());
    assert_eq!(ask("us-east-1", point, Some("ECS")).await, invalid);
    assert_eq!(emulator.jobs().len(), 1);
}

#[derive(Deserialize)]
struct Line {
    id: String,
    source: String,
    words: String,
}

fn lines() -> Vec<Line> {
    serde_yaml::from_str(include_str!(
        "../../crates/redrill-emulator/src/refusals.yaml"
    ))
    .unwrap()
}

#[test]
fn every_line_is_provoked_and_has_a_source() {
    let mut provoked: BTreeSet<String> = cases()
        .into_iter()
        .filter_map(|case| case.refusal)
        .collect();
    // Those about values are, by every value of theirs.
    provoked.extend(super::values::lines().into_iter().map(|line| line.id));
    let lines = lines();
    for line in &lines {
        assert!(
            provoked.contains(&line.id),
            "no judgement provokes {}",
            line.id
        );
        let public = ["https://", "a public ", "the refusal ", "an answer "];
        let named = public.iter().any(|start| line.source.starts_with(start));
        assert!(named && !line.words.is_empty(), "{}", line.id);
    }
    for id in provoked {
        assert!(lines.iter().any(|line| line.id == id), "{id} is no line");
    }
}

/// A plan with that one restore, as a person would write it.
fn rules_reject(case: &Case) -> bool {
    let account = case
        .recovery_point
        .split(':')
        .nth(4)
        .filter(|a| !a.is_empty());
    let region = case.recovery_point.split(':').nth(3).unwrap();
    let mut restore = serde_json::json!({
        "type": case.resource_type,
        "recovery_point": case.recovery_point,
        "metadata": case.metadata,
    });
    if case.copy_tags {
        restore["copy_source_tags_to_restored_resource"] = true.into();
    }
    let plan = serde_json::json!({
        "plan": "judgement",
        "target": {
            "region": region,
            "account": account.unwrap_or("123456789012"),
            "iam_role_arn": case.role.as_deref().unwrap_or(ROLE),
        },
        "restores": { "one": restore },
    });
    crate::cases::check(&case.name, &plan.to_string()).1
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Disagreement {
    name: String,
    rules: String,
    why: String,
}

/// `cargo disagreements` prints this. The rules see the request alone: what lies around, and the state of the recovery
/// point, are beyond them.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the report is for people")]
async fn rules_and_emulator_agree_or_say_why_not() {
    let listed: Vec<Disagreement> =
        serde_yaml::from_str(include_str!("disagreements.yaml")).unwrap();
    let mut known: BTreeMap<&str, &Disagreement> =
        listed.iter().map(|d| (d.name.as_str(), d)).collect();
    let (mut explained, mut report) = (String::new(), String::new());
    let (mut both, mut emulator_alone) = (0, 0);
    let types = types_with_rules();
    assert!(types.contains("EFS"), "{types:?}");
    for case in cases() {
        let beyond = !case.surroundings.is_empty()
            || !case.declared.is_empty()
            || case.status.is_some()
            || case.storage_class.is_some()
            || case.size_bytes.is_some()
            || case.resource.is_some();
        if beyond || !types.contains(&case.resource_type) {
            emulator_alone += 1;
            continue;
        }
        both += 1;
        let rejected = rules_reject(&case);
        let (judged, said) = judge(&case).await;
        let says = if rejected { "rejected" } else { "accepted" };
        let agree = rejected == (judged != Expect::Accepted);
        let name = &case.name;
        let message = said.map_or(String::new(), |said| format!(" ({said})"));
        let differ = format!("{name}: the rules say {says}, the emulator {judged:?}{message}\n");
        match known.remove(name.as_str()) {
            None if agree => {}
            Some(d) if d.rules == says && !agree && !d.why.is_empty() => {
                explained.push_str(&format!("{differ}  {}\n", d.why));
            }
            listed => report.push_str(&format!("{differ}  listed: {listed:?}\n")),
        }
    }
    for name in known.keys() {
        report.push_str(&format!(
            "{name}: listed, and they agree, or there is none\n"
        ));
    }
    println!("{both} requests judged by both, {emulator_alone} by the emulator alone.");
    println!("They differ, and tests/emulator/disagreements.yaml says why:\n{explained}");
    assert!(
        report.is_empty(),
        "They differ, and tests/emulator/disagreements.yaml does not say why:\n{report}"
    );
}

/// Those of `schemas/`.
fn types_with_rules() -> BTreeSet<String> {
    let rules = redrill::rules::Rules::embedded();
    rules.compile_all().unwrap().into_iter().collect()
}
