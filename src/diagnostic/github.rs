//! `validate --format github`: workflow commands, which GitHub shows beside the lines of a pull request
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>).

use super::{Finding, Severity, workflow_command};

/// One `::error …::` line a finding.
#[must_use]
pub fn github(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let span = finding.span;
        let number = |number: u32| number.to_string();
        let properties = [
            ("file", finding.source.name.as_str()),
            ("line", &number(span.start.line)),
            ("col", &number(span.start.column)),
            ("endLine", &number(span.end.line.max(span.start.line))),
            ("title", &finding.rule),
        ];
        let message = format!("{}\nhelp: {}", finding.title(), finding.help);
        text.push_str(&workflow_command(command, &properties, &message));
    }
    text
}
