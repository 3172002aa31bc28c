//! `redrill render PLAN`

use super::{Context, World, check_only};
use crate::cli::arguments::{Render, RenderFormat};
use crate::cli::exit::{Exit, Failure};
use crate::render::Known;
use crate::report::{RequestFormat, requests};

pub(super) async fn render(arguments: &Render, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let loaded = context.load(&arguments.plan, &arguments.inputs)?;
    let inventory = context.inventory(&arguments.inputs)?;
    let settings = context.settings(&arguments.aws, loaded.planner.target())?;
    let world = match &inventory {
        Some(inventory) => World::Inventory(inventory),
        None => World::Elsewhere(&settings),
    };
    let plan = context
        .requests(&loaded, &mut Known::default(), &world)
        .await?;
    check_only(&arguments.only.only, &plan)?;
    let format = match arguments.format {
        RenderFormat::Json => RequestFormat::Lines,
        RenderFormat::CliJson => RequestFormat::CliJson,
    };
    if format == RequestFormat::CliJson {
        for step in &plan.steps {
            let chosen = arguments.only.only.is_empty()
                || arguments.only.only.iter().any(|n| **n == *step.name);
            if chosen && !step.draft.pending.is_empty() {
                let waits: Vec<&str> = step.draft.pending.iter().map(String::as_str).collect();
                return Err(Failure::Usage(format!(
                    "`{}` is not complete: it waits for {}; choose others with --only",
                    step.name,
                    waits.join(", ")
                )));
            }
        }
    }
    let text = requests(
        &plan,
        &arguments.only.only,
        format,
        loaded.planner.secrets(),
    );
    context.output.result(&text)?;
    Ok(Exit::Done)
}
