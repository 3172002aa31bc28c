//! Facts about each resource type: the form of its ARNs, the duration of its restores. They are in
//! `resource_types.yaml`, each with its source; this reads and applies them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::SignedDuration;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::metadata::Metadata;
use super::point::Point;
use super::template::{Part, Template};
use redrill_inventory::Arn;
use redrill_inventory::{RecoveryPoint, StorageClass};

/// From the creation of a job until it runs.
pub(super) const PENDING: SignedDuration = SignedDuration::from_secs(10);

/// Time that cold storage adds.
const COLD: SignedDuration = SignedDuration::from_hours(4);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceType {
    #[serde(rename = "type")]
    pub(super) name: String,
    #[serde(default)]
    also: Vec<String>,
    #[serde(default)]
    recovery_points: Vec<String>,
    forms: Vec<String>,
    #[serde(default)]
    restored_as: Vec<String>,
    created: Vec<Created>,
    #[serde(rename = "created_source")]
    _created_source: String,
    #[serde(default)]
    pub(super) early: bool,
    #[serde(default)]
    pub(super) named: bool,
    #[serde(deserialize_with = "duration_text")]
    fixed: SignedDuration,
    mib_per_second: Option<u64>,
    #[serde(rename = "duration_source")]
    _duration_source: String,
    #[serde(default)]
    restore_metadata: BTreeMap<String, String>,
    inferred: Option<BTreeMap<String, Template>>,
    #[serde(default)]
    pub(super) concurrent: Vec<Limit>,
    #[serde(rename = "concurrent_source", default)]
    _concurrent_source: Option<String>,
}

/// Limit on restores that run at once; others wait in PENDING.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    pub(super) max: usize,
    /// For each value of this metadata key; for the account in its region, if left out.
    pub(super) per: Option<String>,
    /// Only of requests that have this metadata key.
    pub(super) with: Option<String>,
    /// Only of requests that have this value.
    #[serde(default)]
    pub(super) equal: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Created {
    #[serde(default)]
    present: Vec<String>,
    #[serde(default)]
    equal: BTreeMap<String, String>,
    arn: Template,
}

fn duration_text<'de, D: serde::Deserializer<'de>>(text: D) -> Result<SignedDuration, D::Error> {
    String::deserialize(text)?
        .parse()
        .map_err(serde::de::Error::custom)
}

/// Place in which something is created.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) partition: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
}

fn name_is(name: &str, key: &str) -> bool {
    name.eq_ignore_ascii_case(key)
}

static TYPES: LazyLock<Vec<ResourceType>> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "embedded data, read by every test of this module"
    )]
    serde_yaml::from_str(include_str!("resource_types.yaml")).expect("resource_types.yaml")
});

/// All types, as AWS spells them, in the order of the data.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|row| row.name.as_str())
}

/// The row of a type, by any spelling of its name. Unknown types have none: AWS adds types faster than we do.
pub(super) fn find(name: &str) -> Option<&'static ResourceType> {
    TYPES
        .iter()
        .find(|row| name_is(&row.name, name) || row.also.iter().any(|other| name_is(other, name)))
}

/// The likeliest type of a recovery point that is known by its ARN alone.
pub(super) fn guess(arn: &Arn<'_>) -> Option<&'static ResourceType> {
    let matches = |pattern: &String| begins(arn, pattern);
    TYPES
        .iter()
        .find(|row| row.recovery_points.iter().any(matches))
}

/// Returns true if a recovery point is of another type than a request says. Unknown types are not judged.
pub(super) fn is_of_another(point: &Point, asked: Option<&str>) -> bool {
    let Some(asked) = asked.and_then(find) else {
        return false;
    };
    match point {
        Point::Listed(_) => find(point.resource_type())
            .is_some_and(|own| own.name != asked.name && !own.restored_as.contains(&asked.name)),
        // Of one that no inventory knows the ARN says what it can be.
        Point::Free(_) => Arn::parse(point.arn()).is_some_and(|arn| !asked.has_points_as(&arn)),
    }
}

impl ResourceType {
    fn has_points_as(&self, arn: &Arn<'_>) -> bool {
        let fits = |form: &&String| begins(arn, form);
        let forms = TYPES.iter().flat_map(|row| &row.forms).filter(fits);
        let form = forms.max_by_key(|form| form.len());
        form.is_some_and(|form| self.forms.contains(form))
    }
}

/// Returns true if the service and the resource of an ARN begin with `form`.
fn begins(arn: &Arn<'_>, form: &str) -> bool {
    form.strip_prefix(arn.service)
        .and_then(|rest| rest.strip_prefix(':'))
        .is_some_and(|resource| arn.resource.starts_with(resource))
}

/// Returns the duration of a restore. Types that are unknown take as long as EFS.
pub(super) fn duration(
    row: Option<&ResourceType>,
    bytes: u64,
    class: StorageClass,
) -> SignedDuration {
    let (fixed, rate) = match row {
        Some(row) => (row.fixed, row.mib_per_second),
        None => (SignedDuration::from_mins(5), Some(100)),
    };
    let copying = rate.map_or(0, |rate| bytes / (rate << 20).max(1));
    let copying = SignedDuration::from_secs(i64::try_from(copying).unwrap_or(i64::MAX));
    let cold = match class {
        StorageClass::Cold => COLD,
        StorageClass::Warm | StorageClass::Deleted => SignedDuration::ZERO,
    };
    fixed.saturating_add(copying).saturating_add(cold)
}

/// The CreatedResourceArn of a restore; none where the request lacks what AWS names it by. `seed` is what generated names
/// are made from: same seed, same names.
pub(super) fn created_arn(
    row: Option<&ResourceType>,
    place: Place<'_>,
    metadata: &Metadata<'_>,
    seed: &str,
) -> Option<String> {
    let fits = |created: &&Created| {
        created
            .present
            .iter()
            .all(|key| metadata.get(key).is_some())
            && created.equal.iter().all(|(key, value)| {
                let found = metadata.get(key);
                found.is_some_and(|found| found.eq_ignore_ascii_case(value))
            })
    };
    let known = row.and_then(|row| row.created.iter().find(fits));
    let template = known.map_or(&*OF_UNKNOWN, |created| &created.arn);
    let is_known = |part: &Part| match part {
        Part::Place(name, key) if name == "meta" || name == "lower" => {
            metadata.get(key).is_some_and(|value| !value.is_empty())
        }
        _ => true,
    };
    if !template.parts().iter().all(is_known) {
        return None;
    }
    let arn = fill(template, place, metadata, seed);
    Arn::parse(&arn).is_some().then_some(arn)
}

static OF_UNKNOWN: LazyLock<Template> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a text of ours")]
    Template::parse("arn:{partition}:backup:{region}:{account}:restored:{uuid}").expect("it is one")
});

/// The ARN of what a recovery point that no inventory knows was made from.
pub(super) fn source_arn(row: &ResourceType, place: Place<'_>, seed: &str) -> String {
    let created = row.created.last();
    let arn = created.map_or(String::new(), |created| {
        fill(&created.arn, place, &Metadata::default(), seed)
    });
    // Without metadata a template that is one key only leaves a bare name.
    if arn.starts_with("arn:") {
        return arn;
    }
    let Place {
        partition,
        region,
        account,
    } = place;
    format!("arn:{partition}:backup:{region}:{account}:resource:{arn}")
}

/// Returns what GetRecoveryPointRestoreMetadata answers for a recovery point that no inventory knows.
pub(super) fn restore_metadata(row: &ResourceType, resource_arn: &str) -> BTreeMap<String, String> {
    let name = resource_arn.rsplit(['/', ':']).next().unwrap_or_default();
    let entries = row.restore_metadata.iter();
    entries
        .map(|(key, value)| (key.clone(), value.replace("{source}", name)))
        .collect()
}

/// Returns what GetRestoreTestingInferredMetadata answers; none for a type that restore testing omits. {source} is the
/// last part of the resource's ARN, {random} eight characters, {meta:Key} the recovery point's own restore metadata.
pub(super) fn inferred_metadata(
    row: &ResourceType,
    point: &RecoveryPoint,
) -> Option<BTreeMap<String, String>> {
    let here = Place {
        partition: "aws",
        region: Arn::parse(&point.arn).map_or("us-east-1", |arn| arn.region),
        account: "",
    };
    let source = point.resource_arn.rsplit(['/', ':']).next();
    let known = Metadata::from(&point.restore_metadata);
    let random = hex("inferred", &point.arn, 8);
    let entries = row.inferred.as_ref()?.iter().filter_map(|(key, template)| {
        let wanted = template.parts().iter().find_map(|part| match part {
            Part::Place(name, key) if name == "meta" => Some(key),
            _ => None,
        });
        if wanted.is_some_and(|key| known.get(key).is_none()) {
            // Facts that are not known of the recovery point cannot be inferred from it.
            return None;
        }
        let own = |name: &str| match name {
            "source" => source,
            "random" => Some(&*random),
            _ => None,
        };
        let value = fill_with(template, here, &known, &point.arn, own);
        Some((key.clone(), value))
    });
    Some(entries.collect())
}

fn fill(template: &Template, place: Place<'_>, metadata: &Metadata<'_>, seed: &str) -> String {
    fill_with(template, place, metadata, seed, |_| None)
}

/// `own` are further places.
fn fill_with<'a>(
    template: &Template,
    place: Place<'_>,
    metadata: &Metadata<'_>,
    seed: &str,
    own: impl Fn(&str) -> Option<&'a str>,
) -> String {
    let mut out = String::with_capacity(96);
    for part in template.parts() {
        let (name, argument) = match part {
            Part::Text(text) => {
                out.push_str(text);
                continue;
            }
            Part::Place(name, argument) => (name.as_str(), argument.as_str()),
        };
        match name {
            "partition" => out.push_str(place.partition),
            "region" => out.push_str(place.region),
            "account" => out.push_str(place.account),
            "new" => {
                out.push_str(argument);
                out.push_str(&hex(argument, seed, 17));
            }
            "id26" => out.push_str(&hex(name, seed, 26)),
            "uuid" => {
                let name = format!("{name} {seed}");
                let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes());
                out.push_str(&id.to_string());
            }
            // RDS stores identifiers in lower case, https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html
            "lower" => out.push_str(&named(metadata, argument, seed).to_lowercase()),
            "meta" => out.push_str(&named(metadata, argument, seed)),
            other => out.push_str(own(other).unwrap_or_default()),
        }
    }
    out
}

/// A metadata value, or a made-up name for the source of a recovery point that nothing is known of.
fn named(metadata: &Metadata<'_>, key: &str, seed: &str) -> String {
    match metadata.get(key) {
        Some(value) if !value.is_empty() => value.to_owned(),
        _ => format!("unnamed-{}", hex(key, seed, 8)),
    }
}

/// The first digits of a digest.
fn hex(kind: &str, seed: &str, digits: usize) -> String {
    let digest = Sha256::new()
        .chain_update(kind)
        .chain_update(" ")
        .chain_update(seed)
        .finalize();
    let all = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digit = |four: u8| char::from(b"0123456789abcdef"[usize::from(four)]);
    all.take(digits).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place {
        partition: "aws",
        region: "eu-west-1",
        account: "123456789012",
    };

    fn created(name: &str, metadata: &[(&str, &str)]) -> String {
        let entries = metadata.iter();
        let metadata = Metadata::new(
            entries
                .map(|(k, v)| ((*k).into(), Some((*v).into())))
                .collect(),
        );
        created_arn(find(name), HERE, &metadata, "seed").unwrap_or_default()
    }

    #[test]
    fn every_row_is_whole() {
        for row in TYPES.iter() {
            assert!(row.fixed > SignedDuration::ZERO, "{}", row.name);
            assert!(row.mib_per_second != Some(0), "{}", row.name);
            assert!(row._created_source.starts_with("https://"), "{}", row.name);
            assert!(!row._duration_source.is_empty());
            let sourced = |text: &Option<String>| {
                text.as_ref()
                    .is_some_and(|text| text.starts_with("https://"))
            };
            assert!(
                row.concurrent.is_empty() || sourced(&row._concurrent_source),
                "{}",
                row.name
            );
            for pattern in row.recovery_points.iter().chain(&row.forms) {
                assert!(pattern.contains(':'), "{pattern}");
            }
            for other in &row.restored_as {
                assert!(find(other).is_some(), "{other}");
            }
            let source = source_arn(row, HERE, "seed");
            assert!(Arn::parse(&source).is_some(), "{}: {source}", row.name);
        }
    }

    #[test]
    fn types_from_arns() {
        for (arn, name) in [
            ("arn:aws:ec2:us-east-1::image/ami-0abc", "EC2"),
            ("arn:aws:ec2:us-east-1::snapshot/snap-0abc", "EBS"),
            (
                "arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-1",
                "RDS",
            ),
            (
                "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:awsbackup:job-1",
                "Aurora",
            ),
            (
                "arn:aws:backup:us-east-1:123456789012:recovery-point:continuous:db-X-1",
                "RDS",
            ),
            (
                "arn:aws:backup:us-east-1:123456789012:recovery-point:continuous:bucket-1",
                "S3",
            ),
            (
                "arn:aws:backup:us-east-1:123456789012:recovery-point:composite:eks/c-1",
                "EKS",
            ),
            (
                "arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7",
                "EFS",
            ),
            (
                "arn:aws:redshift-serverless:us-east-1:123456789012:snapshot/1",
                "Redshift Serverless",
            ),
            (
                "arn:aws:redshift:us-east-1:123456789012:snapshot:c/awsbackup:job-1",
                "Redshift",
            ),
            ("arn:aws:fsx:us-east-1:123456789012:backup/backup-1", "FSx"),
        ] {
            assert_eq!(
                guess(&Arn::parse(arn).unwrap()).unwrap().name,
                name,
                "{arn}"
            );
        }
        assert!(guess(&Arn::parse("arn:aws:sqs:us-east-1:123456789012:q").unwrap()).is_none());
    }

    #[test]
    fn created_arns() {
        assert_eq!(
            created("RDS", &[("dbinstanceidentifier", "Orders-1")]),
            "arn:aws:rds:eu-west-1:123456789012:db:orders-1"
        );
        assert_eq!(
            created(
                "EFS",
                &[("newFileSystem", "False"), ("file-system-id", "fs-1")]
            ),
            "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-1"
        );
        let new = created(
            "EFS",
            &[("newFileSystem", "true"), ("file-system-id", "fs-1")],
        );
        let id = new.rsplit('/').next().unwrap();
        assert!(
            id.starts_with("fs-") && id.len() == 20 && id != "fs-1",
            "{new}"
        );
        assert_eq!(
            created("S3", &[("DestinationBucketName", "b")]),
            "arn:aws:s3:::b"
        );
        assert_eq!(
            created(
                "SAP HANA on Amazon EC2",
                &[(
                    "aws:backup:TargetDatabaseArn",
                    "arn:aws:ssm-sap:eu-west-1:123456789012:HANA/app/DB/HDB"
                )]
            ),
            "arn:aws:ssm-sap:eu-west-1:123456789012:HANA/app/DB/HDB"
        );
        // Nothing is made up where AWS would have nothing to name it by, and what is told is an ARN.
        let hana = [("aws:backup:TargetDatabaseArn", "hana-1")];
        assert_eq!(created("SAP HANA on Amazon EC2", &hana), "");
        for name in ["DynamoDB", "S3", "RDS", "EKS", "SAP HANA on Amazon EC2"] {
            assert_eq!(created(name, &[]), "", "{name}");
        }
        let gateway = "arn:aws:storagegateway:eu-west-1:123456789012:gateway/sgw-1";
        for name in ["EBS", "Storage Gateway"] {
            let made = created(name, &[("gatewayArn", gateway)]);
            assert!(
                made.starts_with(&format!("{gateway}/volume/vol-")),
                "{made}"
            );
        }
        let cluster = [
            ("RestoreType", "CLUSTER_RESTORE"),
            ("ClusterIdentifier", "c"),
        ];
        assert_eq!(
            created("Redshift Serverless", &cluster),
            "arn:aws:redshift:eu-west-1:123456789012:cluster:c"
        );
        assert!(created("Quantum Ledger", &[]).starts_with("arn:aws:backup:eu-west-1:"));
        assert!(created("RedshiftServerless", &[]).contains(":namespace/"));
    }

    #[test]
    fn durations() {
        let minutes = |name, bytes, class| duration(find(name), bytes, class).as_mins();
        assert_eq!(
            duration(find("EC2"), 8 << 30, StorageClass::Warm).as_secs() + PENDING.as_secs(),
            60
        );
        assert_eq!(minutes("Aurora", 339_000_000_000, StorageClass::Warm), 15);
        assert_eq!(minutes("EFS", 0, StorageClass::Cold), 245);
        duration(None, u64::MAX, StorageClass::Cold);
    }
}
