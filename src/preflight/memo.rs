//! What has been asked and answered, each question once. Judging asks it, and what it does not know yet is asked next.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::looks::{
    CallerIdentity, Decision, GrantSeen, Looks, PointSeen, QuotaSeen, RoleSeen, Simulation,
};
use crate::backup::{ApiError, Vault, all_vaults};
use crate::render::VaultName;

/// A question to the account and Region of a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    Caller,
    Role(String),
    Simulated(Simulation),
    Resource(String, String),
    Grants(String),
    Count(String),
    Quota(String, String),
    Vaults,
    Point(VaultName, String),
}

impl Question {
    /// Whether it is asked before anything else: who gets no answer to it reaches nobody.
    pub(super) fn is_first(&self) -> bool {
        matches!(self, Self::Caller)
    }
}

/// What was answered.
#[derive(Clone, Debug)]
enum Answer {
    Caller(CallerIdentity, Option<Timestamp>),
    Role(Option<RoleSeen>),
    Simulated(Vec<Decision>),
    Resource(Option<Value>),
    Grants(Vec<GrantSeen>),
    Count(u64),
    Quota(Option<QuotaSeen>),
    Vaults(Vec<Vault>),
    Point(PointSeen),
}

/// What is known of an answer: `None` until it is there.
pub(super) type Known<'a, T> = Option<Result<T, &'a ApiError>>;

/// Everything that has been answered.
#[derive(Debug, Default)]
pub(super) struct Memo {
    answers: BTreeMap<(usize, Question), Result<Answer, ApiError>>,
    wanted: RefCell<BTreeSet<(usize, Question)>>,
}

macro_rules! asks {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $of:ty = $question:expr, $pattern:pat => $value:expr;)*) => {
        $($(#[$doc])* pub(super) fn $name(&self, place: usize, $($argument: $type),*) -> Known<'_, $of> {
            Some(match self.get(place, $question)? {
                Ok($pattern) => Ok($value),
                // Each question has answers of its own kind.
                Ok(_) => return None,
                Err(error) => Err(error),
            })
        })*
    };
}

impl Memo {
    fn get(&self, place: usize, question: Question) -> Option<&Result<Answer, ApiError>> {
        let key = (place, question);
        let found = self.answers.get(&key);
        if found.is_none() {
            self.wanted.borrow_mut().insert(key);
        }
        found
    }

    asks! {
        caller() -> (&CallerIdentity, Option<Timestamp>) = Question::Caller, Answer::Caller(caller, ends) => (caller, *ends);
        role(name: &str) -> Option<&RoleSeen> = Question::Role(name.to_owned()), Answer::Role(role) => role.as_ref();
        simulated(simulation: Simulation) -> &[Decision] = Question::Simulated(simulation), Answer::Simulated(decisions) => decisions;
        resource(type_name: &str, identifier: &str) -> Option<&Value> = Question::Resource(type_name.to_owned(), identifier.to_owned()), Answer::Resource(found) => found.as_ref();
        grants(key: &str) -> &[GrantSeen] = Question::Grants(key.to_owned()), Answer::Grants(grants) => grants;
        count(type_name: &str) -> u64 = Question::Count(type_name.to_owned()), Answer::Count(count) => *count;
        quota(service: &str, code: &str) -> Option<&QuotaSeen> = Question::Quota(service.to_owned(), code.to_owned()), Answer::Quota(quota) => quota.as_ref();
        vaults() -> &[Vault] = Question::Vaults, Answer::Vaults(vaults) => vaults;
        point(vault: &VaultName, arn: &str) -> &PointSeen = Question::Point(vault.clone(), arn.to_owned()), Answer::Point(point) => point;
    }

    /// What has been asked for, and has no answer yet.
    pub(super) fn take_wanted(&self) -> Vec<(usize, Question)> {
        self.wanted.take().into_iter().collect()
    }

    /// Keeps what was answered.
    pub(super) fn learn(&mut self, of: (usize, Question), answer: Result<LearnedAnswer, ApiError>) {
        self.answers.insert(of, answer.map(|answer| answer.0));
    }
}

/// An answer on its way to the others.
pub(super) struct LearnedAnswer(Answer);

/// Asks one question.
pub(super) async fn ask<L: Looks>(
    looks: &L,
    question: &Question,
) -> Result<LearnedAnswer, ApiError> {
    Ok(LearnedAnswer(match question {
        Question::Caller => {
            let caller = looks.caller().await?;
            Answer::Caller(caller, looks.session_ends().await)
        }
        Question::Role(name) => Answer::Role(looks.role(name).await?),
        Question::Simulated(simulation) => Answer::Simulated(looks.simulated(simulation).await?),
        Question::Resource(type_name, identifier) => {
            Answer::Resource(looks.resource(type_name, identifier).await?)
        }
        Question::Grants(key) => Answer::Grants(looks.grants(key).await?),
        Question::Count(type_name) => Answer::Count(looks.count(type_name).await?),
        Question::Quota(service, code) => Answer::Quota(looks.quota(service, code).await?),
        Question::Vaults => Answer::Vaults(all_vaults(looks).await?),
        Question::Point(vault, arn) => Answer::Point(looks.scanned_point(vault, arn).await?),
    }))
}
