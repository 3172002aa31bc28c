//! The metadata of a restore: a few entries, whose keys are met in any case.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// Entries in the order of their keys. They borrow from the request, which has a hundred thousand fellows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Metadata<'a> {
    /// Of a key that is there twice the last value counts, as AWS's parsers have it; one without a value is none.
    pub(super) fn new(mut entries: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>) -> Metadata<'a> {
        // The sort is stable: of equal keys the last one stays last.
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        let mut kept: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::with_capacity(entries.len());
        let mut entries = entries.into_iter().peekable();
        while let Some((key, value)) = entries.next() {
            let last = entries.peek().is_none_or(|(next, _)| *next != key);
            if let (true, Some(value)) = (last, value) {
                kept.push((key, value));
            }
        }
        Metadata(kept)
    }

    /// A value by its key in any case: AWS says so for DynamoDB and for restore testing, and was seen to do so for EFS
    /// (<https://github.com/aws/aws-cli/issues/6468>). The key as it is written goes first.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let mut any_case = None;
        for (name, value) in &self.0 {
            if **name == *key {
                return Some(value);
            }
            if any_case.is_none() && name.eq_ignore_ascii_case(key) {
                any_case = Some(&**value);
            }
        }
        any_case
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }
}

impl<'a> From<&'a BTreeMap<String, String>> for Metadata<'a> {
    fn from(entries: &'a BTreeMap<String, String>) -> Metadata<'a> {
        let entries = entries.iter();
        let borrowed = entries.map(|(key, value)| (key.as_str().into(), value.as_str().into()));
        Metadata(borrowed.collect())
    }
}

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_any_case_and_the_last_of_two() {
        let entry =
            |key: &'static str, value: Option<&'static str>| (Cow::from(key), value.map(Cow::from));
        let metadata = Metadata::new(vec![
            entry("b", Some("1")),
            entry("B", Some("2")),
            entry("a", Some("3")),
            entry("b", Some("4")),
            entry("c", Some("5")),
            entry("c", None),
        ]);
        let entries: Vec<_> = metadata.iter().collect();
        assert_eq!(entries, [("B", "2"), ("a", "3"), ("b", "4")]);
        assert_eq!(metadata.get("b"), Some("4"));
        assert_eq!(metadata.get("A"), Some("3"));
        assert_eq!(metadata.get("c"), None);
        let map = BTreeMap::from([("K".to_owned(), "v".to_owned())]);
        assert_eq!(Metadata::from(&map).get("k"), Some("v"));
    }
}
