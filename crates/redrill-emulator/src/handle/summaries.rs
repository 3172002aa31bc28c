//! ListRestoreJobSummaries: how many jobs there were, by day, type and state.
//! <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreJobSummaries.html>

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::super::answer::Answer;
use super::super::clock::add;
use super::super::error::ApiError;
use super::super::job::Epoch;
use super::super::listing::JobFilter;
use super::{Backend, Call, LARGE};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Key by which jobs are counted.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    start: Timestamp,
    region: String,
    account: String,
    resource_type: String,
    state: String,
}

impl Backend {
    pub(super) fn list_restore_job_summaries(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            restore_job_summaries: Vec<Summary>,
            aggregation_period: &'static str,
            next_token: Option<String>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Summary {
            region: String,
            account_id: String,
            state: String,
            resource_type: String,
            count: u64,
            start_time: Epoch,
            end_time: Epoch,
        }
        let query = call.query;
        // AWS counts the last 14 days at most, the longest of the periods. ANY counts all states together, and so it is called.
        let (period, days) = query
            .one_of("AggregationPeriod", |text| match text {
                "ONE_DAY" => Some(("ONE_DAY", 1)),
                "SEVEN_DAYS" => Some(("SEVEN_DAYS", 7)),
                "FOURTEEN_DAYS" => Some(("FOURTEEN_DAYS", 14)),
                _ => None,
            })?
            .unwrap_or(("ONE_DAY", 1));
        let state = query.one_of("State", |text| {
            let states = [
                "CREATED",
                "PENDING",
                "RUNNING",
                "ABORTED",
                "COMPLETED",
                "FAILED",
                "AGGREGATE_ALL",
                "ANY",
            ];
            states.contains(&text).then(|| text.to_owned())
        })?;
        let account = query.account("AccountId", true)?;
        let resource_type = match query.text("ResourceType") {
            Some(any @ ("ANY" | "AGGREGATE_ALL")) => Some(any.to_owned()),
            _ => query.resource_type("ResourceType")?,
        };
        let together =
            |text: &Option<String>| matches!(text.as_deref(), Some("ANY" | "AGGREGATE_ALL"));
        let now = self.clock.now();
        let today = day_of(now);
        let first = add(today, -SignedDuration::from_hours(24 * (days - 1)));
        let mut counts: BTreeMap<Key, u64> = BTreeMap::new();
        let service = self.service();
        for job in service.all() {
            let own = account.as_deref().unwrap_or(&call.caller.account);
            let seen = (own == "*" || *own == *job.account)
                && call
                    .caller
                    .region
                    .as_ref()
                    .is_none_or(|r| **r == *job.region);
            let status = job.status(now).name();
            let kind = job.point.resource_type();
            let fits = together(&state) || state.as_deref().is_none_or(|state| state == status);
            let kind_fits = together(&resource_type)
                || resource_type.as_deref().is_none_or(|name| name == kind);
            if !seen || !fits || !kind_fits || job.created_at < first {
                continue;
            }
            let named = |text: &Option<String>, own: &str| match together(text) {
                true => text.clone().unwrap_or_default(),
                false => own.to_owned(),
            };
            let key = Key {
                start: if days == 1 {
                    day_of(job.created_at)
                } else {
                    first
                },
                region: job.region.to_string(),
                account: job.account.to_string(),
                resource_type: named(&resource_type, kind),
                state: named(&state, status),
            };
            *counts.entry(key).or_default() += 1;
        }
        // A client that counts the jobs that run waits for them too.
        let waited_for = match self.is_moved_by_looks() {
            true => service.all_have_changed(call.caller, &JobFilter::default(), now),
            false => None,
        };
        drop(service);
        let summaries = counts
            .into_iter()
            .map(|(key, count)| Summary {
                region: key.region,
                account_id: key.account,
                state: key.state,
                resource_type: key.resource_type,
                count,
                end_time: Epoch(add(key.start, SignedDuration::from_hours(24 * days))),
                start_time: Epoch(key.start),
            })
            .collect();
        let (restore_job_summaries, next_token) = self.page(call, LARGE, summaries)?;
        self.looked_at(waited_for);
        Ok(Answer::json(&Page {
            restore_job_summaries,
            aggregation_period: period,
            next_token,
        }))
    }
}

/// Midnight, UTC.
fn day_of(at: Timestamp) -> Timestamp {
    let seconds = at.as_second().rem_euclid(DAY.as_secs());
    Timestamp::from_second(at.as_second() - seconds).unwrap_or(at)
}
