//! YAML events to a tree that knows its places.
//!
//! One pass over saphyr-parser's events. A typed reading by serde would stop at the first mistake and know no
//! place; this tree is what every finding points into. Depth, aliases and size are bounded, so that no input
//! costs more than its own length.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::bounds::Count;
use super::{Number, number};
use crate::diagnostic::{Finding, Findings, Position, Source, Span, Spanned, rule};

/// Collections inside collections; a plan needs about six.
const MAX_DEPTH: usize = 64;
/// Nodes that aliases may add in all; 10,000 restores that share a map of metadata add 100,000.
const MAX_ALIASED: usize = 250_000;

/// One value of a document.
#[derive(Clone, Debug)]
pub struct Node {
    /// Kind of the value.
    pub kind: Kind,
    /// Span where it was written; for the copy that an alias makes, that of the original.
    pub span: Span,
}

/// Kind of a value.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, with its text; apart, as most values are none.
    Number(Box<Number>),
    /// Anything else, and everything quoted.
    String(String),
    /// A list. Shared, so that a part of a plan can be taken out of it without being copied.
    Sequence(Arc<[Node]>),
    /// A map, in the order of the file.
    Mapping(Arc<[MappingEntry]>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct MappingEntry {
    /// The key.
    pub key: Spanned<String>,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The entries of a map; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[MappingEntry] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The same, to take them out; copied where an alias shares them.
    pub(super) fn entries_mut(&mut self) -> &mut [MappingEntry] {
        match &mut self.kind {
            Kind::Mapping(entries) => Arc::make_mut(entries),
            _ => &mut [],
        }
    }

    /// Takes the value out, which leaves nothing.
    pub(super) fn take_all(&mut self) -> Self {
        let kind = std::mem::replace(&mut self.kind, Kind::Null);
        Self { kind, ..*self }
    }

    /// The value of a key, which leaves nothing there.
    pub(super) fn take(&mut self, key: &str) -> Option<Self> {
        let mut entries = self.entries_mut().iter_mut();
        let entry = entries.find(|entry| entry.key.value == key)?;
        Some(entry.value.take_all())
    }

    /// Describes the kind, for a sentence.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a map",
        }
    }

    /// Counts its values, itself among them.
    #[must_use]
    pub fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Sequence(items) => items.iter().map(Node::size).sum(),
            Kind::Mapping(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
            _ => 0,
        }
    }
}

/// Reads the one document of a text; `None` where there is none to read, and the findings say why.
pub fn yaml(source: &Arc<Source>, findings: &mut Findings) -> Option<Node> {
    if source.text.trim_start_matches('\u{feff}').trim().is_empty() {
        findings.push(Finding::at(
            source,
            Span::default().at_start(),
            rule::YAML_EMPTY,
            "the file is empty",
            "`redrill init` writes a plan from the recovery points of your account",
        ));
        return None;
    }
    let mut builder = Builder {
        source,
        findings,
        stack: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        aliased: 0,
    };
    let mut count = Count::default();
    let read = if Count::has_to_count(&source.text) {
        let counted = count.counted(&source.text);
        builder.read(Parser::new_from_iter(counted), &mut count)
    } else {
        builder.read(Parser::new_from_str(&source.text), &mut count)
    };
    let root = builder.root;
    if let Err(finding) = read {
        findings.push(*finding);
        return None;
    }
    if root.is_none() {
        findings.push(Finding::at(
            source,
            Span::default().at_start(),
            rule::YAML_EMPTY,
            "the file holds comments only",
            "`redrill init` writes a plan from the recovery points of your account",
        ));
    }
    root
}

/// A collection that is still open.
struct Open {
    anchor: usize,
    start: Span,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<MappingEntry>,
        key: Option<Spanned<String>>,
    },
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    findings: &'a mut Findings,
    stack: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
}

type ParseResult = Result<(), Box<Finding>>;

impl Builder<'_> {
    fn read<'e>(
        &mut self,
        events: impl Iterator<Item = Result<(Event<'e>, saphyr_parser::Span), ScanError>>,
        count: &mut Count,
    ) -> ParseResult {
        for event in events {
            match event {
                Ok((event, span)) => {
                    count.event(self.source, span_of(span))?;
                    self.event(event, span_of(span))?;
                }
                Err(scan) => {
                    // A text that was ended early is no YAML any more.
                    count.event(
                        self.source,
                        span_of(saphyr_parser::Span::empty(*scan.marker())),
                    )?;
                    return Err(syntax(self.source, &scan));
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> ParseResult {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(Box::new(Finding::at(
                self.source,
                span,
                rule::YAML_DOCUMENTS,
                "a second document starts here",
                "keep one plan in a file; remove the line `---` or move what follows to a file of its own",
            ))),
            Event::Scalar(text, style, anchor, tag) => {
                let kind = self.scalar(text.into_owned(), style, tag.as_deref(), span);
                self.value(Node { kind, span }, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                self.open(anchor, span, Content::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, _) => self.open(
                anchor,
                span,
                Content::Mapping {
                    entries: Vec::new(),
                    key: None,
                },
            ),
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Kind {
        match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Kind::String(text),
            Some(tag) if !tag.is_yaml_core_schema() => {
                self.findings.push(Finding::at(
                    self.source,
                    span,
                    rule::YAML_TAG,
                    format!("the tag `!{}` means nothing in a plan", tag.suffix),
                    "remove the tag; write the value itself, or a template such as `{{ vars.name }}`",
                ));
                Kind::String(text)
            }
            _ if style == ScalarStyle::Plain => number::plain(&text),
            _ => Kind::String(text),
        }
    }

    fn open(&mut self, anchor: usize, start: Span, content: Content) -> ParseResult {
        if self.stack.len() == MAX_DEPTH {
            return Err(Box::new(Finding::at(
                self.source,
                start,
                rule::YAML_DEPTH,
                format!("more than {MAX_DEPTH} lists and maps inside one another"),
                "flatten it; no part of a plan needs more than a few levels",
            )));
        }
        self.stack.push(Open {
            anchor,
            start,
            content,
        });
        Ok(())
    }

    fn close(&mut self, end: Span) -> ParseResult {
        let Some(open) = self.stack.pop() else {
            return Ok(());
        };
        let span = Span {
            start: open.start.start,
            end: end.end,
        };
        let kind = match open.content {
            Content::Sequence(items) => Kind::Sequence(items.into()),
            Content::Mapping { entries, .. } => Kind::Mapping(self.mapping(entries).into()),
        };
        self.value(Node { kind, span }, open.anchor)
    }

    /// Puts a finished value where it belongs: into the open collection, or at the root.
    fn value(&mut self, node: Node, anchor: usize) -> ParseResult {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::Sequence(items)) => items.push(node),
            Some(Content::Mapping { entries, key }) => match key.take() {
                Some(key) => entries.push(MappingEntry { key, value: node }),
                None => *key = Some(map_key(self.source, node)?),
            },
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> ParseResult {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Box::new(Finding::at(
                self.source,
                span,
                rule::YAML_ALIAS,
                "this alias is inside the value that it names",
                "write the value out; a value cannot contain itself",
            )));
        };
        self.aliased = self.aliased.saturating_add(node.size());
        if self.aliased > MAX_ALIASED {
            return Err(Box::new(Finding::at(
                self.source,
                span,
                rule::YAML_ALIAS_EXPLOSION,
                format!("the aliases up to here stand for more than {MAX_ALIASED} values"),
                "write the values out, or share less with `&` and `*`",
            )));
        }
        let node = node.clone();
        self.value(node, 0)
    }

    /// Applies `<<` and refuses keys that stand twice.
    fn mapping(&mut self, entries: Vec<MappingEntry>) -> Vec<MappingEntry> {
        let mut seen: HashMap<&str, Span> = HashMap::with_capacity(entries.len());
        let mut repeated = Vec::new();
        let mut merges = false;
        for (at, MappingEntry { key, .. }) in entries.iter().enumerate() {
            merges |= key.value == "<<";
            if let Some(first) = seen.get(key.value.as_str()) {
                repeated.push(at);
                let finding = Finding::at(
                    self.source,
                    key.span,
                    rule::YAML_DUPLICATE_KEY,
                    format!(
                        "`{}` is used a second time; the first is in line {}",
                        key.value, first.start.line
                    ),
                    "remove one of the two, or rename it",
                );
                self.findings
                    .push(finding.also(*first, "written here first"));
            } else {
                seen.insert(&key.value, key.span);
            }
        }
        if repeated.is_empty() && !merges {
            return entries;
        }
        let (mut own, mut merged) = (Vec::with_capacity(entries.len()), Vec::new());
        for (at, entry) in entries.into_iter().enumerate() {
            if entry.key.value == "<<" {
                merged.extend(self.merged(entry.value));
            } else if !repeated.contains(&at) {
                own.push(entry);
            }
        }
        // A key that is written wins over a merged one, an earlier merged one over a later (YAML 1.1 merge key).
        for entry in merged {
            if !own.iter().any(|have| have.key.value == entry.key.value) {
                own.push(entry);
            }
        }
        own
    }

    fn merged(&mut self, value: Node) -> Vec<MappingEntry> {
        match value.kind {
            Kind::Mapping(entries) => entries.to_vec(),
            Kind::Sequence(items)
                if items
                    .iter()
                    .all(|item| matches!(item.kind, Kind::Mapping(_))) =>
            {
                items
                    .iter()
                    .flat_map(|item| self.merged(item.clone()))
                    .collect()
            }
            _ => {
                self.findings.push(Finding::at(
                    self.source,
                    value.span,
                    rule::YAML_MERGE,
                    format!("`<<` merges maps, and this is {}", value.describe()),
                    "name a map: `<<: *defaults`",
                ));
                Vec::new()
            }
        }
    }
}

fn map_key(source: &Arc<Source>, node: Node) -> Result<Spanned<String>, Box<Finding>> {
    let value = match node.kind {
        Kind::String(text) => text,
        Kind::Number(number) => number.text,
        Kind::Bool(_) | Kind::Null => source.slice(node.span).to_owned(),
        Kind::Sequence(_) | Kind::Mapping(_) => {
            return Err(Box::new(Finding::at(
                source,
                node.span,
                rule::YAML_KEY,
                format!("{} is used as a key", node.describe()),
                "write a name as the key; quote a template: `key: \"{{ vars.name }}\"`",
            )));
        }
    };
    Ok(Spanned {
        value,
        span: node.span,
    })
}

fn span_of(span: saphyr_parser::Span) -> Span {
    let position = |marker: Marker| Position {
        line: u32::try_from(marker.line()).unwrap_or(u32::MAX),
        column: u32::try_from(marker.col()).map_or(u32::MAX, |column| column.saturating_add(1)),
    };
    Span {
        start: position(span.start),
        end: position(span.end),
    }
}

fn syntax(source: &Arc<Source>, scan: &ScanError) -> Box<Finding> {
    let mut span = span_of(saphyr_parser::Span::empty(*scan.marker()));
    // The parser stands behind the tab, or at the scalar before the line that it indents.
    let from = source.offset(span.start);
    let line = source.text[..from].rfind('\n').map_or(0, |at| at + 1);
    let indent = source.text[line..].find(|c| !matches!(c, ' ' | '\t'));
    let here = source.text[line..line + indent.unwrap_or(0)].find('\t');
    let tab = here
        .map(|at| line + at)
        .or_else(|| source.text[from..].find('\t').map(|at| from + at));
    if let Some(tab) = tab.filter(|_| scan.info().contains("tab")) {
        span.start = source.position(tab);
        span.end = source.position(tab + 1);
        return Box::new(Finding::at(
            source,
            span,
            rule::YAML_SYNTAX,
            "this line is indented with a tab, which YAML does not allow",
            "indent with spaces; most editors have a command that converts tabs to spaces",
        ));
    }
    Box::new(Finding::at(
        source,
        span,
        rule::YAML_SYNTAX,
        format!("this is not YAML: {}", scan.info()),
        "check the indentation and the quotes here and in the line above; a value that starts with `{{`, `*`, `&`, `@` or holds `: ` wants quotes",
    ))
}
