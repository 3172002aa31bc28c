//! Refusals of AWS, at once or in the job. The facts are in `refusals.yaml`, each with its source.

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::SignedDuration;
use serde::Deserialize;

use super::conditions::{Condition, Fault};
use super::elsewhere::partition_of;
use super::error::{ApiError, ErrorCode};
use super::metadata::Metadata;
use super::point::Point;
use super::resource_types;
use super::things::things;
use super::world::World;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    #[serde(rename = "id")]
    _id: String,
    at: At,
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    error: Option<ErrorCode>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    nested: bool,
    when: Vec<Condition>,
    message: String,
    #[serde(rename = "words")]
    _words: String,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum At {
    Request,
    Job,
    Completed,
}

/// Request to judge.
pub(super) struct Request<'a> {
    pub(super) resource_type: &'a str,
    /// ResourceType of the request, where it has one.
    pub(super) asked_type: Option<&'a str>,
    pub(super) metadata: &'a Metadata<'a>,
    pub(super) copy_tags: bool,
    pub(super) role: Option<&'a str>,
    pub(super) account: &'a str,
    /// Region that it runs in.
    pub(super) region: &'a str,
    pub(super) point: &'a Point,
    /// Finds what the inventory says of a thing around the backups.
    pub(super) around: &'a dyn Fn(&str) -> Option<&'a str>,
    /// True if it says anything: most say nothing, and asking costs.
    pub(super) surrounded: bool,
    /// Returns true if the resource it would create exists.
    pub(super) taken: &'a dyn Fn() -> bool,
    /// World that the inventory declares around it, if it declares anything.
    pub(super) world: Option<&'a World<'a>>,
    /// The session that AWS Backup makes of the role.
    pub(super) session: Option<String>,
}

impl Request<'_> {
    /// Of the Region that it runs in.
    pub(super) fn partition(&self) -> &'static str {
        partition_of(self.region)
    }
}

/// End of a job that does not do all that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JobEnd {
    pub(super) message: String,
    /// From RUNNING to FAILED; none for a job that runs its course, and ends COMPLETED with the message.
    pub(super) failed_after: Option<SignedDuration>,
}

static REFUSALS: LazyLock<Vec<Refusal>> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "embedded data, read by every test of this module"
    )]
    serde_yaml::from_str(include_str!("refusals.yaml")).expect("refusals.yaml")
});

/// Refusals of each type by its usual name: every StartRestoreJob asks.
static OF_TYPE: LazyLock<HashMap<&str, Vec<&Refusal>>> = LazyLock::new(|| {
    let rows = |name| REFUSALS.iter().filter(|row| row.concerns(name)).collect();
    resource_types::names()
        .map(|name| (name, rows(name)))
        .collect()
});

impl Refusal {
    fn concerns(&self, resource_type: &str) -> bool {
        let same = |name: &String| name.eq_ignore_ascii_case(resource_type);
        self.types.is_empty() || self.types.iter().any(same)
    }
}

/// The refusal that AWS answers the request with, if any.
pub(super) fn refuse(request: &Request<'_>) -> Result<(), ApiError> {
    match first(request, At::Request, |_| true) {
        None => Ok(()),
        Some((refusal, fault)) => {
            let code = refusal.error.unwrap_or(ErrorCode::InvalidParameterValue);
            let mut error = ApiError::new(code, words(refusal, request, &fault));
            let mut own = ["IamRoleArn", "ResourceType"].into_iter();
            let parameter = own.find(|name| *name == fault.key);
            error.context = Some(parameter.unwrap_or("Metadata").to_owned());
            Err(error)
        }
    }
}

/// Returns the end of an accepted request's job, if it does not do all that was asked.
pub(super) fn end(request: &Request<'_>) -> Option<JobEnd> {
    let fails = first(request, At::Job, |_| true);
    let found = fails.or_else(|| first(request, At::Completed, |_| true));
    found.map(|(refusal, fault)| ended(refusal, request, &fault))
}

/// Returns the failure of a nested recovery point's job. AWS documents less of those: only what its page asks counts.
pub(super) fn end_nested(request: &Request<'_>) -> Option<JobEnd> {
    let nested = |refusal: &Refusal| refusal.nested;
    let (refusal, fault) = first(request, At::Job, nested)?;
    Some(ended(refusal, request, &fault))
}

fn ended(refusal: &Refusal, request: &Request<'_>, fault: &Fault) -> JobEnd {
    let after = refusal.after.as_deref().unwrap_or("30s");
    let after = after.parse().unwrap_or(SignedDuration::ZERO);
    JobEnd {
        message: words(refusal, request, fault),
        failed_after: (refusal.at == At::Job).then_some(after),
    }
}

fn words(refusal: &Refusal, request: &Request<'_>, fault: &Fault) -> String {
    let message = refusal.message.replace("{key}", &fault.key);
    let value = fault.value.as_deref();
    let value = value.or_else(|| request.metadata.get(&fault.key));
    let message = message.replace("{value}", value.unwrap_or_default());
    things(&message, request)
        .into_iter()
        .next()
        .unwrap_or(message)
}

/// The first refusal that fits, and what makes it fit.
fn first(
    request: &Request<'_>,
    at: At,
    of: impl Fn(&Refusal) -> bool,
) -> Option<(&'static Refusal, Fault)> {
    let judge = |refusal: &'static Refusal| {
        let fault = Condition::all(&refusal.when, request)?;
        Some((refusal, fault))
    };
    let name = request.resource_type;
    match OF_TYPE.get(name) {
        Some(rows) => rows
            .iter()
            .filter(|row| row.at == at && of(row))
            .find_map(|row| judge(row)),
        // A type that an inventory has, and that is younger than this.
        None => {
            let rows = REFUSALS.iter().filter(|row| row.concerns(name));
            rows.filter(|row| row.at == at && of(row)).find_map(judge)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::catalog::Located;
    use super::*;
    use redrill_inventory::RecoveryPoint;

    fn map<'a>(entries: &[(&'a str, &'a str)]) -> Metadata<'a> {
        let entries = entries.iter();
        Metadata::new(
            entries
                .map(|(k, v)| ((*k).into(), Some((*v).into())))
                .collect(),
        )
    }

    fn point(restore_metadata: &[(&str, &str)]) -> Point {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let restore_metadata = map(restore_metadata).iter().map(owned).collect();
        let point = RecoveryPoint {
            arn: "arn:aws:ec2:us-east-1::image/ami-0abc".into(),
            resource_arn: "arn:aws:ec2:us-east-1:123456789012:instance/i-1".into(),
            resource_type: String::new(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            size_bytes: 0,
            restore_metadata,
            status: Default::default(),
            storage_class: Default::default(),
            parent: None,
            encryption_key_arn: None,
            expires_at: None,
            tags: Default::default(),
            restore: None,
        };
        let (vault, vault_arn, vault_type) = ("v".into(), "v".into(), Default::default());
        Point::Listed(Arc::new(Located {
            point,
            vault,
            vault_arn,
            vault_type,
            vault_locked: false,
            deleted: Default::default(),
        }))
    }

    fn request<'a>(
        resource_type: &'a str,
        metadata: &'a Metadata<'a>,
        point: &'a Point,
        copy_tags: bool,
    ) -> Request<'a> {
        Request {
            resource_type,
            asked_type: None,
            metadata,
            copy_tags,
            role: None,
            account: "123456789012",
            region: "us-east-1",
            point,
            around: &|_| None,
            surrounded: false,
            taken: &|| false,
            world: None,
            session: None,
        }
    }

    fn judge(
        resource_type: &str,
        metadata: &[(&str, &str)],
        source: &[(&str, &str)],
    ) -> (Option<String>, Option<String>) {
        let (metadata, point) = (map(metadata), point(source));
        let request = request(resource_type, &metadata, &point, false);
        (
            refuse(&request).err().map(|error| error.message),
            end(&request).map(|end| end.message),
        )
    }

    #[test]
    fn every_row_is_whole() {
        let mut ids = std::collections::BTreeSet::new();
        for refusal in REFUSALS.iter() {
            assert!(ids.insert(&refusal._id), "{} twice", refusal._id);
            assert!(!refusal.when.is_empty(), "{}", refusal._id);
            assert_eq!(
                refusal.error.is_some(),
                refusal.at == At::Request,
                "{}",
                refusal._id
            );
            if let Some(after) = &refusal.after {
                after.parse::<SignedDuration>().unwrap();
            }
            for name in &refusal.types {
                assert!(super::super::resource_types::find(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn recorded_answers() {
        let ok = (None, None);
        let fails = |message: &str| (None, Some(message.to_owned()));
        assert_eq!(judge("EC2", &[("SecurityGroupIds", "[\"sg-1\"]")], &[]), ok);
        assert_eq!(
            judge("EC2", &[("SecurityGroupIds", "sg-1")], &[]),
            fails("Restore metadata is invalid.")
        );
        let profile = [("IamInstanceProfileName", "other")];
        assert_eq!(
            judge("EC2", &profile, &[]),
            ok,
            "what the source had is not known"
        );
        assert_eq!(judge("EC2", &profile, &profile), ok);
        let (_, failure) = judge("EC2", &profile, &[("IamInstanceProfileName", "mine")]);
        assert!(failure.unwrap().starts_with("AWS Backup does not permit"));
        let used = [("IamInstanceProfileName", "UseBackedUpValue")];
        assert_eq!(
            judge("EC2", &used, &[("IamInstanceProfileName", "mine")]),
            ok
        );
        let interfaces = r#"[{"AssociatePublicIpAddress":true,"NetworkInterfaceId":"eni-1"}]"#;
        let (_, failure) = judge("EC2", &[("NetworkInterfaces", interfaces)], &[]);
        assert!(failure.unwrap().contains("network interface with an ID"));
        let interfaces =
            r#"[{"PrivateIpAddress": "10.0.0.1", "PrivateIpAddresses": [{"Primary": true}]}]"#;
        let (_, failure) = judge("EC2", &[("NetworkInterfaces", interfaces)], &[]);
        assert!(failure.unwrap().contains("Only one primary"));
        assert_eq!(judge("EC2", &[("NetworkInterfaces", "[]")], &[]), ok);
        let (refusal, _) = judge("RDS", &[("VpcSecurityGroupIds", "sg-1,sg-2")], &[]);
        assert_eq!(refusal.as_deref(), Some("Bad metadata"));
        let (refusal, _) = judge("Aurora DSQL", &[("cluster_id", "x")], &[]);
        assert!(refusal.unwrap().contains("cluster_id"));
        assert_eq!(
            judge(
                "Aurora DSQL",
                &[("usemultiregionorchestration", "false")],
                &[]
            ),
            ok
        );
        let (refusal, _) = judge("EFS", &[("newFileSystem", "false"), ("foo", "1")], &[]);
        assert!(refusal.unwrap().contains("foo"));
        assert!(judge("EFS", &[("newFilesystem", "true")], &[]).1.is_some());
        assert_eq!(
            judge(
                "EFS",
                &[("newFilesystem", "true"), ("creationtoken", "x")],
                &[]
            ),
            ok
        );
    }

    #[test]
    fn what_a_value_may_be_depends_on_those_beside_it() {
        let ok = (None, None);
        let fails = |message: &str| (None, Some(message.to_owned()));
        let volume = |more: &[(&str, &str)]| {
            let mut metadata = vec![("availabilityZone", "us-east-1a")];
            metadata.extend(more);
            judge("EBS", &metadata, &[])
        };
        let io2 = ("volumeType", "io2");
        assert_eq!(volume(&[io2, ("iops", "256000")]), ok);
        let missing = fails("The parameter iops must be specified for io2 volumes.");
        assert_eq!(volume(&[io2]), missing);
        assert_eq!(volume(&[io2, ("iops", "")]), missing);
        // The page of EKS hands a nested volume's metadata to EBS.
        let (metadata, point) = (map(&[("availabilityZone", "us-east-1a"), io2]), point(&[]));
        let nested = end_nested(&request("EBS", &metadata, &point, false));
        assert_eq!(nested.map(|end| end.message), missing.1);
        let gp3 = ("VolumeType", "GP3");
        assert_eq!(volume(&[gp3, ("iops", "80000")]), ok);
        let beyond = fails("Invalid restore metadata: iops cannot be 80001.");
        assert_eq!(volume(&[gp3, ("iops", "80001")]), beyond);
        let gateway = (
            "gatewayArn",
            "arn:aws:storagegateway:us-east-1:1:gateway/sgw-12A3456B",
        );
        let (of_a_gateway, size) = (("targetName", "a"), ("volumeSize", "107374182400"));
        assert_eq!(judge("EBS", &[gateway, of_a_gateway, size], &[]), ok);
        let devices = |devices: &str| judge("EC2", &[("BlockDeviceMappings", devices)], &[]);
        let fine = r#"{"Ebs":{"VolumeType":"io1","Iops":64000}}"#;
        assert_eq!(devices(&format!("[{fine}]")), ok);
        let beyond =
            fails("Invalid restore metadata: BlockDeviceMappings[].Ebs.Iops cannot be 64001.");
        let wrong = fine.replace("64000", "64001");
        assert_eq!(devices(&format!("[{fine},{wrong}]")), beyond);
        // Members of two different objects do not belong together.
        let two = r#"[{"Ebs":{"VolumeType":"gp2"}},{"Ebs":{"Throughput":500}}]"#;
        assert_eq!(devices(two), ok);
        for no_objects in ["[1]", "{}", "text", r#"[{"Ebs":1}]"#] {
            assert_eq!(devices(no_objects), ok, "{no_objects}");
        }
        let servers = |list: &str| {
            judge(
                "RDS",
                &[("DBInstanceIdentifier", "a"), ("DomainDnsIps", list)],
                &[],
            )
        };
        assert_eq!(
            servers(r#"["10.0.0.1"]"#),
            fails("Two IP addresses must be provided.")
        );
        assert_eq!(servers("10.0.0.1,10.0.0.2"), ok);
    }

    #[test]
    fn tags_cannot_be_copied_to_every_type() {
        let (metadata, point) = (map(&[]), point(&[]));
        assert!(end(&request("S3", &metadata, &point, true)).is_some());
        assert!(end(&request("S3", &metadata, &point, false)).is_none());
        let metadata = map(&[("availabilityZone", "us-east-1a")]);
        assert!(end(&request("EBS", &metadata, &point, true)).is_none());
    }
}
