//! Programs of checks and of the cutover, as far as they are there now.

use super::check::{
    CheckEvidence, CheckId, CheckList, ConcernedRestore, PreflightCheck, PreflightVerdict,
};
use super::subject::PreflightSubject;
use crate::diagnostic::Severity;

pub(super) fn check(subject: &PreflightSubject<'_>, checks: &mut CheckList) {
    for finding in subject.programs.iter() {
        let concerned = finding.restore.as_ref().map(|restore| ConcernedRestore {
            restore: restore.clone(),
            at: finding.span.start,
            key: None,
        });
        checks.push(PreflightCheck {
            id: CheckId::CommandReady,
            target: None,
            verdict: match finding.severity {
                Severity::Error => PreflightVerdict::Fail,
                Severity::Warning => PreflightVerdict::Warn,
                Severity::Note => PreflightVerdict::Pass,
            },
            message: finding.message.clone(),
            help: finding.help.clone(),
            evidence: CheckEvidence::new("the files of this machine", finding.rule.as_str()),
            restores: concerned.into_iter().collect(),
        });
    }
    let document = subject.document;
    let of_plan = document.checks.len() + document.cutover.len();
    let count = of_plan + subject.steps().map(|step| step.checks.len()).sum::<usize>();
    if count > 0 && subject.programs.iter().next().is_none() {
        checks.push(PreflightCheck {
            id: CheckId::CommandReady,
            target: None,
            verdict: PreflightVerdict::Pass,
            message: format!("the programs of {count} checks and cutover steps can be started"),
            help: String::new(),
            evidence: CheckEvidence::new(
                "the files of this machine",
                "each is there and can be executed",
            ),
            restores: Vec::new(),
        });
    }
}
