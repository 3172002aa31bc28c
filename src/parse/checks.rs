//! `checks:` and `cutover:`: commands that judge what came back, and those that switch over to it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::SignedDuration;
use regex::Regex;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::fields::{FieldReader, Fields};
use super::settings::duration;
use super::{Kind, Node};
use crate::diagnostic::{Finding, Spanned, rule};

/// Default timeout of a command.
const TIMEOUT: SignedDuration = SignedDuration::from_mins(10);
/// Default wait before the second try; it doubles from there.
const BACKOFF: SignedDuration = SignedDuration::from_secs(5);
/// The longest name.
const NAME: usize = 100;
const EXAMPLE: &str =
    "checks: [{ name: answers, run: [./checks/answers.sh, \"{{ created.resource_arn }}\"] }]";

/// A command of a plan.
#[derive(Clone, Debug)]
pub struct Check {
    /// Name in reports.
    pub name: Spanned<String>,
    /// The program and its arguments; each may hold a template.
    pub run: Vec<Node>,
    /// Time that it may take.
    pub timeout: SignedDuration,
    /// Number of retries.
    pub retries: u32,
    /// Wait before the second try; twice as long before the third, and so on.
    pub backoff: SignedDuration,
    /// Conditions of a pass.
    pub expect: Expect,
    /// Digest of what a pass depends on: the words of `run` as the plan has them, and `expect`; for a check of the plan
    /// as a whole its restores too. Templates hold no values, so it tells nothing of a secret.
    pub definition: String,
}

impl Check {
    /// The same check as one of all these restores: it has seen no others.
    #[must_use]
    pub(crate) fn of_all(&self, restores: &BTreeSet<&str>) -> Self {
        let definition = digest(&json!({ "of": self.definition, "restores": restores }));
        Self {
            definition,
            ..self.clone()
        }
    }
}

/// Conditions of a pass.
#[derive(Clone, Debug)]
pub struct Expect {
    /// The exit code.
    pub exit: i32,
    /// Pattern that the output has to match.
    pub output: Option<Regex>,
}

/// Reads a list of commands.
pub(super) fn checks(
    node: Option<&Node>,
    what: &'static str,
    reader: &mut FieldReader<'_>,
) -> Arc<Vec<Check>> {
    let Some(node) = node else {
        return Arc::default();
    };
    let Kind::Sequence(items) = &node.kind else {
        reader.report(
            node.span,
            rule::PLAN_TYPE,
            format!("{what} is {}, not a list of commands", node.describe()),
            format!("write `{EXAMPLE}`"),
        );
        return Arc::default();
    };
    let mut checks: Vec<Check> = Vec::new();
    for item in items.iter() {
        let Some(check) = check(item, reader) else {
            continue;
        };
        if let Some(first) = checks.iter().find(|c| c.name.value == check.name.value) {
            let finding = Finding::at(
                reader.source,
                check.name.span,
                rule::CHECKS_DUPLICATE_NAME,
                format!("{what} has `{}` twice", check.name.value),
                "give each a name of its own: reports and the journal tell them apart by it",
            );
            let finding = finding.also(first.name.span, "written here first");
            reader.findings.push(finding);
        }
        checks.push(check);
    }
    Arc::new(checks)
}

fn check(node: &Node, reader: &mut FieldReader<'_>) -> Option<Check> {
    let mut fields = Fields::of(
        node,
        "a check",
        "{ name: answers, run: [./checks/answers.sh] }",
        reader,
    )?;
    let name = fields
        .require("name", "name: answers", reader)
        .and_then(|node| reader.text(node, "`name`", "name: answers"));
    if let Some(name) = &name
        && (name.value.chars().count() > NAME || name.value.contains(char::is_control))
    {
        reader.report(
            name.span,
            rule::PLAN_NAME,
            "this is not a valid name for a check",
            format!("use up to {NAME} characters on one line"),
        );
    }
    let run = fields
        .require("run", "run: [./checks/answers.sh]", reader)
        .and_then(|node| words(node, reader));
    let timeout = fields
        .get("timeout")
        .and_then(|node| duration(node, "`timeout`", reader))
        .unwrap_or(TIMEOUT);
    let retries = fields
        .get("retries")
        .and_then(|node| small(node, "`retries`", 0, 100, reader))
        .unwrap_or(0);
    let backoff = fields
        .get("backoff")
        .and_then(|node| duration(node, "`backoff`", reader))
        .unwrap_or(BACKOFF);
    let expect = expect(fields.get("expect"), reader);
    fields.finish(reader);
    let run = run?;
    Some(Check {
        name: name?,
        definition: definition(&run, &expect),
        run,
        timeout,
        retries,
        backoff,
        expect,
    })
}

/// Its form is kept: journals hold what it was.
fn definition(run: &[Node], expect: &Expect) -> String {
    let words: Vec<String> = run
        .iter()
        .map(|word| match &word.kind {
            Kind::String(text) => text.clone(),
            Kind::Number(number) => number.wire(),
            Kind::Bool(value) => value.to_string(),
            _ => String::new(),
        })
        .collect();
    let output = expect.output.as_ref().map(Regex::as_str);
    digest(&json!({ "expect": { "exit": expect.exit, "output": output }, "run": words }))
}

/// The first half of SHA-256, in hexadecimal: enough to tell one from another, and half as long in every journal.
fn digest(of: &serde_json::Value) -> String {
    let bytes = Sha256::digest(of.to_string());
    let mut digest = String::with_capacity(32);
    for byte in &bytes[..16] {
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}

fn words(node: &Node, reader: &mut FieldReader<'_>) -> Option<Vec<Node>> {
    let items = match &node.kind {
        Kind::Sequence(items) => items,
        Kind::String(_) => {
            reader.report(
                node.span,
                rule::CHECKS_SHELL,
                "`run` is a string, and no shell reads it",
                "write the program and each argument as an item, `run: [./check.sh, \"--fast\"]`, or name the shell: `run: [sh, -c, \"…\"]`",
            );
            return None;
        }
        _ => {
            reader.report(
                node.span,
                rule::PLAN_TYPE,
                format!("`run` is {}, not a list of words", node.describe()),
                "write `run: [./check.sh, \"--fast\"]`",
            );
            return None;
        }
    };
    let first_is_empty = match items.first().map(|item| &item.kind) {
        None => true,
        Some(Kind::String(text)) => text.trim().is_empty(),
        Some(_) => false,
    };
    if first_is_empty {
        reader.report(
            node.span,
            rule::CHECKS_EMPTY,
            "`run` names no program",
            "write `run: [./check.sh, \"--fast\"]`",
        );
        return None;
    }
    let mut all_are_words = true;
    for item in items.iter() {
        let is_word = matches!(item.kind, Kind::String(_) | Kind::Number(_) | Kind::Bool(_));
        if !is_word {
            all_are_words = false;
            reader.report(
                item.span,
                rule::PLAN_TYPE,
                format!("a word of `run` is {}", item.describe()),
                "write a text, in quotes where YAML would read something else",
            );
        }
    }
    all_are_words.then(|| items.to_vec())
}

fn expect(node: Option<&Node>, reader: &mut FieldReader<'_>) -> Expect {
    let mut expect = Expect {
        exit: 0,
        output: None,
    };
    let Some(mut fields) = node.and_then(|node| {
        Fields::of(
            node,
            "`expect`",
            "expect: { exit: 0, output: \"^ok\" }",
            reader,
        )
    }) else {
        return expect;
    };
    if let Some(node) = fields.get("exit")
        && let Some(exit) = small(node, "`exit`", 0, 255, reader)
    {
        expect.exit = i32::try_from(exit).unwrap_or_default();
    }
    if let Some(node) = fields.get("output")
        && let Some(text) = reader.text(node, "`output`", "output: '^ok'")
    {
        match Regex::new(&text.value) {
            Ok(regex) => expect.output = Some(regex),
            Err(err) => {
                let message = super::variables::last_line(&err.to_string()).to_owned();
                reader.report(
                    text.span,
                    rule::CHECKS_PATTERN,
                    format!("this is not a regular expression: {message}"),
                    "write it as in the `regex` crate, in single quotes: `'^[0-9]+ rows$'`",
                );
            }
        }
    }
    fields.finish(reader);
    expect
}

fn small(node: &Node, what: &str, from: u32, to: u32, reader: &mut FieldReader<'_>) -> Option<u32> {
    let value = match &node.kind {
        Kind::Number(number) => number.value.as_u64().and_then(|n| u32::try_from(n).ok()),
        _ => None,
    };
    let value = value.filter(|value| (from..=to).contains(value));
    if value.is_none() {
        reader.report(
            node.span,
            rule::PLAN_TYPE,
            format!("{what} is not a whole number from {from} to {to}"),
            format!("write a number, such as `{from}`"),
        );
    }
    value
}
