//! `recovery_point` and `for_each`: what a restore is made of, and how often; templates untouched.

use jiff::{SignedDuration, Span as JiffSpan, SpanRelativeTo};

use super::fields::{FieldReader, Fields};
use super::{Kind, Node, number};
use crate::diagnostic::{Span, rule};

/// Value of `recovery_point`.
#[derive(Clone, Debug)]
pub enum Point {
    /// An ARN, perhaps in a template.
    Arn(Node),
    /// An ARN and the vault that it lies in.
    Placed(Box<Placed>),
    /// Conditions on the recovery point.
    Selector(Box<SelectorTemplate>),
}

impl Point {
    /// Returns its span.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Arn(node) => node.span,
            Self::Placed(placed) => placed.arn.span,
            Self::Selector(selector) => selector.span,
        }
    }
}

/// A recovery point by its ARN, and where it lies: what is shared by another account is found by name alone. Each part may
/// hold a template.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The ARN.
    pub arn: Node,
    /// The name of the vault.
    pub vault: Node,
    /// The account that owns the vault, where it is another.
    pub vault_account: Option<Node>,
}

/// Conditions on a recovery point. Each part may hold a template.
#[derive(Clone, Debug)]
pub struct SelectorTemplate {
    /// The name of the vault.
    pub vault: Option<Node>,
    /// The account that owns the vault, where it is another.
    pub vault_account: Option<Node>,
    /// The ARN of what was backed up.
    pub resource: Option<Node>,
    /// Choice among several.
    pub pick: Option<Node>,
    /// Made before this time.
    pub created_before: Option<Node>,
    /// Made after this time.
    pub created_after: Option<Node>,
    /// Not older than this when the run starts.
    pub max_age: Option<Node>,
    /// Span where it begins.
    pub span: Span,
}

const EXAMPLE: &str = "recovery_point: { vault: dr-vault, resource: arn:…, pick: latest }";

pub(super) fn recovery_point(node: &Node, reader: &mut FieldReader<'_>) -> Option<Point> {
    match node.kind {
        Kind::String(_) => Some(Point::Arn(node.clone())),
        Kind::Mapping(_) if node.entries().iter().any(|entry| entry.key.value == "arn") => {
            placed(node, reader).map(|placed| Point::Placed(Box::new(placed)))
        }
        Kind::Mapping(_) => {
            selector(node, reader).map(|selector| Point::Selector(Box::new(selector)))
        }
        _ => {
            reader.report(
                node.span,
                rule::PLAN_TYPE,
                format!(
                    "`recovery_point` is {}, neither an ARN nor a selector",
                    node.describe()
                ),
                format!("write the ARN of the recovery point, or `{EXAMPLE}`"),
            );
            None
        }
    }
}

fn placed(node: &Node, reader: &mut FieldReader<'_>) -> Option<Placed> {
    const EXAMPLE: &str = "{ arn: arn:…, vault: dr-vault, vault_account: \"123456789012\" }";
    let mut fields = Fields::of(node, "a recovery point with its ARN", EXAMPLE, reader)?;
    let arn = fields.require("arn", EXAMPLE, reader).cloned();
    let vault = fields.require("vault", EXAMPLE, reader).cloned();
    let vault_account = fields.get("vault_account").cloned();
    fields.finish(reader);
    Some(Placed {
        arn: arn?,
        vault: vault?,
        vault_account,
    })
}

pub(super) fn selector(node: &Node, reader: &mut FieldReader<'_>) -> Option<SelectorTemplate> {
    let mut fields = Fields::of(node, "a selector", EXAMPLE, reader)?;
    let mut part = |name| fields.get(name).cloned();
    let selector = SelectorTemplate {
        vault: part("vault"),
        vault_account: part("vault_account"),
        resource: part("resource"),
        pick: part("pick"),
        created_before: part("created_before"),
        created_after: part("created_after"),
        max_age: part("max_age"),
        span: node.span.first_character(),
    };
    fields.finish(reader);
    if selector.vault.is_none() && selector.resource.is_none() {
        reader.report(
            selector.span,
            rule::SELECTOR_EMPTY,
            "the selector names neither a vault nor a resource",
            format!("write `{EXAMPLE}`"),
        );
        return None;
    }
    if let (Some(account), None) = (&selector.vault_account, &selector.vault) {
        reader.report(
            account.span,
            rule::SELECTOR_VAULT_ACCOUNT,
            "the selector says whose vault it is, and does not name the vault",
            "add `vault: dr-vault`, or remove `vault_account`",
        );
        return None;
    }
    Some(selector)
}

/// `for_each`: a list, a map, or one expression that makes one.
pub(super) fn for_each(node: &Node, reader: &mut FieldReader<'_>) -> Node {
    let one_expression = |text: &str| {
        let text = text.trim();
        text.starts_with("{{") && text.ends_with("}}")
    };
    match &node.kind {
        Kind::Sequence(items) => {
            keys_in_list(items, reader);
            return node.clone();
        }
        Kind::Mapping(_) => {
            keys_in_map(node, reader);
            return node.clone();
        }
        Kind::String(text) if one_expression(text) => return node.clone(),
        _ => {}
    }
    reader.report(
        node.span,
        rule::FOR_EACH_TYPE,
        format!("`for_each` is {}, not a list or a map", node.describe()),
        "write `for_each: [a, b]`, `for_each: { a: …, b: … }`, or one expression that makes one: `for_each: \"{{ vars.tables }}\"`",
    );
    node.clone()
}

/// The items of a list are keys as well: they name what is made of them.
fn keys_in_list(items: &[Node], reader: &mut FieldReader<'_>) {
    for item in items {
        let help = match &item.kind {
            Kind::String(_) => continue,
            Kind::Number(_) | Kind::Bool(_) => "put it in quotes",
            _ => "write a map instead: its keys are the names, and its values can be anything",
        };
        reader.report(
            item.span,
            rule::FOR_EACH_KEY,
            format!(
                "the items of this list name the restores that are made of them, and this is {}",
                item.describe()
            ),
            help,
        );
    }
}

/// A key that YAML reads as something else than a text: `1` and `1.0` are two texts and one number.
fn keys_in_map(node: &Node, reader: &mut FieldReader<'_>) {
    for entry in node.entries() {
        let is_plain = reader.source.slice(entry.key.span) == entry.key.value;
        let describe = match number::plain(&entry.key.value) {
            Kind::Number(_) => "a number",
            Kind::Bool(_) => "a boolean",
            Kind::Null => "nothing",
            _ => continue,
        };
        if is_plain {
            reader.report(
                entry.key.span,
                rule::FOR_EACH_KEY,
                format!("the keys of this map are names, and this is {describe}"),
                format!("put it in quotes: `\"{}\"`", entry.key.value),
            );
        }
    }
}

/// `24h`, `1h 30m`, `2d`: days are 24 hours.
#[must_use]
pub fn duration(text: &str) -> Option<SignedDuration> {
    text.parse::<JiffSpan>()
        .ok()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
        .filter(|duration| duration.is_positive() && *duration <= LONGEST)
}

/// Nobody waits longer, and no date that a duration is added to leaves the calendar.
const LONGEST: SignedDuration = SignedDuration::from_hours(100 * 365 * 24);
