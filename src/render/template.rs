//! One scalar, evaluated.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::builtins::{self, filter_names};
use super::fact::Fact;
use super::language::{self, Problem, Written};
use super::meter::TOO_LARGE;
use super::plain;
use super::scope::{Cell, Scope};
use super::wire::describe;
use crate::diagnostic::{Finding, Findings, Severity, Source, Span, rule, suggest};
use crate::parse::within;

/// Instructions that one template may take; a name in a plan takes about ten. Without loops there are no more than are
/// written: this is a second fence.
const FUEL: u64 = 20_000;
/// Bytes that one scalar may become. AWS documents 200 KB for all metadata of an EFS restore
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-efs.html>).
const MAX_OUTPUT: usize = 256 * 1024;

/// Returns true if a scalar is evaluated at all.
pub(super) fn is_template(text: &str) -> bool {
    // Most texts of a plan have no brace at all, which a search for one byte tells soonest.
    text.contains('{') && ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

/// Error of an engine, and its range in the scalar's text.
type Failed = (Error, Option<Range<usize>>);

/// Result of evaluating a scalar.
pub(super) struct Evaluated {
    pub(super) value: serde_json::Value,
    pub(super) pending: BTreeSet<Fact>,
    /// True if something was made of a secret: the secret may not be found in it as it was.
    pub(super) changes_secret: bool,
}

/// The template engine, set up once.
pub(super) struct Templates {
    environment: Environment<'static>,
    cell: Cell,
}

impl Templates {
    pub(super) fn new(cell: Cell) -> Self {
        let mut environment = Environment::empty();
        builtins::equip(&mut environment, &cell.meter);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(64);
        let of_output = cell.meter.clone();
        environment.set_formatter(move |out, _, value| {
            use minijinja::value::ValueKind::{Bool, Number, String};
            match value.kind() {
                Bool | Number | String => {
                    of_output.weigh(value)?;
                    write!(out, "{}", builtins::in_text(value)).map_err(Error::from)
                }
                kind => Err(Error::new(
                    ErrorKind::InvalidOperation,
                    format!("{kind} cannot be used inside a text; `| json` writes lists and maps"),
                )),
            }
        });
        Self { environment, cell }
    }

    /// Evaluates `text`, written at `span`; a scalar that is one expression keeps the expression's type.
    pub(super) fn evaluate(
        &self,
        text: &str,
        span: Span,
        scope: &Scope,
        source: &Arc<Source>,
        findings: &mut Findings,
    ) -> Option<Evaluated> {
        self.cell.take();
        self.cell.meter.refill(0);
        let tell = |problem: Problem| {
            let range = problem.range;
            let place = range.and_then(|range| within(source, span, text, range));
            let place = place.unwrap_or(span);
            Finding::at(source, place, problem.rule, problem.message, problem.help)
        };
        let (changes, result) = match self.names(text, scope) {
            Some(value) => (false, Ok(value)),
            None => match language::check(text) {
                Ok(written) => (
                    written.computes || text.contains("{%"),
                    self.engine(text, scope, &written),
                ),
                Err(problem) => {
                    findings.push(tell(problem));
                    return None;
                }
            },
        };
        let seen = self.cell.take();
        let problem = match result {
            result if self.cell.meter.is_spent() => Problem {
                rule: rule::TEMPLATE_SIZE,
                message: TOO_LARGE.to_owned(),
                help: "make less of it; AWS takes 200 KB of metadata in all".to_owned(),
                range: result.err().and_then(|(_, range)| range),
            },
            Ok(value) if size(&value) > MAX_OUTPUT => Problem {
                rule: rule::TEMPLATE_SIZE,
                message: format!("this becomes longer than {} KiB", MAX_OUTPUT / 1024),
                help: "AWS takes 200 KB of metadata in all; make the value shorter".to_owned(),
                range: None,
            },
            Ok(value) => {
                return Some(Evaluated {
                    value,
                    pending: seen.pending,
                    changes_secret: seen.secret && changes,
                });
            }
            Err((err, range)) => problem(&err, range, seen.missing),
        };
        // With a placeholder in it a template may fail that will not fail with the value.
        let waits = !seen.pending.is_empty() && problem.rule == rule::TEMPLATE_ERROR;
        let mut finding = tell(problem);
        if !waits {
            findings.push(finding);
            return None;
        }
        let names = seen
            .pending
            .iter()
            .map(Fact::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        finding.message = format!("tried with a placeholder for {names}: {}", finding.message);
        findings.push(finding.weighing(Severity::Warning));
        Some(Evaluated {
            value: serde_json::Value::String(String::new()),
            pending: seen.pending,
            changes_secret: seen.secret && changes,
        })
    }

    /// Evaluates a text that only names things, as most of a plan does: there is nothing to compile. `None` where it
    /// does more, or where anything about it would have to be reported: then the engine says what.
    fn names(&self, text: &str, scope: &Scope) -> Option<serde_json::Value> {
        let value = plain::parts(text).and_then(|parts| match parts.as_slice() {
            [plain::TextPart::Name(path)] => {
                let value = plain::look_up(scope, path)?;
                self.typed(&value).ok()
            }
            parts => {
                let mut written = String::new();
                for part in parts {
                    match part {
                        plain::TextPart::Text(raw) => written.push_str(raw),
                        plain::TextPart::Name(path) => {
                            let value = plain::look_up(scope, path)?;
                            self.cell.meter.weigh(&value).ok()?;
                            plain::write(&value, &mut written)?;
                        }
                    }
                }
                Some(serde_json::Value::String(written))
            }
        });
        if value.is_none() {
            self.cell.take();
            self.cell.meter.refill(0);
        }
        value
    }

    /// Evaluates a text with the engine.
    fn engine(
        &self,
        text: &str,
        scope: &Scope,
        written: &Written,
    ) -> Result<serde_json::Value, Failed> {
        self.cell.meter.refill(written.copies);
        // Literals are computed while the engine compiles.
        self.cell
            .meter
            .charge(text.len())
            .map_err(|err| (err, None))?;
        let value = match self.one_expression(text, scope) {
            Some(value) => value?,
            None => {
                let template = self.environment.template_from_str(text);
                let value = template.and_then(|template| template.render(scope.clone()));
                serde_json::Value::String(value.map_err(|err| {
                    let range = err.range();
                    (err, range)
                })?)
            }
        };
        let is_foreign = |text: &str| text.contains("True") || text.contains("False");
        let joins_truth = written.joins && (written.decides || self.cell.saw_truth());
        if joins_truth && value.as_str().is_some_and(is_foreign) {
            let message = "`~` writes true and false as `True` and `False`, which AWS does not read; `| json` behind them writes `true`";
            return Err((Error::new(ErrorKind::InvalidOperation, message), None));
        }
        Ok(value)
    }

    /// The value of a scalar that is exactly one `{{ expression }}`; `None` where it is not.
    fn one_expression(
        &self,
        text: &str,
        scope: &Scope,
    ) -> Option<Result<serde_json::Value, Failed>> {
        let trimmed = text.trim();
        let inner = trimmed.strip_prefix("{{")?.strip_suffix("}}")?;
        let inner = inner.strip_prefix('-').unwrap_or(inner);
        let inner = inner.strip_suffix('-').unwrap_or(inner);
        let inner = inner.trim();
        let shift = inner.as_ptr() as usize - text.as_ptr() as usize;
        // Text with no expression, or several, is compiled as a template, which reports it with its place.
        let compiled = self.environment.compile_expression(inner).ok()?;
        let value = compiled.eval(scope.clone());
        Some(value.and_then(|value| self.typed(&value)).map_err(|err| {
            // An error without a place of its own is about all of the expression.
            let range = err.range().unwrap_or(0..inner.len());
            (err, Some(range.start + shift..range.end + shift))
        }))
    }
}

impl Templates {
    fn typed(&self, value: &Value) -> Result<serde_json::Value, Error> {
        self.cell.meter.weigh(value)?;
        typed(value)
    }
}

fn typed(value: &Value) -> Result<serde_json::Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let value = serde_json::to_value(value)
        .map_err(|err| Error::new(ErrorKind::BadSerialization, err.to_string()))?;
    match value {
        serde_json::Value::Null => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("the expression comes out as {}", describe(&value)),
        )),
        value => Ok(value),
    }
}

fn size(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(items) => items.iter().map(size).sum(),
        serde_json::Value::Object(map) => map.iter().map(|(k, v)| k.len() + size(v)).sum(),
        _ => 8,
    }
}

/// Explains an error of the template engine to the author of the template.
fn problem(err: &Error, range: Option<Range<usize>>, missing: Option<(String, String)>) -> Problem {
    let detail = || {
        err.detail()
            .map_or_else(|| err.kind().to_string(), str::to_owned)
    };
    let (rule, message, help) = match (err.kind(), missing) {
        (ErrorKind::SyntaxError, _) => (
            rule::TEMPLATE_SYNTAX,
            format!("this is not a template: {}", detail()),
            "write an expression between `{{` and `}}`, such as `{{ vars.name }}`".to_owned(),
        ),
        (ErrorKind::OutOfFuel, _) if err.detail() == Some(TOO_LARGE) => (
            rule::TEMPLATE_SIZE,
            TOO_LARGE.to_owned(),
            "make less of it; AWS takes 200 KB of metadata in all".to_owned(),
        ),
        (ErrorKind::OutOfFuel, _) => (
            rule::TEMPLATE_FUEL,
            err.detail()
                .unwrap_or("the template takes too many steps")
                .to_owned(),
            "make less of it, or write the value out".to_owned(),
        ),
        (_, Some((message, help))) => (rule::TEMPLATE_UNDEFINED, message, help),
        (ErrorKind::UndefinedError, None) => (
            rule::TEMPLATE_UNDEFINED,
            "a part of this expression is not defined".to_owned(),
            "templates know `vars`, `plan`, `restore`, `run.id`, `target`, `source` and `restores`".to_owned(),
        ),
        (ErrorKind::UnknownFilter, None) => {
            let detail = detail();
            let name = detail.split_whitespace().nth(1).unwrap_or_default();
            let help = suggest(name, filter_names());
            (rule::TEMPLATE_UNKNOWN, format!("unknown filter `{name}`"), help)
        }
        (
            ErrorKind::UnknownFunction | ErrorKind::UnknownTest | ErrorKind::UnknownMethod,
            None,
        ) => (
            rule::TEMPLATE_UNKNOWN,
            detail(),
            "use Jinja's filters, such as `lower`, `replace` or `split`, and its functions `range` and `dict`".to_owned(),
        ),
        (_, None) => (
            rule::TEMPLATE_ERROR,
            detail(),
            "correct the expression, or write the value out".to_owned(),
        ),
    };
    Problem {
        rule,
        message,
        help,
        range,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::render::scope::{Slot, Slots, data, names};

    /// `vars` with a value of each kind, known, secret and pending.
    fn scope(cell: &Cell) -> Scope {
        let values = json!({
            "text": "a \"b\" <c> {{ x }}", "empty": "", "true": true, "no": false, "number": 5432, "float": 0.10,
            "large": u64::MAX, "null": null, "list": ["a", 1, true], "map": {"a": {"b": "c"}}, "ümlaut": "ü",
        });
        let of = |slot: fn(Value) -> Slot| {
            let values = values.as_object().into_iter().flatten();
            let slots = values.map(|(k, v)| (k.clone().into(), slot(data(v, cell))));
            slots.collect::<Slots>()
        };
        let roots = [
            ("vars", of(Slot::Known)),
            ("each", of(Slot::Secret)),
            ("source", of(Slot::Pending)),
        ];
        let mut slots = BTreeMap::from([
            ("plan".into(), Slot::Known(Value::from("orders"))),
            ("restore".into(), Slot::Secret(Value::from("db"))),
        ]);
        for (path, of) in roots {
            slots.insert(path.into(), Slot::Known(names(path, of, cell)));
        }
        names("", slots, cell)
    }

    #[test]
    fn what_is_looked_up_is_what_the_engine_makes_of_it() {
        let cell = Cell::default();
        let templates = Templates::new(cell.clone());
        let scope = scope(&cell);
        let members = [
            "text", "empty", "true", "no", "number", "float", "large", "null", "list", "map",
            "map.a", "map.a.b", "map.a.x", "text.x", "list.0", "ümlaut", "absent", "absent.x",
        ];
        let paths = ["vars", "each", "source", "target"]
            .into_iter()
            .flat_map(|root| {
                let of = members.map(|member| format!("{root}.{member}"));
                of.into_iter().chain([root.to_owned()])
            });
        let mut taken = 0;
        for path in paths.chain(["plan".to_owned(), "restore".to_owned(), "plan.x".to_owned()]) {
            for text in [
                format!("{{{{ {path} }}}}"),
                format!("  {{{{{path}}}}}\u{a0}"),
                format!("{{{{ {path} }}}}-{{{{ plan }}}}"),
                format!("x}}{{{{ restore }}}}{{{{  {path} }}}}}}"),
            ] {
                templates.cell.meter.refill(0);
                cell.take();
                let Some(value) = templates.names(&text, &scope) else {
                    let left = cell.take();
                    assert!(left.pending.is_empty() && left.missing.is_none(), "{text}");
                    continue;
                };
                taken += 1;
                let seen = cell.take();
                templates.cell.meter.refill(0);
                let by_engine = templates
                    .engine(&text, &scope, &Written::default())
                    .map_err(|(err, _)| err);
                assert_eq!(value, by_engine.unwrap(), "{text}");
                let other = cell.take();
                assert_eq!(
                    (seen.pending, seen.secret, seen.missing),
                    (other.pending, other.secret, other.missing),
                    "{text}"
                );
            }
        }
        assert!(taken > 100, "{taken}");
    }
}
