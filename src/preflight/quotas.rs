//! Quotas of the services: what there is, and what the plan adds; and how many restores AWS runs at once.

use std::collections::BTreeMap;

use super::check::{CheckEvidence, CheckId, CheckList, PreflightVerdict};
use super::memo::Memo;
use super::subject::PreflightSubject;
use super::unknown;
use crate::ids::TargetIndex;
use crate::rules::{Facts, RestoreQuota};

pub(super) fn check(subject: &PreflightSubject<'_>, memo: &Memo, checks: &mut CheckList) {
    let mut added: BTreeMap<(TargetIndex, &str, &str), (u64, &'static RestoreQuota)> =
        BTreeMap::new();
    let mut of_type: BTreeMap<(TargetIndex, &str), u64> = BTreeMap::new();
    for step in subject.steps() {
        let request = &step.draft.request;
        let title = subject.rules.title(&request.resource_type);
        let Some(facts) = Facts::of(title) else {
            continue;
        };
        let place = subject.place(step.target);
        for quota in facts
            .quotas
            .iter()
            .filter(|quota| quota.condition.holds(&request.metadata))
        {
            let entry = added.entry((place, quota.service.as_str(), quota.code.as_str()));
            entry.or_insert((0, quota)).0 += 1;
        }
        if facts.at_once.is_some() {
            *of_type.entry((place, title)).or_default() += 1;
        }
    }
    for ((place, ..), (adds, quota)) in added {
        service(subject, memo, place, adds, quota, checks);
    }
    for ((place, title), count) in of_type {
        let Some(at_once) = Facts::of(title).and_then(|facts| facts.at_once.as_ref()) else {
            continue;
        };
        let most = at_once.restores;
        let on = subject.on(CheckId::QuotaConcurrent, place);
        let evidence = CheckEvidence::new(
            "AWS's documentation",
            format!("{most} at once, and the plan has {count}"),
        );
        let message = match count > u64::from(most) {
            true => format!(
                "AWS runs {most} restores of {title} at once: redrill starts no more, and {count} take turns"
            ),
            false => {
                format!("AWS runs {most} restores of {title} at once, and the plan has {count}")
            }
        };
        checks.pass(on, message, evidence);
    }
}

fn service(
    subject: &PreflightSubject<'_>,
    memo: &Memo,
    place: TargetIndex,
    adds: u64,
    quota: &RestoreQuota,
    checks: &mut CheckList,
) {
    let on = subject.on(CheckId::QuotaService, place);
    let RestoreQuota {
        service,
        code,
        counts,
        ..
    } = quota;
    let asked = format!(
        "servicequotas:GetServiceQuota {service} {code}, cloudformation:ListResources {counts}"
    );
    let what = format!("the quota {service}/{code}");
    let applied = match memo.quota(place, service, code) {
        None => return,
        Some(Ok(Some(applied))) => applied,
        // Nothing is said of a quota that the partition does not have.
        Some(Ok(None)) => return,
        Some(Err(error)) => return unknown(checks, on, &what, &asked, error),
    };
    let used = match memo.count(place, counts) {
        None => return,
        Some(Ok(used)) => used,
        Some(Err(error)) => return unknown(checks, on, &what, &asked, error),
    };
    let (name, value) = (&applied.name, applied.value);
    let evidence = CheckEvidence::new(asked, format!("{value} applied, {used} used, {adds} added"));
    let left = value - used as f64;
    if adds as f64 > left {
        let message = format!(
            "the quota «{name}» ({service}/{code}) is {value}, {used} are used, and the plan adds {adds}"
        );
        let help = format!(
            "ask for more (`aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} --desired-value {}`), or delete what is not needed",
            used + adds
        );
        checks.add(on, PreflightVerdict::Fail, (message, help), evidence);
    } else {
        let message =
            format!("the quota «{name}» is {value}, {used} are used, and the plan adds {adds}");
        checks.pass(on, message, evidence);
    }
}
