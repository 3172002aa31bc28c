//! Rendered values and rules to requests that AWS is expected to take, or to all findings.

mod arn;
mod check;
mod graph;
mod place;
mod problem;
mod protect;
mod walls;

pub use graph::{needed, order};
pub(crate) use place::partition as partition_of;
pub(crate) use protect::matches as matches_pattern;
pub use protect::protects;
pub use walls::{NamedValue, Walls, named_values};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;

use crate::diagnostic::{Finding, Findings, Spanned, rule, suggest};
use crate::ids::{RestoreName, RunId};
use crate::parse::{Document, Restore};
use crate::render::{
    Created, Fact, Instances, Metadata, Rendered, RequestField, Secrets, SourceFacts, Target,
};
use crate::rules::{Rules, UNKNOWN_ESTIMATE};

/// The metadata key that AWS Backup keeps with a job and that changes nothing about the restore; any UUID. `x-redrill.mark`
/// of a type says where AWS documents it (<https://docs.aws.amazon.com/aws-backup/latest/devguide/saphana-restore.html>: «It
/// does not alter your restore experience in any way»).
pub const MARK: &str = "aws:backup:request-id";

/// The wire form of one restore: what the plan says, with AWS's spelling of the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The ARN of the recovery point.
    pub recovery_point: String,
    /// AWS's name of the resource type.
    pub resource_type: String,
    /// The metadata as AWS is sent it.
    pub metadata: Metadata,
    /// Facts that each unknown key waits for; `RecoveryPointArn` is the recovery point.
    pub holes: BTreeMap<RequestField, BTreeSet<Fact>>,
    /// True if AWS copies the source's tags.
    pub copy_source_tags: Option<bool>,
    /// True if redrill's mark is sent: where AWS documents `aws:backup:request-id` for the type, unless the plan says.
    pub takes_mark: bool,
    /// True if rules of the type ask about the recovery point, which is not at hand.
    pub lacks_recovery_point: bool,
    /// Expected duration.
    pub expected: SignedDuration,
}

/// Limits on what a plan lets its restores touch, and what is known of the run.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    /// Resources that no request may write to.
    pub protect: &'a [Spanned<String>],
    /// Limits on what requests may name at all; none if the plan has no `allow`.
    pub walls: Option<&'a Walls>,
    /// Resources that restores of the run have made.
    pub created: &'a BTreeMap<RestoreName, Created>,
    /// The values that must not show.
    pub secrets: &'a Secrets,
    /// The run.
    pub run_id: &'a RunId,
    /// True if nothing of the run is asked of AWS.
    pub is_rehearsal: bool,
}

/// Checks what belongs to no single restore: the target, and the types whose rules are not known.
pub fn plan(
    document: &Document,
    targets: &[Target],
    targets_pending: &[bool],
    bounds: Bounds<'_>,
    instances: &Instances,
    rules: &Rules,
) -> Findings {
    let mut findings = Findings::default();
    protect::entries(bounds.protect, &document.source, &mut findings);
    walls::check_entries(document, targets, targets_pending, bounds, &mut findings);
    let roles = roles(document, rules);
    for (at, written) in document.targets.iter().enumerate() {
        roles[at].check(written, &document.source, &mut findings);
        if let (Some(target), Some(false)) = (targets.get(at), targets_pending.get(at)) {
            arn::target(written, target, &document.source, &mut findings);
        }
    }
    named_targets(document, &mut findings);
    graph::needs(document, instances, &mut findings);
    limits(document, rules, &mut findings);
    unknown_types(document, rules, &mut findings);
    findings
}

/// Checks one restore and takes its values; `None` where an error stands in the way of a request.
pub fn restore(
    document: &Document,
    rendered: &mut Rendered,
    target: &Target,
    source: Option<&SourceFacts>,
    bounds: Bounds<'_>,
    rules: &Rules,
    findings: &mut Findings,
) -> Option<Checked> {
    let written = &document.restores[rendered.index];
    let mut own = Findings::default();
    let resource_type = written.resource_type.as_ref()?;
    let schema = rules.of(&resource_type.value);
    if let (Some(arn), Some(point)) = (&rendered.recovery_point, &written.recovery_point)
        && !rendered.pending.contains(&Fact::RecoveryPoint)
    {
        arn::recovery_point(
            arn,
            rendered.vault.as_deref(),
            point.span(),
            target,
            schema,
            &document.source,
            &mut own,
        );
    }
    walls::check(document, rendered, target, schema, bounds, &mut own);
    protect::check(
        bounds.protect,
        written,
        rendered,
        target,
        &document.source,
        &mut own,
    );
    let metadata = match schema {
        Some(schema) => check::metadata(
            document, written, rendered, target, source, schema, &mut own,
        ),
        None => check::unchecked(document, written, rendered, &mut own),
    };
    let failed = own.has_errors();
    findings.extend(own.of(&rendered.name));
    if failed {
        return None;
    }
    let mut holes: BTreeMap<RequestField, BTreeSet<Fact>> = rendered
        .metadata
        .iter()
        .filter(|entry| !entry.waits.is_empty())
        .map(|entry| {
            let typed = &written.metadata[entry.index].key.value;
            let key = rules.spelling(&resource_type.value, typed);
            (RequestField::Key(key.to_owned()), entry.waits.clone())
        })
        .collect();
    if !rendered.recovery_point_waits.is_empty() {
        holes.insert(
            RequestField::RecoveryPoint,
            rendered.recovery_point_waits.clone(),
        );
    }
    let metadata = metadata?;
    let has_mark = metadata.contains_key(MARK);
    Some(Checked {
        holes,
        recovery_point: rendered.recovery_point.clone()?,
        resource_type: resource_type.value.clone(),
        metadata,
        copy_source_tags: written.copy_source_tags,
        lacks_recovery_point: source.is_none()
            && schema.is_some_and(|schema| schema.asks_recovery_point),
        expected: schema.map_or(UNKNOWN_ESTIMATE, |schema| schema.notes.estimate.of(source)),
        // A value that the plan gives itself is the same in every run of it.
        takes_mark: !has_mark
            && written
                .mark
                .unwrap_or_else(|| schema.is_some_and(|schema| schema.notes.mark.is_some())),
    })
}

/// Collects what runs in each target, by whether it takes a role.
fn roles<'a>(document: &'a Document, rules: &'a Rules) -> Vec<arn::Roles<'a>> {
    let mut roles: Vec<arn::Roles<'a>> = Vec::new();
    roles.resize_with(document.targets.len(), Default::default);
    for restore in &document.restores {
        if let Some(at) = document.target_of(restore) {
            let of_type = restore.resource_type.as_ref();
            roles[at].add(restore, of_type.and_then(|name| rules.of(&name.value)));
        }
    }
    roles
}

fn target_names(document: &Document) -> impl Iterator<Item = &str> {
    document
        .targets
        .iter()
        .filter_map(|target| Some(target.name.as_ref()?.value.as_str()))
}

/// Every restore has to run somewhere.
fn named_targets(document: &Document, findings: &mut Findings) {
    if document.targets.is_empty() {
        return;
    }
    for restore in &document.restores {
        if document.target_of(restore).is_some() {
            continue;
        }
        let names: Vec<&str> = target_names(document).collect();
        let finding = match &restore.target {
            Some(name) => Finding::at(
                &document.source,
                name.span,
                rule::TARGET_UNKNOWN,
                format!("unknown target `{}`", name.value),
                suggest(&name.value, names),
            ),
            None => Finding::at(
                &document.source,
                restore.name.span,
                rule::TARGET_UNNAMED,
                "the plan has several targets, and nothing says which of them this restore runs in",
                format!(
                    "add `target: {}`, or give the plan a `target` of its own",
                    names.first().copied().unwrap_or_default()
                ),
            ),
        };
        findings.push(finding.of_restore(&restore.name.value));
    }
}

/// One finding a type, at its first use: ten thousand restores of it are one thing to know.
fn unknown_types(document: &Document, rules: &Rules, findings: &mut Findings) {
    let mut by_type: BTreeMap<&str, Vec<&Restore>> = BTreeMap::new();
    for restore in &document.restores {
        if let Some(name) = &restore.resource_type
            && rules.of(&name.value).is_none()
        {
            by_type.entry(&name.value).or_default().push(restore);
        }
    }
    for (name, restores) in by_type {
        let Some(span) = restores[0].resource_type.as_ref().map(|t| t.span) else {
            continue;
        };
        let source = &document.source;
        let count = match restores.len() {
            1 => "its metadata is sent unchecked".to_owned(),
            n => format!("the metadata of {n} restores is sent unchecked"),
        };
        let known = rules.types();
        let finding = match known.clone().find(|k| k.eq_ignore_ascii_case(name)) {
            Some(known) => Finding::at(
                source,
                span,
                rule::TYPE_CASE,
                format!("AWS writes this type as `{known}`"),
                format!("write `type: {known}`"),
            ),
            None if is_not_backed_up(name) => Finding::at(
                source,
                span,
                rule::TYPE_UNKNOWN,
                format!(
                    "`{name}` is a service that AWS Backup does not back up, as far as redrill knows; {count}"
                ),
                suggest("", known),
            ),
            None => Finding::at(
                source,
                span,
                rule::TYPE_UNKNOWN,
                format!("`{name}` is not a resource type that redrill knows; {count}"),
                match rules.meant(name) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => suggest(name, known),
                },
            ),
        };
        findings.push(finding.of_restore(&restores[0].name.value));
    }
}

/// Services of AWS that are not in the list of what AWS Backup supports
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/backup-feature-availability.html>): who writes one of them has
/// not misspelt another.
const NOT_BACKED_UP: [&str; 20] = [
    "ACM",
    "Athena",
    "Batch",
    "CloudFront",
    "DMS",
    "ECR",
    "ECS",
    "ELB",
    "EMR",
    "ElastiCache",
    "Glue",
    "KMS",
    "Kinesis",
    "Lambda",
    "MSK",
    "MemoryDB",
    "OpenSearch",
    "SES",
    "SNS",
    "SQS",
];

fn is_not_backed_up(name: &str) -> bool {
    let bare = name
        .trim_start_matches("Amazon ")
        .trim_start_matches("AWS ");
    NOT_BACKED_UP
        .iter()
        .any(|service| service.eq_ignore_ascii_case(bare))
}

fn limits(document: &Document, rules: &Rules, findings: &mut Findings) {
    let place = |name: &String| {
        let places = &document.limits.places;
        places.get(name).copied().unwrap_or(document.plan.span)
    };
    let targets: Vec<&str> = target_names(document).collect();
    for name in document.limits.by_target.keys() {
        if !targets.contains(&name.as_str()) {
            findings.push(Finding::at(
                &document.source,
                place(name),
                rule::LIMITS_UNUSED,
                format!("`limits.by_target` names `{name}`, and there is no such target"),
                suggest(name, targets.iter().copied()),
            ));
        }
    }
    for name in document.limits.by_type.keys() {
        if !document
            .restores
            .iter()
            .any(|r| r.resource_type.as_ref().is_some_and(|t| t.value == *name))
        {
            let span = place(name);
            let types: Vec<&str> = document
                .restores
                .iter()
                .filter_map(|r| r.resource_type.as_ref().map(|t| t.value.as_str()))
                .collect();
            findings.push(Finding::at(
                &document.source,
                span,
                rule::LIMITS_UNUSED,
                format!("`limits.by_type` names `{name}`, and no restore is of that type"),
                match rules.knows(name) {
                    true => format!("remove it, or add a restore of type `{name}`"),
                    false => suggest(name, types),
                },
            ));
        }
    }
}

/// The text a finding points into.
pub(crate) type Text = Arc<crate::diagnostic::Source>;
