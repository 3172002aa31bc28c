//! The keys that hold a zone, a key or another ARN, which has to belong to where the restore runs: `x-redrill.place` in
//! `schemas/*.yaml`.

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Kind of value that has to fit.
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
    rest: Vec<PathStep>,
    pub(crate) kind: ReferenceKind,
    /// The member beside it that names its Region.
    pub(crate) region_in: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum PathStep {
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

    /// The texts that stand there in the value of its key.
    pub(crate) fn texts<'v>(&self, value: &'v Value) -> Vec<PlacedText<'v>> {
        let mut found = Vec::new();
        let mut segments = vec![self.key.clone()];
        visit(value, &self.rest, None, &mut segments, &mut found);
        found
    }
}

/// A text at a place.
#[derive(Debug)]
pub(crate) struct PlacedText<'v> {
    pub(crate) text: &'v str,
    /// The way to it, from the key on.
    pub(crate) segments: Vec<String>,
    /// The map that it stands in.
    pub(crate) beside: Option<&'v Map<String, Value>>,
}

fn visit<'v>(
    value: &'v Value,
    steps: &[PathStep],
    beside: Option<&'v Map<String, Value>>,
    segments: &mut Vec<String>,
    found: &mut Vec<PlacedText<'v>>,
) {
    let Some((step, rest)) = steps.split_first() else {
        if let Value::String(text) = value {
            let segments = segments.clone();
            found.push(PlacedText {
                text,
                segments,
                beside,
            });
        }
        return;
    };
    let mut inside = |segment: String, value: &'v Value, beside| {
        segments.push(segment);
        visit(value, rest, beside, segments, found);
        segments.pop();
    };
    match (step, value) {
        (PathStep::Member(name), Value::Object(map)) => {
            if let Some(value) = map.get(name) {
                inside(name.clone(), value, Some(map));
            }
        }
        (PathStep::Pattern(pattern), Value::Object(map)) => {
            for (key, value) in map.iter().filter(|(key, _)| pattern.is_match(key)) {
                inside(key.clone(), value, Some(map));
            }
        }
        (PathStep::Names, Value::Object(map)) => found.extend(map.keys().map(|key| PlacedText {
            text: key,
            segments: segments.iter().chain([key]).cloned().collect(),
            beside: None,
        })),
        (PathStep::Items, Value::Array(items)) => {
            for (at, value) in items.iter().enumerate() {
                inside(at.to_string(), value, None);
            }
        }
        _ => {}
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
