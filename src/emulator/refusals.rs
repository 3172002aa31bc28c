//! What AWS refuses, at once or in the job. The facts are in `refusals.yaml`, each with its source.

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::SignedDuration;
use serde::Deserialize;

use super::error::{ApiError, ErrorCode};
use super::inventory::RecoveryPointStatus;
use super::metadata::Metadata;
use super::point::Point;
use super::resource_types;

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
    around: Option<String>,
    differs: Option<String>,
    taken: Option<bool>,
    composite: Option<bool>,
    status: Vec<RecoveryPointStatus>,
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
pub(super) struct Request<'a> {
    pub(super) resource_type: &'a str,
    pub(super) metadata: &'a Metadata<'a>,
    pub(super) copy_tags: bool,
    pub(super) role: Option<&'a str>,
    pub(super) account: &'a str,
    pub(super) point: &'a Point,
    /// What the inventory says of a thing around the backups.
    pub(super) around: &'a dyn Fn(&str) -> Option<&'a str>,
    /// Whether it says anything: most say nothing, and asking costs.
    pub(super) surrounded: bool,
    /// Whether what it would create exists.
    pub(super) taken: &'a dyn Fn() -> bool,
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

/// Those of each type by its usual name: every StartRestoreJob asks.
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
    match first(request, At::Request) {
        None => Ok(()),
        Some((refusal, key)) => {
            let code = refusal.error.unwrap_or(ErrorCode::InvalidParameterValue);
            let mut error = ApiError::new(code, words(refusal, request, key));
            error.context = Some("Metadata".to_owned());
            Err(error)
        }
    }
}

/// How the job of an accepted request fails, if it does.
pub(super) fn fail(request: &Request<'_>) -> Option<JobFailure> {
    let (refusal, key) = first(request, At::Job)?;
    let after = refusal.after.as_deref().unwrap_or("30s");
    Some(JobFailure {
        message: words(refusal, request, key),
        after: after.parse().unwrap_or(SignedDuration::ZERO),
    })
}

fn words(refusal: &Refusal, request: &Request<'_>, key: &str) -> String {
    let message = refusal.message.replace("{key}", key);
    things(&message, request)
        .into_iter()
        .next()
        .unwrap_or(message)
}

/// A text with the request's own values in place of names: {role}, {account}, and metadata keys. A list gives one text for
/// each of its items; a value that the request has not, none.
fn things(template: &str, request: &Request<'_>) -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        let value = match name {
            "role" => request.role,
            "account" => Some(request.account),
            "arn" => Some(request.point.arn()),
            key => request.metadata.get(key),
        };
        let Some(value) = value else {
            return Vec::new();
        };
        let items = serde_json::from_str::<Vec<String>>(value);
        let items = items.unwrap_or_else(|_| vec![value.to_owned()]);
        texts = texts
            .iter()
            .flat_map(|text| {
                items
                    .iter()
                    .map(move |item| format!("{text}{before}{item}"))
            })
            .collect();
        rest = after;
    }
    for text in &mut texts {
        text.push_str(rest);
    }
    texts
}

/// What the inventory says of the things that a text names: of the first it knows.
fn around<'a>(template: &str, request: &Request<'a>) -> Option<&'a str> {
    let things = things(template, request);
    things.iter().find_map(|thing| (request.around)(thing))
}

/// The first refusal that fits, and the key at fault.
fn first<'a>(request: &Request<'a>, at: At) -> Option<(&'static Refusal, &'a str)> {
    let judge = |refusal: &'static Refusal| {
        let mut fault = "";
        for test in &refusal.when {
            let key = holds(test, request)?;
            if fault.is_empty() {
                fault = key;
            }
        }
        Some((refusal, fault))
    };
    let name = request.resource_type;
    match OF_TYPE.get(name) {
        Some(rows) => rows
            .iter()
            .filter(|row| row.at == at)
            .find_map(|row| judge(row)),
        // Another spelling, or a type that is younger than this.
        None => {
            let rows = REFUSALS.iter().filter(|row| row.concerns(name));
            rows.filter(|row| row.at == at).find_map(judge)
        }
    }
}

/// The key that makes the test hold; none if it does not hold.
fn holds<'a>(test: &'static Test, request: &Request<'a>) -> Option<&'a str> {
    if let Some(wanted) = test.copy_tags {
        let parameter = "CopySourceTagsToRestoredResource";
        return (request.copy_tags == wanted).then_some(parameter);
    }
    if !test.only_keys.is_empty() {
        let accepted = |key: &str| test.only_keys.iter().any(|k| k.eq_ignore_ascii_case(key));
        let mut keys = request.metadata.iter().map(|(key, _)| key);
        return keys.find(|key| !accepted(key));
    }
    if !test.status.is_empty() {
        return test.status.contains(&request.point.status()).then_some("");
    }
    if let Some(wanted) = test.composite {
        return (request.point.is_composite() == wanted).then_some("");
    }
    if let Some(wanted) = test.taken {
        return ((request.taken)() == wanted).then_some("");
    }
    if let Some(thing) = &test.around {
        if !request.surrounded {
            return None;
        }
        let found = around(thing, request)?;
        let fits = match (&test.equals, &test.differs) {
            (Some(wanted), _) => found == wanted,
            (None, Some(other)) => around(other, request).is_some_and(|other| other != found),
            (None, None) => true,
        };
        return (fits != test.not).then_some("");
    }
    let key = test.key.as_deref()?;
    let value = request.metadata.get(key);
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
        let source = request.point.restore_metadata(key);
        // What the source had must be known to differ from it.
        source.is_some_and(|source| (Some(source) == value) == wanted)
    } else {
        false
    };
    (fits != test.not).then_some(key)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::catalog::Located;
    use super::super::inventory::RecoveryPoint;
    use super::*;

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
            metadata,
            copy_tags,
            role: None,
            account: "123456789012",
            point,
            around: &|_| None,
            surrounded: false,
            taken: &|| false,
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
            fail(&request).map(|failure| failure.message),
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
        assert!(fail(&request("S3", &metadata, &point, true)).is_some());
        assert!(fail(&request("S3", &metadata, &point, false)).is_none());
        assert!(fail(&request("EBS", &metadata, &point, true)).is_none());
    }
}
