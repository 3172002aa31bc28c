//! Conditions: which hold.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use jiff::Timestamp;
use redrill_inventory::{Comparison, ManyValues, PolicyCondition};

use super::context::Context;
use super::pattern::Pattern;

/// Returns true if a condition holds. `variables` says whether `${…}` in its values is one.
pub(super) fn holds(condition: &PolicyCondition, context: &Context, variables: bool) -> bool {
    let operator = &condition.operator;
    let found = context.get(&condition.key);
    if operator.comparison == Comparison::Null {
        let wanted = |value: &String| value.eq_ignore_ascii_case("true") == found.is_none();
        return condition.values.iter().any(wanted);
    }
    let Some(found) = found.filter(|values| !values.is_empty()) else {
        // «If the key that you specify in a policy condition is not present in the request context, the values do not
        // match», and a negated operator is true then. ForAllValues is true without a key, ForAnyValue false.
        return match operator.many {
            Some(ManyValues::All) => true,
            Some(ManyValues::Any) => operator.if_exists,
            None => operator.if_exists || operator.negated,
        };
    };
    let variables = variables.then_some(context);
    let one = |value: &String| {
        let mut wanted = condition.values.iter();
        let equal = wanted.any(|wanted| compare(operator.comparison, value, wanted, variables));
        // Of a negated operator's values none may match.
        equal != operator.negated
    };
    match operator.many {
        Some(ManyValues::All) => found.iter().all(one),
        _ => found.iter().any(one),
    }
}

fn compare(comparison: Comparison, value: &str, wanted: &str, variables: Option<&Context>) -> bool {
    let literal = || Pattern::literal(wanted, variables);
    match comparison {
        Comparison::StringEquals => literal().is_some_and(|wanted| wanted == value),
        Comparison::StringEqualsIgnoreCase => {
            literal().is_some_and(|wanted| wanted.to_lowercase() == value.to_lowercase())
        }
        Comparison::StringLike => {
            Pattern::new(wanted, variables).is_some_and(|pattern| pattern.fits(value))
        }
        Comparison::ArnLike => arn_like(value, wanted, variables),
        Comparison::Bool => literal().is_some_and(|wanted| wanted.eq_ignore_ascii_case(value)),
        Comparison::Null => false,
        Comparison::NumericEquals => numbers(value, wanted).is_some_and(|(a, b)| a == b),
        Comparison::NumericLessThan => numbers(value, wanted).is_some_and(|(a, b)| a < b),
        Comparison::NumericLessThanEquals => numbers(value, wanted).is_some_and(|(a, b)| a <= b),
        Comparison::NumericGreaterThan => numbers(value, wanted).is_some_and(|(a, b)| a > b),
        Comparison::NumericGreaterThanEquals => numbers(value, wanted).is_some_and(|(a, b)| a >= b),
        Comparison::DateEquals => times(value, wanted).is_some_and(|(a, b)| a == b),
        Comparison::DateLessThan => times(value, wanted).is_some_and(|(a, b)| a < b),
        Comparison::DateLessThanEquals => times(value, wanted).is_some_and(|(a, b)| a <= b),
        Comparison::DateGreaterThan => times(value, wanted).is_some_and(|(a, b)| a > b),
        Comparison::DateGreaterThanEquals => times(value, wanted).is_some_and(|(a, b)| a >= b),
    }
}

/// «Each of the six colon-delimited components of the ARN is checked separately and each can include multi-character match
/// wildcards.»
fn arn_like(value: &str, wanted: &str, variables: Option<&Context>) -> bool {
    let (value, wanted): (Vec<&str>, Vec<&str>) = (
        value.splitn(6, ':').collect(),
        wanted.splitn(6, ':').collect(),
    );
    value.len() == 6
        && wanted.len() == 6
        && value.iter().zip(&wanted).all(|(value, wanted)| {
            Pattern::new(wanted, variables).is_some_and(|pattern| pattern.fits(value))
        })
}

fn numbers(value: &str, wanted: &str) -> Option<(f64, f64)> {
    Some((value.trim().parse().ok()?, wanted.trim().parse().ok()?))
}

/// ISO 8601, or seconds since 1970.
fn times(value: &str, wanted: &str) -> Option<(Timestamp, Timestamp)> {
    let time = |text: &str| {
        let seconds = || Timestamp::from_second(text.trim().parse().ok()?).ok();
        let day = || format!("{}T00:00:00Z", text.trim()).parse().ok();
        text.trim().parse().ok().or_else(seconds).or_else(day)
    };
    Some((time(value)?, time(wanted)?))
}
