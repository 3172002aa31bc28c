//! Permission of a restore role to use a KMS key: by the key's policy, by policies of the role where that leaves it to
//! IAM, or by a grant
//! (<https://docs.aws.amazon.com/kms/latest/developerguide/determining-access.html>).

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::{CheckEvidence, CheckList, CheckPlace, PreflightVerdict};
use super::looks::Simulation;
use super::memo::Memo;
use super::policy::{PolicyPrincipal, PolicyQuestion, PolicySays, evaluate};
use super::roles::service_of;
use super::subject::PreflightSubject;
use super::unknown;
use crate::backup::Fault;
use crate::ids::{Arn, TargetIndex};
use crate::plan::Step;
use crate::rules::{Facts, common};

/// A key that a restore would use.
pub(super) struct UsedKey<'a> {
    /// Key as the plan has it.
    pub(super) text: &'a str,
    pub(super) id: &'a str,
    /// The alias that the plan has it by.
    pub(super) alias: Option<&'a str>,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    /// Place where the key is looked up.
    pub(super) place: TargetIndex,
    pub(super) policy: &'a Value,
}

/// Use of a key: by whom, and for what.
struct KeyUse<'a> {
    role: &'a str,
    account: &'a str,
    actions: &'a [String],
    via: String,
}

/// Verdict of the key's policy on all actions together.
enum KeyPolicySays {
    Allows,
    LeavesToIam,
    /// An action, and why it is denied for good.
    Denies(String),
    /// Does not say, so that a grant may allow it.
    Lacks(String),
    Depends(String, String),
}

impl UsedKey<'_> {
    pub(super) fn check(
        &self,
        subject: &PreflightSubject<'_>,
        memo: &Memo,
        step: &Step,
        on: CheckPlace<'_>,
        checks: &mut CheckList,
    ) {
        let request = &step.draft.request;
        let Some(role) = request.iam_role_arn.as_deref() else {
            return;
        };
        let target = subject.target(step.target);
        let facts = Facts::of(subject.rules.title(&request.resource_type));
        let actions = facts.and_then(|facts| facts.key_actions.as_ref());
        let by = KeyUse {
            role,
            account: target.account.as_str(),
            actions: actions.unwrap_or(&common().key_actions),
            via: format!("{}.{}.amazonaws.com", service_of(facts), target.region),
        };
        let (text, policy) = (self.text, || {
            CheckEvidence::new(
                format!("the policy of the KMS key {}", self.id),
                self.policy.to_string(),
            )
        });
        match self.by_policy(&by) {
            // A key of another account asks the role's own policies as well.
            KeyPolicySays::Allows if self.account == target.account => {
                let message = format!("the policy of the KMS key {text} allows {role} to use it");
                checks.pass(on, message, policy());
            }
            KeyPolicySays::Allows | KeyPolicySays::LeavesToIam => {
                let place = subject.account_place(step.target);
                self.by_iam(&by, memo, place, on, checks);
            }
            KeyPolicySays::Denies(action) => {
                let message = format!("the policy of the KMS key {text} denies {role} {action}");
                let help =
                    "take the role out of what the policy of the key denies, or give another key";
                checks.add(
                    on,
                    PreflightVerdict::Fail,
                    (message, help.to_owned()),
                    policy(),
                );
            }
            KeyPolicySays::Lacks(action) => {
                let message =
                    format!("the policy of the KMS key {text} does not allow {role} {action}");
                self.by_grant(&by, memo, message, on, checks);
            }
            KeyPolicySays::Depends(action, keys) => {
                let message = format!(
                    "whether the policy of the KMS key {text} allows {role} {action} depends on {keys}, which preflight does not know"
                );
                let help = "check the conditions of the policy of the key".to_owned();
                checks.add(on, PreflightVerdict::Unknown, (message, help), policy());
            }
        }
    }

    fn by_policy(&self, by: &KeyUse<'_>) -> KeyPolicySays {
        let mut context = self.context(by);
        context.extend([
            ("aws:PrincipalArn", by.role.to_owned()),
            ("aws:PrincipalAccount", by.account.to_owned()),
        ]);
        let mut says = KeyPolicySays::Allows;
        for action in by.actions {
            let question = PolicyQuestion {
                principal: PolicyPrincipal::Arn(by.role, by.account),
                action,
                context: &context,
            };
            match evaluate(self.policy, &question) {
                PolicySays::Allows => {}
                PolicySays::LeavesToIam => says = KeyPolicySays::LeavesToIam,
                // Not every caller sees it.
                PolicySays::Silent if self.policy.is_null() => says = KeyPolicySays::LeavesToIam,
                PolicySays::Denies => return KeyPolicySays::Denies(action.clone()),
                PolicySays::Silent => return KeyPolicySays::Lacks(action.clone()),
                PolicySays::Depends(keys) => {
                    let keys: Vec<String> = keys.into_iter().collect();
                    return KeyPolicySays::Depends(action.clone(), keys.join(", "));
                }
            }
        }
        says
    }

    /// Condition keys of a use of the key
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>). Of its aliases one is known at most.
    fn context(&self, by: &KeyUse<'_>) -> BTreeMap<&'static str, String> {
        let alias = self
            .alias
            .map(|alias| ("kms:ResourceAliases", alias.to_owned()));
        let of_use = [
            ("kms:ViaService", by.via.clone()),
            ("kms:CallerAccount", by.account.to_owned()),
            ("kms:GrantIsForAWSResource", "true".to_owned()),
        ];
        of_use.into_iter().chain(alias).collect()
    }

    fn arn(&self, role: &str) -> String {
        let partition = Arn::partition_of(role);
        let Self {
            id,
            account,
            region,
            ..
        } = self;
        format!("arn:{partition}:kms:{region}:{account}:key/{id}")
    }

    fn by_iam(
        &self,
        by: &KeyUse<'_>,
        memo: &Memo,
        place: TargetIndex,
        on: CheckPlace<'_>,
        checks: &mut CheckList,
    ) {
        let (role, text, arn) = (by.role, self.text, self.arn(by.role));
        let context = self.context(by).into_iter();
        let simulation = Simulation {
            of: role.to_owned(),
            actions: by.actions.to_vec(),
            resources: vec![arn.clone()],
            context: context
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        };
        let asked = format!(
            "iam:SimulatePrincipalPolicy {role} {} {arn}",
            by.actions.join(" ")
        );
        match memo.simulated(place, simulation) {
            None => {}
            // A missing role is reported elsewhere.
            Some(Err(error)) if error.fault == Fault::Refused => {}
            Some(Err(error)) => {
                let what = format!("whether {role} may use the KMS key {text}");
                unknown(checks, on, &what, &asked, error);
            }
            Some(Ok(decisions)) => match decisions.iter().find(|of| !of.is_allowed()) {
                None => {
                    let message = format!("{role} may use the KMS key {text}");
                    checks.pass(on, message, CheckEvidence::new(asked, "allowed"));
                }
                Some(denied) => {
                    let message = format!(
                        "{role} may not use the KMS key {text}: its policies do not allow {}",
                        denied.action
                    );
                    match denied.says.as_str() {
                        "explicitDeny" => {
                            let help =
                                format!("take {arn} out of what the policies of the role deny");
                            let evidence = CheckEvidence::new(asked, &denied.says);
                            checks.add(on, PreflightVerdict::Fail, (message, help), evidence);
                        }
                        _ if !denied.missing.is_empty() => {
                            let message = format!(
                                "whether the policies of {role} allow {} on the KMS key {text} depends on {}, which preflight does not know",
                                denied.action,
                                denied.missing.join(", ")
                            );
                            let help =
                                "check the conditions of the policies of the role".to_owned();
                            let evidence = CheckEvidence::new(asked, &denied.says);
                            checks.add(on, PreflightVerdict::Warn, (message, help), evidence);
                        }
                        _ => self.by_grant(by, memo, message, on, checks),
                    }
                }
            },
        }
    }

    /// Checks whether a grant allows what no policy allows.
    fn by_grant(
        &self,
        by: &KeyUse<'_>,
        memo: &Memo,
        lacks: String,
        on: CheckPlace<'_>,
        checks: &mut CheckList,
    ) {
        let arn = self.arn(by.role);
        let asked = format!("kms:ListGrants {arn}");
        let help = format!(
            "allow {} {} on {arn}, in the policy of the key or of the role, or by a grant",
            by.role,
            by.actions.join(", ")
        );
        match memo.grants(self.place, &arn) {
            None => {}
            Some(Err(error)) => {
                let what = format!("{lacks}; whether a grant does");
                unknown(checks, on, &what, &asked, error);
            }
            Some(Ok(grants)) => {
                let is_granted = |action: &String| {
                    let operation = action.trim_start_matches("kms:");
                    grants.iter().any(|grant| {
                        grant.grantee == by.role
                            && grant.operations.iter().any(|of| of == operation)
                    })
                };
                let seen = format!("{} grants", grants.len());
                match by.actions.iter().all(is_granted) {
                    true => {
                        let message = format!(
                            "a grant allows {} to use the KMS key {}",
                            by.role, self.text
                        );
                        checks.pass(on, message, CheckEvidence::new(asked, seen));
                    }
                    false => {
                        let says = (format!("{lacks}, and no grant does"), help);
                        checks.add(
                            on,
                            PreflightVerdict::Fail,
                            says,
                            CheckEvidence::new(asked, seen),
                        );
                    }
                }
            }
        }
    }
}
