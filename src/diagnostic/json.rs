//! `validate --format json`.

use serde::Serialize;

use super::{Finding, RelatedLocation, Severity};

use crate::ids::RestoreName;

/// One finding as machines read it.
#[derive(Debug, Serialize)]
pub struct FindingJson<'a> {
    rule: &'a str,
    severity: Severity,
    message: &'a str,
    help: &'a str,
    file: &'a str,
    line: u32,
    column: u32,
    restore: Option<&'a str>,
    key: Option<&'a str>,
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<PlaceJson<'a>>,
}

/// Another place of a finding.
#[derive(Debug, Serialize)]
struct PlaceJson<'a> {
    message: &'a str,
    file: &'a str,
    line: u32,
    column: u32,
}

impl<'a> From<&'a RelatedLocation> for PlaceJson<'a> {
    fn from(place: &'a RelatedLocation) -> Self {
        Self {
            message: &place.label,
            file: &place.source.name,
            line: place.span.start.line,
            column: place.span.start.column,
        }
    }
}

impl<'a> From<&'a Finding> for FindingJson<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            rule: &finding.rule,
            severity: finding.severity,
            message: &finding.message,
            help: &finding.help,
            file: &finding.source.name,
            line: finding.span.start.line,
            column: finding.span.start.column,
            restore: finding.restore.as_ref().map(RestoreName::as_str),
            key: finding.key.as_deref(),
            url: finding.url.as_deref(),
            also: finding.also.iter().map(PlaceJson::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct FindingsDocument<'a> {
    schema: &'static str,
    findings: Vec<FindingJson<'a>>,
}

/// The findings as one document, `redrill.validate/v1`.
///
/// # Errors
///
/// None in practice: every part of it is a string or a number.
pub fn json(findings: &[Finding]) -> serde_json::Result<String> {
    let document = FindingsDocument {
        schema: "redrill.validate/v1",
        findings: findings.iter().map(FindingJson::from).collect(),
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}
