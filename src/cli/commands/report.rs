//! `redrill report PLAN`: from the journal alone.

use super::Context;
use crate::cli::afterwards::Report;
use crate::cli::arguments::HumanOrJson;
use crate::cli::exit::{Exit, Failure};
use crate::cli::writing::{Kind, Output, check_reports};
use crate::execute::{Stopped, replay};
use crate::journal;
use crate::report::{RunReport, compare, run_human, run_report};

pub(super) fn report(arguments: &Report, context: &mut Context<'_>) -> Result<Exit, Failure> {
    check_reports(&arguments.report.reports)?;
    let plan = super::plan_name(&arguments.plan)?;
    let read = |run_id: &str| -> Result<RunReport, Failure> {
        let directory = journal::directory(&arguments.state.state, &plan, run_id);
        let events = journal::read(&directory)?;
        if events.is_empty() {
            return Err(super::no_such_run(&arguments.state.state, &plan, run_id));
        }
        replay(&events).map_err(Stopped::from)?;
        Ok(run_report(&plan, run_id, events.iter().collect()))
    };
    let mut report = read(&arguments.run_id)?;
    if let Some(other) = &arguments.compare {
        report.compared = Some(compare(&report, &read(other)?));
    }
    for (format, path) in &arguments.report.reports {
        Output::new(path, Kind::Report).write_with(|out| format.write(&report, out))?;
    }
    match arguments.report.format {
        HumanOrJson::Json => context.output.result_with(|out| report.write_json(out)),
        HumanOrJson::Human => context.output.result(&run_human(&report, "")),
    }?;
    // What was asked for is done, whatever the run has come to.
    Ok(Exit::Done)
}
