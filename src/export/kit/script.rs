//! `restore.sh`: the script that is the same in every kit, with the plan as lists in it.

use std::fmt::Write as _;

use serde::Serialize;

use super::entry::Entry;
use crate::execute::at_once;
use crate::export::Subject;
use crate::ids::{IdempotencyToken, TargetIndex};
use crate::parse::OnFailure;
use crate::render::Target;

/// The script, with the lists of an example.
const SCRIPT: &str = include_str!("restore.sh");
const BEGIN: &str = "# BEGIN PLAN\n";
const END: &str = "# END PLAN\n";

/// Target of a restore, as a token has it.
#[derive(Serialize)]
struct Place<'a> {
    account: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iam_role_arn: Option<&'a str>,
    region: &'a str,
}

/// The script of a plan.
pub(super) fn script(subject: &Subject<'_>, entries: &[Entry<'_>]) -> String {
    let (before, rest) = SCRIPT.split_once(BEGIN).unwrap_or((SCRIPT, ""));
    let (_, after) = rest.split_once(END).unwrap_or(("", rest));
    format!("{before}{BEGIN}{}{END}{after}", lists(subject, entries))
}

fn lists(subject: &Subject<'_>, entries: &[Entry<'_>]) -> String {
    let plan = subject.plan;
    let targets = &plan.targets;
    let (limits, most) = limits(subject, entries);
    let mut text = String::new();
    let mut one = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}={}", quoted(value));
    };
    one("PLAN", &plan.name);
    one("RUN", plan.run_id.as_str());
    one(
        "ON_FAILURE",
        match plan.on_failure {
            OnFailure::Continue => "continue",
            OnFailure::Stop => "stop",
        },
    );
    text.push_str("# By target.\n");
    list(
        &mut text,
        "ACCOUNT",
        targets.iter().map(|t| quoted(t.account.as_str())),
    );
    list(
        &mut text,
        "REGION",
        targets.iter().map(|t| quoted(t.region.as_str())),
    );
    let assume = |target: &Target| quoted(target.assume_role_arn.as_deref().unwrap_or_default());
    list(&mut text, "ASSUME", targets.iter().map(assume));
    list(
        &mut text,
        "PLACE",
        targets.iter().map(|target| quoted(&place(target))),
    );
    text.push_str("# By limit: how many restores may run at once.\n");
    list(&mut text, "MAX", most.iter().map(u32::to_string));
    text.push_str("# By restore, each after those that it needs.\n");
    list(
        &mut text,
        "NAME",
        entries.iter().map(|e| quoted(e.step.name.as_str())),
    );
    list(&mut text, "FILE", entries.iter().map(|e| quoted(&e.file)));
    let types = entries
        .iter()
        .map(|e| quoted(&e.step.draft.request.resource_type));
    list(&mut text, "TYPE", types);
    list(
        &mut text,
        "TARGET",
        entries.iter().map(|e| e.step.target.get().to_string()),
    );
    let points = entries
        .iter()
        .map(|e| match e.step.draft.waits_for_its_point() {
            true => quoted(""),
            false => quoted(&e.step.draft.request.recovery_point_arn),
        });
    list(&mut text, "POINT", points);
    list(
        &mut text,
        "NEEDS",
        entries.iter().map(|e| quoted(&numbers(&e.needs))),
    );
    list(
        &mut text,
        "LIMITS_OF",
        limits.iter().map(|of| quoted(&numbers(of))),
    );
    let tokens = entries
        .iter()
        .map(|e| quoted(e.token.as_ref().map_or("", IdempotencyToken::as_str)));
    list(&mut text, "TOKEN", tokens);
    let marked = entries
        .iter()
        .map(|e| u8::from(e.step.draft.takes_mark).to_string());
    list(&mut text, "MARKED", marked);
    let follow = entries.iter().map(|e| {
        e.step
            .timeout
            .map_or(0, |timeout| timeout.as_secs())
            .to_string()
    });
    list(&mut text, "FOLLOW", follow);
    list(
        &mut text,
        "BY_HAND",
        entries.iter().map(|e| e.step.checks.len().to_string()),
    );
    text
}

fn place(target: &Target) -> String {
    let place = Place {
        account: target.account.as_str(),
        iam_role_arn: target.iam_role_arn.as_deref(),
        region: target.region.as_str(),
    };
    // A struct of strings: serde_json cannot fail on it.
    serde_json::to_string(&place).unwrap_or_default()
}

/// By restore, the limits that it counts for; and how many each allows.
fn limits(subject: &Subject<'_>, entries: &[Entry<'_>]) -> (Vec<Vec<usize>>, Vec<u32>) {
    let plan = subject.plan;
    let mut names: Vec<(Option<TargetIndex>, Option<&str>)> = Vec::new();
    let mut most = Vec::new();
    let mut number = |name, limit: u32| -> Option<usize> {
        if limit == u32::MAX {
            return None;
        }
        Some(names.iter().position(|of| *of == name).unwrap_or_else(|| {
            names.push(name);
            most.push(limit);
            names.len() - 1
        }))
    };
    let limits = entries
        .iter()
        .map(|entry| {
            let of_type = entry.step.draft.request.resource_type.as_str();
            let target = entry.step.target;
            let by_target = entry.target.name.as_ref();
            let by_target = by_target.and_then(|name| plan.limits.by_target.get(name));
            let all = [
                ((None, None), plan.limits.concurrent),
                ((Some(target), None), by_target.copied()),
                ((Some(target), Some(of_type)), Some(at_once(plan, of_type))),
            ];
            let numbers = all
                .into_iter()
                .filter_map(|(name, limit)| number(name, limit?));
            numbers.collect()
        })
        .collect();
    (limits, most)
}

fn numbers(of: &[usize]) -> String {
    let numbers: Vec<String> = of.iter().map(usize::to_string).collect();
    numbers.join(" ")
}

fn list(text: &mut String, name: &str, words: impl Iterator<Item = String>) {
    let words: Vec<String> = words.collect();
    let _ = match words.len() {
        0..=1 => writeln!(text, "{name}=({})", words.join(" ")),
        _ => writeln!(text, "{name}=(\n  {}\n)", words.join("\n  ")),
    };
}

/// A word of the shell, whatever is in it.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, SCRIPT, quoted};

    #[test]
    fn the_script_has_its_lists_once() {
        for of in [BEGIN, END] {
            assert_eq!(SCRIPT.matches(of).count(), 1);
        }
        assert_eq!(quoted("o'clock $(x) `y`"), r"'o'\''clock $(x) `y`'");
    }
}
