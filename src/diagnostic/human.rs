//! Findings for people: the line, a caret under the place, the remedy.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Finding, Position, Severity, Source, Span, visible, visible_lines};

/// Characters of a line that are shown behind the place; a line can be a megabyte long.
const SHOWN_BEHIND: u32 = 160;

/// The end of the rule that every type has whose recovery points are not at hand.
const UNCHECKED: &str = "/recovery-point-unchecked";

/// The findings one under another, each with its place; styled with ANSI colours when `colour` is set.
#[must_use]
pub fn human(findings: &[Finding], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
    .decor_style(DecorStyle::Ascii);
    let concealed: Vec<(&Source, Range<usize>)> = findings
        .iter()
        .filter(|finding| finding.conceals)
        .map(|finding| (&*finding.source, finding.source.range(finding.span)))
        .collect();
    let mut text = String::new();
    let mut unchecked: Vec<&str> = Vec::new();
    let mut remedy = "";
    for finding in findings {
        // Of every type of a plan, it would bury the rest.
        if let Some(of_type) = finding.rule.strip_suffix(UNCHECKED)
            && finding.severity == Severity::Note
        {
            unchecked.push(of_type);
            remedy = &finding.help;
            continue;
        }
        text.push_str(&one(finding, &concealed, &renderer));
        text.push_str("\n\n");
    }
    if !unchecked.is_empty() {
        let title = format!(
            "{}: skipped the rules that need the recovery point itself; {remedy}",
            unchecked.join(", ")
        );
        let title = visible_lines(&title);
        let line = Level::NOTE.primary_title(&*title);
        text.push_str(&renderer.render(&[Group::with_title(line)]));
        text.push_str("\n\n");
    }
    text
}

fn one(finding: &Finding, concealed: &[(&Source, Range<usize>)], renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let place = Excerpt::of(&finding.source, finding.span, concealed);
    let (title, help) = (finding.title(), visible_lines(&finding.help));
    let title = visible_lines(&title);
    let mut group = level
        .primary_title(&*title)
        .id(finding.rule.as_str())
        .element(place.snippet())
        .element(Level::HELP.message(&*help));
    if let Some(url) = &finding.url {
        group = group.element(Level::NOTE.with_name("see").message(url.as_str()));
    }
    // Each other place has a title of its own: `:::` before it could be a command of GitHub's.
    let also: Vec<(Cow<'_, str>, Excerpt<'_>)> = finding
        .also
        .iter()
        .map(|place| {
            let shown = Excerpt::of(&place.source, place.span, concealed);
            (visible_lines(&place.label), shown)
        })
        .collect();
    let also = also.iter().map(|(label, place)| {
        let title = Level::NOTE.secondary_title(&**label);
        title.element(place.snippet())
    });
    let groups: Vec<Group<'_>> = std::iter::once(group).chain(also).collect();
    renderer.render(&groups)
}

/// A place as it is shown.
struct Excerpt<'a> {
    path: Cow<'a, str>,
    number: u32,
    line: Cow<'a, str>,
    /// The bytes of the line that are underlined.
    marked: Range<usize>,
}

impl<'a> Excerpt<'a> {
    /// Only the first line of the place, and not all of a long one: the rest would bury the message.
    fn of(source: &'a Source, span: Span, concealed: &[(&Source, Range<usize>)]) -> Self {
        let start = span.start;
        let place = |column| Position {
            line: start.line,
            column,
        };
        let shown = source.range(Span {
            start: place(1),
            end: place(start.column.saturating_add(SHOWN_BEHIND)),
        });
        let marked = source.range(span);
        let from = marked.start.min(shown.end);
        let to = marked.end.min(shown.end).max(from);
        let mut line = starred(source, shown.clone(), concealed);
        // A tab that is the mistake is seen; one sign for another, so that columns stay.
        if source.text[from..to].contains('\t') {
            line = Cow::Owned(line.replace('\t', "→"));
        }
        // A star can be shorter than what it stands for.
        let place = |at: usize| {
            let before = source.text[shown.start..at].chars().count();
            let mut characters = line.char_indices().map(|(at, _)| at);
            characters.nth(before).unwrap_or(line.len())
        };
        Self {
            path: visible(&source.name),
            number: start.line,
            marked: place(from)..place(to),
            line,
        }
    }

    fn snippet(&self) -> Snippet<'_, Annotation<'_>> {
        Snippet::source(&*self.line)
            .line_start(self.number as usize)
            .path(&*self.path)
            .annotation(AnnotationKind::Primary.span(self.marked.clone()))
    }
}

/// A part of a text with every secret in it starred, character for character, so that columns stay.
fn starred<'a>(
    source: &'a Source,
    shown: Range<usize>,
    concealed: &[(&Source, Range<usize>)],
) -> Cow<'a, str> {
    let mut line = Cow::Borrowed(&source.text[shown.clone()]);
    let of_findings = concealed
        .iter()
        .filter(|(of, _)| std::ptr::eq(*of, source))
        .map(|(_, range)| range.clone());
    let of_source = source.hidden().iter().map(|span| source.range(*span));
    let mut ranges: Vec<Range<usize>> = of_findings.chain(of_source).collect();
    // From the end, so that a star for a longer character moves nothing that is still to come.
    ranges.sort_by_key(|range| std::cmp::Reverse((range.start, range.end)));
    let mut covered = shown.end;
    for range in ranges {
        let from = range.start.max(shown.start);
        let to = range.end.min(covered);
        if from < to {
            let characters = source.text[from..to].chars().count();
            let range = from - shown.start..to - shown.start;
            line.to_mut().replace_range(range, &"*".repeat(characters));
            covered = from;
        }
    }
    line
}
