//! `redrill plan PLAN`: the dry run. It is handed what reads, and a journal to read.

use super::world::World;
use super::{Asked, Context, chosen, lock};
use crate::cli::arguments::{DryRun, HumanOrJson};
use crate::cli::exit::{Exit, Failure};
use crate::diff::Wanted;
use crate::execute::{Clock, Stopped, SystemClock};
use crate::journal;
use crate::pipeline;
use crate::report::{dry_run_human, dry_run_json};

pub(super) async fn plan(arguments: &DryRun, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mut loaded = context.load(&arguments.plan, &arguments.inputs)?;
    let lock = lock::beside(&arguments.plan, &arguments.inputs, &mut loaded)?;
    let targets = loaded.planner.targets();
    let inventory = context.inventory(&arguments.inputs, targets)?;
    let settings = context.all_settings(&arguments.aws, targets)?;
    let world = World::new(inventory, settings);
    let name = &loaded.planner.document().plan.value;
    let directory = journal::directory(&arguments.state.state, name, &arguments.inputs.run_id);
    let events = journal::read(&directory)?;
    let (observed, mut known) = pipeline::history(&events).map_err(Stopped::from)?;
    let asked = Asked {
        only: &arguments.only.only,
        start: pipeline::start(&events).unwrap_or_else(|| SystemClock.now()),
        lock: lock.as_ref(),
        checks_lock: true,
    };
    let plan = context
        .requests(&loaded, &mut known, &world, &asked)
        .await?;
    let wanted = Wanted {
        only: chosen(&loaded.planner, &arguments.only.only)?,
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
