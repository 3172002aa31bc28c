//! `redrill validate PLAN…`

use std::sync::Arc;

use super::{Context, redact};
use crate::cli::arguments::{HumanOrJson, Validate};
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::diagnostic::{Finding, Findings, Severity, json};
use crate::parse::error;
use crate::pipeline;
use crate::render::Known;
use crate::validate::Rules;

pub(super) async fn validate(
    arguments: &Validate,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let inputs = pipeline::for_checking(context.inputs(&arguments.inputs)?);
    let inventory = context.inventory(&arguments.inputs)?;
    // Compiled once, whatever number of plans is checked.
    let rules = Arc::new(Rules::embedded());
    let mut all = Findings::default();
    let mut summaries = Vec::new();
    for path in &arguments.plans {
        let source = files::source(path)?;
        let front = pipeline::read(&source, &arguments.inputs.run_id, &inputs, &rules);
        let mut findings = front.findings;
        let mut restores = 0;
        if let Some(planner) = &front.planner {
            restores = planner.document().restores.len();
            let mut known = Known::default();
            let base = findings.clone();
            let mut plan = pipeline::requests(planner, &known, &mut findings);
            if let (Some(first), Some(inventory)) = (&plan, &inventory) {
                let wanted = pipeline::sources_useful(first);
                if !wanted.is_empty() {
                    findings = base;
                    pipeline::sources(
                        inventory,
                        planner,
                        first,
                        &wanted,
                        &mut known,
                        &mut findings,
                    )
                    .await
                    .map_err(Failure::Aws)?;
                    plan = pipeline::requests(planner, &known, &mut findings);
                }
            }
            if let Some(plan) = &plan {
                if inventory.is_none() && !pipeline::sources_wanted(plan).is_empty() {
                    findings.push(unchecked(planner));
                }
                findings.extend(pipeline::unchecked(planner, plan));
            }
            redact(planner, &mut findings);
        }
        summaries.push(summary(&source.name, restores, &findings));
        all.extend(findings);
    }
    let failed = all.has_errors();
    let findings = all.into_sorted();
    match arguments.format {
        HumanOrJson::Json => {
            let text = json(&findings).map_err(|err| Failure::System(err.to_string()))?;
            context.output.result(&text)?;
        }
        HumanOrJson::Human => {
            context.output.findings_as_result(&findings)?;
            context.output.result(&(summaries.join("\n") + "\n"))?;
        }
    }
    Ok(if failed { Exit::Invalid } else { Exit::Done })
}

fn unchecked(planner: &crate::plan::Planner) -> Finding {
    let document = planner.document();
    let mut finding = error(
        &document.source,
        document.plan.span,
        "source/unchecked",
        "what templates make of `source` was not checked: the recovery points are not at hand",
        "give an inventory with --inventory, or use `redrill plan`, which asks AWS",
    );
    finding.severity = Severity::Note;
    finding
}

fn summary(name: &str, restores: usize, findings: &[Finding]) -> String {
    let of = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let verdict = if errors > 0 { "invalid" } else { "valid" };
    format!(
        "{name}: {verdict}; {}, {}, {}",
        count(restores, "restore"),
        count(errors, "error"),
        count(warnings, "warning")
    )
}
