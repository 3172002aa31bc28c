//! Scripted faults: what a network and a busy service do to a client.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::operation::Operation;

/// A list of faults; of those that fit a request, the first one decides, and all latencies add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

/// One fault: which requests it strikes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Strikes this operation; every one, if none.
    pub operation: Option<Operation>,
    /// So many fitting requests pass first.
    pub after: u64,
    /// So many requests are struck, then it is over; if none, it never is.
    pub times: Option<u64>,
    /// What happens.
    pub kind: FaultKind,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// `ThrottlingException` (400, "Rate exceeded"), as AWS Backup throttles.
    Throttle,
    /// Any error.
    Error {
        /// HTTP status.
        status: u16,
        /// In the header `x-amzn-ErrorType` and the body.
        code: String,
        /// In the body.
        message: String,
    },
    /// The connection is reset; the request has done nothing.
    ResetBefore,
    /// The request is done, a job is started, and the connection is reset in place of the answer.
    ResetAfter,
    /// The answer comes so much later, in real time. The request is done when it arrives.
    Latency(Duration),
}

impl Fault {
    /// Strikes every request of the operation, from now on.
    pub fn new(operation: Operation, kind: FaultKind) -> Fault {
        Fault {
            operation: Some(operation),
            after: 0,
            times: None,
            kind,
        }
    }

    /// Strikes every request of every operation, from now on.
    pub fn everywhere(kind: FaultKind) -> Fault {
        Fault {
            operation: None,
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

impl FaultKind {
    /// 500 `InternalFailure`.
    pub fn internal_failure() -> FaultKind {
        FaultKind::Error {
            status: 500,
            code: "InternalFailure".into(),
            message: "The request processing has failed because of an unknown error, exception or failure.".into(),
        }
    }

    /// 500 `ServiceUnavailableException`, the error that AWS Backup documents for its own bad days.
    pub fn service_unavailable() -> FaultKind {
        FaultKind::Error {
            status: 500,
            code: "ServiceUnavailableException".into(),
            message: "Service unavailable.".into(),
        }
    }

    /// 403 `ExpiredTokenException`: the session's credentials have run out.
    pub fn expired_token() -> FaultKind {
        FaultKind::Error {
            status: 403,
            code: "ExpiredTokenException".into(),
            message: "The security token included in the request is expired".into(),
        }
    }
}

/// What strikes one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Strike {
    pub(super) latency: Duration,
    pub(super) kind: Option<FaultKind>,
}

/// The faults still to come.
#[derive(Debug, Default)]
pub(super) struct FaultScript(Mutex<Vec<Fault>>);

impl FaultScript {
    pub(super) fn new(faults: Faults) -> FaultScript {
        FaultScript(Mutex::new(faults.0))
    }

    pub(super) fn add(&self, fault: Fault) {
        self.lock().push(fault);
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Decides about one request, and counts it.
    pub(super) fn strike(&self, operation: Operation) -> Strike {
        let mut strike = Strike::default();
        for fault in self.lock().iter_mut() {
            if fault.operation.is_some_and(|own| own != operation) || fault.times == Some(0) {
                continue;
            }
            let latency = matches!(fault.kind, FaultKind::Latency(_));
            if strike.kind.is_some() && !latency {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let kinds: Vec<_> = (0..5)
            .map(|_| script.strike(StartRestoreJob).kind)
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
        let strike = script.strike(DescribeRestoreJob);
        assert_eq!(strike.latency, Duration::from_millis(5));
        script.clear();
        assert_eq!(script.strike(DescribeRestoreJob), Strike::default());
    }
}
