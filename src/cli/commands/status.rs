//! `redrill status [PLAN]`

use super::Context;
use crate::cli::arguments::{HumanOrJson, Status};
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::execute::{Stopped, replay};
use crate::journal;
use crate::report::{StatusRow, status_human, status_json};

pub(super) async fn status(arguments: &Status, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let state = &arguments.state.state;
    let wanted = match &arguments.plan {
        Some(path) => Some(plan_name(path)?),
        None => None,
    };
    let mut rows = Vec::new();
    for (plan, run) in journal::runs(state)? {
        if wanted.as_ref().is_some_and(|wanted| *wanted != plan) {
            continue;
        }
        let directory = journal::directory(state, &plan, &run);
        let observed = replay(&journal::read(&directory)?).map_err(Stopped::from)?;
        let holder = journal::holder(&directory)?.map(|owner| owner.to_string());
        rows.push(StatusRow::new(plan, run, holder, &observed));
    }
    let text = match arguments.format {
        HumanOrJson::Human => status_human(&rows, &state.to_string_lossy()),
        HumanOrJson::Json => status_json(&rows),
    };
    context.output.result(&text)?;
    Ok(Exit::Done)
}

/// The name in a plan file, whatever else is wrong with it.
fn plan_name(path: &std::path::Path) -> Result<String, Failure> {
    let source = files::source(path)?;
    let mut findings = Vec::new();
    match crate::parse::document(&source, &mut findings) {
        Some(document) if !document.plan.value.is_empty() => Ok(document.plan.value),
        _ => Err(Failure::Findings(super::sorted(findings))),
    }
}
