//! Comparison of what is locked with what the vaults hold now.

use jiff::Timestamp;

use super::super::{PointCache, Selection, select};
use super::{LockedRestore, about, expires_soon};
use crate::backup::{ApiError, RecoveryPoint, Sources, ask_all};
use crate::diagnostic::{Finding, Findings, rule};
use crate::ids::{RestoreName, RunId, TargetIndex};
use crate::render::{Lock, Pick, Selector, VaultName};

/// Looks whether the locked recovery points are still there, with as few calls as there are pages or points.
///
/// # Errors
///
/// Where AWS does not answer.
pub async fn look<R: Sources>(
    readers: &[R],
    lock: &Lock,
    entries: &[LockedRestore<'_>],
    now: Timestamp,
) -> Result<Findings, ApiError> {
    let mut findings = Findings::default();
    for (target, reader) in readers.iter().enumerate() {
        let target = TargetIndex::new(target);
        let own: Vec<&LockedRestore<'_>> = entries.iter().filter(|e| e.target == target).collect();
        findings.extend(look_in(reader, lock, &own, now).await?);
    }
    Ok(findings)
}

async fn look_in<R: Sources>(
    reader: &R,
    lock: &Lock,
    entries: &[&LockedRestore<'_>],
    now: Timestamp,
) -> Result<Findings, ApiError> {
    let selectors: Vec<&Selector> = entries
        .iter()
        .map(|entry| &entry.locked.resolved.selector)
        .collect();
    let shelves = PointCache::prepare(reader, &selectors).await?;
    let questions = entries
        .iter()
        .map(|entry| seen(reader, &shelves, entry, now));
    let mut all = Vec::with_capacity(entries.len());
    ask_all(questions, |seen| all.push(seen)).await?;
    let mut findings = Findings::default();
    let mut newer = Vec::new();
    let mut refused = None;
    for (entry, seen) in entries.iter().copied().zip(all) {
        let LockedRestore { name, locked, .. } = entry;
        let resolved = &locked.resolved;
        let CurrentPoint {
            point,
            newest,
            refusal,
        } = seen;
        if let Some(refusal) = refusal {
            refused.get_or_insert((entry, refusal));
        }
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
                rule::LOCK_GONE,
                name,
                format!(
                    "the locked recovery point {gone}: {}",
                    resolved.recovery_point
                ),
                format!("run {}, or use --no-lock", lock.update(&[name.as_str()])),
            ));
            continue;
        }
        if let Some(at) = point.and_then(|point| point.expires_at) {
            findings.extend(expires_soon(lock, name, locked, at, now));
        }
        newer.extend(newest.map(|point| (entry, point)));
    }
    findings.extend(outdated(lock, newer));
    findings.extend(refused.map(|(entry, refusal)| not_looked(lock, entry, &refusal)));
    Ok(findings)
}

/// State of a locked recovery point in the vaults now.
struct CurrentPoint {
    /// The recovery point itself.
    point: Option<RecoveryPoint>,
    /// Recovery point that the selector would pick instead.
    newest: Option<RecoveryPoint>,
    /// Reason that AWS does not list what it would choose from.
    refusal: Option<ApiError>,
}

async fn seen<R: Sources>(
    reader: &R,
    shelves: &PointCache,
    entry: &LockedRestore<'_>,
    now: Timestamp,
) -> Result<CurrentPoint, ApiError> {
    let resolved = &entry.locked.resolved;
    let (offer, refusal) = match shelves.offer(reader, &resolved.selector).await? {
        Ok(offer) => (offer, None),
        Err(refusal) => (Vec::new(), Some(refusal)),
    };
    let newest = newest(&offer, entry, now);
    let is_locked = |point: &RecoveryPoint| {
        point.vault == resolved.vault && point.arn == resolved.recovery_point
    };
    let listed = offer.into_iter().find(is_locked);
    let point = match listed {
        Some(point) => Some(point),
        None => {
            let vault = VaultName {
                name: resolved.vault.clone(),
                account: resolved.selector.vault_account.clone(),
            };
            reader.point(&vault, &resolved.recovery_point).await?
        }
    };
    Ok(CurrentPoint {
        point,
        newest,
        refusal,
    })
}

/// Finds what the selector would pick now, if that was made after what is locked.
fn newest(
    offer: &[RecoveryPoint],
    entry: &LockedRestore<'_>,
    now: Timestamp,
) -> Option<RecoveryPoint> {
    let resolved = &entry.locked.resolved;
    if resolved.selector.pick != Pick::Latest {
        return None;
    }
    let run = RunId::new("");
    let asked = Selection {
        selector: &resolved.selector,
        resource_type: &entry.resource_type,
        start: now,
        // The run and the restore decide about `pick: random` alone.
        run: &run,
        restore: &RestoreName::default(),
    };
    let point = select(offer, &asked).ok()?;
    (point.arn != resolved.recovery_point && point.created_at > resolved.created_at)
        .then(|| point.clone())
}

/// Reports that newer recovery points exist: of many, the first few one by one.
fn outdated(lock: &Lock, newer: Vec<(&LockedRestore<'_>, RecoveryPoint)>) -> Findings {
    const SHOWN: usize = 10;
    let left = newer.len().saturating_sub(SHOWN);
    let say = |(entry, point): (&LockedRestore<'_>, RecoveryPoint)| {
        let (name, resolved) = (&entry.name, &entry.locked.resolved);
        let by = resolved.by_lock().unwrap_or_default();
        let made = |at: Option<Timestamp>| at.map_or_else(String::new, |at| format!(", made {at}"));
        about(
            lock,
            entry.locked.point_span,
            rule::LOCK_NEWER,
            name,
            format!(
                "{by}, it is {}{}; a newer recovery point exists: {}{}",
                resolved.recovery_point,
                made(resolved.created_at),
                point.arn,
                made(point.created_at)
            ),
            format!(
                "run {}, or use --no-lock, to restore the newer one",
                lock.update(&[name.as_str()])
            ),
        )
    };
    let mut findings: Findings = newer.into_iter().take(SHOWN).map(say).collect();
    if left > 0 {
        findings.push(Finding::at(
            &lock.source,
            lock.start(),
            rule::LOCK_NEWER,
            format!("newer recovery points exist of {left} more restores of this lock file"),
            format!(
                "run {}, or use --no-lock, to restore the newer ones",
                lock.update(&[])
            ),
        ));
    }
    findings
}

/// Reports that AWS does not list what a selector would choose from.
fn not_looked(lock: &Lock, entry: &LockedRestore<'_>, refusal: &ApiError) -> Finding {
    about(
        lock,
        entry.locked.point_span,
        rule::LOCK_UNCHECKED,
        &entry.name,
        format!("whether a newer recovery point exists was not looked up: {refusal}"),
        "use credentials that may list recovery points, or give an inventory with --inventory"
            .to_owned(),
    )
}
