//! Reading policies: what a statement has to have and may not have depends on where its policy stands.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::super::InventoryError;
use super::super::text::{checked, located, unique_keys};
use super::values::{ActionText, Conditions, Effect, Principal, ResourceText, Texts};
use super::{PolicyDocument, PolicyPatterns, PolicyPrincipal, PolicyStatement};

/// Place that a policy belongs to.
pub(super) trait Place {
    const NAME: &'static str;
    /// True if the policy names principals.
    const PRINCIPAL: bool;
    /// True if the policy names resources.
    const RESOURCE: bool;
}

/// A policy of a user or role, a boundary, a service control policy.
struct Identity;
/// A vault access policy, a key policy.
struct OfResource;
struct Trust;

impl Place for Identity {
    const NAME: &'static str = "a policy of a principal";
    const PRINCIPAL: bool = false;
    const RESOURCE: bool = true;
}

impl Place for OfResource {
    const NAME: &'static str = "a policy of a resource";
    const PRINCIPAL: bool = true;
    const RESOURCE: bool = true;
}

impl Place for Trust {
    const NAME: &'static str = "a trust policy";
    const PRINCIPAL: bool = true;
    const RESOURCE: bool = false;
}

/// A policy that stands there.
struct At<P>(PolicyDocument, PhantomData<P>);

pub(in super::super) fn identity_policies<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, PolicyDocument>>, D::Error> {
    let all = unique_keys::<D, At<Identity>>(deserializer)?;
    Ok(Some(all.into_iter().map(|(k, at)| (k, at.0)).collect()))
}

pub(in super::super) fn optional_identity<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PolicyDocument>, D::Error> {
    At::<Identity>::deserialize(deserializer).map(|at| Some(at.0))
}

pub(in super::super) fn optional_resource<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PolicyDocument>, D::Error> {
    At::<OfResource>::deserialize(deserializer).map(|at| Some(at.0))
}

pub(in super::super) fn optional_trust<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PolicyDocument>, D::Error> {
    At::<Trust>::deserialize(deserializer).map(|at| Some(at.0))
}

/// From the root of the organization to the account: what is attached at each level, by name.
pub(in super::super) fn service_control_policies<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<BTreeMap<String, PolicyDocument>>, D::Error> {
    struct Level(BTreeMap<String, PolicyDocument>);
    impl<'de> Deserialize<'de> for Level {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
            identity_policies(deserializer).map(|all| Level(all.unwrap_or_default()))
        }
    }
    let levels = Vec::<Level>::deserialize(deserializer)?;
    Ok(levels.into_iter().map(|level| level.0).collect())
}

impl PolicyDocument {
    /// Reads a policy of a principal: YAML, or JSON, which is YAML too.
    ///
    /// # Errors
    ///
    /// What is wrong, and where in the text.
    pub fn of_principal(text: &str) -> Result<PolicyDocument, InventoryError> {
        let read = serde_yaml::from_str::<At<Identity>>(text);
        read.map(|at| at.0).map_err(|error| located(&error))
    }

    /// Reads a policy of a resource.
    ///
    /// # Errors
    ///
    /// What is wrong, and where in the text.
    pub fn of_resource(text: &str) -> Result<PolicyDocument, InventoryError> {
        let read = serde_yaml::from_str::<At<OfResource>>(text);
        read.map(|at| at.0).map_err(|error| located(&error))
    }
}

/// The key policy among the properties of a resource.
pub(in super::super) fn of_properties(value: &serde_yaml::Value) -> Result<PolicyDocument, String> {
    let read = At::<OfResource>::deserialize(value);
    read.map(|at| at.0).map_err(|error| error.to_string())
}

/// A key of a map, one of these: an error has its place.
pub(super) struct OneOf(pub(super) &'static str, pub(super) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for OneOf {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let OneOf(thing, names) = self;
        checked(deserializer, |key| match names.contains(&key) {
            true => Ok(key.to_owned()),
            false => Err(format!(
                "{thing} has no {key:?}; it has {}",
                names.join(", ")
            )),
        })
    }
}

const DOCUMENT: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl<'de, P: Place> Deserialize<'de> for At<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At<P>, D::Error> {
        struct Document<P>(PhantomData<P>);
        impl<'de, P: Place> Visitor<'de> for Document<P> {
            type Value = At<P>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an IAM policy document: Version and Statement")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<At<P>, A::Error> {
                let mut document = PolicyDocument::default();
                let mut has_statements = false;
                while let Some(key) = map.next_key_seed(OneOf("a policy", &DOCUMENT))? {
                    match key.as_str() {
                        "Version" => document.variables = map.next_value::<Version>()?.0,
                        "Id" => document.id = map.next_value()?,
                        _ => {
                            has_statements = true;
                            document.statements = map.next_value::<Statements<P>>()?.0;
                        }
                    }
                }
                match has_statements {
                    true => Ok(At(document, PhantomData)),
                    false => Err(A::Error::custom("a policy has to have a Statement")),
                }
            }
        }
        deserializer.deserialize_map(Document(PhantomData))
    }
}

/// Policy version; true if it is the one with variables.
struct Version(bool);

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
        checked(deserializer, |text| match text {
            "2012-10-17" => Ok(Version(true)),
            "2008-10-17" => Ok(Version(false)),
            other => Err(format!(
                "{other:?} is not a version of the policy language; write 2012-10-17"
            )),
        })
    }
}

/// One statement or a list of them.
struct Statements<P>(Vec<PolicyStatement>, PhantomData<P>);

impl<'de, P: Place> Deserialize<'de> for Statements<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Statements<P>, D::Error> {
        struct Any<P>(PhantomData<P>);
        impl<'de, P: Place> Visitor<'de> for Any<P> {
            type Value = Statements<P>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a statement or a list of statements")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Statements<P>, A::Error> {
                Ok(Statements(vec![statement::<P, A>(map)?], PhantomData))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Statements<P>, A::Error> {
                let mut all = Vec::new();
                while let Some(One(one, _)) = seq.next_element::<One<P>>()? {
                    all.push(one);
                }
                Ok(Statements(all, PhantomData))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

struct One<P>(PolicyStatement, PhantomData<P>);

impl<'de, P: Place> Deserialize<'de> for One<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<One<P>, D::Error> {
        struct Map<P>(PhantomData<P>);
        impl<'de, P: Place> Visitor<'de> for Map<P> {
            type Value = One<P>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a statement: Effect, Action, Resource")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<One<P>, A::Error> {
                statement::<P, A>(map).map(|one| One(one, PhantomData))
            }
        }
        deserializer.deserialize_map(Map(PhantomData))
    }
}

fn statement<'de, P: Place, A: MapAccess<'de>>(mut map: A) -> Result<PolicyStatement, A::Error> {
    let (mut sid, mut effect, mut principal) = (None, None, None);
    let (mut action, mut resource) = (None, None);
    let mut conditions = Vec::new();
    let twice = |is: bool, name: &str| match is {
        true => Err(A::Error::custom(format!(
            "a statement has one of {name} and Not{name}, once"
        ))),
        false => Ok(()),
    };
    while let Some(key) = map.next_key_seed(OneOf("a statement", &STATEMENT))? {
        match key.as_str() {
            "Sid" => sid = map.next_value()?,
            "Effect" => effect = Some(map.next_value::<Effect>()?.0),
            "Principal" | "NotPrincipal" => {
                twice(principal.is_some(), "Principal")?;
                if !P::PRINCIPAL {
                    return Err(A::Error::custom(format!(
                        "{} has no {key}: it is about whom it is attached to",
                        P::NAME
                    )));
                }
                let mut whom: PolicyPrincipal = map.next_value::<Principal>()?.0;
                whom.all_but = key == "NotPrincipal";
                principal = Some(whom);
            }
            "Action" | "NotAction" => {
                twice(action.is_some(), "Action")?;
                let patterns = map.next_value::<Texts<ActionText>>()?.0;
                let all_but = key == "NotAction";
                action = Some(PolicyPatterns { all_but, patterns });
            }
            "Resource" | "NotResource" => {
                twice(resource.is_some(), "Resource")?;
                if !P::RESOURCE {
                    return Err(A::Error::custom(format!(
                        "{} has no {key}: it is about its role",
                        P::NAME
                    )));
                }
                let patterns = map.next_value::<Texts<ResourceText>>()?.0;
                let all_but = key == "NotResource";
                resource = Some(PolicyPatterns { all_but, patterns });
            }
            _ => conditions = map.next_value::<Conditions>()?.0,
        }
    }
    let lacks = |what: &str| A::Error::custom(format!("a statement of {} needs {what}", P::NAME));
    if P::PRINCIPAL && principal.is_none() {
        return Err(lacks("Principal"));
    }
    if P::RESOURCE && resource.is_none() {
        return Err(lacks("Resource or NotResource"));
    }
    Ok(PolicyStatement {
        sid,
        effect: effect.ok_or_else(|| lacks("Effect: Allow or Deny"))?,
        principal,
        action: action.ok_or_else(|| lacks("Action or NotAction"))?,
        resource,
        conditions,
    })
}
