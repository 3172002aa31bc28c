//! Recovery points: there, whole, clean, and not about to go.

use super::check::{CheckEvidence, CheckId, CheckList, PreflightVerdict};
use super::looks::PointSeen;
use super::memo::Memo;
use super::subject::PreflightSubject;
use super::unknown;
use crate::backup::ApiError;
use crate::diagnostic::duration;
use crate::plan::Step;
use crate::render::VaultName;
use crate::rules::{Facts, value};

/// Extra time of a restore from cold storage, where no page of the type says more:
/// «Restoring from cold storage typically takes 4 hours more than restoring from warm storage.»
/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-a-backup.html>
const COLD_TAKES: &str =
    "a restore from cold storage typically takes 4 hours more than one from warm storage";

pub(super) fn check(subject: &PreflightSubject<'_>, memo: &Memo, checks: &mut CheckList) {
    for step in subject.steps() {
        if step.draft.waits_for_its_point() || step.draft.selector.is_some() {
            continue;
        }
        if let Some(point) = find(subject, memo, step, checks) {
            judge(subject, step, point, checks);
        }
    }
}

/// The recovery point, out of the vault that is named or the first that has it.
fn find<'m>(
    subject: &PreflightSubject<'_>,
    memo: &'m Memo,
    step: &Step,
    checks: &mut CheckList,
) -> Option<&'m PointSeen> {
    let place = subject.place(step.target);
    let arn = &step.draft.request.recovery_point_arn;
    let on = subject.on_point(CheckId::PointExists, step);
    let vaults: Vec<VaultName> = match step.draft.vault.as_deref() {
        Some(vault) => vec![vault.clone()],
        None => match memo.vaults(place)? {
            Ok(vaults) => vaults
                .iter()
                .map(|vault| VaultName::own(&vault.name))
                .collect(),
            Err(error) => {
                unknown(checks, on, "the vaults", "backup:ListBackupVaults", error);
                return None;
            }
        },
    };
    let mut first: Option<(&VaultName, &ApiError)> = None;
    for vault in &vaults {
        match memo.point(place, vault, arn)? {
            Ok(point) => {
                let message = format!("the recovery point {arn} is in the vault {}", point.vault);
                let asked = format!("backup:DescribeRecoveryPoint {} {arn}", vault.name);
                checks.pass(
                    on,
                    message,
                    CheckEvidence::new(asked, point.status.to_string()),
                );
                return Some(point);
            }
            Err(error) if error.may_mean_absence() && !error.lacks_permission() => {
                first.get_or_insert((vault, error));
            }
            Err(error) => {
                let asked = format!("backup:DescribeRecoveryPoint {} {arn}", vault.name);
                unknown(
                    checks,
                    on,
                    &format!("the recovery point {arn}"),
                    &asked,
                    error,
                );
                return None;
            }
        }
    }
    let names = vaults.first().map_or("", |vault| vault.name.as_str());
    let asked = format!("backup:DescribeRecoveryPoint {names} {arn}");
    let seen = first.map_or_else(|| "no vault".to_owned(), |(_, error)| error.to_string());
    let is_of_vault =
        first.is_some_and(|(_, error)| error.code.as_deref() == Some("AccessDeniedException"));
    let (id, message, help) = match (&vaults[..], is_of_vault) {
        ([vault], true) if step.draft.vault.is_some() => (
            CheckId::PointVault,
            format!(
                "the vault {} does not have the recovery point {arn}, or its access policy keeps the caller out: AWS answers both with AccessDenied",
                owned(vault)
            ),
            "check the ARN and the vault, and its access policy: `aws backup get-backup-vault-access-policy`".to_owned(),
        ),
        ([vault], _) => (
            CheckId::PointExists,
            format!("the vault {} does not have the recovery point {arn}", owned(vault)),
            "check the ARN, the vault, the account and the Region; choose another with a selector: `recovery_point: { vault: …, resource: …, pick: latest }`".to_owned(),
        ),
        ([], _) => (
            CheckId::PointExists,
            format!("the account has no vault in the Region of the target, and so not the recovery point {arn}"),
            "check the account and the Region; of a vault of another account say `recovery_point: { arn: …, vault: …, vault_account: … }`".to_owned(),
        ),
        _ => (
            CheckId::PointExists,
            format!("none of the {} vaults of the account has the recovery point {arn}", vaults.len()),
            "check the ARN, the account and the Region; of a vault of another account say `recovery_point: { arn: …, vault: …, vault_account: … }`".to_owned(),
        ),
    };
    let on = subject.on_point(id, step);
    checks.add(
        on,
        PreflightVerdict::Fail,
        (message, help),
        CheckEvidence::new(asked, seen),
    );
    None
}

fn owned(vault: &VaultName) -> String {
    match &vault.account {
        Some(account) => format!("`{}` of account {account}", vault.name),
        None => format!("`{}`", vault.name),
    }
}

fn judge(subject: &PreflightSubject<'_>, step: &Step, point: &PointSeen, checks: &mut CheckList) {
    let arn = &step.draft.request.recovery_point_arn;
    let asked = || format!("backup:DescribeRecoveryPoint {} {arn}", point.vault);
    let on = |id| subject.on_point(id, step);
    let status = point.status.to_string();
    let seen = CheckEvidence::new(asked(), &status);
    match point.status.is_restorable() {
        true => checks.pass(
            on(CheckId::PointStatus),
            "the recovery point can be restored",
            seen,
        ),
        false => {
            let words = point.status_message.as_deref();
            let words = words.map_or_else(String::new, |words| format!(" ({words})"));
            let message = format!("the recovery point {arn} is {status}{words}");
            let help =
                "choose another recovery point, or wait for one that is being made".to_owned();
            // AWS refuses those that come or go, and says nothing of the others.
            let verdict = match status.as_str() {
                "CREATING" | "DELETING" | "EXPIRED" => PreflightVerdict::Fail,
                _ => PreflightVerdict::Warn,
            };
            checks.add(on(CheckId::PointStatus), verdict, (message, help), seen);
        }
    }
    storage(subject, step, point, asked(), checks);
    expiry(subject, step, point, asked(), checks);
    scan(subject, step, point, asked(), checks);
    if let Some(vault) = step
        .draft
        .vault
        .as_deref()
        .filter(|vault| vault.account.is_some())
    {
        let message = format!(
            "the recovery point is in the vault {}, and the caller sees it",
            owned(vault)
        );
        checks.pass(
            on(CheckId::PointVault),
            message,
            CheckEvidence::new(asked(), &status),
        );
    }
}

fn storage(
    subject: &PreflightSubject<'_>,
    step: &Step,
    point: &PointSeen,
    asked: String,
    checks: &mut CheckList,
) {
    let on = subject.on_point(CheckId::PointStorage, step);
    let class = point.storage_class.as_deref().unwrap_or("WARM");
    let request = &step.draft.request;
    let arn = &request.recovery_point_arn;
    let evidence = CheckEvidence::new(asked, class);
    if class != "COLD" {
        checks.pass(
            on,
            format!("the recovery point is in storage class {class}"),
            evidence,
        );
        return;
    }
    let facts = Facts::of(subject.rules.title(&request.resource_type));
    let cold = facts.and_then(|facts| facts.cold.as_ref());
    let takes = cold.map_or(COLD_TAKES, |cold| cold.takes.as_str());
    let lacks = cold.and_then(|cold| cold.key.as_deref());
    match lacks.filter(|key| value(&request.metadata, key).is_none()) {
        Some(key) => {
            let message = format!(
                "the recovery point {arn} is in cold storage, and the request has no `{key}`"
            );
            let help = format!("add `{key}` to the metadata, such as `{key}: 30`; {takes}");
            checks.add(on, PreflightVerdict::Fail, (message, help), evidence);
        }
        None => {
            let message = format!("the recovery point {arn} is in cold storage: {takes}");
            let help = "take it into account in the objectives, or choose a recovery point in warm storage";
            checks.add(
                on,
                PreflightVerdict::Warn,
                (message, help.to_owned()),
                evidence,
            );
        }
    }
}

fn expiry(
    subject: &PreflightSubject<'_>,
    step: &Step,
    point: &PointSeen,
    asked: String,
    checks: &mut CheckList,
) {
    let on = subject.on_point(CheckId::PointExpiry, step);
    let Some(expires) = point.expires_at else {
        let evidence = CheckEvidence::new(asked, "no date");
        checks.pass(on, "AWS Backup keeps the recovery point", evidence);
        return;
    };
    let arn = &step.draft.request.recovery_point_arn;
    let evidence = CheckEvidence::new(asked, format!("DeleteAt {expires}"));
    let left = expires.duration_since(subject.now);
    let help = "choose a later recovery point, or lengthen its lifecycle: `aws backup update-recovery-point-lifecycle`".to_owned();
    if left.is_negative() || left.is_zero() {
        let message = format!(
            "the recovery point {arn} expired at {expires}: AWS Backup deletes it at any time"
        );
        checks.add(on, PreflightVerdict::Fail, (message, help), evidence);
    } else if left < subject.takes {
        let message = format!(
            "the recovery point {arn} expires at {expires}, in {}, and the run is likely to take {}",
            duration(left.as_secs()),
            duration(subject.takes.as_secs())
        );
        checks.add(on, PreflightVerdict::Warn, (message, help), evidence);
    } else {
        let message = "the recovery point stays until the run has ended";
        checks.pass(on, message, evidence);
    }
}

fn scan(
    subject: &PreflightSubject<'_>,
    step: &Step,
    point: &PointSeen,
    asked: String,
    checks: &mut CheckList,
) {
    let on = subject.on_point(CheckId::PointScan, step);
    let request = &step.draft.request;
    let arn = &request.recovery_point_arn;
    let found: Vec<&str> = point
        .scans
        .iter()
        .flat_map(|scan| scan.findings.iter().map(String::as_str))
        .collect();
    let states: Vec<String> = point
        .scans
        .iter()
        .map(|scan| format!("{} {}", scan.scanner, scan.state))
        .collect();
    if !found.is_empty() {
        let message = format!(
            "a scan found {} in the recovery point {arn}",
            found.join(", ")
        );
        let help =
            "restore an earlier recovery point that is clean; GuardDuty lists what was found"
                .to_owned();
        let seen = format!("{}: {}", states.join(", "), found.join(", "));
        checks.add(
            on,
            PreflightVerdict::Fail,
            (message, help),
            CheckEvidence::new(asked, seen),
        );
        return;
    }
    let facts = Facts::of(subject.rules.title(&request.resource_type));
    let is_scanned = facts.is_some_and(|facts| facts.scanned.is_some());
    let is_clean = point.scans.iter().any(|scan| scan.state == "COMPLETED");
    let evidence = CheckEvidence::new(
        asked,
        match states.is_empty() {
            true => "no scan".to_owned(),
            false => states.join(", "),
        },
    );
    match (is_clean, point.scans.is_empty(), is_scanned) {
        (true, ..) => checks.pass(on, "a scan for malware found nothing in it", evidence),
        // The type is scanned by nobody.
        (false, true, false) => {}
        _ if subject.options.allow_unscanned => {
            checks.pass(
                on,
                "it was not scanned for malware, which --allow-unscanned allows",
                evidence,
            );
        }
        _ => {
            let message = match point.scans.is_empty() {
                true => "the recovery point was not scanned for malware".to_owned(),
                false => format!(
                    "no scan for malware of the recovery point {arn} has come to a result: {}",
                    states.join(", ")
                ),
            };
            let help =
                "scan it (`aws backup start-scan-job`), or give --allow-unscanned".to_owned();
            checks.add(on, PreflightVerdict::Warn, (message, help), evidence);
        }
    }
}
