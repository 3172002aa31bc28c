//! Restore roles: there, trusted, passable, and allowed what is restored with them; and what the caller needs besides.

use std::collections::{BTreeMap, BTreeSet};

use super::caller::simulated;
use super::check::{CheckEvidence, CheckId, CheckList, CheckPlace, PreflightVerdict};
use super::looks::{Decision, Simulation};
use super::memo::{KnownAnswer, Memo};
use super::policy::{PolicyPrincipal, PolicyQuestion, PolicySays, evaluate};
use super::subject::PreflightSubject;
use super::unknown;
use crate::ids::{Arn, TargetIndex};
use crate::rules::{Facts, TypeNotes};

/// Service that assumes the role.
const BACKUP: &str = "backup.amazonaws.com";
/// Resources of one simulation: IAM limits the length of a request, and not their number.
const AT_ONCE: usize = 100;

pub(super) fn check(subject: &PreflightSubject<'_>, memo: &Memo, checks: &mut CheckList) {
    let mut roles: BTreeSet<(TargetIndex, &str)> = BTreeSet::new();
    for step in subject.steps() {
        let request = &step.draft.request;
        let notes = TypeNotes::of(subject.rules.title(&request.resource_type));
        // SAP HANA is restored without one.
        let has_none = notes.is_some_and(|notes| notes.no_role.is_some());
        if let Some(role) = request.iam_role_arn.as_deref().filter(|_| !has_none) {
            roles.insert((step.target, role));
        }
    }
    for (target, role) in roles {
        if is_of_target(subject, target, role, checks) {
            looked_at(subject, memo, target, role, checks);
            pass(subject, memo, target, role, checks);
            actions(subject, memo, target, role, checks);
        }
    }
    caller_actions(subject, memo, checks);
}

/// Checks that a role is of the account and partition that it restores in.
fn is_of_target(
    subject: &PreflightSubject<'_>,
    target: TargetIndex,
    role: &str,
    checks: &mut CheckList,
) -> bool {
    let of = subject.target(target);
    let on = subject.on(CheckId::RoleAccount, target);
    let evidence = CheckEvidence::new("the ARN of the role", role);
    let partition = crate::validate::partition_of(of.region.as_str()).unwrap_or("aws");
    let why = match Arn::parse(role) {
        None => format!("`{role}` is not the ARN of a role"),
        Some(arn) if arn.account != of.account => format!(
            "the role {role} is of account {}, and the target is account {}: a role can be passed in its own account only",
            arn.account, of.account
        ),
        Some(arn) if arn.partition != partition => format!(
            "the role {role} is of the partition `{}`, and {} is of `{partition}`",
            arn.partition, of.region
        ),
        Some(_) => {
            checks.pass(
                on,
                format!("the role {role} is of the target's account"),
                evidence,
            );
            return true;
        }
    };
    let help = format!(
        "give `iam_role_arn` of the target a role of account {}",
        of.account
    );
    checks.add(on, PreflightVerdict::Fail, (why, help), evidence);
    false
}

/// Checks that the role exists and trusts AWS Backup.
fn looked_at(
    subject: &PreflightSubject<'_>,
    memo: &Memo,
    target: TargetIndex,
    role: &str,
    checks: &mut CheckList,
) {
    let name = Arn::parse(role).map_or(role, |arn| arn.name());
    let on = |id| subject.on(id, target);
    let asked = format!("iam:GetRole {name}");
    let found = match memo.role(subject.account_place(target), name) {
        None => return,
        Some(Err(error)) => {
            let what = format!("the role {role}");
            unknown(checks, on(CheckId::RoleExists), &what, &asked, error);
            unknown(
                checks,
                on(CheckId::RoleTrust),
                &format!("who may assume {role}"),
                &asked,
                error,
            );
            return;
        }
        Some(Ok(found)) => found,
    };
    let Some(found) = found.filter(|found| found.arn == role) else {
        let (message, seen) = match found {
            None => (format!("the role {role} does not exist"), "NoSuchEntity"),
            Some(found) => (
                format!(
                    "the role {role} does not exist: the one of that name is {}",
                    found.arn
                ),
                found.arn.as_str(),
            ),
        };
        let help = "create the role, or correct `iam_role_arn` of the target: `aws iam list-roles` lists those that there are";
        let evidence = CheckEvidence::new(&asked, seen);
        checks.add(
            on(CheckId::RoleExists),
            PreflightVerdict::Fail,
            (message, help.to_owned()),
            evidence,
        );
        return;
    };
    let evidence = CheckEvidence::new(&asked, &found.arn);
    checks.pass(
        on(CheckId::RoleExists),
        format!("the role {role} exists"),
        evidence,
    );
    let account = &subject.target(target).account;
    let context = BTreeMap::from([("aws:SourceAccount", account.to_string())]);
    let question = PolicyQuestion {
        principal: PolicyPrincipal::Service(BACKUP),
        action: "sts:AssumeRole",
        context: &context,
    };
    let says = evaluate(&found.trust, &question);
    let evidence = CheckEvidence::new(&asked, found.trust.to_string());
    let on = on(CheckId::RoleTrust);
    match says {
        PolicySays::Allows => {
            checks.pass(on, format!("the role {role} trusts {BACKUP}"), evidence);
        }
        PolicySays::Depends(keys) => {
            let keys: Vec<String> = keys.into_iter().collect();
            let message = format!(
                "whether the role {role} trusts {BACKUP} depends on {}, which preflight does not know",
                keys.join(", ")
            );
            let help = "check the conditions of its trust policy".to_owned();
            checks.add(on, PreflightVerdict::Unknown, (message, help), evidence);
        }
        PolicySays::LeavesToIam | PolicySays::Denies | PolicySays::Silent => {
            let message =
                format!("the role {role} does not trust {BACKUP}: AWS Backup cannot assume it");
            let help = format!(
                "allow `sts:AssumeRole` to the service `{BACKUP}` in its trust policy (`aws iam update-assume-role-policy --role-name {name}`)"
            );
            checks.add(on, PreflightVerdict::Fail, (message, help), evidence);
        }
    }
}

/// Checks that the caller may pass the role to AWS Backup.
fn pass(
    subject: &PreflightSubject<'_>,
    memo: &Memo,
    target: TargetIndex,
    role: &str,
    checks: &mut CheckList,
) {
    let on = subject.on(CheckId::RolePass, target);
    let Some((place, of)) = simulated(subject, memo, target) else {
        return;
    };
    let simulation = Simulation {
        of: of.clone(),
        actions: vec!["iam:PassRole".to_owned()],
        resources: vec![role.to_owned()],
        context: [("iam:PassedToService".to_owned(), BACKUP.to_owned())].into(),
    };
    let asked = format!("iam:SimulatePrincipalPolicy {of} iam:PassRole {role}");
    match memo.simulated(place, simulation) {
        None => {}
        Some(Err(error)) => {
            let what = format!("whether the caller may pass {role}");
            unknown(checks, on, &what, &asked, error);
        }
        Some(Ok(decisions)) => match decisions.iter().find(|of| !of.is_allowed()) {
            None => {
                checks.pass(
                    on,
                    format!("the caller may pass {role}"),
                    CheckEvidence::new(asked, "allowed"),
                );
            }
            Some(denied) => {
                let message = format!(
                    "{of} may not pass the role {role} to AWS Backup{}",
                    why(denied)
                );
                let help = format!(
                    "allow the caller `iam:PassRole` on {role}, where `iam:PassedToService` is `{BACKUP}`"
                );
                let evidence = CheckEvidence::new(asked, &denied.says);
                checks.add(on, verdict(denied), (message, help), evidence);
            }
        },
    }
}

/// Tells who denies, where IAM says so.
fn why(denied: &Decision) -> String {
    match (denied.by, denied.says.as_str()) {
        (Some(by), _) => format!(", because of {by}"),
        (None, "explicitDeny") => ", because a policy denies it".to_owned(),
        (None, _) => String::new(),
    }
}

/// Returns the verdict: a denial is not final if it depends on conditions known only when it happens.
fn verdict(denied: &Decision) -> PreflightVerdict {
    // The roles that it passes on are known only when it does.
    let is_passed = denied.action == "iam:PassRole" && denied.resource.contains('*');
    match !is_passed && denied.missing.is_empty()
        || denied.says == "explicitDeny" && denied.by.is_none()
    {
        true => PreflightVerdict::Fail,
        false => PreflightVerdict::Warn,
    }
}

/// Checks that the role may do what its types need.
fn actions(
    subject: &PreflightSubject<'_>,
    memo: &Memo,
    target: TargetIndex,
    role: &str,
    checks: &mut CheckList,
) {
    let needed = super::needed::of_role(subject, role);
    let who = Simulated {
        place: subject.account_place(target),
        of: role,
        called: format!("the role {role}"),
    };
    let on = subject.on(CheckId::RoleActions, target);
    may(memo, &who, &needed, on, checks);
}

/// Checks that the caller may do what this very plan needs.
fn caller_actions(subject: &PreflightSubject<'_>, memo: &Memo, checks: &mut CheckList) {
    let mut seen = BTreeSet::new();
    for target in subject.targets() {
        let Some((place, of)) = simulated(subject, memo, target) else {
            continue;
        };
        // Targets of one caller are asked about together.
        if !seen.insert((place, of.clone())) {
            continue;
        }
        let needed = super::needed::of_caller(subject, target);
        let who = Simulated {
            place,
            of: &of,
            called: of.clone(),
        };
        let on = subject.on(CheckId::CallerActions, target);
        may(memo, &who, &needed, on, checks);
    }
}

/// Permissions that somebody needs for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) actions: Vec<String>,
    /// Actions have to be allowed on all of these,
    pub(super) resources: Vec<String>,
    /// and on any of these, where there are some.
    pub(super) alternatives: Vec<String>,
    pub(super) context: BTreeMap<String, String>,
    pub(super) why: String,
    /// True if nothing is restored without it.
    pub(super) is_vital: bool,
}

/// Principal that IAM simulates.
struct Simulated<'a> {
    place: TargetIndex,
    of: &'a str,
    called: String,
}

/// Simulates what somebody needs; one line for each reason that is denied.
fn may(
    memo: &Memo,
    who: &Simulated<'_>,
    needed: &[Needed],
    on: CheckPlace<'_>,
    checks: &mut CheckList,
) {
    let (mut is_known, mut count) = (true, 0);
    for need in needed {
        let asked = format!(
            "iam:SimulatePrincipalPolicy {} {}",
            who.of,
            need.actions.join(" ")
        );
        match denied(memo, who, need) {
            None => is_known = false,
            Some(Err(error)) => {
                let what = format!("what {} may do", who.called);
                unknown(checks, on, &what, "iam:SimulatePrincipalPolicy", error);
                is_known = false;
            }
            Some(Ok(denied)) => match denied.first() {
                None => count += need.actions.len(),
                Some(first) => {
                    is_known = false;
                    let says = said(who, need, &denied);
                    let verdict = match need.is_vital {
                        true => verdict(first),
                        false => PreflightVerdict::Warn,
                    };
                    checks.add(on, verdict, says, CheckEvidence::new(asked, &first.says));
                }
            },
        }
    }
    if is_known && count > 0 {
        let message = format!("{} may do what is needed of it", who.called);
        let seen = format!("{count} actions allowed");
        checks.pass(
            on,
            message,
            CheckEvidence::new("iam:SimulatePrincipalPolicy", seen),
        );
    }
}

fn said(who: &Simulated<'_>, need: &Needed, denied: &[&Decision]) -> (String, String) {
    let actions: BTreeSet<&str> = denied.iter().map(|of| of.action.as_str()).collect();
    let actions = actions.into_iter().collect::<Vec<_>>().join(", ");
    let on_what = match denied.first().map_or("", |of| of.resource.as_str()) {
        "" | "*" => String::new(),
        resource => format!(" on {resource}"),
    };
    let because = denied.first().map(|of| why(of)).unwrap_or_default();
    let message = format!(
        "{} may not do {actions}{on_what}{because}, which is needed: it {}",
        who.called, need.why
    );
    let resources: Vec<&String> = need.resources.iter().chain(&need.alternatives).collect();
    let help = match resources.as_slice() {
        [] => format!("allow it {actions}: `redrill iam` prints the policy"),
        [one] => format!("allow it {actions} on {one}: `redrill iam` prints the policy"),
        [one, ..] => {
            format!("allow it {actions} on {one} and others: `redrill iam` prints the policy")
        }
    };
    (message, help)
}

/// The decisions that deny what is needed; none while nobody knows.
fn denied<'m>(
    memo: &'m Memo,
    who: &Simulated<'_>,
    need: &Needed,
) -> KnownAnswer<'m, Vec<&'m Decision>> {
    let asked = |resources: &[String]| {
        let simulation = Simulation {
            of: who.of.to_owned(),
            actions: need.actions.clone(),
            resources: resources.to_vec(),
            context: need.context.clone(),
        };
        memo.simulated(who.place, simulation)
    };
    let mut denied: Vec<&Decision> = Vec::new();
    let mut is_known = true;
    for resources in need.resources.chunks(AT_ONCE) {
        match asked(resources) {
            None => is_known = false,
            Some(Err(error)) => return Some(Err(error)),
            Some(Ok(all)) => denied.extend(all.iter().filter(|of| !of.is_allowed())),
        }
    }
    if !need.alternatives.is_empty() {
        match asked(&need.alternatives) {
            None => is_known = false,
            Some(Err(error)) => return Some(Err(error)),
            Some(Ok(all)) => {
                for action in &need.actions {
                    let is_it = |of: &&Decision| of.action.eq_ignore_ascii_case(action);
                    if !all.iter().filter(is_it).any(Decision::is_allowed) {
                        denied.extend(all.iter().find(is_it));
                    }
                }
            }
        }
    }
    is_known.then_some(Ok(denied))
}

/// Returns the first service that a type calls: the one that uses keys for it.
pub(super) fn service_of(facts: Option<&Facts>) -> &str {
    let first = facts.and_then(|facts| facts.services.first());
    first.map_or("backup", String::as_str)
}
