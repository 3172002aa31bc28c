//! AWS as it may be asked: at its published rates, and again where it throttles or does not answer.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{Aws, Reads};
use crate::backup::{
    ApiError, Backoff, Clock, Fault, Operation, Pace, Page, PointQuery, RecoveryPoint, Sources,
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
    pace: Pace,
}

impl<C: Clock> Paced<C> {
    /// At the rates of the only place of a pace.
    pub fn new(aws: Aws<Reads>, clock: C, pace: Pace) -> Self {
        Self { aws, clock, pace }
    }

    /// The reader itself, which keeps no rates.
    pub fn aws(&self) -> &Aws<Reads> {
        &self.aws
    }

    async fn call<T, F: Future<Output = Result<T, ApiError>> + Send>(
        &self,
        operation: Operation,
        mut call: impl FnMut() -> F + Send,
    ) -> Result<T, ApiError> {
        let mut tries = 1;
        loop {
            self.pace.turn(0, operation, &self.clock).await;
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.fault {
                Fault::Throttled => self.pace.throttled(0, operation, self.clock.now()),
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
