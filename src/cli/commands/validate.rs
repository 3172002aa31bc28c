//! `redrill validate PLAN…`, also of folders

use std::sync::Arc;

use super::plan_files::PlanFiles;
use super::programs::Programs;
use super::{Context, lock, redact};
use crate::backup::{Clock, SystemClock};
use crate::cli::arguments::{FindingsFormat, Validate};
use crate::cli::exit::{Exit, Failure};
use crate::cli::tree::Tree;
use crate::diagnostic::{Findings, github, json, sarif};
use crate::render::Known;
use crate::session::{self, Lookups, Points};

pub(super) async fn validate(
    arguments: &Validate,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut all = Findings::default();
    let mut summaries = Vec::new();
    let inputs = match context.inputs(Tree::Working, &arguments.inputs) {
        Ok(inputs) => inputs.for_checking(),
        // Errors of a variables file are found as well as the rest, and reported in the same form.
        Err(Failure::Findings(findings)) => {
            all.extend(findings);
            return report(all, &[], &[], arguments, context);
        }
        Err(other) => return Err(other),
    };
    let rules = Arc::clone(&context.rules);
    let mut files = PlanFiles::find(&arguments.plans)?;
    let mut names = Vec::new();
    for (path, source) in &files.plans {
        let source = match source {
            Ok(source) => source,
            Err(findings) => {
                let findings: Findings = findings.iter().cloned().collect();
                let name = path.to_string_lossy().into_owned();
                summaries.push(summary(&name, 0, &findings));
                names.push(name);
                all.extend(findings);
                continue;
            }
        };
        names.push(source.name.clone());
        let mut restores = 0;
        let findings = match session::read(source, &arguments.inputs.run_id, &inputs, &rules) {
            Err(findings) => findings,
            Ok(mut loaded) => {
                restores = loaded.planner.instances().all().len();
                let inventory = context.inventory(&arguments.inputs, loaded.planner.targets())?;
                let lock = lock::beside(path, &arguments.inputs, &mut loaded)?;
                let lookups = Lookups {
                    points: match &inventory {
                        Some(recorded) => Points::Recorded(recorded.as_slice()),
                        None => Points::NotAtHand,
                    },
                    lock: lock.as_ref(),
                    has_inventory: !arguments.inputs.inventory.is_empty(),
                    checks_lock: false,
                    only: &[],
                    start: SystemClock.now(),
                };
                let settled = loaded
                    .settle(&mut Known::default(), &lookups, &mut ())
                    .await;
                let mut findings = settled.map_err(Failure::Aws)?.findings;
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
    let exit = report(all, &summaries, &names, arguments, context)?;
    if let Some(skipped) = files.skipped() {
        context.output.note(&format!("note: {skipped}"));
    }
    // Errors of a plan outweigh a file that is not there.
    let Some(last) = files.unread.pop() else {
        return Ok(exit);
    };
    for failure in &files.unread {
        context.output.failure(failure);
    }
    if exit == Exit::Done {
        return Err(last);
    }
    context.output.failure(&last);
    Ok(exit)
}

fn report(
    all: Findings,
    summaries: &[String],
    names: &[String],
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
            sarif(&findings, names, |id| context.rules.described(id)).map_err(no_json)?
        }
        FindingsFormat::Human => {
            context.output.findings_as_result(&findings)?;
            summaries.iter().map(|line| format!("{line}\n")).collect()
        }
    };
    context.output.document(&text)?;
    Ok(if failed { Exit::Invalid } else { Exit::Done })
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
