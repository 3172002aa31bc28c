//! Decision of IAM about a request, from the policies that apply to it. Pure: policies and request in, decision out.
//!
//! The order is that of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>,
//! and between accounts that of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>.

mod condition;
mod context;
mod evaluate;
mod pattern;
mod principal;
mod statement;
mod words;

pub(super) use context::Context;
pub(super) use evaluate::{Identity, Inquiry, ResourceSide, Rules, Simulated, decide, simulate};
pub(super) use principal::Principal;
pub(super) use words::{By, Denial};

#[cfg(test)]
mod tests;
