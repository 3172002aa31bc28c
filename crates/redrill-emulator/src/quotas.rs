//! Rates of calls: token buckets for each account and Region, in the emulator's time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::caller::Caller;
use super::operation::{Api, Operation};
use super::text::{place_of, placed};

/// Calls in a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quotas {
    /// Of all operations of AWS Backup together.
    pub all: Option<f64>,
    /// Of single operations; others have no rate of their own.
    pub operations: BTreeMap<Operation, f64>,
}

/// Reason why a text has no quotas in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QuotasError(String);

impl Quotas {
    /// No limits.
    pub fn none() -> Quotas {
        Quotas::default()
    }

    /// The rates that AWS publishes.
    pub fn aws() -> Quotas {
        #[expect(
            clippy::expect_used,
            reason = "embedded data, read by a test of this module"
        )]
        Quotas::parse(include_str!("quotas.yaml")).expect("quotas.yaml")
    }

    /// Reads a map from operations, or `all`, to calls in a second.
    ///
    /// # Errors
    ///
    /// Where it is none: a line for everything that is wrong, beginning with its place.
    pub fn parse(text: &str) -> Result<Quotas, QuotasError> {
        let rates: Option<BTreeMap<String, f64>> =
            serde_yaml::from_str(text).map_err(|error| QuotasError(placed(&error)))?;
        let mut quotas = Quotas::none();
        let mut wrong = Vec::new();
        for (name, rate) in rates.unwrap_or_default() {
            let place = place_of(text, &name);
            if !(0.001..=1e6).contains(&rate) {
                wrong.push((
                    place,
                    format!("{name}: {rate} is not a rate: write calls in a second, from 0.001"),
                ));
            }
            match (name.as_str(), Operation::parse(&name)) {
                ("all", _) => quotas.all = Some(rate),
                (_, Some(operation)) => {
                    quotas.operations.insert(operation, rate);
                }
                (_, None) => wrong.push((
                    place,
                    format!(
                        "the emulator serves no operation {name:?}; write one as the API does, or all"
                    ),
                )),
            }
        }
        wrong.sort();
        let lines = wrong
            .into_iter()
            .map(|((line, column), words)| format!("{line}:{column}: {words}"));
        match lines.collect::<Vec<_>>() {
            none if none.is_empty() => Ok(quotas),
            lines => Err(QuotasError(lines.join("\n"))),
        }
    }

    fn is_none(&self) -> bool {
        self.all.is_none() && self.operations.is_empty()
    }
}

/// A bucket that fills at a rate and holds a second's worth, one at least.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    rate: f64,
    left: f64,
    at: Timestamp,
}

impl Bucket {
    pub(super) fn full(rate: f64, at: Timestamp) -> Bucket {
        let left = rate.max(1.0);
        Bucket { rate, left, at }
    }

    /// Takes one, or says how long to wait for it.
    pub(super) fn take(&mut self, now: Timestamp) -> Result<(), SignedDuration> {
        self.wait(now)?;
        self.left -= 1.0;
        Ok(())
    }

    /// Tells how long to wait for the next one, if there is none.
    fn wait(&mut self, now: Timestamp) -> Result<(), SignedDuration> {
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.left = (self.left + passed * self.rate).min(self.rate.max(1.0));
        self.at = now;
        // Milliseconds are all that the clock has: what is missing by rounding is not missing.
        if self.left > 1.0 - 1e-6 {
            return Ok(());
        }
        let millis = ((1.0 - self.left) / self.rate * 1000.0).ceil();
        Err(SignedDuration::from_millis(millis as i64))
    }
}

/// The buckets in use.
#[derive(Debug)]
pub(super) struct Meter {
    quotas: Quotas,
    buckets: Mutex<HashMap<Scope, Buckets>>,
}

/// Account and Region.
type Scope = (String, String);
/// By operation; none is for all together.
type Buckets = BTreeMap<Option<Operation>, Bucket>;

impl Meter {
    pub(super) fn new(quotas: Quotas) -> Meter {
        Meter {
            quotas,
            buckets: Mutex::new(HashMap::new()),
        }
    }

    /// Returns true if an operation has a rate of its own.
    pub(super) fn limits(&self, operation: Operation) -> bool {
        self.quotas.operations.contains_key(&operation)
    }

    /// Counts a call, or says how long its caller should have waited. A refused call is not counted.
    pub(super) fn count(
        &self,
        caller: &Caller,
        operation: Operation,
        now: Timestamp,
    ) -> Result<(), SignedDuration> {
        if self.quotas.is_none() {
            return Ok(());
        }
        // The sum is of the calls of AWS Backup; other services have theirs.
        let all = self.quotas.all.filter(|_| operation.api() == Api::Backup);
        let scope = (
            caller.account.clone(),
            caller.region.clone().unwrap_or_default(),
        );
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let own = buckets.entry(scope).or_default();
        let rates = [
            (None, all),
            (
                Some(operation),
                self.quotas.operations.get(&operation).copied(),
            ),
        ];
        let limited = rates
            .iter()
            .filter_map(|(name, rate)| Some((*name, (*rate)?)));
        let mut wait = SignedDuration::ZERO;
        for (name, rate) in limited.clone() {
            let bucket = own.entry(name).or_insert_with(|| Bucket::full(rate, now));
            wait = wait.max(bucket.wait(now).err().unwrap_or_default());
        }
        if !wait.is_zero() {
            return Err(wait);
        }
        for (name, _) in limited {
            if let Some(bucket) = own.get_mut(&name) {
                bucket.take(now)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(account: &str) -> Caller {
        Caller {
            account: account.to_owned(),
            region: Some("us-east-1".to_owned()),
            ..Caller::default()
        }
    }

    #[test]
    fn the_published_rates() {
        let quotas = Quotas::aws();
        assert_eq!(quotas.all, Some(50.0));
        assert_eq!(quotas.operations[&Operation::StartRestoreJob], 5.0);
        assert_eq!(
            quotas.operations.get(&Operation::GetRestoreJobMetadata),
            None
        );
    }

    #[test]
    fn so_many_in_a_second_for_each_account() {
        let meter = Meter::new(Quotas::aws());
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        let count = |account: &str, operation, millis| {
            let calls = (0..100).map(|_| meter.count(&caller(account), operation, at(millis)));
            calls.filter(Result::is_ok).count()
        };
        use Operation::{
            DescribeRestoreJob, GetCallerIdentity, GetRestoreJobMetadata, StartRestoreJob,
        };
        assert_eq!(count("1", StartRestoreJob, 0), 5);
        assert_eq!(count("2", StartRestoreJob, 0), 5);
        assert_eq!(count("1", StartRestoreJob, 200), 1);
        assert_eq!(count("1", DescribeRestoreJob, 200), 15);
        assert_eq!(count("1", GetRestoreJobMetadata, 200), 34, "50 in all");
        assert_eq!(count("1", GetCallerIdentity, 200), 100, "another service");
        let wait = meter
            .count(&caller("1"), StartRestoreJob, at(200))
            .unwrap_err();
        assert_eq!(wait.as_millis(), 200);
    }

    #[test]
    fn files() {
        let quotas = Quotas::parse("StartRestoreJob: 0.5\n").unwrap();
        assert_eq!(quotas.operations[&Operation::StartRestoreJob], 0.5);
        assert_eq!(Quotas::parse("").unwrap(), Quotas::none());
        for bad in ["StartJob: 1", "all: 0", "all: x", "- 1"] {
            let error = Quotas::parse(bad).unwrap_err().to_string();
            assert!(error.starts_with("1:"), "{error}");
        }
        let error = Quotas::parse("# mine\nFoo: 3\nStartRestoreJob: -1\n").unwrap_err();
        let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2, "{error}");
        assert!(
            lines[0].starts_with("2:1: the emulator serves no operation \"Foo\""),
            "{error}"
        );
        assert!(
            lines[1].starts_with("3:1: StartRestoreJob: -1 is not a rate"),
            "{error}"
        );
    }
}
