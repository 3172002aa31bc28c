//! What can be deleted, and how: `types.yaml`, which has a source for each.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::render::Metadata;

/// The table.
const TABLE: &str = include_str!("types.yaml");

/// One row of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    arn: String,
    #[serde(default)]
    types: Vec<String>,
    r#type: String,
    #[serde(default)]
    identifier: Identifier,
    #[serde(default)]
    new: BTreeMap<String, String>,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Identifier {
    #[default]
    Rest,
    Pair,
}

/// How Cloud Control API names a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The type, as CloudFormation has it.
    pub type_name: String,
    /// Its primary identifier.
    pub identifier: String,
    /// The index of the target that it is in, among those of the run.
    pub place: usize,
}

/// What can be done about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It was made by the restore, and can be deleted.
    Made(Named),
    /// It was there before.
    Existing,
    /// It cannot be deleted this way.
    Unknown,
}

/// The table, read.
pub(super) struct Types(Vec<Row>);

impl Types {
    pub(super) fn embedded() -> Self {
        // Embedded, and read by a test.
        Self(serde_yaml::from_str(TABLE).unwrap_or_default())
    }

    pub(super) fn kind(&self, arn: &str, resource_type: &str, metadata: &Metadata) -> Kind {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _, service, _, _, resource] = parts.as_slice() else {
            return Kind::Unknown;
        };
        let whole = format!("{service}:{resource}");
        let row = self.0.iter().find(|row| {
            whole.starts_with(&row.arn)
                && (row.types.is_empty() || row.types.iter().any(|t| t == resource_type))
        });
        let Some((row, rest)) = row.and_then(|row| Some((row, whole.strip_prefix(&row.arn)?)))
        else {
            return Kind::Unknown;
        };
        let is_new = row.new.iter().all(|(key, value)| {
            let mut said = metadata.iter();
            let said = said.find(|(name, _)| name.eq_ignore_ascii_case(key));
            said.is_some_and(|(_, said)| said.eq_ignore_ascii_case(value))
        });
        if !is_new {
            return Kind::Existing;
        }
        let identifier = match row.identifier {
            Identifier::Rest => rest.to_owned(),
            // The parts of a compound identifier stand in their order, with `|` between.
            Identifier::Pair => rest.replacen("/table/", "|", 1),
        };
        Kind::Made(Named {
            type_name: row.r#type.clone(),
            identifier,
            place: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(arn: &str, resource_type: &str, metadata: &[(&str, &str)]) -> Kind {
        let metadata = metadata
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Types::embedded().kind(arn, resource_type, &metadata)
    }

    fn made(type_name: &str, identifier: &str) -> Kind {
        Kind::Made(Named {
            type_name: type_name.to_owned(),
            identifier: identifier.to_owned(),
            place: 0,
        })
    }

    #[test]
    fn what_was_made_is_told_from_what_was_there() {
        let efs = "arn:aws:elasticfilesystem:us-west-2:1:file-system/fs-1";
        assert_eq!(
            kind(efs, "EFS", &[("newfilesystem", "True")]),
            made("AWS::EFS::FileSystem", "fs-1")
        );
        assert_eq!(
            kind(efs, "EFS", &[("newFileSystem", "false")]),
            Kind::Existing
        );
        assert_eq!(kind(efs, "EFS", &[]), Kind::Existing);
        assert_eq!(
            kind("arn:aws:s3:::b", "S3", &[("NewBucket", "true")]),
            made("AWS::S3::Bucket", "b")
        );
        assert_eq!(
            kind("arn:aws:s3:::b", "EBS", &[("destinationBucketName", "b")]),
            Kind::Unknown
        );
        assert_eq!(
            kind(
                "arn:aws:timestream:us-west-2:1:database/d/table/t",
                "Timestream",
                &[]
            ),
            made("AWS::Timestream::Table", "d|t")
        );
        assert_eq!(
            kind("arn:aws:rds:us-west-2:1:cluster:c", "Neptune", &[]),
            made("AWS::Neptune::DBCluster", "c")
        );
        assert_eq!(
            kind("arn:aws:rds:us-west-2:1:cluster:c", "DocumentDB", &[]),
            Kind::Unknown
        );
        assert_eq!(kind("nonsense", "EFS", &[]), Kind::Unknown);
    }

    #[test]
    fn the_table_is_read_whole() {
        let rows: Vec<serde_json::Value> = serde_yaml::from_str(TABLE).unwrap();
        assert_eq!(Types::embedded().0.len(), rows.len());
    }
}
