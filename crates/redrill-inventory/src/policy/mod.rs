//! IAM policy documents, as they are written in YAML: their grammar, not what they decide.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

mod operator;
mod read;
mod values;
mod write;

pub use operator::{Comparison, ConditionOperator, ManyValues};

pub(super) use read::{
    identity_policies, of_properties, optional_identity, optional_resource, optional_trust,
    service_control_policies,
};

/// A policy document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyDocument {
    /// True if it says `Version: 2012-10-17`: only then `${…}` is a variable.
    pub variables: bool,
    /// Its `Id`.
    pub id: Option<String>,
    /// In their order.
    pub statements: Vec<PolicyStatement>,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStatement {
    /// Its `Sid`.
    pub sid: Option<String>,
    /// Effect if the statement fits.
    pub effect: PolicyEffect,
    /// Principals that it is about; none in policies of a principal.
    pub principal: Option<PolicyPrincipal>,
    /// `Action` or `NotAction`.
    pub action: PolicyPatterns,
    /// `Resource` or `NotResource`; none in a trust policy.
    pub resource: Option<PolicyPatterns>,
    /// All have to hold.
    pub conditions: Vec<PolicyCondition>,
}

/// `Effect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "IAM's own names")]
pub enum PolicyEffect {
    Allow,
    Deny,
}

/// Patterns with `*` and `?`, or all but what they fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPatterns {
    /// `NotAction`, `NotResource`.
    pub all_but: bool,
    /// Patterns as written.
    pub patterns: Vec<String>,
}

/// `Principal` or `NotPrincipal`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyPrincipal {
    /// `NotPrincipal`.
    pub all_but: bool,
    /// `"*"`, or `AWS: "*"`.
    pub everyone: bool,
    /// `AWS`: account ids and ARNs.
    pub aws: Vec<String>,
    /// `Service`: `backup.amazonaws.com`.
    pub service: Vec<String>,
    /// `Federated` and `CanonicalUser`, by kind: nobody whom the emulator knows is one.
    pub other: Vec<(String, String)>,
}

/// One key of a `Condition`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyCondition {
    /// `StringEquals`, `ForAnyValue:StringLike`, `BoolIfExists`, …
    pub operator: ConditionOperator,
    /// `aws:RequestedRegion`.
    pub key: String,
    /// One of them has to fit.
    pub values: Vec<String>,
}
