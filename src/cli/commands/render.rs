//! `redrill render PLAN`

use super::world::World;
use super::{Context, chosen, lock};
use crate::backup::{Clock, SystemClock};
use crate::cli::arguments::{Render, RenderFormat};
use crate::cli::exit::{Exit, Failure};
use crate::plan::Plan;
use crate::render::{Fact, Known, Secrets};
use crate::report::{RequestFormat, requests};
use crate::session::Lookups;

pub(super) async fn render(arguments: &Render, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mut loaded = context.load(&arguments.plan, &arguments.inputs)?;
    let lock = lock::beside(&arguments.plan, &arguments.inputs, &mut loaded)?;
    let targets = loaded.planner.targets();
    let inventory = context.inventory(&arguments.inputs, targets)?;
    let settings = context.all_settings(&arguments.aws, targets)?;
    let world = World::new(inventory, settings);
    let only = chosen(&loaded.planner, &arguments.only.only)?;
    let readers = world.readers();
    let lookups = Lookups {
        points: world.points(&readers),
        lock: lock.as_ref(),
        has_inventory: !arguments.inputs.inventory.is_empty(),
        checks_lock: false,
        only: &only,
        start: SystemClock.now(),
    };
    let plan = context
        .settled(&loaded, &mut Known::default(), &lookups)
        .await?;
    let format = match arguments.format {
        RenderFormat::Json => RequestFormat::Lines,
        RenderFormat::CliJson => RequestFormat::CliJson,
    };
    if format == RequestFormat::CliJson {
        complete(&plan, &only, loaded.planner.secrets())?;
    }
    let text = requests(&plan, &only, format, loaded.planner.secrets());
    context.output.document(&text)?;
    Ok(Exit::Done)
}

/// Checks that requests for another tool are whole: nothing pending, and nothing that is not shown.
fn complete(plan: &Plan, only: &[String], secrets: &Secrets) -> Result<(), Failure> {
    for step in &plan.steps {
        let draft = &step.draft;
        if !only.is_empty() && !only.iter().any(|name| step.name == **name) {
            continue;
        }
        if !draft.pending.is_empty() {
            let waits: Vec<&str> = draft.pending.iter().map(Fact::as_str).collect();
            return Err(Failure::Usage(format!(
                "`{}` is not complete: it waits for {}; choose others with --only",
                step.name,
                waits.join(", ")
            )));
        }
        if draft.request.redacted(secrets) != draft.request {
            return Err(Failure::Usage(format!(
                "`{}` holds a secret, which is never printed: start it with `redrill run --only {}`",
                step.name, step.name
            )));
        }
    }
    Ok(())
}
