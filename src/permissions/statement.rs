//! Statements of a policy, one for each reason.

use std::collections::{BTreeMap, BTreeSet};

/// Conditions of a statement, by operator and key in IAM's words: `StringEquals`, `iam:PassedToService`.
pub type PolicyConditions = BTreeMap<(&'static str, &'static str), BTreeSet<String>>;

/// Permissions for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStatement {
    /// Letters and digits, unique in its policy.
    pub sid: String,
    /// Actions that are allowed.
    pub actions: BTreeSet<String>,
    /// On what.
    pub resources: BTreeSet<String>,
    /// Only where all of these hold.
    pub conditions: PolicyConditions,
    /// Reason that it is needed.
    pub why: String,
    /// The page that says so.
    pub source: &'static str,
}

/// Statements that grow together: the same reason is one statement, whatever asks for it.
#[derive(Debug, Default)]
pub struct PolicyStatements(BTreeMap<String, PolicyStatement>);

impl PolicyStatements {
    /// Adds to the statement of a reason, which begins with the first that asks for it.
    pub fn add(&mut self, statement: PolicyStatement) {
        let of = self.0.entry(statement.sid.clone());
        let of = of.or_insert_with(|| PolicyStatement {
            actions: BTreeSet::new(),
            resources: BTreeSet::new(),
            conditions: PolicyConditions::new(),
            ..statement.clone()
        });
        of.actions.extend(statement.actions);
        of.resources.extend(statement.resources);
        for (condition, values) in statement.conditions {
            of.conditions.entry(condition).or_default().extend(values);
        }
    }

    /// By their names. A resource that another one covers is left out.
    #[must_use]
    pub fn into_list(self) -> Vec<PolicyStatement> {
        let mut all: Vec<PolicyStatement> = self.0.into_values().collect();
        for statement in &mut all {
            if statement.resources.contains("*") {
                statement.resources.retain(|resource| resource == "*");
            }
        }
        all
    }
}

impl PolicyStatement {
    /// One without a condition.
    pub(crate) fn new(
        sid: &str,
        actions: impl IntoIterator<Item = impl Into<String>>,
        resources: impl IntoIterator<Item = String>,
        why: &str,
        source: &'static str,
    ) -> Self {
        Self {
            sid: sid.to_owned(),
            actions: actions.into_iter().map(Into::into).collect(),
            resources: resources.into_iter().collect(),
            conditions: PolicyConditions::new(),
            why: why.to_owned(),
            source,
        }
    }

    /// The same, only where a key has one of these values.
    pub(crate) fn only_if(
        mut self,
        operator: &'static str,
        key: &'static str,
        values: impl IntoIterator<Item = String>,
    ) -> Self {
        self.conditions
            .insert((operator, key), values.into_iter().collect());
        self
    }
}

/// Words as the name of a statement or of a resource in CloudFormation, which have letters and digits alone: `makes the table` is
/// `MakesTheTable`.
pub(crate) fn pascal_case(words: &str) -> String {
    let words = words.split(|c: char| !c.is_ascii_alphanumeric());
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    words.map(capital).collect()
}
