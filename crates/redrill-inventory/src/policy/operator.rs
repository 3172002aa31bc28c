//! Condition operators, <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>.

/// A condition operator, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionOperator {
    /// Name as written.
    pub name: String,
    /// Comparison of one value.
    pub comparison: Comparison,
    /// `StringNotEquals`, …
    pub negated: bool,
    /// `…IfExists`.
    pub if_exists: bool,
    /// `ForAllValues:`, `ForAnyValue:`.
    pub many: Option<ManyValues>,
}

/// Comparison of one value with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "IAM's own names")]
pub enum Comparison {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    /// `ArnEquals` does the same.
    ArnLike,
    Bool,
    Null,
    NumericEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
}

/// Requirement on a key with several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManyValues {
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

const NAMES: [(&str, Comparison, bool); 24] = [
    ("StringEquals", Comparison::StringEquals, false),
    ("StringNotEquals", Comparison::StringEquals, true),
    (
        "StringEqualsIgnoreCase",
        Comparison::StringEqualsIgnoreCase,
        false,
    ),
    (
        "StringNotEqualsIgnoreCase",
        Comparison::StringEqualsIgnoreCase,
        true,
    ),
    ("StringLike", Comparison::StringLike, false),
    ("StringNotLike", Comparison::StringLike, true),
    ("ArnEquals", Comparison::ArnLike, false),
    ("ArnNotEquals", Comparison::ArnLike, true),
    ("ArnLike", Comparison::ArnLike, false),
    ("ArnNotLike", Comparison::ArnLike, true),
    ("Bool", Comparison::Bool, false),
    ("Null", Comparison::Null, false),
    ("NumericEquals", Comparison::NumericEquals, false),
    ("NumericNotEquals", Comparison::NumericEquals, true),
    ("NumericLessThan", Comparison::NumericLessThan, false),
    (
        "NumericLessThanEquals",
        Comparison::NumericLessThanEquals,
        false,
    ),
    ("NumericGreaterThan", Comparison::NumericGreaterThan, false),
    (
        "NumericGreaterThanEquals",
        Comparison::NumericGreaterThanEquals,
        false,
    ),
    ("DateEquals", Comparison::DateEquals, false),
    ("DateNotEquals", Comparison::DateEquals, true),
    ("DateLessThan", Comparison::DateLessThan, false),
    ("DateLessThanEquals", Comparison::DateLessThanEquals, false),
    ("DateGreaterThan", Comparison::DateGreaterThan, false),
    (
        "DateGreaterThanEquals",
        Comparison::DateGreaterThanEquals,
        false,
    ),
];

impl ConditionOperator {
    /// Names are met in the case that IAM writes them in.
    pub(super) fn parse(name: &str) -> Result<ConditionOperator, String> {
        let (many, rest) = match name.split_once(':') {
            None => (None, name),
            Some(("ForAllValues", rest)) => (Some(ManyValues::All), rest),
            Some(("ForAnyValue", rest)) => (Some(ManyValues::Any), rest),
            Some((other, _)) => {
                return Err(format!(
                    "{other:?} stands before no condition operator; write ForAllValues or ForAnyValue"
                ));
            }
        };
        let plain = rest.strip_suffix("IfExists");
        let found = NAMES.iter().find(|(one, ..)| *one == plain.unwrap_or(rest));
        match found {
            Some((_, Comparison::Null, _)) if plain.is_some() => {
                Err("Null asks itself whether the key exists; write Null".to_owned())
            }
            Some((_, comparison, negated)) => Ok(ConditionOperator {
                name: name.to_owned(),
                comparison: *comparison,
                negated: *negated,
                if_exists: plain.is_some(),
                many,
            }),
            None => {
                let names: Vec<&str> = NAMES.iter().map(|(name, ..)| *name).collect();
                Err(format!(
                    "{name:?} is not a condition operator that is known here; there are {}",
                    names.join(", ")
                ))
            }
        }
    }
}
