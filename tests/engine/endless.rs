//! Nothing hangs and nothing is silent: answers that never end, and never come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::SignedDuration;
use redrill::backup::{
    ApiError, CallerIdentity, Fault, Job, JobQuery, JobStatus, Operation, Page, PointQuery, Reader,
    RecoveryPoint, Sources, Started, Vault, Writer,
};
use redrill::execute::{Control, Ended, Policy, Stopped};
use redrill::ids::JobId;
use redrill::plan::TokenedRequest;
use redrill::render::{SourceFacts, VaultName};
use redrill::state::{Awaited, Event, Recorded, RestoreStage};
use redrill_emulator::{Emulator, TokenSemantics};

use super::stage_of;
use crate::harness::{Death, Going, driven, fast, going, run_going, run_with};
use crate::support::{emulator, folder, many};

/// An AWS Backup that answers badly in one way.
#[derive(Default)]
struct Odd {
    /// Every page of jobs has another one behind it.
    endless: bool,
    /// The job of this restore is never described in a way that can be read.
    unreadable: Option<&'static str>,
    /// How often any job was described.
    described: AtomicU32,
    pages: AtomicU32,
}

fn service(operation: Operation, message: &str) -> ApiError {
    ApiError {
        operation,
        fault: Fault::Service,
        code: None,
        request_id: None,
        message: message.to_owned(),
    }
}

impl Sources for Odd {
    async fn source(
        &self,
        _: &str,
        _: Option<&VaultName>,
    ) -> Result<Option<SourceFacts>, ApiError> {
        Ok(None)
    }

    async fn vaults_page(
        &self,
        _: Option<String>,
    ) -> Result<(Vec<Vault>, Option<String>), ApiError> {
        Ok((Vec::new(), None))
    }

    async fn points_page(
        &self,
        _: &PointQuery,
        _: Option<String>,
    ) -> Result<(Vec<RecoveryPoint>, Option<String>), ApiError> {
        Ok((Vec::new(), None))
    }

    async fn point(&self, _: &VaultName, _: &str) -> Result<Option<RecoveryPoint>, ApiError> {
        Ok(None)
    }

    async fn restore_metadata(
        &self,
        _: &VaultName,
        _: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        Ok(BTreeMap::new())
    }

    async fn tags_page(
        &self,
        _: &str,
        _: Option<String>,
    ) -> Result<Page<(String, String)>, ApiError> {
        Ok((Vec::new(), None))
    }
}

impl Reader for Odd {
    async fn caller(&self) -> Result<CallerIdentity, ApiError> {
        Ok(CallerIdentity::default())
    }

    fn date(&self) -> Option<jiff::Timestamp> {
        None
    }

    async fn job(&self, job_id: &JobId) -> Result<Job, ApiError> {
        let described = self.described.fetch_add(1, Ordering::Relaxed);
        if self.unreadable == Some(job_id.as_str()) {
            let message = "PercentDone: expected a string";
            return Err(service(Operation::DescribeRestoreJob, message));
        }
        Ok(Job {
            id: job_id.clone(),
            status: match described {
                // Long enough for the other one to be given up.
                0..400 => JobStatus::Running,
                _ => JobStatus::Completed,
            },
            message: None,
            created_resource_arn: Some(
                "arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0123456789abcdef0"
                    .to_owned(),
            ),
            account: None,
            created_at: None,
            completed_at: None,
            resource_type: None,
            is_parent: false,
            parent: None,
            recovery_point_arn: None,
            recovery_point_created_at: None,
            source_resource_arn: None,
            size_bytes: None,
        })
    }

    async fn jobs_page(
        &self,
        _: &JobQuery,
        _: Option<String>,
    ) -> Result<(Vec<Job>, Option<String>), ApiError> {
        let page = self.pages.fetch_add(1, Ordering::Relaxed);
        Ok((Vec::new(), self.endless.then(|| page.to_string())))
    }

    async fn job_metadata(&self, _: &JobId) -> Result<BTreeMap<String, String>, ApiError> {
        Ok(BTreeMap::new())
    }
}

impl Writer for Odd {
    async fn start(&self, request: &TokenedRequest) -> Result<Started, ApiError> {
        let token = &request.metadata[&"CreationToken".to_owned()];
        Ok(Started {
            job_id: JobId::new(token.split('-').next().unwrap()),
            request_id: None,
        })
    }

    async fn publish(&self, _: &JobId, _: Option<&str>) -> Result<(), ApiError> {
        Ok(())
    }

    fn calls(&self) -> BTreeMap<Operation, u64> {
        BTreeMap::new()
    }
}

async fn against(
    odd: Odd,
    told: Option<Control>,
    clock: &Emulator,
) -> (Result<Ended, Stopped>, u32) {
    let odd = Arc::new(odd);
    let state = folder();
    let going = Going {
        ahead: jiff::SignedDuration::ZERO,
        death: Death::Never,
        policy: fast(),
        onlooker: &mut |_| {},
        told,
    };
    let ended = run_with(&odd, state.path(), &many(2, 0), clock, going).await;
    (ended, odd.pages.load(Ordering::Relaxed))
}

#[tokio::test]
async fn reliability_r4_17_a_listing_without_an_end_is_an_error() {
    let clock = emulator(driven(TokenSemantics::default())).await;
    let odd = Odd {
        endless: true,
        ..Odd::default()
    };
    let (ended, pages) = against(odd, None, &clock).await;
    let stopped = ended.unwrap_err().to_string();
    assert!(
        stopped.contains("the last 1000 pages were empty, and the listing has not ended"),
        "{stopped}"
    );
    assert_eq!(pages, 1000);
    clock.shutdown().await;
}

#[tokio::test]
async fn reliability_r4_17_ctrl_c_ends_a_listing() {
    for told in [Control::Detach, Control::Now] {
        let clock = emulator(driven(TokenSemantics::default())).await;
        let odd = Odd {
            endless: true,
            ..Odd::default()
        };
        let (ended, pages) = against(odd, Some(told), &clock).await;
        let wanted = match told {
            Control::Detach => Ended::Detached,
            Control::Now => Ended::Interrupted,
        };
        assert_eq!((ended.unwrap(), pages), (wanted, 0));
        clock.shutdown().await;
    }
}

/// Others are answered, so that AWS as a whole is not silent.
#[tokio::test]
async fn reliability_r4_16_a_job_that_is_never_described_is_not_asked_about_for_ever() {
    let clock = emulator(driven(TokenSemantics::default())).await;
    let odd = Arc::new(Odd {
        unreadable: Some("r1"),
        ..Odd::default()
    });
    let state = folder();
    let mut onlooker = |_: &Recorded| {};
    let going = going(fast(), &mut onlooker);
    let ended = run_with(&odd, state.path(), &many(2, 0), &clock, going).await;
    let stopped = ended.unwrap_err().to_string();
    assert!(stopped.contains("PercentDone"), "{stopped}");
    assert!(matches!(
        stage_of(state.path(), "r0"),
        Some(RestoreStage::Completed { .. })
    ));
    assert_eq!(
        stage_of(state.path(), "r1"),
        Some(RestoreStage::Running {
            job_id: JobId::new("r1")
        })
    );
    clock.shutdown().await;
}

/// A job takes some forty minutes.
#[tokio::test]
async fn a_run_says_what_it_waits_for() {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let state = folder();
    let mut said: Vec<Awaited> = Vec::new();
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Waiting { awaited } = &recorded.event {
            said.push(awaited.clone());
        }
    };
    let policy = Policy {
        says_after: Some(SignedDuration::from_mins(1)),
        ..fast()
    };
    let ended = run_going(
        state.path(),
        &many(1, 0),
        &emulator,
        going(policy, &mut onlooker),
    )
    .await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert!((2..8).contains(&said.len()), "{said:?}");
    for awaited in &said {
        assert_eq!(awaited.jobs, 1);
        assert_eq!(awaited.longest[0].0, "r0");
        assert!(awaited.longest[0].1 >= 60);
    }
    // The journal is none the longer for it.
    let events = crate::harness::events(state.path());
    assert!(
        !events
            .iter()
            .any(|one| matches!(one.event, Event::Waiting { .. }))
    );
    emulator.shutdown().await;
}
