//! Settings of the run as a whole: objectives, limits, what a failure does, what is protected.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::fields::{FieldReader, Fields};
use super::{Kind, Node};
use crate::diagnostic::{Span, Spanned, rule, suggest};

/// Times that have to be met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Objectives {
    /// From the start of the run until the restore has ended.
    pub rto: Option<SignedDuration>,
    /// From the recovery point's creation until the start of the run.
    pub rpo: Option<SignedDuration>,
    /// Probability with which they have to be met, in thousandths.
    pub confidence: Option<u16>,
}

/// Limits on the restores that run at once.
#[derive(Clone, Debug, Default)]
pub struct ConcurrencyLimits {
    /// In all.
    pub concurrent: Option<u32>,
    /// Of one resource type, in one target.
    pub by_type: BTreeMap<String, u32>,
    /// In one target.
    pub by_target: BTreeMap<String, u32>,
    /// Spans where each type and target is named.
    pub places: BTreeMap<String, Span>,
}

/// Effect of a failed restore on the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Dependents are skipped, everything else goes on.
    #[default]
    Continue,
    /// Nothing new is started.
    Stop,
}

pub(super) fn objectives(node: Option<&Node>, reader: &mut FieldReader<'_>) -> Objectives {
    let Some(mut fields) = node.and_then(|node| {
        Fields::of(
            node,
            "`objectives`",
            "objectives: { rto: 4h, rpo: 24h }",
            reader,
        )
    }) else {
        return Objectives::default();
    };
    let rto = fields
        .get("rto")
        .and_then(|node| duration(node, "`rto`", reader));
    let rpo = fields
        .get("rpo")
        .and_then(|node| duration(node, "`rpo`", reader));
    let confidence = fields
        .get("confidence")
        .and_then(|node| confidence(node, reader));
    fields.finish(reader);
    Objectives {
        rto,
        rpo,
        confidence,
    }
}

/// A part of all cases, in thousandths.
fn confidence(node: &Node, reader: &mut FieldReader<'_>) -> Option<u16> {
    let part = match &node.kind {
        Kind::Number(number) => number.text.parse().ok(),
        _ => None,
    };
    let part = part.filter(|part: &f64| (0.001..=0.999).contains(part));
    if part.is_none() {
        reader.report(
            node.span,
            rule::PLAN_TYPE,
            "`confidence` is not a number between 0 and 1".to_owned(),
            "write `confidence: 0.9`, for an objective that nine of ten runs should meet",
        );
    }
    // A thousandth at the least, and less than a thousand.
    part.map(|part| (part * 1000.0).round() as u16)
}

pub(super) fn duration(
    node: &Node,
    what: &str,
    reader: &mut FieldReader<'_>,
) -> Option<SignedDuration> {
    let text = match &node.kind {
        Kind::String(text) => text.as_str(),
        Kind::Number(number) => number.text.as_str(),
        _ => "",
    };
    let parsed = super::selector::duration(text);
    if parsed.is_none() {
        reader.report(
            node.span,
            rule::PLAN_DURATION,
            format!("{what} is not a duration"),
            "write a number with its unit, such as `30m`, `4h`, `1h30m` or `2d`, a hundred years at the most",
        );
    }
    parsed
}

pub(super) fn publish(fields: &mut Fields<'_>, reader: &mut FieldReader<'_>) -> Option<bool> {
    let node = fields.get("publish_validation")?;
    reader.flag(node, "`publish_validation`")
}

/// Reads whether redrill's mark is sent; `None` if nothing is said, and the type decides.
pub(super) fn mark(fields: &mut Fields<'_>, reader: &mut FieldReader<'_>) -> Option<bool> {
    let node = fields.get("mark")?;
    reader.flag(node, "`mark`")
}

pub(super) fn protect(node: Option<&Node>, reader: &mut FieldReader<'_>) -> Vec<Node> {
    const EXAMPLE: &str = "protect: [\"arn:aws:rds:*:*:cluster:prod-*\", fs-0a1b2c3d]";
    let Some(node) = node else {
        return Vec::new();
    };
    let Kind::Sequence(items) = &node.kind else {
        reader.report(
            node.span,
            rule::PLAN_TYPE,
            format!("`protect` is {}, not a list", node.describe()),
            format!("write `{EXAMPLE}`"),
        );
        return Vec::new();
    };
    let texts = items.iter().filter(|item| {
        reader
            .text(item, "an entry of `protect`", EXAMPLE)
            .is_some()
    });
    texts.cloned().collect()
}

/// `allow` as it was written: accounts, Regions, ARNs, ids, names and patterns of what may be restored into.
#[derive(Debug)]
pub struct AllowTemplates {
    /// Span of the list.
    pub span: Span,
    /// The entries; each may hold a template.
    pub entries: Vec<Node>,
}

/// `allow`; with a list that allows nothing, or is none, nothing is allowed.
pub(super) fn allow(
    fields: &mut Fields<'_>,
    reader: &mut FieldReader<'_>,
) -> Option<AllowTemplates> {
    const EXAMPLE: &str = "allow: [\"123456789012\", us-west-2, subnet-0a1b2c3d, sg-0a1b2c3d]";
    let entry = fields.entry("allow")?;
    let node = &entry.value;
    let span = entry.key.span;
    let items = match &node.kind {
        Kind::Sequence(items) => &items[..],
        _ => {
            reader.report(
                if matches!(node.kind, Kind::Null) {
                    span
                } else {
                    node.span
                },
                rule::PLAN_TYPE,
                format!("`allow` is {}, not a list", node.describe()),
                format!("write `{EXAMPLE}`, or remove it"),
            );
            return None;
        }
    };
    if items.is_empty() {
        reader.report(
            node.span,
            rule::PLAN_EMPTY,
            "`allow` is empty, so that nothing may be restored",
            format!("write what may be restored into, as in `{EXAMPLE}`; or remove it"),
        );
        return None;
    }
    let mut entries = Vec::with_capacity(items.len());
    for item in items {
        let is_cut = |text: &str| text.len() < 12 || text.starts_with("0x");
        if let Kind::Number(number) = &item.kind
            && is_cut(&number.text)
        {
            reader.report(
                item.span,
                rule::PLAN_TYPE,
                "an entry of `allow` is a number, not a text",
                "write all 12 digits of an account, in quotes: `\"123456789012\"`",
            );
        } else if reader.text(item, "an entry of `allow`", EXAMPLE).is_some() {
            entries.push(item.clone());
        }
    }
    Some(AllowTemplates { span, entries })
}

/// Runs of a plan that are drills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrillRuns {
    /// All of them.
    All,
    /// Runs whose id matches a pattern with `*`.
    Matching(String),
}

/// `drill`; none where no run is one.
pub(super) fn drill(
    fields: &mut Fields<'_>,
    reader: &mut FieldReader<'_>,
) -> Option<Spanned<DrillRuns>> {
    let node = fields.get("drill")?;
    let value = match &node.kind {
        Kind::Bool(true) => DrillRuns::All,
        Kind::Bool(false) => return None,
        Kind::String(pattern) if !pattern.trim().is_empty() => DrillRuns::Matching(pattern.clone()),
        _ => {
            reader.report(
                node.span,
                rule::PLAN_TYPE,
                format!(
                    "`drill` is {}, not true, false or a pattern of run ids",
                    node.describe()
                ),
                "write `drill: true`, or `drill: \"drill-*\"`",
            );
            return None;
        }
    };
    Some(Spanned {
        value,
        span: node.span,
    })
}

pub(super) fn limits(node: Option<&Node>, reader: &mut FieldReader<'_>) -> ConcurrencyLimits {
    let Some(mut fields) =
        node.and_then(|node| Fields::of(node, "`limits`", "limits: { concurrent: 50 }", reader))
    else {
        return ConcurrencyLimits::default();
    };
    let concurrent = fields
        .get("concurrent")
        .and_then(|node| reader.whole(node, "`concurrent`"));
    let mut places = BTreeMap::new();
    let mut by_name = |name: &'static str, shown: &'static str, example, what: &str| {
        fields
            .get(name)
            .filter(|node| Fields::of(node, shown, example, reader).is_some())
            .map(|node| {
                node.entries()
                    .iter()
                    .filter_map(|entry| {
                        places.insert(entry.key.value.clone(), entry.key.span);
                        let limit = reader.whole(&entry.value, what)?;
                        Some((entry.key.value.clone(), limit))
                    })
                    .collect()
            })
            .unwrap_or_default()
    };
    let by_type = by_name(
        "by_type",
        "`by_type`",
        "by_type: { EKS: 1 }",
        "the limit of a type",
    );
    let by_target = by_name(
        "by_target",
        "`by_target`",
        "by_target: { west: 10 }",
        "the limit of a target",
    );
    fields.finish(reader);
    ConcurrencyLimits {
        concurrent,
        by_type,
        by_target,
        places,
    }
}

pub(super) fn on_failure(node: Option<&Node>, reader: &mut FieldReader<'_>) -> OnFailure {
    let Some(text) =
        node.and_then(|node| reader.text(node, "`on_failure`", "on_failure: continue"))
    else {
        return OnFailure::default();
    };
    match text.value.as_str() {
        "continue" => OnFailure::Continue,
        "stop" => OnFailure::Stop,
        other => {
            reader.report(
                text.span,
                rule::PLAN_ON_FAILURE,
                format!("unknown value `{other}` of `on_failure`"),
                suggest(other, ["continue", "stop"]),
            );
            OnFailure::default()
        }
    }
}
