//! Open requests against a model of AWS, in any order of answers, deaths and sleeps: no second job, and none lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::open_request::LISTING_LAG;
use super::*;
use crate::backup::{ApiError, Fault, JobStatus, Operation, Started};
use crate::execute::Policy;
use crate::execute::calls::DueCall;
use crate::execute::skew::{Moment, Skew};
use crate::ids::{AccountId, IdempotencyToken, JobId, RestoreName};
use crate::plan::{MARK, Request, TokenedRequest, mark};
use crate::state::{RestoreStage, RestoreState};

const POINT: &str = "arn:aws:backup:us-east-1:111122223333:recovery-point:1";
const ACCOUNT: &str = "111122223333";

fn token() -> IdempotencyToken {
    IdempotencyToken::new("rd1-0123456789012345678901234567890123456789")
}

/// Event that happens next, where there is a choice.
#[derive(Clone, Copy, Debug)]
enum Chance {
    Answered,
    LostAfterArrival,
    LostBefore,
    Throttled,
    Refused,
    /// The runner dies, and another takes up what the journal says.
    Dies,
    /// The machine sleeps for an hour.
    Sleeps,
    /// The run begins to stop.
    Drains,
    /// Somebody else asks for the same by hand.
    Stranger,
}

fn chance() -> impl Strategy<Value = Chance> {
    prop_oneof![
        6 => Just(Chance::Answered),
        4 => Just(Chance::LostAfterArrival),
        3 => Just(Chance::LostBefore),
        2 => Just(Chance::Throttled),
        2 => Just(Chance::Refused),
        1 => Just(Chance::Dies),
        1 => Just(Chance::Sleeps),
        1 => Just(Chance::Drains),
        1 => Just(Chance::Stranger),
    ]
}

/// AWS. It remembers tokens for as long as it was documented to and lists late, or forgets them at once and lists at once:
/// where it does both, nobody can tell.
#[derive(Debug)]
struct SimulatedAws {
    forgets_at_once: bool,
    is_marked: bool,
    jobs: Vec<(Job, bool)>,
}

impl SimulatedAws {
    fn lag(&self) -> SignedDuration {
        match self.forgets_at_once {
            true => SignedDuration::ZERO,
            false => LISTING_LAG,
        }
    }

    fn make(&mut self, now: Timestamp, is_own: bool) -> JobId {
        let id = JobId::new(format!("job-{}", self.jobs.len()));
        let job = Job {
            id: id.clone(),
            status: JobStatus::Running,
            recovery_point_arn: Some(POINT.to_owned()),
            created_at: Some(now),
            account: Some(AccountId::new(ACCOUNT)),
            message: None,
            created_resource_arn: None,
            completed_at: None,
            resource_type: None,
            is_parent: false,
            parent: None,
            recovery_point_created_at: None,
            source_resource_arn: None,
            size_bytes: None,
        };
        self.jobs.push((job, is_own));
        id
    }

    fn start(&mut self, now: Timestamp) -> JobId {
        let memory = SignedDuration::from_mins(60);
        let known = self.own().find(|job| {
            let age = job.created_at.map(|at| now.duration_since(at));
            !self.forgets_at_once && age.is_some_and(|age| age < memory)
        });
        match known.map(|job| job.id.clone()) {
            Some(id) => id,
            None => self.make(now, true),
        }
    }

    fn own(&self) -> impl Iterator<Item = &Job> {
        let own = self.jobs.iter().filter(|(_, is_own)| *is_own);
        own.map(|(job, _)| job)
    }

    fn listed(&self, now: Timestamp) -> Vec<Job> {
        let shows = |job: &&Job| job.created_at.is_some_and(|at| now >= at + self.lag());
        let jobs = self.jobs.iter().map(|(job, _)| job);
        jobs.filter(shows).cloned().collect()
    }

    fn metadata(&self, id: &JobId) -> BTreeMap<String, String> {
        let mut metadata = BTreeMap::from([("novelKey".to_owned(), "orders".to_owned())]);
        let is_own = self.own().any(|job| job.id == *id);
        if is_own && self.is_marked {
            metadata.insert(MARK.to_owned(), mark(&token()));
        }
        metadata
    }
}

/// Outcome of a request.
#[derive(Debug)]
enum RequestOutcome {
    Has(JobId),
    Refused,
    NotSent,
    LeftOpen,
    Stopped,
}

fn request(is_marked: bool) -> Arc<TokenedRequest> {
    let request = Request {
        metadata: [("novelKey".to_owned(), "orders".to_owned())]
            .into_iter()
            .collect(),
        recovery_point_arn: POINT.to_owned(),
        resource_type: "Novel".to_owned(),
        ..Request::default()
    };
    let request = match is_marked {
        true => request.with_mark(&token()),
        false => request,
    };
    Arc::new(TokenedRequest::new(request, &token()))
}

fn error(fault: Fault) -> ApiError {
    ApiError {
        operation: Operation::StartRestoreJob,
        fault,
        code: None,
        request_id: None,
        message: "no".to_owned(),
    }
}

fn run(aws: &mut SimulatedAws, chances: &[Chance]) -> RequestOutcome {
    let mut now: Timestamp = "2026-11-20T03:00:00Z".parse().unwrap();
    let mut chances = chances.iter().copied();
    let mut past = RestoreState::new(now, RestoreStage::Intended);
    past.is_marked = aws.is_marked;
    past.aws_at = Some(now);
    let policy = Policy::default();
    let metadata = JobMetadata::default();
    let mut is_drained = false;
    let mut listed_at = Moment {
        here: now,
        aws: Some(now),
    };
    let mut open = OpenRequest::new(request(aws.is_marked));
    let mut next = Next::Call(DueCall::Start, now);
    for _ in 0..1_000 {
        let (call, at) = match next {
            Next::Call(call, at) => (call, at.max(now)),
            Next::Retry(call, _) => (call, now + SignedDuration::from_secs(1)),
            Next::Follow(Started { job_id, .. }) => return RequestOutcome::Has(job_id),
            Next::Adopt(adoption) => return RequestOutcome::Has(adoption.job_id),
            Next::Refuse(_) => return RequestOutcome::Refused,
            Next::NotSent => return RequestOutcome::NotSent,
            Next::LeaveOpen => return RequestOutcome::LeftOpen,
            Next::Stop(_) => return RequestOutcome::Stopped,
            next => panic!("nothing comes of {next:?}"),
        };
        now = at + SignedDuration::from_secs(1);
        let chance = chances.next().unwrap_or(Chance::Answered);
        match chance {
            Chance::Sleeps => now += SignedDuration::from_hours(1),
            Chance::Drains => is_drained = true,
            Chance::Stranger => {
                aws.make(now, false);
            }
            _ => {}
        }
        let moment = Moment {
            here: now,
            aws: Some(now),
        };
        let account = AccountId::new(ACCOUNT);
        macro_rules! sight {
            () => {
                &Sight {
                    restore: &RestoreName::new("orders"),
                    attempt: 1,
                    kin_of_mark: &|_, _| None,
                    account: &account,
                    now: moment,
                    skew: Skew::default(),
                    listed_at,
                    past: Some(&past),
                    policy: &policy,
                    is_drained,
                    metadata: &metadata,
                    is_own: &|_| false,
                }
            };
        }
        if matches!(chance, Chance::Dies) {
            listed_at = moment;
            open = OpenRequest::new(request(aws.is_marked)).exposed(listed_at);
            let since = moment.left(&past).sent_since(Skew::default());
            let listed = aws.listed(now);
            let found = Reconciliation::of(
                ReconciliationReason::Unanswered,
                listed,
                Some(since),
                listed_at,
            );
            next = open.reconcile(found, sight!());
            continue;
        }
        next = match call {
            DueCall::Start => match open.on_due(sight!()) {
                Some(next) => next,
                None => match chance {
                    Chance::LostAfterArrival => {
                        aws.start(now);
                        open.on_error(moment, error(Fault::Unreachable), sight!())
                    }
                    Chance::LostBefore => open.on_error(moment, error(Fault::Service), sight!()),
                    Chance::Throttled => open.on_error(moment, error(Fault::Throttled), sight!()),
                    Chance::Refused => open.on_error(moment, error(Fault::Refused), sight!()),
                    _ => {
                        let job_id = aws.start(now);
                        let started = Started {
                            job_id,
                            request_id: None,
                        };
                        open.on_started(moment, started, None, sight!())
                    }
                },
            },
            DueCall::List => open.on_page(aws.listed(now), None, sight!()),
            _ => match open.next_call(&metadata) {
                Some(ReconciliationStart::Read(at)) => {
                    let id = open.job(at).unwrap().id.clone();
                    open.on_metadata(&id, &aws.metadata(&id), sight!())
                }
                other => panic!("{call:?} has {other:?} to do"),
            },
        };
    }
    panic!("it never ends");
}

/// Returns a configuration that takes a second, or as many cases as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.max(2_000),
        failure_persistence: None,
        ..config
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_request_has_one_job_whatever_is_lost(
        forgets_at_once: bool,
        is_marked: bool,
        chances in proptest::collection::vec(chance(), 0..24),
    ) {
        let mut aws = SimulatedAws { forgets_at_once, is_marked, jobs: Vec::new() };
        let outcome = run(&mut aws, &chances);
        let own: BTreeSet<&str> = aws.own().map(|job| job.id.as_str()).collect();
        prop_assert!(own.len() <= 1, "{:?} after {:?}", aws.jobs, outcome);
        match outcome {
            // A job made since then, with no mark to tell them apart, is taken for the one that was asked for.
            RequestOutcome::Has(job) => prop_assert!(own.contains(job.as_str()) || !is_marked && own.is_empty()),
            RequestOutcome::Refused | RequestOutcome::NotSent => prop_assert!(own.is_empty(), "{own:?} is lost"),
            RequestOutcome::LeftOpen | RequestOutcome::Stopped => {}
        }
    }
}

/// A runner dies whose copies AWS has accepted and does not list yet; the next one sends, and AWS refuses, as it does where the
/// resource is being made by then. The refusal is not believed before the listing can show the job.
#[test]
fn a_refusal_after_a_death_is_believed_once_the_listing_has_caught_up() {
    let mut aws = SimulatedAws {
        forgets_at_once: false,
        is_marked: true,
        jobs: Vec::new(),
    };
    let chances = [
        Chance::LostAfterArrival,
        Chance::Answered,
        Chance::Dies,
        Chance::Refused,
    ];
    let outcome = run(&mut aws, &chances);
    assert!(
        matches!(&outcome, RequestOutcome::Has(job) if job == "job-0"),
        "{outcome:?}"
    );
}
