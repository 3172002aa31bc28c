//! Scripted faults: what a network and a busy service do to a client.

mod kind;
mod script;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::operation::Operation;
use super::quotas::Bucket;
use super::resource_types;
use redrill_inventory::Arn;

pub use kind::FaultKind;
pub use script::FaultError;

/// A list of faults; of those that fit a request, the first one decides, and all latencies add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

/// One fault: which requests it strikes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Strikes this operation; every one, if none.
    pub operation: Option<Operation>,
    /// Strikes StartRestoreJobs that say this ResourceType, or whose recovery point ARN is of that type; every one, if none.
    pub resource_type: Option<String>,
    /// Strikes StartRestoreJobs of this recovery point; of every one, if none.
    pub recovery_point: Option<String>,
    /// So many fitting requests pass first.
    pub after: u64,
    /// So many requests are struck, then it is over; if none, it never is.
    pub times: Option<u64>,
    /// Effect of the fault.
    pub kind: FaultKind,
}

impl Fault {
    /// Strikes every request of the operation, from now on.
    pub fn new(operation: Operation, kind: FaultKind) -> Fault {
        Fault {
            operation: Some(operation),
            resource_type: None,
            recovery_point: None,
            after: 0,
            times: None,
            kind,
        }
    }

    /// Strikes every request of every operation, from now on.
    pub fn everywhere(kind: FaultKind) -> Fault {
        Fault {
            operation: None,
            resource_type: None,
            recovery_point: None,
            after: 0,
            times: None,
            kind,
        }
    }

    /// The same, for so many requests only.
    pub fn times(self, times: u64) -> Fault {
        Fault {
            times: Some(times),
            ..self
        }
    }

    /// The same, after so many requests that pass.
    pub fn after(self, after: u64) -> Fault {
        Fault { after, ..self }
    }
}

/// Faults that strike one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Strike {
    pub(super) latency: Duration,
    pub(super) kind: Option<FaultKind>,
}

/// The faults still to come.
#[derive(Debug, Default)]
pub(super) struct FaultScript {
    faults: Mutex<Vec<Armed>>,
    /// True if there are any: most emulators have none, and every request asks.
    any: AtomicBool,
}

/// A fault and what it has counted.
#[derive(Debug)]
struct Armed {
    fault: Fault,
    /// Of a squeeze.
    bucket: Option<Bucket>,
}

/// Subject of a StartRestoreJob; read from its body only if a fault asks.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Subject {
    recovery_point_arn: Option<String>,
    resource_type: Option<String>,
}

impl FaultScript {
    pub(super) fn new(faults: Faults) -> FaultScript {
        let script = FaultScript::default();
        for fault in faults.0 {
            script.add(fault);
        }
        script
    }

    pub(super) fn add(&self, fault: Fault) {
        self.lock().push(Armed {
            fault,
            bucket: None,
        });
        self.any.store(true, Ordering::Release);
    }

    pub(super) fn clear(&self) {
        self.any.store(false, Ordering::Release);
        self.lock().clear();
    }

    /// Decides about one request, and counts it.
    pub(super) fn strike(&self, operation: Operation, body: &[u8], now: Timestamp) -> Strike {
        let mut strike = Strike::default();
        if !self.any.load(Ordering::Acquire) {
            return strike;
        }
        for armed in self.lock().iter_mut() {
            let fault = &mut armed.fault;
            if fault.times == Some(0) || !fault.fits(operation, body) {
                continue;
            }
            if strike.kind.is_some() && !fault.kind.adds_up() {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            if let FaultKind::Squeeze(rate) = fault.kind {
                let bucket = armed
                    .bucket
                    .get_or_insert_with(|| Bucket::full(f64::from(rate), now));
                if bucket.take(now).is_ok() {
                    continue;
                }
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            match &fault.kind {
                FaultKind::Latency(latency) => strike.latency += *latency,
                kind => strike.kind = Some(kind.clone()),
            }
        }
        strike
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Armed>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    fn fits(&self, operation: Operation, body: &[u8]) -> bool {
        if self.operation.is_some_and(|own| own != operation) {
            return false;
        }
        if self.resource_type.is_none() && self.recovery_point.is_none() {
            return true;
        }
        if operation != Operation::StartRestoreJob {
            return false;
        }
        let subject: Subject = serde_json::from_slice(body).unwrap_or_default();
        let arn = subject.recovery_point_arn.unwrap_or_default();
        let guessed = || Some(resource_types::guess(&Arn::parse(&arn)?)?.name.clone());
        let named = subject.resource_type.or_else(guessed);
        self.resource_type
            .as_ref()
            .is_none_or(|wanted| named.is_some_and(|name| name.eq_ignore_ascii_case(wanted)))
            && self.recovery_point.as_ref().is_none_or(|own| *own == arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operation::{DescribeRestoreJob, StartRestoreJob};

    #[test]
    fn counted_and_in_order() {
        let script = FaultScript::new(Faults(vec![
            Fault::new(StartRestoreJob, FaultKind::Throttle)
                .after(1)
                .times(2),
            Fault::everywhere(FaultKind::Latency(Duration::from_millis(5))),
            Fault::new(StartRestoreJob, FaultKind::ResetAfter).times(1),
        ]));
        let now = Timestamp::UNIX_EPOCH;
        let kinds: Vec<_> = (0..5)
            .map(|_| script.strike(StartRestoreJob, b"", now).kind)
            .collect();
        assert_eq!(
            kinds,
            [
                Some(FaultKind::ResetAfter),
                Some(FaultKind::Throttle),
                Some(FaultKind::Throttle),
                None,
                None
            ]
        );
        let strike = script.strike(DescribeRestoreJob, b"", now);
        assert_eq!(strike.latency, Duration::from_millis(5));
        script.clear();
        assert_eq!(
            script.strike(DescribeRestoreJob, b"", now),
            Strike::default()
        );
    }

    #[test]
    fn of_some_restores_only() {
        let script = FaultScript::new(Faults(vec![
            "throttle,resource_type=EBS,times=1".parse().unwrap(),
        ]));
        let now = Timestamp::UNIX_EPOCH;
        let strike = |body: &[u8]| script.strike(StartRestoreJob, body, now).kind;
        assert_eq!(strike(b"{}"), None);
        assert_eq!(
            strike(br#"{"RecoveryPointArn":"arn:aws:ec2:us-east-1::image/ami-1"}"#),
            None
        );
        let snapshot = br#"{"RecoveryPointArn":"arn:aws:ec2:us-east-1::snapshot/snap-1"}"#;
        assert_eq!(strike(snapshot), Some(FaultKind::Throttle));
        assert_eq!(strike(snapshot), None);
    }

    #[test]
    fn a_squeeze_lets_its_rate_pass() {
        let script = FaultScript::new(Faults(vec!["squeeze,rate=2".parse().unwrap()]));
        let strikes = |second: i64| {
            let now = Timestamp::from_second(second).unwrap();
            let kinds = (0..4).map(|_| script.strike(DescribeRestoreJob, b"", now).kind);
            kinds.filter(Option::is_some).count()
        };
        assert_eq!((strikes(0), strikes(0), strikes(1)), (2, 4, 2));
    }
}
