//! `validate --format sarif`: SARIF 2.1.0
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>), for code scanning and editors.

use std::collections::HashMap;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Described, Finding, Severity, Source, Span};

use crate::ids::RestoreName;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Characters that a path within a URI may not hold raw (RFC 3986), and the colon, which would make a scheme of what
/// stands before it.
const IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The findings about `files` as one run, with what is known of their rules.
///
/// # Errors
///
/// None in practice: every part of it is a string or a number.
pub fn sarif(
    findings: &[Finding],
    files: &[String],
    described: impl Fn(&str) -> Option<Described>,
) -> serde_json::Result<String> {
    let mut rules: Vec<Value> = Vec::new();
    let mut indices: HashMap<&str, usize> = HashMap::new();
    let mut seen = HashMap::new();
    let mut results = Vec::with_capacity(findings.len());
    for finding in findings {
        let index = *indices.entry(&finding.rule).or_insert_with(|| {
            rules.push(rule(finding, described(&finding.rule)));
            rules.len() - 1
        });
        results.push(result(finding, index, &mut seen));
    }
    let artifact =
        |name: &String| json!({ "location": { "uri": uri(name) }, "roles": ["analysisTarget"] });
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "redrill",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "invocations": [{ "executionSuccessful": true }],
            "columnKind": "utf16CodeUnits",
            "artifacts": files.iter().map(artifact).collect::<Vec<_>>(),
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).map(|text| text + "\n")
}

fn rule(finding: &Finding, described: Option<Described>) -> Value {
    let Some(rule) = described else {
        return json!({ "id": finding.rule });
    };
    let text = |text: &str| json!({ "text": text });
    let explanation = rule.explanation.replace('\n', " ");
    let help = match &rule.evidence {
        Some(evidence) => format!("{explanation}\n\nEvidence: {evidence}"),
        None => explanation.clone(),
    };
    let mut value = json!({
        "id": finding.rule,
        "shortDescription": text(&rule.title),
        "fullDescription": text(&format!("{}. {explanation}", rule.title)),
        "defaultConfiguration": { "level": level(rule.severity) },
        "help": text(&help),
    });
    if let Some(url) = rule.url {
        value["helpUri"] = url.into();
    }
    value
}

fn result(finding: &Finding, rule_index: usize, seen: &mut HashMap<String, usize>) -> Value {
    let name = finding.restore.as_ref().map(|restore| match &finding.key {
        Some(key) => format!("restores.{restore}.metadata.{key}"),
        None => format!("restores.{restore}"),
    });
    let mut place = location(&finding.source, finding.span);
    if let Some(name) = name {
        place["logicalLocations"] = json!([{ "fullyQualifiedName": name, "kind": "member" }]);
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": level(finding.severity),
        "message": { "text": format!("{}\nhelp: {}", finding.title(), finding.help) },
        "locations": [place],
        "partialFingerprints": { "redrill/v1": fingerprint(finding, seen) },
    });
    let also = finding.also.iter().map(|other| {
        let mut place = location(&other.source, other.span);
        place["message"] = json!({ "text": other.label });
        place
    });
    if !finding.also.is_empty() {
        result["relatedLocations"] = also.collect();
    }
    result
}

fn location(source: &Source, span: Span) -> Value {
    let (start, end) = (span.start, span.end.max(span.start));
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(&source.name) },
            "region": {
                "startLine": start.line,
                "startColumn": source.utf16_column(start),
                "endLine": end.line,
                "endColumn": source.utf16_column(end),
            },
        },
    })
}

/// The same as long as the finding is, wherever its line moves to: what it says of what, and which of the like it is.
fn fingerprint(finding: &Finding, seen: &mut HashMap<String, usize>) -> String {
    let mut hash = Sha256::new();
    let written = match finding.conceals || !finding.source.hidden().is_empty() {
        // A short secret could be guessed from its hash.
        true => "",
        false => finding.source.slice(finding.span),
    };
    let parts = [
        finding.rule.as_str(),
        finding
            .restore
            .as_ref()
            .map(RestoreName::as_str)
            .unwrap_or_default(),
        finding.key.as_deref().unwrap_or_default(),
        written,
    ];
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let digest = hash.finalize();
    let mut hex: String = digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let count = seen
        .entry(format!("{} {hex}", finding.source.name))
        .or_default();
    *count += 1;
    hex.push_str(&format!(":{count}"));
    hex
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// A path as it was typed, as a URI reference: relative to where the command was run, which is the repository in a check.
fn uri(name: &str) -> String {
    let path = name.strip_prefix("./").unwrap_or(name);
    let path = path.replace(std::path::MAIN_SEPARATOR, "/");
    let encoded = utf8_percent_encode(&path, IN_PATH).to_string();
    if std::path::Path::new(name).is_absolute() {
        return format!(
            "file://{}{encoded}",
            if path.starts_with('/') { "" } else { "/" }
        );
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn a_path_is_a_uri() {
        assert_eq!(uri("./plans/a b.yaml"), "plans/a%20b.yaml");
        assert_eq!(uri("c:d%.yaml"), "c%3Ad%25.yaml");
        assert_eq!(uri("/tmp/日.yaml"), "file:///tmp/%E6%97%A5.yaml");
    }
}
