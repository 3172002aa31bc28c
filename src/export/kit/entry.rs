//! The restores of a kit, in the order in which they may start.

use super::late;
use crate::diagnostic::{Finding, Findings, rule};
use crate::diff::Review;
use crate::export::Subject;
use crate::ids::{IdempotencyToken, Indexed, StepIndex};
use crate::plan::{Step, sha256};
use crate::render::Target;

/// Hexadecimal digits that tell file names apart.
const DIGITS: usize = 8;
/// Characters of a name that its file keeps.
const LONGEST: usize = 60;

/// One restore of a kit.
pub(super) struct Entry<'a> {
    /// Step of the plan.
    pub(super) step: &'a Step,
    /// Index of the step in the plan.
    pub(super) at: StepIndex,
    /// Target that it runs in.
    pub(super) target: &'a Target,
    /// Name of its files.
    pub(super) file: String,
    /// Its request, with its token or with places for what is known later.
    pub(super) body: String,
    /// The token of its first attempt; none where something is known later.
    pub(super) token: Option<IdempotencyToken>,
    /// Indices of the kit's restores that have to be completed before it.
    pub(super) needs: Vec<usize>,
}

impl Entry<'_> {
    /// The file of its request.
    pub(super) fn path(&self) -> String {
        format!("requests/{}.json", self.file)
    }
}

/// All of them, or everything that cannot be carried.
pub(super) fn entries<'a>(subject: &Subject<'a>) -> Result<Vec<Entry<'a>>, Findings> {
    let plan = subject.plan;
    let files: Indexed<StepIndex, String> = plan
        .steps
        .iter()
        .map(|step| file_name(step.name.as_str()))
        .collect();
    let mut place: Indexed<StepIndex, usize> = vec![0; plan.steps.len()].into();
    for (position, at) in plan.order.iter().enumerate() {
        place[*at] = position;
    }
    let mut findings = of_plan(subject);
    let review = Review::embedded(subject.planner.rules());
    let mut entries = Vec::with_capacity(plan.order.len());
    for at in plan.order.iter().copied() {
        let step = &plan.steps[at];
        let target = plan.target_of(step);
        let into = review.writes_into(&step.draft, target);
        if let Some(into) = &into
            && !step.into_existing
        {
            findings.push(
                Finding::at(
                    &subject.planner.document().source,
                    step.span,
                    rule::KIT_EXISTING,
                    format!("it would write into {into}, which exists"),
                    "add `into_existing: true` to the restore if that is what it is for",
                )
                .of_restore(&step.name),
            );
        }
        let token = plan.token(at, 1);
        let body = match &token {
            Some(token) => Ok(step.draft.sent_with(token).canonical()),
            None => late::body(subject, at, &files, into.is_some()),
        };
        match body {
            Ok(body) => entries.push(Entry {
                step,
                at,
                target,
                file: files[at].clone(),
                body,
                token,
                needs: step.needs.iter().map(|need| place[*need]).collect(),
            }),
            Err(found) => findings.extend(found),
        }
    }
    match findings.has_errors() {
        true => Err(subject.planner.once(findings)),
        false => Ok(entries),
    }
}

/// Finds what of the plan as a whole depends on a secret, which is not at hand.
fn of_plan(subject: &Subject<'_>) -> Findings {
    let document = subject.planner.document();
    let mut findings = Findings::default();
    let mut refuse = |span, what: &str| {
        findings.push(Finding::at(
            &document.source,
            span,
            rule::KIT_SECRET,
            format!("{what} is made of a secret, and a kit holds none"),
            "use a variable that is not secret",
        ));
    };
    let secrets = late::secrets(document);
    for (written, target) in document.targets.iter().zip(&subject.plan.targets) {
        let parts = [
            (&written.account, Some(target.account.as_str())),
            (&written.region, Some(target.region.as_str())),
            (&written.iam_role_arn, target.iam_role_arn.as_deref()),
            (&written.assume_role_arn, target.assume_role_arn.as_deref()),
        ];
        for (node, text) in parts {
            if let (Some(node), Some(text)) = (node, text)
                && secrets
                    .iter()
                    .any(|name| text.contains(&crate::render::withheld(name)))
            {
                refuse(node.span, "a part of the target");
            }
        }
    }
    if document.protect.len() != subject.planner.protect().count() {
        let span = document
            .protect
            .first()
            .map_or(document.plan.span, |node| node.span);
        refuse(span, "an entry of `protect`");
    }
    if let Some(allow) = &document.allow
        && allow.entries.len() != subject.planner.allow().count()
    {
        refuse(allow.span, "an entry of `allow`");
    }
    findings
}

/// A file name for a restore: its own name where that is one everywhere, also where case does not count.
fn file_name(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.len() <= LONGEST && !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if is_plain(c) {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= LONGEST {
            break;
        }
    }
    let slug = slug.trim_matches('-');
    let digits = &sha256(name)[..DIGITS];
    match slug {
        "" => digits.to_owned(),
        slug => format!("{slug}-{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::file_name;

    #[test]
    fn a_file_name_is_one_on_every_file_system() {
        assert_eq!(file_name("orders-db_2"), "orders-db_2");
        let names = [
            "files[a]",
            "files[A]",
            "Files",
            "files",
            "a/../b",
            "o'clock \"now\"",
            "…",
            "-rf",
            "con.txt",
            "files-a",
        ];
        let files: BTreeSet<String> = names.iter().map(|name| file_name(name)).collect();
        assert_eq!(files.len(), names.len(), "{files:?}");
        for file in &files {
            let is_safe =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            assert!(file.chars().all(is_safe), "{file}");
        }
        assert!(file_name(&"x".repeat(500)).len() < 80);
    }
}
