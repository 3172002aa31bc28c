//! `validate --format sarif`: SARIF 2.1.0
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>), for code scanning and editors.

use std::collections::HashMap;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Finding, Severity};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What a path within a URI may not hold as it is (RFC 3986), and the colon, which would make a scheme of what stands before it.
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

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    invocations: [Invocation; 1],
    column_kind: &'static str,
    artifacts: Vec<Artifact>,
    results: Vec<Outcome<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    id: &'a str,
    short_description: Text,
    default_configuration: Configuration,
    help: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<&'a str>,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
}

#[derive(Serialize)]
struct Artifact {
    location: ArtifactLocation,
    roles: [&'static str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location; 1],
    partial_fingerprints: Fingerprints,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: usize,
    end_line: u32,
    end_column: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct Fingerprints {
    #[serde(rename = "redrill/v1")]
    v1: String,
}

/// The findings about `files` as one run.
///
/// # Errors
///
/// None in practice: every part of it is a string or a number.
pub fn sarif(findings: &[Finding], files: &[String]) -> serde_json::Result<String> {
    let mut rules: Vec<Rule<'_>> = Vec::new();
    let mut indices: HashMap<&str, usize> = HashMap::new();
    let mut seen = HashMap::new();
    let mut results = Vec::with_capacity(findings.len());
    for finding in findings {
        let rule_index = *indices.entry(&finding.rule).or_insert_with(|| {
            rules.push(rule(finding));
            rules.len() - 1
        });
        results.push(outcome(finding, rule_index, &mut seen));
    }
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "redrill",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules,
                },
            },
            invocations: [Invocation {
                execution_successful: true,
            }],
            column_kind: "utf16CodeUnits",
            artifacts: files
                .iter()
                .map(|name| Artifact {
                    location: ArtifactLocation { uri: uri(name) },
                    roles: ["analysisTarget"],
                })
                .collect(),
            results,
        }],
    };
    serde_json::to_string_pretty(&log).map(|text| text + "\n")
}

fn rule(finding: &Finding) -> Rule<'_> {
    Rule {
        id: &finding.rule,
        short_description: Text {
            text: finding.rule.replace('/', ": ").replace('-', " "),
        },
        default_configuration: Configuration {
            level: level(finding.severity),
        },
        help: Text {
            text: finding.help.clone(),
        },
        help_uri: finding.url.as_deref(),
    }
}

fn outcome<'a>(
    finding: &'a Finding,
    rule_index: usize,
    seen: &mut HashMap<String, usize>,
) -> Outcome<'a> {
    let source = &finding.source;
    let (start, end) = (finding.span.start, finding.span.end.max(finding.span.start));
    let name = finding.restore.as_ref().map(|restore| match &finding.key {
        Some(key) => format!("restores.{restore}.metadata.{key}"),
        None => format!("restores.{restore}"),
    });
    Outcome {
        rule_id: &finding.rule,
        rule_index,
        level: level(finding.severity),
        message: Text {
            text: format!("{}\nhelp: {}", finding.title(), finding.help),
        },
        locations: [Location {
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation {
                    uri: uri(&source.name),
                },
                region: Region {
                    start_line: start.line,
                    start_column: source.utf16_column(start),
                    end_line: end.line,
                    end_column: source.utf16_column(end),
                },
            },
            logical_locations: name
                .map(|fully_qualified_name| LogicalLocation {
                    fully_qualified_name,
                    kind: "member",
                })
                .into_iter()
                .collect(),
        }],
        partial_fingerprints: Fingerprints {
            v1: fingerprint(finding, seen),
        },
    }
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
        finding.restore.as_deref().unwrap_or_default(),
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
