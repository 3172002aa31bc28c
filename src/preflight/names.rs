//! Names that have to be new, and what has to be there to be written into.

use super::check::{CheckEvidence, CheckId, CheckList, PreflightVerdict};
use super::memo::Memo;
use super::network::identifier;
use super::subject::PreflightSubject;
use super::unknown;
use crate::backup::Fault;
use crate::ids::Arn;
use crate::plan::Step;
use crate::rules::{Deletes, Facts, Identifier, Wall};

pub(super) fn check(subject: &PreflightSubject<'_>, memo: &Memo, checks: &mut CheckList) {
    for step in subject.steps() {
        free(subject, memo, step, checks);
        there(subject, memo, step, checks);
    }
}

fn free(subject: &PreflightSubject<'_>, memo: &Memo, step: &Step, checks: &mut CheckList) {
    let target = subject.target(step.target);
    for (key, arn) in subject.review.names(&step.draft, target) {
        let Some((type_name, id)) = named(&arn, &step.draft.request.resource_type) else {
            continue;
        };
        let on = subject.on_key(CheckId::NameFree, step, key);
        let asked = format!("cloudformation:GetResource {type_name} {id}");
        // Names of buckets are those of every account: ARNs without an account.
        let is_global = Arn::parse(&arn).is_some_and(|arn| arn.account.is_empty());
        match memo.resource(subject.place(step.target), type_name, &id) {
            None => {}
            Some(Ok(None)) => {
                let evidence = CheckEvidence::new(asked, "ResourceNotFoundException");
                checks.pass(on, format!("the name {id} is free"), evidence);
            }
            Some(Ok(Some(_))) => {
                let message = format!("the name {id} is taken: {arn} exists");
                let help = format!(
                    "give `{key}` another name, such as `{key}: \"{{{{ restore }}}}-{{{{ run.id }}}}\"`, or delete what has it"
                );
                checks.add(
                    on,
                    PreflightVerdict::Fail,
                    (message, help),
                    CheckEvidence::new(asked, arn),
                );
            }
            Some(Err(error)) if is_global && error.fault == Fault::Denied => {
                let message = format!(
                    "the name {id} is taken by another account, or the caller may not look: such names are one for all accounts"
                );
                let help = format!(
                    "give `{key}` a name that nobody else has; or allow the caller to look"
                );
                checks.add(
                    on,
                    PreflightVerdict::Unknown,
                    (message, help),
                    CheckEvidence::new(asked, error.to_string()),
                );
            }
            Some(Err(error)) => unknown(
                checks,
                on,
                &format!("whether the name {id} is free"),
                &asked,
                error,
            ),
        }
    }
}

/// The type and the identifier of what an ARN names, as Cloud Control API has them.
fn named(arn: &str, resource_type: &str) -> Option<(&'static str, String)> {
    let parts = Arn::parse(arn)?;
    let whole = format!("{}:{}", parts.service, parts.resource);
    let row = Deletes::of(resource_type).find(|row| whole.starts_with(&row.arn))?;
    let rest = whole.strip_prefix(&row.arn)?;
    let id = match row.identifier {
        Identifier::Rest => rest.to_owned(),
        Identifier::Pair => rest.replacen("/table/", "|", 1),
    };
    (!id.contains('*')).then_some((row.r#type.as_str(), id))
}

/// Checks that what the request writes into, or puts the restored data into, exists.
fn there(subject: &PreflightSubject<'_>, memo: &Memo, step: &Step, checks: &mut CheckList) {
    let request = &step.draft.request;
    let facts = Facts::of(subject.rules.title(&request.resource_type));
    let mut existing = facts.into_iter().flat_map(|facts| &facts.existing);
    let writes = existing.any(|existing| existing.condition.holds(&request.metadata));
    for named in subject.named(step) {
        let wall = Wall::named(named.kind);
        let reads = wall.and_then(|wall| Some((wall, wall.kind.reads.as_ref()?)));
        let Some((wall, reads)) =
            reads.filter(|(_, reads)| !reads.network && reads.alias.is_none())
        else {
            continue;
        };
        let id = identifier(&named.text, reads);
        let thing = wall.kind.called.trim_start_matches("a ");
        let on = subject.on_key(CheckId::ExistingThere, step, &named.key);
        let asked = format!("cloudformation:GetResource {} {id}", reads.r#type);
        match memo.resource(subject.place(step.target), &reads.r#type, &id) {
            None => {}
            Some(Ok(Some(_))) => {
                checks.pass(
                    on,
                    format!("the {thing} {id} exists"),
                    CheckEvidence::new(asked, &id),
                );
            }
            Some(Ok(None)) => {
                let target = subject.target(step.target);
                let so = match writes {
                    true => ", and the restore writes into it",
                    false => "",
                };
                let message = format!(
                    "the {thing} {id} does not exist in {} {}{so}",
                    target.account, target.region
                );
                let help = format!("make it first, or give another `{}`", named.key);
                let evidence = CheckEvidence::new(asked, "ResourceNotFoundException");
                checks.add(on, PreflightVerdict::Fail, (message, help), evidence);
            }
            Some(Err(error)) => unknown(checks, on, &format!("the {thing} {id}"), &asked, error),
        }
    }
}
