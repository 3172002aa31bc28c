//! The caller: its account, how long it may call, and its permissions.

use super::check::{CheckEvidence, CheckId, CheckList, PreflightVerdict};
use super::memo::Memo;
use super::principal::principal;
use super::subject::PreflightSubject;
use super::unknown;
use crate::backup::ApiError;
use crate::diagnostic::duration;
use crate::ids::TargetIndex;

/// Error codes in a Region that the account has not enabled: AWS's own word for it, and those for the token of another
/// Region
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/CommonErrors.html>,
/// <https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html>).
const NOT_ENABLED: [&str; 3] = [
    "OptInRequired",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
];

pub(super) fn check(subject: &PreflightSubject<'_>, memo: &Memo, checks: &mut CheckList) {
    for at in subject.targets() {
        let Some(answer) = memo.caller(subject.place(at)) else {
            continue;
        };
        let target = subject.target(at);
        let on = |id| subject.on(id, at);
        let (caller, ends) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                refused(error, subject, at, checks);
                continue;
            }
        };
        let region = &target.region;
        let seen = CheckEvidence::new("sts:GetCallerIdentity", &caller.arn);
        let message = format!("Region {region} answers");
        checks.pass(on(CheckId::RegionEnabled), message, seen.clone());
        match caller.account == target.account {
            true => {
                let message = format!("{} calls, of account {}", caller.arn, caller.account);
                checks.pass(on(CheckId::CallerAccount), message, seen.clone());
            }
            false => {
                let message = format!(
                    "the credentials belong to account {}, and the target is account {}",
                    caller.account, target.account
                );
                let help = "use credentials of the target account, give the target an `assume_role_arn`, or correct `target.account`";
                let says = (message, help.to_owned());
                checks.add(
                    on(CheckId::CallerAccount),
                    PreflightVerdict::Fail,
                    says,
                    seen.clone(),
                );
                continue;
            }
        }
        if let Some(ends) = ends {
            let left = ends.duration_since(subject.now);
            let seen = CheckEvidence::new("the credentials", format!("they end at {ends}"));
            let takes = duration(subject.takes.as_secs());
            let left_words = duration(left.as_secs().max(0));
            match left > subject.takes {
                true => {
                    let message = format!(
                        "the session lasts {left_words} more, and the run is likely to take {takes}"
                    );
                    checks.pass(on(CheckId::CallerSession), message, seen);
                }
                false => {
                    let message = format!(
                        "the session of the caller ends in {left_words}, and the run is likely to take {takes}: what runs then continues at AWS, and nothing is started or followed"
                    );
                    let help = "log in again before the run, with a longer session, or credentials that are renewed by themselves";
                    checks.add(
                        on(CheckId::CallerSession),
                        PreflightVerdict::Warn,
                        (message, help.to_owned()),
                        seen,
                    );
                }
            }
        }
    }
}

/// Returns true if the caller of a target is known to be of another account.
pub(super) fn is_elsewhere(
    subject: &PreflightSubject<'_>,
    memo: &Memo,
    target: TargetIndex,
) -> bool {
    let caller = memo.caller(subject.place(target)).and_then(Result::ok);
    caller.is_some_and(|(caller, _)| caller.account != subject.target(target).account)
}

fn refused(
    error: &ApiError,
    subject: &PreflightSubject<'_>,
    at: TargetIndex,
    checks: &mut CheckList,
) {
    let region = &subject.target(at).region;
    let code = error.code.as_deref().unwrap_or_default();
    if NOT_ENABLED.contains(&code) {
        let message = format!(
            "Region {region} is not enabled in the account, or does not know the credentials: {}",
            error.message
        );
        let help = format!(
            "enable the Region (`aws account enable-region --region-name {region}`), and use credentials of its partition"
        );
        let evidence = CheckEvidence::new("sts:GetCallerIdentity", error.to_string());
        let on = subject.on(CheckId::RegionEnabled, at);
        checks.add(on, PreflightVerdict::Fail, (message, help), evidence);
        return;
    }
    let on = subject.on(CheckId::CallerAccount, at);
    unknown(checks, on, "who calls", "sts:GetCallerIdentity", error);
}

/// Returns the principal that IAM simulates for the caller of a target, and its account's place; none where the caller
/// is not known, or cannot be simulated.
pub(super) fn simulated(
    subject: &PreflightSubject<'_>,
    memo: &Memo,
    target: TargetIndex,
) -> Option<(TargetIndex, String)> {
    let (caller, _) = memo.caller(subject.place(target))?.ok()?;
    (caller.account == subject.target(target).account).then_some(())?;
    Some((subject.account_place(target), principal(&caller.arn)?))
}
