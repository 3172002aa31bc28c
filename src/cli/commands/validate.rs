//! `redrill validate PLAN…`

use std::sync::Arc;

use super::programs::Programs;
use super::{Context, Loaded, lock, redact};
use crate::cli::arguments::{FindingsFormat, Validate};
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::cli::tree::Tree;
use crate::diagnostic::{Finding, Findings, github, json, rule, sarif};
use crate::execute::{Clock, SystemClock};
use crate::inventory::Recorded;
use crate::pipeline;
use crate::plan::Planner;
use crate::render::{Known, Lock};

pub(super) async fn validate(
    arguments: &Validate,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut all = Findings::default();
    let mut summaries = Vec::new();
    let inputs = match context.inputs(Tree::Working, &arguments.inputs) {
        Ok(inputs) => pipeline::for_checking(inputs),
        // What is wrong with a variables file is found as well as the rest, and said in the same form.
        Err(Failure::Findings(findings)) => {
            all.extend(findings);
            return report(all, &[], arguments, context);
        }
        Err(other) => return Err(other),
    };
    let rules = Arc::clone(&context.rules);
    for path in &arguments.plans {
        let source = match files::plan(path) {
            Ok(source) => source,
            Err(Failure::Findings(findings)) => {
                let findings: Findings = findings.into_iter().collect();
                summaries.push(summary(&path.to_string_lossy(), 0, &findings));
                all.extend(findings);
                continue;
            }
            Err(other) => return Err(other),
        };
        let front = pipeline::read(&source, &arguments.inputs.run_id, &inputs, &rules);
        let mut restores = 0;
        let findings = match front.planner {
            None => front.findings,
            Some(planner) => {
                restores = planner.instances().all().len();
                let inventory = context.inventory(&arguments.inputs, planner.targets())?;
                let mut loaded = Loaded {
                    planner,
                    findings: front.findings,
                };
                let lock = lock::beside(path, &arguments.inputs, &mut loaded)?;
                let mut findings = check(&loaded, lock.as_ref(), inventory.as_deref()).await?;
                let programs = context.environment.path.as_deref();
                let mut programs = Programs::beside(path, programs);
                findings.extend(programs.of_plan(&loaded.planner, &Known::default()));
                redact(&loaded.planner, findings.iter_mut());
                findings
            }
        };
        summaries.push(summary(&source.name, restores, &findings));
        all.extend(findings);
    }
    report(all, &summaries, arguments, context)
}

fn report(
    all: Findings,
    summaries: &[String],
    arguments: &Validate,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let failed = all.has_errors();
    let findings = all.into_sorted();
    let no_json = |err: serde_json::Error| Failure::System(err.to_string());
    let text = match arguments.format {
        FindingsFormat::Json => json(&findings).map_err(no_json)?,
        FindingsFormat::Github => {
            context.output.exact(&github(&findings))?;
            String::new()
        }
        FindingsFormat::Sarif => {
            let files: Vec<String> = arguments
                .plans
                .iter()
                .map(|path| path.to_string_lossy().into_owned())
                .collect();
            sarif(&findings, &files, |id| context.rules.described(id)).map_err(no_json)?
        }
        FindingsFormat::Human => {
            context.output.findings_as_result(&findings)?;
            summaries.iter().map(|line| format!("{line}\n")).collect()
        }
    };
    context.output.document(&text)?;
    Ok(if failed { Exit::Invalid } else { Exit::Done })
}

/// Everything that can be said of a plan with what is at hand.
async fn check(
    loaded: &Loaded,
    lock: Option<&Lock>,
    inventory: Option<&[Recorded]>,
) -> Result<Findings, Failure> {
    let planner = &loaded.planner;
    let start = SystemClock.now();
    let mut known = Known::default();
    let mut base = loaded.findings.clone();
    let drafted = |known: &Known, base: &Findings| {
        let mut findings = base.clone();
        let plan = pipeline::requests(planner, known, &mut findings);
        (plan, findings)
    };
    let (mut plan, mut findings) = drafted(&known, &base);
    if let (Some(first), Some(lock)) = (&plan, lock) {
        let taken = crate::diff::lock::take(lock, first, &[], &mut known, &mut base);
        base.extend(lock::check(lock, first, &taken, inventory, start).await);
        (plan, findings) = drafted(&known, &base);
    }
    let Some(inventory) = inventory else {
        if let Some(plan) = &plan {
            if !pipeline::sources_wanted(plan).is_empty() {
                findings.push(unchecked(planner));
            }
            findings.extend(pipeline::unresolved_note(planner, plan));
            findings.extend(pipeline::unchecked(planner, plan));
        }
        return Ok(findings);
    };
    if let Some(first) = &plan
        && !pipeline::unresolved(first, &[]).is_empty()
    {
        pipeline::resolve(inventory, planner, first, &[], start, &mut known, &mut base)
            .await
            .map_err(Failure::Aws)?;
        (plan, findings) = drafted(&known, &base);
    }
    if let Some(first) = &plan {
        let wanted = pipeline::sources_useful(first);
        if !wanted.is_empty() {
            pipeline::sources(inventory, &wanted, &mut known)
                .await
                .map_err(Failure::Aws)?;
            base.extend(pipeline::not_found(planner, first, &wanted, &known));
            (plan, findings) = drafted(&known, &base);
        }
    }
    if let Some(plan) = &plan {
        findings.extend(pipeline::unchecked(planner, plan));
    }
    Ok(findings)
}

fn unchecked(planner: &Planner) -> Finding {
    let document = planner.document();
    Finding::at(
        &document.source,
        document.plan.span,
        rule::SOURCE_UNCHECKED,
        "what templates make of `source` was not checked: the recovery points are not at hand",
        "give an inventory with --inventory, or use `redrill plan`, which asks AWS",
    )
}

fn summary(name: &str, restores: usize, findings: &Findings) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let (errors, warnings) = findings.counts();
    let verdict = if errors > 0 { "invalid" } else { "valid" };
    format!(
        "{name}: {verdict}; {}, {}, {}",
        count(restores, "restore"),
        count(errors, "error"),
        count(warnings, "warning")
    )
}
