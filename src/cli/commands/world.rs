//! Where questions about vaults and recovery points go.

use std::collections::BTreeMap;

use tokio::sync::OnceCell;

use crate::aws::{Aws, Settings};
use crate::diff::{ApiError, PointQuery, RecoveryPoint, Sources, Vault};
use crate::inventory::Recorded;
use crate::render::SourceFacts;

/// Who is asked.
pub(super) enum World<'a> {
    /// A file.
    Inventory(&'a Recorded),
    /// AWS, connected already.
    Aws(&'a Aws),
    /// AWS, if there is a question at all.
    Elsewhere(Box<Elsewhere<'a>>),
}

/// AWS, connected with the first question.
pub(super) struct Elsewhere<'a> {
    settings: &'a Settings,
    aws: OnceCell<Aws>,
}

impl<'a> World<'a> {
    /// An inventory where one was given, and AWS otherwise.
    pub(super) fn new(inventory: Option<&'a Recorded>, settings: &'a Settings) -> Self {
        match inventory {
            Some(inventory) => Self::Inventory(inventory),
            None => Self::Elsewhere(Box::new(Elsewhere {
                settings,
                aws: OnceCell::new(),
            })),
        }
    }

    async fn at(&self) -> At<'_> {
        match self {
            Self::Inventory(inventory) => At::Inventory(inventory),
            Self::Aws(aws) => At::Aws(aws),
            Self::Elsewhere(elsewhere) => At::Aws(
                elsewhere
                    .aws
                    .get_or_init(|| Aws::connect(elsewhere.settings))
                    .await,
            ),
        }
    }
}

enum At<'a> {
    Inventory(&'a Recorded),
    Aws(&'a Aws),
}

impl Sources for World<'_> {
    async fn source(&self, recovery_point_arn: &str) -> Result<Option<SourceFacts>, ApiError> {
        match self.at().await {
            At::Inventory(inventory) => inventory.source(recovery_point_arn).await,
            At::Aws(aws) => aws.source(recovery_point_arn).await,
        }
    }

    async fn vaults_page(
        &self,
        token: Option<String>,
    ) -> Result<(Vec<Vault>, Option<String>), ApiError> {
        match self.at().await {
            At::Inventory(inventory) => inventory.vaults_page(token).await,
            At::Aws(aws) => aws.vaults_page(token).await,
        }
    }

    async fn points_page(
        &self,
        query: &PointQuery,
        token: Option<String>,
    ) -> Result<(Vec<RecoveryPoint>, Option<String>), ApiError> {
        match self.at().await {
            At::Inventory(inventory) => inventory.points_page(query, token).await,
            At::Aws(aws) => aws.points_page(query, token).await,
        }
    }

    async fn point(
        &self,
        vault: &str,
        recovery_point_arn: &str,
    ) -> Result<Option<RecoveryPoint>, ApiError> {
        match self.at().await {
            At::Inventory(inventory) => inventory.point(vault, recovery_point_arn).await,
            At::Aws(aws) => aws.point(vault, recovery_point_arn).await,
        }
    }

    async fn restore_metadata(
        &self,
        vault: &str,
        recovery_point_arn: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        match self.at().await {
            At::Inventory(inventory) => inventory.restore_metadata(vault, recovery_point_arn).await,
            At::Aws(aws) => aws.restore_metadata(vault, recovery_point_arn).await,
        }
    }

    async fn tags(&self, recovery_point_arn: &str) -> Result<BTreeMap<String, String>, ApiError> {
        match self.at().await {
            At::Inventory(inventory) => inventory.tags(recovery_point_arn).await,
            At::Aws(aws) => aws.tags(recovery_point_arn).await,
        }
    }
}
