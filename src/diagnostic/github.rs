//! `validate --format github`: workflow commands, which GitHub shows beside the lines of a pull request
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>).

use std::fmt::Write as _;

use super::{Finding, Severity};

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
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "::{command} file={},line={},col={},endLine={},title={}::{}",
            property(&finding.source.name),
            finding.span.start.line,
            finding.span.start.column,
            finding.span.end.line.max(finding.span.start.line),
            property(&finding.rule),
            data(&format!("{}\nhelp: {}", finding.title(), finding.help)),
        );
    }
    text
}

/// The message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a command, which ends at `,` and its name at `:` as well.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn what_github_reads_as_syntax_is_escaped() {
        assert_eq!(
            data("100 %: a,b\r\n::error::"),
            "100 %25: a,b%0D%0A::error::"
        );
        assert_eq!(property("C:\\a,b%.yaml"), "C%3A\\a%2Cb%25.yaml");
    }
}
