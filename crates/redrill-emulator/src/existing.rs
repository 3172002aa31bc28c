//! What exists: what the inventory has and what jobs have made, without what was deleted, as Cloud Control API names it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::catalog::{Caller, Catalog};
use super::service::Service;
use redrill_inventory::Arn;

/// The types that are served: how the ARN of one begins behind `service:`, of which resource types of AWS Backup (any,
/// where none is named), and the property that is its primary identifier.
pub(super) const TYPES: [(&str, &str, &[&str], &str); 12] = [
    ("AWS::EC2::Instance", "ec2:instance/", &[], "InstanceId"),
    ("AWS::EC2::Volume", "ec2:volume/", &[], "VolumeId"),
    (
        "AWS::RDS::DBInstance",
        "rds:db:",
        &[],
        "DBInstanceIdentifier",
    ),
    (
        "AWS::Neptune::DBCluster",
        "rds:cluster:",
        &["Neptune"],
        "DBClusterIdentifier",
    ),
    (
        "AWS::RDS::DBCluster",
        "rds:cluster:",
        &["Aurora", "RDS", ""],
        "DBClusterIdentifier",
    ),
    ("AWS::DynamoDB::Table", "dynamodb:table/", &[], "TableName"),
    (
        "AWS::EFS::FileSystem",
        "elasticfilesystem:file-system/",
        &[],
        "FileSystemId",
    ),
    ("AWS::S3::Bucket", "s3:", &[], "BucketName"),
    ("AWS::EKS::Cluster", "eks:cluster/", &[], "Name"),
    (
        "AWS::Redshift::Cluster",
        "redshift:cluster:",
        &[],
        "ClusterIdentifier",
    ),
    ("AWS::DSQL::Cluster", "dsql:cluster/", &[], "Identifier"),
    (
        "AWS::Timestream::Table",
        "timestream:database/",
        &[],
        "DatabaseName/TableName",
    ),
];

/// Types that exist and that Cloud Control API does not serve, as its list of October 2021 has it
/// (<https://gist.github.com/mattgillard/89ac95fc1603fa1ed54f7469cfe7f902>).
pub(super) const UNSUPPORTED: [&str; 3] = [
    "AWS::DocDB::DBCluster",
    "AWS::FSx::FileSystem",
    "AWS::FSx::Volume",
];

/// A resource that exists.
pub(super) struct Resource {
    pub(super) arn: String,
    pub(super) type_name: &'static str,
    pub(super) identifier: String,
    properties: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Description {
    identifier: String,
    properties: String,
}

impl Service {
    /// The ARNs of everything that exists: what the inventory has, and what jobs have made; without what was deleted.
    pub(super) fn arns(
        &self,
        catalog: &Catalog,
        caller: &Caller,
        now: Timestamp,
    ) -> Vec<(String, String)> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for (arn, resource_type) in catalog.resources(caller) {
            if !self.cloud.is_gone(&arn, Timestamp::MIN, now) {
                all.insert(arn, resource_type);
            }
        }
        for job in self.all() {
            let made = job.made(now).filter(|_| *job.account == *caller.account);
            let made = made.filter(|arn| !self.cloud.is_gone(arn, job.ends_at, now));
            if let Some(arn) = made {
                all.insert(arn.to_owned(), job.point.resource_type().to_owned());
            }
        }
        all.into_iter().collect()
    }

    pub(super) fn resources(
        &self,
        catalog: &Catalog,
        caller: &Caller,
        now: Timestamp,
    ) -> Vec<Resource> {
        let arns = self.arns(catalog, caller, now);
        let mut seen = BTreeSet::new();
        arns.into_iter()
            .filter_map(|(arn, resource_type)| Resource::of(arn, &resource_type))
            .filter(|resource| caller.sees(&resource.arn))
            .filter(|resource| seen.insert((resource.type_name, resource.identifier.clone())))
            .collect()
    }
}

impl Caller {
    /// Resources of other regions are not seen from an endpoint.
    fn sees(&self, arn: &str) -> bool {
        let there = Arn::parse(arn).map_or("", |arn| arn.region);
        there.is_empty() || self.region.as_deref().is_none_or(|here| here == there)
    }
}

impl Resource {
    fn of(arn: String, resource_type: &str) -> Option<Resource> {
        let parsed = Arn::parse(&arn)?;
        let whole = format!("{}:{}", parsed.service, parsed.resource);
        let (type_name, prefix, _, property) = TYPES.iter().find(|(_, prefix, of, _)| {
            whole.starts_with(prefix) && (of.is_empty() || of.contains(&resource_type))
        })?;
        let rest = whole.strip_prefix(prefix)?;
        // The identifier of several properties has them in their order, with `|` between.
        let identifier = match property.split_once('/') {
            None => rest.to_owned(),
            Some(_) => rest.replacen("/table/", "|", 1),
        };
        let values: serde_json::Map<String, serde_json::Value> = property
            .split('/')
            .zip(identifier.split('|'))
            .map(|(name, value)| (name.to_owned(), value.into()))
            .chain([("Arn".to_owned(), arn.as_str().into())])
            .collect();
        Some(Resource {
            type_name,
            identifier,
            properties: serde_json::Value::Object(values).to_string(),
            arn,
        })
    }

    pub(super) fn described(self) -> Description {
        Description {
            identifier: self.identifier,
            properties: self.properties,
        }
    }
}
