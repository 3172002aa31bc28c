//! KMS keys of requests: there, enabled, and usable by the restore role.

use std::collections::BTreeMap;

use serde_json::Value;

use super::arn::ArnParts;
use super::check::{CheckId, CheckList, Evidence, On, Verdict};
use super::looks::Simulation;
use super::memo::Memo;
use super::policy::{PolicyPrincipal, PolicyQuestion, PolicySays, evaluate};
use super::roles::service_of;
use super::subject::Subject;
use super::unknown;
use crate::backup::Fault;
use crate::plan::Step;
use crate::rules::{Facts, Wall, WallRead, common};
use crate::validate::NamedValue;

/// The kind of a key, in `walls` of `schemas/common.yaml`.
const KEY: &str = "kms-key";

/// A key of a request, as far as it is known who has it.
struct KeyPlace<'a> {
    /// As the plan has it.
    text: &'a str,
    account: &'a str,
    region: &'a str,
    /// `alias/…`, or the id.
    name: &'a str,
}

impl<'a> KeyPlace<'a> {
    fn of(subject: &'a Subject<'_>, step: &Step, named: &'a NamedValue) -> Self {
        let target = subject.target(step.target);
        let text = named.text.as_str();
        let region = named.region.as_deref().unwrap_or(&target.region);
        match ArnParts::of(text) {
            Some(arn) => Self {
                text,
                account: arn.account,
                region: arn.region,
                name: arn.resource.strip_prefix("key/").unwrap_or(arn.resource),
            },
            None => Self {
                text,
                account: &target.account,
                region,
                name: text,
            },
        }
    }

    /// The target whose account and Region has it.
    fn target(&self, subject: &Subject<'_>) -> Option<usize> {
        let mut targets = subject.plan.targets.iter();
        targets.position(|target| target.account == self.account && target.region == self.region)
    }
}

pub(super) fn check(subject: &Subject<'_>, memo: &Memo, checks: &mut CheckList) {
    let Some(reads) = Wall::named(KEY).and_then(|wall| wall.kind.reads.as_ref()) else {
        return;
    };
    for step in subject.steps() {
        for named in subject.named(step) {
            if named.kind == KEY {
                let key = KeyPlace::of(subject, step, &named);
                of_key(subject, memo, step, &named, &key, reads, checks);
            }
        }
    }
}

fn of_key(
    subject: &Subject<'_>,
    memo: &Memo,
    step: &Step,
    named: &NamedValue,
    key: &KeyPlace<'_>,
    reads: &WallRead,
    checks: &mut CheckList,
) {
    let target = subject.target(step.target);
    let wanted = named.region.as_deref().unwrap_or(&target.region);
    let on = |id| subject.on_key(id, step, &named.key);
    let text = key.text;
    if key.region != wanted {
        let message = format!(
            "the KMS key {text} is of {}, and the restore is in {wanted}",
            key.region
        );
        let help = format!("give a key of {wanted}: `aws kms list-aliases --region {wanted}`");
        let evidence = Evidence::new("the ARN of the key", text);
        checks.add(
            on(CheckId::KeyRegion),
            Verdict::Fail,
            (message, help),
            evidence,
        );
        return;
    }
    if ArnParts::of(text).is_some() {
        let evidence = Evidence::new("the ARN of the key", text);
        checks.pass(
            on(CheckId::KeyRegion),
            format!("the KMS key {text} is of {wanted}"),
            evidence,
        );
    }
    let Some(owner) = key.target(subject) else {
        let message = format!(
            "the KMS key {text} is of account {}, where nobody looks for this plan: it has to be enabled, and its policy has to allow the restore role",
            key.account
        );
        let help = format!("ask account {} whether it is so", key.account);
        let evidence = Evidence::new("the ARN of the key", text);
        checks.add(
            on(CheckId::KeyExists),
            Verdict::Unknown,
            (message, help),
            evidence,
        );
        return;
    };
    let place = subject.place(owner);
    let mut id = key.name.to_owned();
    if let (true, Some(alias)) = (key.name.starts_with("alias/"), &reads.alias) {
        // Keys of AWS's own are made when they are first used
        // (<https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk>).
        if key.name.starts_with("alias/aws/") {
            let evidence = Evidence::new("the name of the alias", key.name);
            checks.pass(
                on(CheckId::KeyExists),
                format!("the KMS key {text} is AWS's own"),
                evidence,
            );
            return;
        }
        match there(
            memo,
            place,
            on(CheckId::KeyExists),
            text,
            (alias, key.name),
            checks,
        ) {
            Some(found) => {
                let of = found["TargetKeyId"].as_str().unwrap_or_default();
                of.rsplit('/').next().unwrap_or(of).clone_into(&mut id);
            }
            None => return,
        }
    }
    let Some(found) = there(
        memo,
        place,
        on(CheckId::KeyExists),
        text,
        (&reads.r#type, &id),
        checks,
    ) else {
        return;
    };
    let asked = format!("cloudformation:GetResource {} {id}", reads.r#type);
    let evidence = Evidence::new(&asked, format!("Enabled: {}", found["Enabled"]));
    if found["Enabled"] == Value::Bool(false) {
        let message = format!("the KMS key {text} is disabled, or waits for its deletion");
        let help = format!(
            "`aws kms enable-key --key-id {id}` (`cancel-key-deletion` first where it waits for that), or give another key"
        );
        checks.add(
            on(CheckId::KeyEnabled),
            Verdict::Fail,
            (message, help),
            evidence,
        );
        return;
    }
    checks.pass(
        on(CheckId::KeyEnabled),
        format!("the KMS key {text} is enabled"),
        evidence,
    );
    allowed(
        subject,
        memo,
        step,
        (key, &id),
        found,
        on(CheckId::KeyAllowed),
        checks,
    );
}

/// The properties of a resource; where it is not there, or cannot be looked at, that is said.
fn there<'m>(
    memo: &'m Memo,
    place: usize,
    on: On<'_>,
    text: &str,
    (type_name, id): (&str, &str),
    checks: &mut CheckList,
) -> Option<&'m Value> {
    let asked = format!("cloudformation:GetResource {type_name} {id}");
    match memo.resource(place, type_name, id)? {
        Ok(Some(found)) => {
            let seen = Evidence::new(asked, id);
            checks.pass(on, format!("the KMS key {text} exists"), seen);
            Some(found)
        }
        Ok(None) => {
            let message = format!("the KMS key {text} does not exist");
            let help =
                "give a key that exists: `aws kms list-aliases` and `aws kms list-keys` list them"
                    .to_owned();
            checks.add(
                on,
                Verdict::Fail,
                (message, help),
                Evidence::new(asked, "ResourceNotFoundException"),
            );
            None
        }
        Err(error) => {
            unknown(checks, on, &format!("the KMS key {text}"), &asked, error);
            None
        }
    }
}

/// Whether the restore role may use it: by the key's policy, and where that leaves it to IAM, by the role's own.
fn allowed(
    subject: &Subject<'_>,
    memo: &Memo,
    step: &Step,
    (key, id): (&KeyPlace<'_>, &str),
    found: &Value,
    on: On<'_>,
    checks: &mut CheckList,
) {
    let request = &step.draft.request;
    let (Some(role), text) = (request.iam_role_arn.as_deref(), key.text) else {
        return;
    };
    let target = subject.target(step.target);
    let facts = Facts::of(subject.rules.title(&request.resource_type));
    let via = format!("{}.{}.amazonaws.com", service_of(facts), target.region);
    let context = BTreeMap::from([
        ("kms:viaservice", via.clone()),
        ("kms:calleraccount", target.account.clone()),
        ("kms:grantisforawsresource", "true".to_owned()),
        ("aws:principalarn", role.to_owned()),
        ("aws:principalaccount", target.account.clone()),
    ]);
    let actions = facts.and_then(|facts| facts.key_actions.as_ref());
    let actions = actions.unwrap_or(&common().key_actions);
    let policy = &found["KeyPolicy"];
    let mut left_to_iam = false;
    for action in actions {
        let question = PolicyQuestion {
            principal: PolicyPrincipal::Arn(role, &target.account),
            action,
            context: &context,
        };
        let evidence = Evidence::new(
            format!("the policy of the KMS key {id}"),
            policy.to_string(),
        );
        let (verdict, message) = match evaluate(policy, &question) {
            PolicySays::Allows => continue,
            PolicySays::LeavesToIam => {
                left_to_iam = true;
                continue;
            }
            // Not every caller sees it.
            PolicySays::Silent if policy.is_null() => {
                left_to_iam = true;
                continue;
            }
            PolicySays::Depends(keys) => {
                let keys: Vec<String> = keys.into_iter().collect();
                let message = format!(
                    "whether the policy of the KMS key {text} allows {role} {action} depends on {}, which preflight does not know",
                    keys.join(", ")
                );
                (Verdict::Unknown, message)
            }
            PolicySays::Denies => (
                Verdict::Fail,
                format!("the policy of the KMS key {text} denies {role} {action}"),
            ),
            PolicySays::Silent => (
                Verdict::Fail,
                format!("the policy of the KMS key {text} does not allow {role} {action}"),
            ),
        };
        let help = format!(
            "allow {role} {} in the policy of the key, or give it a grant",
            actions.join(", ")
        );
        checks.add(on, verdict, (message, help), evidence);
        return;
    }
    // A key of another account asks the role's own policies as well.
    if !left_to_iam && key.account == target.account {
        let message = format!("the policy of the KMS key {text} allows {role} to use it");
        checks.pass(
            on,
            message,
            Evidence::new(
                format!("the policy of the KMS key {id}"),
                policy.to_string(),
            ),
        );
        return;
    }
    let arn = format!(
        "arn:{}:kms:{}:{}:key/{id}",
        role.split(':').nth(1).unwrap_or("aws"),
        key.region,
        key.account
    );
    let simulation = Simulation {
        of: role.to_owned(),
        actions: actions.clone(),
        resources: vec![arn.clone()],
        context: [
            ("kms:ViaService".to_owned(), via),
            ("kms:CallerAccount".to_owned(), target.account.clone()),
            ("kms:GrantIsForAWSResource".to_owned(), "true".to_owned()),
        ]
        .into(),
    };
    let asked = format!(
        "iam:SimulatePrincipalPolicy {role} {} {arn}",
        actions.join(" ")
    );
    match memo.simulated(subject.account_place(step.target), simulation) {
        None => {}
        // That the role is not there is said elsewhere.
        Some(Err(error)) if error.fault == Fault::Refused => {}
        Some(Err(error)) => {
            let what = format!("whether {role} may use the KMS key {text}");
            unknown(checks, on, &what, &asked, error);
        }
        Some(Ok(decisions)) => match decisions.iter().find(|of| !of.is_allowed()) {
            None => {
                let message = format!("{role} may use the KMS key {text}");
                checks.pass(on, message, Evidence::new(asked, "allowed"));
            }
            Some(denied) => {
                let message = format!(
                    "{role} may not use the KMS key {text}: its policies do not allow {}",
                    denied.action
                );
                let help = format!("allow the role {} on {arn}", actions.join(", "));
                checks.add(
                    on,
                    Verdict::Fail,
                    (message, help),
                    Evidence::new(asked, &denied.says),
                );
            }
        },
    }
}
