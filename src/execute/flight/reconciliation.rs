//! Does the job of a request exist already?
//!
//! Asked in two cases. A request may have left without an answer, and its token cannot be trusted any more: AWS
//! documents a token without a lifetime today and said «one hour» in 2019
//! (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>). Or a run begins without a
//! journal, and may have run before, elsewhere. `ListRestoreJobs` has no filter by recovery point or token: a window is
//! listed, and the metadata of what is left is compared, a call each.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use crate::backup::{ApiError, Job, JobQuery, JobStatus, Operation, Pages};
use crate::execute::skew::Moment;
use crate::ids::{AccountId, JobId};
use crate::plan::{MARK, Request, TokenedRequest, mark};

/// A job that asks for the same as a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::execute) struct Match {
    pub(in crate::execute) job_id: JobId,
    pub(in crate::execute) kin: Kin,
    pub(in crate::execute) created_at: Option<Timestamp>,
    /// True if it has ended and brought nothing back.
    pub(in crate::execute) has_failed: bool,
}

impl Match {
    /// Returns true if it has the mark that redrill leaves, made from this very token.
    pub(in crate::execute) fn is_marked(&self) -> bool {
        self.kin == Kin::Marked
    }
}

/// Reason for a reconciliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::execute) enum ReconciliationReason {
    /// Nothing has been sent by this run, as far as its journal knows.
    First,
    /// The request may have arrived.
    Unanswered,
    /// AWS does not know the job that it has answered with.
    Lost,
}

/// The question about one request, and how far the answer is.
#[derive(Debug)]
pub(in crate::execute) struct Reconciliation {
    pub(in crate::execute) why: ReconciliationReason,
    /// Query still to be listed, and the page to continue from.
    pub(in crate::execute) listing: Option<(JobQuery, Pages)>,
    /// Jobs of the recovery point that are still to be compared.
    pub(in crate::execute) jobs: Vec<Job>,
    /// Jobs that ask for the same.
    pub(in crate::execute) matches: Vec<Match>,
    /// From when on jobs were listed, by AWS's clock.
    pub(in crate::execute) since: Option<Timestamp>,
    /// Time when the listing was asked for.
    pub(in crate::execute) listed_at: Moment,
}

impl Reconciliation {
    /// About jobs that have been listed already.
    pub(in crate::execute) fn of(
        why: ReconciliationReason,
        jobs: Vec<Job>,
        since: Option<Timestamp>,
        listed_at: Moment,
    ) -> Self {
        Self {
            why,
            listing: None,
            jobs,
            matches: Vec::new(),
            since,
            listed_at,
        }
    }

    /// About jobs that have to be listed first.
    pub(in crate::execute) fn listing(
        why: ReconciliationReason,
        query: JobQuery,
        now: Moment,
    ) -> Self {
        let since = query.created_after;
        Self {
            listing: Some((query, Pages::default())),
            ..Self::of(why, Vec::new(), since, now)
        }
    }

    /// A page of the listing has come.
    pub(in crate::execute) fn listed(
        &mut self,
        jobs: Vec<Job>,
        next: Option<String>,
        request: &TokenedRequest,
    ) -> Result<(), ApiError> {
        let goes_on = match &mut self.listing {
            Some((_, pages)) => pages.turn(Operation::ListRestoreJobs, next, &jobs)?,
            None => false,
        };
        let account = self
            .listing
            .as_ref()
            .map(|(query, _)| query.account.clone())
            .unwrap_or_default();
        let fits = |job: &Job| {
            job.recovery_point_arn.as_deref() == Some(request.recovery_point_arn.as_str())
                && is_of(job, &account)
        };
        self.jobs.extend(jobs.into_iter().filter(fits));
        if !goes_on {
            self.listing = None;
        }
        Ok(())
    }

    /// Compares the jobs whose metadata is known already.
    pub(in crate::execute) fn compare_read(
        &mut self,
        metadata: &JobMetadata,
        request: &TokenedRequest,
        kin_of_mark: KinOfMark<'_>,
    ) {
        let jobs = self.jobs.iter();
        let read: Vec<_> = jobs
            .filter_map(|job| metadata.read.get_key_value(&job.id))
            .collect();
        for (job_id, metadata) in read {
            self.compare(job_id, metadata, request, kin_of_mark);
        }
    }

    /// The metadata of one of the jobs has come.
    pub(in crate::execute) fn compare(
        &mut self,
        job_id: &JobId,
        metadata: &BTreeMap<String, String>,
        request: &TokenedRequest,
        kin_of_mark: KinOfMark<'_>,
    ) {
        let Some(at) = self.jobs.iter().position(|job| job.id == *job_id) else {
            return;
        };
        let job = self.jobs.swap_remove(at);
        if let Some(kin) = kin(metadata, request, kin_of_mark) {
            self.matches.push(Match {
                job_id: job.id,
                kin,
                created_at: job.created_at,
                has_failed: job.status.is_final() && job.status != JobStatus::Completed,
            });
        }
    }
}

/// The metadata of jobs, as AWS tells it: what they were asked for. It is kept where several restores are compared with it.
#[derive(Debug, Default)]
pub(in crate::execute) struct JobMetadata {
    read: HashMap<JobId, BTreeMap<String, String>>,
    being_read: HashSet<JobId>,
}

impl JobMetadata {
    /// Returns true if nobody has asked about a job.
    pub(in crate::execute) fn is_unread(&self, job_id: &JobId) -> bool {
        !self.read.contains_key(job_id) && !self.being_read.contains(job_id)
    }

    /// A job is being asked about.
    pub(in crate::execute) fn begin(&mut self, job_id: &JobId) {
        self.being_read.insert(job_id.clone());
    }

    /// The answer has come, or will not.
    pub(in crate::execute) fn end(&mut self, job_id: &JobId) {
        self.being_read.remove(job_id);
    }

    /// Keeps the answer for others.
    pub(in crate::execute) fn keep(&mut self, job_id: &JobId, metadata: BTreeMap<String, String>) {
        self.read.insert(job_id.clone(), metadata);
    }
}

/// Returns true if a job belongs to an account, as far as AWS says.
pub(in crate::execute) fn is_of(job: &Job, account: &AccountId) -> bool {
    let whose = job.account.as_ref();
    whose.is_none_or(|whose| account.as_str().is_empty() || whose == account)
}

/// Likeness of a job to a request by its mark, which is not that of the request's token; none if the mark is another
/// restore's or another run's.
pub(in crate::execute) type KinOfMark<'a> =
    &'a dyn Fn(&str, &BTreeMap<String, String>) -> Option<Kin>;

/// Rebuilds the request of a job from what AWS tells of it, if it restores the recovery point of a request.
pub(in crate::execute) fn asked_for(
    metadata: &BTreeMap<String, String>,
    request: &Request,
) -> Request {
    let metadata = metadata.iter();
    let unmarked = metadata.filter(|(key, _)| !key.eq_ignore_ascii_case(MARK));
    Request {
        metadata: unmarked
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        idempotency_token: None,
        ..request.clone()
    }
}

/// Finds the attempt of a mark among [`crate::plan::attempt_marks`].
pub(in crate::execute) fn attempt_among(marks: &[String], mark: &str) -> Option<u32> {
    let mut marks = (1..).zip(marks);
    marks.find_map(|(attempt, of)| of.eq_ignore_ascii_case(mark).then_some(attempt))
}

/// Likeness of a job to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::execute) enum Kin {
    /// Carries the mark of its token, which nobody else uses.
    Marked,
    /// Carries the mark of another attempt of the same restore, with its number.
    Attempt(u32),
    /// Carries the mark of the same restore of this run, which asked for something else then.
    Changed,
    /// Asks for the same, as far as AWS says.
    Alike,
}

/// Compares a job of a request's recovery point with the request, by the metadata that AWS gives; none if it is
/// another's. AWS may write keys and marks in another case, leave keys out and add some: only what is known to differ
/// tells them apart.
pub(in crate::execute) fn kin(
    metadata: &BTreeMap<String, String>,
    request: &TokenedRequest,
    kin_of_mark: KinOfMark<'_>,
) -> Option<Kin> {
    let (wanted, given) = folded(request.metadata.iter());
    let (found, other) = folded(metadata.iter());
    // A value that the plan gives itself is the same in every run of it, and marks none.
    let own = mark(request.token());
    let is = |a: Option<&str>, b: Option<&str>| {
        a.zip(b)
            .is_some_and(|(a, b)| a.trim().eq_ignore_ascii_case(b.trim()))
    };
    // The mark is made from all of the request, whatever AWS makes of a value.
    if is(other, Some(&own)) {
        return Some(Kin::Marked);
    }
    if !is(other, given)
        && let Some(mark) = other
        && is_made_here(mark)
    {
        // Another attempt or another run asked for it, and said so.
        return kin_of_mark(mark.trim(), metadata);
    }
    let mut shared = 0;
    for (key, value) in &wanted {
        match found.get(key) {
            Some(other) if is_same(value, other) => shared += 1,
            Some(_) => return None,
            None => {}
        }
    }
    // Nothing tells them apart either if AWS gives nothing back.
    (shared > 0 || wanted.is_empty() || found.is_empty()).then_some(Kin::Alike)
}

/// Returns true if two values ask for the same.
fn is_same(a: &str, b: &str) -> bool {
    let is_flag =
        |text: &str| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    if a == b || is_flag(a) && a.eq_ignore_ascii_case(b) {
        return true;
    }
    // Lists and maps, which may be written anew.
    let json = |text: &str| {
        let is_whole = text.starts_with(['{', '[']);
        is_whole.then(|| serde_json::from_str::<serde_json::Value>(text).ok())?
    };
    json(a).is_some_and(|a| json(b) == Some(a))
}

/// Returns true if redrill made a mark.
fn is_made_here(mark: &str) -> bool {
    uuid::Uuid::parse_str(mark.trim()).is_ok_and(|mark| mark.get_version_num() == 5)
}

/// Keys without case, which AWS does not keep for every type; the mark apart.
fn folded<'a>(
    metadata: impl Iterator<Item = (&'a String, &'a String)>,
) -> (BTreeMap<String, &'a str>, Option<&'a str>) {
    let mut folded: BTreeMap<String, &str> = metadata
        .map(|(key, value)| (key.to_lowercase(), value.as_str()))
        .collect();
    let mark = folded.remove(MARK);
    (folded, mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdempotencyToken;
    use crate::plan::Request;

    fn metadata(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// Reliability R1.2: marks and keys in other letters, more keys, fewer keys.
    #[test]
    fn reliability_r1_2_a_job_is_known_however_aws_writes_it() {
        let token = IdempotencyToken::new("rd1-0123456789012345678901234567890123456789");
        let mark = mark(&token);
        let upper = mark.to_uppercase();
        let request = Request {
            metadata: [
                ("targetTableName", "orders"),
                ("encryptionType", "Default"),
                ("ItemsToRestore", r#"["/a", "/b"]"#),
            ]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
            ..Request::default()
        }
        .with_mark(&token);
        let request = TokenedRequest::new(request, &token);
        let same = [("targetTableName", "orders"), ("encryptionType", "Default")];
        let with = |more: &[(&str, &str)]| metadata(&[&same[..], more].concat());
        let another = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, b"another").to_string();
        for (found, expected) in [
            (with(&[(MARK, &mark)]), Some(Kin::Marked)),
            (with(&[(MARK, &upper)]), Some(Kin::Marked)),
            (
                with(&[("AWS:Backup:Request-Id", &upper)]),
                Some(Kin::Marked),
            ),
            // The mark is enough, whatever became of the rest.
            (metadata(&[(MARK, &mark)]), Some(Kin::Marked)),
            (
                metadata(&[(MARK, &mark), ("targetTableName", "x")]),
                Some(Kin::Marked),
            ),
            // Without it, what is known has to be the same.
            (with(&[]), Some(Kin::Alike)),
            (with(&[("aws:something", "new")]), Some(Kin::Alike)),
            (
                with(&[("itemsToRestore", r#"["/a","/b"]"#)]),
                Some(Kin::Alike),
            ),
            (with(&[("itemsToRestore", r#"["/a"]"#)]), None),
            (metadata(&[("TARGETTABLENAME", "orders")]), Some(Kin::Alike)),
            (metadata(&[("targetTableName", "Orders")]), None),
            (metadata(&[("something", "else")]), None),
            // AWS gives nothing back.
            (metadata(&[]), Some(Kin::Alike)),
            // The console writes marks of its own; those of another run are another run's.
            (
                with(&[(MARK, "0B9EB4C8-2A5C-4F44-9D4C-9B1B0E0C7A11")]),
                Some(Kin::Alike),
            ),
            (with(&[(MARK, &another)]), None),
        ] {
            assert_eq!(kin(&found, &request, &|_, _| None), expected, "{found:?}");
        }
    }

    /// Reliability R1.4: a mark that the plan gives is the same in every run, and says nothing of whose a job is.
    #[test]
    fn reliability_r1_4_a_mark_of_the_plans_own_marks_none() {
        let own = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, b"mine").to_string();
        let found = metadata(&[("k", "v"), (MARK, &own)]);
        let token = IdempotencyToken::new("rd1-1");
        let request = Request {
            metadata: [("k", "v"), (MARK, own.as_str())]
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            ..Request::default()
        }
        .with_mark(&token);
        let request = TokenedRequest::new(request, &token);
        assert_eq!(kin(&found, &request, &|_, _| None), Some(Kin::Alike));
    }
}
