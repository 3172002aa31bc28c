//! The runbook: a page for the whole, then one a restore, for a terminal (Markdown) and for paper (HTML).
//!
//! Both are templates over the same values. Times are those of recovery points, never that of the export.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::{Environment, Error, ErrorKind};
use serde_json::{Value, json};

use super::entry::Entry;
use super::late;
use super::script::quoted;
use crate::diagnostic::{duration, visible};
use crate::export::Subject;
use crate::ids::{JobId, StepIndex};
use crate::parse::{Check, Kind};
use crate::render::{Created, Known, SourceFacts, Target};
use crate::report::markdown;
use crate::rules::{Facts, RestoreFailure};

const MARKDOWN: (&str, &str) = ("runbook.md", include_str!("runbook.md"));
/// Everything that goes into it is escaped: its name says that it is HTML.
const HTML: (&str, &str) = ("runbook.html", include_str!("runbook.html"));

/// Of so many restores each has a page; the runbook of more would be tens of megabytes, which nobody prints.
pub const MOST_PAGES: usize = 1_000;

/// Values that both runbooks share.
pub(super) struct Runbook(Value);

impl Runbook {
    /// Of a plan.
    pub(super) fn new(subject: &Subject<'_>, entries: &[Entry<'_>]) -> Self {
        let plan = subject.plan;
        let known = created(subject, entries);
        let words = |check: &Check| by_hand(subject, None, check, &known);
        let targets = plan.targets.enumerated().map(|(at, target)| {
            json!({
                "number": at.get() + 1,
                "account": target.account,
                "region": target.region,
                "role": target.iam_role_arn,
                "assume": target.assume_role_arn,
                "restores": entries.iter().filter(|entry| entry.step.target == at).count(),
            })
        });
        let document = subject.planner.document();
        let has_pages = entries.len() <= MOST_PAGES;
        let restores = entries
            .iter()
            .enumerate()
            .map(|(at, entry)| match has_pages {
                true => page(subject, entries, at, entry, &known),
                false => row(entries, at, entry),
            });
        let has_checks = !plan.checks.is_empty()
            || !plan.cutover.is_empty()
            || entries.iter().any(|entry| !entry.step.checks.is_empty());
        Self(json!({
            "plan": plan.name,
            "run": plan.run_id,
            "file": std::path::Path::new(subject.file).file_name().map(|name| name.to_string_lossy()),
            "description": plan.description,
            "objectives": objectives(plan.objectives.rto, plan.objectives.rpo),
            "targets": targets.collect::<Vec<_>>(),
            "secrets": late::secrets(document).iter().map(|name| json!({
                "name": name,
                "variable": format!("REDRILL_VAR_{}", crate::render::variable_name(name)),
            })).collect::<Vec<_>>(),
            "restores": restores.collect::<Vec<_>>(),
            "has_pages": has_pages,
            "most_pages": MOST_PAGES,
            "has_checks": has_checks,
            "has_profiles": has_profiles(&plan.targets),
            "failures": RestoreFailure::common(),
            "checks": plan.checks.iter().map(words).collect::<Vec<_>>(),
            "cutover": plan.cutover.iter().map(words).collect::<Vec<_>>(),
        }))
    }

    /// For a terminal, or an editor.
    pub(super) fn markdown(&self) -> String {
        self.rendered(MARKDOWN)
    }

    /// For paper.
    pub(super) fn html(&self) -> String {
        self.rendered(HTML)
    }

    fn rendered(&self, (name, template): (&'static str, &'static str)) -> String {
        let mut environment = Environment::new();
        environment.add_filter("plain", |text: String| markdown::escaped(&text));
        environment.add_filter("code", |text: String| markdown::code(&text));
        environment.add_filter("cell", |text: String| markdown::code_in_cell(&text));
        environment.add_filter("block", |text: String| markdown::block("sh", &text));
        environment.add_filter("line", |text: String| visible(&text).into_owned());
        environment.add_filter(
            "ticked",
            |text: String| -> Result<minijinja::Value, Error> { ticked(&text) },
        );
        let rendered = environment
            .add_template_owned(name, without_lines_of_tags(template))
            .and_then(|()| environment.get_template(name))
            .and_then(|template| template.render(minijinja::value::Serde(&self.0)));
        // The template is ours and a test renders it: it does not fail.
        let mut text = rendered.unwrap_or_else(|err| err.to_string());
        while text.contains("\n\n\n") {
            text = text.replace("\n\n\n", "\n\n");
        }
        format!("{}\n", text.trim_end())
    }
}

/// A template whose tags leave no empty line where they have one of their own: Markdown would end a table there.
fn without_lines_of_tags(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    for line in template.lines() {
        let tag = line.trim();
        let is_tag = tag.starts_with("{%") && tag.ends_with("%}") && tag.matches("{%").count() == 1;
        match is_tag {
            true => text.push_str(tag),
            false => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// A sentence of ours as HTML: what is between two backticks is code.
fn ticked(text: &str) -> Result<minijinja::Value, Error> {
    let mut html = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = minijinja::HtmlEscape(part);
        match at % 2 {
            0 => html.push_str(&part.to_string()),
            _ => html.push_str(&format!("<code>{part}</code>")),
        }
    }
    match text.matches('`').count() % 2 {
        0 => Ok(minijinja::Value::from_safe_string(html)),
        _ => Err(Error::new(
            ErrorKind::InvalidOperation,
            "a code span is not closed",
        )),
    }
}

/// Returns true if the caller has to say as whom each target is reached.
fn has_profiles(targets: &[Target]) -> bool {
    targets.len() > 1
        || targets
            .iter()
            .any(|target| target.assume_role_arn.is_some())
}

/// Returns the words that are printed for what is known only later.
fn created(subject: &Subject<'_>, entries: &[Entry<'_>]) -> Known {
    let created = entries.iter().map(|entry| {
        let name = &entry.step.name;
        let created = Created {
            job_id: JobId::new(format!("JOB-OF-{name}")),
            resource_arn: format!("ARN-OF-{name}"),
        };
        (name.clone(), created)
    });
    Known {
        created: Arc::new(created.collect::<BTreeMap<_, _>>()),
        ..subject.known.clone()
    }
}

/// A command to run by hand.
fn by_hand(
    subject: &Subject<'_>,
    restore: Option<StepIndex>,
    check: &Check,
    known: &Known,
) -> Value {
    let written = || -> Vec<String> {
        let words = check.run.iter().map(|node| match &node.kind {
            Kind::String(text) => text.clone(),
            Kind::Number(number) => number.wire(),
            _ => "…".to_owned(),
        });
        words.collect()
    };
    let words = subject.planner.words(restore, check, known);
    let words: Vec<String> = words
        .unwrap_or_else(|_| written())
        .iter()
        .map(|word| word_of_shell(word))
        .collect();
    json!({
        "name": check.name.value,
        "command": words.join(" "),
        "timeout": duration(check.timeout.as_secs()),
        "exit": check.expect.exit,
        "output": check.expect.output.as_ref().map(|output| output.as_str()),
    })
}

fn word_of_shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => quoted(word),
    }
}

fn objectives(rto: Option<jiff::SignedDuration>, rpo: Option<jiff::SignedDuration>) -> Vec<String> {
    let of = |name: &str, limit: Option<jiff::SignedDuration>| {
        limit.map(|limit| format!("{name} {}", duration(limit.as_secs())))
    };
    [of("RTO", rto), of("RPO", rpo)]
        .into_iter()
        .flatten()
        .collect()
}

/// Returns a restore's row in the order of the restores.
fn row(all: &[Entry<'_>], at: usize, entry: &Entry<'_>) -> Value {
    let needs = entry.needs.iter().map(|need| all[*need].step.name.as_str());
    json!({
        "number": at + 1,
        "name": entry.step.name,
        "type": entry.step.draft.request.resource_type,
        "needs": needs.collect::<Vec<_>>(),
        "request": entry.path(),
    })
}

/// The page of one restore.
fn page(
    subject: &Subject<'_>,
    all: &[Entry<'_>],
    at: usize,
    entry: &Entry<'_>,
    known: &Known,
) -> Value {
    let step = entry.step;
    let request = &step.draft.request;
    let title = subject.planner.rules().title(&request.resource_type);
    let source = subject.known.sources.get(&request.recovery_point_arn);
    let facts = Facts::of(title);
    let lacks = facts
        .and_then(|facts| facts.lacks.as_ref())
        .filter(|lacks| lacks.condition.holds(&request.metadata));
    let schema = subject.planner.rules().schema(title);
    let notes = schema.and_then(|schema| schema["x-redrill"]["notes"].as_array().cloned());
    let metadata: serde_json::Map<String, Value> = body_metadata(&entry.body);
    let profile = match has_profiles(&subject.plan.targets) {
        true => format!(" --profile \"$PROFILE_{}\"", step.target.get() + 1),
        false => String::new(),
    };
    let is_late = entry.token.is_none();
    let mut page = row(all, at, entry);
    let more = json!({
        "description": schema.map(|schema| schema["description"].clone()),
        "page": schema.map(|schema| schema["x-redrill"]["url"].clone()),
        "point": (!step.draft.waits_for_its_point()).then_some(&request.recovery_point_arn),
        "source": source.map(source_of),
        "vault": step.draft.vault.as_ref().map(|vault| &vault.name),
        "target": step.target.get() + 1,
        "account": entry.target.account,
        "region": entry.target.region,
        "role": request.iam_role_arn,
        "late": is_late,
        "asks_secret": entry.body.contains("@@secret:"),
        "into_existing": step.into_existing,
        "metadata": metadata.iter().map(|(key, value)| json!([key, value])).collect::<Vec<_>>(),
        "token": entry.token,
        "only": format!("./restore.sh --only {}", word_of_shell(step.name.as_str())),
        "start": format!(
            "aws backup start-restore-job --region {}{profile} --cli-input-json file://{}",
            entry.target.region, entry.path()
        ),
        "watch": format!(
            "aws backup describe-restore-job --region {}{profile} --restore-job-id JOB --query '[Status,PercentDone,StatusMessage,CreatedResourceArn]'",
            entry.target.region
        ),
        "expected": duration(step.draft.expected.as_secs()),
        "timeout": step.timeout.map(|timeout| duration(timeout.as_secs())),
        "objectives": objectives(step.objectives.rto, step.objectives.rpo),
        "failures": RestoreFailure::of(title),
        "notes": notes,
        "lacks": lacks.map(|lacks| json!({ "what": lacks.what, "so": lacks.so, "make": lacks.make })),
        "checks": step.checks.iter().map(|check| by_hand(subject, Some(entry.at), check, known)).collect::<Vec<_>>(),
    });
    if let (Value::Object(page), Value::Object(more)) = (&mut page, more) {
        page.extend(more);
    }
    page
}

/// The metadata of a request as it is written in its file.
fn body_metadata(body: &str) -> serde_json::Map<String, Value> {
    let request: Value = serde_json::from_str(body).unwrap_or_default();
    request["Metadata"].as_object().cloned().unwrap_or_default()
}

fn source_of(source: &SourceFacts) -> Value {
    json!({
        "created_at": source.created_at,
        "expires_at": source.expires_at,
        "resource": source.resource_arn,
        "bytes": source.size_bytes,
        "cold": source.storage_class.as_deref() == Some("COLD"),
    })
}
