//! A lock file's entries as what a selector was resolved to.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Resolved, Selector};
use crate::diagnostic::{Finding, Findings, Position, Source, Span, Spanned, rule};
use crate::ids::RestoreName;
use crate::parse::{Kind, LockEntry, LockFile, Node};

/// Contents of a lock file, by restore.
#[derive(Clone, Debug)]
pub struct Lock {
    /// Its text, for findings.
    pub source: Arc<Source>,
    /// The plan's file, as it is typed in a shell, for the commands of remedies.
    pub plan: String,
    /// By the name of the restore.
    pub restores: BTreeMap<RestoreName, Locked>,
}

impl Lock {
    /// The place of what is said of the file as a whole.
    #[must_use]
    pub fn start(&self) -> Span {
        let start = Position { line: 1, column: 1 };
        Span { start, end: start }
    }

    /// The command that looks up these restores again; all of them, where it would be too long.
    #[must_use]
    pub fn update(&self, restores: &[&str]) -> String {
        const NAMED: usize = 20;
        let names = match restores.len() {
            1..=NAMED => format!("='{}'", restores.join(",")),
            _ => String::new(),
        };
        format!("`redrill lock {} --update{names}`", self.plan)
    }
}

/// The plan that lies next to a lock file, by its name.
fn plan_of(file: &LockFile) -> String {
    let name = &file.source.name;
    let stem = name.strip_suffix(".lock.yaml");
    stem.map_or_else(|| name.clone(), |stem| format!("{stem}.yaml"))
}

/// An entry, and where it stands.
#[derive(Clone, Debug)]
pub struct Locked {
    /// Result of the selector.
    pub resolved: Arc<Resolved>,
    /// The place of its name.
    pub span: Span,
    /// The place of its selector.
    pub selector_span: Span,
    /// The place of its recovery point.
    pub point_span: Span,
}

/// The entries of a lock file; what is wrong with one is said, and it is left out.
pub fn locked(file: &LockFile, findings: &mut Findings) -> Lock {
    let mut restores = BTreeMap::new();
    for entry in &file.restores {
        if let Some(locked) = one(file, entry, findings) {
            restores.insert(entry.name.value.clone(), locked);
        }
    }
    Lock {
        source: Arc::clone(&file.source),
        plan: plan_of(file),
        restores,
    }
}

/// `orders.lock.yaml`, wherever the plan lies.
fn file_name(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next();
    name.unwrap_or(path).to_owned()
}

fn one(file: &LockFile, entry: &LockEntry, findings: &mut Findings) -> Option<Locked> {
    let mut own = Findings::default();
    let mut wrong = |span: Span, message: String| {
        own.push(Finding::at(
            &file.source,
            span,
            rule::LOCK_ENTRY,
            message,
            format!(
                "run `redrill lock {} --update`, which writes the file again",
                plan_of(file)
            ),
        ));
    };
    let selector = serde_json::from_value::<Selector>(plain(&entry.selector))
        .map_err(|err| {
            wrong(
                entry.selector.span.first_character(),
                format!("this is not a selector: {err}"),
            )
        })
        .ok();
    let mut time = |written: &Option<Spanned<String>>| {
        let written = written.as_ref()?;
        let time = written.value.parse::<Timestamp>();
        time.map_err(|_| wrong(written.span, format!("`{}` is not a time", written.value)))
            .ok()
    };
    let created_at = time(&entry.created_at);
    let locked_at = time(&entry.locked_at);
    let expires_at = time(&entry.expires_at);
    let size_bytes = entry.size_bytes.as_ref().and_then(|node| match &node.kind {
        Kind::Number(number) if number.value.as_i64() >= Some(0) => number.value.as_i64(),
        _ => {
            wrong(node.span, "`size_bytes` is not a whole number".to_owned());
            None
        }
    });
    if !entry.recovery_point.value.starts_with("arn:") {
        wrong(
            entry.recovery_point.span,
            format!("`{}` is not an ARN", entry.recovery_point.value),
        );
    }
    if !own.is_empty() {
        findings.extend(own.of(&entry.name.value));
        return None;
    }
    Some(Locked {
        resolved: Arc::new(Resolved {
            selector: selector?,
            recovery_point: entry.recovery_point.value.clone(),
            vault: entry.vault.value.clone(),
            created_at,
            size_bytes,
            expires_at,
            locked_at,
            lock: Some(file_name(&file.source.name)),
        }),
        span: entry.name.span,
        selector_span: entry.selector.span.first_character(),
        point_span: entry.recovery_point.span,
    })
}

/// A value as it is written; numbers as their text, since a name may look like one.
fn plain(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(value) => (*value).into(),
        Kind::Number(number) => number.text.clone().into(),
        Kind::String(text) => text.clone().into(),
        Kind::Sequence(items) => items.iter().map(plain).collect(),
        Kind::Mapping(entries) => Value::Object(
            entries
                .iter()
                .map(|entry| (entry.key.value.clone(), plain(&entry.value)))
                .collect::<Map<_, _>>(),
        ),
    }
}
