//! Requests that need what is known only later: what another restore has created, and secrets.
//!
//! The script puts texts where they belong, and evaluates nothing. So every expression that touches such a value has to be its
//! name, and the restore is rendered once with texts of ours in their stead: where they come out, the value belongs. The quotes
//! in them show how many strings of JSON a place is within.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::diagnostic::{Finding, Findings, Rule, Span, rule};
use crate::export::Subject;
use crate::ids::{IdempotencyToken, Indexed, JobId, StepIndex};
use crate::parse::{Document, Kind, Node, Point, VariableKind};
use crate::plan::MARK;
use crate::render::{Created, Fact, Known, RequestField, has_placeholder, withheld};

/// Maximum number of JSON strings that a value may be nested in.
const DEEPEST: usize = 3;
/// Sign by which the script finds places.
const SIGN: &str = "@@";

/// The names of the plan's secrets.
pub(super) fn secrets(document: &Document) -> BTreeSet<&str> {
    let secret = document.vars.iter().filter(|variable| variable.secret);
    secret
        .map(|variable| variable.name.value.as_str())
        .collect()
}

/// The request of a step with places in it for what the script fills in, token and mark among it.
pub(super) fn body(
    subject: &Subject<'_>,
    at: StepIndex,
    files: &Indexed<StepIndex, String>,
    writes_into: bool,
) -> Result<String, Findings> {
    let (planner, plan) = (subject.planner, subject.plan);
    let document = planner.document();
    let step = &plan.steps[at];
    let written = &document.restores[step.restore];
    let mut findings = Findings::default();
    let mut refuse =
        |rule: &'static Rule, span: Span, key: Option<&str>, message: String, help: &str| {
            let finding = Finding::at(&document.source, span, rule, message, help);
            let finding = finding.of_restore(&step.name);
            findings.push(match key {
                Some(key) => finding.of_key(key),
                None => finding,
            });
        };
    let secrets = secrets(document);
    let of_point = step.draft.holes.get(&RequestField::RecoveryPoint);
    if of_point
        .into_iter()
        .flatten()
        .any(|fact| matches!(fact, Fact::Input(_)))
    {
        refuse(
            rule::KIT_SECRET,
            step.span,
            None,
            "the recovery point is made of a secret, and has to be shown".to_owned(),
            "use a variable that is not secret",
        );
    }
    for fact in &step.draft.pending {
        if let Some(rule) = unfit(document, &secrets, fact) {
            refuse(
                rule,
                step.span,
                None,
                format!("`{fact}` cannot be filled in by the script of a kit"),
                "run this plan with `redrill run`; `redrill explain kit/expression` says what a kit can carry",
            );
        }
    }
    if writes_into && planner.protect().next().is_some() {
        refuse(
            rule::KIT_EXPRESSION,
            step.span,
            None,
            "what it writes into is known only later, and the script does not compare it with `protect`".to_owned(),
            "run this plan with `redrill run`",
        );
    }
    for field in step.draft.holes.keys() {
        if let RequestField::Key(key) = field
            && planner.is_walled(&step.draft.request.resource_type, key)
        {
            let typed = written.metadata.iter();
            let mut typed = typed.filter(|entry| entry.key.value.eq_ignore_ascii_case(key));
            refuse(
                rule::KIT_EXPRESSION,
                typed.next().map_or(step.span, |entry| entry.value.span),
                Some(key),
                "this names a place that is known only later, and the script does not compare it with `allow`".to_owned(),
                "write the place itself; or run this plan with `redrill run`, which compares it before it is sent",
            );
        }
    }
    if findings.has_errors() {
        return Err(findings);
    }
    let mut refuse = |span: Span, key: &str| {
        findings.push(
            Finding::at(
                &document.source,
                span,
                rule::KIT_EXPRESSION,
                format!("`{key}` is computed from something that the script of a kit learns only later"),
                "write its name alone, such as `{{ restores.db.created.resource_arn }}`, or with `| split('/') | last`; or run this plan with `redrill run`",
            )
            .of_restore(&step.name)
            .of_key(key),
        );
    };
    let probes = probes(subject, at, files, &secrets);
    let known = Known {
        created: Arc::new(
            step.needs
                .iter()
                .map(|need| (plan.steps[*need].name.clone(), created(*need)))
                .collect(),
        ),
        ..subject.known.clone()
    };
    let (Some(probed), Some(plain)) = (
        planner.rendered(at, &known),
        planner.rendered(at, subject.known),
    ) else {
        refuse(step.span, "metadata");
        return Err(findings);
    };
    let mut request = step.draft.request.clone();
    let resource_type = request.resource_type.clone();
    for field in step.draft.holes.keys() {
        let key = match field {
            RequestField::RecoveryPoint => {
                let node = match &written.recovery_point {
                    Some(Point::Arn(node)) => Some(node),
                    Some(Point::Placed(placed)) => Some(&placed.arn),
                    Some(Point::Selector(_)) | None => None,
                };
                match (node, &probed.recovery_point) {
                    (Some(node), Some(arn)) if is_named(node, &secrets) => {
                        request.recovery_point_arn.clone_from(arn)
                    }
                    _ => refuse(step.span, field.as_str()),
                }
                continue;
            }
            RequestField::Key(key) => key,
        };
        let is_it = |index: usize| {
            let typed = &written.metadata[index].key.value;
            planner.rules().spelling(&resource_type, typed) == key
        };
        let find = |entries: &[crate::render::RenderedEntry]| {
            let entry = entries.iter().find(|entry| is_it(entry.index))?;
            Some((entry.index, entry.wire.clone()?))
        };
        match (find(&probed.metadata), find(&plain.metadata)) {
            // A value that a rule rewrites cannot be told from what the template made of it.
            (Some((index, text)), Some((_, before)))
                if is_named(&written.metadata[index].value, &secrets)
                    && request.metadata.get(key) == Some(&before) =>
            {
                request.metadata.insert(key.clone(), text);
            }
            (found, _) => refuse(
                found.map_or(step.span, |(index, _)| written.metadata[index].value.span),
                key,
            ),
        }
    }
    if request.canonical().contains(SIGN) {
        refuse(step.span, SIGN);
    }
    if step.draft.takes_mark {
        request.metadata.insert(MARK.to_owned(), place("mark"));
    }
    let mut text = request
        .with_token(&IdempotencyToken::new(place("token")))
        .canonical();
    for probe in &probes {
        for level in 1..=DEEPEST {
            let place = place(&format!("{}:{level}:{}", probe.kind, probe.whose));
            text = text.replace(&escaped(&probe.text, level), &place);
        }
    }
    if has_placeholder(&text) || probes.iter().any(|probe| text.contains(&probe.rest)) {
        refuse(step.span, "metadata");
    }
    match findings.has_errors() {
        true => Err(findings),
        false => Ok(text),
    }
}

fn place(what: &str) -> String {
    format!("{SIGN}{what}{SIGN}")
}

/// The rule that speaks against filling a fact in.
fn unfit(document: &Document, secrets: &BTreeSet<&str>, fact: &Fact) -> Option<&'static Rule> {
    match fact {
        Fact::Restored(_) => None,
        Fact::RecoveryPoint | Fact::Source(_) => Some(rule::KIT_EXPRESSION),
        Fact::Input(name) => {
            let name = name.strip_prefix("vars.").unwrap_or(name);
            let variable = document
                .vars
                .iter()
                .find(|variable| variable.name.value == name);
            let is_text = variable
                .is_some_and(|variable| matches!(variable.kind, None | Some(VariableKind::String)));
            (!is_text || !secrets.contains(name)).then_some(rule::KIT_SECRET)
        }
    }
}

/// A text that stands for a value while a request is rendered.
struct Probe {
    text: String,
    /// Remainder of the text where a template has taken it apart.
    rest: String,
    /// Kind of value that the script puts there.
    kind: &'static str,
    /// The restore's files, or the secret.
    whose: String,
}

/// Returns a stand-in for what a restore creates, to render requests of others: an ARN whose ends can be told apart.
fn created(of: StepIndex) -> Created {
    let of = of.get();
    Created {
        job_id: JobId::new(format!("\"@j{of}@\"")),
        resource_arn: format!("\"@a{of}:m{of}/z{of}@\""),
    }
}

/// All that a step may ask for; a whole ARN before its parts.
fn probes(
    subject: &Subject<'_>,
    at: StepIndex,
    files: &Indexed<StepIndex, String>,
    secrets: &BTreeSet<&str>,
) -> Vec<Probe> {
    let mut probes = Vec::new();
    let needs = &subject.plan.steps[at].needs;
    let mut all =
        |text: &dyn Fn(usize) -> String, rest: &dyn Fn(usize) -> String, kind: &'static str| {
            probes.extend(needs.iter().map(|need| Probe {
                text: text(need.get()),
                rest: rest(need.get()),
                kind,
                whose: files[*need].clone(),
            }));
        };
    all(
        &|n| created(StepIndex::new(n)).resource_arn,
        &|n| format!("@a{n}:"),
        "arn",
    );
    all(
        &|n| format!("m{n}/z{n}@\""),
        &|n| format!("m{n}/"),
        "arn-after-colon",
    );
    all(
        &|n| format!("z{n}@\""),
        &|n| format!("z{n}@"),
        "arn-after-slash",
    );
    all(
        &|n| created(StepIndex::new(n)).job_id.to_string(),
        &|n| format!("@j{n}@"),
        "job",
    );
    probes.extend(secrets.iter().map(|name| Probe {
        text: withheld(name),
        rest: format!("@secret:{name}@"),
        kind: "secret",
        whose: (*name).to_owned(),
    }));
    probes
}

/// A text as it is in a string of JSON, within as many others as given.
fn escaped(text: &str, levels: usize) -> String {
    (0..levels).fold(text.to_owned(), |text, _| {
        let quoted = Value::String(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    })
}

/// Returns true if every expression that touches what is known later is its name, or the end of an ARN.
fn is_named(node: &Node, secrets: &BTreeSet<&str>) -> bool {
    match &node.kind {
        Kind::String(text) => is_text_named(text, secrets),
        Kind::Sequence(items) => items.iter().all(|item| is_named(item, secrets)),
        Kind::Mapping(entries) => entries.iter().all(|entry| is_named(&entry.value, secrets)),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => true,
    }
}

fn is_text_named(text: &str, secrets: &BTreeSet<&str>) -> bool {
    let mut expressions = text
        .split("{{")
        .skip(1)
        .filter_map(|rest| rest.split("}}").next());
    !text.contains("{%")
        && expressions.all(|expression| {
            let expression = expression.trim_matches('-').trim();
            let touches = expression.contains("restores")
                || (!secrets.is_empty() && expression.contains("vars["))
                || secrets.iter().any(|name| expression.contains(name));
            if !touches {
                return true;
            }
            let parts: Vec<&str> = expression.split('|').map(str::trim).collect();
            match parts.as_slice() {
                [name] => is_path(name),
                [name, split, "last"] => {
                    let split: String = split.split_whitespace().collect();
                    let takes_end = ["split('/')", "split(\"/\")", "split(':')", "split(\":\")"];
                    is_path(name) && takes_end.contains(&split.as_str())
                }
                _ => false,
            }
        })
}

/// Returns true for a name with members: `restores.db.created.resource_arn`, `restores['a b'].created.job_id`.
fn is_path(expression: &str) -> bool {
    let mut rest = expression;
    while let Some((before, behind)) = rest.split_once('[') {
        let Some((inside, after)) = behind.split_once(']') else {
            return false;
        };
        if !is_dotted(before) || inside.contains('[') {
            return false;
        }
        rest = after;
    }
    is_dotted(rest)
}

fn is_dotted(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{escaped, is_text_named};

    #[test]
    fn only_names_and_the_ends_of_arns_are_filled_in() {
        let secrets = BTreeSet::from(["password"]);
        for text in [
            "plain",
            "{{ restores.db.created.resource_arn }}",
            "a-{{ restores['a b'].created.job_id }}-{{ run.id | lower }}",
            "{{ restores[each.key].created.resource_arn | split('/') | last }}",
            "{{- restores.db.created.resource_arn | split(\":\")|last -}}",
            "{{ vars.password }}",
            "{{ vars.name | upper }}",
        ] {
            assert!(is_text_named(text, &secrets), "{text}");
        }
        for text in [
            "{{ restores.db.created.resource_arn | upper }}",
            "{{ restores.db.created.resource_arn | split('/') | first }}",
            "{{ restores.db.created.resource_arn ~ 'x' }}",
            "{{ 'a' if restores.db.created.resource_arn else 'b' }}",
            "{{ restores.db.created.resource_arn[4:] ~ restores }}",
            "{{ vars.password | length }}",
            "{{ vars['pass' ~ 'word'] | upper }}",
            "{% if restores %}a{% endif %}",
        ] {
            assert!(!is_text_named(text, &secrets), "{text}");
        }
    }

    #[test]
    fn each_string_of_json_escapes_once_more() {
        assert_eq!(escaped("\"a\"", 1), r#"\"a\""#);
        assert_eq!(escaped("\"a\"", 2), r#"\\\"a\\\""#);
    }
}
