//! `protect`: what no request may write to, and nothing may delete.
//!
//! An entry is an ARN, an id or a name, or a pattern of one with `*`. It is looked for in every value of the metadata, and
//! inside lists, maps and JSON in strings: nearly all of them name what is written to, replaced or attached. What only
//! says where a backup came from is left out: the recovery point, and the keys of [`SourceKey`].

use serde_json::Value;

use super::Text;

use crate::diagnostic::{Finding, Findings, Severity, Spanned, rule};
use crate::ids::Arn;
use crate::parse::Restore;
use crate::render::{Rendered, Target};
use crate::rules::{Facts, SourceKey};

/// Context of a value: what a bare name in it would be the name of.
#[derive(Clone, Copy, Debug)]
struct ValueContext<'a> {
    /// The services in whose ARNs the resources of the type stand; of a type that is not known, any may be meant.
    services: Option<&'a [String]>,
    target: &'a Target,
}

/// Checks one restore against what is protected.
pub(super) fn check(
    protect: &[Spanned<String>],
    written: &Restore,
    rendered: &Rendered,
    target: &Target,
    source: &Text,
    findings: &mut Findings,
) {
    if protect.is_empty() {
        return;
    }
    let of_type = written.resource_type.as_ref();
    let facts = of_type.and_then(|of_type| Facts::of(&of_type.value));
    let place = ValueContext {
        services: facts.map(|facts| facts.services.as_slice()),
        target,
    };
    for entry in rendered
        .metadata
        .iter()
        .filter(|entry| entry.waits.is_empty())
    {
        let Some(value) = &entry.wire else {
            continue;
        };
        let of_plan = &written.metadata[entry.index];
        let mut source_keys = facts.iter().flat_map(|facts| &facts.source_keys);
        if source_keys.any(|of| names_source(of, &of_plan.key.value, written, rendered)) {
            continue;
        }
        if let Some(by) = protect.iter().find(|by| is_in(&by.value, value, place)) {
            findings.push(
                Finding::at(
                    source,
                    of_plan.value.span,
                    rule::PROTECT_WRITTEN,
                    format!("this is protected: `protect` has `{}`", by.value),
                    "write to something else; or take it off `protect`, if it is meant",
                )
                .of_key(&of_plan.key.value)
                .also(by.span, "protected here"),
            );
        }
    }
}

/// Returns true if a key only says where the backup came from. A value in another case than the page's does not count:
/// AWS's reading of it is not known.
fn names_source(of: &SourceKey, key: &str, written: &Restore, rendered: &Rendered) -> bool {
    let is_given = |(key, values): (&String, &Vec<String>)| {
        rendered.metadata.iter().any(|entry| {
            let name = &written.metadata[entry.index].key.value;
            let value = entry.wire.as_ref();
            name.eq_ignore_ascii_case(key) && value.is_some_and(|value| values.contains(value))
        })
    };
    of.key.eq_ignore_ascii_case(key) && of.when.iter().all(is_given)
}

/// Entries that would protect everything, and so nothing in particular.
pub(super) fn entries(protect: &[Spanned<String>], source: &Text, findings: &mut Findings) {
    for entry in protect {
        let is_bare = entry.value.chars().all(|c| matches!(c, '*' | ':' | '/'));
        if entry.value.trim().is_empty() || is_bare {
            findings.push(Finding::at(
                source,
                entry.span,
                rule::PROTECT_EVERYTHING,
                format!("`{}` protects everything there is", entry.value),
                "write an ARN, an id, or a pattern such as `prod-*`",
            ));
        } else if let Some((what, is_sure)) = not_a_pattern(&entry.value) {
            let message =
                format!("`{what}` means itself here, so that this protects next to nothing");
            let help = "the only pattern is `*`, which is any text: `prod-*`, `arn:aws:rds:*:*:cluster:prod-*`";
            let severity = match is_sure {
                true => Severity::Error,
                false => Severity::Warning,
            };
            let finding = Finding::at(source, entry.span, rule::PROTECT_PATTERN, message, help);
            findings.push(finding.weighing(severity));
        }
    }
}

/// Finds the part of an entry that comes from patterns of another kind, which no ARN, id or name has; and whether that
/// is sure: a name may have a dot before a `*`.
fn not_a_pattern(entry: &str) -> Option<(&'static str, bool)> {
    let entry = entry.trim();
    let has = ["?", "[", "]", "\\", "|", "(", ")", "{", "}", "^", "$"];
    let found = has.into_iter().find(|what| entry.contains(what));
    found
        .map(|what| (what, true))
        .or_else(|| entry.contains(".*").then_some((".*", false)))
        .or_else(|| entry.contains(".+").then_some((".+", true)))
}

/// The entry that protects the resource of an ARN; none where nothing does.
#[must_use]
pub fn protects<'a>(
    protect: impl IntoIterator<Item = &'a str>,
    arn: &str,
    resource_type: &str,
    target: &Target,
) -> Option<&'a str> {
    let place = ValueContext {
        services: Facts::of(resource_type).map(|facts| facts.services.as_slice()),
        target,
    };
    protect.into_iter().find(|entry| is_in(entry, arn, place))
}

/// Returns true if a value names what an entry protects, at whatever depth.
fn is_in(entry: &str, value: &str, place: ValueContext<'_>) -> bool {
    // JSON is searched inside; a value that only looks like it is a text.
    let inside = value.trim_start().starts_with(['[', '{', '"']);
    match inside.then(|| serde_json::from_str::<Value>(value)) {
        Some(Ok(json)) => is_in_json(entry, &json, place),
        _ => is_in_text(entry, value, place),
    }
}

fn is_in_json(entry: &str, value: &Value, place: ValueContext<'_>) -> bool {
    match value {
        Value::String(text) => is_in(entry, text, place),
        Value::Array(items) => items.iter().any(|item| is_in_json(entry, item, place)),
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| is_in(entry, key, place) || is_in_json(entry, value, place)),
        Value::Number(number) => is_in_text(entry, &number.to_string(), place),
        Value::Null | Value::Bool(_) => false,
    }
}

/// AWS keeps names of databases without their case, and names of buckets have none: no case is told apart.
fn is_in_text(entry: &str, text: &str, place: ValueContext<'_>) -> bool {
    let (entry, text) = (entry.trim().to_lowercase(), text.to_lowercase());
    // A path inside a file system is not the name of anything.
    let is_path = text.starts_with('/') && !entry.starts_with('/');
    if matches(&entry, text.trim()) {
        return true;
    }
    if let Some(arn) = Arn::parse(&entry) {
        return words(&text).any(|word| match Arn::parse(word) {
            Some(other) => matches(&entry, word) || is_part_of(&arn, &other),
            None => !is_path && is_named(&arn, word, place),
        });
    }
    !is_path
        && words(&text)
            .any(|word| matches(&entry, word) || names(word).any(|name| matches(&entry, name)))
}

/// The parts of a text that could each be an ARN, an id or a name.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || ",;|\"'()[]{}<>=".contains(c))
        .filter(|word| !word.is_empty())
}

/// The names in a word: all of it, and what stands between slashes and colons.
fn names(word: &str) -> impl Iterator<Item = &str> {
    let tails = word
        .match_indices([':', '/'])
        .map(|(at, _)| &word[at + 1..]);
    let parts = word.split([':', '/', '@', '?']);
    tails.chain(parts).filter(|name| !name.is_empty())
}

/// Returns true if a text matches a pattern, in which `*` is any text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut rest = rest;
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// Returns true if another ARN names a part of an entry's: an object of a bucket, a table of a database.
fn is_part_of(arn: &Arn<'_>, other: &Arn<'_>) -> bool {
    let of_same = matches(arn.service, other.service)
        && (arn.region.is_empty() || matches(arn.region, other.region))
        && (arn.account.is_empty() || matches(arn.account, other.account));
    of_same
        && other
            .resource
            .match_indices('/')
            .any(|(at, _)| matches(arn.resource, &other.resource[..at]))
}

/// Returns true if a bare word at a place is the name of an entry's resource. An id that is unique by itself counts
/// anywhere; a name only where it would name a thing of the same service, account and Region.
fn is_named(arn: &Arn<'_>, word: &str, place: ValueContext<'_>) -> bool {
    let tails = arn
        .resource
        .match_indices([':', '/'])
        .map(|(at, _)| &arn.resource[at + 1..]);
    let is_it = tails
        .chain([arn.resource])
        .filter(|name| !name.is_empty() && !name.chars().all(|c| c == '*'))
        .any(|name| matches(name, word) || names(word).any(|part| matches(name, part)));
    if !is_it {
        return false;
    }
    if is_unique(word) || names(word).any(is_unique) {
        return true;
    }
    let here =
        |part: &str, there: &str| part.is_empty() || there.is_empty() || matches(part, there);
    let is_of = |all: &[String]| all.iter().any(|service| matches(arn.service, service));
    place.services.is_none_or(is_of)
        && here(arn.region, &place.target.region.as_str().to_lowercase())
        && here(arn.account, place.target.account.as_str())
}

/// Ids that AWS makes are not given twice: a prefix and 8 or 17 hexadecimal digits, or a UUID.
pub(super) fn is_unique(word: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let made = word
        .rsplit_once('-')
        .is_some_and(|(_, digits)| matches!(digits.len(), 8 | 17) && is_hex(digits));
    made || uuid::Uuid::try_parse(word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, RegionName};

    fn is(entry: &str, value: &str, resource_type: &str) -> bool {
        let target = Target {
            account: AccountId::new("123456789012"),
            region: RegionName::new("us-west-2"),
            ..Target::default()
        };
        let place = ValueContext {
            services: Facts::of(resource_type).map(|facts| facts.services.as_slice()),
            target: &target,
        };
        is_in(entry, value, place)
    }

    #[test]
    fn what_is_protected_is_found_wherever_it_stands() {
        for (entry, value) in [
            ("fs-0a1b2c3d", "fs-0a1b2c3d"),
            ("fs-0a1b2c3d", "FS-0A1B2C3D"),
            ("fs-0a1b2c3d", r#"["fs-1","fs-0a1b2c3d"]"#),
            ("fs-0a1b2c3d", r#"[{"a":{"fs-0a1b2c3d":1}}]"#),
            ("fs-0a1b2c3d", r#"{"a":"{\"b\":[\"fs-0a1b2c3d\"]}"}"#),
            ("fs-0a1b2c3d", r#"["fs\u002d0a1b2c3d"]"#),
            ("fs-0a1b2c3d", "fs-1,fs-0a1b2c3d"),
            (
                "fs-0a1b2c3d",
                "arn:aws:elasticfilesystem:us-west-2:1:file-system/fs-0a1b2c3d",
            ),
            (
                "fs-0a1b2c3d",
                "fs-0a1b2c3d.efs.us-west-2.amazonaws.com:/fs-0a1b2c3d",
            ),
            (
                "arn:aws:elasticfilesystem:eu-west-1:1:file-system/fs-0a1b2c3d",
                "fs-0a1b2c3d",
            ),
            ("arn:aws:s3:::prod", "s3://prod/x"),
            ("arn:aws:s3:::prod", "arn:aws:s3:::prod/x/y"),
            ("prod-*", "prod-orders"),
            ("*-prod", r#"["x","orders-prod"]"#),
            (
                "arn:aws:*:*:*:*prod*",
                "arn:aws:rds:us-west-2:1:cluster:my-prod-1",
            ),
            ("123456789012", "[123456789012]"),
        ] {
            assert!(is(entry, value, "S3"), "{entry} in {value}");
        }
        assert!(is(
            "arn:aws:rds:us-west-2:123456789012:cluster:orders",
            "Orders",
            "Aurora"
        ));
        assert!(is(
            "arn:aws:rds:*:*:cluster:prod-*",
            "prod-orders",
            "Aurora"
        ));
    }

    #[test]
    fn what_only_resembles_it_is_not() {
        for (entry, value) in [
            ("orders", "orders-2026-Q4"),
            ("orders", "my-orders"),
            ("orders", r#"["/srv/orders"]"#),
            ("orders", "/srv/orders"),
            ("fs-0a1b2c3d", "fs-0a1b2c3d4"),
            ("fs-0a1b2c3d", r#"["xfs-0a1b2c3d"]"#),
            ("prod-*", "my-prod-orders"),
            ("arn:aws:s3:::prod", "s3://production/x"),
            ("arn:aws:s3:::prod", "arn:aws:s3:::prod-2/x"),
        ] {
            assert!(!is(entry, value, "S3"), "{entry} in {value}");
        }
        // The same name in another Region, of another service, of another account.
        for arn in [
            "arn:aws:rds:us-east-1:123456789012:cluster:orders",
            "arn:aws:dynamodb:us-west-2:123456789012:table/orders",
            "arn:aws:rds:us-west-2:999999999999:cluster:orders",
        ] {
            assert!(!is(arn, "orders", "Aurora"), "{arn}");
        }
    }
}
