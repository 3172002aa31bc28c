//! A run as one page: everything in one file, nothing fetched, no script; light and dark, on a phone and on paper.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::Timestamp;
use minijinja::Environment;
use serde::Serialize;
use serde_json::{Value, json};

use super::controls::AnswerState;
use super::run::{
    CheckReport, CheckStatus, Cleanup, Objective, RPO, RTO, RestoreReport, RunReport, RunStatus,
    Verdict,
};
use super::signed;
use super::timeline::{DENSE, Timeline};
use crate::diagnostic::{LocalTime, duration, visible, visible_lines};

/// The page. Everything that goes into it is escaped: its name says that it is HTML.
const TEMPLATE: (&str, &str) = ("run.html", include_str!("run.html"));
/// Lines of a list that are open; the rest is folded.
const LINES: usize = 15;
/// Lines of a check's output that are shown first.
const OUTPUT: usize = 12;
/// Restores up to which the details of all are open.
const OPEN: usize = 12;

/// Renders the report as HTML.
#[must_use]
pub fn run_html(report: &RunReport) -> String {
    let mut environment = Environment::new();
    let (name, template) = TEMPLATE;
    let mut values = page(report);
    on_their_lines(&mut values);
    let rendered = environment
        .add_template(name, template)
        .and_then(|()| environment.get_template(name))
        .and_then(|template| template.render(minijinja::value::Serde(&values)));
    // The template is ours and a test renders it: it does not fail.
    let mut page = rendered.unwrap_or_else(|err| err.to_string());
    page.push('\n');
    visible_lines(&page).into_owned()
}

/// Texts from outside stay on their lines, but for what a check has printed.
fn on_their_lines(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(shown) = visible(text) {
                *text = shown;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(on_their_lines),
        Value::Object(members) => {
            let lines = members.iter_mut().filter(|(name, _)| *name != "output");
            lines.for_each(|(_, value)| on_their_lines(value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn page(report: &RunReport) -> Value {
    let count = |status| {
        let all = report.all_checks();
        all.filter(|(_, check)| check.status == status).count()
    };
    let is_small = report.restores.len() <= OPEN;
    let timeline = Timeline::of(report);
    let rows = timeline
        .as_ref()
        .map(|t| t.rows(report))
        .unwrap_or_default();
    let dense = rows.len() > DENSE;
    json!({
        "r": report,
        "verdict": report.verdict.words(),
        "tone": match report.verdict {
            Verdict::Passed => "good",
            Verdict::ObjectiveMissed => "late",
            Verdict::Failed => "bad",
            Verdict::Unfinished => "open",
            Verdict::CleanedUp => "late",
        },
        "whereabouts": report.whereabouts(&LocalTime::utc()),
        "cleaned": report.verdict == Verdict::CleanedUp,
        "gone": report.restores.iter().filter(|r| r.status.is_gone()).count(),
        "back": report.back(),
        "bad": report.restores.iter().filter(|r| r.status.is_bad()).count(),
        "checks_total": report.all_checks().count(),
        "checks_passed": count(CheckStatus::Passed),
        "checks_failed": count(CheckStatus::Failed),
        "took": report.took().map_or_else(|| "not finished".to_owned(), duration),
        "started": report.start.map_or_else(|| "not started".to_owned(), time),
        "cards": all_objectives(report).into_iter().filter(|row| row.whose == THE_RUN).collect::<Vec<_>>(),
        "eyes": parts(eyes(report)),
        "objectives": parts(all_objectives(report)),
        "rto": RTO,
        "rpo": RPO,
        "ticks": timeline.as_ref().map(Timeline::ticks).unwrap_or_default(),
        "dense": dense,
        "gantt": rows,
        "restores": report.restores.iter().map(|r| restore(report, r, is_small)).collect::<Vec<_>>(),
        "plan_checks": report.checks.iter().map(check).collect::<Vec<_>>(),
        "cutover": report.cutover.iter().map(check).collect::<Vec<_>>(),
        "cutover_took": report.cutover_seconds.map(duration),
        "compared": report.compared.as_ref().map(|compared| json!({
            "sentence": compared.sentence(),
            "headings": compared.headings(),
            "rows": compared.restores.iter().map(super::Difference::cells).collect::<Vec<_>>(),
        })),
        "forecast": report.forecast.as_ref().map(|forecast| forecast.words()),
        "states": states(),
        "environment": facts_of_environment(report),
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// The words for each state of an answer.
fn states() -> Value {
    let all = [
        AnswerState::Recorded,
        AnswerState::Partly,
        AnswerState::Missing,
        AnswerState::Unknown,
        AnswerState::Elsewhere,
    ];
    let words = all.map(|state| (json!(state), state.words()));
    let words = words
        .iter()
        .filter_map(|(id, words)| Some((id.as_str()?.to_owned(), json!(words))));
    Value::Object(words.collect())
}

/// A list, and what of it is folded away.
fn parts<T>(mut all: Vec<T>) -> Vec<Vec<T>> {
    if all.is_empty() {
        return Vec::new();
    }
    // A fold for one or two would be longer than they are.
    if all.len() <= LINES + 2 {
        return vec![all];
    }
    let rest = all.split_off(LINES);
    vec![all, rest]
}

pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

pub(super) fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    from.zip(to).map_or_else(String::new, |(from, to)| {
        duration(to.duration_since(from).as_secs())
    })
}

/// A name and its value, which may have a page at AWS.
#[derive(Serialize)]
struct FactRow {
    name: &'static str,
    value: String,
    mono: bool,
    page: Option<String>,
}

#[derive(Default)]
struct FactRows(Vec<FactRow>);

impl FactRows {
    fn text(&mut self, name: &'static str, value: Option<String>) {
        self.add(name, value, false);
    }

    fn code(&mut self, name: &'static str, value: Option<&impl AsRef<str>>) {
        self.add(name, value.map(|value| value.as_ref().to_owned()), true);
    }

    fn add(&mut self, name: &'static str, value: Option<String>, mono: bool) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.0.push(FactRow {
                name,
                value,
                mono,
                page: None,
            });
        }
    }

    fn page(&mut self, name: &'static str, value: Option<&impl AsRef<str>>, page: Option<String>) {
        let before = self.0.len();
        self.code(name, value);
        if let Some(added) = self.0.get_mut(before) {
            added.page = page;
        }
    }
}

#[derive(Serialize)]
struct ObjectiveRow {
    whose: String,
    name: &'static str,
    wanted: String,
    reached: String,
    words: &'static str,
    tone: &'static str,
}

/// Owner of an objective that is not of one restore.
const THE_RUN: &str = "the run";

fn all_objectives(report: &RunReport) -> Vec<ObjectiveRow> {
    let row = |(whose, name, is_open, objective): (&str, _, _, &Objective)| ObjectiveRow {
        whose: whose.to_owned(),
        name,
        wanted: duration(objective.wanted_seconds),
        reached: objective.seconds.map_or_else(|| "-".to_owned(), duration),
        words: objective.words(is_open),
        tone: match objective.met {
            Some(true) => "good",
            Some(false) => "late",
            None => "soft",
        },
    };
    let mut all: Vec<ObjectiveRow> = report.all_objectives().map(row).collect();
    // The run's own come first, then what was missed.
    all.sort_by_key(|row| (row.whose != THE_RUN, row.words == "met"));
    all
}

#[derive(Serialize)]
struct Eye {
    whose: String,
    words: String,
    tone: &'static str,
    /// The end of what a check wrote.
    output: String,
}

/// Lists what is not as it was wanted, worst first.
fn eyes(report: &RunReport) -> Vec<Eye> {
    let mut eyes = Vec::new();
    let mut add = |whose: &str, words: String, tone| {
        eyes.push(Eye {
            whose: whose.to_owned(),
            words,
            tone,
            output: String::new(),
        });
    };
    for restore in &report.restores {
        let message = restore.message.as_deref().unwrap_or_default();
        match restore.status {
            RunStatus::Failed => add(restore.restore.as_str(), message.to_owned(), "bad"),
            RunStatus::Incomplete => {
                add(
                    restore.restore.as_str(),
                    format!("incomplete: {message}"),
                    "bad",
                );
            }
            RunStatus::Skipped => add(
                restore.restore.as_str(),
                format!("skipped: {message}"),
                "bad",
            ),
            status if status.is_open() => {
                add(
                    restore.restore.as_str(),
                    format!("{} {message}", status.word()),
                    "open",
                );
            }
            _ => {}
        }
        if let Some(doubled) = restore.doubled() {
            add(restore.restore.as_str(), doubled, "bad");
        }
        for (arn, why) in restore.left() {
            add(
                restore.restore.as_str(),
                format!("not deleted: {arn}: {why}"),
                "bad",
            );
        }
    }
    for (restore, check) in report.all_checks() {
        if check.status == CheckStatus::Failed {
            let why = check.message.as_deref().unwrap_or_default();
            eyes.push(Eye {
                whose: restore.unwrap_or(THE_RUN).to_owned(),
                words: format!("check {} failed: {why}", check.name),
                tone: "bad",
                output: last_lines(&check.output),
            });
        }
    }
    for missed in &report.missed {
        let (whose, words) = missed.split_once(": ").unwrap_or(("", missed));
        eyes.push(Eye {
            whose: whose.to_owned(),
            words: words.to_owned(),
            tone: "late",
            output: String::new(),
        });
    }
    eyes
}

/// Cuts an output to as many of its last lines as are read at a glance; all of it is with its check.
fn last_lines(output: &str) -> String {
    let lines: Vec<&str> = output.trim_end().lines().collect();
    let left_out = lines.len().saturating_sub(OUTPUT);
    let mut text = match left_out {
        0 => String::new(),
        _ => "…\n".to_owned(),
    };
    text.push_str(&lines[left_out..].join("\n"));
    text
}

#[derive(Serialize)]
struct RestoreRow {
    name: String,
    #[serde(rename = "type")]
    resource_type: String,
    status: &'static str,
    tone: &'static str,
    took: String,
    is_open: bool,
    facts: Vec<FactRow>,
    checks: Vec<CheckRow>,
}

fn cleanup_words(cleanup: &Cleanup) -> String {
    match cleanup {
        Cleanup::Asked => "not finished".to_owned(),
        Cleanup::Gone => "deleted (verified)".to_owned(),
        Cleanup::Left(why) => format!("not deleted: {why}"),
    }
}

fn restore(report: &RunReport, restore: &RestoreReport, is_small: bool) -> RestoreRow {
    let mut facts = FactRows::default();
    facts.text("message", restore.message.clone());
    let page = |arn: Option<&String>| report.resource_page(arn?);
    let made = restore.created_resource_arn.as_ref();
    facts.page("created", made, page(made));
    if let Some(target) = &restore.target {
        facts.text("account", Some(target.account.to_string()));
        facts.text("Region", Some(target.region.to_string()));
    }
    if restore.into_existing {
        let words = "existed before; the restore wrote into it".to_owned();
        facts.text("existing resource", Some(words));
    }
    for made in &restore.also_made {
        facts.page("also created", Some(&made.arn), page(Some(&made.arn)));
        facts.text("by", Some(made.by()));
        facts.text("cleanup", made.cleanup.as_ref().map(cleanup_words));
    }
    facts.text("second job", restore.doubled());
    facts.code("recovery point", restore.recovery_point_arn.as_ref());
    facts.text("needed", Some(restore.needs.join(", ")));
    facts.page("job", restore.job_id.as_ref(), report.job_page(restore));
    facts.text("job created", restore.started_at.map(time));
    facts.text("job ended", restore.ended_at.map(time));
    facts.text("RTO", restore.rto_seconds.map(duration));
    // The age of a recovery point is an RPO once something good is back.
    let reached = restore
        .rpo_seconds
        .filter(|_| restore.outcome() == RunStatus::Completed);
    facts.text("RPO", reached.map(duration));
    if restore.attempts > 1 {
        facts.text("attempts", Some(restore.attempts.to_string()));
    }
    facts.text("validation in AWS Backup", restore.validation.clone());
    facts.text("cleanup", restore.cleanup.as_ref().map(cleanup_words));
    facts.code("token", restore.token.as_ref());
    facts.code("request SHA-256", restore.request_sha256.as_ref());
    let tone = match restore.status {
        RunStatus::Completed => "good",
        status if status.is_bad() => "bad",
        status if status.is_gone() => "late",
        _ => "open",
    };
    RestoreRow {
        name: restore.restore.to_string(),
        resource_type: restore.resource_type.clone(),
        status: restore.status.word(),
        tone,
        took: between(restore.started_at, restore.over_at()),
        is_open: is_small || tone == "bad",
        facts: facts.0,
        checks: restore.checks.iter().map(check).collect(),
    }
}

#[derive(Serialize)]
struct CheckRow {
    name: String,
    status: &'static str,
    tone: &'static str,
    tries: u32,
    took: String,
    run: String,
    message: Option<String>,
    output: String,
    earlier: Vec<super::run::Try>,
}

fn check(check: &CheckReport) -> CheckRow {
    CheckRow {
        name: check.name.clone(),
        status: check.status.word(),
        tone: match check.status {
            CheckStatus::Passed => "good",
            CheckStatus::Failed => "bad",
            CheckStatus::Running => "open",
            CheckStatus::NotRun => "soft",
        },
        tries: check.tries,
        took: between(check.started_at, check.ended_at),
        run: check.run.join(" "),
        message: check.message.clone(),
        output: check.output.clone(),
        earlier: check.earlier.clone(),
    }
}

fn facts_of_environment(report: &RunReport) -> Vec<FactRow> {
    let mut facts = FactRows::default();
    facts.text("endpoint", report.world.as_ref().map(ToString::to_string));
    for target in &report.targets {
        if let [_, _, ..] = report.targets.as_slice() {
            facts.text("target", Some(target.name.clone().unwrap_or_default()));
        }
        facts.text("account", Some(target.account.to_string()));
        facts.text("Region", Some(target.region.to_string()));
        facts.code("role", target.iam_role_arn.as_ref());
    }
    facts.code("plan file", report.file.as_ref());
    facts.text("run started", report.start.map(time));
    facts.text("run ended", report.end.map(time));
    for runner in &report.runners {
        let mut words = format!("{}, redrill {}", time(runner.at), runner.redrill);
        if let Some(origin) = &runner.origin {
            let _ = write!(
                words,
                ", {}@{}, {}",
                origin.user, origin.host, origin.system
            );
        }
        facts.text("runner", Some(words));
        if let Some(origin) = &runner.origin {
            for caller in &origin.callers {
                facts.code("caller", Some(caller));
            }
            facts.code("plan SHA-256", Some(&origin.plan_sha256));
            facts.code("git commit", origin.commit.as_ref());
        }
    }
    let calls: Vec<String> = report
        .api_calls
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    facts.text("calls to AWS", Some(calls.join(", ")));
    if let Some(longer) = report.compared.as_ref().and_then(|c| c.longer_seconds) {
        facts.text("compared with the other run", Some(signed(longer)));
    }
    facts.0
}
