//! A plan to what stands in its way, before anything is sent: whatever can be known by reading alone.
//!
//! Judging is pure: it goes through the restores and asks a memo. What the memo does not know yet is asked, many questions at
//! once and each once, and the plan is judged again, until there is nothing left to ask.

mod addresses;
mod caller;
mod check;
mod commands;
mod key_use;
mod keys;
mod looks;
mod memo;
mod names;
mod needed;
mod network;
mod points;
mod policy;
mod principal;
mod quotas;
mod regions;
mod roles;
mod subject;

use std::sync::Arc;

pub use check::{CheckEvidence, CheckId, ConcernedRestore, PreflightCheck, PreflightVerdict};
pub use looks::{Decision, GrantSeen, Looks, PointSeen, QuotaSeen, RoleSeen, ScanSeen, Simulation};
pub use subject::{PreflightOptions, PreflightSubject};

use crate::backup::{ApiError, Fault, ask_all};
use crate::ids::{StepIndex, TargetIndex};
use check::{CheckEvidence as Seen, CheckList, CheckPlace};
use memo::{Memo, MemoQuestion, ask};

/// Somebody who is told how far it is.
pub trait AskProgress {
    /// So many more questions are asked.
    fn more(&mut self, count: usize);
    /// One is answered.
    fn one(&mut self);
}

/// Looks at everything that a plan needs: `places` has whoever looks at each target.
///
/// # Errors
///
/// Where nobody answers at all.
pub async fn preflight<L: Looks>(
    places: &[Arc<L>],
    subject: &PreflightSubject<'_>,
    progress: &mut impl AskProgress,
) -> Result<Vec<PreflightCheck>, ApiError> {
    let mut memo = Memo::default();
    loop {
        let checks = judge(subject, &memo);
        let wanted = in_turn(memo.take_wanted());
        if wanted.is_empty() {
            return Ok(checks);
        }
        progress.more(wanted.len());
        let questions = wanted.iter().map(async |(place, question)| {
            let answer = ask(&*places[place.get()], question).await;
            match answer {
                // Whoever reaches nobody learns nothing from trying the rest.
                Err(error) if error.fault == Fault::Unreachable && question.is_first() => {
                    Err(error)
                }
                answer => Ok(answer),
            }
        });
        let mut answers = Vec::with_capacity(wanted.len());
        ask_all(questions, |answer| {
            progress.one();
            answers.push(answer);
        })
        .await?;
        for (of, answer) in wanted.into_iter().zip(answers) {
            memo.learn(of, answer);
        }
    }
}

/// Questions of each kind and place in turn: each has a rate of its own, and none waits for another's.
fn in_turn(wanted: Vec<(TargetIndex, MemoQuestion)>) -> Vec<(TargetIndex, MemoQuestion)> {
    let kind = |(place, question): &(TargetIndex, MemoQuestion)| {
        (*place, std::mem::discriminant(question))
    };
    let mut turns: Vec<(usize, (TargetIndex, MemoQuestion))> = Vec::with_capacity(wanted.len());
    for question in wanted {
        // Questions come in the order of their kinds.
        let nth = match turns.last() {
            Some((nth, last)) if kind(last) == kind(&question) => nth + 1,
            _ => 0,
        };
        turns.push((nth, question));
    }
    turns.sort_by_key(|(nth, _)| *nth);
    turns.into_iter().map(|(_, question)| question).collect()
}

/// Every check, as far as it can be told by now.
fn judge(subject: &PreflightSubject<'_>, memo: &Memo) -> Vec<PreflightCheck> {
    let mut checks = CheckList::default();
    caller::check(subject, memo, &mut checks);
    // Answers of another account say nothing about the target.
    let is_there =
        |step: &StepIndex| !caller::is_elsewhere(subject, memo, subject.plan.steps[*step].target);
    let subject = &subject.of(subject.steps.iter().copied().filter(is_there).collect());
    regions::check(subject, &mut checks);
    roles::check(subject, memo, &mut checks);
    points::check(subject, memo, &mut checks);
    keys::check(subject, memo, &mut checks);
    network::check(subject, memo, &mut checks);
    addresses::check(subject, memo, &mut checks);
    names::check(subject, memo, &mut checks);
    quotas::check(subject, memo, &mut checks);
    commands::check(subject, &mut checks);
    checks.into_sorted()
}

/// Adds a check that could not be made, with the action that the caller lacks if that is why.
fn unknown(checks: &mut CheckList, on: CheckPlace<'_>, what: &str, asked: &str, error: &ApiError) {
    let help = match error.fault {
        Fault::Denied => format!(
            "allow the caller {}, or look at it yourself",
            error.operation.iam_action()
        ),
        Fault::Expired => "log in again, for example with `aws sso login`".to_owned(),
        _ => "run the command again, or look at it yourself".to_owned(),
    };
    let message = format!("{what} could not be looked at: {}", error.message);
    let evidence = Seen::new(asked, error.to_string());
    checks.add(on, PreflightVerdict::Unknown, (message, help), evidence);
}
