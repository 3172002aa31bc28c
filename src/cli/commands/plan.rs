//! `redrill plan PLAN`: the dry run. It is handed what reads, and a journal to read.

use super::{Context, World, check_only};
use crate::cli::arguments::{DryRun, HumanOrJson};
use crate::cli::exit::{Exit, Failure};
use crate::diff::Wanted;
use crate::execute::Stopped;
use crate::journal;
use crate::pipeline;
use crate::report::{dry_run_human, dry_run_json};

pub(super) async fn plan(arguments: &DryRun, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let loaded = context.load(&arguments.plan, &arguments.inputs)?;
    let inventory = context.inventory(&arguments.inputs)?;
    let settings = context.settings(&arguments.aws, loaded.planner.target())?;
    let world = match &inventory {
        Some(inventory) => World::Inventory(inventory),
        None => World::Elsewhere(&settings),
    };
    let name = &loaded.planner.document().plan.value;
    let directory = journal::directory(&arguments.state.state, name, &arguments.inputs.run_id);
    let events = journal::read(&directory)?;
    let (observed, mut known) = pipeline::history(&events).map_err(Stopped::from)?;
    let plan = context.requests(&loaded, &mut known, &world).await?;
    check_only(&arguments.only.only, &plan)?;
    let wanted = Wanted {
        only: arguments.only.only.clone(),
        retry_failed: arguments.retry_failed,
    };
    let diff = pipeline::changes(&plan, &observed, &wanted);
    let text = match arguments.format {
        HumanOrJson::Human => dry_run_human(&plan, &diff),
        HumanOrJson::Json => dry_run_json(&plan, &diff, loaded.planner.secrets()),
    };
    context.output.result(&text)?;
    Ok(if diff.has_conflict() {
        Exit::Invalid
    } else {
        Exit::Done
    })
}
