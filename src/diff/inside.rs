//! Two values of a key to what differs between them: inside JSON that stands in a string, not as one blob.

use std::fmt;

use serde_json::Value;

/// JSON in a string in JSON in a string, and so on: deeper is compared as text.
const DEPTH: usize = 8;

/// One step on the way into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A member of a map.
    Key(String),
    /// An item of a list, from 0.
    Index(usize),
}

/// The way to a value: `NetworkInterfaces[0].SubnetId`, `nestedRestoreJobs["arn:…"].volumeSize`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub Vec<Part>);

impl Path {
    /// The way to a key of the request itself, as it is spelled.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(vec![Part::Key(key.to_owned())])
    }

    fn with(&self, part: Part) -> Self {
        let mut path = self.clone();
        path.0.push(part);
        path
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            match part {
                // A key of the request is what it is, whatever characters AWS has given it.
                Part::Key(key) if at == 0 => f.write_str(key)?,
                Part::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                Part::Key(key) => write!(f, "[{}]", Value::from(key.as_str()))?,
                Part::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Kind of equality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// The bytes that are sent: of two requests.
    Bytes,
    /// Meaning to AWS: keys in any case, JSON in any notation. Between a request and what AWS returned.
    Meaning,
}

/// One place where two values differ.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ValueDifference {
    /// Where.
    pub(super) path: Path,
    /// Old value; none if the value is new.
    pub(super) old: Option<Value>,
    /// New value; none if the value is gone.
    pub(super) new: Option<Value>,
}

/// Lists the differences between two values of one key.
pub(super) fn differences(
    path: &Path,
    old: &Value,
    new: &Value,
    sense: Sense,
) -> Vec<ValueDifference> {
    let mut walk = Walk {
        sense,
        found: Vec::new(),
    };
    walk.values(path, old, new, DEPTH);
    if walk.found.is_empty() && sense == Sense::Bytes && old != new {
        // The same JSON, written differently: other bytes, and so another token.
        walk.found.push(ValueDifference {
            path: path.clone(),
            old: Some(old.clone()),
            new: Some(new.clone()),
        });
    }
    walk.found
}

struct Walk {
    sense: Sense,
    found: Vec<ValueDifference>,
}

impl Walk {
    fn values(&mut self, path: &Path, old: &Value, new: &Value, depth: usize) {
        if old == new {
            return;
        }
        match (old, new) {
            (Value::Object(before), Value::Object(after)) => {
                for (key, was) in before {
                    let way = path.with(Part::Key(key.clone()));
                    match self.member(after, key) {
                        Some(is) => self.values(&way, was, is, depth),
                        None => self.push(way, Some(was), None),
                    }
                }
                for (key, is) in after {
                    if self.member(before, key).is_none() {
                        self.push(path.with(Part::Key(key.clone())), None, Some(is));
                    }
                }
            }
            (Value::Array(before), Value::Array(after)) => self.lists(path, before, after, depth),
            (Value::String(was), Value::String(is)) => {
                match (depth, container(was), container(is)) {
                    (1.., Some(a), Some(b)) if a.is_array() == b.is_array() => {
                        self.values(path, &a, &b, depth - 1);
                    }
                    _ if self.sense == Sense::Meaning && same_flag(was, is) => {}
                    _ => self.push(path.clone(), Some(old), Some(new)),
                }
            }
            _ => self.push(path.clone(), Some(old), Some(new)),
        }
    }

    /// Skips the common beginning and end of both lists; compares the middle item by item.
    fn lists(&mut self, path: &Path, old: &[Value], new: &[Value], depth: usize) {
        let shorter = old.len().min(new.len());
        let front = (0..shorter).take_while(|at| old[*at] == new[*at]).count();
        let back = (0..shorter - front)
            .take_while(|at| old[old.len() - 1 - at] == new[new.len() - 1 - at])
            .count();
        let (was, is) = (&old[front..old.len() - back], &new[front..new.len() - back]);
        for at in 0..was.len().max(is.len()) {
            let way = path.with(Part::Index(front + at));
            match (was.get(at), is.get(at)) {
                (Some(was), Some(is)) => self.values(&way, was, is, depth),
                (was, is) => self.push(way, was, is),
            }
        }
    }

    fn member<'a>(&self, map: &'a serde_json::Map<String, Value>, key: &str) -> Option<&'a Value> {
        let exact = map.get(key);
        if exact.is_some() || self.sense == Sense::Bytes {
            return exact;
        }
        let (_, value) = map.iter().find(|(k, _)| k.eq_ignore_ascii_case(key))?;
        Some(value)
    }

    fn push(&mut self, path: Path, old: Option<&Value>, new: Option<&Value>) {
        self.found.push(ValueDifference {
            path,
            old: old.cloned(),
            new: new.cloned(),
        });
    }
}

/// The list or map in a string.
#[must_use]
pub fn container(text: &str) -> Option<Value> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok()
}

fn same_flag(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) && (a.eq_ignore_ascii_case("true") || a.eq_ignore_ascii_case("false"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(old: Value, new: Value, sense: Sense) -> Vec<String> {
        let text = |value: Option<Value>| value.map_or("·".to_owned(), |v| v.to_string());
        differences(&Path::of("K"), &old, &new, sense)
            .into_iter()
            .map(|d| format!("{} {} {}", d.path, text(d.old), text(d.new)))
            .collect()
    }

    #[test]
    fn json_in_strings_is_compared_inside_however_deep() {
        let old = json!(r#"[{"SubnetId":"subnet-1","Groups":["sg-1","sg-2"],"DeviceIndex":0}]"#);
        let new = json!(r#"[{"SubnetId":"subnet-2","Groups":["sg-2"],"DeviceIndex":0}]"#);
        assert_eq!(
            shown(old, new, Sense::Bytes),
            [
                r#"K[0].SubnetId "subnet-1" "subnet-2""#,
                r#"K[0].Groups[0] "sg-1" ·"#
            ]
        );
        let nested = |size: u32| {
            let inner = json!({ "volumeSize": size.to_string() }).to_string();
            Value::from(json!({ "arn:x": inner }).to_string())
        };
        assert_eq!(
            shown(nested(8), nested(9), Sense::Bytes),
            [r#"K["arn:x"].volumeSize "8" "9""#]
        );
    }

    #[test]
    fn other_bytes_of_the_same_json_are_a_change_of_a_request_and_none_of_its_meaning() {
        let (old, new) = (json!(r#"{"a":1,"b":2}"#), json!(r#"{ "b":2, "a":1 }"#));
        assert_eq!(shown(old.clone(), new.clone(), Sense::Bytes).len(), 1);
        assert_eq!(shown(old, new, Sense::Meaning).len(), 0);
    }

    #[test]
    fn meaning_knows_no_case_of_keys_and_flags() {
        let (old, new) = (json!(r#"{"subnetId":"a"}"#), json!(r#"{"SubnetId":"a"}"#));
        assert_eq!(shown(old.clone(), new.clone(), Sense::Meaning).len(), 0);
        assert_eq!(
            shown(old, new, Sense::Bytes),
            [r#"K.subnetId "a" ·"#, r#"K.SubnetId · "a""#]
        );
        assert_eq!(shown(json!("TRUE"), json!("true"), Sense::Meaning).len(), 0);
        assert_eq!(shown(json!("YES"), json!("yes"), Sense::Meaning).len(), 1);
    }

    #[test]
    fn a_value_that_becomes_another_kind_is_one_change() {
        for (old, new) in [
            (json!(r#"["a"]"#), json!("a")),
            (json!(r#"["a"]"#), json!(r#"{"a":1}"#)),
            (json!("[not json"), json!("[]")),
        ] {
            assert_eq!(shown(old, new, Sense::Bytes).len(), 1);
        }
        assert_eq!(
            shown(json!(r#"{"n":8}"#), json!(r#"{"n":"8"}"#), Sense::Meaning),
            [r#"K.n 8 "8""#]
        );
    }
}
