//! Values, ages, sizes and classes in words; nothing in them can speak to a terminal or leave its line.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use super::Row;
use crate::diagnostic::visible;
use crate::diff::{ChangeKind, Class, KeyChange, container};
use crate::render::has_placeholder;

/// An end that is worth to be counted down to: a quarter, in seconds.
const SOON: i64 = 92 * 86_400;

/// Describes a class of restores.
pub(super) fn class(class: Class) -> &'static str {
    match class {
        Class::Existing => "writes into an existing resource",
        Class::Collision => "name collision",
        Class::Network => "network",
        Class::Encryption => "encryption",
        Class::Irrevocable => "cannot be cancelled once started",
    }
}

/// A value on one line: JSON, and what is JSON in a string as such. Longer than `limit` characters it is cut.
pub(super) fn value(value: &Value, limit: usize) -> String {
    let text = match value {
        Value::String(text) if container(text).is_some() => visible(text).into_owned(),
        other => visible(&other.to_string()).into_owned(),
    };
    match text.char_indices().nth(limit) {
        Some((at, _)) => {
            let length = count(text.chars().count());
            format!("{}… ({length} characters)", &text[..at])
        }
        None => text,
    }
}

/// A value that is made with something that is known only after another restore: what stands for that is nobody's to read.
pub(super) fn later(of: &Value, limit: usize) -> String {
    match of {
        Value::String(text) if container(text).is_none() && has_placeholder(text) => {
            "(known later)".to_owned()
        }
        of => format!("{} (known later)", value(of, limit)),
    }
}

/// The same as lines of a diff, whose colours come from what they begin with: a changed key is one that goes and one that
/// comes.
pub(super) fn diff_lines(change: &KeyChange, limit: usize) -> Vec<String> {
    let part = |old: Option<&Value>, new: Option<&Value>| {
        let classes = match new {
            Some(_) => change.classes.clone(),
            None => Default::default(),
        };
        let part = KeyChange {
            old: old.cloned(),
            new: new.cloned(),
            classes,
            ..change.clone()
        };
        key_change(&part, limit)
    };
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => vec![part(Some(old), None), part(None, Some(new))],
        _ => vec![key_change(change, limit)],
    }
}

/// `+ key: new`, `- key: old`, `~ key: old → new`.
pub(super) fn key_change(change: &KeyChange, limit: usize) -> String {
    let path = change.path.to_string();
    let path = visible(&path);
    let new = change.new.as_ref().map(|new| match change.pending {
        true => later(new, limit),
        false => value(new, limit),
    });
    let mut line = match (&change.old, new) {
        (Some(old), Some(new)) => format!("~ {path}: {} → {new}", value(old, limit)),
        (None, Some(new)) => format!("+ {path}: {new}"),
        (Some(old), None) => format!("- {path}: {}", value(old, limit)),
        (None, None) => path.into_owned(),
    };
    let classes: Vec<&str> = change.classes.iter().map(|c| class(*c)).collect();
    if !classes.is_empty() {
        let _ = write!(line, "  ({})", classes.join(", "));
    }
    line
}

/// Describes how a restore has changed, if that is worth a word.
pub(super) fn kind(kind: &ChangeKind) -> Option<String> {
    match kind {
        ChangeKind::Same | ChangeKind::Changed => None,
        ChangeKind::Added => Some("added".to_owned()),
        ChangeKind::Renamed { from } => Some(format!("renamed from `{}`", visible(from.as_str()))),
        ChangeKind::Uncompared { why } => Some(format!("not compared: {}", visible(why))),
    }
}

/// `3 days old, 1.0 TiB, expires 2027-01-01`; nothing where the recovery point is not at hand.
pub(super) fn recovery_point(row: &Row<'_>, now: Timestamp) -> Option<String> {
    let source = row.source?;
    let mut parts = Vec::new();
    if let Some(seconds) = age(&source.created_at, now) {
        parts.push(format!("{} old", span(seconds)));
    }
    // AWS and inventories say 0 where they do not know.
    if source.size_bytes > 0 {
        parts.push(size(source.size_bytes));
    }
    if let Some(at) = source
        .expires_at
        .as_ref()
        .and_then(|at| at.parse::<Timestamp>().ok())
    {
        let seconds = at.as_second() - now.as_second();
        let date = at.strftime("%Y-%m-%d");
        parts.push(match seconds {
            i64::MIN..=0 => format!("expired {date}"),
            1..SOON => format!("expires {date}, in {}", span(seconds)),
            _ => format!("expires {date}"),
        });
    }
    Some(parts.join(", "))
}

/// Seconds since a time, if it is one; a clock that is behind makes nothing younger than new.
pub(super) fn age(created_at: &str, now: Timestamp) -> Option<i64> {
    let created = created_at.parse::<Timestamp>().ok()?;
    Some((now.as_second() - created.as_second()).max(0))
}

fn span(seconds: i64) -> String {
    match seconds {
        172_800.. => format!(
            "{} days",
            count(usize::try_from(seconds / 86_400).unwrap_or(0))
        ),
        7_200.. => format!("{} hours", seconds / 3_600),
        120.. => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    }
}

pub(crate) fn size(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut unit = 0;
    let mut tenths = i128::from(bytes.max(0)) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths = (tenths + 512) / 1_024;
        unit += 1;
    }
    match unit {
        0 => format!("{} bytes", tenths / 10),
        _ => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
    }
}

/// `12,345`.
pub(super) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 key`, `2 keys`.
pub(super) fn counted(n: usize, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_and_numbers() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1 << 40), "1.0 TiB");
        assert_eq!(size(i64::MAX), "8192.0 PiB");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(span(90_000), "25 hours");
    }

    #[test]
    fn a_value_stays_on_its_line_and_steers_nothing() {
        assert_eq!(value(&json!("a\nb\u{1b}[31m"), 99), r#""a\nb\u001b[31m""#);
        assert_eq!(
            value(&json!("x\u{9b}\u{202e}y"), 99),
            "\"x\\u009b\\u202ey\""
        );
        assert_eq!(value(&json!("[\"a\",\n1]"), 99), r#"["a",\u000a1]"#);
        assert_eq!(value(&json!("ääääää"), 3), "\"ää… (8 characters)");
    }
}
