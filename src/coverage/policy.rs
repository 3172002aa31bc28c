//! `coverage.yaml`: how often a resource has to be proven, in which time, what is excepted, and which drills are held when.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::ProtectedResource;
use crate::validate::matches_pattern;

/// Days for which a proof holds if nobody says so: a quarter, as most rules ask for at least.
const EVERY_DAYS: i64 = 90;
/// For how long before its end a proof is said to expire.
const EXPIRING_DAYS: i64 = 14;

/// `coverage.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoveragePolicy {
    /// Time for which a proof holds if no policy says so.
    #[serde(default = "every", deserialize_with = "period")]
    pub every: Span,
    /// In which time a restore has to be proven where no policy says so, seconds.
    #[serde(default, deserialize_with = "optional_seconds")]
    pub rto: Option<i64>,
    /// For how long before its end a proof is said to expire.
    #[serde(default = "expiring", deserialize_with = "period")]
    pub expiring: Span,
    /// The first that fits a resource holds for it.
    #[serde(default)]
    pub policies: Vec<PolicyRule>,
    /// Resources that do not have to be proven, for now.
    #[serde(default)]
    pub exceptions: Vec<CoverageException>,
    /// Drills and their times.
    #[serde(default)]
    pub drills: Vec<DrillRule>,
}

/// Matcher of the resources that are meant: those that all of it fits; all if it is empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Matcher {
    /// AWS's name of the type, in any case.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
    /// Tags of the recovery point, each a pattern.
    pub tag: BTreeMap<String, String>,
    /// The ARN of the resource, a pattern.
    pub name: Option<String>,
}

/// Requirements for some resources.
#[derive(Clone, Debug, Deserialize)]
pub struct PolicyRule {
    /// Which.
    #[serde(flatten)]
    pub of: Matcher,
    /// Time for which a proof holds.
    #[serde(default, deserialize_with = "optional_period")]
    pub every: Option<Span>,
    /// In which time a restore has to be proven, seconds.
    #[serde(default, deserialize_with = "optional_seconds")]
    pub rto: Option<i64>,
}

/// Resources that do not have to be proven.
#[derive(Clone, Debug, Deserialize)]
pub struct CoverageException {
    /// Which.
    #[serde(flatten)]
    pub of: Matcher,
    /// Why.
    pub reason: String,
    /// Person who decided it.
    pub owner: String,
    /// The last day on which it holds, in UTC.
    pub until: Date,
}

/// A drill that is held again and again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillRule {
    /// The name of the plan.
    pub plan: String,
    /// Interval between the beginnings of its windows.
    #[serde(deserialize_with = "period")]
    pub every: Span,
    /// The first day of the first window.
    pub from: Date,
    /// Length of a window.
    #[serde(deserialize_with = "period")]
    pub window: Span,
    /// Holder of the drill.
    pub owner: String,
}

/// Error in the file, and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CoveragePolicyError {
    message: String,
}

/// Members of a policy and of an exception: what is flattened cannot refuse the others by itself.
const OF_MATCHER: [&str; 3] = ["type", "tag", "name"];
const OF_POLICY: [&str; 2] = ["every", "rto"];
const OF_EXCEPTION: [&str; 3] = ["reason", "owner", "until"];

impl Default for CoveragePolicy {
    fn default() -> Self {
        Self {
            every: every(),
            rto: None,
            expiring: expiring(),
            policies: Vec::new(),
            exceptions: Vec::new(),
            drills: Vec::new(),
        }
    }
}

impl CoveragePolicy {
    /// Reads the file; `types` are AWS's names of the types that redrill knows.
    ///
    /// # Errors
    ///
    /// What is wrong, with its line where that is known.
    pub fn parse(text: &str, types: &[&str]) -> Result<Self, CoveragePolicyError> {
        let wrong = |message: String| CoveragePolicyError { message };
        let policy: Option<Self> =
            serde_yaml::from_str(text).map_err(|err| wrong(err.to_string()))?;
        let policy = policy.unwrap_or_default();
        let raw: serde_json::Value =
            serde_yaml::from_str(text).map_err(|err| wrong(err.to_string()))?;
        for (list, own) in [
            ("policies", &OF_POLICY[..]),
            ("exceptions", &OF_EXCEPTION[..]),
        ] {
            let entries = raw.get(list).and_then(serde_json::Value::as_array);
            for (at, entry) in entries.into_iter().flatten().enumerate() {
                let names = entry.as_object().into_iter().flat_map(|of| of.keys());
                for name in names.map(String::as_str) {
                    if !OF_MATCHER.contains(&name) && !own.contains(&name) {
                        let known = OF_MATCHER.iter().chain(own).copied();
                        let help = crate::diagnostic::suggest(name, known);
                        return Err(wrong(format!("{list}[{at}]: unknown key `{name}`; {help}")));
                    }
                }
            }
        }
        let rules = policy.policies.iter().map(|rule| &rule.of);
        let exceptions = policy.exceptions.iter().map(|rule| &rule.of);
        let all = rules.enumerate().map(|(at, of)| ("policies", at, of));
        for (list, at, of) in all.chain(
            exceptions
                .enumerate()
                .map(|(at, of)| ("exceptions", at, of)),
        ) {
            let wanted = of.resource_type.as_deref();
            let is_known =
                |wanted: &str| types.iter().any(|known| known.eq_ignore_ascii_case(wanted));
            if let Some(wanted) = wanted.filter(|wanted| !is_known(wanted)) {
                let help = crate::diagnostic::suggest(wanted, types.iter().copied());
                return Err(wrong(format!(
                    "{list}[{at}]: unknown type `{wanted}`; {help}"
                )));
            }
        }
        for (at, exception) in policy.exceptions.iter().enumerate() {
            if exception.of.is_empty() {
                return Err(wrong(format!(
                    "exceptions[{at}]: it would except everything; write `type`, `name` or `tag`"
                )));
            }
            for (key, text) in [("reason", &exception.reason), ("owner", &exception.owner)] {
                if text.trim().is_empty() {
                    return Err(wrong(format!("exceptions[{at}]: `{key}` is empty")));
                }
            }
        }
        for drill in &policy.drills {
            let next = drill.from.checked_add(drill.every);
            let end = drill.from.checked_add(drill.window);
            if !matches!((next, end), (Ok(next), Ok(end)) if end <= next) {
                return Err(wrong(format!(
                    "drills: the window of `{}` is longer than the time between two of them",
                    drill.plan
                )));
            }
        }
        Ok(policy)
    }

    /// Returns true if it asks for tags, which AWS is asked for one recovery point at a time.
    #[must_use]
    pub fn asks_for_tags(&self) -> bool {
        let policies = self.policies.iter().map(|rule| &rule.of);
        let exceptions = self.exceptions.iter().map(|rule| &rule.of);
        policies.chain(exceptions).any(|of| !of.tag.is_empty())
    }

    /// Returns how long a proof of a resource holds, and in which time it has to be proven, in seconds.
    pub(super) fn wanted(&self, resource: &ProtectedResource) -> (Span, Option<i64>) {
        let rule = self.policies.iter().find(|rule| rule.of.fits(resource));
        let every = rule.and_then(|rule| rule.every).unwrap_or(self.every);
        (every, rule.and_then(|rule| rule.rto).or(self.rto))
    }

    /// The exceptions that a resource has, whenever they hold.
    pub(super) fn exceptions_of<'a>(
        &'a self,
        resource: &'a ProtectedResource,
    ) -> impl Iterator<Item = &'a CoverageException> {
        self.exceptions.iter().filter(|rule| rule.of.fits(resource))
    }
}

impl Matcher {
    /// Returns true if every resource fits it.
    fn is_empty(&self) -> bool {
        self.resource_type.is_none() && self.name.is_none() && self.tag.is_empty()
    }

    fn fits(&self, resource: &ProtectedResource) -> bool {
        let of_type = |wanted: &String| wanted.eq_ignore_ascii_case(&resource.resource_type);
        let of_name = |wanted: &String| matches_pattern(wanted, &resource.arn);
        self.resource_type.as_ref().is_none_or(of_type)
            && self.name.as_ref().is_none_or(of_name)
            && self.tag.iter().all(|(key, wanted)| {
                let value = resource.tags.get(key);
                value.is_some_and(|value| matches_pattern(wanted, value))
            })
    }
}

impl CoverageException {
    /// Returns the time from which it no longer holds.
    pub(super) fn ends(&self) -> Timestamp {
        let end = self.until.tomorrow().map(day_begins);
        end.unwrap_or(Timestamp::MAX)
    }
}

/// Returns the time when a day begins, in UTC.
pub(super) fn day_begins(day: Date) -> Timestamp {
    let midnight = day.to_zoned(TimeZone::UTC);
    midnight.map_or(Timestamp::MAX, |at| at.timestamp())
}

/// So much later, by the calendar in UTC; the end of time where that is beyond it.
pub(super) fn later(at: Timestamp, by: Span) -> Timestamp {
    let later = at.to_zoned(TimeZone::UTC).checked_add(by);
    later.map_or(Timestamp::MAX, |at| at.timestamp())
}

/// So much earlier.
pub(super) fn earlier(at: Timestamp, by: Span) -> Timestamp {
    let earlier = at.to_zoned(TimeZone::UTC).checked_sub(by);
    earlier.map_or(Timestamp::MIN, |at| at.timestamp())
}

fn every() -> Span {
    Span::new().days(EVERY_DAYS)
}

fn expiring() -> Span {
    Span::new().days(EXPIRING_DAYS)
}

/// `quarter`, `90d`, `3 months`.
fn span(text: &str) -> Option<Span> {
    let span = match text.trim() {
        "week" => Span::new().weeks(1),
        "month" => Span::new().months(1),
        "quarter" => Span::new().months(3),
        "year" => Span::new().years(1),
        text => text.parse().ok()?,
    };
    let begin: Date = jiff::civil::date(2000, 1, 1);
    let is_some_days = begin.checked_add(span).is_ok_and(|end| end > begin);
    is_some_days.then_some(span)
}

fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    let text = String::deserialize(deserializer)?;
    span(&text).ok_or_else(|| {
        D::Error::custom(format!(
            "`{text}` is not a time of a day or more; write `week`, `month`, `quarter`, `year`, `90d` or `6mo`"
        ))
    })
}

fn optional_period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    period(deserializer).map(Some)
}

fn optional_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let days = |span: Span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours());
    let read = text.parse().ok().and_then(|span| days(span).ok());
    let seconds = read.map(|duration| duration.as_secs());
    match seconds.filter(|seconds| *seconds > 0) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(D::Error::custom(format!(
            "`{text}` is not a duration; write `30m`, `4h` or `2d`"
        ))),
    }
}
