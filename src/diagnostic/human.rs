//! Findings for people: the line, a caret under the place, the remedy.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{Finding, Position, Severity, Span};

/// Characters of a line that are shown behind the place; a line can be a megabyte long.
const SHOWN_BEHIND: u32 = 160;

/// The findings one under another, each with its place; styled with ANSI colours when `colour` is set.
#[must_use]
pub fn human(findings: &[Finding], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
    .decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for finding in findings {
        text.push_str(&one(finding, &renderer));
        text.push_str("\n\n");
    }
    text
}

fn one(finding: &Finding, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = match (&finding.restore, &finding.key) {
        (Some(restore), Some(key)) => format!("{restore}: {key}: {}", finding.message),
        (Some(restore), None) => format!("{restore}: {}", finding.message),
        (None, _) => finding.message.clone(),
    };
    // Only the first line of the place, and not all of a long one: the rest would bury the message.
    let start = finding.span.start;
    let line_start = Position {
        line: start.line,
        column: 1,
    };
    let line_end = Position {
        line: start.line,
        column: start.column.saturating_add(SHOWN_BEHIND),
    };
    let shown = finding.source.range(Span {
        start: line_start,
        end: line_end,
    });
    let marked = finding.source.range(finding.span);
    let from = marked.start.min(shown.end) - shown.start;
    let to = marked.end.min(shown.end).max(marked.start.min(shown.end)) - shown.start;
    let snippet = Snippet::source(&finding.source.text[shown])
        .line_start(start.line as usize)
        .path(finding.source.name.as_str())
        .annotation(AnnotationKind::Primary.span(from..to));
    let mut group = level
        .primary_title(title)
        .id(finding.rule.as_str())
        .element(snippet)
        .element(Level::HELP.message(finding.help.as_str()));
    if let Some(url) = &finding.url {
        group = group.element(Level::NOTE.with_name("see").message(url.as_str()));
    }
    renderer.render(&[group])
}
