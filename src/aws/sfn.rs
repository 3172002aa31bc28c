//! State machines of AWS Step Functions that start the restores of a plan.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::http::HttpResponse;
use aws_sdk_sfn::config::retry::RetryConfig;
use aws_sdk_sfn::config::timeout::TimeoutConfig;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::types::ExecutionStatus;
use jiff::Timestamp;

use super::bounds::Bounded;
use super::{error, profile};
use crate::backup::{ApiError, Operation};
use crate::ids::RegionName;

/// A state machine, and how it is reached.
#[derive(Clone, Debug, Default)]
pub struct MachineSettings {
    /// Its ARN.
    pub arn: String,
    /// The Region in the ARN.
    pub region: RegionName,
    /// `--profile`.
    pub profile: Option<String>,
    /// The environment sets AWS_ENDPOINT_URL to nothing, which is not set.
    pub empty_endpoint: bool,
}

/// A state machine.
#[derive(Clone, Debug)]
pub struct StateMachine {
    client: Client,
    arn: String,
    bounded: Bounded,
}

/// State of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// True if it still runs.
    pub is_running: bool,
    /// True if somebody has stopped it, or it has timed out: its last request may not have its answer.
    pub was_stopped: bool,
    /// AWS's word for how it is.
    pub status: String,
    /// Input that it was given.
    pub input: String,
    /// Time at which it began, by AWS's clock.
    pub started_at: Option<Timestamp>,
}

/// Outcome of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionStart {
    /// The execution of that name and input runs.
    Started(String),
    /// There was one of that name, which has ended or has another input.
    NameIsUsed,
}

impl StateMachine {
    /// Connects with AWS's own configuration.
    ///
    /// # Errors
    ///
    /// Where there is no such profile.
    pub async fn connect(settings: &MachineSettings) -> Result<Self, ApiError> {
        profile::check(settings.profile.as_deref()).await?;
        let region = Region::new(settings.region.to_string());
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(Duration::from_secs(30))
                    .build(),
            )
            // Each of these calls may be made again: a start has a name.
            .retry_config(RetryConfig::standard().with_max_attempts(5))
            .region(region.clone());
        if let Some(name) = &settings.profile {
            loader = loader
                .profile_name(name)
                .credentials_provider(profile::credentials(name, Some(region)).await);
        }
        let config = loader.load().await;
        let bounded = Bounded::default();
        let mut builder = aws_sdk_sfn::config::Builder::from(&config).interceptor(bounded.clone());
        if settings.empty_endpoint {
            builder.set_endpoint_url(None);
        }
        Ok(Self {
            client: Client::from_conf(builder.build()),
            arn: settings.arn.clone(),
            bounded,
        })
    }

    fn failed<E>(&self, operation: Operation, error: &SdkError<E, HttpResponse>) -> ApiError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        error::classify(operation, error, self.bounded.host())
    }

    /// Its definition, in Amazon States Language.
    ///
    /// # Errors
    ///
    /// Where AWS does not answer, or has no such machine.
    pub async fn definition(&self) -> Result<String, ApiError> {
        let asked = self.client.describe_state_machine();
        let answer = asked.state_machine_arn(&self.arn).send().await;
        let answer = answer.map_err(|err| self.failed(Operation::DescribeStateMachine, &err))?;
        Ok(answer.definition)
    }

    /// Starts an execution: the same name and input twice is the same one, while it runs
    /// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>).
    ///
    /// # Errors
    ///
    /// Where AWS does not answer, or refuses the caller.
    pub async fn start(&self, name: &str, input: &str) -> Result<ExecutionStart, ApiError> {
        let asked = self.client.start_execution();
        let asked = asked.state_machine_arn(&self.arn).name(name).input(input);
        match asked.send().await {
            Ok(answer) => Ok(ExecutionStart::Started(answer.execution_arn)),
            Err(err) if err.code() == Some("ExecutionAlreadyExists") => {
                Ok(ExecutionStart::NameIsUsed)
            }
            Err(err) => Err(self.failed(Operation::StartExecution, &err)),
        }
    }

    /// The ARN of an execution of a name.
    #[must_use]
    pub fn execution_arn(&self, name: &str) -> String {
        let machine = self.arn.replacen(":stateMachine:", ":execution:", 1);
        format!("{machine}:{name}")
    }

    /// Describes an execution; `None` if there is none of that ARN.
    ///
    /// # Errors
    ///
    /// Where AWS does not answer.
    pub async fn execution(&self, arn: &str) -> Result<Option<Execution>, ApiError> {
        let asked = self.client.describe_execution().execution_arn(arn);
        let answer = match asked.send().await {
            Ok(answer) => answer,
            Err(err) if err.code() == Some("ExecutionDoesNotExist") => return Ok(None),
            Err(err) => return Err(self.failed(Operation::DescribeExecution, &err)),
        };
        let is_running = matches!(
            answer.status,
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive
        );
        Ok(Some(Execution {
            is_running,
            was_stopped: matches!(
                answer.status,
                ExecutionStatus::Aborted | ExecutionStatus::TimedOut
            ),
            status: answer.status.as_str().to_owned(),
            input: answer.input.unwrap_or_default(),
            started_at: Timestamp::from_second(answer.start_date.secs()).ok(),
            arn: answer.execution_arn,
        }))
    }
}
