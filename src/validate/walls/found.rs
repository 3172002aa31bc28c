//! The values of a restore that name a place, wherever they are: in lists and maps, and in JSON in strings.

use serde_json::{Map, Value};

use crate::ids::Arn;
use crate::rules::{Wall, WallHere};

/// Kind of a value, as far as `allow` is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) enum FoundKind {
    Wall(Wall<'static>),
    /// A place that depends on what is not known yet.
    Later(Wall<'static>),
    /// redrill does not know what it is, so that it may name anything.
    Unknown,
}

/// One value.
#[derive(Debug)]
pub(super) struct FoundPlace {
    pub(super) text: String,
    pub(super) kind: FoundKind,
    /// Path to the value.
    pub(super) path: Vec<String>,
    /// The Region that is named beside it.
    pub(super) region: Option<String>,
}

/// A search through one value.
#[derive(Default)]
pub(super) struct Search {
    pub(super) found: Vec<FoundPlace>,
    path: Vec<String>,
    region: Option<String>,
}

/// Facts known of a value before it is looked at.
#[derive(Clone, Copy)]
pub(super) enum Looked<'s> {
    /// Its schema, and what the schema of a list around it says of all items.
    Schema(&'s Value, Option<FoundKind>),
    /// Nothing: only what is recognised by its form counts.
    Opaque,
    /// Nothing, not even the key: each text counts.
    Unknown,
}

impl Search {
    /// Looks at the value of a key, which the keys beside it may decide about.
    pub(super) fn of_key(
        &mut self,
        key: &str,
        value: &Value,
        of: Looked<'_>,
        given: &dyn Fn(&str) -> Option<String>,
    ) {
        self.path.push(key.to_owned());
        self.visit(value, of, given);
        self.path.pop();
    }

    fn visit(&mut self, value: &Value, of: Looked<'_>, given: &dyn Fn(&str) -> Option<String>) {
        let of = match of {
            Looked::Schema(schema, around) => {
                Looked::Schema(schema, kind(schema, given).or(around))
            }
            other => other,
        };
        match value {
            Value::String(text) => self.text(text, of, given),
            Value::Array(items) => {
                let of_item = of_items(of);
                for (at, item) in items.iter().enumerate() {
                    self.of_key(&at.to_string(), item, of_item, given);
                }
            }
            Value::Object(map) => self.map(map, of, given),
            Value::Number(number) => self.leaf(&number.to_string(), of, true),
            // A name that YAML takes for something else.
            Value::Bool(value) => self.leaf(&value.to_string(), of, true),
            Value::Null => {}
        }
    }

    fn map(
        &mut self,
        map: &Map<String, Value>,
        of: Looked<'_>,
        given: &dyn Fn(&str) -> Option<String>,
    ) {
        let Looked::Schema(schema, around) = of else {
            for (key, value) in map {
                self.leaf(key, Looked::Opaque, false);
                self.of_key(key, value, of, given);
            }
            return;
        };
        // A list within a map of its own name, as a page prints it.
        if schema.get("items").is_some() && schema.get("properties").is_none() {
            for value in map.values() {
                self.visit(value, of, given);
            }
            return;
        }
        let beside = |key: &str| -> Option<String> {
            let mut members = map.iter();
            let found = members.find(|(name, _)| name.eq_ignore_ascii_case(key));
            Some(match found {
                None => String::new(),
                Some((_, Value::String(text))) => text.clone(),
                Some((_, other)) => other.to_string(),
            })
        };
        let outer = self.region.clone();
        for (key, value) in map {
            match member(schema, key) {
                Some(of) => {
                    let named = of.pointer("/x-redrill/region_in").and_then(Value::as_str);
                    let named = named.and_then(beside).filter(|region| !region.is_empty());
                    self.region = named.or_else(|| outer.clone());
                    self.of_key(key, value, Looked::Schema(of, around), &beside);
                    self.region.clone_from(&outer);
                }
                None => {
                    self.leaf(key, Looked::Opaque, false);
                    let of = around.map_or(Looked::Opaque, |_| of);
                    self.of_key(key, value, of, &beside);
                }
            }
        }
    }

    fn text(&mut self, text: &str, of: Looked<'_>, given: &dyn Fn(&str) -> Option<String>) {
        // JSON is searched inside; a text that only looks like it is a text.
        let inside = text.trim_start().starts_with(['[', '{', '"']);
        match inside.then(|| serde_json::from_str::<Value>(text)) {
            Some(Ok(json)) => self.visit(&json, of, given),
            _ => self.leaf(text, listed(of, given), false),
        }
    }

    fn leaf(&mut self, text: &str, of: Looked<'_>, is_number: bool) {
        let pieces = text
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty());
        match of {
            Looked::Schema(_, Some(kind)) => pieces.for_each(|piece| self.add(piece, kind)),
            Looked::Unknown => {
                let is_plain = |piece: &&str| {
                    is_number
                        || piece.parse::<f64>().is_ok()
                        || ["true", "false"].contains(&piece.to_lowercase().as_str())
                };
                let texts = pieces.filter(|piece| !is_plain(piece));
                texts.for_each(|piece| self.add(piece, FoundKind::Unknown));
            }
            Looked::Schema(_, None) | Looked::Opaque => {
                let words = text
                    .split(|c: char| c.is_whitespace() || ",;|\"'()[]{}<>=".contains(c))
                    .filter(|word| !word.is_empty());
                for word in words {
                    if let Some(wall) = recognised(word) {
                        self.add(word, FoundKind::Wall(wall));
                    } else {
                        for (id, wall) in ids_within(word) {
                            self.add(id, FoundKind::Wall(wall));
                        }
                    }
                }
            }
        }
    }

    fn add(&mut self, text: &str, kind: FoundKind) {
        self.found.push(FoundPlace {
            text: text.to_owned(),
            kind,
            path: self.path.clone(),
            region: self.region.clone(),
        });
    }
}

/// Reads from a schema what its value names.
fn kind(schema: &Value, given: &dyn Fn(&str) -> Option<String>) -> Option<FoundKind> {
    Wall::of(schema, given).map(|wall| match wall {
        WallHere::Is(wall) => FoundKind::Wall(wall),
        WallHere::Later(wall) => FoundKind::Later(wall),
    })
}

/// A list in one text: AWS may take it for its items.
fn listed<'s>(of: Looked<'s>, given: &dyn Fn(&str) -> Option<String>) -> Looked<'s> {
    match of {
        Looked::Schema(schema, None) => match schema.get("items") {
            Some(items) => Looked::Schema(items, kind(items, given)),
            None => of,
        },
        other => other,
    }
}

/// Looks up what the items of a list are.
fn of_items(of: Looked<'_>) -> Looked<'_> {
    match of {
        Looked::Schema(schema, around) => {
            Looked::Schema(schema.get("items").unwrap_or(schema), around)
        }
        other => other,
    }
}

/// The schema of a member, whose name AWS may take in any case.
pub(super) fn member<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    let named = schema.get("properties").and_then(Value::as_object);
    let mut named = named.into_iter().flatten();
    let named = named.find(|(name, _)| name.eq_ignore_ascii_case(key));
    if let Some((_, of)) = named {
        return Some(of);
    }
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let mut patterns = patterns.into_iter().flatten();
    let is_it = |pattern: &str| regex::Regex::new(pattern).is_ok_and(|of| of.is_match(key));
    patterns
        .find(|(pattern, _)| is_it(pattern))
        .map(|(_, of)| of)
}

/// The kind of an id of a network or an ARN of a key, which are known by their form wherever they are.
fn recognised(word: &str) -> Option<Wall<'static>> {
    let is_hex = |text: &str| text.len() >= 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let folded = word.to_lowercase();
    Wall::all().find(|wall| {
        let kind = wall.kind;
        let by_id = kind.id.as_deref().is_some_and(|id| {
            let digits = folded
                .strip_prefix(id)
                .and_then(|rest| rest.strip_prefix('-'));
            digits.is_some_and(is_hex)
        });
        let is_known = kind.id.is_some() || kind.by_arn;
        by_id || is_known && is_arn_of(&folded, kind.arn.as_deref(), kind.by_arn)
    })
}

/// Ids of networks inside a word, as in the path of an address: whatever takes the text apart may find them there.
fn ids_within(word: &str) -> Vec<(&str, Wall<'static>)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let parts = word.split(|c: char| !is_part(c));
    let found = parts.filter_map(|part| {
        // `my-subnet-0a1b2c3d` has an id at its end.
        let starts = part.match_indices('-').map(|(at, _)| at + 1);
        let mut ends = [0].into_iter().chain(starts).map(|at| &part[at..]);
        ends.find_map(|end| {
            let digits = end.split('-').take(2).map(str::len).sum::<usize>() + 1;
            let id = end.get(..digits)?;
            Some((id, recognised(id)?))
        })
    });
    found.collect()
}

/// Returns true if an ARN, wherever it is, is of a kind; or of its service, where all of that are.
fn is_arn_of(word: &str, pattern: Option<&str>, by_service: bool) -> bool {
    let form = pattern.map(|pattern| format!("arn:aws:{pattern}"));
    let form = form.as_deref().and_then(Arn::parse);
    let (Some(arn), Some(form)) = (Arn::parse(word), form) else {
        return false;
    };
    let is_kind = by_service || super::resource_kind(&arn) == super::resource_kind(&form);
    arn.service == form.service && is_kind
}

#[cfg(test)]
mod tests {
    use super::ids_within;

    #[test]
    fn ids_are_found_inside_words() {
        for (word, ids) in [
            ("us-west-2a:subnet-0bad0bad", &["subnet-0bad0bad"][..]),
            (
                "vpc-0bad0bad/subnet-0bad0bad",
                &["vpc-0bad0bad", "subnet-0bad0bad"],
            ),
            ("x?sg=1&sg-0bad0bad", &["sg-0bad0bad"]),
            ("my-subnet-0a1b2c3d", &["subnet-0a1b2c3d"]),
            ("subnet-group-a", &[]),
            ("orders-12345678", &[]),
        ] {
            let found: Vec<&str> = ids_within(word).iter().map(|(id, _)| *id).collect();
            assert_eq!(found, ids, "{word}");
        }
    }
}
