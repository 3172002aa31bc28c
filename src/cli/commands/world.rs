//! Readers that answer questions about vaults and recovery points.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::clients::{Client, pace};
use crate::aws::{Aws, ConnectionSettings, Paced, Reads};
use crate::backup::{
    ApiError, Endpoint, Pace, Page, PointQuery, Reader as _, RecoveryPoint, Sources, SystemClock,
    Vault,
};
use crate::cli::exit::Failure;
use crate::ids::{Indexed, JobId, PlaceIndex, RestoreName};
use crate::inventory::RecordedInventory as Inventory;
use crate::plan::Planner;
use crate::render::{Known, REDACTED, Secrets, SourceFacts, Target, VaultName};
use crate::session::Points;
use crate::state::{Event, Recorded};

/// Sources of answers: one for each target of the plan.
pub(super) enum World {
    /// A file, as a caller of each target sees it.
    Inventory(Vec<Inventory>),
    /// AWS, connected already.
    Aws(Vec<Arc<Client>>),
    /// AWS, if there is a question at all.
    Elsewhere(Vec<LazyConnection>),
}

/// AWS, connected with the first question.
pub(super) struct LazyConnection {
    settings: ConnectionSettings,
    place: usize,
    pace: Pace,
    aws: OnceCell<Client<Reads>>,
}

impl LazyConnection {
    async fn connect(&self) -> Result<Client<Reads>, ApiError> {
        let aws = Aws::connect(&self.settings).await?;
        let (pace, place) = (self.pace.clone(), self.place);
        Ok(Paced::new(Arc::new(aws), SystemClock, pace, place))
    }
}

impl World {
    /// An inventory where one was given, and AWS otherwise.
    pub(super) fn new(
        inventory: Option<Vec<Inventory>>,
        settings: Vec<ConnectionSettings>,
    ) -> Self {
        match inventory {
            Some(inventory) => Self::Inventory(inventory),
            None => {
                let pace = pace(&settings, false);
                let elsewhere = |(place, settings)| LazyConnection {
                    settings,
                    place,
                    pace: pace.clone(),
                    aws: OnceCell::new(),
                };
                Self::Elsewhere(settings.into_iter().enumerate().map(elsewhere).collect())
            }
        }
    }

    /// The endpoint that was asked something; none where a file answers, or there was no question.
    pub(super) async fn endpoint(&self) -> Result<Option<Endpoint>, Failure> {
        let mut all = Vec::new();
        match self {
            Self::Inventory(_) => {}
            Self::Aws(clients) => {
                for aws in clients {
                    all.push(aws.reader().endpoint().await.map_err(Failure::Aws)?);
                }
            }
            Self::Elsewhere(clients) => {
                for aws in clients.iter().filter_map(|client| client.aws.get()) {
                    all.push(aws.reader().endpoint().await.map_err(Failure::Aws)?);
                }
            }
        }
        if all.is_empty() {
            return Ok(None);
        }
        super::endpoint::one(all).map(Some)
    }

    /// Asks AWS again what jobs have made whose names hold a secret, which no journal has. Where nobody answers, they stay
    /// as they are, and nothing is made of them.
    pub(super) async fn reveal(&self, known: &mut Known, secrets: &Secrets) {
        let hidden: Vec<(RestoreName, JobId)> = known
            .created
            .iter()
            .filter(|(_, created)| created.resource_arn.contains(REDACTED))
            .map(|(name, created)| (name.clone(), created.job_id.clone()))
            .collect();
        for (name, job_id) in hidden {
            for reader in self.readers() {
                if let Some(arn) = reader.made(&job_id).await
                    && let Some(created) = Arc::make_mut(&mut known.created).get_mut(&name)
                {
                    secrets.learn(&arn, &created.resource_arn);
                    created.resource_arn = arn;
                    break;
                }
            }
        }
    }

    /// The same in what a journal has recorded.
    pub(super) async fn reveal_in(&self, events: &mut [Recorded], secrets: &Secrets) {
        let mut jobs: BTreeMap<RestoreName, JobId> = BTreeMap::new();
        for recorded in events {
            match &mut recorded.event {
                Event::Accepted {
                    restore, job_id, ..
                }
                | Event::Adopted {
                    restore, job_id, ..
                } => {
                    jobs.insert(restore.clone(), job_id.clone());
                }
                Event::Completed {
                    restore,
                    created_resource_arn: Some(arn),
                    ..
                } if arn.contains(REDACTED) => {
                    let Some(job_id) = jobs.get(restore) else {
                        continue;
                    };
                    for reader in self.readers() {
                        if let Some(made) = reader.made(job_id).await {
                            secrets.learn(&made, arn);
                            *arn = made;
                            break;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Returns the way to ask the readers about recovery points.
    pub(super) fn points<'r>(&self, readers: &'r [View<'r>]) -> Points<'r, View<'r>> {
        match self {
            Self::Inventory(_) => Points::Recorded(readers),
            Self::Aws(_) => Points::Aws {
                readers,
                is_connected: true,
            },
            Self::Elsewhere(_) => Points::Aws {
                readers,
                is_connected: false,
            },
        }
    }

    /// A reader for each target.
    pub(super) fn readers(&self) -> Vec<View<'_>> {
        match self {
            Self::Inventory(files) => files.iter().map(View::Inventory).collect(),
            Self::Aws(all) => all.iter().map(|aws| View::Aws(aws)).collect(),
            Self::Elsewhere(all) => all.iter().map(View::Elsewhere).collect(),
        }
    }
}

/// The targets of a run with the roles to assume that its journal does not name, because they are secret.
pub(super) fn with_roles(targets: &[Target], planner: &Planner) -> Indexed<PlaceIndex, Target> {
    let revealed = |target: &Target| {
        let is_it = |of: &&Target| of.redacted(planner.secrets()) == *target;
        planner
            .targets()
            .iter()
            .find(is_it)
            .unwrap_or(target)
            .clone()
    };
    targets.iter().map(revealed).collect()
}

/// The world as one target sees it.
pub(super) enum View<'a> {
    Inventory(&'a Inventory),
    Aws(&'a Client),
    Elsewhere(&'a LazyConnection),
}

impl View<'_> {
    /// Returns what a job has made, as AWS says.
    async fn made(&self, job_id: &JobId) -> Option<String> {
        let job = match self.at().await.ok()? {
            PointSource::Inventory(_) => return None,
            PointSource::Aws(aws) => aws.job(job_id).await,
            PointSource::Elsewhere(aws) => aws.job(job_id).await,
        };
        job.ok()?.created_resource_arn
    }

    async fn at(&self) -> Result<PointSource<'_>, ApiError> {
        Ok(match self {
            Self::Inventory(inventory) => PointSource::Inventory(inventory),
            Self::Aws(aws) => PointSource::Aws(aws),
            Self::Elsewhere(elsewhere) => PointSource::Elsewhere(
                elsewhere
                    .aws
                    .get_or_try_init(|| elsewhere.connect())
                    .await?,
            ),
        })
    }
}

enum PointSource<'a> {
    Inventory(&'a Inventory),
    Aws(&'a Client),
    Elsewhere(&'a Client<Reads>),
}

impl Sources for View<'_> {
    async fn source(
        &self,
        recovery_point_arn: &str,
        vault: Option<&VaultName>,
    ) -> Result<Option<SourceFacts>, ApiError> {
        match self.at().await? {
            PointSource::Inventory(inventory) => inventory.source(recovery_point_arn, vault).await,
            PointSource::Aws(aws) => aws.source(recovery_point_arn, vault).await,
            PointSource::Elsewhere(aws) => aws.source(recovery_point_arn, vault).await,
        }
    }

    async fn vaults_page(&self, token: Option<String>) -> Result<Page<Vault>, ApiError> {
        match self.at().await? {
            PointSource::Inventory(inventory) => inventory.vaults_page(token).await,
            PointSource::Aws(aws) => aws.vaults_page(token).await,
            PointSource::Elsewhere(aws) => aws.vaults_page(token).await,
        }
    }

    async fn points_page(
        &self,
        query: &PointQuery,
        token: Option<String>,
    ) -> Result<Page<RecoveryPoint>, ApiError> {
        match self.at().await? {
            PointSource::Inventory(inventory) => inventory.points_page(query, token).await,
            PointSource::Aws(aws) => aws.points_page(query, token).await,
            PointSource::Elsewhere(aws) => aws.points_page(query, token).await,
        }
    }

    async fn point(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<Option<RecoveryPoint>, ApiError> {
        match self.at().await? {
            PointSource::Inventory(inventory) => inventory.point(vault, recovery_point_arn).await,
            PointSource::Aws(aws) => aws.point(vault, recovery_point_arn).await,
            PointSource::Elsewhere(aws) => aws.point(vault, recovery_point_arn).await,
        }
    }

    async fn restore_metadata(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        match self.at().await? {
            PointSource::Inventory(inventory) => {
                inventory.restore_metadata(vault, recovery_point_arn).await
            }
            PointSource::Aws(aws) => aws.restore_metadata(vault, recovery_point_arn).await,
            PointSource::Elsewhere(aws) => aws.restore_metadata(vault, recovery_point_arn).await,
        }
    }

    async fn tags_page(
        &self,
        recovery_point_arn: &str,
        token: Option<String>,
    ) -> Result<Page<(String, String)>, ApiError> {
        match self.at().await? {
            PointSource::Inventory(inventory) => {
                inventory.tags_page(recovery_point_arn, token).await
            }
            PointSource::Aws(aws) => aws.tags_page(recovery_point_arn, token).await,
            PointSource::Elsewhere(aws) => aws.tags_page(recovery_point_arn, token).await,
        }
    }
}
