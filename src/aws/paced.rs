//! AWS as it may be asked: at its published rates, and again where it throttles or does not answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;

use super::{Aws, Reads};
use crate::backup::{
    ApiError, Backoff, Clock, Fault, Operation, Page, PointQuery, Rates, RecoveryPoint, Sources,
    Vault,
};
use crate::render::{SourceFacts, VaultName};

/// How often a call is made again before it counts as failed, beyond what the SDK tries: about two minutes.
const TRIES: u32 = 8;
const BACKOFF: Backoff = Backoff {
    first: SignedDuration::from_millis(500),
    factor: 2,
    longest: SignedDuration::from_secs(30),
    jitter: 0.5,
};

/// A reader of vaults and recovery points that keeps AWS's rates.
pub struct Paced<C> {
    aws: Aws<Reads>,
    clock: C,
    /// None while it is asked as fast as it answers.
    rates: Mutex<Option<Rates>>,
}

impl<C: Clock> Paced<C> {
    /// Keeps the published rates from the first call on, or, `unlimited`, from the first answer that throttles.
    pub fn new(aws: Aws<Reads>, clock: C, unlimited: bool) -> Self {
        let rates = (!unlimited).then(|| Rates::published(clock.now()));
        Self {
            aws,
            clock,
            rates: Mutex::new(rates),
        }
    }

    /// The reader itself, which keeps no rates.
    pub fn aws(&self) -> &Aws<Reads> {
        &self.aws
    }

    /// Waits for a call's turn.
    async fn turn(&self, operation: Operation) {
        loop {
            let at = {
                let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
                match rates.as_mut() {
                    None => return,
                    Some(rates) => match rates.take(operation, self.clock.now()) {
                        Ok(()) => return,
                        Err(at) => at,
                    },
                }
            };
            self.clock.sleep_until(at).await;
        }
    }

    async fn call<T, F: Future<Output = Result<T, ApiError>> + Send>(
        &self,
        operation: Operation,
        mut call: impl FnMut() -> F + Send,
    ) -> Result<T, ApiError> {
        let mut tries = 1;
        loop {
            self.turn(operation).await;
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.fault {
                Fault::Throttled => {
                    let now = self.clock.now();
                    self.rates
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert_with(|| Rates::published(now))
                        .throttled(operation, now);
                }
                Fault::Unreachable | Fault::Service => {}
                Fault::Expired | Fault::Denied | Fault::Refused => return Err(error),
            }
            if tries == TRIES {
                return Err(error);
            }
            let wait = BACKOFF.wait(tries - 1);
            self.clock.sleep_until(self.clock.now() + wait).await;
            tries += 1;
        }
    }
}

impl<C: Clock> Sources for Paced<C> {
    async fn source(
        &self,
        recovery_point_arn: &str,
        vault: Option<&VaultName>,
    ) -> Result<Option<SourceFacts>, ApiError> {
        self.call(Operation::DescribeRecoveryPoint, || {
            self.aws.source(recovery_point_arn, vault)
        })
        .await
    }

    async fn vaults_page(&self, token: Option<String>) -> Result<Page<Vault>, ApiError> {
        self.call(Operation::ListBackupVaults, || {
            self.aws.vaults_page(token.clone())
        })
        .await
    }

    async fn points_page(
        &self,
        query: &PointQuery,
        token: Option<String>,
    ) -> Result<Page<RecoveryPoint>, ApiError> {
        self.call(query.operation(), || {
            self.aws.points_page(query, token.clone())
        })
        .await
    }

    async fn point(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<Option<RecoveryPoint>, ApiError> {
        self.call(Operation::DescribeRecoveryPoint, || {
            self.aws.point(vault, recovery_point_arn)
        })
        .await
    }

    async fn restore_metadata(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        self.call(Operation::GetRecoveryPointRestoreMetadata, || {
            self.aws.restore_metadata(vault, recovery_point_arn)
        })
        .await
    }

    async fn tags_page(
        &self,
        recovery_point_arn: &str,
        token: Option<String>,
    ) -> Result<Page<(String, String)>, ApiError> {
        self.call(Operation::ListTags, || {
            self.aws.tags_page(recovery_point_arn, token.clone())
        })
        .await
    }
}
