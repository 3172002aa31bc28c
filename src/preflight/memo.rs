//! Questions and their answers, each asked once. Judging asks a question, and what has no answer yet is asked next.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::looks::{Decision, GrantSeen, Looks, PointSeen, QuotaSeen, RoleSeen, Simulation};
use crate::backup::{ApiError, CallerIdentity, Vault, all_vaults};
use crate::ids::TargetIndex;
use crate::render::VaultName;

/// A question to the account and Region of a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MemoQuestion {
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

impl MemoQuestion {
    /// Returns true if it is asked before anything else: a caller that gets no answer to it reaches nobody.
    pub(super) fn is_first(&self) -> bool {
        matches!(self, Self::Caller)
    }
}

/// Answer to a question.
#[derive(Clone, Debug)]
enum MemoAnswer {
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

/// Answer as far as it is known: `None` until it is there.
pub(super) type KnownAnswer<'a, T> = Option<Result<T, &'a ApiError>>;

/// Everything that has been answered.
#[derive(Debug, Default)]
pub(super) struct Memo {
    answers: BTreeMap<(TargetIndex, MemoQuestion), Result<MemoAnswer, ApiError>>,
    wanted: RefCell<BTreeSet<(TargetIndex, MemoQuestion)>>,
}

macro_rules! asks {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $of:ty = $question:expr, $pattern:pat => $value:expr;)*) => {
        $($(#[$doc])* pub(super) fn $name(&self, place: TargetIndex, $($argument: $type),*) -> KnownAnswer<'_, $of> {
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
    fn get(
        &self,
        place: TargetIndex,
        question: MemoQuestion,
    ) -> Option<&Result<MemoAnswer, ApiError>> {
        let key = (place, question);
        let found = self.answers.get(&key);
        if found.is_none() {
            self.wanted.borrow_mut().insert(key);
        }
        found
    }

    asks! {
        caller() -> (&CallerIdentity, Option<Timestamp>) = MemoQuestion::Caller, MemoAnswer::Caller(caller, ends) => (caller, *ends);
        role(name: &str) -> Option<&RoleSeen> = MemoQuestion::Role(name.to_owned()), MemoAnswer::Role(role) => role.as_ref();
        simulated(simulation: Simulation) -> &[Decision] = MemoQuestion::Simulated(simulation), MemoAnswer::Simulated(decisions) => decisions;
        resource(type_name: &str, identifier: &str) -> Option<&Value> = MemoQuestion::Resource(type_name.to_owned(), identifier.to_owned()), MemoAnswer::Resource(found) => found.as_ref();
        grants(key: &str) -> &[GrantSeen] = MemoQuestion::Grants(key.to_owned()), MemoAnswer::Grants(grants) => grants;
        count(type_name: &str) -> u64 = MemoQuestion::Count(type_name.to_owned()), MemoAnswer::Count(count) => *count;
        quota(service: &str, code: &str) -> Option<&QuotaSeen> = MemoQuestion::Quota(service.to_owned(), code.to_owned()), MemoAnswer::Quota(quota) => quota.as_ref();
        vaults() -> &[Vault] = MemoQuestion::Vaults, MemoAnswer::Vaults(vaults) => vaults;
        point(vault: &VaultName, arn: &str) -> &PointSeen = MemoQuestion::Point(vault.clone(), arn.to_owned()), MemoAnswer::Point(point) => point;
    }

    /// Takes the questions that have no answer yet.
    pub(super) fn take_wanted(&self) -> Vec<(TargetIndex, MemoQuestion)> {
        self.wanted.take().into_iter().collect()
    }

    /// Keeps what was answered.
    pub(super) fn learn(
        &mut self,
        of: (TargetIndex, MemoQuestion),
        answer: Result<LearnedAnswer, ApiError>,
    ) {
        self.answers.insert(of, answer.map(|answer| answer.0));
    }
}

/// An answer on its way to the others.
pub(super) struct LearnedAnswer(MemoAnswer);

/// Asks one question.
pub(super) async fn ask<L: Looks>(
    looks: &L,
    question: &MemoQuestion,
) -> Result<LearnedAnswer, ApiError> {
    Ok(LearnedAnswer(match question {
        MemoQuestion::Caller => {
            let caller = looks.caller().await?;
            MemoAnswer::Caller(caller, looks.session_ends().await)
        }
        MemoQuestion::Role(name) => MemoAnswer::Role(looks.role(name).await?),
        MemoQuestion::Simulated(simulation) => {
            MemoAnswer::Simulated(looks.simulated(simulation).await?)
        }
        MemoQuestion::Resource(type_name, identifier) => {
            MemoAnswer::Resource(looks.resource(type_name, identifier).await?)
        }
        MemoQuestion::Grants(key) => MemoAnswer::Grants(looks.grants(key).await?),
        MemoQuestion::Count(type_name) => MemoAnswer::Count(looks.count(type_name).await?),
        MemoQuestion::Quota(service, code) => MemoAnswer::Quota(looks.quota(service, code).await?),
        MemoQuestion::Vaults => MemoAnswer::Vaults(all_vaults(looks).await?),
        MemoQuestion::Point(vault, arn) => {
            MemoAnswer::Point(looks.scanned_point(vault, arn).await?)
        }
    }))
}
