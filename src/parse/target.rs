//! Targets of restores: `target`, and `targets` by name.

use super::Node;
use super::fields::{FieldReader, Fields};
use crate::diagnostic::{Span, Spanned, rule};

/// Place where a restore runs. Each part may hold a template.
#[derive(Debug)]
pub struct TargetTemplate {
    /// Its key in `targets`; none of the one that `target` is.
    pub name: Option<Spanned<String>>,
    /// The AWS Region.
    pub region: Option<Node>,
    /// The account that the caller has to be in.
    pub account: Option<Node>,
    /// The role that AWS Backup assumes.
    pub iam_role_arn: Option<Node>,
    /// The role that redrill assumes to call AWS Backup there.
    pub assume_role_arn: Option<Node>,
    /// Span of the target.
    pub span: Span,
}

const EXAMPLE: &str = "target: { region: us-west-2, account: \"123456789012\", iam_role_arn: arn:aws:iam::123456789012:role/restore }";

/// All targets of a plan, that of `target` first; none where it has none, which is a finding.
pub(super) fn targets(
    fields: &mut Fields<'_>,
    reader: &mut FieldReader<'_>,
) -> Vec<TargetTemplate> {
    let named = fields.get("targets");
    let own = match named {
        Some(_) => fields.get("target"),
        None => fields.require("target", EXAMPLE, reader),
    };
    let mut all: Vec<TargetTemplate> = own
        .and_then(|node| target(node, None, reader))
        .into_iter()
        .collect();
    let Some(node) = named else {
        return all;
    };
    let example = "targets: { west: { region: us-west-2, account: \"123456789012\" } }";
    if Fields::of(node, "`targets`", example, reader).is_none() {
        return all;
    }
    if node.entries().is_empty() && all.is_empty() {
        reader.report(
            node.span,
            rule::PLAN_EMPTY,
            "the plan has no target",
            format!("add one: `{example}`"),
        );
    }
    for entry in node.entries() {
        reader.name(&entry.key, "a target");
        all.extend(target(&entry.value, Some(entry.key.clone()), reader));
    }
    all
}

fn target(
    node: &Node,
    name: Option<Spanned<String>>,
    reader: &mut FieldReader<'_>,
) -> Option<TargetTemplate> {
    let mut fields = Fields::of(node, "a target", EXAMPLE, reader)?;
    let region = fields
        .require("region", "region: us-west-2", reader)
        .cloned();
    let account = fields
        .require("account", "account: \"123456789012\"", reader)
        .cloned();
    let iam_role_arn = fields.get("iam_role_arn").cloned();
    let assume_role_arn = fields.get("assume_role_arn").cloned();
    fields.finish(reader);
    Some(TargetTemplate {
        name,
        region,
        account,
        iam_role_arn,
        assume_role_arn,
        span: node.span.first_character(),
    })
}
