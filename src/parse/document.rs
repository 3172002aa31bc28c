//! The plan file as it was written: names and structure checked, templates untouched.

use std::sync::Arc;

use jiff::SignedDuration;

use super::checks::{Check, checks};
use super::fields::{FieldReader, Fields};
use super::file_kind::{self, FileKind};
use super::selector::{Point, for_each, recovery_point};
use super::settings::{
    AllowTemplates, ConcurrencyLimits, DrillRuns, Objectives, OnFailure, allow, drill, duration,
    limits, mark, objectives, on_failure, protect, publish,
};
use super::target::{self, TargetTemplate};
use super::{Kind, MappingEntry, Node, Variable, variables, yaml};
use crate::diagnostic::{Findings, Source, Span, Spanned, rule};
use crate::ids::RestoreName;
use crate::ids::{DocumentIndex, Indexed};

/// A plan file.
#[derive(Debug)]
pub struct Document {
    /// Its text, for findings.
    pub source: Arc<Source>,
    /// Its name.
    pub plan: Spanned<String>,
    /// Purpose of the plan.
    pub description: Option<String>,
    /// Its inputs.
    pub vars: Vec<Variable>,
    /// Objectives of the whole run.
    pub objectives: Objectives,
    /// Limits on what runs at once.
    pub limits: ConcurrencyLimits,
    /// Effect of a failed restore on the rest.
    pub on_failure: OnFailure,
    /// Targets that restores run in; none where the plan has none, which is a finding.
    pub targets: Vec<TargetTemplate>,
    /// Restores of the plan.
    pub restores: Indexed<DocumentIndex, Restore>,
    /// Commands that judge the whole, once everything is back.
    pub checks: Arc<Vec<Check>>,
    /// Commands that switch over to what came back, in their order.
    pub cutover: Arc<Vec<Check>>,
    /// ARNs, ids and patterns of what no request may write to; each may hold a template.
    pub protect: Vec<Node>,
    /// Places that may be restored into; anything if the plan does not say.
    pub allow: Option<AllowTemplates>,
    /// Runs that are drills.
    pub drill: Option<Spanned<DrillRuns>>,
}

impl Document {
    /// The index of the target that a restore runs in: the one it names, else `target`, else the only one there is.
    #[must_use]
    pub fn target_of(&self, restore: &Restore) -> Option<usize> {
        let named = |name: &str| {
            let is =
                |target: &TargetTemplate| target.name.as_ref().is_some_and(|n| n.value == name);
            self.targets.iter().position(is)
        };
        match &restore.target {
            Some(name) => named(&name.value),
            None if self.targets.len() == 1 => Some(0),
            None => self.targets.iter().position(|target| target.name.is_none()),
        }
    }
}

/// One entry of `restores`.
#[derive(Debug)]
pub struct Restore {
    /// Its key.
    pub name: Spanned<RestoreName>,
    /// AWS's name of the resource type.
    pub resource_type: Option<Spanned<String>>,
    /// The target it names.
    pub target: Option<Spanned<String>>,
    /// One for each item of this, where it is there.
    pub for_each: Option<Node>,
    /// The restores that have to be completed first.
    pub needs: Vec<Spanned<String>>,
    /// Recovery point to restore.
    pub recovery_point: Option<Point>,
    /// The metadata map; values may hold templates.
    pub metadata: Arc<[MappingEntry]>,
    /// Span of the metadata, or of where it would be.
    pub metadata_span: Span,
    /// True if AWS copies the source's tags; not sent if the plan does not say.
    pub copy_source_tags: Option<bool>,
    /// Objectives of this restore.
    pub objectives: Objectives,
    /// Commands that judge what came back.
    pub checks: Arc<Vec<Check>>,
    /// True if AWS Backup is told the outcome of the checks.
    pub publish_validation: bool,
    /// True if redrill's mark is sent with it; if the plan says nothing, the type decides.
    pub mark: Option<bool>,
    /// Time for which its job is followed.
    pub timeout: Option<SignedDuration>,
    /// True if it may write into something that exists: that is asked for separately, unless the plan says so.
    pub into_existing: bool,
}

/// Reads a plan; as much of it as can be read, so that later stages report their findings too.
pub fn document(source: &Arc<Source>, findings: &mut Findings) -> Option<Document> {
    let mut of_text = Findings::default();
    let root = yaml(source, &mut of_text);
    if FileKind::of_documents(source, &of_text) == Some(FileKind::Inventory) {
        let reader = &mut FieldReader { source, findings };
        file_kind::refuse(FileKind::Inventory, Span::default().at_start(), reader);
        return None;
    }
    findings.extend(of_text);
    let mut root = root?;
    let reader = &mut FieldReader { source, findings };
    let kind = FileKind::of_root(&root);
    if let [first, ..] = root.entries()
        && kind != FileKind::Plan
    {
        if kind == FileKind::Variables {
            // Only the plan says which of them are secrets.
            source.hide(root.entries().iter().map(|e| e.value.span).collect());
        }
        file_kind::refuse(kind, first.key.span, reader);
        return None;
    }
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
    let judged = checks(fields.get("checks"), "`checks`", reader);
    let cutover = checks(fields.get("cutover"), "`cutover`", reader);
    let of_all = OfAll {
        publish: publish(&mut fields, reader).unwrap_or(false),
        mark: mark(&mut fields, reader),
    };
    let protect = protect(fields.get("protect"), reader);
    let allow = allow(&mut fields, reader);
    let drill = drill(&mut fields, reader);
    let targets = target::targets(&mut fields, reader);
    fields.require(
        "restores",
        "restores: { files: { type: EFS, recovery_point: arn:… } }",
        reader,
    );
    fields.finish_with_own(reader);
    let restores = root
        .take("restores")
        .map(|node| restores(node, of_all, reader))
        .unwrap_or_default();
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
        restores: restores.into(),
        checks: judged,
        cutover,
        protect,
        allow,
        drill,
    })
}

/// Settings of a plan for all its restores, which each may override.
#[derive(Clone, Copy)]
struct OfAll {
    publish: bool,
    mark: Option<bool>,
}

/// Takes the restores out of a plan one by one: most of what is written in a large one is theirs, and is not kept twice.
fn restores(mut node: Node, of_all: OfAll, reader: &mut FieldReader<'_>) -> Vec<Restore> {
    if Fields::of(
        &node,
        "`restores`",
        "files: { type: EFS, recovery_point: arn:… }",
        reader,
    )
    .is_none()
    {
        return Vec::new();
    }
    if node.entries().is_empty() {
        reader.report(
            node.span,
            rule::PLAN_EMPTY,
            "the plan restores nothing",
            "add a restore: `files: { type: EFS, recovery_point: arn:…, metadata: { … } }`",
        );
    }
    let mut all = Vec::with_capacity(node.entries().len());
    for entry in node.entries_mut() {
        reader.name(&entry.key, "a restore");
        let value = entry.value.take_all();
        let mut own = Findings::default();
        let mut of_restore = FieldReader {
            source: reader.source,
            findings: &mut own,
        };
        let name = Spanned {
            value: RestoreName::new(entry.key.value.as_str()),
            span: entry.key.span,
        };
        all.extend(restore(&name, &value, of_all, &mut of_restore));
        reader.findings.extend(own.of(&name.value));
    }
    all
}

fn restore(
    name: &Spanned<RestoreName>,
    node: &Node,
    of_all: OfAll,
    reader: &mut FieldReader<'_>,
) -> Option<Restore> {
    let mut fields = Fields::of(
        node,
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
    let metadata_span = metadata.map_or(name.span, |entry| entry.key.span);
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
    let checks = checks(fields.get("checks"), "`checks`", reader);
    let publish_validation = publish(&mut fields, reader).unwrap_or(of_all.publish);
    let mark = mark(&mut fields, reader).or(of_all.mark);
    let timeout = fields
        .get("timeout")
        .and_then(|node| duration(node, "`timeout`", reader));
    let into_existing = fields
        .get("into_existing")
        .and_then(|node| reader.flag(node, "`into_existing`"))
        .unwrap_or(false);
    fields.finish(reader);
    Some(Restore {
        name: name.clone(),
        resource_type,
        target,
        for_each,
        needs,
        recovery_point,
        metadata,
        metadata_span,
        copy_source_tags,
        objectives,
        checks,
        publish_validation,
        mark,
        timeout,
        into_existing,
    })
}

fn needs(node: &Node, reader: &mut FieldReader<'_>) -> Vec<Spanned<String>> {
    let items = match &node.kind {
        Kind::Sequence(items) => &items[..],
        // `needs: db` is what one writes first.
        Kind::String(_) => std::slice::from_ref(node),
        _ => {
            reader.report(
                node.span,
                rule::PLAN_TYPE,
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
