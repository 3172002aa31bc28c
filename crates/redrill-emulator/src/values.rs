//! Values allowed in the metadata: one of some words, of a form or length, a number within bounds. AWS documents them
//! for the keys themselves and for the contents of a value's JSON, so that a place is a path: `SubnetId`,
//! `SecurityGroupIds[]`, `NetworkInterfaces[].SubnetId`.

use std::collections::BTreeMap;
use std::fmt;

use regex::Regex;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::conditions::{Fault, given, items_of, member_of};
use super::refusals::Request;

/// A place in the metadata.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path {
    text: String,
    key: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Each,
    Member(String),
}

impl Path {
    pub(super) fn parse(text: &str) -> Path {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let name = part.trim_end_matches("[]");
            steps.push(Step::Member(name.to_owned()));
            steps.extend((name.len() < part.len()).then_some(Step::Each));
        }
        let key = match steps.remove(0) {
            Step::Member(key) => key,
            Step::Each => String::new(),
        };
        let text = text.to_owned();
        Path { text, key, steps }
    }

    /// The texts at that place.
    pub(super) fn values(&self, request: &Request<'_>) -> Vec<String> {
        match given(request, &self.key) {
            Some(value) if self.steps.is_empty() => vec![value.to_owned()],
            _ => {
                let found = self.json(request).into_iter();
                found.filter_map(text_of).collect()
            }
        }
    }

    /// The objects at that place.
    pub(super) fn objects(&self, request: &Request<'_>) -> Vec<Value> {
        let found = self.json(request).into_iter();
        found.filter(Value::is_object).collect()
    }

    /// The values at that place in the JSON of the key's value. Empty values count as absent, and a value that is not JSON has
    /// none: other refusals are about that.
    fn json(&self, request: &Request<'_>) -> Vec<Value> {
        let value = given(request, &self.key);
        let Some(Ok(value)) = value.map(serde_json::from_str::<Value>) else {
            return Vec::new();
        };
        self.steps.iter().fold(vec![value], |values, step| {
            let step = |value: &Value| match step {
                Step::Each => items_of(value),
                Step::Member(name) => member_of(value, name).cloned().into_iter().collect(),
            };
            values.iter().flat_map(step).collect()
        })
    }

    fn find(&self, request: &Request<'_>, wrong: impl Fn(&str) -> bool) -> Option<Fault> {
        let value = self
            .values(request)
            .into_iter()
            .find(|value| wrong(value))?;
        Some(Fault {
            key: self.text.clone(),
            value: Some(value),
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Rule for each of some places, in their order.
#[derive(Debug)]
pub(super) struct Allowed<T>(Vec<(Path, T)>);

impl<T> Default for Allowed<T> {
    fn default() -> Allowed<T> {
        Allowed(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Allowed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Allowed<T>, D::Error> {
        let places = BTreeMap::<String, T>::deserialize(deserializer)?;
        let places = places
            .into_iter()
            .map(|(path, may)| (Path::parse(&path), may));
        Ok(Allowed(places.collect()))
    }
}

impl<T> Allowed<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first place that has a value which may not be there.
    pub(super) fn find(
        &self,
        request: &Request<'_>,
        may: impl Fn(&T, &str) -> bool,
    ) -> Option<Fault> {
        let mut places = self.0.iter();
        places.find_map(|(path, what)| path.find(request, |value| !may(what, value)))
    }
}

/// A pattern that a whole value fits.
#[derive(Debug)]
pub(super) struct Form(Regex);

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Form, D::Error> {
        let pattern = String::deserialize(deserializer)?;
        let whole = Regex::new(&format!("^(?:{pattern})$"));
        whole.map(Form).map_err(D::Error::custom)
    }
}

impl Form {
    pub(super) fn is_of(&self, value: &str) -> bool {
        self.0.is_match(value)
    }
}

/// The least and the most that a whole number may be; either may be left open.
#[derive(Debug, Deserialize)]
pub(super) struct Bounds(Option<i64>, Option<i64>);

impl Bounds {
    /// Of a number; AWS's samples have them as text too.
    pub(super) fn hold(&self, value: &str) -> bool {
        let number = value.trim().parse::<i64>();
        number.is_ok_and(|number| self.have(number))
    }

    /// Of the number of characters.
    pub(super) fn hold_length(&self, value: &str) -> bool {
        i64::try_from(value.chars().count()).is_ok_and(|length| self.have(length))
    }

    fn have(&self, number: i64) -> bool {
        let Bounds(least, most) = *self;
        least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most)
    }
}

/// Words in any case: AWS says of some types that case does not matter, and of none that it does.
pub(super) fn is_word(words: &[String], value: &str) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let path = Path::parse("NetworkInterfaces[].Groups[]");
        assert_eq!(path.key, "NetworkInterfaces");
        let groups = Step::Member("Groups".into());
        assert_eq!(path.steps, [Step::Each, groups, Step::Each]);
        assert_eq!(Path::parse("SubnetId").steps, []);
        let tenancy = Path::parse("Placement.Tenancy");
        assert_eq!(tenancy.steps, [Step::Member("Tenancy".into())]);
        assert_eq!(
            Path::parse("aws:backup:request-id").key,
            "aws:backup:request-id"
        );
    }

    #[test]
    fn forms_fit_whole_values() {
        let form: Form = serde_yaml::from_str("'[a-z]+|[0-9]'").unwrap();
        assert!(form.is_of("abc") && form.is_of("1"));
        for other in ["a1", "12", "", "abc\n"] {
            assert!(!form.is_of(other), "{other:?}");
        }
        serde_yaml::from_str::<Form>("'('").unwrap_err();
    }

    #[test]
    fn bounds() {
        let bounds: Bounds = serde_yaml::from_str("[1150, 65535]").unwrap();
        assert!(bounds.hold("1150") && bounds.hold("65535") && bounds.hold(" 5432 "));
        for other in [
            "1149",
            "65536",
            "0x",
            "",
            "5432.0",
            "1e4",
            "99999999999999999999",
        ] {
            assert!(!bounds.hold(other), "{other:?}");
        }
        let short: Bounds = serde_yaml::from_str("[1, 2]").unwrap();
        assert!(short.hold_length("äö") && !short.hold_length("abc") && !short.hold_length(""));
        let open: Bounds = serde_yaml::from_str("[null, null]").unwrap();
        assert!(open.hold("-1") && !open.hold("abc"));
    }
}
