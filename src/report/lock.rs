//! `lock`: what the selectors of a plan mean, as a file to commit.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::parse::LOCK_VERSION;
use crate::render::Resolved;

#[derive(Serialize)]
struct LockDocument<'a> {
    version: u32,
    plan: &'a str,
    restores: BTreeMap<&'a str, Resolved>,
}

/// The text of a lock file: sorted by restore, so that the order of a plan changes nothing in it.
#[must_use]
pub fn lock_text<'a>(
    plan: &'a str,
    restores: impl IntoIterator<Item = (&'a str, &'a Resolved)>,
) -> String {
    // The file does not name itself.
    let entry = |(name, resolved): (&'a str, &'a Resolved)| {
        let lock = None;
        (
            name,
            Resolved {
                lock,
                ..resolved.clone()
            },
        )
    };
    let file = LockDocument {
        version: LOCK_VERSION,
        plan,
        restores: restores.into_iter().map(entry).collect(),
    };
    // Strings and numbers alone: it cannot fail on them.
    let yaml = serde_yaml::to_string(&file).unwrap_or_default();
    format!(
        "# What the selectors of the plan mean, written by `redrill lock`; `redrill lock --update` looks them up again.\n{yaml}"
    )
}

/// For the eye: each restore with its recovery point.
#[must_use]
pub fn lock_human<'a>(restores: impl IntoIterator<Item = (&'a str, &'a Resolved)>) -> String {
    let time = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
    let rows: Vec<Vec<String>> = restores
        .into_iter()
        .map(|(name, resolved)| {
            vec![
                name.to_owned(),
                resolved.recovery_point.clone(),
                time(resolved.created_at).map_or_else(String::new, |at| format!("made {at}")),
                time(resolved.expires_at).map_or_else(String::new, |at| format!("expires {at}")),
            ]
        })
        .collect();
    super::columns::columns(&rows, "  ")
}
