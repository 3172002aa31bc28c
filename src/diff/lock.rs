//! A lock file against the plan, and against what there is.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{ApiError, Asked, RecoveryPoint, Shelves, Sources, select};
use crate::diagnostic::{Finding, Severity, Source, Span};
use crate::parse::{error, warning};
use crate::plan::Plan;
use crate::render::{
    Known, Lock, Locked, Pick, RECOVERY_POINT, Resolved, Selector, VaultName, written,
};

/// A recovery point that is deleted sooner than this is warned of.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Takes what a lock file says of the plan's selectors, and says where it is not the plan's; of those that are acted on
/// alone. What the run has resolved itself stays. Gives the names of what was taken.
pub fn take(
    lock: &Lock,
    plan: &Plan,
    only: &[String],
    known: &mut Known,
    findings: &mut Vec<Finding>,
) -> Vec<String> {
    let only: BTreeSet<&str> = only.iter().map(String::as_str).collect();
    let mut used = BTreeSet::new();
    let mut taken = Vec::new();
    let mut missing = Vec::new();
    for step in &plan.steps {
        let name = &*step.name;
        let locked = lock.restores.get(name);
        let Some(selector) = step.draft.selector.as_deref() else {
            // Resolved by the run already, or waiting for an input; or no selector at all, and then not used.
            let resolved = known.resolved.get(name);
            if resolved.is_some() || step.draft.pending.contains(RECOVERY_POINT) {
                used.insert(name);
            }
            findings.extend(other_than_the_run(lock, name, locked, resolved));
            continue;
        };
        used.insert(name);
        if !only.is_empty() && !only.contains(name) {
            continue;
        }
        match locked {
            Some(locked) if locked.resolved.selector == *selector => {
                let resolved = Arc::clone(&locked.resolved);
                known.resolved.insert(name.to_owned(), resolved);
                taken.push(name.to_owned());
            }
            Some(locked) => findings.push(about(
                lock,
                locked.selector_span,
                error,
                "selector",
                name,
                format!(
                    "the lock was made for another selector: {}",
                    difference(selector, &locked.resolved.selector)
                ),
                format!("run `redrill lock --update '{name}'`, or undo the change"),
            )),
            None => missing.push(name),
        }
    }
    if let Some((first, rest)) = missing.split_first() {
        let more = match rest.len() {
            0 => String::new(),
            n => format!(", and {n} more that it does not have"),
        };
        findings.push(about(
            lock,
            lock.start(),
            warning,
            "missing",
            first,
            format!(
                "the lock file does not have it{more}: what it does not have is looked up anew"
            ),
            "run `redrill lock`, which adds what is missing".to_owned(),
        ));
    }
    for (name, locked) in &lock.restores {
        if !used.contains(name.as_str()) {
            findings.push(about(
                lock,
                locked.span,
                warning,
                "unused",
                name,
                "the plan has no selector of this name any more".to_owned(),
                "run `redrill lock`, which removes it".to_owned(),
            ));
        }
    }
    taken
}

/// A lock that was renewed while a run was under way.
fn other_than_the_run(
    lock: &Lock,
    name: &str,
    locked: Option<&Locked>,
    resolved: Option<&Arc<Resolved>>,
) -> Option<Finding> {
    let (locked, resolved) = (locked?, resolved?);
    if locked.resolved.recovery_point == resolved.recovery_point {
        return None;
    }
    let mut finding = about(
        lock,
        locked.point_span,
        warning,
        "run",
        name,
        format!(
            "the run keeps to what it has resolved before: {}",
            resolved.recovery_point
        ),
        "a new --run-id uses the lock".to_owned(),
    );
    finding.severity = Severity::Note;
    Some(finding)
}

/// What the plan asks for and the lock does not, and the other way round.
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
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    differs("vault", plan.vault.clone(), lock.vault.clone());
    differs(
        "vault_account",
        plan.vault_account.clone(),
        lock.vault_account.clone(),
    );
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
pub struct Entry<'l> {
    name: String,
    locked: &'l Locked,
    /// AWS's name of the type that is restored.
    resource_type: String,
    /// The index of the target whose vaults it is in.
    target: usize,
}

/// The entries of these names.
#[must_use]
pub fn entries<'l>(lock: &'l Lock, plan: &Plan, names: &[String]) -> Vec<Entry<'l>> {
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    plan.steps
        .iter()
        .filter(|step| names.contains(&*step.name))
        .filter_map(|step| {
            Some(Entry {
                name: step.name.to_string(),
                locked: lock.restores.get(&*step.name)?,
                resource_type: step.draft.request.resource_type.clone(),
                target: step.target,
            })
        })
        .collect()
}

/// What is too old, as far as the lock file itself says.
#[must_use]
pub fn aged(lock: &Lock, entries: &[Entry<'_>], now: Timestamp) -> Vec<Finding> {
    let aged = |entry| too_old(lock, entry, now);
    entries.iter().filter_map(aged).collect()
}

/// What expires soon, as far as the lock file itself says.
#[must_use]
pub fn expiring(lock: &Lock, entries: &[Entry<'_>], now: Timestamp) -> Vec<Finding> {
    entries
        .iter()
        .filter_map(|Entry { name, locked, .. }| {
            expires_soon(lock, name, locked, locked.resolved.expires_at?, now)
        })
        .collect()
}

fn expires_soon(
    lock: &Lock,
    name: &str,
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
        warning,
        "expires",
        name,
        format!("the locked recovery point {when}"),
        format!("run `redrill lock --update '{name}'`, or keep the recovery point longer"),
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

/// Looks whether the locked recovery points are still there, with as few calls as there are pages or points.
///
/// # Errors
///
/// Where AWS does not answer.
pub async fn look<R: Sources>(
    readers: &[R],
    lock: &Lock,
    entries: &[Entry<'_>],
    now: Timestamp,
) -> Result<Vec<Finding>, ApiError> {
    let mut findings = Vec::new();
    for (target, reader) in readers.iter().enumerate() {
        let own: Vec<&Entry<'_>> = entries.iter().filter(|e| e.target == target).collect();
        findings.extend(look_in(reader, lock, &own, now).await?);
    }
    Ok(findings)
}

async fn look_in<R: Sources>(
    reader: &R,
    lock: &Lock,
    entries: &[&Entry<'_>],
    now: Timestamp,
) -> Result<Vec<Finding>, ApiError> {
    let selectors: Vec<&Selector> = entries
        .iter()
        .map(|entry| &entry.locked.resolved.selector)
        .collect();
    let mut shelves = Shelves::prepare(reader, &selectors).await?;
    let mut findings = Vec::new();
    let mut newer = Vec::new();
    let mut refused = None;
    for entry in entries {
        let Entry { name, locked, .. } = entry;
        let resolved = &locked.resolved;
        let offer = shelves.offer(reader, &resolved.selector).await?;
        let offer = offer.unwrap_or_else(|refusal| {
            refused.get_or_insert((*entry, refusal));
            Vec::new()
        });
        let is_locked = |point: &&RecoveryPoint| {
            point.vault == resolved.vault && point.arn == resolved.recovery_point
        };
        let point = match offer.iter().find(is_locked) {
            Some(point) => Some(point.clone()),
            None => {
                let vault = VaultName {
                    name: resolved.vault.clone(),
                    account: resolved.selector.vault_account.clone(),
                };
                reader.point(&vault, &resolved.recovery_point).await?
            }
        };
        let gone = match &point {
            None => Some(format!("is not in the vault `{}` any more", resolved.vault)),
            Some(point) if !point.status.is_restorable() => {
                Some(format!("is {} now", point.status))
            }
            Some(_) => None,
        };
        if let Some(gone) = gone {
            findings.push(about(
                lock,
                locked.point_span,
                error,
                "gone",
                name,
                format!(
                    "the locked recovery point {gone}: {}",
                    resolved.recovery_point
                ),
                format!("run `redrill lock --update '{name}'`, or use --no-lock"),
            ));
            continue;
        }
        if let Some(at) = point.and_then(|point| point.expires_at) {
            findings.extend(expires_soon(lock, name, locked, at, now));
        }
        if let Some(point) = newest(&offer, entry, now) {
            newer.push((*entry, point));
        }
    }
    findings.extend(outdated(lock, newer));
    findings.extend(refused.map(|(entry, refusal)| not_looked(lock, entry, &refusal)));
    Ok(findings)
}

/// What the selector would pick now, where that was made after what is locked.
fn newest(offer: &[RecoveryPoint], entry: &Entry<'_>, now: Timestamp) -> Option<RecoveryPoint> {
    let resolved = &entry.locked.resolved;
    if resolved.selector.pick != Pick::Latest {
        return None;
    }
    let asked = Asked {
        selector: &resolved.selector,
        resource_type: &entry.resource_type,
        start: now,
        // They decide about `pick: random` alone.
        run: "",
        restore: "",
    };
    let point = select(offer, &asked).ok()?;
    (point.arn != resolved.recovery_point && point.created_at > resolved.created_at)
        .then(|| point.clone())
}

/// That newer recovery points exist: of many, the first few one by one.
fn outdated(lock: &Lock, newer: Vec<(&Entry<'_>, RecoveryPoint)>) -> Vec<Finding> {
    const SHOWN: usize = 10;
    let left = newer.len().saturating_sub(SHOWN);
    let say = |(entry, point): (&Entry<'_>, RecoveryPoint)| {
        let (name, resolved) = (&entry.name, &entry.locked.resolved);
        let by = resolved.by_lock().unwrap_or_default();
        let made = |at: Option<Timestamp>| at.map_or_else(String::new, |at| format!(", made {at}"));
        about(
            lock,
            entry.locked.point_span,
            warning,
            "newer",
            name,
            format!(
                "{by}, it is {}{}; a newer recovery point exists: {}{}",
                resolved.recovery_point,
                made(resolved.created_at),
                point.arn,
                made(point.created_at)
            ),
            format!(
                "run `redrill lock --update '{name}'`, or use --no-lock, to restore the newer one"
            ),
        )
    };
    let mut findings: Vec<Finding> = newer.into_iter().take(SHOWN).map(say).collect();
    if left > 0 {
        findings.push(warning(
            &lock.source,
            lock.start(),
            "lock/newer",
            format!("newer recovery points exist of {left} more restores of this lock file"),
            "run `redrill lock --update`, or use --no-lock, to restore the newer ones",
        ));
    }
    findings
}

/// That AWS does not list what a selector would choose from.
fn not_looked(lock: &Lock, entry: &Entry<'_>, refusal: &ApiError) -> Finding {
    let mut finding = about(
        lock,
        entry.locked.point_span,
        warning,
        "unchecked",
        &entry.name,
        format!("whether a newer recovery point exists was not looked up: {refusal}"),
        "use credentials that may list recovery points, or give an inventory with --inventory"
            .to_owned(),
    );
    finding.severity = Severity::Note;
    finding
}

/// Locked recovery points that are older than their selectors allow by now.
fn too_old(lock: &Lock, entry: &Entry<'_>, now: Timestamp) -> Option<Finding> {
    let resolved = &entry.locked.resolved;
    let most = resolved.selector.max_age?;
    let made = resolved.created_at?;
    let age = now.duration_since(made);
    (age > most).then(|| {
        about(
            lock,
            entry.locked.point_span,
            warning,
            "too-old",
            &entry.name,
            format!(
                "the locked recovery point was made {} ago, and the selector asks for `max_age: {}`",
                words(age),
                written(most)
            ),
            format!("run `redrill lock --update '{}'`", entry.name),
        )
    })
}

/// That nobody could be asked.
#[must_use]
pub fn unchecked(lock: &Lock, err: &ApiError) -> Finding {
    let mut finding = warning(
        &lock.source,
        lock.start(),
        "lock/unchecked",
        format!(
            "whether the locked recovery points are still there, and whether newer ones exist, was not looked up: {err}"
        ),
        "give an inventory with --inventory, or use credentials that may describe recovery points",
    );
    finding.severity = Severity::Note;
    finding
}

type Make = fn(&Arc<Source>, Span, &str, String, String) -> Finding;

fn about(
    lock: &Lock,
    span: Span,
    make: Make,
    rule: &str,
    restore: &str,
    message: String,
    help: String,
) -> Finding {
    make(&lock.source, span, &format!("lock/{rule}"), message, help).of_restore(restore)
}
