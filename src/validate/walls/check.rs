//! One restore against the walls: each place that it names, and each that AWS would pick for it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::found::{FoundKind, FoundPlace, Looked, Search, member};
use super::{EntryForm, NamedPlace, Walls, name_arn};
use crate::diagnostic::{Finding, Findings, Severity, Span, rule};
use crate::ids::Arn;
use crate::parse::{Document, Kind as NodeKind, MappingEntry, Node, Restore};
use crate::render::{Metadata, Rendered, RenderedEntry, Target};
use crate::rules::{DefaultPick, Facts, Level, Schema, Wall, kinds_in};
use crate::validate::problem::descend;
use crate::validate::{Bounds, MARK};

/// Criteria for a restore, and what has been seen of it.
struct Judge<'a> {
    walls: &'a Walls,
    bounds: Bounds<'a>,
    document: &'a Document,
    written: &'a Restore,
    rendered: &'a Rendered,
    target: &'a Target,
    schema: Option<&'a Schema>,
    facts: Option<&'static Facts>,
    /// Known part of the metadata.
    metadata: Metadata,
    /// The kinds of places that are named, or will be.
    kinds: BTreeSet<String>,
    /// True if anything was compared with an entry, or will be.
    is_held: bool,
}

/// Checks one restore against the walls of its plan, where it has any.
pub(in crate::validate) fn check(
    document: &Document,
    rendered: &Rendered,
    target: &Target,
    schema: Option<&Schema>,
    bounds: Bounds<'_>,
    findings: &mut Findings,
) {
    let Some(walls) = bounds.walls else {
        return;
    };
    let written = &document.restores[rendered.index];
    let known = rendered
        .metadata
        .iter()
        .filter(|entry| entry.waits.is_empty());
    let metadata = known.filter_map(|entry| {
        let key = written.metadata[entry.index].key.value.clone();
        Some((key, entry.wire.clone()?))
    });
    let mut judge = Judge {
        walls,
        bounds,
        document,
        written,
        rendered,
        target,
        schema,
        facts: schema.and_then(|schema| Facts::of(&schema.title)),
        metadata: metadata.collect(),
        kinds: BTreeSet::new(),
        is_held: false,
    };
    for entry in &rendered.metadata {
        judge.entry(entry, findings);
    }
    let mut picked = Findings::default();
    for pick in judge.facts.iter().flat_map(|facts| &facts.picks) {
        judge.pick(pick, &mut picked);
    }
    // Whoever names what is picked has named a place.
    if !picked.has_errors() {
        judge.held(findings);
    }
    findings.extend(picked);
}

impl<'a> Judge<'a> {
    fn of(&self, entry: &RenderedEntry) -> &'a MappingEntry {
        &self.written.metadata[entry.index]
    }

    /// Looks up what the rules say of a key.
    fn schema_of(&self, key: &str) -> Looked<'a> {
        let of = self.schema.and_then(|schema| member(&schema.text, key));
        of.map_or(Looked::Unknown, |of| Looked::Schema(of, None))
    }

    /// The value of a key; none where it is not known yet, and empty where it is not given.
    fn given(&self, key: &str) -> Option<String> {
        let is_it = |entry: &&RenderedEntry| self.of(entry).key.value.eq_ignore_ascii_case(key);
        match self.rendered.metadata.iter().find(is_it) {
            None => Some(String::new()),
            Some(entry) if entry.waits.is_empty() => entry.wire.clone(),
            Some(_) => None,
        }
    }

    /// Judges the value of a key; of one that is not known yet, what is written in it as it will be sent.
    fn entry(&mut self, entry: &RenderedEntry, findings: &mut Findings) {
        let of_plan = self.of(entry);
        let key = &of_plan.key.value;
        if key.eq_ignore_ascii_case(MARK) {
            return;
        }
        let of = self.schema_of(key);
        let literal;
        let value = match entry.waits.is_empty() {
            true if entry.wire.is_none() => return,
            true => &entry.value,
            false => {
                if let Looked::Schema(schema, _) = of {
                    let kinds = kinds_in(schema);
                    self.is_held |= kinds.iter().any(|kind| !["none", "name"].contains(kind));
                    self.kinds.extend(kinds.into_iter().map(str::to_owned));
                } else {
                    self.is_held = true;
                }
                literal = as_sent(&of_plan.value);
                &literal
            }
        };
        let mut search = Search::default();
        search.of_key(key, value, of, &|key| self.given(key));
        for found in search.found {
            self.judge(entry, &found, findings);
        }
    }

    fn judge(&mut self, entry: &RenderedEntry, found: &FoundPlace, findings: &mut Findings) {
        let wall = match found.kind {
            FoundKind::Wall(wall) => Some(wall),
            FoundKind::Later(wall) => {
                self.kinds.insert(wall.name.to_owned());
                self.is_held = true;
                return;
            }
            FoundKind::Unknown => None,
        };
        let name = wall.map(|wall| wall.name);
        self.kinds.extend(name.map(str::to_owned));
        let text = found.text.as_str();
        let region = found
            .region
            .as_deref()
            .unwrap_or(self.target.region.as_str());
        let place = NamedPlace {
            text,
            wall,
            target: self.target,
            region,
        };
        let is_inside = match name {
            Some("none") => return,
            Some("name") => {
                let key = &self.of(entry).key.value;
                let is_top = found.path.len() == 1;
                let (arn, is_caseless) = name_arn(
                    self.facts.filter(|_| is_top),
                    key,
                    &self.metadata,
                    self.target,
                );
                if !self.walls.confines_name(arn.as_deref()) {
                    return;
                }
                self.walls.allows_name(text, arn.as_deref(), is_caseless)
            }
            Some("region") => {
                let is_home = text.eq_ignore_ascii_case(self.target.region.as_str());
                let is_open = !self.walls.has(EntryForm::Region);
                if is_home && is_open {
                    return;
                }
                self.walls.allows(place)
            }
            _ => self.walls.allows(place) || self.is_made(entry, text, wall),
        };
        self.is_held = true;
        // An entry that is not known yet may be the one for it.
        if !is_inside && !self.walls.has_pending {
            findings.push(self.outside(entry, found, wall));
        }
    }

    /// Returns true if a value is what another restore of the run has made, which was inside the walls when it was
    /// sent, and is taken from there: a namesake is not.
    fn is_made(&self, entry: &RenderedEntry, text: &str, wall: Option<Wall<'_>>) -> bool {
        if !mentions_restores(&self.of(entry).value) {
            return false;
        }
        let service = wall
            .and_then(|wall| wall.kind.arn.as_deref())
            .and_then(|arn| arn.split(':').next());
        self.bounds.created.values().any(|created| {
            let arn = created.resource_arn.as_str();
            let is_end = arn.rsplit(['/', ':']).next() == Some(text);
            let of_same = Arn::parse(arn).is_some_and(|arn| Some(arn.service) == service);
            arn == text || is_end && of_same
        })
    }

    fn outside(
        &self,
        entry: &RenderedEntry,
        found: &FoundPlace,
        wall: Option<Wall<'_>>,
    ) -> Finding {
        let of_plan = self.of(entry);
        let wire = entry.wire.as_deref().unwrap_or_default();
        let is_secret = [wire, &found.text]
            .iter()
            .any(|text| self.bounds.secrets.redact(text) != *text);
        let shown = match is_secret {
            true => "a secret value".to_owned(),
            false => format!("`{}`", found.text),
        };
        let message = match (wall, &self.written.resource_type, self.schema) {
            (Some(wall), ..) if wall.name == "name" => {
                format!("{shown} is a new name that no entry of `allow` matches")
            }
            (Some(wall), ..) => {
                format!("{shown} is {} that `allow` does not have", wall.kind.called)
            }
            (None, Some(of_type), None) => format!(
                "{shown} may be a place that `allow` does not have: redrill does not know the type `{}`",
                of_type.value
            ),
            (None, ..) => format!(
                "{shown} may be a place that `allow` does not have: redrill does not know the key `{}`",
                of_plan.key.value
            ),
        };
        let mut help = match is_secret {
            true => "use one that `allow` has, or add it to `allow` if the restore may go there"
                .to_owned(),
            false => format!(
                "use one that `allow` has, or add `{}` to `allow` if the restore may go there",
                found.text
            ),
        };
        if wall.is_some_and(|wall| wall.name == "subnet") && self.walls.names_vpc() {
            help.push_str(
                "; a VPC in `allow` does not stand for its subnets, which redrill does not look up",
            );
        }
        let span = found
            .path
            .iter()
            .skip(1)
            .fold(&of_plan.value, |node, step| descend(node, step))
            .span;
        self.finding(span, rule::ALLOW_OUTSIDE, message, help)
            .of_key(&of_plan.key.value)
            .also(self.walls.span, "allowed here")
    }

    fn finding(
        &self,
        span: Span,
        rule: &'static crate::diagnostic::Rule,
        message: String,
        help: String,
    ) -> Finding {
        Finding::at(&self.document.source, span, rule, message, help)
    }

    /// Checks what AWS picks, because the request does not say.
    fn pick(&self, pick: &DefaultPick, findings: &mut Findings) {
        if pick.condition.keys().any(|key| self.given(key).is_none())
            || !pick.condition.holds(&self.metadata)
        {
            return;
        }
        let says = |kinds: &BTreeSet<String>| pick.walls.iter().any(|wall| kinds.contains(wall));
        let is_each = |entry: &&RenderedEntry| {
            pick.each
                .as_ref()
                .is_some_and(|each| each.eq_ignore_ascii_case(&self.of(entry).key.value))
        };
        let each = self.rendered.metadata.iter().find(is_each);
        if let Some(entry) = each {
            if !entry.waits.is_empty() {
                return;
            }
            let key = &self.of(entry).key.value;
            let items = items(&entry.value);
            let is_silent = |item: &Value| {
                let mut search = Search::default();
                let of = match self.schema_of(key) {
                    Looked::Schema(schema, around) => {
                        Looked::Schema(schema.get("items").unwrap_or(schema), around)
                    }
                    other => other,
                };
                search.of_key(key, item, of, &|key| self.given(key));
                let found = search.found.iter().filter_map(|found| match found.kind {
                    FoundKind::Wall(wall) | FoundKind::Later(wall) => Some(wall.name.to_owned()),
                    FoundKind::Unknown => None,
                });
                !says(&found.collect())
            };
            if !items.is_empty() {
                if items.iter().any(is_silent) {
                    findings.push(self.picked(pick, self.of(entry).value.span, key));
                }
                return;
            }
        }
        if !says(&self.kinds) {
            findings.push(self.picked(pick, self.written.metadata_span, &pick.key));
        }
    }

    fn picked(&self, pick: &DefaultPick, span: Span, key: &str) -> Finding {
        let finding = match pick.severity {
            Some(Level::Warning) => {
                let message = format!("where it goes is {}: `allow` cannot judge that", pick.what);
                let help = "look at it yourself before this restore is started".to_owned();
                self.finding(span, rule::ALLOW_DEFAULT, message, help)
                    .weighing(Severity::Warning)
            }
            Some(Level::Error) | None => {
                let message = format!(
                    "nothing says which, so that AWS picks {}, whatever `allow` has",
                    pick.what
                );
                let help = match pick.key.eq_ignore_ascii_case(key) {
                    true => format!("add `{}`, with one that `allow` has", pick.key),
                    false => "give each item one that `allow` has".to_owned(),
                };
                self.finding(span, rule::ALLOW_DEFAULT, message, help)
            }
        };
        finding.of_key(key).documented_at(Some(&pick.source))
    }

    /// A restore that names no place is where its target is, and nothing else holds it.
    fn held(&self, findings: &mut Findings) {
        if self.is_held || self.walls.has(EntryForm::Account) || self.walls.has_pending {
            return;
        }
        let account = &self.target.account;
        let message = "nothing holds this restore within `allow`: it names no place but its target, whose account is not in the list";
        let help =
            format!("add the account to `allow` if the restore may go there: `\"{account}\"`");
        let finding = self.finding(
            self.written.name.span,
            rule::ALLOW_OPEN,
            message.to_owned(),
            help,
        );
        findings.push(finding.also(self.walls.span, "allowed here"));
    }
}

/// Returns a value as it will be sent; null where a template stands.
fn as_sent(node: &Node) -> Value {
    match &node.kind {
        NodeKind::String(text) if ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) => {
            Value::Null
        }
        NodeKind::String(text) => text.as_str().into(),
        NodeKind::Number(number) => number.text.as_str().into(),
        NodeKind::Bool(value) => (*value).into(),
        NodeKind::Null => Value::Null,
        NodeKind::Sequence(items) => items.iter().map(as_sent).collect(),
        NodeKind::Mapping(entries) => entries
            .iter()
            .map(|entry| (entry.key.value.clone(), as_sent(&entry.value)))
            .collect(),
    }
}

/// Returns true if a template asks what another restore has made.
fn mentions_restores(node: &Node) -> bool {
    match &node.kind {
        NodeKind::String(text) => text.contains("{{") && text.contains("restores"),
        NodeKind::Sequence(items) => items.iter().any(mentions_restores),
        NodeKind::Mapping(entries) => entries.iter().any(|entry| mentions_restores(&entry.value)),
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) => false,
    }
}

/// The items of a list, in whichever form it is given.
fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(map) => match map.iter().next() {
            Some((_, Value::Array(items))) if map.len() == 1 => items.clone(),
            _ => vec![value.clone()],
        },
        Value::String(text) => {
            serde_json::from_str(text).map_or(Vec::new(), |value: Value| items(&value))
        }
        _ => Vec::new(),
    }
}
