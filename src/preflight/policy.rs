//! Policies of resources, as far as they can be judged from outside: who may assume a role, and who may use a key. IAM simulates
//! neither for roles (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Question to a policy: who asks, for what, and what is known of the request.
pub(super) struct PolicyQuestion<'a> {
    /// The service, or the ARN of the role or user.
    pub(super) principal: PolicyPrincipal<'a>,
    pub(super) action: &'a str,
    /// Condition keys that are known.
    pub(super) context: &'a BTreeMap<&'static str, String>,
}

#[derive(Clone, Copy)]
pub(super) enum PolicyPrincipal<'a> {
    Service(&'a str),
    /// A role or a user, and its account.
    Arn(&'a str, &'a str),
}

/// Verdict of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PolicySays {
    Allows,
    /// The account as a whole is allowed: policies of the principal decide.
    LeavesToIam,
    Denies,
    /// Nothing in it is about the principal.
    Silent,
    /// Depends on condition keys that are not known here.
    Depends(BTreeSet<String>),
}

/// Answer of one statement to a question.
#[derive(Debug, PartialEq, Eq)]
enum Matched {
    Yes,
    Account,
    No,
    Depends(BTreeSet<String>),
}

/// Judges a question by a policy.
pub(super) fn evaluate(policy: &Value, question: &PolicyQuestion<'_>) -> PolicySays {
    let text;
    let policy = match policy {
        Value::String(json) => {
            text = serde_json::from_str::<Value>(json).unwrap_or_default();
            &text
        }
        other => other,
    };
    let (mut allows, mut account, mut depends) = (false, false, BTreeSet::new());
    for statement in listed(&policy["Statement"]) {
        let is_deny = statement["Effect"] == "Deny";
        match (matched(statement, question), is_deny) {
            (Matched::Yes | Matched::Account, true) => return PolicySays::Denies,
            (Matched::Yes, false) => allows = true,
            (Matched::Account, false) => account = true,
            (Matched::Depends(keys), _) => depends.extend(keys),
            (Matched::No, _) => {}
        }
    }
    match () {
        () if allows => PolicySays::Allows,
        () if account => PolicySays::LeavesToIam,
        () if !depends.is_empty() => PolicySays::Depends(depends),
        () => PolicySays::Silent,
    }
}

/// The items of what may be one of them.
fn listed(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        other => std::slice::from_ref(other),
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    listed(value).iter().filter_map(Value::as_str)
}

fn matched(statement: &Value, question: &PolicyQuestion<'_>) -> Matched {
    let has_action = match (&statement["Action"], &statement["NotAction"]) {
        (Value::Null, not) => !texts(not).any(|pattern| fits(pattern, question.action, true)),
        (of, _) => texts(of).any(|pattern| fits(pattern, question.action, true)),
    };
    if !has_action {
        return Matched::No;
    }
    let of = |principals: &Value| -> Matched {
        if principals == "*" || texts(&principals["AWS"]).any(|text| text == "*") {
            return Matched::Yes;
        }
        match question.principal {
            PolicyPrincipal::Service(name) => {
                match texts(&principals["Service"]).any(|text| text == name) {
                    true => Matched::Yes,
                    false => Matched::No,
                }
            }
            PolicyPrincipal::Arn(arn, account) => {
                let is_account = |text: &str| {
                    text == account || text.ends_with(&format!(":iam::{account}:root"))
                };
                let mut all = texts(&principals["AWS"]);
                match () {
                    () if texts(&principals["AWS"]).any(|text| text == arn) => Matched::Yes,
                    () if all.any(is_account) => Matched::Account,
                    () => Matched::No,
                }
            }
        }
    };
    let principal = match (&statement["Principal"], &statement["NotPrincipal"]) {
        (Value::Null, not) => match of(not) {
            Matched::No => Matched::Yes,
            _ => Matched::No,
        },
        (principals, _) => of(principals),
    };
    if principal == Matched::No {
        return Matched::No;
    }
    let mut unknown = BTreeSet::new();
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    for (operator, keys) in conditions {
        for (key, wanted) in keys.as_object().into_iter().flatten() {
            match condition(operator, key, wanted, question.context) {
                Some(true) => {}
                Some(false) => return Matched::No,
                None => {
                    unknown.insert(key.clone());
                }
            }
        }
    }
    match unknown.is_empty() {
        true => principal,
        false => Matched::Depends(unknown),
    }
}

/// Evaluates a condition; none where the result is not known.
fn condition(
    operator: &str,
    key: &str,
    wanted: &Value,
    context: &BTreeMap<&'static str, String>,
) -> Option<bool> {
    let (_, operator) = operator.rsplit_once(':').unwrap_or(("", operator));
    let operator = operator.strip_suffix("IfExists").unwrap_or(operator);
    let mut known = context.iter();
    let (_, value) = known.find(|(name, _)| name.eq_ignore_ascii_case(key))?;
    let any = |is: &dyn Fn(&str) -> bool| {
        listed(wanted).iter().any(|wanted| match wanted {
            Value::String(text) => is(text),
            other => is(&other.to_string()),
        })
    };
    Some(match operator {
        "StringEquals" | "ArnEquals" if operator == "StringEquals" => any(&|text| text == value),
        "StringNotEquals" => !any(&|text| text == value),
        "StringEqualsIgnoreCase" | "Bool" => any(&|text| text.eq_ignore_ascii_case(value)),
        "StringLike" | "ArnLike" | "ArnEquals" => any(&|text| fits(text, value, false)),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => !any(&|text| fits(text, value, false)),
        _ => return None,
    })
}

/// Returns true if a text matches a pattern with `*` and `?`.
pub(super) fn fits(pattern: &str, text: &str, in_any_case: bool) -> bool {
    let fold = |text: &str| -> Vec<char> {
        match in_any_case {
            true => text.to_lowercase().chars().collect(),
            false => text.chars().collect(),
        }
    };
    let (pattern, text) = (fold(pattern), fold(text));
    let (mut at, mut of) = (0, 0);
    // Position of the last `*`, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(c) if *c == '?' || *c == text[at] => (at, of) = (at + 1, of + 1),
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    (at, of) = (taken + 1, star_at + 1);
                }
                None => return false,
            },
        }
    }
    pattern[of..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/restore";

    fn says(policy: &Value, principal: PolicyPrincipal<'_>, action: &str) -> PolicySays {
        let context = BTreeMap::from([
            ("aws:SourceAccount", "123456789012".to_owned()),
            ("kms:ViaService", "rds.us-west-2.amazonaws.com".to_owned()),
        ]);
        let question = PolicyQuestion {
            principal,
            action,
            context: &context,
        };
        evaluate(policy, &question)
    }

    #[test]
    fn who_is_trusted() {
        let backup = PolicyPrincipal::Service("backup.amazonaws.com");
        let of = |principal: Value, condition: Value| json!({ "Statement": { "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, "Condition": condition } });
        let none = || json!({});
        let service = || json!({ "Service": ["ec2.amazonaws.com", "backup.amazonaws.com"] });
        for (policy, wanted) in [
            (of(service(), none()), PolicySays::Allows),
            (of(json!("*"), none()), PolicySays::Allows),
            (
                of(json!({ "Service": "ec2.amazonaws.com" }), none()),
                PolicySays::Silent,
            ),
            (
                of(
                    service(),
                    json!({ "StringEquals": { "aws:SourceAccount": "123456789012" } }),
                ),
                PolicySays::Allows,
            ),
            (
                of(
                    service(),
                    json!({ "StringEquals": { "aws:SourceAccount": ["999999999999"] } }),
                ),
                PolicySays::Silent,
            ),
            (
                of(
                    service(),
                    json!({ "StringEquals": { "sts:ExternalId": "x" } }),
                ),
                PolicySays::Depends(["sts:ExternalId".to_owned()].into()),
            ),
            (json!({}), PolicySays::Silent),
        ] {
            assert_eq!(says(&policy, backup, "sts:AssumeRole"), wanted, "{policy}");
        }
    }

    #[test]
    fn who_may_use_a_key() {
        let role = PolicyPrincipal::Arn(ROLE, "123456789012");
        let root = json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": { "AWS": "arn:aws:iam::123456789012:root" } });
        let named = json!({ "Effect": "Allow", "Action": ["kms:Decrypt", "kms:Create*"], "Principal": { "AWS": [ROLE] } });
        let deny = json!({ "Effect": "Deny", "NotAction": "kms:Describe*", "Principal": "*", "Condition": { "StringLike": { "kms:ViaService": "rds.*" } } });
        for (statements, wanted) in [
            (vec![&root], PolicySays::LeavesToIam),
            (vec![&root, &named], PolicySays::Allows),
            (vec![&named, &deny], PolicySays::Denies),
            (vec![], PolicySays::Silent),
        ] {
            let policy = json!({ "Statement": statements });
            assert_eq!(says(&policy, role, "kms:CreateGrant"), wanted, "{policy}");
            let text = Value::String(policy.to_string());
            assert_eq!(says(&text, role, "kms:CreateGrant"), wanted, "{policy}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("*", ""),
            ("a*c", "abbc"),
            ("a?c", "abc"),
            ("*b*", "abc"),
            ("KMS:*", "kms:Decrypt"),
        ] {
            assert!(fits(pattern, text, true), "{pattern} {text}");
        }
        for (pattern, text) in [("a*c", "abcd"), ("", "a"), ("a", "A"), ("?", "")] {
            assert!(!fits(pattern, text, false), "{pattern} {text}");
        }
    }
}
