//! Question before anything starts. It repeats what matters: a dry run of many restores has scrolled away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::conflicts::brief;
use super::run::EngineRun;
use crate::diff::{Action, Diff, Review};
use crate::plan::{Plan, Step};
use crate::render::Target;
use crate::report::NOT_CANCELLED;
use crate::session::{Loaded, Preview};

/// Lines of a list: all of the question, wrapped, has to fit a terminal of 24 lines of 80 characters.
const LINES: usize = 4;

/// The dry run, and below it what is started, by whom, where, and what to look at twice.
pub(super) fn question(
    loaded: &Loaded,
    preview: &Preview,
    execution: &EngineRun<'_>,
    twice: &[String],
) -> String {
    let plan = &preview.plan;
    let starting = starting(plan, &preview.diff);
    let profile = execution.reached.profile.as_ref();
    let mut text = brief(loaded, preview, execution, &preview.known.resolved);
    // Said at the end of this, and once.
    if let Some(before) = text.trim_end().strip_suffix(NOT_CANCELLED) {
        text.truncate(before.len());
    }
    let _ = writeln!(
        text,
        "\nThis starts {} of {}, run {}, at {}{}:",
        counted(starting.len()),
        plan.name,
        plan.run_id,
        execution.reached.endpoint,
        profile.map_or_else(String::new, |profile| format!(", with profile {profile}")),
    );
    list(&places(plan, &starting), "places", &mut text);
    if !twice.is_empty() {
        let _ = writeln!(text, "Review:");
        list(twice, "restores", &mut text);
    }
    text.push_str(NOT_CANCELLED);
    text
}

fn starting<'a>(plan: &'a Plan, diff: &Diff) -> Vec<&'a Step> {
    let changes = diff.changes.iter();
    changes
        .filter(|change| change.action == Action::Start)
        .map(|change| &plan.steps[change.step])
        .collect()
}

fn counted(restores: usize) -> String {
    match restores {
        1 => "1 restore".to_owned(),
        many => format!("{many} restores"),
    }
}

fn list(lines: &[String], what: &str, text: &mut String) {
    let shown = if lines.len() > LINES {
        LINES - 1
    } else {
        LINES
    };
    for line in lines.iter().take(shown) {
        let _ = writeln!(text, "  {line}");
    }
    if lines.len() > shown {
        let _ = writeln!(text, "  and {} more {what}, above", lines.len() - shown);
    }
}

/// Each account and Region, and how many restores go there: most first.
fn places(plan: &Plan, starting: &[&Step]) -> Vec<String> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for step in starting {
        let Target {
            account, region, ..
        } = plan.target_of(step);
        *counts
            .entry((account.as_str(), region.as_str()))
            .or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
        .into_iter()
        .map(|((account, region), count)| {
            format!("{} into account {account}, {region}", counted(count))
        })
        .collect()
}

/// Lists what writes into something that exists, and what may find its name taken.
pub(super) fn look_twice(
    plan: &Plan,
    diff: &Diff,
    review: &Review,
    resources: &BTreeSet<String>,
    loaded: &Loaded,
) -> Vec<String> {
    let starting = starting(plan, diff);
    let mut collisions = review.collisions(plan, resources);
    let names: BTreeSet<&str> = starting.iter().map(|step| step.name.as_str()).collect();
    let into = starting.iter().filter_map(|step| {
        let into = review.writes_into(&step.draft, plan.target_of(step))?;
        Some(format!("{}: writes into {into}", step.name))
    });
    let mut lines: Vec<String> = into.collect();
    for (at, step) in plan.steps.enumerated() {
        if names.contains(step.name.as_str()) {
            let messages = collisions.remove(&at).unwrap_or_default();
            lines.extend(
                messages
                    .into_iter()
                    .map(|of| format!("{}: {of}", step.name)),
            );
        }
    }
    let secrets = loaded.planner.secrets();
    lines
        .into_iter()
        .map(|line| secrets.redact(&line).into_owned())
        .collect()
}
