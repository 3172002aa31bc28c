//! World around a restore, if the inventory declares it: keys, subnets, roles, quotas. It decides how the job ends.

use std::cell::OnceCell;
use std::sync::LazyLock;

use jiff::Timestamp;
use redrill_inventory::{Arn, DeclaredResource};
use serde::Deserialize;
use serde_yaml::Value;

use super::caller::Caller;
use super::catalog::Catalog;
use super::conditions::{Condition, Fault};
use super::policy::{By, Inquiry, Principal, ResourceSide, decide};
use super::refusals::Request;
use super::service_quotas;
use super::values::Path;

/// Requirements on a role; the members are explained at the head of `role_actions.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfTypes {
    types: Vec<String>,
    actions: Vec<Needed>,
    via: String,
    kms: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Needed {
    action: String,
    on: String,
    #[serde(default)]
    when: Vec<Condition>,
    passed_to: Option<String>,
}

static NEEDED: LazyLock<Vec<OfTypes>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "embedded data, read by a test")]
    serde_yaml::from_str(include_str!("role_actions.yaml")).expect("role_actions.yaml")
});

fn needed(resource_type: &str) -> Option<&'static OfTypes> {
    let mut rows = NEEDED.iter();
    rows.find(|row| row.types.iter().any(|name| name == resource_type))
}

/// Fault of a KMS key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeyFault {
    /// Missing or disabled.
    Unusable,
    /// The role may not use it.
    Denied,
}

/// Declarations of the inventory around one restore.
pub(super) struct World<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) role: Option<&'a str>,
    pub(super) created_arn: Option<&'a str>,
    pub(super) now: Timestamp,
    /// Counts the things with this ARN prefix that the jobs have made or are making.
    pub(super) made: &'a dyn Fn(&str) -> usize,
    /// Action that the role lacks, once it has been asked.
    pub(super) lacks: OnceCell<Option<Lack>>,
}

/// An action that the role is not allowed.
#[derive(Clone, Debug)]
pub(super) struct Lack {
    pub(super) action: String,
    /// `ACTION on RESOURCE because …`, in the words of AWS Backup's page.
    pub(super) words: String,
}

impl World<'_> {
    fn here(&self) -> Caller {
        Caller {
            account: self.account.to_owned(),
            region: Some(self.region.to_owned()),
            ..Caller::default()
        }
    }

    /// Returns true if a resource exists, as far as the inventory tells.
    pub(super) fn is_there(&self, type_name: &str, identifier: &str) -> bool {
        let here = self.here();
        if !self.catalog.has_resources(&here) {
            return true;
        }
        // RDS makes this group itself, and stores names in lower case.
        let default = identifier.eq_ignore_ascii_case("default");
        let mut all = self.catalog.declared(&here);
        default
            || all.any(|(_, one)| {
                one.type_name == type_name && one.identifier.eq_ignore_ascii_case(identifier)
            })
    }

    /// Returns true if something of that ARN is declared.
    pub(super) fn has_arn(&self, arn: &str) -> bool {
        let here = self.here();
        let mut all = self.catalog.declared(&here);
        all.any(|(place, one)| super::existing::arn_of(place, one) == arn)
    }

    /// Returns true if AWS Backup cannot assume the role: it is not there, or does not trust the service.
    pub(super) fn role_is_untrusted(&self) -> bool {
        let Some(arn) = self.role else { return false };
        let directory = self.catalog.directory();
        let Some(parsed) = Arn::parse(arn) else {
            return false;
        };
        let Some(found) = directory.role_of(arn) else {
            return true;
        };
        let side = directory.trust(&found, parsed.account, true);
        let service = Principal::Service("backup.amazonaws.com".to_owned());
        let context = directory
            .context(&service, self.region, self.now)
            .with("aws:SourceAccount", self.account)
            .with("aws:PrincipalIsAWSService", "true");
        let asked = Inquiry {
            action: "sts:AssumeRole",
            resource: arn,
            context: &context,
        };
        decide(&directory.rules(&service, None, side), &asked).is_err()
    }

    /// The first action that the role lacks of those that the restore needs.
    pub(super) fn lack(&self, request: &Request<'_>) -> Option<&Lack> {
        let found = self.lacks.get_or_init(|| {
            let row = needed(request.resource_type)?;
            let mut actions = row.actions.iter();
            actions.find_map(|needed| {
                Condition::all(&needed.when, request)?;
                let resource = self.resource(&needed.on, request);
                let side = ResourceSide {
                    shared: true,
                    ..ResourceSide::plain(self.account)
                };
                let keys: &[_] = match &needed.passed_to {
                    Some(service) => &[("iam:PassedToService", vec![service.clone()])],
                    None => &[],
                };
                let because = self.refuses(&needed.action, &resource, side, &row.via, keys)?;
                let action = needed.action.clone();
                let words = format!("{action} on {resource} {because}");
                Some(Lack { action, words })
            })
        });
        found.as_ref()
    }

    fn resource(&self, template: &str, request: &Request<'_>) -> String {
        let bucket = request.metadata.get("DestinationBucketName");
        if let Some(key) = template.strip_prefix("{key:") {
            let key = key.trim_end_matches('}');
            return request.metadata.get(key).unwrap_or("*").to_owned();
        }
        template
            .replace("{created}", self.created_arn.unwrap_or("*"))
            .replace("{point}", request.point.arn())
            .replace("{role}", self.role.unwrap_or("*"))
            .replace(
                "{bucket}",
                &format!("arn:aws:s3:::{}", bucket.unwrap_or("*")),
            )
    }

    /// Tells why the role may not do something; none if it may, or if nothing is known of it.
    fn refuses(
        &self,
        action: &str,
        resource: &str,
        side: ResourceSide<'_>,
        via: &str,
        keys: &[(&str, Vec<String>)],
    ) -> Option<String> {
        let arn = self.role?;
        let directory = self.catalog.directory();
        let found = directory.role_of(arn)?;
        let name = found.arn.rsplit('/').next().unwrap_or_default();
        let principal = Principal::Session {
            session: session_of(arn).unwrap_or_else(|| name.to_owned()),
            role: found.arn.clone(),
        };
        let mut context = directory
            .context(&principal, self.region, self.now)
            .with(
                "kms:ViaService",
                format!("{via}.{}.amazonaws.com", self.region),
            )
            .with("kms:CallerAccount", self.account)
            .with("kms:GrantIsForAWSResource", "true");
        for (key, values) in keys {
            context.set(key, values.clone());
        }
        let asked = Inquiry {
            action,
            resource,
            context: &context,
        };
        let denial = decide(&directory.rules(&principal, None, side), &asked).err()?;
        // AWS Backup's page has its own spelling, and no more words:
        // https://docs.aws.amazon.com/aws-backup/latest/devguide/troubleshooting.html
        Some(match (denial.by, denial.explicit) {
            (By::Identity, false) => {
                "because no identity based policy allows the action".to_owned()
            }
            (By::Resource, false) => {
                "because no resource-based policy allows the action".to_owned()
            }
            (By::Resource, true) => "with an explicit deny in a resource based policy".to_owned(),
            _ => denial.because(action),
        })
    }

    /// Returns true if a KMS key, by its id, ARN or alias, has this fault.
    pub(super) fn key_is(&self, fault: KeyFault, text: &str, resource_type: &str) -> bool {
        let arn = Arn::parse(text).filter(|arn| arn.service == "kms");
        // A key of another Region is refused elsewhere.
        if arn.is_some_and(|arn| arn.region != self.region) {
            return false;
        }
        let account = arn.map_or(self.account, |arn| arn.account);
        let owner = Caller {
            account: account.to_owned(),
            ..self.here()
        };
        let name = arn.map_or(text, |arn| arn.resource);
        let name = name.strip_prefix("key/").unwrap_or(name);
        // Keys of AWS are made when they are first used.
        if !self.catalog.has_resources(&owner) || name.starts_with("alias/aws/") {
            return false;
        }
        let Some(key) = self.key(&owner, name) else {
            return fault == KeyFault::Unusable;
        };
        let enabled = !matches!(key.properties.get("Enabled"), Some(Value::Bool(false)));
        match fault {
            KeyFault::Unusable => !enabled,
            KeyFault::Denied => enabled && self.key_denies(key, account, resource_type),
        }
    }

    /// Returns true if a key is declared: most inventories tell no more than the ARN of what encrypts a recovery point.
    pub(super) fn has_key(&self, text: &str) -> bool {
        let arn = Arn::parse(text).filter(|arn| arn.region == self.region);
        arn.is_some_and(|arn| {
            let owner = Caller {
                account: arn.account.to_owned(),
                ..self.here()
            };
            let name = arn.resource.strip_prefix("key/").unwrap_or(arn.resource);
            self.key(&owner, name).is_some()
        })
    }

    /// The VPC of a security group, a subnet, or the subnets of a group, where it is told.
    fn network(&self, type_name: &str, identifier: &str) -> Option<String> {
        let here = self.here();
        let mut all = self.catalog.declared(&here).map(|(_, one)| one);
        let found = all.find(|one| {
            one.type_name == type_name && one.identifier.eq_ignore_ascii_case(identifier)
        })?;
        if let Some(Value::String(network)) = found.properties.get("VpcId") {
            return Some(network.clone());
        }
        let subnets = found.properties.get("SubnetIds")?.as_sequence()?;
        let mut subnets = subnets.iter().filter_map(Value::as_str);
        subnets.find_map(|subnet| self.network("AWS::EC2::Subnet", subnet))
    }

    fn key(&self, owner: &Caller, name: &str) -> Option<&DeclaredResource> {
        let of = |type_name: &str, identifier: &str| {
            let mut all = self.catalog.declared(owner).map(|(_, one)| one);
            all.find(|one| one.type_name == type_name && one.identifier == identifier)
        };
        if !name.starts_with("alias/") {
            return of("AWS::KMS::Key", name);
        }
        let target = of("AWS::KMS::Alias", name)?.properties.get("TargetKeyId")?;
        let target = target.as_str()?;
        of("AWS::KMS::Key", target.rsplit('/').next().unwrap_or(target))
    }

    /// The aliases of a key, as `kms:ResourceAliases` has them
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-resource-aliases>).
    fn aliases(&self, owner: &str, key: &str) -> Vec<String> {
        let owner = Caller {
            account: owner.to_owned(),
            ..self.here()
        };
        let all = self.catalog.declared(&owner).map(|(_, one)| one);
        let of_key = all.filter(|one| {
            let target = one.properties.get("TargetKeyId").and_then(Value::as_str);
            let target = target.and_then(|target| target.rsplit('/').next());
            one.type_name == "AWS::KMS::Alias" && target == Some(key)
        });
        of_key.map(|one| one.identifier.clone()).collect()
    }

    fn key_denies(&self, key: &DeclaredResource, owner: &str, resource_type: &str) -> bool {
        let Some(row) = needed(resource_type) else {
            return false;
        };
        let arn = format!("arn:aws:kms:{}:{owner}:key/{}", self.region, key.identifier);
        let aliases = [("kms:ResourceAliases", self.aliases(owner, &key.identifier))];
        row.kms.iter().any(|action| {
            let operation = action.trim_start_matches("kms:");
            let granted = key.grants.iter().any(|grant| {
                let names = |one: &String| one == operation;
                Some(grant.grantee_principal.as_str()) == self.role
                    && grant.operations.iter().any(names)
            });
            let side = ResourceSide {
                policy: key.key_policy.as_ref(),
                must_allow: key.key_policy.is_some(),
                // Of a key whose policy is not told nothing is known.
                shared: key.key_policy.is_none(),
                ..ResourceSide::plain(owner)
            };
            !granted
                && self
                    .refuses(action, &arn, side, &row.via, &aliases)
                    .is_some()
        })
    }

    /// Returns true if a quota, such as `rds/L-7B6409FD`, has no room for one more.
    pub(super) fn is_full(&self, quota: &str) -> bool {
        let Some((service, code)) = quota.split_once('/') else {
            return false;
        };
        let here = self.here();
        let mut quotas = self.catalog.quotas(&here);
        let Some(quota) = quotas.find(|one| one.service == service && one.code == code) else {
            return false;
        };
        let Some(in_use) = quota.in_use else {
            return false;
        };
        let made = service_quotas::counts(service, code).map_or(0, |arn| (self.made)(arn));
        in_use + made as f64 + 1.0 > quota.value
    }
}

/// Things of a request that have to be in one VPC.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Networked {
    path: String,
    #[serde(rename = "type")]
    type_name: String,
}

/// The first that is in another VPC than the one before it: which, and where.
pub(super) fn other_network(
    things: &[Networked],
    world: &World<'_>,
    request: &Request<'_>,
) -> Option<Fault> {
    let mut first: Option<(String, String)> = None;
    for thing in things {
        for value in Path::parse(&thing.path).values(request) {
            let Some(network) = world.network(&thing.type_name, &value) else {
                continue;
            };
            match &first {
                None => first = Some((network, value)),
                Some((other, before)) if *other != network => {
                    return Some(Fault {
                        key: before.clone(),
                        value: Some(value),
                    });
                }
                Some(_) => {}
            }
        }
    }
    None
}

/// The session that AWS Backup makes of a role.
pub(super) fn session_of(role: &str) -> Option<String> {
    let arn = Arn::parse(role)?;
    let name = arn.resource.rsplit('/').next()?;
    Some(format!(
        "arn:{}:sts::{}:assumed-role/{name}/AWSBackup-{name}",
        arn.partition, arn.account
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_types_that_there_are() {
        for row in NEEDED.iter() {
            for name in &row.types {
                assert!(super::super::resource_types::find(name).is_some(), "{name}");
            }
            assert!(row.actions.iter().all(|needed| needed.action.contains(':')));
            assert!(row.kms.iter().all(|action| action.starts_with("kms:")));
        }
    }
}
