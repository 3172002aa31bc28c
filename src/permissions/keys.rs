//! The KMS keys that a request names.

use std::collections::BTreeSet;

use serde_json::Value;

use super::resources::partition;
use crate::ids::Arn;
use crate::plan::Draft;
use crate::render::{RequestField, Target};
use crate::rules::{ReferenceKind, Rules, title_by_letters};

/// Keys, and aliases whose keys only AWS knows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RequestKeys {
    pub(super) arns: BTreeSet<String>,
    /// Any key of these places, where it has one of the aliases.
    pub(super) places: BTreeSet<String>,
    pub(super) aliases: BTreeSet<String>,
}

/// Finds the KMS keys of a request, wherever its schema says that a key is.
pub(super) fn keys(rules: &Rules, draft: &Draft, target: &Target) -> RequestKeys {
    let mut found = RequestKeys::default();
    let request = &draft.request;
    let Some(schema) = rules.of(title_by_letters(&request.resource_type)) else {
        return found;
    };
    let places = schema.places.iter();
    for place in places.filter(|place| place.kind == ReferenceKind::KmsKey) {
        let Some(text) = request.metadata.get(&place.key) else {
            continue;
        };
        if draft
            .holes
            .contains_key(&RequestField::Key(place.key.clone()))
        {
            found.add("", target);
            continue;
        }
        let value = match text.starts_with(['{', '[']) {
            true => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
            false => Value::String(text.clone()),
        };
        for placed in place.texts(&value) {
            found.add(placed.text, target);
        }
    }
    found
}

impl RequestKeys {
    fn add(&mut self, text: &str, target: &Target) {
        let (partition, region) = (partition(target), &target.region);
        match Arn::parse(text) {
            Some(Arn {
                partition,
                service: "kms",
                region,
                account,
                resource,
            }) => match resource.strip_prefix("key/") {
                Some(_) => {
                    self.arns.insert(text.to_owned());
                }
                None => {
                    self.places
                        .insert(format!("arn:{partition}:kms:{region}:{account}:key/*"));
                    self.aliases.insert(resource.to_owned());
                }
            },
            _ if text.starts_with("alias/") => {
                let account = &target.account;
                self.places
                    .insert(format!("arn:{partition}:kms:{region}:{account}:key/*"));
                self.aliases.insert(text.to_owned());
            }
            // Text that is no key, such as a value that is known late, can be any key.
            _ => {
                let account = &target.account;
                let is_id = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
                let id = if is_id && !text.is_empty() { text } else { "*" };
                self.arns
                    .insert(format!("arn:{partition}:kms:{region}:{account}:key/{id}"));
            }
        }
    }
}
