//! Instances that a plan restores: each restore once, or once for each item of its `for_each`.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::Renderer;
use super::wire::describe;
use crate::diagnostic::{Finding, Findings, Rule, Span, rule};
use crate::ids::{DocumentIndex, Indexed, RestoreName, StepIndex};
use crate::parse::{Document, Kind, Node};

/// The most characters of a key: an ARN fits in.
const LONGEST_KEY: usize = 256;

/// One restore as it is carried out: `db`, or `files[a]`.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Index of its restore in the document.
    pub restore: DocumentIndex,
    /// Its name in journal, reports and tokens.
    pub name: RestoreName,
    /// The item that it is made for.
    pub each: Option<Box<Each>>,
}

/// The item of a `for_each`.
#[derive(Clone, Debug)]
pub struct Each {
    /// The key of a map, or the item of a list itself.
    pub key: Arc<str>,
    /// The value of a map, or the item of a list itself; nothing while the items are not known.
    pub value: Option<Value>,
    /// True if a secret is in it: anything made of it is secret as well.
    pub(super) is_secret: bool,
}

impl Each {
    /// Stands for items that are not known, so that what is made of them is checked as far as it can be.
    fn unknown() -> Self {
        Self {
            key: Arc::from("…"),
            value: None,
            is_secret: false,
        }
    }
}

/// Returns true if there would be items once the findings are fixed.
fn may_have_items(node: &Node, findings: &Findings) -> bool {
    let is_list = matches!(node.kind, Kind::Sequence(_) | Kind::Mapping(_));
    let is_template =
        matches!(&node.kind, Kind::String(text) if super::template::is_template(text));
    !(is_list || is_template) || findings.has_errors()
}

/// All instances: those of a restore stand together, in the order of its list or map.
#[derive(Debug, Default)]
pub struct Instances {
    all: Indexed<StepIndex, Instance>,
    of: Indexed<DocumentIndex, Range<usize>>,
    index: HashMap<RestoreName, StepIndex>,
}

impl Instances {
    /// In the plan's order.
    #[must_use]
    pub fn all(&self) -> &Indexed<StepIndex, Instance> {
        &self.all
    }

    /// Returns the instances of a restore.
    #[must_use]
    pub fn of(&self, restore: DocumentIndex) -> &[Instance] {
        let range = self.of.get(restore).cloned();
        &self.all.as_slice()[range.unwrap_or_default()]
    }

    /// Returns the positions of a restore's instances.
    pub fn positions_of(&self, restore: DocumentIndex) -> impl Iterator<Item = StepIndex> + use<> {
        let range = self.of.get(restore).cloned();
        range.unwrap_or_default().map(StepIndex::new)
    }

    /// The keys of a restore's instances; none where it has no `for_each`.
    pub fn keys(&self, restore: DocumentIndex) -> impl Iterator<Item = &Arc<str>> {
        self.of(restore)
            .iter()
            .filter_map(|instance| Some(&instance.each.as_ref()?.key))
    }

    /// The instance with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<StepIndex> {
        self.index.get(name).copied()
    }

    /// Returns true if the items of a restore's `for_each` are not known: one instance stands for all of them.
    #[must_use]
    pub fn is_unknown(&self, restore: DocumentIndex) -> bool {
        self.of(restore)
            .first()
            .and_then(|instance| instance.each.as_ref())
            .is_some_and(|each| each.value.is_none())
    }

    fn push(&mut self, instance: Instance) {
        let name = instance.name.clone();
        let at = self.all.push(instance);
        self.index.insert(name, at);
    }
}

/// `files[a]`
#[must_use]
pub fn instance_name(restore: &str, key: &str) -> String {
    format!("{restore}[{key}]")
}

/// A name in Unicode's normal form NFC, in which names are compared: two that look the same are the same.
#[must_use]
pub fn composed(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return Cow::Borrowed(name);
    }
    icu_normalizer::ComposingNormalizerBorrowed::new_nfc().normalize(name)
}

/// The restore and the key of `files[a]`.
#[must_use]
pub fn split_instance(name: &str) -> Option<(&str, &str)> {
    name.strip_suffix(']')?.split_once('[')
}

impl Renderer {
    /// Takes every `for_each` apart.
    pub(super) fn expand(&self, document: &Document, findings: &mut Findings) -> Instances {
        let mut instances = Instances::default();
        for (at, restore) in document.restores.enumerated() {
            let name = &restore.name.value;
            let from = instances.all.len();
            match &restore.for_each {
                None => instances.push(Instance {
                    restore: at,
                    name: name.clone(),
                    each: None,
                }),
                Some(node) => {
                    let mut own = Findings::default();
                    let mut items = self.items(node, &mut own);
                    if items.is_empty() && may_have_items(node, &own) {
                        items.push(Each::unknown());
                    }
                    for each in items {
                        instances.push(Instance {
                            restore: at,
                            name: RestoreName::new(instance_name(name.as_str(), &each.key)),
                            each: Some(Box::new(each)),
                        });
                    }
                    findings.extend(own.of(name));
                }
            }
            instances.of.push(from..instances.all.len());
        }
        instances.all.shrink_to_fit();
        instances
    }

    /// The items of a `for_each`; those that are wrong are left out, and said to be. The findings are its own.
    fn items(&self, node: &Node, findings: &mut Findings) -> Vec<Each> {
        let is_one_expression = match &node.kind {
            Kind::Sequence(_) | Kind::Mapping(_) => false,
            Kind::String(text) if super::template::is_template(text) => true,
            // A finding says so already.
            _ => return Vec::new(),
        };
        let scope = self.shared.plain();
        let mut pending = BTreeSet::new();
        let value = self.value(node, &scope, &mut pending, findings);
        // Names that `for_each` cannot know are undefined there; say why.
        for finding in findings.iter_mut() {
            let later = ["source", "restores", "created"]
                .iter()
                .any(|name| finding.message.starts_with(&format!("`{name}`")));
            if later && finding.is(rule::TEMPLATE_UNDEFINED) {
                finding.rule = rule::FOR_EACH_LATER.id.to_owned();
                finding.message = format!(
                    "what is restored has to be known before anything starts: {}",
                    finding.message
                );
                finding.help = "use a variable, or write the items out".to_owned();
            }
        }
        if !pending.is_empty() {
            // An input has no value: what hangs on it is tried with a placeholder, and said to be unchecked.
            return vec![Each::unknown()];
        }
        let Some(value) = value else {
            return Vec::new();
        };
        let items: Vec<(String, Value, Span)> = match value {
            Value::Array(items) => {
                let spans = match &node.kind {
                    Kind::Sequence(nodes) => nodes.iter().map(|node| node.span).collect(),
                    _ => vec![node.span; items.len()],
                };
                let mut keyed = Vec::with_capacity(items.len());
                for (at, (item, span)) in items.into_iter().zip(spans).enumerate() {
                    match item {
                        Value::String(text) => keyed.push((text.clone(), text.into(), span)),
                        other if is_one_expression => findings.push(Finding::at(
                            &self.document.source,
                            span,
                            rule::FOR_EACH_KEY,
                            format!(
                                "the items of a list name the restores that are made of them, and item {} is {}",
                                at + 1,
                                describe(&other)
                            ),
                            "use a list of strings, or a map: its keys are the names, and its values can be anything",
                        )),
                        // A finding at the item says so already.
                        _ => {}
                    }
                }
                keyed
            }
            Value::Object(map) => {
                let spans: HashMap<&str, Span> = node
                    .entries()
                    .iter()
                    .map(|entry| (entry.key.value.as_str(), entry.key.span))
                    .collect();
                map.into_iter()
                    .map(|(key, value)| {
                        let span = spans.get(key.as_str()).copied().unwrap_or(node.span);
                        (key, value, span)
                    })
                    .collect()
            }
            other => {
                findings.push(Finding::at(
                    &self.document.source,
                    node.span,
                    rule::FOR_EACH_TYPE,
                    format!(
                        "`for_each` comes out as {}, not a list or a map",
                        describe(&other)
                    ),
                    "give a list of strings, or a map",
                ));
                return Vec::new();
            }
        };
        if items.is_empty() && findings.is_empty() {
            findings.push(Finding::at(
                &self.document.source,
                node.span,
                rule::FOR_EACH_EMPTY,
                "there is nothing in `for_each`, so nothing is restored",
                "give it items, or remove the restore",
            ));
        }
        self.distinct(items, findings)
    }

    fn distinct(&self, items: Vec<(String, Value, Span)>, findings: &mut Findings) -> Vec<Each> {
        let mut seen: HashMap<String, (Arc<str>, Span)> = HashMap::with_capacity(items.len());
        let mut kept = Vec::with_capacity(items.len());
        for (key, value, span) in items {
            let wrong = |rule: &'static Rule, message: String, help: &str| {
                Finding::at(&self.document.source, span, rule, message, help)
            };
            if self.secrets.redact(&key) != key {
                findings.push(wrong(
                    rule::FOR_EACH_SECRET,
                    "a key of `for_each` holds a secret, and keys are names that show everywhere"
                        .to_owned(),
                    "use a map: its keys are the names, and its values may be secret",
                ));
                continue;
            }
            let is_odd = |c: char| c.is_control() || matches!(c, '[' | ']' | ',');
            if key.is_empty() || key.chars().count() > LONGEST_KEY || key.contains(is_odd) {
                findings.push(wrong(
                    rule::FOR_EACH_KEY,
                    format!("`{}` is not a valid name for a restore", key.escape_debug()),
                    "use 1 to 256 characters without brackets, commas and line breaks; the values of a map can be anything",
                ));
                continue;
            }
            let key: Arc<str> = Arc::from(key);
            if let Some((first, at)) = seen.get(&*composed(&key)) {
                let place = match *at == span {
                    true => String::new(),
                    false => format!("; the first is in line {}", at.start.line),
                };
                let how = match *first == key {
                    true => "",
                    false => ", in another Unicode normal form, which nobody can tell apart",
                };
                let finding = wrong(
                    rule::FOR_EACH_DUPLICATE,
                    format!("`{key}` is there a second time{how}{place}"),
                    "remove one of the two: each names a restore of its own",
                );
                findings.push(match *at == span {
                    true => finding,
                    false => finding.also(*at, "written here first"),
                });
                continue;
            }
            seen.insert(composed(&key).into_owned(), (Arc::clone(&key), span));
            let mut shown = value.clone();
            self.secrets.redact_value(&mut shown);
            kept.push(Each {
                key,
                is_secret: shown != value,
                value: Some(value),
            });
        }
        kept
    }
}
