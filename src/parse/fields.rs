//! Reading a map field by field: every miss is a finding, and reading goes on.

use std::sync::Arc;

use super::{Kind, MappingEntry, Node};
use crate::diagnostic::{Finding, Findings, Rule, Source, Span, Spanned, rule, suggest};

/// State that reading needs to report: the text and the findings so far.
pub(super) struct FieldReader<'a> {
    pub(super) source: &'a Arc<Source>,
    pub(super) findings: &'a mut Findings,
}

impl FieldReader<'_> {
    pub(super) fn report(
        &mut self,
        span: Span,
        rule: &'static Rule,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.findings
            .push(Finding::at(self.source, span, rule, message, help));
    }

    /// A string that is taken as it is written, without templates.
    pub(super) fn text(
        &mut self,
        node: &Node,
        what: &str,
        example: &str,
    ) -> Option<Spanned<String>> {
        let value = match &node.kind {
            Kind::String(text) if !text.is_empty() => text.clone(),
            Kind::Number(number) => number.text.clone(),
            _ => {
                self.report(
                    node.span,
                    rule::PLAN_TYPE,
                    format!("{what} is {}, not a text", node.describe()),
                    format!("write it as `{example}`"),
                );
                return None;
            }
        };
        Some(Spanned {
            value,
            span: node.span,
        })
    }

    /// A name that becomes part of paths, template names and reports.
    pub(super) fn name(&mut self, name: &Spanned<String>, what: &str) {
        let ok = name.value.len() <= 64
            && name.value.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name
                .value
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !ok {
            self.report(
                name.span,
                rule::PLAN_NAME,
                format!("`{}` is not a valid name for {what}", name.value),
                "use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit",
            );
        }
    }

    pub(super) fn whole(&mut self, node: &Node, what: &str) -> Option<u32> {
        let value = match &node.kind {
            Kind::Number(number) => number.value.as_u64().and_then(|n| u32::try_from(n).ok()),
            _ => None,
        };
        let value = value.filter(|value| *value > 0);
        if value.is_none() {
            self.report(
                node.span,
                rule::PLAN_TYPE,
                format!("{what} is not a whole number above 0"),
                "write a number, such as `50`",
            );
        }
        value
    }

    pub(super) fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Kind::Bool(value) = node.kind {
            return Some(value);
        }
        self.report(
            node.span,
            rule::PLAN_TYPE,
            format!("{what} is {}, not true or false", node.describe()),
            "write `true` or `false`",
        );
        None
    }
}

/// One map that is being read; what nobody asked for by the end is an unknown key.
pub(super) struct Fields<'n> {
    what: &'static str,
    node: &'n Node,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The fields of a map; anything else is a finding.
    pub(super) fn of(
        node: &'n Node,
        what: &'static str,
        example: &str,
        reader: &mut FieldReader<'_>,
    ) -> Option<Self> {
        if !matches!(node.kind, Kind::Mapping(_)) {
            reader.report(
                node.span,
                rule::PLAN_TYPE,
                format!("{what} is {}, not a map of keys", node.describe()),
                format!("write keys under it: `{example}`"),
            );
            return None;
        }
        Some(Self {
            what,
            node,
            known: Vec::new(),
        })
    }

    /// The value of a key, with the key's place.
    pub(super) fn entry(&mut self, name: &'static str) -> Option<&'n MappingEntry> {
        self.known.push(name);
        self.node.entries().iter().find(|e| e.key.value == name)
    }

    /// The value of a key; `key:` with nothing behind it is as good as absent.
    pub(super) fn get(&mut self, name: &'static str) -> Option<&'n Node> {
        self.entry(name)
            .map(|entry| &entry.value)
            .filter(|node| !matches!(node.kind, Kind::Null))
    }

    /// The value of a key that has to be there.
    pub(super) fn require(
        &mut self,
        name: &'static str,
        example: &str,
        reader: &mut FieldReader<'_>,
    ) -> Option<&'n Node> {
        let found = self.get(name);
        if found.is_none() {
            let span = self
                .node
                .entries()
                .iter()
                .find(|e| e.key.value == name)
                .map_or(self.node.span.first_character(), |e| e.key.span);
            reader.report(
                span,
                rule::PLAN_MISSING_KEY,
                format!("{} has no `{name}`", self.what),
                format!("add `{example}`"),
            );
        }
        found
    }

    /// Reports every key that was not asked for, but for those that are the author's own: anchors live there.
    pub(super) fn finish_with_own(self, reader: &mut FieldReader<'_>) {
        self.unknown(reader, |name| !name.starts_with("x-"));
    }

    /// Reports every key that was not asked for.
    pub(super) fn finish(self, reader: &mut FieldReader<'_>) {
        self.unknown(reader, |_| true);
    }

    fn unknown(self, reader: &mut FieldReader<'_>, counts: impl Fn(&str) -> bool) {
        for entry in self.node.entries() {
            let name = entry.key.value.as_str();
            if !self.known.contains(&name) && counts(name) {
                reader.report(
                    entry.key.span,
                    rule::PLAN_UNKNOWN_KEY,
                    format!("unknown key `{name}` in {}", self.what),
                    suggest(name, self.known.iter().copied()),
                );
            }
        }
    }
}
