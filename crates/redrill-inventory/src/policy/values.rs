//! The values of a statement: effect, actions, resources, principals, conditions.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::super::text::{checked, unique_keys};
use super::super::{Arn, is_account_id};
use super::read::OneOf;
use super::{ConditionOperator, PolicyCondition, PolicyEffect, PolicyPrincipal};

pub(super) struct Effect(pub(super) PolicyEffect);

impl<'de> Deserialize<'de> for Effect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Effect, D::Error> {
        checked(deserializer, |text| match text {
            "Allow" => Ok(Effect(PolicyEffect::Allow)),
            "Deny" => Ok(Effect(PolicyEffect::Deny)),
            other => Err(format!("{other:?} is not an effect; write Allow or Deny")),
        })
    }
}

/// Requirement on a text.
pub(super) trait Text {
    fn check(text: &str) -> Result<(), String>;
}

pub(super) struct ActionText;
pub(super) struct ResourceText;
pub(super) struct AnyText;

impl Text for ActionText {
    fn check(text: &str) -> Result<(), String> {
        let fine = text == "*"
            || text.split_once(':').is_some_and(|(service, name)| {
                let word = |text: &str| {
                    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-*?".contains(&b);
                    !text.is_empty() && text.bytes().all(fits)
                };
                word(service) && word(name)
            });
        match fine {
            true => Ok(()),
            false => Err(format!(
                "{text:?} is not an action; write service:Operation, as in backup:StartRestoreJob"
            )),
        }
    }
}

impl Text for ResourceText {
    fn check(text: &str) -> Result<(), String> {
        match text == "*" || text.starts_with("arn:") || text.starts_with("${") {
            true => Ok(()),
            false => Err(format!("{text:?} is neither an ARN nor \"*\"")),
        }
    }
}

impl Text for AnyText {
    fn check(_: &str) -> Result<(), String> {
        Ok(())
    }
}

/// One text, or a list of texts.
pub(super) struct Texts<T>(pub(super) Vec<String>, PhantomData<T>);

impl<'de, T: Text> Deserialize<'de> for Texts<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Texts<T>, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<T: Text> Any<T> {
            fn one<E: Error>(text: String) -> Result<Texts<T>, E> {
                T::check(&text).map_err(E::custom)?;
                Ok(Texts(vec![text], PhantomData))
            }
        }
        impl<'de, T: Text> Visitor<'de> for Any<T> {
            type Value = Texts<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Texts<T>, E> {
                Self::one(text.to_owned())
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Texts<T>, E> {
                Self::one(value.to_string())
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Texts<T>, E> {
                Self::one(value.to_string())
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Texts<T>, E> {
                Self::one(value.to_string())
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Texts<T>, E> {
                Self::one(value.to_string())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(Texts(mut one, _)) = seq.next_element::<Texts<T>>()? {
                    all.append(&mut one);
                }
                Ok(Texts(all, PhantomData))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

pub(super) struct Principal(pub(super) PolicyPrincipal);

impl<'de> Deserialize<'de> for Principal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Principal, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Principal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"*\", or a map of AWS and Service")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Principal, E> {
                match text {
                    "*" => Ok(Principal(PolicyPrincipal {
                        everyone: true,
                        ..PolicyPrincipal::default()
                    })),
                    other => Err(E::custom(format!(
                        "{other:?} is not a principal; write \"*\", {{ AWS: ARN }} or {{ Service: backup.amazonaws.com }}"
                    ))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Principal, A::Error> {
                let mut found = PolicyPrincipal::default();
                const KINDS: [&str; 4] = ["AWS", "Service", "Federated", "CanonicalUser"];
                while let Some(kind) = map.next_key_seed(OneOf("a principal", &KINDS))? {
                    match kind.as_str() {
                        "AWS" => {
                            for one in map.next_value::<Texts<PrincipalText>>()?.0 {
                                match one.as_str() {
                                    "*" => found.everyone = true,
                                    _ => found.aws.push(one),
                                }
                            }
                        }
                        "Service" => found.service = map.next_value::<Texts<AnyText>>()?.0,
                        _ => {
                            let all = map.next_value::<Texts<AnyText>>()?.0.into_iter();
                            found.other.extend(all.map(|one| (kind.clone(), one)));
                        }
                    }
                }
                Ok(Principal(found))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

pub(super) struct PrincipalText;

impl Text for PrincipalText {
    fn check(text: &str) -> Result<(), String> {
        let known = text == "*"
            || is_account_id(text)
            || Arn::parse(text)
                .is_some_and(|arn| matches!(arn.service, "iam" | "sts") && !text.contains('*'));
        match known {
            true => Ok(()),
            false => Err(format!(
                "{text:?} is not a principal: write the ARN of a user, role or session without wildcards, an account id in quotes, or \"*\""
            )),
        }
    }
}

pub(super) struct Conditions(pub(super) Vec<PolicyCondition>);

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Conditions, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Conditions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from condition operators to keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Conditions, A::Error> {
                let mut all = Vec::new();
                while let Some(OperatorName(operator)) = map.next_key()? {
                    let Keys(keys) = map.next_value()?;
                    all.extend(keys.into_iter().map(|(key, values)| PolicyCondition {
                        operator: operator.clone(),
                        key,
                        values: values.0,
                    }));
                }
                // Their order means nothing.
                all.sort_by(|a, b| (&a.operator.name, &a.key).cmp(&(&b.operator.name, &b.key)));
                Ok(Conditions(all))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

pub(super) struct OperatorName(ConditionOperator);

impl<'de> Deserialize<'de> for OperatorName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OperatorName, D::Error> {
        checked(deserializer, ConditionOperator::parse).map(OperatorName)
    }
}

pub(super) struct Keys(BTreeMap<String, Texts<AnyText>>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        unique_keys(deserializer).map(Keys)
    }
}
