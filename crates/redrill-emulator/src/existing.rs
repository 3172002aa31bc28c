//! Existing resources: of the inventory and made by jobs, without the deleted ones, as Cloud Control API names them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::caller::Caller;
use super::catalog::Catalog;
use super::elsewhere::partition_of;
use super::service::Service;
use redrill_inventory::{Arn, DeclaredResource};

/// A type of Cloud Control API; the members are explained at the head of `cloud_control_types.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloudType {
    #[serde(rename = "type")]
    pub(super) name: String,
    arn: Option<String>,
    #[serde(default)]
    of: Vec<String>,
    identifier: String,
    arn_property: Option<String>,
    pub(super) read: String,
    pub(super) list: Option<String>,
    pub(super) delete: Option<String>,
    #[serde(default)]
    declared: bool,
    #[serde(rename = "source")]
    _source: String,
}

static TYPES: LazyLock<Vec<CloudType>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "embedded data, read by a test")]
    serde_yaml::from_str(include_str!("cloud_control_types.yaml"))
        .expect("cloud_control_types.yaml")
});

/// Types that exist and that Cloud Control API does not serve, as its list of October 2021 has it
/// (<https://gist.github.com/mattgillard/89ac95fc1603fa1ed54f7469cfe7f902>).
pub(super) const UNSUPPORTED: [&str; 3] = [
    "AWS::DocDB::DBCluster",
    "AWS::FSx::FileSystem",
    "AWS::FSx::Volume",
];

/// The row of a type.
pub(super) fn cloud_type(name: &str) -> Option<&'static CloudType> {
    TYPES.iter().find(|row| row.name == name)
}

/// A primary identifier as a string: one can be given «as a string or JSON»
/// (<https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/API_GetResource.html>).
pub(super) fn identifier(type_name: &str, given: &str) -> String {
    let values = serde_json::from_str::<Map<String, Value>>(given);
    let (Ok(values), Some(row)) = (values, cloud_type(type_name)) else {
        return given.to_owned();
    };
    let names = row.identifier.split('/');
    let parts: Option<Vec<&str>> = names.map(|name| values.get(name)?.as_str()).collect();
    parts.map_or_else(|| given.to_owned(), |parts| parts.join("|"))
}

/// Returns true if there is such a type, as far as the inventory of the caller tells.
pub(super) fn is_type(catalog: &Catalog, caller: &Caller, name: &str) -> bool {
    let told = || {
        catalog.has_resources(caller)
            || name == "AWS::IAM::Role" && catalog.directory().knows_roles(&caller.account)
    };
    let declared = || {
        let mut all = catalog.declared(caller);
        all.any(|(_, one)| one.type_name == name)
    };
    match cloud_type(name) {
        Some(row) => !row.declared || told(),
        None => declared(),
    }
}

/// A resource that exists.
pub(super) struct Resource {
    pub(super) arn: String,
    pub(super) type_name: String,
    pub(super) identifier: String,
    properties: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Description {
    identifier: String,
    properties: String,
}

/// The ARN of a declared resource; of a type without ARNs, what stands for it here.
pub(super) fn arn_of((account, region): (&str, &str), declared: &DeclaredResource) -> String {
    let DeclaredResource {
        type_name,
        identifier,
        ..
    } = declared;
    let row = cloud_type(type_name).and_then(|row| row.arn.as_deref());
    let Some((service, rest)) = row.and_then(|arn| arn.split_once(':')) else {
        return format!("{account} {region} {type_name} {identifier}");
    };
    let partition = partition_of(region);
    match service {
        "s3" => format!("arn:{partition}:s3:::{identifier}"),
        _ => {
            let identifier = identifier.replacen('|', "/table/", 1);
            format!("arn:{partition}:{service}:{region}:{account}:{rest}{identifier}")
        }
    }
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
        let declared = catalog
            .declared(caller)
            .map(|(place, one)| Resource::declared(place, one))
            .filter(|one| !self.cloud.is_gone(&one.arn, Timestamp::MIN, now));
        let roles = catalog.directory().roles(&caller.account);
        let roles = roles.map(|(name, role)| Resource::role(&caller.account, name, &role.path));
        let others = self.arns(catalog, caller, now).into_iter();
        let others = others
            .filter_map(|(arn, resource_type)| Resource::of(arn, &resource_type))
            .filter(|resource| caller.sees(&resource.arn));
        let mut seen = BTreeSet::new();
        declared
            .chain(roles)
            .chain(others)
            .filter(|resource| {
                seen.insert((resource.type_name.clone(), resource.identifier.clone()))
            })
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
        let fits = |row: &&CloudType| {
            let begins = row.arn.as_ref().is_some_and(|arn| whole.starts_with(arn));
            let of = row.of.is_empty() || row.of.iter().any(|of| of == resource_type);
            begins && of
        };
        let row = TYPES.iter().find(fits)?;
        let rest = whole.strip_prefix(row.arn.as_deref()?)?;
        // The identifier of several properties has them in their order, with `|` between.
        let identifier = match row.identifier.contains('/') {
            false => rest.to_owned(),
            true => rest.replacen("/table/", "|", 1),
        };
        let values: Map<String, Value> = row
            .identifier
            .split('/')
            .zip(identifier.split('|'))
            .map(|(name, value)| (name.to_owned(), value.into()))
            .chain([("Arn".to_owned(), arn.as_str().into())])
            .collect();
        Some(Resource {
            type_name: row.name.clone(),
            identifier,
            properties: Value::Object(values).to_string(),
            arn,
        })
    }

    /// With the properties that the inventory tells, and those that identify it.
    fn declared(place: (&str, &str), declared: &DeclaredResource) -> Resource {
        let arn = arn_of(place, declared);
        let told = serde_json::to_value(&declared.properties);
        let mut values = match told {
            Ok(Value::Object(values)) => values,
            _ => Map::new(),
        };
        if let Some(row) = cloud_type(&declared.type_name) {
            let names = row.identifier.split('/');
            for (name, value) in names.zip(declared.identifier.split('|')) {
                values
                    .entry(name)
                    .or_insert_with(|| value.to_owned().into());
            }
            if let Some(name) = &row.arn_property {
                values
                    .entry(name.as_str())
                    .or_insert_with(|| arn.clone().into());
            }
        }
        Resource {
            type_name: declared.type_name.clone(),
            identifier: declared.identifier.clone(),
            properties: Value::Object(values).to_string(),
            arn,
        }
    }

    fn role(account: &str, name: &str, path: &str) -> Resource {
        let arn = format!("arn:aws:iam::{account}:role{path}{name}");
        let values = serde_json::json!({ "RoleName": name, "Path": path, "Arn": arn });
        Resource {
            type_name: "AWS::IAM::Role".to_owned(),
            identifier: name.to_owned(),
            properties: values.to_string(),
            arn,
        }
    }

    pub(super) fn described(self) -> Description {
        Description {
            identifier: self.identifier,
            properties: self.properties,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_as_json() {
        let key = "AWS::KMS::Key";
        assert_eq!(identifier(key, r#"{"KeyId":"k"}"#), "k");
        assert_eq!(identifier(key, "k"), "k");
        let table = r#"{"TableName":"t","DatabaseName":"d"}"#;
        assert_eq!(identifier("AWS::Timestream::Table", table), "d|t");
        assert_eq!(identifier(key, table), table);
    }

    #[test]
    fn every_type_is_whole() {
        for row in TYPES.iter() {
            assert!(row._source.starts_with("https://"), "{}", row.name);
            assert!(row.read.contains(':'), "{}", row.name);
            assert!(!UNSUPPORTED.contains(&row.name.as_str()), "{}", row.name);
        }
    }
}
