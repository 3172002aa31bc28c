//! Declarations of an inventory about an account besides its backups: permissions, resources, quotas. For the emulator
//! alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::policy::{self, PolicyDocument};
use super::text::{arn, checked};

/// A user of IAM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IamUser {
    /// `/` if left out.
    #[serde(default = "root", skip_serializing_if = "is_root")]
    pub path: String,
    /// Requests that are signed with one of these are this user's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_keys: Vec<String>,
    /// By name; the name of a managed policy is its ARN. Left out, they are not known, and allow everything.
    #[serde(
        default,
        deserialize_with = "policy::identity_policies",
        skip_serializing_if = "Option::is_none"
    )]
    pub policies: Option<BTreeMap<String, PolicyDocument>>,
    /// Limit that the policies cannot exceed.
    #[serde(
        default,
        deserialize_with = "policy::optional_identity",
        skip_serializing_if = "Option::is_none"
    )]
    pub permissions_boundary: Option<PolicyDocument>,
}

/// A role of IAM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IamRole {
    /// `/` if left out.
    #[serde(default = "root", skip_serializing_if = "is_root")]
    pub path: String,
    /// Same as those of a user.
    #[serde(
        default,
        deserialize_with = "policy::identity_policies",
        skip_serializing_if = "Option::is_none"
    )]
    pub policies: Option<BTreeMap<String, PolicyDocument>>,
    /// Limit that the policies cannot exceed.
    #[serde(
        default,
        deserialize_with = "policy::optional_identity",
        skip_serializing_if = "Option::is_none"
    )]
    pub permissions_boundary: Option<PolicyDocument>,
    /// Policy on who may assume it. Left out, it is not known, and everyone may.
    #[serde(
        default,
        deserialize_with = "policy::optional_trust",
        skip_serializing_if = "Option::is_none"
    )]
    pub trust_policy: Option<PolicyDocument>,
}

fn root() -> String {
    "/".to_owned()
}

fn is_root(path: &String) -> bool {
    path == "/"
}

/// A resource, as Cloud Control API names and describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct DeclaredResource {
    /// `AWS::KMS::Key`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its primary identifier; several properties stand in it with `|` between.
    pub identifier: String,
    /// Properties as the type's schema has them.
    #[serde(skip_serializing_if = "serde_yaml::Mapping::is_empty")]
    pub properties: serde_yaml::Mapping,
    /// Of a KMS key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<KeyGrant>,
    /// The key policy, read from the property `KeyPolicy`.
    #[serde(skip)]
    pub key_policy: Option<PolicyDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    #[serde(rename = "type", deserialize_with = "type_name")]
    type_name: String,
    identifier: String,
    #[serde(default)]
    properties: serde_yaml::Mapping,
    #[serde(default)]
    grants: Vec<KeyGrant>,
}

impl TryFrom<Unchecked> for DeclaredResource {
    type Error = String;

    fn try_from(unchecked: Unchecked) -> Result<DeclaredResource, String> {
        let Unchecked {
            type_name,
            identifier,
            properties,
            grants,
        } = unchecked;
        if identifier.is_empty() {
            return Err(format!("{type_name}: the identifier is empty"));
        }
        let key_policy = match properties.get("KeyPolicy") {
            None => None,
            Some(value) => Some(
                policy::of_properties(value)
                    .map_err(|error| format!("{type_name} {identifier}: KeyPolicy: {error}"))?,
            ),
        };
        Ok(DeclaredResource {
            type_name,
            identifier,
            properties,
            grants,
            key_policy,
        })
    }
}

fn type_name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |text| {
        let parts: Vec<&str> = text.split("::").collect();
        let word = |part: &&str| {
            (2..=64).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        match parts.len() == 3 && parts.iter().all(word) {
            true => Ok(text.to_owned()),
            false => Err(format!(
                "{text:?} is not a resource type; write it as CloudFormation does, as in AWS::KMS::Key"
            )),
        }
    })
}

/// A grant of a KMS key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyGrant {
    /// A user or a role.
    #[serde(deserialize_with = "arn")]
    pub grantee_principal: String,
    /// `Decrypt`, `CreateGrant`, …
    pub operations: Vec<String>,
}

/// A quota of Service Quotas, and how much of it is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredQuota {
    /// `rds`.
    pub service: String,
    /// `L-7B6409FD`.
    pub code: String,
    /// Name in the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Value applied to the account.
    pub value: f64,
    /// Amount used already; restores add to it. Left out, the quota is never full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use: Option<f64>,
}
