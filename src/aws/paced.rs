//! AWS as it may be asked: at its rates, and again where it throttles or does not answer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::backup::{
    ApiError, Backoff, CallerIdentity, ClaimedResource, Clock, Fault, Job, JobQuery, Operation,
    Pace, Page, PointQuery, Reader, RecoveryPoint, Retry, Sources, Tell, Vault, Vaults,
};
use crate::cleanup::{ExistingResource, Named, Resources};
use crate::ids::JobId;
use crate::plan::Request;
use crate::preflight::{Decision, GrantSeen, Looks, PointSeen, QuotaSeen, RoleSeen, Simulation};
use crate::render::{SourceFacts, VaultName};

const BACKOFF: Backoff = Backoff {
    first: SignedDuration::from_millis(500),
    factor: 2,
    longest: SignedDuration::from_secs(30),
    jitter: 0.5,
};
/// For what somebody waits for: patient while AWS only asks for patience.
const BRIEF: Retry = Retry {
    backoff: BACKOFF,
    throttled: 8,
    silent: 3,
};
/// For what takes long in any case: about a minute of silence is no reason to begin again.
const LONG: Retry = Retry { silent: 8, ..BRIEF };

/// A reader each of whose calls waits for its turn, and is made again.
#[derive(Debug)]
pub struct Paced<R, C> {
    reader: Arc<R>,
    clock: C,
    pace: Pace,
    /// Index of the pace's place that is asked.
    place: usize,
    retry: Retry,
    vaults: Vaults,
    delay: Option<Delay>,
}

/// Tells people that calls are made again and again; calls that fail at one time are told of once.
struct Delay {
    tell: Tell,
    told: Mutex<Option<Timestamp>>,
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delay")
    }
}

impl Delay {
    /// A call that began then has failed.
    fn failed(&self, began: Timestamp, now: Timestamp, error: &ApiError) {
        /// Shorter ones are nobody's business.
        const LONG: SignedDuration = SignedDuration::from_secs(5);
        const EVERY: SignedDuration = SignedDuration::from_secs(20);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(began) < LONG
            || told.is_some_and(|told| now.duration_since(told) < EVERY)
        {
            return;
        }
        *told = Some(now);
        (self.tell)(&format!("AWS call failed ({error}); retrying"));
    }
}

impl<R, C: Clock> Paced<R, C> {
    /// At the rates of a place.
    pub fn new(reader: Arc<R>, clock: C, pace: Pace, place: usize) -> Self {
        Self {
            reader,
            clock,
            pace,
            place,
            retry: BRIEF,
            vaults: Vaults::default(),
            delay: None,
        }
    }

    /// Retries for longer: for what takes long in any case, such as reading an inventory.
    #[must_use]
    pub fn patiently(self) -> Self {
        Self {
            retry: LONG,
            ..self
        }
    }

    /// Reports calls that have to be retried for long.
    #[must_use]
    pub fn telling(self, tell: Tell) -> Self {
        let told = Mutex::default();
        Self {
            delay: Some(Delay { tell, told }),
            ..self
        }
    }

    /// The reader itself, which waits for nothing.
    pub fn reader(&self) -> &Arc<R> {
        &self.reader
    }

    async fn call<T, F: Future<Output = Result<T, ApiError>> + Send>(
        &self,
        operation: Operation,
        mut call: impl FnMut() -> F + Send,
    ) -> Result<T, ApiError> {
        let mut made = 0;
        let began = self.clock.now();
        loop {
            self.pace.turn(self.place, operation, &self.clock).await;
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            made += 1;
            let now = self.clock.now();
            if error.fault == Fault::Throttled {
                self.pace.throttled(self.place, operation, now);
            }
            let Some(wait) = self.retry.wait(error.fault, made) else {
                return Err(error);
            };
            if let Some(delay) = &self.delay {
                delay.failed(began, now, &error);
            }
            self.clock.sleep_until(now + wait).await;
        }
    }
}

impl<R: Sources, C: Clock> Sources for Paced<R, C> {
    async fn source(
        &self,
        recovery_point_arn: &str,
        vault: Option<&VaultName>,
    ) -> Result<Option<SourceFacts>, ApiError> {
        // The look-up is several calls, each of which waits for its own turn.
        self.vaults.source(self, recovery_point_arn, vault).await
    }

    async fn vaults_page(&self, token: Option<String>) -> Result<Page<Vault>, ApiError> {
        self.call(Operation::ListBackupVaults, || {
            self.reader.vaults_page(token.clone())
        })
        .await
    }

    async fn points_page(
        &self,
        query: &PointQuery,
        token: Option<String>,
    ) -> Result<Page<RecoveryPoint>, ApiError> {
        self.call(query.operation(), || {
            self.reader.points_page(query, token.clone())
        })
        .await
    }

    async fn point(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<Option<RecoveryPoint>, ApiError> {
        self.call(Operation::DescribeRecoveryPoint, || {
            self.reader.point(vault, recovery_point_arn)
        })
        .await
    }

    async fn restore_metadata(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        self.call(Operation::GetRecoveryPointRestoreMetadata, || {
            self.reader.restore_metadata(vault, recovery_point_arn)
        })
        .await
    }

    async fn tags_page(
        &self,
        recovery_point_arn: &str,
        token: Option<String>,
    ) -> Result<Page<(String, String)>, ApiError> {
        self.call(Operation::ListTags, || {
            self.reader.tags_page(recovery_point_arn, token.clone())
        })
        .await
    }
}

impl<R: Reader, C: Clock> Reader for Paced<R, C> {
    async fn caller(&self) -> Result<CallerIdentity, ApiError> {
        self.call(Operation::GetCallerIdentity, || self.reader.caller())
            .await
    }

    fn date(&self) -> Option<Timestamp> {
        self.reader.date()
    }

    async fn job(&self, job_id: &JobId) -> Result<Job, ApiError> {
        self.call(Operation::DescribeRestoreJob, || self.reader.job(job_id))
            .await
    }

    async fn jobs_page(
        &self,
        query: &JobQuery,
        token: Option<String>,
    ) -> Result<Page<Job>, ApiError> {
        self.call(Operation::ListRestoreJobs, || {
            self.reader.jobs_page(query, token.clone())
        })
        .await
    }

    async fn protected_page(
        &self,
        token: Option<String>,
    ) -> Result<Page<ClaimedResource>, ApiError> {
        self.call(Operation::ListProtectedResources, || {
            self.reader.protected_page(token.clone())
        })
        .await
    }

    async fn is_there(&self, arn: &str, request: &Request) -> Result<Option<bool>, ApiError> {
        self.call(Operation::GetResource, || {
            self.reader.is_there(arn, request)
        })
        .await
    }

    async fn job_metadata(&self, job_id: &JobId) -> Result<BTreeMap<String, String>, ApiError> {
        self.call(Operation::GetRestoreJobMetadata, || {
            self.reader.job_metadata(job_id)
        })
        .await
    }
}

impl<R: Looks, C: Clock> Looks for Paced<R, C> {
    async fn session_ends(&self) -> Option<Timestamp> {
        self.reader.session_ends().await
    }

    async fn role(&self, name: &str) -> Result<Option<RoleSeen>, ApiError> {
        self.call(Operation::GetRole, || self.reader.role(name))
            .await
    }

    async fn simulated(&self, simulation: &Simulation) -> Result<Vec<Decision>, ApiError> {
        self.call(Operation::SimulatePrincipalPolicy, || {
            self.reader.simulated(simulation)
        })
        .await
    }

    async fn resource(
        &self,
        type_name: &str,
        identifier: &str,
    ) -> Result<Option<serde_json::Value>, ApiError> {
        self.call(Operation::GetResource, || {
            self.reader.resource(type_name, identifier)
        })
        .await
    }

    async fn grants(&self, key: &str) -> Result<Vec<GrantSeen>, ApiError> {
        self.call(Operation::ListGrants, || self.reader.grants(key))
            .await
    }

    async fn count(&self, type_name: &str) -> Result<u64, ApiError> {
        self.call(Operation::ListResources, || self.reader.count(type_name))
            .await
    }

    async fn quota(&self, service: &str, code: &str) -> Result<Option<QuotaSeen>, ApiError> {
        self.call(Operation::GetServiceQuota, || {
            self.reader.quota(service, code)
        })
        .await
    }

    async fn scanned_point(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<PointSeen, ApiError> {
        self.call(Operation::DescribeRecoveryPoint, || {
            self.reader.scanned_point(vault, recovery_point_arn)
        })
        .await
    }
}

impl<R: Resources, C: Clock> Paced<R, C> {
    /// Reads a resource; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Where AWS does not answer.
    pub async fn find(&self, named: &Named) -> Result<Option<ExistingResource>, ApiError> {
        self.call(Operation::GetResource, || self.reader.find(named))
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;
    use crate::backup::{FastClock, Keeping, PointStatus};
    use crate::ids::{AccountId, RegionName};

    /// Three vaults, the last of which has every recovery point; what it is asked, and the faults that come first.
    #[derive(Default)]
    struct Shelves {
        asked: Mutex<BTreeMap<Operation, u32>>,
        faults: Mutex<VecDeque<Fault>>,
    }

    impl Shelves {
        fn answer<T>(&self, operation: Operation, answer: T) -> Result<T, ApiError> {
            *self.asked.lock().unwrap().entry(operation).or_default() += 1;
            match self.faults.lock().unwrap().pop_front() {
                None => Ok(answer),
                Some(fault) => Err(ApiError {
                    operation,
                    fault,
                    code: None,
                    request_id: None,
                    message: "no".to_owned(),
                }),
            }
        }
    }

    impl Sources for Shelves {
        async fn source(
            &self,
            _: &str,
            _: Option<&VaultName>,
        ) -> Result<Option<SourceFacts>, ApiError> {
            unreachable!("it is several calls, of which each is paced")
        }

        async fn vaults_page(&self, token: Option<String>) -> Result<Page<Vault>, ApiError> {
            let vault = |name: &str| Vault {
                name: name.to_owned(),
                ..Vault::default()
            };
            let page = match token {
                None => (vec![vault("a"), vault("b")], Some("more".to_owned())),
                Some(_) => (vec![vault("c")], None),
            };
            self.answer(Operation::ListBackupVaults, page)
        }

        async fn points_page(
            &self,
            query: &PointQuery,
            _: Option<String>,
        ) -> Result<Page<RecoveryPoint>, ApiError> {
            self.answer(query.operation(), (Vec::new(), None))
        }

        async fn point(
            &self,
            vault: &VaultName,
            recovery_point_arn: &str,
        ) -> Result<Option<RecoveryPoint>, ApiError> {
            let point = RecoveryPoint {
                arn: recovery_point_arn.to_owned(),
                vault: vault.name.clone(),
                vault_account: None,
                resource_arn: String::new(),
                resource_type: None,
                status: PointStatus::Completed,
                created_at: None,
                size_bytes: None,
                storage_class: None,
                parent: None,
                is_parent: false,
                expires_at: None,
                deleted_after_copy: false,
                encryption_key_arn: None,
            };
            let point = Some(point).filter(|_| vault.name == "c");
            self.answer(Operation::DescribeRecoveryPoint, point)
        }

        async fn restore_metadata(
            &self,
            _: &VaultName,
            _: &str,
        ) -> Result<BTreeMap<String, String>, ApiError> {
            self.answer(Operation::GetRecoveryPointRestoreMetadata, BTreeMap::new())
        }

        async fn tags_page(
            &self,
            _: &str,
            _: Option<String>,
        ) -> Result<Page<(String, String)>, ApiError> {
            self.answer(Operation::ListTags, (Vec::new(), None))
        }
    }

    fn paced(faults: &[Fault]) -> Paced<Shelves, FastClock> {
        let shelves = Shelves::default();
        shelves.faults.lock().unwrap().extend(faults);
        let clock = FastClock::starting(Timestamp::UNIX_EPOCH);
        let place = (&AccountId::new("1"), &RegionName::new("here"));
        let pace = Pace::of([place], Keeping::Always, clock.now());
        Paced::new(Arc::new(shelves), clock, pace, 0)
    }

    fn passed(paced: &Paced<Shelves, FastClock>) -> f64 {
        let now = paced.clock.now();
        now.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
    }

    #[tokio::test]
    async fn calls_that_fail_for_long_are_told_of_now_and_then() {
        let told = |faults: &[Fault]| {
            let said: Arc<Mutex<Vec<String>>> = Arc::default();
            let heard = Arc::clone(&said);
            let tell = move |text: &str| heard.lock().unwrap().push(text.to_owned());
            (paced(faults).telling(Arc::new(tell)), said)
        };
        let (short, said) = told(&[Fault::Throttled; 2]);
        assert!(short.vaults_page(None).await.is_ok());
        assert!(said.lock().unwrap().is_empty());
        let (long, said) = told(&[Fault::Throttled; 8]);
        assert!(long.vaults_page(None).await.is_err());
        let said = said.lock().unwrap();
        assert!((1..=3).contains(&said.len()), "{said:?}");
        assert_eq!(said[0], "AWS call failed (ListBackupVaults: no); retrying");
    }

    /// A recovery point whose vault nobody has named is looked for in each: so many calls, and not one.
    #[tokio::test]
    async fn issue_15_each_call_of_a_lookup_waits_for_its_own_turn() {
        let paced = paced(&[]);
        for point in 0..50 {
            let facts = paced.source(&point.to_string(), None).await.unwrap();
            assert!(facts.is_some());
        }
        let asked = paced.reader.asked.lock().unwrap().clone();
        let wanted = [
            (Operation::DescribeRecoveryPoint, 150),
            (Operation::GetRecoveryPointRestoreMetadata, 50),
            (Operation::ListBackupVaults, 2),
        ];
        assert_eq!(asked, wanted.into());
        // Fifteen descriptions a second.
        let passed = passed(&paced);
        assert!((9.9..10.5).contains(&passed), "{passed}");
    }

    #[tokio::test]
    async fn a_call_is_made_again_where_that_may_help() {
        for (fault, times) in [
            (Fault::Throttled, 8),
            (Fault::Unreachable, 3),
            (Fault::Service, 3),
            (Fault::Expired, 1),
            (Fault::Denied, 1),
            (Fault::Refused, 1),
        ] {
            let brief = paced(&[fault; 20]);
            let error = brief.vaults_page(None).await.unwrap_err();
            assert_eq!(error.fault, fault);
            let asked = |of: &Paced<Shelves, FastClock>| {
                let asked = of.reader.asked.lock().unwrap();
                asked[&Operation::ListBackupVaults]
            };
            assert_eq!(asked(&brief), times, "{fault:?}");
            assert!(passed(&brief) < 90.0);
            if times == 3 {
                let long = paced(&[fault; 20]).patiently();
                long.vaults_page(None).await.unwrap_err();
                assert_eq!(asked(&long), 8, "{fault:?}");
            }
        }
        let paced = paced(&[Fault::Service, Fault::Throttled, Fault::Throttled]);
        assert!(paced.vaults_page(None).await.is_ok());
    }
}
