//! `allow`: the walls of a plan. What a request names as a place to restore into has to match an entry.
//!
//! Which keys name a place, and of which kind, is `x-redrill.wall` in `schemas/*.yaml`. What redrill does not know, a type or a
//! key, is taken for a place, each text of it. A value that becomes known during the run is judged when it does, as every
//! request is checked again before it is sent.

mod check;
mod entries;
mod found;
mod named;

pub(super) use check::check;
pub(super) use entries::check_entries;
pub use named::{NamedValue, named_values};

use super::arn::is_account;
use super::place::partition;
use super::protect::{is_unique, matches};
use crate::diagnostic::{Span, Spanned};
use crate::ids::Arn;
use crate::parse::AllowTemplates;
use crate::render::{Metadata, Target};
use crate::rules::{Facts, Wall, value};

/// Limits on what a plan may touch: the entries of `allow`, rendered.
#[derive(Debug)]
pub struct Walls {
    entries: Vec<AllowEntry>,
    /// Span of the list.
    span: Span,
    /// True if an entry depends on an input that has no value: a value that matches no other cannot be judged.
    has_pending: bool,
}

/// One entry of `allow`.
#[derive(Debug)]
struct AllowEntry {
    text: String,
    span: Span,
    form: EntryForm,
}

/// Form of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryForm {
    Account,
    Region,
    Arn,
    /// An id, a name, or a pattern of one.
    Name,
}

/// A value that names a place.
#[derive(Clone, Copy, Debug)]
struct NamedPlace<'a> {
    text: &'a str,
    /// Of what redrill does not know, none.
    wall: Option<Wall<'static>>,
    target: &'a Target,
    /// Region of the value, if it is another than the target's.
    region: &'a str,
}

impl Walls {
    /// The walls of a plan that has an `allow`.
    #[must_use]
    pub fn new(written: &AllowTemplates, rendered: &[Spanned<String>]) -> Self {
        let entry = |entry: &Spanned<String>| {
            let text = entry.value.trim().to_owned();
            let form = if is_account(&text) {
                EntryForm::Account
            } else if reads_as_region(&text) {
                EntryForm::Region
            } else if text.starts_with("arn:") {
                EntryForm::Arn
            } else {
                EntryForm::Name
            };
            AllowEntry {
                text,
                span: entry.span,
                form,
            }
        };
        Self {
            entries: rendered.iter().map(entry).collect(),
            span: written.span,
            has_pending: written.entries.len() > rendered.len(),
        }
    }

    fn has(&self, form: EntryForm) -> bool {
        self.entries.iter().any(|entry| entry.form == form)
    }

    /// The entries of a form, for a sentence.
    fn list(&self, form: EntryForm) -> String {
        let of_form = self.entries.iter().filter(|entry| entry.form == form);
        let texts: Vec<String> = of_form.map(|entry| format!("`{}`", entry.text)).collect();
        texts.join(", ")
    }

    /// Returns true if an entry matches a place.
    fn allows(&self, place: NamedPlace<'_>) -> bool {
        let forms = place.forms();
        self.entries
            .iter()
            .any(|entry| forms.iter().any(|form| entry.matches(form, place)))
    }

    /// Returns true if any entry limits new names: a pattern of names, or an ARN of what has the name.
    fn confines_name(&self, arn: Option<&str>) -> bool {
        let is_of = |entry: &AllowEntry| match (
            entry.form,
            arn.and_then(Arn::parse),
            Arn::parse(&entry.text),
        ) {
            (EntryForm::Name, ..) => is_name_pattern(&entry.text),
            (EntryForm::Arn, Some(made), Some(entry)) => {
                // The ARN of a gateway says nothing of the names on it.
                let depth = |arn: &Arn<'_>| arn.resource.matches([':', '/']).count();
                matches(entry.service, made.service)
                    && matches(resource_kind(&entry), resource_kind(&made))
                    && (depth(&entry) >= depth(&made) || entry.resource.contains('*'))
            }
            _ => false,
        };
        self.entries.iter().any(is_of)
    }

    /// Returns true if an entry is such a new name, by itself or by the ARN of what has it.
    fn allows_name(&self, name: &str, arn: Option<&str>, is_caseless: bool) -> bool {
        let fold = |text: &str| match is_caseless {
            true => text.to_lowercase(),
            false => text.to_owned(),
        };
        self.entries.iter().any(|entry| {
            let text = fold(&entry.text);
            match (Arn::parse(&text), arn) {
                (Some(entry), Some(arn)) => {
                    Arn::parse(&fold(arn)).is_some_and(|arn| matches_arn(&entry, &arn))
                }
                (Some(_), None) => false,
                (None, _) => matches(&text, &fold(name)),
            }
        })
    }
}

impl AllowEntry {
    fn matches(&self, form: &str, place: NamedPlace<'_>) -> bool {
        let is_caseless = place.wall.is_some_and(|wall| wall.kind.caseless);
        let (entry, form) = match is_caseless {
            true => (self.text.to_lowercase(), form.to_lowercase()),
            false => (self.text.clone(), form.to_owned()),
        };
        match (Arn::parse(&entry), Arn::parse(&form)) {
            (Some(entry), Some(arn)) => matches_arn(&entry, &arn),
            // An id that AWS makes is the same thing everywhere.
            (Some(arn), None) => {
                is_unique(&form) && arn.resource.rsplit(['/', ':']).next() == Some(&form)
            }
            (None, Some(_)) => false,
            (None, None) => matches(&entry, &form),
        }
    }
}

impl NamedPlace<'_> {
    /// Each way to write the same place: the value, and its ARN or what the ARN of one there ends with.
    fn forms(&self) -> Vec<String> {
        let text = self.text;
        let mut forms = vec![text.to_owned()];
        let Some(wall) = self.wall else {
            return forms;
        };
        let kind = wall.kind;
        let mut text = text.to_owned();
        if kind.has_paths {
            let bare = text.strip_prefix("s3://").unwrap_or(&text);
            let named = match bare.strip_prefix("arn:") {
                Some(_) => bare.split('/').next().unwrap_or_default(),
                None if bare.len() < text.len() => bare.split('/').next().unwrap_or_default(),
                None => bare,
            };
            if named != text {
                text = named.to_owned();
                forms.push(text.clone());
            }
        }
        let pattern = match (&kind.alias, text.contains("alias/")) {
            (Some(alias), true) => Some(alias),
            _ => kind.arn.as_ref(),
        };
        let Some(pattern) = pattern else {
            return forms;
        };
        let home = partition(self.region).unwrap_or("aws");
        let arn = format!("arn:{home}:{pattern}")
            .replace("{region}", self.region)
            .replace("{account}", self.target.account.as_str());
        if Arn::parse(&text).is_none() {
            forms.push(arn.replace("{value}", &text));
        } else if let Some((before, "")) = arn.split_once("{value}")
            && let Some(bare) = text.strip_prefix(before)
        {
            forms.push(bare.to_owned());
        }
        forms
    }
}

/// The ARN of what a new name is of, where one is known; and whether AWS stores the name in lower case.
fn name_arn(
    facts: Option<&Facts>,
    key: &str,
    metadata: &Metadata,
    target: &Target,
) -> (Option<String>, bool) {
    let mut names = facts.into_iter().flat_map(|facts| &facts.new_names);
    let Some(name) =
        names.find(|name| name.key.eq_ignore_ascii_case(key) && name.condition.holds(metadata))
    else {
        return (None, false);
    };
    let mut arn = String::new();
    for (at, part) in name.is.split(['{', '}']).enumerate() {
        let filled = match (at % 2, part) {
            (0, text) => Some(text),
            (_, "account") => Some(target.account.as_str()),
            (_, "region") => Some(target.region.as_str()),
            (_, "partition") => Some(partition(target.region.as_str()).unwrap_or("aws")),
            (_, key) => value(metadata, key),
        };
        let Some(filled) = filled else {
            return (None, name.lower);
        };
        arn.push_str(filled);
    }
    (Some(arn).filter(|arn| arn.starts_with("arn:")), name.lower)
}

/// Matches an ARN against a pattern of one, part by part, so that a `*` stands for nothing of the next part.
fn matches_arn(pattern: &Arn<'_>, arn: &Arn<'_>) -> bool {
    matches(pattern.partition, arn.partition)
        && matches(pattern.service, arn.service)
        && matches(pattern.region, arn.region)
        && matches(pattern.account, arn.account)
        && matches(pattern.resource, arn.resource)
}

/// Returns the part of an ARN before the name: `cluster` of `cluster:orders`.
fn resource_kind<'a>(arn: &Arn<'a>) -> &'a str {
    let (kind, _) = arn.resource.split_once([':', '/']).unwrap_or_default();
    kind
}

/// Returns true if an entry is a pattern of names, and not of ids.
fn is_name_pattern(entry: &str) -> bool {
    let is_of_ids = |wall: Wall<'_>| {
        let id = wall.kind.id.as_deref();
        id.is_some_and(|id| {
            entry
                .strip_prefix(id)
                .is_some_and(|rest| rest.starts_with('-'))
        })
    };
    entry.contains('*') && !entry.starts_with("alias/") && !Wall::all().any(is_of_ids)
}

/// The last words of Regions.
const DIRECTIONS: [&str; 9] = [
    "central",
    "east",
    "north",
    "northeast",
    "northwest",
    "south",
    "southeast",
    "southwest",
    "west",
];

/// Returns true if a text reads as a Region does: `us-west-2`, `us-gov-east-1`; the last word is a direction, so that
/// `dr-private-2` is a name.
fn reads_as_region(text: &str) -> bool {
    let word = text.rsplit('-').nth(1).unwrap_or_default();
    partition(text).is_some() && super::arn::is_region(text) && DIRECTIONS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, RegionName};

    fn walls(entry: &str) -> Walls {
        let span = Span::default();
        let written = AllowTemplates {
            span,
            entries: Vec::new(),
        };
        let value = entry.to_owned();
        Walls::new(&written, &[Spanned { value, span }])
    }

    fn allows(entry: &str, wall: &str, text: &str) -> bool {
        let target = Target {
            account: AccountId::new("123456789012"),
            region: RegionName::new("us-west-2"),
            ..Target::default()
        };
        walls(entry).allows(NamedPlace {
            text,
            wall: Wall::named(wall),
            target: &target,
            region: target.region.as_str(),
        })
    }

    #[test]
    fn the_same_place_is_written_in_several_ways() {
        for (entry, wall, text) in [
            ("subnet-0a1b2c3d", "subnet", "subnet-0a1b2c3d"),
            ("subnet-0a1b2c3d", "subnet", "SUBNET-0A1B2C3D"),
            (
                "arn:aws:ec2:us-west-2:123456789012:subnet/*",
                "subnet",
                "subnet-0a1b2c3d",
            ),
            (
                "subnet-0a1b2c3d",
                "subnet",
                "arn:aws:ec2:us-west-2:123456789012:subnet/subnet-0a1b2c3d",
            ),
            (
                "alias/dr",
                "kms-key",
                "arn:aws:kms:us-west-2:123456789012:alias/dr",
            ),
            (
                "arn:aws:kms:us-west-2:123456789012:alias/*",
                "kms-key",
                "alias/dr",
            ),
            ("drill", "bucket", "s3://drill/orders/2026"),
            ("drill", "bucket", "arn:aws:s3:::drill/orders"),
            ("arn:aws:s3:::drill", "bucket", "drill"),
            (
                "arn:aws:rds:*:*:subgrp:dr-*",
                "db-subnet-group",
                "DR-Private",
            ),
        ] {
            assert!(allows(entry, wall, text), "{entry} {wall} {text}");
        }
    }

    #[test]
    fn another_place_is_not_taken_for_it() {
        for (entry, wall, text) in [
            ("subnet-0a1b2c3d", "subnet", "subnet-0a1b2c3d4"),
            // In another account, which has a name of its own for it.
            (
                "dr",
                "db-subnet-group",
                "arn:aws:rds:us-west-2:999999999999:subgrp:dr",
            ),
            (
                "alias/dr",
                "kms-key",
                "arn:aws:kms:us-east-1:123456789012:alias/dr",
            ),
            // An alias may be of any key.
            (
                "arn:aws:kms:us-west-2:123456789012:key/*",
                "kms-key",
                "alias/dr",
            ),
            (
                "arn:aws:kms:us-west-2:123456789012:key/*",
                "kms-key",
                "arn:aws:kms:us-west-2:999999999999:key/a",
            ),
            // A `*` ends with its part of an ARN.
            (
                "arn:aws:kms:*:123456789012:key/*",
                "kms-key",
                "arn:aws:kms:us-west-2:999999999999:123456789012:key/a",
            ),
            ("alias/dr", "kms-key", "alias/Dr"),
            ("drill", "bucket", "s3://drill-2/orders"),
            ("drill/orders", "bucket", "drill"),
            ("arn:aws-cn:s3:::drill", "bucket", "drill"),
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/drill",
                "bucket",
                "drill",
            ),
            ("123456789012", "namespace", "orders"),
        ] {
            assert!(!allows(entry, wall, text), "{entry} {wall} {text}");
        }
    }

    #[test]
    fn new_names_are_held_where_an_entry_says_which_there_may_be() {
        let arn = Some("arn:aws:rds:us-west-2:123456789012:cluster:orders");
        for entry in [
            "drill-*",
            "arn:aws:rds:us-west-2:123456789012:cluster:drill-*",
            "arn:aws:rds:*:*:cluster:drill",
        ] {
            assert!(walls(entry).confines_name(arn), "{entry}");
            assert!(!walls(entry).allows_name("orders", arn, true), "{entry}");
        }
        for entry in [
            "dr-private",
            "subnet-0a1b*",
            "alias/*",
            "us-west-2",
            "123456789012",
            "arn:aws:rds:us-west-2:123456789012:subgrp:*",
            "arn:aws:kms:us-west-2:123456789012:key/*",
        ] {
            assert!(!walls(entry).confines_name(arn), "{entry}");
        }
        let drill = Some("arn:aws:rds:us-west-2:123456789012:cluster:Drill-1");
        assert!(walls("drill-*").allows_name("Drill-1", drill, true));
        assert!(!walls("drill-*").allows_name("Drill-1", None, false));
    }

    #[test]
    fn a_region_is_told_from_a_name() {
        for region in [
            "us-west-2",
            "us-gov-east-1",
            "ap-southeast-5",
            "cn-northwest-1",
            "eusc-de-east-1",
        ] {
            assert!(reads_as_region(region), "{region}");
        }
        for name in [
            "dr-private-2",
            "drill-1",
            "west",
            "subnet-0a1b2c3d",
            "us-west",
            "us-*",
        ] {
            assert!(!reads_as_region(name), "{name}");
        }
    }
}
