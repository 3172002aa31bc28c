//! Start of a key in a new plan, read from the recovery point as `x-redrill.init` of its schema says.

use jsonschema::Validator;
use regex::Regex;
use serde_json::{Map, Value};

use crate::ids::{AccountId, RegionName};
use crate::rules::{Children, Way};

/// Start of one key.
pub(super) enum Start {
    /// A value, and the variable that holds it.
    Value {
        value: Value,
        var: Option<String>,
        /// Note on the value.
        why: Option<String>,
        /// True if AWS returned it.
        returned: bool,
        /// True if it stays although a rule speaks against it.
        keep: bool,
    },
    /// Returned by AWS, and not sent.
    LeftOut(String),
    /// Nothing.
    Nothing,
}

/// A [`Way`] with its conditions compiled.
pub(super) struct Compiled {
    way: Way,
    when: Option<Validator>,
    matches: Option<Regex>,
    of_children: Option<Regex>,
}

impl Compiled {
    pub(super) fn new(way: &Way) -> Result<Self, String> {
        let regex = |pattern: &String| Regex::new(pattern).map_err(|err| err.to_string());
        let when = way.when.as_ref().map(|when| {
            jsonschema::draft202012::options()
                .build(when)
                .map_err(|err| err.to_string())
        });
        Ok(Self {
            when: when.transpose()?,
            matches: way.matches.as_ref().map(regex).transpose()?,
            of_children: way
                .children
                .as_ref()
                .map(|children| regex(&children.matches))
                .transpose()?,
            way: way.clone(),
        })
    }

    /// Returns the start of the key on this way; `None` if its conditions do not hold.
    pub(super) fn start(&self, facts: &PointFacts<'_>, returned: Option<Value>) -> Option<Start> {
        if let Some(when) = &self.when
            && !when.is_valid(facts.instance)
        {
            return None;
        }
        let mut names = facts.names.clone();
        if let Some(matches) = &self.matches {
            let groups = matches.captures(facts.resource_arn)?;
            for name in matches.capture_names().flatten() {
                let text = groups.name(name).map_or("", |group| group.as_str());
                names.push((format!("<{name}>"), text.to_owned()));
            }
        }
        let way = &self.way;
        if let Some(reason) = &way.leave_out {
            return Some(match returned {
                Some(_) => Start::LeftOut(reason.clone()),
                None => Start::Nothing,
            });
        }
        if let (Some(children), Some(pattern)) = (&way.children, &self.of_children) {
            return Some(of_children(children, pattern, facts, &names));
        }
        let is_returned = way.write.is_none() && returned.is_some();
        let value = match (&way.write, returned, &way.otherwise) {
            (Some(value), _, _) | (None, None, Some(value)) => filled(value, &names),
            (None, Some(value), _) => value,
            (None, None, None) => return Some(Start::Nothing),
        };
        let guessed = way.otherwise.is_some() && !is_returned && way.write.is_none();
        let why = match (&way.why, guessed) {
            (Some(why), _) => Some(why.clone()),
            (None, true) => Some("AWS did not return it: check it".to_owned()),
            (None, false) => None,
        };
        Some(Start::Value {
            value,
            var: way.var.clone(),
            why,
            returned: is_returned,
            keep: way.keep,
        })
    }
}

/// A recovery point as conditions and texts see it.
pub(super) struct PointFacts<'a> {
    /// Instance that `when` is checked against.
    pub(super) instance: &'a Value,
    pub(super) resource_arn: &'a str,
    pub(super) children: &'a [String],
    /// Placeholders of texts, each with its text.
    pub(super) names: Vec<(String, String)>,
    /// The Region that is restored into.
    pub(super) region: &'a RegionName,
    /// The account that is restored into.
    pub(super) account: &'a AccountId,
}

impl PointFacts<'_> {
    /// Tells why a value of the source that belongs to a place (a zone, a key, a subnet group) is of no use where the
    /// plan restores: copies lie in other Regions and accounts, and what AWS returned of them still names the source's.
    pub(super) fn elsewhere(&self, value: &Value) -> Option<String> {
        let (region, account) = self
            .foreign(self.resource_arn)
            .or_else(|| arns(value).find_map(|arn| self.foreign(arn)))?;
        let of = match (region, account) {
            (Some(region), Some(account)) => format!("{region} and account {account}"),
            (Some(region), None) => region.to_owned(),
            (None, Some(account)) => format!("account {account}"),
            (None, None) => return None,
        };
        Some(format!(
            "it is of {of}, and this plan restores into {} of account {}",
            self.region, self.account
        ))
    }

    /// The Region and the account of an ARN where they are others than those that are restored into.
    fn foreign<'t>(&self, arn: &'t str) -> Option<(Option<&'t str>, Option<&'t str>)> {
        let mut parts = arn.strip_prefix("arn:")?.split(':').skip(2);
        let region = parts.next().filter(|region| !region.is_empty());
        let account = parts.next().filter(|account| account.len() == 12);
        let region = region.filter(|region| *region != self.region);
        let account = account.filter(|account| *account != self.account);
        (region.is_some() || account.is_some()).then_some((region, account))
    }
}

/// The ARNs within a value.
fn arns(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(Some(text.as_str()).into_iter()),
        Value::Array(items) => Box::new(items.iter().flat_map(arns)),
        Value::Object(map) => Box::new(map.values().flat_map(arns)),
        _ => Box::new(std::iter::empty()),
    }
}

fn of_children(
    children: &Children,
    pattern: &Regex,
    facts: &PointFacts<'_>,
    names: &[(String, String)],
) -> Start {
    let mut map = Map::new();
    for arn in facts.children.iter().filter(|arn| pattern.is_match(arn)) {
        let mut of_child = Map::new();
        for (key, value) in &children.write {
            let value = filled(value, names);
            let value = match children.vars.get(key).and_then(Value::as_str) {
                // Marked here, declared where variables are.
                Some(var) => {
                    let says = children.says.get(key);
                    serde_json::json!({ super::mapped::VARIABLE: var, "default": value, "says": says })
                }
                None => value,
            };
            of_child.insert(key.clone(), value);
        }
        map.insert(arn.clone(), Value::Object(of_child));
    }
    if map.is_empty() {
        return Start::Nothing;
    }
    Start::Value {
        value: Value::Object(map),
        var: None,
        why: None,
        returned: false,
        keep: true,
    }
}

/// A value with every `<name>` filled in.
fn filled(value: &Value, names: &[(String, String)]) -> Value {
    match value {
        Value::String(text) if text.contains('<') => {
            let filled = names
                .iter()
                .fold(text.clone(), |text, (name, is)| text.replace(name, is));
            Value::String(filled)
        }
        Value::Array(items) => items.iter().map(|item| filled(item, names)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), filled(value, names)))
            .collect(),
        other => other.clone(),
    }
}
