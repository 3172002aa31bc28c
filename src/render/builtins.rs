//! Filters, tests and functions of templates: Jinja's own, each behind the meter, and a few that restores need.

use std::sync::LazyLock;

use minijinja::value::{Kwargs, Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

use super::filters;
use super::meter::Meter;

/// Jinja's filters that are there: all that MiniJinja has, but for `chain` and `zip`, which nest without a bound.
const FILTERS: &str = "abs attr batch bool capitalize count d default dictsort e escape first float format groupby \
    indent int items join last length lines list lower map max min pprint reject rejectattr replace \
    reverse round safe select selectattr slice sort split string sum title tojson trim unique upper";

/// Jinja's tests that are there: all that MiniJinja has.
const TESTS: &str = "!= < <= == > >= boolean defined divisibleby endingwith eq equalto escaped even false filter \
    float ge greaterthan gt in int integer iterable le lessthan lower lt mapping ne none number odd \
    safe sameas sequence startingwith string test true undefined upper";

/// The most that a width, a precision or a count may be.
const WIDEST: i64 = 1_000;
/// The most numbers that `range` makes.
const LONGEST_RANGE: i64 = 10_000;

/// MiniJinja as it is: what filters do once it has been counted.
static PRISTINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
});

/// The names of all filters.
pub fn filter_names() -> impl Iterator<Item = &'static str> + Clone {
    FILTERS.split(' ').chain(filters::NAMES)
}

/// Equips an environment that has nothing but operators.
pub(super) fn equip(environment: &mut Environment<'static>, meter: &Meter) {
    for name in FILTERS.split(' ') {
        let meter = meter.clone();
        environment.add_filter(name, move |arguments: Rest<ValueOrKwargs>| {
            filter(&meter, name, &arguments.into_values())
        });
    }
    for name in TESTS.split(' ') {
        let meter = meter.clone();
        environment.add_test(name, move |arguments: Rest<Value>| {
            arguments.iter().try_for_each(|value| meter.weigh(value))?;
            PRISTINE
                .empty_state()
                .perform_test(name, &arguments)
                .map_err(|err| without_place(&err))
        });
    }
    filters::add(environment, meter);
    functions(environment, meter);
}

/// A value as it stands inside a text.
pub(super) fn in_text(value: &Value) -> Value {
    match value.kind() {
        ValueKind::Bool if value.is_true() => Value::from("true"),
        ValueKind::Bool => Value::from("false"),
        _ => value.clone(),
    }
}

fn filter(meter: &Meter, name: &'static str, arguments: &[Value]) -> Result<Value, Error> {
    arguments.iter().try_for_each(|value| meter.weigh(value))?;
    meter.charge(grows_by(name, arguments)?)?;
    let result = PRISTINE
        .empty_state()
        .apply_filter(name, arguments)
        .map_err(|err| without_place(&err))?;
    eager(meter, result)
}

/// Returns how much a filter makes beyond what it is given, before it makes it.
fn grows_by(name: &str, arguments: &[Value]) -> Result<usize, Error> {
    let text = |at: usize| {
        arguments
            .get(at)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let refuse = |message: String| Err(Error::new(ErrorKind::OutOfFuel, message));
    match name {
        "indent" | "batch" | "slice" | "tojson" | "round" => {
            let widest = arguments.iter().skip(1).flat_map(numbers).max();
            let widest = widest.unwrap_or(0);
            if widest > WIDEST {
                return refuse(format!("`{name}` takes numbers up to {WIDEST}"));
            }
            let lines = match name {
                "indent" => text(0).lines().count(),
                // Each value may stand on a line of its own, some levels deep.
                "tojson" => nodes(&arguments[0]) * 8,
                _ => 16,
            };
            Ok(lines.saturating_mul(usize::try_from(widest).unwrap_or(0)))
        }
        "replace" => {
            let (from, to) = (text(1), text(2));
            let times = match from {
                "" => text(0).chars().count() + 1,
                from => text(0).matches(from).count(),
            };
            Ok(times.saturating_mul(to.len()))
        }
        "join" => {
            let separator = arguments.iter().skip(1).map(longest_text).max();
            let items = arguments[0].len().unwrap_or_else(|| text(0).len());
            Ok(items.saturating_mul(separator.unwrap_or(0)))
        }
        "format" => widths(text(0)).map(|widths| widths * usize::try_from(WIDEST).unwrap_or(0)),
        "sum" => {
            let named = arguments.last().filter(|a| a.kind() == ValueKind::Map);
            let named = named.and_then(|a| a.get_attr("start").ok());
            let start = [arguments.get(2).cloned(), named];
            let is_sum = |start: &Value| start.is_undefined() || start.is_number();
            match start.iter().flatten().all(is_sum) {
                true => Ok(0),
                false => refuse("`sum` adds numbers".to_owned()),
            }
        }
        // Filters by name are not counted one by one.
        "map" if arguments.iter().skip(1).any(|a| is_growing(a.as_str())) => {
            refuse(format!("`map` does not take `{}`", text(1)))
        }
        // Each item is held against all that is given with the test.
        "map" | "select" | "reject" | "selectattr" | "rejectattr" => {
            let given = arguments.iter().skip(1);
            let given: usize = given.map(|a| nodes(a).max(longest_text(a))).sum();
            Ok(nodes(&arguments[0]).saturating_mul(given))
        }
        "list" | "split" | "lines" | "unique" | "reverse" => Ok(text(0).len().saturating_mul(16)),
        "sort" | "dictsort" | "groupby" | "min" | "max" => Ok(nodes(&arguments[0]) * 64),
        _ => Ok(0),
    }
}

/// Filters whose result can be larger than what they are given.
fn is_growing(name: Option<&str>) -> bool {
    const GROWING: [&str; 13] = [
        "batch", "format", "indent", "join", "list", "map", "pprint", "replace", "slice", "split",
        "string", "sum", "tojson",
    ];
    name.is_some_and(|name| GROWING.contains(&name))
}

/// The numbers among arguments, with those that were given by name.
fn numbers(argument: &Value) -> Vec<i64> {
    let number = |value: &Value| {
        value
            .is_number()
            .then(|| i64::try_from(value.clone()).unwrap_or(i64::MAX))
    };
    match argument.kind() {
        ValueKind::Map => argument
            .try_iter()
            .into_iter()
            .flatten()
            .filter_map(|key| number(&argument.get_item(&key).ok()?))
            .collect(),
        _ => number(argument).into_iter().collect(),
    }
}

fn longest_text(argument: &Value) -> usize {
    match argument.kind() {
        ValueKind::Map => argument
            .try_iter()
            .into_iter()
            .flatten()
            .filter_map(|key| Some(argument.get_item(&key).ok()?.as_str()?.len()))
            .max()
            .unwrap_or(0),
        _ => argument.as_str().map_or(0, str::len),
    }
}

fn nodes(value: &Value) -> usize {
    value.len().unwrap_or(1).max(1)
}

/// Counts the values that a format takes; refuses a width that is larger than makes sense.
fn widths(format: &str) -> Result<usize, Error> {
    let mut count = 0;
    let mut rest = format;
    while let Some((_, behind)) = rest.split_once('%') {
        count += 1;
        let end = behind
            .find(|c: char| c.is_alphabetic() || c == '%' || c == '(')
            .unwrap_or(behind.len());
        let flags = &behind[..end];
        let too_wide = flags
            .split(|c: char| !c.is_ascii_digit())
            .any(|digits| digits.len() > 3);
        if too_wide || flags.contains('*') {
            return Err(Error::new(
                ErrorKind::OutOfFuel,
                format!("a width in `format` is a number below {WIDEST}"),
            ));
        }
        rest = behind.get(end..).unwrap_or_default();
        rest = rest.strip_prefix('%').unwrap_or(rest);
        // `%(name)5s`: what stands behind the name counts as well.
        if let Some((_, behind_name)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
            count += widths(&format!("%{behind_name}"))?;
            return Ok(count);
        }
    }
    Ok(count)
}

/// The value with nothing left to be computed when somebody looks at it.
fn eager(meter: &Meter, value: Value) -> Result<Value, Error> {
    if value.kind() != ValueKind::Iterable {
        meter.weigh(&value)?;
        return Ok(value);
    }
    let mut items = Vec::new();
    for item in value.try_iter()? {
        meter.weigh(&item)?;
        items.push(item);
    }
    Ok(items.into_iter().collect())
}

fn functions(environment: &mut Environment<'static>, meter: &Meter) {
    let of_range = meter.clone();
    environment.add_function(
        "range",
        move |first: i64, second: Option<i64>, step: Option<i64>| {
            let (from, to) = second.map_or((0, first), |second| (first, second));
            let step = step.unwrap_or(1);
            let far = |n: i64| n.unsigned_abs() > 1 << 53;
            if step == 0 || far(from) || far(to) || far(step) {
                let message = "`range` takes numbers up to 2^53, and a step that is not 0";
                return Err(Error::new(ErrorKind::InvalidOperation, message));
            }
            let count = ((to - from) / step + i64::from((to - from) % step != 0)).max(0);
            if count > LONGEST_RANGE {
                let message = format!("`range` makes up to {LONGEST_RANGE} numbers");
                return Err(Error::new(ErrorKind::OutOfFuel, message));
            }
            let list: Value = (0..count).map(|at| from + at * step).collect();
            of_range.weigh(&list)?;
            Ok(list)
        },
    );
    let of_dict = meter.clone();
    environment.add_function("dict", move |base: Option<Value>, more: Kwargs| {
        let map = minijinja::functions::dict(base, more)?;
        of_dict.weigh(&map)?;
        Ok::<Value, Error>(map)
    });
}

/// An error of [`PRISTINE`] has no place; the engine adds that of the filter in the plan's text.
fn without_place(error: &Error) -> Error {
    let message = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    Error::new(error.kind(), message)
}
