//! AWS in every target of a run that is cleaned up: what is there, what was made again since, and what is to be deleted.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;

use super::clients::Client;
use crate::backup::{
    ApiError, Clock, Fault, Job, JobQuery, Operation, Pace, SystemClock, ask_all, each_job_page,
};
use crate::cleanup::{
    DeleteAnswer, DeletionProgress, ExistingResource, Item, Named, Resources, Survey, by_name,
    cleanup as plan_cleanup, survey, unlisted,
};
use crate::cli::exit::Failure;
use crate::execute::Stopped;
use crate::ids::{ClientToken, Indexed, PlaceIndex};
use crate::render::Target;
use crate::state::{Event, NestedJob, Places, Recorded, replay};

/// A client for each target of the run.
pub(super) struct Everywhere {
    pub(super) places: Indexed<PlaceIndex, Arc<Client>>,
    pub(super) targets: Indexed<PlaceIndex, Target>,
    pub(super) pace: Pace,
}

/// Decides what is to be done, by the journal alone.
pub(super) fn plan(
    events: &[Recorded],
    protect: &[&str],
    places: &Places,
) -> Result<Vec<Vec<Item>>, Failure> {
    let observed = replay(events).map_err(Stopped::from)?;
    Ok(plan_cleanup(events, &observed, protect, places))
}

impl Everywhere {
    /// Decides what is to be done, with what AWS says of it: nested jobs that nobody has listed are added to the
    /// events, and names that were given again are left out.
    pub(super) async fn look(
        &self,
        events: &mut Vec<Recorded>,
        protect: &[&str],
        places: &Places,
    ) -> Result<Vec<Vec<Item>>, Failure> {
        for (restore, job_id, place) in unlisted(events) {
            let Some(target) = self.targets.get(place) else {
                continue;
            };
            let query = JobQuery::nested_in(&target.account, &job_id);
            let jobs = self.jobs(place, &query).await.map_err(Failure::Aws)?;
            let own = jobs.into_iter().filter(|job| job.is_nested_in(&job_id));
            let jobs: Vec<NestedJob> = own.map(NestedJob::from).collect();
            let event = Event::Nested {
                restore,
                job_id,
                jobs,
            };
            let at = SystemClock.now();
            let aws_ahead = None;
            events.push(Recorded {
                at,
                aws_ahead,
                event,
            });
        }
        let mut levels = plan(events, protect, places)?;
        let mut known = Survey {
            found: self.found(&levels).await.map_err(Failure::Aws)?,
            ..Survey::default()
        };
        let mut since: BTreeMap<PlaceIndex, Timestamp> = BTreeMap::new();
        for (named, ended_at) in by_name(&levels) {
            if let Some(at) = ended_at {
                let since = since.entry(named.place).or_insert(at);
                *since = (*since).min(at);
            }
        }
        for (place, at) in since {
            let query = JobQuery::since(&self.targets[place].account, at);
            match self.jobs(place, &query).await {
                Ok(jobs) => {
                    known.later.insert(place, jobs);
                }
                Err(error) if matches!(error.fault, Fault::Refused | Fault::Denied) => {}
                Err(error) => return Err(Failure::Aws(error)),
            }
        }
        survey(&mut levels, events, &known, SystemClock.now());
        Ok(levels)
    }

    /// Finds the resources that exist of those to be deleted by name.
    async fn found(
        &self,
        levels: &[Vec<Item>],
    ) -> Result<BTreeMap<(PlaceIndex, String, String), Option<ExistingResource>>, ApiError> {
        let named = by_name(levels);
        let questions = named.into_iter().map(async |(named, _)| {
            match self.at(named)?.find(named).await {
                Ok(found) => Ok(Some((Survey::key(named), found))),
                // The deletion will be refused likewise, and say so of this one.
                Err(error) if matches!(error.fault, Fault::Refused | Fault::Denied) => Ok(None),
                Err(error) => Err(error),
            }
        });
        let mut all = BTreeMap::new();
        ask_all(questions, |found| all.extend(found)).await?;
        Ok(all)
    }

    /// All jobs that a query is about.
    async fn jobs(&self, place: PlaceIndex, query: &JobQuery) -> Result<Vec<Job>, ApiError> {
        let mut jobs = Vec::new();
        let take = |page| {
            jobs.extend(page);
            ControlFlow::Continue(())
        };
        each_job_page(&*self.places[place], query, take).await?;
        Ok(jobs)
    }

    fn at(&self, named: &Named) -> Result<&Client, ApiError> {
        let place = self.places.get(named.place).map(Arc::as_ref);
        place.ok_or_else(|| ApiError {
            operation: Operation::DeleteResource,
            fault: Fault::Refused,
            code: None,
            request_id: None,
            message: "it is in no target of the run".to_owned(),
        })
    }
}

/// Whoever deletes waits for each call's turn, and may leave meanwhile.
impl Resources for Everywhere {
    async fn find(&self, named: &Named) -> Result<Option<ExistingResource>, ApiError> {
        self.at(named)?.reader().find(named).await
    }

    async fn delete(&self, named: &Named, token: &ClientToken) -> Result<DeleteAnswer, ApiError> {
        self.at(named)?.reader().delete(named, token).await
    }

    async fn progress(&self, named: &Named, request: &str) -> Result<DeletionProgress, ApiError> {
        self.at(named)?.reader().progress(named, request).await
    }
}
