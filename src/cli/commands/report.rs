//! `redrill report PLAN`: from the journal alone.

use super::Context;
use super::store::Store;
use crate::cli::arguments::HumanOrJson;
use crate::cli::exit::{Exit, Failure};
use crate::cli::post_run::Report;
use crate::cli::writing::{OutputFile, OutputKind, check_reports};
use crate::controls::controls;
use crate::execute::Stopped;
use crate::journal::{self, RunKey};
use crate::proof::assess;
use crate::report::{Format, RunReport, compare, run_human, run_report};
use crate::state::{Recorded, replay};

pub(super) async fn report(arguments: &Report, context: &mut Context<'_>) -> Result<Exit, Failure> {
    check_reports(&arguments.report.reports)?;
    let plan = super::plan_name(&arguments.plan)?;
    let store = context.store(&arguments.state).await?;
    let (mut report, events) = of_run(&store, &RunKey::new(&plan, &arguments.run_id)).await?;
    if let Some(other) = &arguments.compare {
        let (other, _) = of_run(&store, &RunKey::new(&plan, other)).await?;
        report.compared = Some(compare(&report, &other));
    }
    if !arguments.controls.is_empty() {
        let assessed = assess(&report, &events, "");
        let found = controls(&arguments.controls, &report, &events, &assessed);
        let found = found.map_err(|unknown| Failure::Usage(unknown.to_string()))?;
        report.controls = Some(Box::new(found));
        let mut formats = arguments.report.reports.iter().map(|(format, _)| *format);
        let shows = arguments.report.format == HumanOrJson::Json
            || formats.any(|format| format != Format::Junit);
        if !shows {
            context.output.note(
                "--controls is for HTML, Markdown and JSON reports: add `--report html=FILE` or `--report markdown=FILE`",
            );
        }
    }
    for (format, path) in &arguments.report.reports {
        OutputFile::new(path, OutputKind::Report).write_with(|out| format.write(&report, out))?;
    }
    match arguments.report.format {
        HumanOrJson::Json => context.output.result_with(|out| report.write_json(out)),
        HumanOrJson::Human => context
            .output
            .result(&run_human(&report, "", &context.clock())),
    }?;
    // The report is done, whatever the outcome of the run.
    Ok(Exit::Done)
}

async fn of_run(store: &Store, run: &RunKey) -> Result<(RunReport, Vec<Recorded>), Failure> {
    let events = journal::read(store, run).await?;
    if events.is_empty() {
        return Err(super::no_such_run(store, run).await);
    }
    replay(&events).map_err(Stopped::from)?;
    let report = run_report(&run.plan, &run.run, events.iter().collect());
    Ok((report, events))
}
