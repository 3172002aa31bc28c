//! Checks that a secret can be kept out of what redrill shows.

use super::super::{REDACTED, wire};
use super::{InputValue, Json};
use crate::diagnostic::{Finding, Findings, Severity, rule};
use crate::parse::Variable;

/// Refuses the replacement of a secret: it was copied from what redrill has printed, and is the value of nothing.
pub(super) fn is_no_mark(variable: &Variable, chosen: &InputValue, findings: &mut Findings) {
    if !wire(&chosen.value).contains(REDACTED) {
        return;
    }
    let finding = Finding::at(
        &chosen.source,
        chosen.span,
        rule::VARS_REDACTED,
        format!(
            "the value of `{}` holds `{REDACTED}`, which redrill prints in place of a secret",
            variable.name.value
        ),
        "give the secret itself",
    );
    findings.push(if variable.secret {
        finding.concealing()
    } else {
        finding
    });
}

/// Characters that a secret has at least: redrill replaces it wherever it stands, and shorter ones stand in ARNs, times and
/// its own words.
const SHORTEST_SECRET: usize = 4;
/// Words of ARNs and of what redrill prints: a secret of that value would be shown by what is missing.
const COMMON: [&str; 12] = [
    "account",
    "backup",
    "completed",
    "default",
    "false",
    "main",
    "none",
    "null",
    "restore",
    "role",
    "true",
    "volume",
];

/// A secret that is empty was forgotten; one that stands everywhere cannot be hidden.
pub(super) fn can_be_hidden(variable: &Variable, chosen: &InputValue, findings: &mut Findings) {
    if !variable.secret {
        return;
    }
    let name = &variable.name.value;
    let mut parts = Vec::new();
    hide(&chosen.value, &mut parts);
    let is_whole = !matches!(chosen.value, Json::Array(_) | Json::Object(_));
    let is_common = |text: &str| COMMON.contains(&text.to_lowercase().as_str());
    let (rule, message, help) = if is_whole && parts.iter().all(|part| part.trim().is_empty()) {
        (
            rule::VARS_SECRET_EMPTY,
            format!("`{name}` is secret, and its value is empty"),
            "give the secret; a variable of a CI system that is not set gives an empty one"
                .to_owned(),
        )
    } else if parts
        .iter()
        .any(|part| !part.is_empty() && part.chars().count() < SHORTEST_SECRET || is_common(part))
    {
        let what = match is_whole {
            true => "its value",
            false => "a part of its value",
        };
        (
            rule::VARS_SECRET_SHORT,
            format!(
                "`{name}` is secret, and {what} has fewer than {SHORTEST_SECRET} characters or is a word that is part of ARNs: \
                 redrill would replace it in ARNs, times and its own messages, where the gaps show what it is"
            ),
            match is_whole {
                true => "give a longer secret; if it is not secret, take `secret: true` off the variable"
                    .to_owned(),
                false => "give what is not secret in a variable of its own, without `secret: true`"
                    .to_owned(),
            },
        )
    } else {
        return;
    };
    let mut finding = Finding::at(&chosen.source, chosen.span, rule, message, help).concealing();
    if !is_whole {
        // A user name beside its password is no reason to stop.
        finding.severity = Severity::Warning;
    }
    findings.push(finding);
}

/// Every text inside a secret is secret.
pub(super) fn hide(value: &serde_json::Value, secrets: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| hide(item, secrets)),
        serde_json::Value::Object(map) => map.values().for_each(|item| hide(item, secrets)),
        serde_json::Value::Null | serde_json::Value::Bool(_) => {}
        other => secrets.push(wire(other)),
    }
}
