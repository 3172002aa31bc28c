//! A lock file against the plan, and against what there is.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::backup::{ApiError, Sources};
use crate::diagnostic::{Finding, Findings, Rule, Span, rule};
use crate::ids::TargetIndex;
use crate::ids::{AccountId, RestoreName};
use crate::plan::Plan;
use crate::render::{Fact, Known, Lock, Locked, Resolved, Selector, written};

mod looked;

pub use looked::look;

/// A recovery point that is deleted sooner than this is warned of.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Takes what a lock file says of the plan's selectors, and says where it is not the plan's; of those that are acted on
/// alone. What the run has resolved itself stays. Gives the names of what was taken.
pub fn take(
    lock: &Lock,
    plan: &Plan,
    only: &[String],
    known: &mut Known,
    all: &mut Findings,
) -> Vec<RestoreName> {
    let mut findings = Findings::default();
    let only: BTreeSet<&str> = only.iter().map(String::as_str).collect();
    let mut used = BTreeSet::new();
    let mut taken = Vec::new();
    let mut missing = Vec::new();
    for step in &plan.steps {
        let name = &step.name;
        let locked = lock.restores.get(name);
        let Some(selector) = step.draft.selector.as_deref() else {
            // Resolved by the run already, or waiting for an input; or no selector at all, and then not used.
            let resolved = known.resolved.get(name);
            if resolved.is_some() || step.draft.pending.contains(&Fact::RecoveryPoint) {
                used.insert(name);
            }
            findings.extend(other_than_the_run(lock, name, locked, resolved));
            continue;
        };
        used.insert(name);
        if !only.is_empty() && !only.contains(name.as_str()) {
            continue;
        }
        match locked {
            Some(locked) if locked.resolved.selector == *selector => {
                let resolved = Arc::clone(&locked.resolved);
                known.resolved.insert(name.clone(), resolved);
                taken.push(name.clone());
            }
            Some(locked) => findings.push(about(
                lock,
                locked.selector_span,
                rule::LOCK_SELECTOR,
                name,
                format!(
                    "the lock was made for another selector: {}",
                    difference(selector, &locked.resolved.selector)
                ),
                format!("run {}, or undo the change", lock.update(&[name.as_str()])),
            )),
            None => missing.push(name),
        }
    }
    if let Some((first, rest)) = missing.split_first() {
        let more = match rest.len() {
            0 => String::new(),
            n => format!(", nor are {n} others"),
        };
        findings.push(about(
            lock,
            lock.start(),
            rule::LOCK_MISSING,
            first,
            format!("not in the lock file{more}; what is not locked is looked up again"),
            format!(
                "run `redrill lock {}`, which adds what is missing",
                lock.plan
            ),
        ));
    }
    for (name, locked) in &lock.restores {
        if !used.contains(name) {
            findings.push(about(
                lock,
                locked.span,
                rule::LOCK_UNUSED,
                name,
                "the plan no longer has a selector of this name".to_owned(),
                format!("run `redrill lock {}`, which removes it", lock.plan),
            ));
        }
    }
    together(lock, &mut findings);
    all.extend(findings);
    taken
}

/// One command for all restores that have to be looked up again, where each finding would have its own.
fn together(lock: &Lock, findings: &mut Findings) {
    let own = |finding: &Finding| {
        let command = lock.update(&[finding.restore.as_ref().map(RestoreName::as_str)?]);
        finding.help.contains(&command).then_some(command)
    };
    let names: BTreeSet<RestoreName> = findings
        .iter()
        .filter(|finding| own(finding).is_some())
        .filter_map(|finding| finding.restore.clone())
        .collect();
    let names: Vec<&str> = names.iter().map(RestoreName::as_str).collect();
    let all = lock.update(&names);
    for finding in findings.iter_mut() {
        if let Some(command) = own(finding) {
            finding.help = finding.help.replace(&command, &all);
        }
    }
}

/// A lock that was renewed while a run was under way.
fn other_than_the_run(
    lock: &Lock,
    name: &RestoreName,
    locked: Option<&Locked>,
    resolved: Option<&Arc<Resolved>>,
) -> Option<Finding> {
    let (locked, resolved) = (locked?, resolved?);
    if locked.resolved.recovery_point == resolved.recovery_point {
        return None;
    }
    Some(about(
        lock,
        locked.point_span,
        rule::LOCK_RUN,
        name,
        format!(
            "the run keeps to what it has resolved before: {}",
            resolved.recovery_point
        ),
        "a new --run-id uses the lock".to_owned(),
    ))
}

/// Lists how the selectors of the plan and the lock differ.
fn difference(plan: &Selector, lock: &Selector) -> String {
    let mut parts = Vec::new();
    let mut differs = |name: &str, plan: Option<String>, lock: Option<String>| {
        if plan != lock {
            let word = |value: Option<String>| value.unwrap_or_else(|| "not given".to_owned());
            parts.push(format!(
                "`{name}` is {} in the plan and {} in the lock",
                word(plan),
                word(lock)
            ));
        }
    };
    let age = |selector: &Selector| selector.max_age.map(written);
    let account = |selector: &Selector| selector.vault_account.as_ref().map(AccountId::to_string);
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    differs("vault", plan.vault.clone(), lock.vault.clone());
    differs("vault_account", account(plan), account(lock));
    differs("resource", plan.resource.clone(), lock.resource.clone());
    differs(
        "pick",
        Some(plan.pick.to_string()),
        Some(lock.pick.to_string()),
    );
    differs("max_age", age(plan), age(lock));
    differs(
        "created_before",
        time(plan.created_before),
        time(lock.created_before),
    );
    differs(
        "created_after",
        time(plan.created_after),
        time(lock.created_after),
    );
    parts.join(", ")
}

/// An entry that is in use.
pub struct LockedRestore<'l> {
    name: RestoreName,
    locked: &'l Locked,
    /// AWS's name of the type that is restored.
    resource_type: String,
    /// The target whose vaults it is in.
    target: TargetIndex,
}

/// The entries of these names.
#[must_use]
pub fn entries<'l>(lock: &'l Lock, plan: &Plan, names: &[RestoreName]) -> Vec<LockedRestore<'l>> {
    let names: BTreeSet<&RestoreName> = names.iter().collect();
    plan.steps
        .iter()
        .filter(|step| names.contains(&step.name))
        .filter_map(|step| {
            Some(LockedRestore {
                name: step.name.clone(),
                locked: lock.restores.get(&step.name)?,
                resource_type: step.draft.request.resource_type.clone(),
                target: step.target,
            })
        })
        .collect()
}

/// Finds what is too old, as far as the lock file itself says.
fn aged(lock: &Lock, entries: &[LockedRestore<'_>], now: Timestamp) -> Findings {
    let aged = |entry| too_old(lock, entry, now);
    entries.iter().filter_map(aged).collect()
}

/// Finds what expires soon, as far as the lock file itself says.
fn expiring(lock: &Lock, entries: &[LockedRestore<'_>], now: Timestamp) -> Findings {
    entries
        .iter()
        .filter_map(|LockedRestore { name, locked, .. }| {
            expires_soon(lock, name, locked, locked.resolved.expires_at?, now)
        })
        .collect()
}

fn expires_soon(
    lock: &Lock,
    name: &RestoreName,
    locked: &Locked,
    expires_at: Timestamp,
    now: Timestamp,
) -> Option<Finding> {
    let left = expires_at.duration_since(now);
    if left > SOON {
        return None;
    }
    let when = match left.is_negative() {
        true => format!("should have been deleted by AWS Backup at {expires_at}"),
        false => format!(
            "is deleted by AWS Backup at {expires_at}, in {}",
            words(left)
        ),
    };
    Some(about(
        lock,
        locked.point_span,
        rule::LOCK_EXPIRES,
        name,
        format!("the locked recovery point {when}"),
        format!(
            "run {}, or keep the recovery point longer",
            lock.update(&[name.as_str()])
        ),
    ))
}

fn words(left: SignedDuration) -> String {
    match (left.as_hours() / 24, left.as_hours()) {
        (0, 0) => "less than an hour".to_owned(),
        (0, 1) => "1 hour".to_owned(),
        (0, hours) => format!("{hours} hours"),
        (1, _) => "1 day".to_owned(),
        (days, _) => format!("{days} days"),
    }
}

/// Locked recovery points that are older than their selectors allow by now.
fn too_old(lock: &Lock, entry: &LockedRestore<'_>, now: Timestamp) -> Option<Finding> {
    let resolved = &entry.locked.resolved;
    let most = resolved.selector.max_age?;
    let made = resolved.created_at?;
    let age = now.duration_since(made);
    (age > most).then(|| {
        about(
            lock,
            entry.locked.point_span,
            rule::LOCK_TOO_OLD,
            &entry.name,
            format!(
                "the locked recovery point was made {} ago, and the selector asks for `max_age: {}`",
                words(age),
                written(most)
            ),
            format!("run {}", lock.update(&[entry.name.as_str()])),
        )
    })
}

/// Reports that nobody could be asked.
#[must_use]
pub fn unchecked(lock: &Lock, err: &ApiError) -> Finding {
    Finding::at(
        &lock.source,
        lock.start(),
        rule::LOCK_UNCHECKED,
        format!(
            "whether the locked recovery points are still there, and whether newer ones exist, was not looked up: {err}"
        ),
        "give an inventory with --inventory, or use credentials that may describe recovery points",
    )
}

/// Checks that what is locked is still there; if nobody answers, that is reported.
pub async fn check<R: Sources>(
    lock: &Lock,
    plan: &Plan,
    taken: &[RestoreName],
    readers: Option<&[R]>,
    now: Timestamp,
) -> Findings {
    let entries = entries(lock, plan, taken);
    let mut findings = aged(lock, &entries, now);
    let offline = || expiring(lock, &entries, now);
    let Some(readers) = readers.filter(|_| !entries.is_empty()) else {
        findings.extend(offline());
        together(lock, &mut findings);
        return findings;
    };
    match look(readers, lock, &entries, now).await {
        Ok(found) => findings.extend(found),
        Err(err) => {
            findings.extend(offline());
            findings.push(unchecked(lock, &err));
        }
    }
    together(lock, &mut findings);
    findings
}

fn about(
    lock: &Lock,
    span: Span,
    rule: &'static Rule,
    restore: &RestoreName,
    message: String,
    help: String,
) -> Finding {
    Finding::at(&lock.source, span, rule, message, help).of_restore(restore)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::{Fault, Operation};
    use crate::diagnostic::Source;
    use crate::parse::lock_file;
    use crate::render::locked;

    const LOCK: &str = "version: 1
plan: files
restores:
  files:
    selector: { vault: dr, pick: latest }
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:a
    vault: dr
";

    fn lock() -> Lock {
        let mut findings = Findings::default();
        let file = lock_file(&Source::new("files.lock.yaml", LOCK), &mut findings).unwrap();
        let lock = locked(&file, &mut findings);
        assert!(findings.is_empty(), "{findings:?}");
        lock
    }

    #[test]
    fn issue_15_a_run_that_goes_on_keeps_what_it_has_resolved() {
        let lock = lock();
        let locked = &lock.restores["files"];
        let said = |resolved: &Arc<Resolved>| {
            other_than_the_run(
                &lock,
                &RestoreName::new("files"),
                Some(locked),
                Some(resolved),
            )
        };
        assert!(said(&locked.resolved).is_none());
        let mut other = Resolved::clone(&locked.resolved);
        other.recovery_point.push('b');
        let finding = said(&Arc::new(other)).unwrap();
        assert!(
            finding.is(rule::LOCK_RUN) && !finding.is_error(),
            "{finding:?}"
        );
        assert_eq!(
            finding.source.slice(finding.span),
            locked.resolved.recovery_point
        );
    }

    #[test]
    fn issue_15_what_could_not_be_looked_up_is_a_note() {
        let refused = ApiError {
            operation: Operation::ListRecoveryPointsByBackupVault,
            fault: Fault::Denied,
            code: Some("AccessDeniedException".to_owned()),
            request_id: None,
            message: "no".to_owned(),
        };
        let finding = unchecked(&lock(), &refused);
        assert!(
            finding.is(rule::LOCK_UNCHECKED) && !finding.is_error(),
            "{finding:?}"
        );
    }
}
