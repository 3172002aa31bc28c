//! What AWS refuses, at once or in the job. The facts are in `refusals.yaml`, each with its source.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::SignedDuration;
use serde::Deserialize;

use super::error::{ApiError, ErrorCode};
use super::inventory::RecoveryPoint;
use super::resource_types::meta;

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
    when: Vec<Test>,
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
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Test {
    key: Option<String>,
    present: Option<bool>,
    equals: Option<String>,
    contains: Option<String>,
    json_list: Option<bool>,
    as_source: Option<bool>,
    only_keys: Vec<String>,
    copy_tags: Option<bool>,
    not: bool,
}

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) resource_type: &'a str,
    pub(super) metadata: &'a BTreeMap<String, String>,
    pub(super) copy_tags: bool,
    pub(super) point: &'a RecoveryPoint,
}

/// How a job that fails does so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JobFailure {
    pub(super) message: String,
    /// From RUNNING to FAILED.
    pub(super) after: SignedDuration,
}

static REFUSALS: LazyLock<Vec<Refusal>> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "embedded data, read by every test of this module"
    )]
    serde_yaml::from_str(include_str!("refusals.yaml")).expect("refusals.yaml")
});

/// The refusal that AWS answers the request with, if any.
pub(super) fn refuse(request: Request<'_>) -> Result<(), ApiError> {
    match first(request, At::Request) {
        None => Ok(()),
        Some((refusal, key)) => {
            let code = refusal.error.unwrap_or(ErrorCode::InvalidParameterValue);
            let mut error = ApiError::new(code, refusal.message.replace("{key}", &key));
            error.context = Some("Metadata".to_owned());
            Err(error)
        }
    }
}

/// How the job of an accepted request fails, if it does.
pub(super) fn fail(request: Request<'_>) -> Option<JobFailure> {
    let (refusal, key) = first(request, At::Job)?;
    let after = refusal.after.as_deref().unwrap_or("30s");
    Some(JobFailure {
        message: refusal.message.replace("{key}", &key),
        after: after.parse().unwrap_or(SignedDuration::ZERO),
    })
}

/// The first refusal that fits, and the key at fault.
fn first(request: Request<'_>, at: At) -> Option<(&'static Refusal, String)> {
    REFUSALS
        .iter()
        .filter(|refusal| refusal.at == at)
        .filter(|refusal| {
            let same = |name: &String| name.eq_ignore_ascii_case(request.resource_type);
            refusal.types.is_empty() || refusal.types.iter().any(same)
        })
        .find_map(|refusal| {
            let mut fault = String::new();
            for test in &refusal.when {
                let key = holds(test, request)?;
                if fault.is_empty() {
                    fault = key;
                }
            }
            Some((refusal, fault))
        })
}

/// The key that makes the test hold; none if it does not hold.
fn holds(test: &Test, request: Request<'_>) -> Option<String> {
    if let Some(wanted) = test.copy_tags {
        let parameter = || "CopySourceTagsToRestoredResource".to_owned();
        return (request.copy_tags == wanted).then(parameter);
    }
    if !test.only_keys.is_empty() {
        let accepted = |key: &String| test.only_keys.iter().any(|k| k.eq_ignore_ascii_case(key));
        return request.metadata.keys().find(|key| !accepted(key)).cloned();
    }
    let key = test.key.as_deref()?;
    let value = meta(request.metadata, key);
    let fits = if let Some(wanted) = test.present {
        value.is_some() == wanted
    } else if let Some(wanted) = &test.equals {
        value.is_some_and(|value| value.eq_ignore_ascii_case(wanted))
    } else if let Some(wanted) = &test.contains {
        // Blanks in JSON text mean nothing.
        let compact = |text: &str| text.replace([' ', '\n', '\t'], "");
        value.is_some_and(|value| compact(value).contains(&compact(wanted)))
    } else if let Some(wanted) = test.json_list {
        value.is_some_and(|value| {
            serde_json::from_str::<Vec<serde_json::Value>>(value).is_ok() == wanted
        })
    } else if let Some(wanted) = test.as_source {
        let source = meta(&request.point.restore_metadata, key);
        // What the source had must be known to differ from it.
        source.is_some_and(|source| (Some(source) == value) == wanted)
    } else {
        false
    };
    (fits != test.not).then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        let entries = entries.iter();
        entries
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn point(restore_metadata: &[(&str, &str)]) -> RecoveryPoint {
        RecoveryPoint {
            arn: "arn:aws:ec2:us-east-1::image/ami-0abc".into(),
            resource_arn: "arn:aws:ec2:us-east-1:123456789012:instance/i-1".into(),
            resource_type: String::new(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            size_bytes: 0,
            restore_metadata: map(restore_metadata),
            status: Default::default(),
            storage_class: Default::default(),
            parent: None,
            encryption_key_arn: None,
            expires_at: None,
            tags: BTreeMap::new(),
            restore: None,
        }
    }

    fn judge(
        resource_type: &str,
        metadata: &[(&str, &str)],
        source: &[(&str, &str)],
    ) -> (Option<String>, Option<String>) {
        let (metadata, point) = (map(metadata), point(source));
        let request = Request {
            resource_type,
            metadata: &metadata,
            copy_tags: false,
            point: &point,
        };
        (
            refuse(request).err().map(|error| error.message),
            fail(request).map(|failure| failure.message),
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
    fn tags_cannot_be_copied_to_every_type() {
        let (metadata, point) = (map(&[]), point(&[]));
        let request = |resource_type, copy_tags| Request {
            resource_type,
            metadata: &metadata,
            copy_tags,
            point: &point,
        };
        assert!(fail(request("S3", true)).is_some());
        assert!(fail(request("S3", false)).is_none());
        assert!(fail(request("EBS", true)).is_none());
    }
}
