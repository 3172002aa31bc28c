//! The recovery points that selectors choose from, with as few calls as there are pages to read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::{Selection, Unselected, select};
use crate::backup::{
    ApiError, PointQuery, RecoveryPoint, Sources, Vault, all_points, all_vaults, ask_all,
};
use crate::render::{Selector, VaultName};

/// Items a page of every listing, at most.
const PAGE: u64 = 1000;

/// Recovery points as they were listed, by what was asked.
#[derive(Debug, Default)]
pub struct PointCache {
    /// By vault: everything in it.
    whole: BTreeMap<String, HashMap<String, Vec<RecoveryPoint>>>,
    /// By query: what it gave, or AWS's refusal. Whoever asks the same meanwhile waits for the answer.
    asked: Mutex<BTreeMap<PointQuery, Arc<OnceCell<Offer>>>>,
    vaults: OnceCell<Vec<Vault>>,
}

/// Recovery points that a query gave, or AWS's refusal.
type Offer = Result<Arc<[RecoveryPoint]>, ApiError>;

impl PointCache {
    /// Decides what is listed whole: a vault of few pages out of which many are chosen.
    ///
    /// # Errors
    ///
    /// Where AWS does not answer.
    pub async fn prepare<R: Sources>(
        reader: &R,
        selectors: &[&Selector],
    ) -> Result<Self, ApiError> {
        let shelves = Self::default();
        if selectors.len() < 2 {
            return Ok(shelves);
        }
        let vaults = match all_vaults(reader).await {
            Ok(vaults) => vaults,
            // Whoever may not list vaults may still list what is in the one they know.
            Err(err) if err.may_mean_absence() => return Ok(shelves),
            Err(err) => return Err(err),
        };
        let mut single: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut anywhere: BTreeSet<&str> = BTreeSet::new();
        for selector in selectors {
            match (&selector.vault, &selector.resource) {
                // A vault that another account shares is in no listing of vaults.
                (Some(_), _) if selector.vault_account.is_some() => {}
                (Some(vault), Some(resource)) => {
                    single.entry(vault).or_default().insert(resource);
                }
                (None, Some(resource)) => {
                    anywhere.insert(resource);
                }
                _ => {}
            }
        }
        let pages = |vault: &Vault| vault.recovery_points.map(|n| n.div_ceil(PAGE).max(1));
        let all: Option<u64> = vaults.iter().map(pages).sum();
        // Without a vault each resource costs a call for its vaults, and one for each of them.
        let everything = all.is_some_and(|all| all < 2 * anywhere.len() as u64);
        let chosen = vaults
            .iter()
            .filter(|vault| {
                let wanted = single.get(vault.name.as_str()).map_or(0, BTreeSet::len);
                everything || pages(vault).is_some_and(|pages| pages < wanted as u64)
            })
            .map(|vault| vault.name.as_str());
        let listed = chosen.map(async |vault| {
            let query = PointQuery::InVault {
                vault: VaultName::own(vault),
                resource_arn: None,
                resource_type: None,
            };
            match all_points(reader, &query).await {
                Ok(points) => Ok(Some((vault.to_owned(), points))),
                Err(err) if err.may_mean_absence() => Ok(None),
                Err(err) => Err(err),
            }
        });
        let mut whole = BTreeMap::new();
        let take = |listed: Option<(String, Vec<RecoveryPoint>)>| {
            let Some((vault, points)) = listed else {
                return;
            };
            let mut by_resource: HashMap<String, Vec<RecoveryPoint>> = HashMap::new();
            for point in points {
                by_resource
                    .entry(point.resource_arn.clone())
                    .or_default()
                    .push(point);
            }
            whole.insert(vault, by_resource);
        };
        ask_all(listed, take).await?;
        Ok(Self {
            whole,
            vaults: OnceCell::new_with(Some(vaults)),
            ..shelves
        })
    }

    /// The recovery point that a selector means.
    ///
    /// # Errors
    ///
    /// Where AWS does not answer.
    pub async fn choose<R: Sources>(
        &self,
        reader: &R,
        asked: &Selection<'_>,
    ) -> Result<Result<RecoveryPoint, Unselected>, ApiError> {
        let selector = asked.selector;
        let mut points = match self.offer(reader, selector).await? {
            Ok(points) => points,
            Err(refusal) => {
                let vaults = self.names(reader).await;
                return Ok(Err(Unselected::Refused(refusal.to_string(), vaults)));
            }
        };
        let unselected = match select(&points, asked) {
            Ok(point) => return Ok(Ok(point.clone())),
            Err(unselected) => unselected,
        };
        let (Unselected::None(_), Some(_), Some(resource), None) = (
            &unselected,
            &selector.vault,
            &selector.resource,
            &selector.vault_account,
        ) else {
            return Ok(Err(unselected));
        };
        // Recovery points in other vaults are no choice, but may be the reason.
        let query = PointQuery::OfResource {
            resource_arn: resource.clone(),
        };
        let elsewhere = self.ask(reader, query).await?.unwrap_or_default();
        points.extend(
            elsewhere
                .iter()
                .filter(|point| Some(&point.vault) != selector.vault.as_ref())
                .cloned(),
        );
        Ok(select(&points, asked).cloned())
    }

    /// The recovery points that a selector chooses from, or AWS's refusal to list them.
    ///
    /// # Errors
    ///
    /// Where AWS does not answer.
    pub(super) async fn offer<R: Sources>(
        &self,
        reader: &R,
        selector: &Selector,
    ) -> Result<Result<Vec<RecoveryPoint>, ApiError>, ApiError> {
        let vaults = match (&selector.vault, &selector.resource) {
            (Some(_), _) => selector.vault_name().into_iter().collect(),
            (None, Some(resource)) => match self.vaults_of(reader, resource).await? {
                Ok(vaults) => vaults.iter().map(|name| VaultName::own(name)).collect(),
                Err(refusal) => return Ok(Err(refusal)),
            },
            (None, None) => Vec::new(),
        };
        let mut offer = Vec::new();
        for vault in vaults {
            if vault.account.is_none()
                && let Some(shelf) = self.whole.get(&vault.name)
            {
                match &selector.resource {
                    Some(resource) => {
                        offer.extend(shelf.get(resource).into_iter().flatten().cloned())
                    }
                    None => offer.extend(shelf.values().flatten().cloned()),
                }
                continue;
            }
            let query = PointQuery::InVault {
                vault,
                resource_arn: selector.resource.clone(),
                resource_type: None,
            };
            match self.ask(reader, query).await? {
                Ok(points) => offer.extend(points.iter().cloned()),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(offer))
    }

    /// The names of all vaults, for what might have been meant.
    async fn names<R: Sources>(&self, reader: &R) -> Vec<String> {
        let vaults = self.vaults.get_or_try_init(|| all_vaults(reader)).await;
        let vaults = vaults.map_or(&[][..], Vec::as_slice);
        vaults.iter().map(|vault| vault.name.clone()).collect()
    }

    async fn vaults_of<R: Sources>(
        &self,
        reader: &R,
        resource: &str,
    ) -> Result<Result<Vec<String>, ApiError>, ApiError> {
        let count = self.vaults.get().map_or(0, Vec::len);
        if count > 0 && self.whole.len() == count {
            return Ok(Ok(self.whole.keys().cloned().collect()));
        }
        let query = PointQuery::OfResource {
            resource_arn: resource.to_owned(),
        };
        Ok(self.ask(reader, query).await?.map(|points| {
            let vaults: BTreeSet<&str> = points.iter().map(|point| point.vault.as_str()).collect();
            vaults.into_iter().map(str::to_owned).collect()
        }))
    }

    async fn ask<R: Sources>(&self, reader: &R, query: PointQuery) -> Result<Offer, ApiError> {
        let cell = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(asked.entry(query.clone()).or_default())
        };
        let answer = cell.get_or_try_init(async || match all_points(reader, &query).await {
            Err(err) if !err.may_mean_absence() => Err(err),
            answer => Ok(answer.map(Arc::from)),
        });
        answer.await.cloned()
    }
}
