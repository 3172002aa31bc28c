//! Resources that can be deleted, and how: `deletes` of each type, which has a source for each.

use jiff::Timestamp;

use crate::ids::{Arn, PlaceIndex};
use crate::render::Metadata;
use crate::rules::{Deletes, Identifier};

/// Properties of a resource that say when it was made, as the types of CloudFormation call them: InstanceCreateTime of
/// AWS::RDS::DBInstance, CreationTime of AWS::DSQL::Cluster. AWS::DynamoDB::Table and others tell none. Every property of the
/// resource schemas is listed in <https://github.com/stackql-registry/stackql-provider-awscc>, website/docs/services.
const CREATED: [&str; 10] = [
    "InstanceCreateTime",
    "ClusterCreateTime",
    "CreationTime",
    "CreationDateTime",
    "CreationDate",
    "CreationTimestamp",
    "CreateTime",
    "CreatedTime",
    "CreatedAt",
    "LaunchTime",
];

/// Name of a resource in Cloud Control API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The type, as CloudFormation has it.
    pub type_name: String,
    /// Its primary identifier.
    pub identifier: String,
    /// True if that is a name, which somebody can give again.
    pub is_name: bool,
    /// The index of the target that it is in, among those of the run.
    pub place: PlaceIndex,
}

/// A resource that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExistingResource {
    /// Time at which it was made, if AWS tells.
    pub made_at: Option<Timestamp>,
}

impl ExistingResource {
    /// Reads the properties that Cloud Control API tells, a JSON object.
    #[must_use]
    pub fn of(properties: &str) -> Self {
        let properties: serde_json::Value = serde_json::from_str(properties).unwrap_or_default();
        let mut told = CREATED.iter().filter_map(|name| properties.get(name));
        Self {
            made_at: told.find_map(time),
        }
    }
}

/// A time as properties have it: a text, or seconds since 1970.
fn time(value: &serde_json::Value) -> Option<Timestamp> {
    match value {
        serde_json::Value::String(text) => text.parse().ok(),
        number => {
            let seconds = number.as_f64()?;
            Timestamp::from_duration(jiff::SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
        }
    }
}

/// Returns what stays behind at AWS when a resource of a CloudFormation type is deleted, and where that is documented.
pub(super) fn leaves(type_name: &str) -> Option<(&'static str, &'static str)> {
    let row = Deletes::all().find(|row| row.r#type == type_name)?;
    Some((row.leaves.as_deref()?, row.documented.as_deref()?))
}

/// Kind of a resource, by what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ResourceKind {
    /// Resource that the restore made, and that can be deleted.
    Made(Named),
    /// Resource whose request does not tell whether the restore made it: why.
    Unsure(String),
    /// Resource that cannot be deleted this way.
    Unknown,
}

/// Decides what can be done about the resource of an ARN, which a job of this type and metadata has named; the metadata
/// of a nested job may not be known.
pub(super) fn kind(arn: &str, resource_type: &str, metadata: Option<&Metadata>) -> ResourceKind {
    let Some(Arn {
        service, resource, ..
    }) = Arn::parse(arn)
    else {
        return ResourceKind::Unknown;
    };
    let whole = format!("{service}:{resource}");
    let row = Deletes::of(resource_type).find(|row| whole.starts_with(&row.arn));
    let Some((row, rest)) = row.and_then(|row| Some((row, whole.strip_prefix(&row.arn)?))) else {
        return ResourceKind::Unknown;
    };
    for (key, value) in &row.new {
        let mut said = metadata.into_iter().flat_map(Metadata::iter);
        let said = said.find(|(name, said)| {
            name.eq_ignore_ascii_case(key) && said.eq_ignore_ascii_case(value)
        });
        let why = match said {
            // AWS is not known to read a key that is spelled otherwise; an id that it made up is new all the same.
            Some((name, _)) if name == key || !row.name => continue,
            Some((name, _)) => format!("its request has `{name}`, which AWS spells `{key}`"),
            None => format!("its request does not say `{key}: {value}`"),
        };
        return ResourceKind::Unsure(why);
    }
    let identifier = match row.identifier {
        Identifier::Rest => rest.to_owned(),
        // The parts of a compound identifier stand in their order, with `|` between.
        Identifier::Pair => rest.replacen("/table/", "|", 1),
    };
    ResourceKind::Made(Named {
        type_name: row.r#type.clone(),
        identifier,
        is_name: row.name,
        place: PlaceIndex::FIRST,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arn: &str, resource_type: &str, metadata: &[(&str, &str)]) -> ResourceKind {
        let metadata = metadata
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        kind(arn, resource_type, Some(&metadata))
    }

    fn made(type_name: &str, identifier: &str, is_name: bool) -> ResourceKind {
        ResourceKind::Made(Named {
            type_name: type_name.to_owned(),
            identifier: identifier.to_owned(),
            is_name,
            place: PlaceIndex::FIRST,
        })
    }

    #[test]
    fn what_was_made_is_told_from_what_may_have_been_there() {
        let efs = "arn:aws:elasticfilesystem:us-west-2:1:file-system/fs-1";
        let bucket = "arn:aws:s3:::b";
        assert_eq!(
            of(efs, "EFS", &[("newfilesystem", "True")]),
            made("AWS::EFS::FileSystem", "fs-1", false)
        );
        assert_eq!(
            of(bucket, "S3", &[("NewBucket", "true")]),
            made("AWS::S3::Bucket", "b", true)
        );
        for (arn, of_type, metadata) in [
            (efs, "EFS", &[][..]),
            (efs, "EFS", &[("newFileSystem", "yes")]),
            (bucket, "S3", &[("newbucket", "true")]),
            ("arn:aws:redshift:us-west-2:1:cluster:c", "Redshift", &[]),
        ] {
            let kind = of(arn, of_type, metadata);
            assert!(matches!(kind, ResourceKind::Unsure(_)), "{arn}: {kind:?}");
        }
        assert!(matches!(kind(efs, "EFS", None), ResourceKind::Unsure(_)));
        let volume = "arn:aws:ec2:us-west-2:1:volume/vol-1";
        assert_eq!(
            kind(volume, "EBS", None),
            made("AWS::EC2::Volume", "vol-1", false)
        );
        assert_eq!(
            of(
                "arn:aws:timestream:us-west-2:1:database/d/table/t",
                "Timestream",
                &[]
            ),
            made("AWS::Timestream::Table", "d|t", true)
        );
        let cluster = "arn:aws:rds:us-west-2:1:cluster:c";
        assert_eq!(
            of(cluster, "Neptune", &[]),
            made("AWS::Neptune::DBCluster", "c", true)
        );
        for (arn, of_type) in [
            (bucket, "EBS"),
            (cluster, "DocumentDB"),
            ("nonsense", "EFS"),
        ] {
            assert_eq!(of(arn, of_type, &[]), ResourceKind::Unknown, "{arn}");
        }
    }

    #[test]
    fn when_a_resource_was_made_is_read_where_it_is_told() {
        let at: Timestamp = "2026-11-29T08:20:00Z".parse().unwrap();
        for properties in [
            r#"{"InstanceCreateTime":"2026-11-29T08:20:00Z"}"#,
            r#"{"CreationTime":"2026-11-29T09:20:00+01:00"}"#,
            r#"{"CreatedAt":1795940400}"#,
        ] {
            assert_eq!(
                ExistingResource::of(properties).made_at,
                Some(at),
                "{properties}"
            );
        }
        for properties in [
            "{}",
            "",
            r#"{"CreationTime":"yesterday"}"#,
            r#"{"TableName":"t"}"#,
        ] {
            assert_eq!(
                ExistingResource::of(properties).made_at,
                None,
                "{properties}"
            );
        }
    }
}
