//! The course of a job, settled when it is created.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::clock::add;
use super::job::{Job, Outcome};
use super::metadata::Metadata;
use super::point::Point;
use super::refusals::JobEnd;
use super::resource_types::{self, PENDING, Place, ResourceType};
use redrill_inventory::Arn;
use redrill_inventory::{Hang, RestoreBehaviour};

/// Effect of a fault script on one job, in place of its normal course.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobFault {
    /// Ends FAILED with this StatusMessage.
    Fails(String),
    /// Ends ABORTED with this StatusMessage.
    Aborts(String),
    /// Ends COMPLETED with this StatusMessage.
    Issues(String),
    /// Runs and never ends.
    Hangs,
    /// Never runs.
    Waits,
    /// Takes this many times as long.
    Slow(u32),
    /// Ends COMPLETED, and CreatedResourceArn is not told.
    NoCreatedArn,
}

/// Inputs that a job is made of.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) id: Uuid,
    pub(super) account: Arc<str>,
    pub(super) region: Arc<str>,
    pub(super) row: Option<&'static ResourceType>,
    pub(super) point: Point,
    pub(super) body: Box<str>,
    pub(super) iam_role_arn: Option<Arc<str>>,
    /// None where the request does not say what is created.
    pub(super) created_arn: Option<String>,
    /// End that AWS was recorded to give such a job, if not a good one.
    pub(super) end: Option<JobEnd>,
    pub(super) fault: Option<&'a JobFault>,
    pub(super) parent: Option<Uuid>,
}

/// Makes the job; `turn` says when a job can run that could at an instant.
pub(super) fn settle(
    order: Order<'_>,
    now: Timestamp,
    turn: impl FnOnce(Timestamp) -> Timestamp,
) -> Job {
    let (row, point) = (order.row, &order.point);
    let usual = RestoreBehaviour::default();
    let behaviour = point.behaviour().unwrap_or(&usual);
    let duration = behaviour.duration.unwrap_or_else(|| {
        resource_types::duration(row, point.size_bytes(), point.storage_class())
    });
    let (mut outcome, mut duration) = if let Some(message) = &behaviour.fails {
        (Outcome::Failed(message.as_str().into()), duration)
    } else if let Some(message) = &behaviour.aborts {
        (Outcome::Aborted(message.as_str().into()), duration)
    } else if let Some(end) = order.end {
        match end.failed_after {
            Some(after) => (Outcome::Failed(end.message.into()), after.min(duration)),
            None => (Outcome::Issues(end.message.into()), duration),
        }
    } else if let Some(message) = &behaviour.issues {
        (Outcome::Issues(message.as_str().into()), duration)
    } else {
        (Outcome::Completed, duration)
    };
    let mut hangs = behaviour.hangs;
    let mut created_arn = order.created_arn.map(String::into_boxed_str);
    match order.fault {
        None => {}
        Some(JobFault::Fails(message)) => outcome = Outcome::Failed(message.as_str().into()),
        Some(JobFault::Aborts(message)) => outcome = Outcome::Aborted(message.as_str().into()),
        Some(JobFault::Issues(message)) => outcome = Outcome::Issues(message.as_str().into()),
        Some(JobFault::Hangs) => hangs = Some(Hang::Running),
        Some(JobFault::Waits) => hangs = Some(Hang::Pending),
        Some(JobFault::Slow(times)) => {
            let times = i32::try_from(*times).unwrap_or(i32::MAX);
            duration = duration.checked_mul(times).unwrap_or(SignedDuration::MAX);
        }
        Some(JobFault::NoCreatedArn) => created_arn = None,
    }
    let starts_at = match hangs {
        Some(Hang::Pending) => Timestamp::MAX,
        _ => turn(add(now, PENDING)),
    };
    let ends_at = match hangs {
        Some(_) => Timestamp::MAX,
        None => add(starts_at, duration),
    };
    Job {
        id: order.id,
        account: order.account,
        region: order.region,
        body: order.body,
        iam_role_arn: order.iam_role_arn,
        created_at: now,
        starts_at,
        ends_at,
        outcome,
        created_arn,
        created_arn_early: row.is_some_and(|row| row.early),
        is_parent: false,
        parent: order.parent,
        validation: None,
        point: order.point,
    }
}

/// The CreatedResourceArn of a restore, where the request says enough; `id` is what the names are made from that AWS makes.
pub(super) fn created_arn(
    row: Option<&ResourceType>,
    point: &Point,
    (account, region): (&str, &str),
    metadata: &Metadata<'_>,
    id: Uuid,
) -> Option<String> {
    let arn = Arn::parse(point.arn());
    let place = Place {
        partition: arn.map_or("aws", |arn| arn.partition),
        region: arn
            .map(|arn| arn.region)
            .filter(|region| !region.is_empty())
            .unwrap_or(region),
        account,
    };
    let mut text = Uuid::encode_buffer();
    resource_types::created_arn(
        row,
        place,
        metadata,
        id.hyphenated().encode_lower(&mut text),
    )
}
