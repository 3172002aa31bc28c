//! The plan file as it was written: names and structure checked, templates untouched.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::fields::{Fields, Reader};
use super::selector::{self, Point, for_each, recovery_point};
use super::target::{self, Target};
use super::{Entry, Kind, Node, Variable, variables, yaml};
use crate::diagnostic::{Finding, Source, Span, Spanned, suggest};

/// A plan file.
#[derive(Debug)]
pub struct Document {
    /// Its text, for findings.
    pub source: Arc<Source>,
    /// Its name.
    pub plan: Spanned<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its inputs.
    pub vars: Vec<Variable>,
    /// What the whole run has to meet.
    pub objectives: Objectives,
    /// How much may run at once.
    pub limits: Limits,
    /// What a failed restore does to the rest.
    pub on_failure: OnFailure,
    /// Where restores run; none where the plan has none, which is a finding.
    pub targets: Vec<Target>,
    /// What comes back.
    pub restores: Vec<Restore>,
}

/// Times that have to be met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Objectives {
    /// From the start of the run until the restore has ended.
    pub rto: Option<SignedDuration>,
    /// From the recovery point's creation until the start of the run.
    pub rpo: Option<SignedDuration>,
}

/// How many restores may run at once.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// In all.
    pub concurrent: Option<u32>,
    /// Of one resource type, in one target.
    pub by_type: BTreeMap<String, u32>,
    /// In one target.
    pub by_target: BTreeMap<String, u32>,
    /// Where each type and target is named.
    pub places: BTreeMap<String, Span>,
}

/// What a failed restore does to the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Dependents are skipped, everything else goes on.
    #[default]
    Continue,
    /// Nothing new is started.
    Stop,
}

/// One entry of `restores`.
#[derive(Debug)]
pub struct Restore {
    /// Its key.
    pub name: Spanned<String>,
    /// AWS's name of the resource type.
    pub resource_type: Option<Spanned<String>>,
    /// The target it names.
    pub target: Option<Spanned<String>>,
    /// One for each item of this, where it is there.
    pub for_each: Option<Node>,
    /// The restores that have to be completed first.
    pub needs: Vec<Spanned<String>>,
    /// What is restored.
    pub recovery_point: Option<Point>,
    /// The metadata map; values may hold templates.
    pub metadata: Arc<[Entry]>,
    /// Where the metadata stands, or would.
    pub metadata_span: Span,
    /// Whether AWS copies the source's tags; not sent where the plan does not say.
    pub copy_source_tags: Option<bool>,
    /// What this restore has to meet.
    pub objectives: Objectives,
    /// How long its job is followed.
    pub timeout: Option<SignedDuration>,
}

/// Reads a plan; as much of it as can be read, so that later stages report their findings too.
pub fn document(source: &Arc<Source>, findings: &mut Vec<Finding>) -> Option<Document> {
    let root = yaml(source, findings)?;
    let reader = &mut Reader { source, findings };
    let mut fields = Fields::of(&root, "a plan", "plan: orders", reader)?;
    let plan = fields
        .require("plan", "plan: orders", reader)
        .and_then(|node| reader.text(node, "`plan`", "plan: orders"));
    if let Some(plan) = &plan {
        reader.name(plan, "a plan");
    }
    let description = fields
        .get("description")
        .and_then(|node| reader.text(node, "`description`", "description: what comes back"))
        .map(|text| text.value);
    let vars = fields
        .get("vars")
        .map(|node| variables::declared(node, reader))
        .unwrap_or_default();
    let objectives = objectives(fields.get("objectives"), reader);
    let limits = limits(fields.get("limits"), reader);
    let on_failure = on_failure(fields.get("on_failure"), reader);
    let targets = target::targets(&mut fields, reader);
    let restores = fields
        .require(
            "restores",
            "restores: { files: { type: EFS, recovery_point: arn:… } }",
            reader,
        )
        .map(|node| restores(node, reader))
        .unwrap_or_default();
    fields.finish(reader);
    Some(Document {
        source: Arc::clone(source),
        plan: plan.unwrap_or(Spanned {
            value: String::new(),
            span: root.span.first_character(),
        }),
        description,
        vars,
        objectives,
        limits,
        on_failure,
        targets,
        restores,
    })
}

fn restores(node: &Node, reader: &mut Reader<'_>) -> Vec<Restore> {
    if Fields::of(
        node,
        "`restores`",
        "files: { type: EFS, recovery_point: arn:… }",
        reader,
    )
    .is_none()
    {
        return Vec::new();
    }
    if node.entries().is_empty() {
        reader.error(
            node.span,
            "plan/empty",
            "the plan restores nothing",
            "add a restore: `files: { type: EFS, recovery_point: arn:…, metadata: { … } }`",
        );
    }
    let mut all = Vec::with_capacity(node.entries().len());
    for entry in node.entries() {
        reader.name(&entry.key, "a restore");
        let before = reader.findings.len();
        all.extend(restore(entry, reader));
        for finding in &mut reader.findings[before..] {
            finding.restore = Some(entry.key.value.clone());
        }
    }
    all
}

fn restore(entry: &Entry, reader: &mut Reader<'_>) -> Option<Restore> {
    let mut fields = Fields::of(
        &entry.value,
        "a restore",
        "{ type: EFS, recovery_point: arn:… }",
        reader,
    )?;
    let resource_type = fields
        .require("type", "type: EFS", reader)
        .and_then(|node| reader.text(node, "`type`", "type: EFS"));
    let recovery_point = fields
        .require(
            "recovery_point",
            "recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:…",
            reader,
        )
        .and_then(|node| recovery_point(node, reader));
    let for_each = fields.get("for_each").map(|node| for_each(node, reader));
    let needs = fields
        .get("needs")
        .map(|node| needs(node, reader))
        .unwrap_or_default();
    let metadata = fields.entry("metadata");
    let metadata_span = metadata.map_or(entry.key.span, |entry| entry.key.span);
    let metadata = metadata
        .filter(|entry| !matches!(entry.value.kind, Kind::Null))
        .filter(|entry| {
            Fields::of(
                &entry.value,
                "`metadata`",
                "metadata: { Encrypted: true }",
                reader,
            )
            .is_some()
        })
        .and_then(|entry| match &entry.value.kind {
            Kind::Mapping(entries) => Some(Arc::clone(entries)),
            _ => None,
        })
        .unwrap_or_default();
    let copy_source_tags = fields
        .get("copy_source_tags_to_restored_resource")
        .and_then(|node| reader.flag(node, "`copy_source_tags_to_restored_resource`"));
    let target = fields
        .get("target")
        .and_then(|node| reader.text(node, "`target` of a restore", "target: west"));
    let objectives = objectives(fields.get("objectives"), reader);
    let timeout = fields
        .get("timeout")
        .and_then(|node| duration(node, "`timeout`", reader));
    if let Some(entry) = fields.entry("checks") {
        not_supported(entry.key.span, "`checks`", reader);
    }
    fields.finish(reader);
    Some(Restore {
        name: entry.key.clone(),
        resource_type,
        target,
        for_each,
        needs,
        recovery_point,
        metadata,
        metadata_span,
        copy_source_tags,
        objectives,
        timeout,
    })
}

fn not_supported(span: Span, what: &str, reader: &mut Reader<'_>) {
    reader.error(
        span,
        "plan/not-supported-yet",
        format!("{what} is not supported yet"),
        "remove it, and check what came back after the run",
    );
}

fn needs(node: &Node, reader: &mut Reader<'_>) -> Vec<Spanned<String>> {
    let items = match &node.kind {
        Kind::Sequence(items) => &items[..],
        // `needs: db` is what one writes first.
        Kind::String(_) => std::slice::from_ref(node),
        _ => {
            reader.error(
                node.span,
                "plan/type",
                format!("`needs` is {}, not a list of restores", node.describe()),
                "write `needs: [db]`",
            );
            return Vec::new();
        }
    };
    items
        .iter()
        .filter_map(|item| reader.text(item, "an entry of `needs`", "needs: [db]"))
        .collect()
}

fn objectives(node: Option<&Node>, reader: &mut Reader<'_>) -> Objectives {
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
    fields.finish(reader);
    Objectives { rto, rpo }
}

fn duration(node: &Node, what: &str, reader: &mut Reader<'_>) -> Option<SignedDuration> {
    let text = match &node.kind {
        Kind::String(text) => text.as_str(),
        Kind::Number(number) => number.text.as_str(),
        _ => "",
    };
    let parsed = selector::duration(text);
    if parsed.is_none() {
        reader.error(
            node.span,
            "plan/duration",
            format!("{what} is not a duration"),
            "write a number with its unit, such as `30m`, `4h`, `1h30m` or `2d`",
        );
    }
    parsed
}

fn limits(node: Option<&Node>, reader: &mut Reader<'_>) -> Limits {
    let Some(mut fields) =
        node.and_then(|node| Fields::of(node, "`limits`", "limits: { concurrent: 50 }", reader))
    else {
        return Limits::default();
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
    Limits {
        concurrent,
        by_type,
        by_target,
        places,
    }
}

fn on_failure(node: Option<&Node>, reader: &mut Reader<'_>) -> OnFailure {
    let Some(text) =
        node.and_then(|node| reader.text(node, "`on_failure`", "on_failure: continue"))
    else {
        return OnFailure::default();
    };
    match text.value.as_str() {
        "continue" => OnFailure::Continue,
        "stop" => OnFailure::Stop,
        other => {
            reader.error(
                text.span,
                "plan/on-failure",
                format!("`on_failure` knows no `{other}`"),
                suggest(other, ["continue", "stop"]),
            );
            OnFailure::default()
        }
    }
}
