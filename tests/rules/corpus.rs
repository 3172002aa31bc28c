//! Metadata that others have sent: what worked is not refused, what was refused is.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;
use snapbox::{assert_data_eq, file};

use super::{check_metadata, errors, read, recovery_point, told};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) resource_type: String,
    kind: Kind,
    expect: Expect,
    evidence: String,
    #[serde(default)]
    refused_at: Option<String>,
    #[serde(default)]
    message: Option<String>,
    pub(crate) metadata: Value,
    #[serde(default, rename = "substituted")]
    _substituted: Vec<String>,
    #[serde(default)]
    recovery_point_arn: Option<String>,
    #[serde(default, rename = "note")]
    _note: Option<String>,
    source: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    StartRestoreRequest,
    RecoveryPointMetadata,
    RestoreTestingOverride,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Accept,
    Reject,
    Unknown,
}

impl Case {
    pub(super) fn is_request(&self) -> bool {
        self.kind == Kind::StartRestoreRequest
    }

    /// The recovery point of the source, with an account where it has a word in that place.
    pub(crate) fn recovery_point(&self) -> String {
        let Some(arn) = &self.recovery_point_arn else {
            return in_region_of(&self.metadata, recovery_point(&self.resource_type));
        };
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let account = match parts[4] {
            "" => "",
            text if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) => text,
            _ => "123456789012",
        };
        let arn = [&parts[..4], &[account], &parts[5..]].concat().join(":");
        in_region_of(&self.metadata, &arn)
    }
}

/// A recovery point in the Region that the metadata names first: maps were put together from several sources, and whether
/// zones and keys fit the target is tried elsewhere.
fn in_region_of(metadata: &Value, arn: &str) -> String {
    let text = metadata.to_string();
    let named = regex::Regex::new(r"\b(us|eu|ap|sa|ca|me|af|cn)(-[a-z]+)+-[0-9]").unwrap();
    let Some(region) = named.find(&text).map(|found| found.as_str()) else {
        return arn.to_owned();
    };
    let own = arn.split(':').nth(3).unwrap_or_default();
    let arn = arn.replacen(own, region, 1);
    match region.starts_with("cn-") {
        true => arn.replacen("arn:aws:", "arn:aws-cn:", 1),
        false => arn,
    }
}

pub(super) fn cases() -> Vec<Case> {
    serde_yaml::from_str(&read("tests/rules/corpus.yaml")).unwrap()
}

/// Requests that worked, or that AWS prints.
pub(crate) fn accepted_requests() -> Vec<Case> {
    let accepted = |case: &Case| case.is_request() && case.expect == Expect::Accept;
    cases().into_iter().filter(accepted).collect()
}

#[test]
fn nothing_that_worked_is_refused() {
    let mut refused = String::new();
    for case in cases() {
        if !case.is_request() || case.expect != Expect::Accept {
            continue;
        }
        let findings = check_metadata(&case.resource_type, &case.recovery_point(), &case.metadata);
        for error in errors(&findings) {
            let _ = writeln!(refused, "{} ({}): {}", case.id, case.evidence, told(error));
        }
    }
    assert!(refused.is_empty(), "{refused}");
}

#[test]
fn what_was_refused_is_refused_and_the_key_is_named() {
    let mut missed = String::new();
    for case in cases() {
        // The SDK refuses values that are no strings; redrill writes the strings.
        let by_client = case.refused_at.as_deref() == Some("client");
        if !case.is_request() || case.expect != Expect::Reject || by_client {
            continue;
        }
        let findings = check_metadata(&case.resource_type, &case.recovery_point(), &case.metadata);
        if !errors(&findings).iter().any(|error| error.key.is_some()) {
            let _ = writeln!(missed, "{}: {:?}", case.id, case.message);
        }
    }
    assert!(missed.is_empty(), "{missed}");
}

/// Nobody knows what AWS makes of these; what we say of them is read by people when it changes.
#[test]
fn what_is_said_of_the_rest() {
    let mut said = String::new();
    for case in cases() {
        if case.is_request() && case.expect == Expect::Unknown {
            let findings =
                check_metadata(&case.resource_type, &case.recovery_point(), &case.metadata);
            let _ = writeln!(said, "{}", case.id);
            for finding in &findings {
                let _ = writeln!(said, "  {}", told(finding));
            }
        }
    }
    assert_data_eq!(said, file!["corpus-unknown.txt"]);
}

#[test]
fn every_case_says_where_it_is_from() {
    for case in cases() {
        assert!(case.source.len() > 8, "{}", case.id);
        assert!(case.metadata.is_object(), "{}", case.id);
    }
}
