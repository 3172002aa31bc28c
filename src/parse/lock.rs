//! The lock file as it was written: what selectors meant when it was made, with the place of everything.

use std::sync::Arc;

use super::fields::{FieldReader, Fields};
use super::{Kind, Node, yaml};
use crate::diagnostic::{Finding, Findings, Severity, Source, Spanned, rule};
use crate::ids::RestoreName;

/// The version of the format that is written; a later one is refused.
pub const LOCK_VERSION: u32 = 1;

/// A lock file.
#[derive(Debug)]
pub struct LockFile {
    /// Its text, for findings.
    pub source: Arc<Source>,
    /// The plan that it belongs to.
    pub plan: Spanned<String>,
    /// In the order of the file.
    pub restores: Vec<LockEntry>,
}

/// Meaning of one selector.
#[derive(Debug)]
pub struct LockEntry {
    /// The restore, with the key where it has a `for_each`.
    pub name: Spanned<RestoreName>,
    /// Selector that was asked for.
    pub selector: Node,
    /// The ARN of the recovery point.
    pub recovery_point: Spanned<String>,
    /// The vault that it lies in.
    pub vault: Spanned<String>,
    /// Creation time.
    pub created_at: Option<Spanned<String>>,
    /// Its size.
    pub size_bytes: Option<Node>,
    /// Time when AWS Backup will delete it.
    pub expires_at: Option<Spanned<String>>,
    /// Time of the lookup; files of earlier versions do not say.
    pub locked_at: Option<Spanned<String>>,
}

/// Reads a lock file; `None` where it is none, and the findings say why.
pub fn lock_file(source: &Arc<Source>, findings: &mut Findings) -> Option<LockFile> {
    const RENEW: &str = "remove the file, and run `redrill lock` again";
    if source.text.trim().is_empty() {
        // Such as a full disk leaves.
        let start = crate::diagnostic::Position { line: 1, column: 1 };
        findings.push(Finding::at(
            source,
            crate::diagnostic::Span { start, end: start },
            rule::LOCK_EMPTY,
            "the lock file is empty, so it locks nothing",
            RENEW,
        ));
        return None;
    }
    let root = yaml(source, findings)?;
    let reader = &mut FieldReader { source, findings };
    let mut fields = Fields::of(&root, "a lock file", "version: 1", reader)?;
    let version = fields.require("version", "version: 1", reader)?;
    match &version.kind {
        Kind::Number(number) if number.value.as_u64() == Some(LOCK_VERSION.into()) => {}
        Kind::Number(number) if number.value.as_u64() > Some(LOCK_VERSION.into()) => {
            let finding = Finding::at(
                source,
                version.span,
                rule::LOCK_NEWER,
                format!(
                    "the lock file has version {}, and this redrill knows {LOCK_VERSION}",
                    number.text
                ),
                "use the redrill that wrote it, or a later one",
            );
            reader.findings.push(finding.weighing(Severity::Error));
            return None;
        }
        _ => {
            reader.report(
                version.span,
                rule::LOCK_VERSION,
                "this is not a version of a lock file",
                RENEW,
            );
            return None;
        }
    }
    let plan = fields
        .require("plan", "plan: orders", reader)
        .and_then(|node| reader.text(node, "`plan`", "plan: orders"));
    let restores = fields.require("restores", "restores: {}", reader);
    let restores = restores
        .map(|node| entries(node, reader))
        .unwrap_or_default();
    fields.finish(reader);
    Some(LockFile {
        source: Arc::clone(source),
        plan: plan?,
        restores,
    })
}

fn entries(node: &Node, reader: &mut FieldReader<'_>) -> Vec<LockEntry> {
    if Fields::of(node, "`restores`", "restores: {}", reader).is_none() {
        return Vec::new();
    }
    node.entries()
        .iter()
        .filter_map(|entry| {
            let mut fields = Fields::of(
                &entry.value,
                "an entry of a lock file",
                "recovery_point: arn:…",
                reader,
            )?;
            let selector = fields.require("selector", "selector: { vault: dr-vault }", reader);
            let mut text = |name: &'static str, fields: &mut Fields<'_>| {
                let node = fields.require(name, "recovery_point: arn:…", reader)?;
                reader.text(node, &format!("`{name}`"), "recovery_point: arn:…")
            };
            let recovery_point = text("recovery_point", &mut fields);
            let vault = text("vault", &mut fields);
            let mut time = |name: &'static str| {
                let node = fields.get(name)?;
                reader.text(
                    node,
                    &format!("`{name}`"),
                    "created_at: 2026-11-20T03:00:00Z",
                )
            };
            let created_at = time("created_at");
            let expires_at = time("expires_at");
            let locked_at = time("locked_at");
            let size_bytes = fields.get("size_bytes").cloned();
            fields.finish(reader);
            Some(LockEntry {
                name: Spanned {
                    value: RestoreName::new(entry.key.value.as_str()),
                    span: entry.key.span,
                },
                selector: selector?.clone(),
                recovery_point: recovery_point?,
                vault: vault?,
                created_at,
                size_bytes,
                expires_at,
                locked_at,
            })
        })
        .collect()
}
