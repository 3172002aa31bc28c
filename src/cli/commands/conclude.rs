//! The end of a run: its report, and the exit code that says what it has come to.

use std::collections::HashSet;

use super::Context;
use super::run::Execution;
use crate::cli::arguments::HumanOrJson;
use crate::cli::exit::{Exit, Failure};
use crate::cli::writing::{Kind, Output};
use crate::diff::{Action, Diff, Wanted};
use crate::execute::Ended;
use crate::journal::{self, RunKey};
use crate::plan::Plan;
use crate::report::{Record, RunReport, Verdict, run_human, run_report};
use crate::state::{History, Recorded};

/// How it went.
pub(super) struct RunEnd<'a> {
    /// What stands for a journal that has nothing yet.
    pub(super) header: Vec<Recorded>,
    /// An event that the journal does not have.
    pub(super) more: Option<Recorded>,
    pub(super) ended: Ended,
    /// What had come before, where there was nothing to do.
    pub(super) before: Option<&'a History>,
}

/// Reports from the journal, and says by the exit code what the run has come to.
pub(super) async fn conclude(
    plan: &Plan,
    diff: &Diff,
    run_end: RunEnd<'_>,
    execution: &Execution<'_>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut record = Record::default();
    let mut is_begun = false;
    let take = |recorded| {
        is_begun = true;
        record.take(&recorded);
        Ok::<(), Failure>(())
    };
    let run = RunKey::new(&plan.name, &plan.run_id);
    journal::each(&execution.store, &run, take).await?;
    let header = run_end.header.into_iter().filter(|_| !is_begun);
    for recorded in header.chain(run_end.more) {
        record.take(&recorded);
    }
    let mut report = run_report(&plan.name, &plan.run_id, record);
    if let Some(before) = run_end.before {
        // What `--only` has left out can still start in it.
        let is_blocked = diff.count(Action::Blocked) > 0;
        let is_over =
            report.verdict != Verdict::Unfinished || before.ended.is_some() && !is_blocked;
        if is_over && before.opened.is_some() {
            // By AWS's clock, as in the summary.
            let at = report.end.or(before.ended);
            report.ended_before(at, &execution.again_anew(&plan.name));
        }
        if !is_over || execution.report.format == HumanOrJson::Json {
            context
                .output
                .note("nothing to do: no restore to start or to follow");
        }
    }
    for (format, file) in &execution.report.reports {
        Output::new(file, Kind::Report).write_with(|out| format.write(&report, out))?;
    }
    match execution.report.format {
        HumanOrJson::Json => context.output.result_with(|out| report.write_json(out)),
        HumanOrJson::Human => {
            let is_asked_done = !execution.wanted.only.is_empty()
                && report.verdict == Verdict::Unfinished
                && matches!(unfinished(&execution.wanted, diff, &report), Exit::Done);
            let left_out = left_out(&report, diff, &execution.wanted);
            let again = match (is_asked_done, left_out.is_empty()) {
                (true, _) => "",
                (false, true) => execution.hints.again.command.as_str(),
                // The same command would say the same for ever.
                (false, false) => execution.hints.again.whole.as_str(),
            };
            let mut text = run_human(&report, again);
            text.push_str(&left_out);
            if is_asked_done && !execution.rehearsal {
                text.push_str("what --only named is done; the rest of the plan: ");
                text.push_str(&execution.hints.again.whole);
                text.push('\n');
            }
            if matches!(report.verdict, Verdict::Failed | Verdict::Unfinished)
                && let Some(besides) = execution.hints.again.besides()
            {
                text.push_str(&besides);
            }
            context.output.result(&text)
        }
    }?;
    Ok(match run_end.ended {
        Ended::Interrupted => Exit::Interrupted,
        Ended::Detached => Exit::Unfinished,
        Ended::Finished => match report.verdict {
            Verdict::Passed => Exit::Done,
            Verdict::ObjectiveMissed => Exit::ObjectiveMissed,
            Verdict::Failed => Exit::Failed,
            // What still ran was followed to its end, and the rest is gone.
            Verdict::CleanedUp => Exit::Invalid,
            // `--only` has left something out, and all that was asked for is done; or a failure blocks the rest.
            Verdict::Unfinished => unfinished(&execution.wanted, diff, &report),
        },
    })
}

/// The restores that `--only` names and that need what it leaves out, a line each.
fn left_out(report: &RunReport, diff: &Diff, wanted: &Wanted) -> String {
    if wanted.only.is_empty() {
        return String::new();
    }
    let blocked = diff.changes.iter().filter(|c| c.action == Action::Blocked);
    let lines: Vec<String> = blocked
        .filter_map(|change| {
            // Both are in the plan's order.
            let name = &report.restores.get(change.step)?.restore;
            change.reason.as_ref().map(|why| format!("{name}: {why}"))
        })
        .collect();
    let lines = super::listed(&lines, 5, "").into_iter();
    lines.map(|line| line + "\n").collect()
}

fn unfinished(wanted: &Wanted, diff: &Diff, report: &RunReport) -> Exit {
    use crate::report::RunStatus::{CheckFailed, Completed, Failed, Incomplete, Skipped};
    let failed = report.count(Failed) + report.count(Incomplete) + report.count(CheckFailed);
    let only: HashSet<&str> = wanted.only.iter().map(String::as_str).collect();
    // A job can outlast its `timeout`, and then it is not followed to its end.
    let is_back = report
        .restores
        .iter()
        .filter(|of| only.contains(&*of.restore))
        .all(|of| of.status == Completed);
    if !only.is_empty()
        && is_back
        && diff.count(Action::Blocked) == 0
        && failed + report.count(Skipped) == 0
    {
        Exit::Done
    } else if failed > 0 {
        Exit::Failed
    } else {
        Exit::Unfinished
    }
}
