//! Clients for one target.

mod endpoint;
mod resources;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::bounds::Bounded;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_backup::config::http::HttpResponse;
use aws_sdk_backup::config::retry::RetryConfig;
use aws_sdk_backup::config::timeout::TimeoutConfig;
use aws_sdk_backup::config::{Credentials, StalledStreamProtectionConfig};
use aws_sdk_backup::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_backup::operation::describe_recovery_point::DescribeRecoveryPointOutput;

use super::date::{Dates, Watch};
use super::error::classify;
use super::lean::{IAM, KMS, LeanClient, SERVICE_QUOTAS};
use super::profile;
use crate::backup::{ApiError, Gate, Operation, Service, Vaults};
use crate::ids::{AccountId, RegionName};
use crate::render::VaultName;

/// Connection to AWS, beyond what its own environment says.
#[derive(Clone, Debug, Default)]
pub struct ConnectionSettings {
    /// The account of the target: the name under which an emulator is called that has no credentials to check.
    pub account: AccountId,
    /// The Region of the target; that of AWS's own configuration where it is empty.
    pub region: RegionName,
    /// The role to assume first, with the caller's own credentials.
    pub assume_role_arn: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--endpoint-url`, for all services.
    pub endpoint_url: Option<String>,
    /// The environment sets AWS_ENDPOINT_URL to nothing. That is not set, as for the AWS CLI; the SDK would panic.
    pub empty_endpoint: bool,
    /// Sign with made-up credentials: for an emulator on this machine when the environment names none.
    pub without_credentials: bool,
}

/// Returns the time limits of a call.
pub(super) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(30))
        .build()
}

/// The half that only reads: a dry run is handed this, and there is nothing in it that could write.
///
/// ```compile_fail
/// fn starts<W: redrill::backup::Writer>(_: &W) {}
/// fn dry_run(aws: &redrill::aws::Aws<redrill::aws::Reads>) { starts(aws) }
/// ```
///
/// ```
/// fn starts<W: redrill::backup::Writer>(_: &W) {}
/// fn run(aws: &redrill::aws::Aws<redrill::aws::Writes>) { starts(aws) }
/// ```
#[derive(Debug)]
pub struct Reads;

/// Both halves, for a run.
#[derive(Debug)]
pub struct Writes;

/// AWS Backup, Cloud Control API and STS, as one target sees them; `H` says which half.
#[derive(Debug)]
pub struct Aws<H = Writes> {
    half: PhantomData<fn() -> H>,
    region: Option<RegionName>,
    pub(super) backup: aws_sdk_backup::Client,
    /// The client for jobs, whose answers also tell AWS's time.
    pub(super) jobs: aws_sdk_backup::Client,
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) cloudcontrol: aws_sdk_cloudcontrol::Client,
    pub(super) iam: LeanClient,
    pub(super) kms: LeanClient,
    pub(super) quotas: LeanClient,
    pub(super) credentials: Option<SharedCredentialsProvider>,
    /// Hosts asked by AWS Backup's, STS's and Cloud Control API's client.
    bounded: [Bounded; 3],
    pub(super) vaults: Vaults,
    pub(super) date: Arc<Dates>,
    calls: Mutex<BTreeMap<Operation, u64>>,
    gate: OnceLock<Gate>,
}

impl<H> Aws<H> {
    /// Clients with AWS's own configuration, as far as `settings` says nothing else.
    ///
    /// # Errors
    ///
    /// Where there is no such profile.
    pub async fn connect(settings: &ConnectionSettings) -> Result<Self, ApiError> {
        let region = (!settings.region.as_str().is_empty())
            .then(|| Region::new(settings.region.to_string()));
        if !settings.without_credentials {
            profile::check(settings.profile.as_deref()).await?;
        }
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts())
            // No call has a long body: the limit of an attempt is enough, and each body watched by a timer costs.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(RetryConfig::standard().with_max_backoff(Duration::from_secs(5)));
        if let Some(profile) = &settings.profile {
            loader = loader
                .profile_name(profile)
                .credentials_provider(profile::credentials(profile, region.clone()).await);
        }
        if let Some(region) = region {
            loader = loader.region(region);
        }
        if let Some(url) = &settings.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if settings.without_credentials {
            loader = loader.credentials_provider(Credentials::new(
                settings.account.as_str(),
                "no-secret",
                None,
                None,
                "redrill",
            ));
        }
        let mut config = loader.load().await;
        if let Some(role) = settings
            .assume_role_arn
            .as_ref()
            .filter(|_| !settings.without_credentials)
        {
            let provider = AssumeRoleProvider::builder(role)
                .session_name("redrill")
                .configure(&config)
                .build()
                .await;
            config = config
                .into_builder()
                .credentials_provider(SharedCredentialsProvider::new(provider))
                .build();
        }
        let date = Arc::new(Dates::default());
        let bounded: [Bounded; 3] = Default::default();
        let [of_backup, of_sts, of_cloudcontrol] = bounded.clone();
        // None makes tries of its own: whoever calls has to know of each, for the rates and for what it may have done.
        let once = RetryConfig::disabled;
        let mut backup = aws_sdk_backup::config::Builder::from(&config)
            .retry_config(once())
            .interceptor(of_backup);
        let mut sts = aws_sdk_sts::config::Builder::from(&config)
            .retry_config(once())
            .interceptor(of_sts);
        let mut cloudcontrol = aws_sdk_cloudcontrol::config::Builder::from(&config)
            .retry_config(once())
            .interceptor(of_cloudcontrol);
        if settings.empty_endpoint && settings.endpoint_url.is_none() {
            backup.set_endpoint_url(None);
            sts.set_endpoint_url(None);
            cloudcontrol.set_endpoint_url(None);
        }
        let jobs = backup.clone().interceptor(Watch(Arc::clone(&date)));
        Ok(Self {
            half: PhantomData,
            iam: LeanClient::new(IAM, &config, settings.empty_endpoint),
            kms: LeanClient::new(KMS, &config, settings.empty_endpoint),
            quotas: LeanClient::new(SERVICE_QUOTAS, &config, settings.empty_endpoint),
            credentials: config.credentials_provider(),
            region: config
                .region()
                .map(|region| RegionName::new(region.as_ref())),
            backup: aws_sdk_backup::Client::from_conf(backup.build()),
            jobs: aws_sdk_backup::Client::from_conf(jobs.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            cloudcontrol: aws_sdk_cloudcontrol::Client::from_conf(cloudcontrol.build()),
            bounded,
            vaults: Vaults::default(),
            date,
            calls: Mutex::default(),
            gate: OnceLock::new(),
        })
    }

    /// The Region that is asked, where one is known.
    #[must_use]
    pub fn region(&self) -> Option<&RegionName> {
        self.region.as_ref()
    }

    /// From now on nothing of a run is asked or changed before this is passed. The first one stays.
    pub fn guard(&self, gate: Gate) {
        let _ = self.gate.set(gate);
    }

    /// Done once something may be asked or changed.
    pub(super) async fn pass(&self) {
        if let Some(gate) = self.gate.get() {
            gate.pass().await;
        }
    }

    /// Classifies why a call has failed.
    pub(super) fn failed<E>(
        &self,
        operation: Operation,
        error: &SdkError<E, HttpResponse>,
    ) -> ApiError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let [backup, sts, cloudcontrol] = &self.bounded;
        let host = match operation.service() {
            Some(Service::Backup) => backup.host(),
            Some(Service::CloudControl) => cloudcontrol.host(),
            Some(Service::Iam) => self.iam.host(),
            Some(Service::ServiceQuotas) => self.quotas.host(),
            Some(Service::Kms) => self.kms.host(),
            None => sts.host(),
        };
        classify(operation, error, host)
    }

    /// A recovery point, as AWS Backup describes it.
    pub(super) async fn described(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<DescribeRecoveryPointOutput, ApiError> {
        let operation = self.counted(Operation::DescribeRecoveryPoint);
        let asked = self.backup.describe_recovery_point();
        let answer = asked
            .backup_vault_name(&vault.name)
            .set_backup_vault_account_id(vault.account.as_ref().map(ToString::to_string))
            .recovery_point_arn(recovery_point_arn)
            .send();
        answer.await.map_err(|err| self.failed(operation, &err))
    }

    /// Counts a call.
    pub(super) fn counted(&self, operation: Operation) -> Operation {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(operation).or_default() += 1;
        operation
    }

    /// Returns the number of calls made, by operation.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<Operation, u64> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
