//! Findings of the instances of a `for_each`: what is the same for several is said once.

use std::collections::HashMap;

use crate::diagnostic::{Finding, Findings, Severity, Span};
use crate::ids::RestoreName;
use crate::parse::Document;
use crate::render::{Instances, split_instance};

/// Key that tells findings of a restore apart, except for the instance that each is about.
#[derive(PartialEq, Eq, Hash)]
struct Same {
    restore: RestoreName,
    rule: String,
    severity: Severity,
    message: String,
    help: String,
    span: Span,
    key: Option<String>,
}

/// The findings, those that are the same for several instances as one with a count.
pub(super) fn once(findings: Findings, document: &Document, instances: &Instances) -> Findings {
    let repeated: HashMap<&str, usize> = document
        .restores
        .enumerated()
        .filter(|(_, restore)| restore.for_each.is_some())
        .map(|(at, restore)| (restore.name.value.as_str(), instances.of(at).len()))
        .collect();
    let mut kept: Vec<(Finding, usize)> = Vec::new();
    let mut places: HashMap<Same, usize> = HashMap::new();
    for finding in findings {
        let restore = finding
            .restore
            .as_ref()
            .map(RestoreName::as_str)
            .and_then(split_instance)
            .map(|(restore, _)| restore)
            .filter(|restore| repeated.contains_key(restore));
        let Some(restore) = restore else {
            kept.push((finding, 1));
            continue;
        };
        let same = Same {
            restore: RestoreName::new(restore),
            rule: finding.rule.clone(),
            severity: finding.severity,
            message: finding.message.clone(),
            help: finding.help.clone(),
            span: finding.span,
            key: finding.key.clone(),
        };
        match places.get(&same) {
            Some(at) => kept[*at].1 += 1,
            None => {
                places.insert(same, kept.len());
                kept.push((finding, 1));
            }
        }
    }
    kept.into_iter()
        .map(|(mut finding, count)| {
            let name = finding.restore.clone().unwrap_or_default();
            if let Some((restore, _)) = split_instance(name.as_str())
                && let Some(all) = repeated.get(restore)
                && count > 1
            {
                if count == *all {
                    finding.restore = Some(RestoreName::new(restore));
                    finding
                        .message
                        .push_str(&format!(" (the same for all {all})"));
                } else {
                    let more = count - 1;
                    finding
                        .message
                        .push_str(&format!(" (the same for {more} more of {all})"));
                }
            }
            finding
        })
        .collect()
}
