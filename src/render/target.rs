//! Targets of restores, what nothing may write to, what may be restored into: all shown before anything starts.

use std::sync::Arc;

use super::{REDACTED, Renderer, Secrets};
use crate::diagnostic::{Finding, Findings, Rule, Span, Spanned, rule};
use crate::ids::{AccountId, RegionName};
use crate::parse::Node;

/// The account, region and role that a restore runs in.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct Target {
    /// Its name, where the plan has several; no part of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The AWS account id.
    pub account: AccountId,
    /// The role that AWS Backup assumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_role_arn: Option<String>,
    /// The AWS Region.
    pub region: RegionName,
    /// The role that redrill assumes to call AWS Backup there; no part of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assume_role_arn: Option<String>,
}

impl Target {
    /// The account and Region, which AWS's rates are for.
    #[must_use]
    pub fn place(&self) -> (&AccountId, &RegionName) {
        (&self.account, &self.region)
    }

    /// The target as it may be shown and kept. Account and Region are never secret.
    #[must_use]
    pub fn redacted(&self, secrets: &Secrets) -> Self {
        let role = |arn: &Option<String>| {
            let arn = arn.as_deref()?;
            Some(secrets.redact(arn).into_owned())
        };
        let Self {
            name,
            account,
            iam_role_arn,
            region,
            assume_role_arn,
        } = self;
        Self {
            name: name.clone(),
            account: account.clone(),
            iam_role_arn: role(iam_role_arn),
            region: region.clone(),
            assume_role_arn: role(assume_role_arn),
        }
    }
}

impl Renderer {
    pub(super) fn render_protect(&mut self, findings: &mut Findings) {
        let document = Arc::clone(&self.document);
        self.protect = self.shown(&document.protect, "protect", findings);
        if let Some(allow) = &document.allow {
            self.allow = self.shown(&allow.entries, "allow", findings);
        }
    }

    /// Entries with their templates evaluated; without those that depend on an input that has no value.
    fn shown(&self, nodes: &[Node], what: &str, findings: &mut Findings) -> Vec<Spanned<String>> {
        let scope = self.shared.plain();
        let mut shown = Vec::with_capacity(nodes.len());
        for node in nodes {
            match self.text(node, &scope, what, findings) {
                Some((value, pending)) if pending.is_empty() => {
                    self.is_shown(node, what, &value, findings);
                    let span = node.span;
                    shown.push(Spanned { value, span });
                }
                _ => {}
            }
        }
        shown
    }

    pub(super) fn render_targets(&mut self, findings: &mut Findings) {
        let document = Arc::clone(&self.document);
        let scope = self.shared.plain();
        for written in &document.targets {
            let mut is_pending = false;
            let mut part = |node: &Option<Node>| -> Option<String> {
                let node = node.as_ref()?;
                let (value, pending) = self.text(node, &scope, "target", findings)?;
                is_pending |= !pending.is_empty();
                Some(value)
            };
            let target = Target {
                name: written.name.as_ref().map(|name| name.value.clone()),
                account: AccountId::new(part(&written.account).unwrap_or_default()),
                region: RegionName::new(part(&written.region).unwrap_or_default()),
                iam_role_arn: part(&written.iam_role_arn),
                assume_role_arn: part(&written.assume_role_arn),
            };
            for (name, node, text) in [
                ("account", &written.account, target.account.as_str()),
                ("region", &written.region, target.region.as_str()),
            ] {
                if let Some(node) = node {
                    self.is_shown(node, name, text, findings);
                }
            }
            self.targets.push(target);
            self.targets_pending.push(is_pending);
        }
        if self.targets.is_empty() {
            // A finding has said so; the rest is checked all the same.
            self.targets.push(Target::default());
            self.targets_pending.push(true);
        }
        self.shared.set_targets(&self.targets, &self.secrets);
    }

    /// Refuses a secret in what is shown before anything starts, and in what every ARN and every record names.
    fn is_shown(&self, node: &Node, what: &str, text: &str, findings: &mut Findings) {
        if self.secrets.redact(text) != text {
            findings.push(
                Finding::at(
                    &self.document.source,
                    node.span,
                    rule::TARGET_SECRET,
                    format!(
                        "`{what}` is made of a secret, and it has to be shown: it is confirmed before a run, and recorded"
                    ),
                    "use a variable that is not secret",
                )
                .concealing(),
            );
        }
    }

    /// Refuses the replacement of a secret, which is never sent.
    pub(super) fn is_no_mark(
        &self,
        span: Span,
        rule: &'static Rule,
        text: &str,
        findings: &mut Findings,
    ) -> bool {
        let is_none = !text.contains(REDACTED);
        if !is_none {
            findings.push(Finding::at(
                &self.document.source,
                span,
                rule,
                format!("this holds `{REDACTED}`, which redrill prints in place of a secret"),
                "write the value itself, or a variable with `secret: true` that has it",
            ));
        }
        is_none
    }
}
