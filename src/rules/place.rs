//! The keys that hold a zone, a key or another ARN, which has to belong to where the restore runs: `x-redrill.place` in
//! `schemas/*.yaml`.

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

/// What has to fit.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReferenceKind {
    /// The name of an Availability Zone. «An error occurred (InvalidZone.NotFound) … The zone '…' does not exist.» of a
    /// volume that was to be made in a zone of another Region, <https://github.com/velero-io/velero/issues/4799>.
    Zone,
    /// A KMS key. «AWS KMS keys are Region-specific»,
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage_lens_encrypt_permissions.html>; a restore fails where
    /// keys «are not available in the destination Region», <https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-ec2.html>.
    /// A key of another account works where its policy allows it, same page.
    KmsKey,
    /// An IAM role that something made by the restore runs as. IAM has no Regions; «iam:PassRole» is for roles of one's own
    /// account, <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>.
    Role,
    /// Another ARN: nothing documents what becomes of one of another Region.
    Arn,
}

/// A place in the metadata that holds such a value.
#[derive(Debug)]
pub(crate) struct ReferencePlace {
    pub(crate) key: String,
    pub(crate) rest: Vec<PathStep>,
    pub(crate) kind: ReferenceKind,
    /// The member beside it that names its Region.
    pub(crate) region_in: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum PathStep {
    Member(String),
    Items,
    Pattern(Regex),
    /// The keys of a map, not their values.
    Names,
}

impl ReferencePlace {
    /// Every place of a schema.
    pub(crate) fn all(schema: &Value) -> Vec<Self> {
        let mut places = Vec::new();
        for (key, of) in members(schema, "properties") {
            collect(of, key, &mut Vec::new(), &mut places);
        }
        places
    }
}

fn members<'a>(of: &'a Value, member: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    of.get(member)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn collect(of: &Value, key: &str, path: &mut Vec<PathStep>, places: &mut Vec<ReferencePlace>) {
    let kind = |of: &Value| ReferenceKind::deserialize(of.pointer("/x-redrill/place")?).ok();
    let mut place = |kind: ReferenceKind, rest: Vec<PathStep>, of: &Value| {
        let region_in = of.pointer("/x-redrill/region_in").and_then(Value::as_str);
        places.push(ReferencePlace {
            key: key.to_owned(),
            rest,
            kind,
            region_in: region_in.map(str::to_owned),
        });
    };
    if let Some(kind) = kind(of) {
        place(kind, path.clone(), of);
    }
    if let Some(names) = of.get("propertyNames")
        && let Some(kind) = kind(names)
    {
        place(kind, [path.as_slice(), &[PathStep::Names]].concat(), names);
    }
    let mut inner = |step: PathStep, of: &Value| {
        path.push(step);
        collect(of, key, path, places);
        path.pop();
    };
    for (member, of) in members(of, "properties") {
        inner(PathStep::Member(member.clone()), of);
    }
    for (pattern, of) in members(of, "patternProperties") {
        // A pattern that is none is found when the file is compiled.
        if let Ok(pattern) = Regex::new(pattern) {
            inner(PathStep::Pattern(pattern), of);
        }
    }
    if let Some(of) = of.get("items") {
        inner(PathStep::Items, of);
    }
}
