//! Criteria for proof: a pure function of a run's journal.

use super::facts::{RestoreFacts, facts};
use super::line::{RTO_IS, SCHEMA};
use super::{Doubt, Proof, ProofResult};
use crate::backup::Endpoint;
use crate::ids::RestoreName;
use crate::report::{CheckReport, CheckStatus, RestoreReport, RunReport, RunStatus};
use crate::state::{NOT_RUN, Recorded, incomplete};

/// Programs that pass whatever was restored.
const LOOKS_AT_NOTHING: [&str; 8] = [
    "true", ":", "exit", "echo", "printf", "sleep", "date", "pwd",
];
/// Programs that run another, which follows their options and settings.
const RUNS_ANOTHER: [&str; 7] = [
    "env", "nohup", "timeout", "nice", "time", "setsid", "stdbuf",
];
/// Ends of a script that passes whatever came before.
const ALWAYS_PASSES: [&str; 4] = ["true", ":", "exit 0", "/bin/true"];
/// Programs that run a script given after `-c`.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "ash"];

/// Result of a run for one restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessed {
    /// The restore's name.
    pub restore: RestoreName,
    /// Result that was shown; none if there is nothing to write down.
    pub result: Option<ProofResult>,
    /// Reason that it is not proven; none if it is.
    pub doubt: Option<Doubt>,
    /// The line of the ledger, which follows nothing yet; none where there is none.
    pub proof: Option<Box<Proof>>,
}

/// Decides for every restore of a run whether it counts. `evidence` is the digest of the bundle that was made of these
/// events and has been verified.
#[must_use]
pub fn assess(report: &RunReport, events: &[Recorded], evidence: &str) -> Vec<Assessed> {
    let whole = of_the_whole(report);
    let mut facts = facts(events);
    let restores = report.restores.iter();
    restores
        .map(|restore| {
            let facts = facts.remove(&restore.restore).unwrap_or_default();
            let (result, doubt) = match &whole {
                Some(doubt) => (None, Some(doubt.clone())),
                None => judge(report, restore, &facts),
            };
            let subject = AssessedRestore {
                report,
                restore,
                facts,
                evidence,
            };
            subject.assessed(result, doubt)
        })
        .collect()
}

/// Finds what keeps every restore of a run from counting.
fn of_the_whole(report: &RunReport) -> Option<Doubt> {
    match &report.world {
        Some(Endpoint::Aws) => {}
        Some(other) => return Some(Doubt::NotAws(other.clone())),
        None => return Some(Doubt::EndpointUnknown),
    }
    if report
        .runners
        .iter()
        .any(|runner| runner.origin.as_ref().is_some_and(|of| of.rehearsal))
    {
        return Some(Doubt::NotAws(Endpoint::Rehearsal));
    }
    let unsettled = |of: &&RestoreReport| of.outcome() == RunStatus::Unanswered;
    let unsettled = report.restores.iter().find(unsettled)?;
    Some(Doubt::Unsettled(unsettled.restore.clone()))
}

/// Decides what is written down of a restore, and what keeps it from being proof.
fn judge(
    report: &RunReport,
    restore: &RestoreReport,
    facts: &RestoreFacts,
) -> (Option<ProofResult>, Option<Doubt>) {
    use ProofResult::{Failed, Proven, Restored};
    let message = || restore.message.clone().unwrap_or_default();
    let (result, doubt) = match restore.outcome() {
        RunStatus::NotStarted | RunStatus::Skipped => (None, Doubt::NotStarted),
        RunStatus::Unanswered | RunStatus::Running => (None, Doubt::NotOver),
        RunStatus::Checking if restore.status.is_gone() => (Some(Restored), Doubt::CleanedUpFirst),
        RunStatus::Checking => (None, Doubt::NotOver),
        RunStatus::Incomplete => {
            let what = incomplete(restore.message.as_deref());
            (
                Some(Failed),
                Doubt::Lossy(what.unwrap_or("something is missing")),
            )
        }
        RunStatus::CheckFailed => of_checks(&restore.checks),
        RunStatus::Failed => match (&restore.mismatch, &restore.job_id) {
            (Some(why), _) => (Some(Failed), Doubt::Mismatch(why.clone())),
            (None, Some(_)) => (Some(Failed), Doubt::JobFailed(message())),
            (None, None) => (Some(Failed), Doubt::Refused(message())),
        },
        // Both are what became of it afterwards.
        RunStatus::Deleting | RunStatus::Deleted => (None, Doubt::NotOver),
        RunStatus::Completed => match completed(report, restore, facts) {
            Some((result, doubt)) => (result, doubt),
            None => return (Some(Proven), None),
        },
    };
    (result, Some(doubt))
}

/// A check that has failed, or that could not be run.
fn of_checks(checks: &[CheckReport]) -> (Option<ProofResult>, Doubt) {
    let is_run = |check: &&CheckReport| {
        let why = check.message.as_deref().unwrap_or_default();
        !why.starts_with(NOT_RUN)
    };
    let failed = || checks.iter().filter(|of| of.status == CheckStatus::Failed);
    let name = |of: Option<&CheckReport>| of.map(|of| of.name.clone()).unwrap_or_default();
    match failed().find(is_run) {
        Some(check) => (
            Some(ProofResult::Failed),
            Doubt::CheckFailed(check.name.clone()),
        ),
        None => (
            Some(ProofResult::Restored),
            Doubt::CheckNotRun(name(failed().next())),
        ),
    }
}

/// Finds what keeps a restore that is back, and whose checks have all passed, from being proof.
fn completed(
    report: &RunReport,
    restore: &RestoreReport,
    facts: &RestoreFacts,
) -> Option<(Option<ProofResult>, Doubt)> {
    use ProofResult::{Failed, Restored};
    // A job that says it has lost something is not good, whatever a report of an earlier version says.
    if let Some(what) = incomplete(restore.message.as_deref()) {
        return Some((Some(Failed), Doubt::Lossy(what)));
    }
    if facts.is_of_others {
        return Some((Some(Restored), Doubt::Adopted));
    }
    if !restore.second_jobs.is_empty() {
        return Some((Some(Restored), Doubt::SecondJob));
    }
    let Some(first) = restore.checks.first() else {
        return Some((Some(Restored), Doubt::NoCheck));
    };
    if facts.checked_too_late {
        return Some((Some(Restored), Doubt::CleanedUpFirst));
    }
    if restore
        .checks
        .iter()
        .all(|check| looks_at_nothing(&check.run))
    {
        let name = first.name.clone();
        return Some((Some(Restored), Doubt::LooksAtNothing(name)));
    }
    let of_plan = |status| report.checks.iter().find(|check| check.status == status);
    if let Some(check) = of_plan(CheckStatus::Failed) {
        let name = check.name.clone();
        return Some(match of_checks(&report.checks) {
            (Some(Failed), _) => (Some(Failed), Doubt::PlanCheckFailed(name)),
            not_run => not_run,
        });
    }
    if of_plan(CheckStatus::Running).is_some() {
        return Some((None, Doubt::NotOver));
    }
    None
}

/// Returns true if a command passes whatever was restored. What a command looks at cannot be known; this one cannot
/// have looked.
#[must_use]
pub fn looks_at_nothing(command: &[String]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return true;
    };
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let program = name(program);
    if RUNS_ANOTHER.contains(&program.as_str()) {
        let is_setting = |word: &&String| {
            word.starts_with('-')
                || word.contains('=')
                || word.starts_with(|first: char| first.is_ascii_digit())
        };
        let settings = arguments.iter().take_while(is_setting).count();
        return looks_at_nothing(&arguments[settings..]);
    }
    let is_shell = SHELLS.contains(&program.as_str());
    let options = arguments.iter().take_while(|word| word.starts_with('-'));
    let options = options.count();
    let is_script = |word: &String| word.ends_with('c') && !word.starts_with("--");
    match arguments.get(options) {
        Some(script) if is_shell && arguments[..options].iter().any(is_script) => {
            let lines = script
                .lines()
                .map(|line| match line.trim_start().starts_with('#') {
                    true => "",
                    false => line,
                });
            let script = lines.collect::<Vec<_>>().join("\n");
            let last = script.trim().rsplit([';', '\n', '|']).next();
            let is_passed = last.is_some_and(|last| {
                last.len() < script.trim().len() && ALWAYS_PASSES.contains(&last.trim())
            });
            // A script that substitutes, pipes or reads may look at anything.
            let is_plain = !script.contains(['`', '|', '<', '$', '(']);
            let parts = script.split([';', '&', '\n']).map(str::trim);
            let mut words = parts.filter_map(|part| part.split_whitespace().next());
            is_passed
                || is_plain && words.all(|word| LOOKS_AT_NOTHING.contains(&name(word).as_str()))
        }
        _ => LOOKS_AT_NOTHING.contains(&program.as_str()),
    }
}

/// A restore that becomes a line.
struct AssessedRestore<'a> {
    report: &'a RunReport,
    restore: &'a RestoreReport,
    facts: RestoreFacts,
    evidence: &'a str,
}

impl AssessedRestore<'_> {
    fn assessed(self, result: Option<ProofResult>, doubt: Option<Doubt>) -> Assessed {
        let restore = self.restore.restore.clone();
        let proof = result.map(|result| self.proof(result, doubt.as_ref()));
        let (result, doubt, proof) = match proof {
            // Without the resource there is nothing to say it of.
            Some(None) => (None, Some(Doubt::ResourceUnknown), None),
            Some(proof) => (result, doubt, proof),
            None => (None, doubt, None),
        };
        Assessed {
            restore,
            result,
            doubt,
            proof: proof.map(Box::new),
        }
    }

    fn proof(self, result: ProofResult, doubt: Option<&Doubt>) -> Option<Proof> {
        let Self {
            report,
            restore,
            facts,
            evidence,
        } = self;
        let target = restore.target.as_deref().or(report.target.as_ref())?;
        let passed = restore.checks.iter();
        let passed = passed.filter(|check| check.status == CheckStatus::Passed);
        Some(Proof {
            schema: SCHEMA.to_owned(),
            follows: Vec::new(),
            resource_arn: facts.resource?,
            resource_type: restore.resource_type.clone(),
            result,
            reason: doubt.map(|doubt| doubt.id().to_owned()),
            message: doubt.map(Doubt::words),
            recovery_point_arn: restore.recovery_point_arn.clone(),
            recovery_point_created_at: facts.created_at,
            recovery_point_age_seconds: restore.rpo_seconds,
            // A request that was refused has no end; the run has.
            at: restore.over_at().or(report.end).or(report.start)?,
            rto_seconds: restore
                .rto_seconds
                .filter(|_| result == ProofResult::Proven),
            rto_is: RTO_IS.to_owned(),
            checks: passed.map(|check| check.name.clone()).collect(),
            plan: report.plan.clone(),
            run: report.run_id.clone(),
            restore: restore.restore.clone(),
            job_id: restore.job_id.clone(),
            attempts: restore.attempts,
            evidence_sha256: evidence.to_owned(),
            signer: None,
            endpoint: Endpoint::Aws,
            account: target.account.clone(),
            region: target.region.clone(),
            redrill: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::looks_at_nothing;

    #[test]
    fn commands_that_cannot_have_looked() {
        let words = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
        for command in [
            "env|true",
            "env|A=1|true",
            "nohup|true",
            "timeout|5|true",
            "/usr/bin/env|sh|-c|exit",
            "sh|-ec|true",
            "sh|-e|-c|true",
            "sh|-c|# todo",
            "sh|-c|./look.sh; true",
            "sh|-c|./look.sh; exit 0",
            "true",
            "/bin/true",
            "echo|ok",
            "sh|-c|exit 0",
            "sh|-c|true; echo done",
            "bash|-c|:",
            "sh|-c|",
            "sleep|1",
        ] {
            assert!(looks_at_nothing(&words(command)), "{command}");
        }
        for command in [
            "env|A=1|./look.sh",
            "timeout|5|./look.sh",
            "sh|-ec|./look.sh",
            "sh|-c|true; ./look.sh",
            "bash|look.sh|true",
            "./check.sh",
            "./rows.sh|-c|select 1",
            "sh|-c|aws s3 ls",
            "sh|-c|true && ./rows.sh",
            "sh|-c|echo $(./rows.sh)",
            "sh|./check.sh",
            "curl|-f|http://x",
        ] {
            assert!(!looks_at_nothing(&words(command)), "{command}");
        }
        assert!(looks_at_nothing(&[]));
    }
}
