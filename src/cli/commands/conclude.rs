//! The end of a run: its report, and the exit code that says what it has come to.

use std::borrow::Cow;
use std::collections::HashSet;

use super::Context;
use super::resume_hint::{quoted, quoted_path};
use super::run::EngineRun;
use crate::cli::arguments::HumanOrJson;
use crate::cli::exit::{Exit, Failure};
use crate::cli::writing::{OutputFile, OutputKind};
use crate::diff::{Action, Diff, Wanted};
use crate::execute::Ended;
use crate::ids::StepIndex;
use crate::journal::{self, RunKey};
use crate::plan::Plan;
use crate::report::{Record, RunReport, RunStatus, Verdict, run_human, run_report};
use crate::state::{History, Recorded};

/// End of a run.
pub(super) struct RunEnd<'a> {
    /// Events that stand in for a journal that is still empty.
    pub(super) header: Vec<Recorded>,
    /// An event that the journal does not have.
    pub(super) more: Option<Recorded>,
    pub(super) ended: Ended,
    /// History so far, if there was nothing to do.
    pub(super) before: Option<&'a History>,
}

/// Reports from the journal, and says by the exit code what the run has come to.
pub(super) async fn conclude(
    plan: &Plan,
    diff: &Diff,
    run_end: RunEnd<'_>,
    execution: &EngineRun<'_>,
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
        // Restores that `--only` has left out can still start in the run.
        let is_blocked = diff.count(Action::Blocked) > 0;
        let is_over =
            report.verdict != Verdict::Unfinished || before.ended.is_some() && !is_blocked;
        if is_over && before.opened.is_some() {
            // By AWS's clock, as in the summary.
            let at = report.end.or(before.ended);
            report.ended_before(at, &execution.again_anew(&plan.name));
        }
        let is_said = !left_out(&report, diff, &execution.wanted).is_empty();
        if !is_over && !is_said || execution.report.format == HumanOrJson::Json {
            context
                .output
                .note("nothing to do: no restore to start or to follow");
        }
    }
    // The result does not depend on whether a file can be written.
    let mut is_unwritten = None;
    let mut unwritten = Vec::new();
    for (format, file) in &execution.report.reports {
        let output = OutputFile::new(file, OutputKind::Report);
        if let Err(failure) = output.write_with(|out| format.write(&report, out)) {
            unwritten.push(quoted(&format!("--report={format}={}", file.display())));
            is_unwritten.get_or_insert(failure);
        }
    }
    match execution.report.format {
        HumanOrJson::Json => context.output.result_with(|out| report.write_json(out)),
        HumanOrJson::Human => {
            let is_asked_done = !execution.wanted.only.is_empty()
                && report.verdict == Verdict::Unfinished
                && matches!(unfinished(&execution.wanted, diff, &report), Exit::Done);
            let left_out = left_out(&report, diff, &execution.wanted);
            let failed = report.count(RunStatus::Failed) + report.count(RunStatus::CheckFailed);
            let hints = execution.hints.after(run_end.ended);
            let again = match (is_asked_done, left_out.is_empty()) {
                (true, _) | (false, false) => Cow::Borrowed(""),
                // A failure blocks the rest: the same command would say the same for ever.
                (false, true)
                    if failed > 0
                        && report.verdict == Verdict::Unfinished
                        && run_end.ended == Ended::Finished
                        && !hints.command.is_empty() =>
                {
                    Cow::Owned(format!("{} --retry-failed", hints.command))
                }
                (false, true) => Cow::Borrowed(hints.command.as_str()),
            };
            let is_idle = run_end.before.is_some_and(|before| before.opened.is_none());
            let mut text = match left_out.is_empty() || !is_idle {
                true => run_human(&report, &again, &context.clock()),
                // A list of what was not started says nothing more.
                false => String::new(),
            };
            text.push_str(&left_out);
            if !left_out.is_empty() && !hints.whole.is_empty() {
                let only = needed(plan, diff, &execution.wanted).join(",");
                let only = quoted(&format!("--only={only}"));
                text.push_str(&format!("add what they need: {} {only}\n", hints.whole));
            }
            if is_asked_done && !execution.rehearsal {
                text.push_str("what --only named is done; the rest of the plan: ");
                text.push_str(&hints.whole);
                text.push('\n');
            }
            if matches!(report.verdict, Verdict::Failed | Verdict::Unfinished)
                && let Some(besides) = hints.besides()
            {
                text.push_str(&besides);
            }
            if execution.rehearsal && run_end.ended != Ended::Finished && hints.command.is_empty() {
                text.push_str(
                    "nothing of this rehearsal was kept; with --state DIR it is, and the same command continues it\n",
                );
            }
            context.output.result(&text)
        }
    }?;
    if let Some(failure) = is_unwritten {
        if let Some(command) = written_again(plan, execution) {
            let words = unwritten.join(" ");
            context.output.note(&format!(
                "a report was not written; once the cause is mended, write it again: {command} {words}"
            ));
        }
        return Err(failure);
    }
    Ok(match run_end.ended {
        Ended::Interrupted => Exit::Interrupted,
        Ended::Detached => Exit::Unfinished,
        Ended::Finished => match report.verdict {
            Verdict::Passed => Exit::Done,
            Verdict::ObjectiveMissed => Exit::ObjectiveMissed,
            Verdict::Failed => Exit::Failed,
            // Jobs that still ran were followed to their end, and the rest is gone.
            Verdict::CleanedUp => Exit::Invalid,
            // `--only` has left something out, and all that was asked for is done; or a failure blocks the rest.
            Verdict::Unfinished => unfinished(&execution.wanted, diff, &report),
        },
    })
}

/// The command that makes a report from the journal; none where no journal is kept.
fn written_again(plan: &Plan, execution: &EngineRun<'_>) -> Option<String> {
    if execution.rehearsal && execution.hints.again.command.is_empty() {
        return None;
    }
    let file = quoted_path(&execution.file.to_string_lossy());
    let place = execution.store.place();
    let mut command = format!("redrill report {file}");
    if plan.run_id != "main" {
        command.push_str(&format!(" --run-id {}", plan.run_id));
    }
    if place != ".redrill" {
        command.push_str(&format!(" --state {}", quoted(&place)));
    }
    Some(command)
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
            let name = &report.restores.get(change.step.get())?.restore;
            change.reason.as_ref().map(|why| format!("{name}: {why}"))
        })
        .collect();
    let lines = super::listed(&lines, 5, "").into_iter();
    lines.map(|line| line + "\n").collect()
}

/// The restores that `--only` names, with all that they need and that is not back yet.
fn needed<'p>(plan: &'p Plan, diff: &Diff, wanted: &Wanted) -> Vec<&'p str> {
    let done = diff.changes.iter().filter(|c| c.action == Action::Done);
    let done: HashSet<StepIndex> = done.map(|change| change.step).collect();
    let only: HashSet<&str> = wanted.only.iter().map(String::as_str).collect();
    let chosen = |at: &StepIndex| only.contains(plan.steps[*at].name.as_str());
    let mut open: Vec<StepIndex> = plan.steps.positions().filter(chosen).collect();
    let mut needed: HashSet<StepIndex> = HashSet::new();
    while let Some(at) = open.pop() {
        if !done.contains(&at) && needed.insert(at) {
            open.extend(plan.steps[at].needs.iter());
        }
    }
    let mut needed: Vec<StepIndex> = needed.into_iter().collect();
    needed.sort_unstable();
    needed
        .iter()
        .map(|at| plan.steps[*at].name.as_str())
        .collect()
}

fn unfinished(wanted: &Wanted, diff: &Diff, report: &RunReport) -> Exit {
    use crate::report::RunStatus::{CheckFailed, Completed, Failed, Incomplete, Skipped};
    let failed = report.count(Failed) + report.count(Incomplete) + report.count(CheckFailed);
    let only: HashSet<&str> = wanted.only.iter().map(String::as_str).collect();
    // A job can outlast its `timeout`, and then it is not followed to its end.
    let is_back = report
        .restores
        .iter()
        .filter(|of| only.contains(of.restore.as_str()))
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
