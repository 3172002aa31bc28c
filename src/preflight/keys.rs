//! KMS keys of requests: there, enabled, and usable by the restore role.

use serde_json::Value;

use super::check::{CheckEvidence, CheckId, CheckList, CheckPlace, PreflightVerdict};
use super::key_use::UsedKey;
use super::memo::Memo;
use super::subject::PreflightSubject;
use super::unknown;
use crate::ids::{Arn, TargetIndex};
use crate::plan::Step;
use crate::rules::WallRead;
use crate::validate::NamedValue;

/// The kind of a key, in `walls` of `schemas/common.yaml`.
const KEY: &str = "kms-key";

/// A key of a request, as far as it is known who has it.
struct KeyPlace<'a> {
    /// Key as the plan has it.
    text: &'a str,
    account: &'a str,
    region: &'a str,
    /// `alias/…`, or the id.
    name: &'a str,
}

impl<'a> KeyPlace<'a> {
    fn of(subject: &'a PreflightSubject<'_>, step: &Step, named: &'a NamedValue) -> Self {
        let target = subject.target(step.target);
        let text = named.text.as_str();
        let region = named.region.as_deref().unwrap_or(target.region.as_str());
        match Arn::parse(text) {
            Some(arn) => Self {
                text,
                account: arn.account,
                region: arn.region,
                name: arn.resource.strip_prefix("key/").unwrap_or(arn.resource),
            },
            None => Self {
                text,
                account: target.account.as_str(),
                region,
                name: text,
            },
        }
    }

    /// The target whose account and Region has it.
    fn target(&self, subject: &PreflightSubject<'_>) -> Option<TargetIndex> {
        let targets = &subject.plan.targets;
        targets.position(|target| target.account == self.account && target.region == self.region)
    }
}

pub(super) fn check(subject: &PreflightSubject<'_>, memo: &Memo, checks: &mut CheckList) {
    let Some(reads) = WallRead::of(KEY) else {
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
    subject: &PreflightSubject<'_>,
    memo: &Memo,
    step: &Step,
    named: &NamedValue,
    key: &KeyPlace<'_>,
    reads: &WallRead,
    checks: &mut CheckList,
) {
    let target = subject.target(step.target);
    let wanted = named.region.as_deref().unwrap_or(target.region.as_str());
    let on = |id| subject.on_key(id, step, &named.key);
    let text = key.text;
    if key.region != wanted {
        let message = format!(
            "the KMS key {text} is of {}, and the restore is in {wanted}",
            key.region
        );
        let help = format!("give a key of {wanted}: `aws kms list-aliases --region {wanted}`");
        let evidence = CheckEvidence::new("the ARN of the key", text);
        checks.add(
            on(CheckId::KeyRegion),
            PreflightVerdict::Fail,
            (message, help),
            evidence,
        );
        return;
    }
    if Arn::parse(text).is_some() {
        let evidence = CheckEvidence::new("the ARN of the key", text);
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
        let evidence = CheckEvidence::new("the ARN of the key", text);
        checks.add(
            on(CheckId::KeyExists),
            PreflightVerdict::Unknown,
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
            let evidence = CheckEvidence::new("the name of the alias", key.name);
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
    let evidence = CheckEvidence::new(&asked, format!("Enabled: {}", found["Enabled"]));
    if found["Enabled"] == Value::Bool(false) {
        let message = format!("the KMS key {text} is disabled, or waits for its deletion");
        let help = format!(
            "`aws kms enable-key --key-id {id}` (`cancel-key-deletion` first where it waits for that), or give another key"
        );
        checks.add(
            on(CheckId::KeyEnabled),
            PreflightVerdict::Fail,
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
    let used = UsedKey {
        text,
        id: &id,
        alias: Some(key.name).filter(|name| name.starts_with("alias/")),
        account: key.account,
        region: key.region,
        place,
        policy: &found["KeyPolicy"],
    };
    used.check(subject, memo, step, on(CheckId::KeyAllowed), checks);
}

/// The properties of a resource; where it is not there, or cannot be looked at, that is said.
fn there<'m>(
    memo: &'m Memo,
    place: TargetIndex,
    on: CheckPlace<'_>,
    text: &str,
    (type_name, id): (&str, &str),
    checks: &mut CheckList,
) -> Option<&'m Value> {
    let asked = format!("cloudformation:GetResource {type_name} {id}");
    match memo.resource(place, type_name, id)? {
        Ok(Some(found)) => {
            let seen = CheckEvidence::new(asked, id);
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
                PreflightVerdict::Fail,
                (message, help),
                CheckEvidence::new(asked, "ResourceNotFoundException"),
            );
            None
        }
        Err(error) => {
            unknown(checks, on, &format!("the KMS key {text}"), &asked, error);
            None
        }
    }
}
