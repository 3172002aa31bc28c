//! ARNs, accounts and regions: what a tired person types wrong.

use std::collections::BTreeMap;

use crate::diagnostic::{Finding, Findings, Rule, Span, did_you_mean, rule, suggest};
use crate::ids::Arn;
use crate::parse::{Restore, TargetTemplate};
use crate::render::{Target, VaultName};

use super::Text;
use super::place::partition;
use crate::rules::{PointForms, Schema, beginning, common, points, without_role};

const EXAMPLE: &str =
    "arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45";

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

pub(super) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else {
        return false;
    };
    words.len() >= 2
        && words
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// Checks the ARN of a recovery point against AWS's forms, the target and its type.
pub(super) fn recovery_point(
    text: &str,
    vault: Option<&VaultName>,
    span: Span,
    target: &Target,
    schema: Option<&Schema>,
    source: &Text,
    findings: &mut Findings,
) {
    let mut refuse = |rule: &'static Rule, message: String, help: String| {
        findings.push(Finding::at(source, span, rule, message, help));
    };
    let Some(arn) = Arn::parse(text) else {
        refuse(
            rule::ARN_FORM,
            format!(
                "`{text}` is not an ARN: it needs six parts with `:` between them, and begins with `arn`"
            ),
            format!("write it as in `{EXAMPLE}`"),
        );
        return;
    };
    if arn.partition != "aws" && !arn.partition.starts_with("aws-") {
        refuse(
            rule::ARN_PARTITION,
            format!("`{}` is not an AWS partition", arn.partition),
            suggest(arn.partition, ["aws", "aws-cn", "aws-us-gov"]),
        );
    }
    let of_type = schema.map(|schema| &schema.notes.facts.points);
    let mut near = [Some(&common().points), of_type].into_iter().flatten();
    if !near.any(|points| has_form(points, &arn)) {
        // Not of its own type's: of any at all?
        let Some((_, forms)) = points().iter().find(|(of, _)| *of == arn.service) else {
            refuse(
                rule::ARN_SERVICE,
                format!("recovery points have no ARNs of `{}`", arn.service),
                suggest(arn.service, points().iter().map(|(service, _)| *service)),
            );
            return;
        };
        if !forms.iter().any(|form| is_of(form, &arn)) {
            let (message, help) = of_no_form(&arn, forms);
            refuse(rule::ARN_RESOURCE, message, help);
        }
    }
    if !is_region(arn.region) {
        refuse(
            rule::ARN_REGION,
            format!("`{}` is not a Region", arn.region),
            "write a Region such as `us-west-2`".to_owned(),
        );
    } else if !target.region.as_str().is_empty()
        && is_region(target.region.as_str())
        && arn.region != target.region
    {
        // Not an error: one of AWS's own samples does it (the Redshift Serverless restore page).
        findings.push(Finding::at(
            source,
            span,
            rule::ARN_OTHER_REGION,
            format!(
                "the recovery point is in {}, the target in {}; AWS Backup restores in the Region of the recovery point",
                arn.region, target.region
            ),
            format!("copy the recovery point to {}, or change `target.region`", target.region),
        ));
    }
    let home = partition(target.region.as_str());
    if let Some(home) = home
        && arn.partition != home
        && (arn.partition == "aws" || arn.partition.starts_with("aws-"))
    {
        findings.push(Finding::at(
            source,
            span,
            rule::ARN_OTHER_PARTITION,
            format!(
                "the recovery point is in the partition `{}`, and {} is in `{home}`: nothing is restored from one into another",
                arn.partition, target.region
            ),
            format!("name a recovery point of the account in {}", target.region),
        ));
    }
    let has_none =
        arn.account.is_empty() && common().without_account.iter().any(|of| of == arn.service);
    if !has_none && !is_account(arn.account) {
        findings.push(Finding::at(
            source,
            span,
            rule::ARN_ACCOUNT,
            format!("`{}` is not an account id", arn.account),
            "write the 12 digits of the account",
        ));
    }
    if is_account(arn.account)
        && is_account(target.account.as_str())
        && arn.account != target.account
        && vault.is_none_or(|vault| vault.account.is_none())
    {
        let finding = Finding::at(
            source,
            span,
            rule::ARN_OTHER_ACCOUNT,
            format!(
                "the recovery point is of account {}, the target of {}: AWS Backup restores it there only out of a vault that is shared with {}",
                arn.account, target.account, target.account
            ),
            format!(
                "name the shared vault, so that it can be read: `recovery_point: {{ arn: …, vault: …, vault_account: \"{}\" }}`; or copy the recovery point first",
                arn.account
            ),
        )
        .documented_at(Some(
            "https://docs.aws.amazon.com/aws-backup/latest/devguide/logicallyairgappedvault.html",
        ));
        findings.push(finding);
    }
    let of_type = schema.and_then(|schema| Some((schema, schema.recovery_point.as_ref()?)));
    if let Some((schema, pattern)) = of_type
        && !pattern.is_match(text)
        && !findings.iter().any(|f| f.span == span && f.is_error())
    {
        findings.push(
            Finding::of_type(
                source,
                span,
                (rule::OF_TYPE_RECOVERY_POINT, &schema.title),
                format!(
                    "a recovery point of {} has an ARN of another form",
                    schema.title
                ),
                "check `type` and `recovery_point` against one another",
            )
            .documented_at(Some(
                "https://docs.aws.amazon.com/aws-backup/latest/devguide/access-control.html",
            )),
        );
    }
}

fn is_of(form: &str, arn: &Arn<'_>) -> bool {
    let rest = arn.resource.strip_prefix(beginning(form));
    rest.is_some_and(|rest| !rest.is_empty())
}

fn has_form(points: &PointForms, arn: &Arn<'_>) -> bool {
    let mut forms = points.get(arn.service).into_iter().flatten();
    forms.any(|form| is_of(form, arn))
}

/// Returns the message for an ARN of a service that is none of its recovery points, and what to write.
fn of_no_form(arn: &Arn<'_>, forms: &[&str]) -> (String, String) {
    let heads = forms
        .iter()
        .map(|form| beginning(form).trim_end_matches([':', '/']));
    let written = arn.resource.split([':', '/']).next().unwrap_or_default();
    let expected = forms.iter().map(|form| format!("`{}…`", beginning(form)));
    let expected: Vec<String> = expected.collect();
    let message = format!(
        "`{}` does not name a recovery point of `{}`",
        arn.resource, arn.service
    );
    let help = match did_you_mean(written, heads.collect::<Vec<_>>()) {
        Some(meant) if meant != written => format!("did you mean `{meant}`?"),
        _ => format!("the last part begins with {}", expected.join(" or ")),
    };
    (message, help)
}

fn is_role(role: &str) -> bool {
    Arn::parse(role).is_some_and(|arn| {
        arn.service == "iam"
            && arn.region.is_empty()
            && is_account(arn.account)
            && arn
                .resource
                .strip_prefix("role/")
                .is_some_and(|name| !name.is_empty())
    })
}

fn not_a_role(node: &crate::parse::Node, role: &str, source: &Text) -> Finding {
    Finding::at(
        source,
        node.span,
        rule::TARGET_ROLE,
        format!("`{role}` is not the ARN of an IAM role"),
        "write it as in `arn:aws:iam::123456789012:role/restore`",
    )
}

/// Checks where the restores run.
pub(super) fn target(
    written: &TargetTemplate,
    target: &Target,
    source: &Text,
    findings: &mut Findings,
) {
    if let Some(node) = &written.region
        && !target.region.as_str().is_empty()
        && !is_region(target.region.as_str())
    {
        findings.push(Finding::at(
            source,
            node.span,
            rule::TARGET_REGION,
            format!("`{}` is not a Region", target.region),
            "write a Region such as `us-west-2`",
        ));
    }
    if let Some(node) = &written.account
        && !target.account.as_str().is_empty()
        && !is_account(target.account.as_str())
    {
        findings.push(Finding::at(
            source,
            node.span,
            rule::TARGET_ACCOUNT,
            format!("`{}` is not an account id", target.account),
            "write the 12 digits of the account, in quotes: `\"123456789012\"`",
        ));
    }
    if let (Some(node), Some(role)) = (&written.assume_role_arn, &target.assume_role_arn)
        && !is_role(role)
    {
        findings.push(not_a_role(node, role, source));
    }
    let (Some(node), Some(role)) = (&written.iam_role_arn, &target.iam_role_arn) else {
        return;
    };
    let home = partition(target.region.as_str());
    let of_role = Arn::parse(role).map(|arn| arn.partition);
    if !is_role(role) {
        findings.push(not_a_role(node, role, source));
    } else if let (Some(home), Some(of_role)) = (home, of_role)
        && home != of_role
    {
        findings.push(
            Finding::at(
                source,
                node.span,
                rule::TARGET_ROLE_PARTITION,
                format!(
                    "the role is of the partition `{of_role}`, and {} is in `{home}`: there are no such roles there",
                    target.region
                ),
                format!("name a role of the target account: `arn:{home}:iam::{}:role/…`", target.account),
            )
            .documented_at(Some(
                "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html",
            )),
        );
    } else if is_account(target.account.as_str())
        && Arn::parse(role).is_some_and(|arn| arn.account != target.account)
    {
        findings.push(Finding::at(
            source,
            node.span,
            rule::TARGET_ROLE_ACCOUNT,
            format!(
                "the role is not in the account {}; a role can be passed in its own account only",
                target.account
            ),
            "name a role of the target account",
        ));
    }
}

/// The restores that run in one target, by whether AWS Backup takes a role for them.
#[derive(Default)]
pub(super) struct Roles<'a> {
    /// With one.
    with: Vec<&'a Restore>,
    /// Without: the caller's own identity is used.
    without: Vec<&'a Restore>,
    /// The types of those, as a sentence names them, and the page of each.
    callers: BTreeMap<&'a str, &'a str>,
}

impl<'a> Roles<'a> {
    pub(super) fn add(&mut self, restore: &'a Restore, schema: Option<&'a Schema>) {
        let caller = schema.filter(|schema| schema.notes.no_role.is_some());
        if let Some(schema) = caller {
            let notes = schema.notes;
            self.without.push(restore);
            self.callers.insert(notes.called(&schema.title), &notes.url);
        } else {
            self.with.push(restore);
        }
    }

    /// Checks that there is a role where one is needed, and none where there has to be none.
    pub(super) fn check(&self, written: &TargetTemplate, source: &Text, findings: &mut Findings) {
        const MODEL: &str =
            "https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html";
        let named = |restores: &[&Restore]| {
            let name = format!("`{}`", restores[0].name.value);
            match restores.len() {
                1 => name,
                n => format!("{name} and {} more", n - 1),
            }
        };
        if let (None, false) = (&written.iam_role_arn, self.with.is_empty()) {
            findings.push(
                Finding::at(
                    source,
                    written.span,
                    rule::TARGET_NO_ROLE,
                    format!(
                        "there is no `iam_role_arn`, and {} will fail: AWS Backup restores with a role, and only restores of {} \
                         use the caller's own identity",
                        named(&self.with),
                        without_role().collect::<Vec<_>>().join(" and ")
                    ),
                    "add `iam_role_arn: arn:aws:iam::123456789012:role/…`, a role that backup.amazonaws.com may assume",
                )
                .documented_at(Some(MODEL)),
            );
        }
        if let (Some(node), false) = (&written.iam_role_arn, self.without.is_empty()) {
            let finding = Finding::at(
                source,
                node.span,
                rule::TARGET_ROLE_NOT_USED,
                format!(
                    "the role is sent with {}, where AWS documents a request without one: the caller's own identity restores {}",
                    named(&self.without),
                    self.callers.keys().copied().collect::<Vec<_>>().join(" and ")
                ),
                "give these restores a target of their own without `iam_role_arn`, under `targets`",
            )
            .documented_at(self.callers.values().next().copied());
            findings.push(finding);
        }
    }
}
