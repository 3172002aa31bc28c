//! From what is to be deleted to the proof that it is gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::one::{DeletionOutcome, One};
use super::{Disposition, ExistingResource, Item, Named};
use crate::backup::{ApiError, Clock, Pace};
use crate::execute::{Control, Ended};
use crate::ids::ClientToken;
use crate::state::{Append, Event, JournalError, Recorded};

/// Number of deletions that are recorded before AWS has answered them: a second's worth at its rate. A deletion that is
/// recorded and not requested when the process ends is requested by whoever goes on.
const UNASKED: usize = 25;

/// Resources of any type, by the names that Cloud Control API has for them.
pub trait Resources: Send + Sync {
    /// Reads a resource (GetResource); `None` where there is none.
    fn find(
        &self,
        named: &Named,
    ) -> impl Future<Output = Result<Option<ExistingResource>, ApiError>> + Send;

    /// Asks for its deletion (DeleteResource).
    fn delete(
        &self,
        named: &Named,
        token: &ClientToken,
    ) -> impl Future<Output = Result<DeleteAnswer, ApiError>> + Send;

    /// Returns the progress of a request (GetResourceRequestStatus).
    fn progress(
        &self,
        named: &Named,
        request: &str,
    ) -> impl Future<Output = Result<DeletionProgress, ApiError>> + Send;
}

/// Answer of AWS to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteAnswer {
    /// Token to follow the request by.
    Request(String),
    /// Deletion already under way, by somebody else's request.
    UnderWay,
    /// Resource that is not there.
    Gone,
}

/// Progress of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletionProgress {
    /// Request in progress.
    UnderWay,
    /// Request that is done.
    Done,
    /// Failure of the request: AWS's words.
    Failed(String),
}

/// Outcome of a cleanup.
#[derive(Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// End of the cleanup: everything was looked at, or somebody wanted to leave before.
    pub ended: Ended,
    /// Number of resources that were deleted, and are gone now.
    pub gone: usize,
    /// Number of resources that had gone before anybody asked for it.
    pub already_gone: usize,
    /// Items that are left, and why.
    pub left: Vec<(Item, String)>,
}

/// Reason for the stop of a cleanup: what was requested goes on at AWS, and the same command takes it up again.
#[derive(Debug, thiserror::Error)]
pub enum CleanupStopped {
    /// The disk.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// AWS, the network or the credentials.
    #[error(transparent)]
    Aws(#[from] ApiError),
}

/// Everything that a cleanup works with.
pub struct Deletions<'a, R, J, C> {
    /// AWS.
    pub resources: Arc<R>,
    /// Pace of the calls.
    pub pace: Pace,
    /// The journal of the run.
    pub journal: J,
    /// Time.
    pub clock: C,
    /// Sees every event, after it is on disk.
    pub observer: &'a mut dyn FnMut(&Recorded),
    /// Requests to leave: after the calls that are under way, or at once.
    pub control: UnboundedReceiver<Control>,
}

/// Outcomes of the items of a level, by their places in it.
type Outcomes = BTreeMap<usize, DeletionOutcome>;

/// Progress of one level.
struct DeletionLevel<'a> {
    items: &'a [Item],
    /// Items whose deletion has not been requested.
    waiting: VecDeque<usize>,
    tasks: JoinSet<(usize, DeletionOutcome)>,
    /// Number of tasks that AWS has not answered.
    unasked: usize,
    outcomes: Outcomes,
    /// The first error that is not about one resource alone.
    error: Option<ApiError>,
}

impl<R, J, C> Deletions<'_, R, J, C>
where
    R: Resources + 'static,
    J: Append,
    C: Clock + Clone + 'static,
{
    /// Deletes level after level, what is in one at once: what needs something is gone before that goes.
    ///
    /// # Errors
    ///
    /// Where it cannot go on.
    pub async fn carry_out(mut self, levels: &[Vec<Item>]) -> Result<Cleaned, CleanupStopped> {
        let mut cleaned = Cleaned {
            ended: Ended::Finished,
            gone: 0,
            already_gone: 0,
            left: Vec::new(),
        };
        let mut said = BTreeSet::new();
        for items in levels {
            let mut events = Vec::new();
            for item in items {
                if let (Disposition::Left(why), Some(arn)) = (&item.disposition, &item.arn)
                    && said.insert((&item.restore, arn))
                {
                    events.push(left(item, arn, why));
                }
            }
            self.say(events).await?;
            let (mut outcomes, ended) = self.delete(items).await?;
            for (at, item) in items.iter().enumerate() {
                match (&item.disposition, outcomes.remove(&at)) {
                    (_, Some(DeletionOutcome::Gone)) => cleaned.gone += 1,
                    (Disposition::Gone, _) | (_, Some(DeletionOutcome::WasGone)) => {
                        cleaned.already_gone += 1
                    }
                    (Disposition::Left(why), _) => cleaned.left.push((item.clone(), why.clone())),
                    (_, Some(DeletionOutcome::Left(why))) => cleaned.left.push((item.clone(), why)),
                    _ => {}
                }
            }
            if ended != Ended::Finished {
                cleaned.ended = ended;
                break;
            }
        }
        Ok(cleaned)
    }

    /// Deletes what is in one level.
    async fn delete(&mut self, items: &[Item]) -> Result<(Outcomes, Ended), CleanupStopped> {
        let is_deletion = |at: &usize| matches!(items[*at].disposition, Disposition::Delete { .. });
        let mut level = DeletionLevel {
            items,
            waiting: (0..items.len()).filter(is_deletion).collect(),
            tasks: JoinSet::new(),
            unasked: 0,
            outcomes: Outcomes::new(),
            error: None,
        };
        let (leave, leaving) = watch::channel(false);
        let (answers, mut answered) = unbounded_channel();
        let mut ended = Ended::Finished;
        let mut is_controlled = true;
        loop {
            if !*leaving.borrow() {
                self.begin(&mut level, &leaving, &answers).await?;
            }
            if level.tasks.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                control = self.control.recv(), if is_controlled => match control {
                    // The calls under way are dropped with their tasks; AWS goes on with what it was asked for.
                    Some(Control::Now) => return Ok((level.outcomes, Ended::Interrupted)),
                    Some(Control::Detach) => {
                        ended = Ended::Detached;
                        leave.send_replace(true);
                    }
                    None => is_controlled = false,
                },
                Some(first) = level.tasks.join_next() => {
                    let mut done: Vec<_> = first.into_iter().collect();
                    while let Some(more) = level.tasks.try_join_next() {
                        done.extend(more);
                    }
                    self.take(&mut level, done).await?;
                    if level.error.is_some() {
                        leave.send_replace(true);
                    }
                }
                Some(()) = answered.recv() => level.unasked = level.unasked.saturating_sub(1),
            }
        }
        match level.error {
            Some(error) => Err(error.into()),
            None => Ok((level.outcomes, ended)),
        }
    }

    /// Begins as many deletions as may be recorded before AWS has answered to them.
    async fn begin(
        &mut self,
        level: &mut DeletionLevel<'_>,
        leaving: &watch::Receiver<bool>,
        answers: &UnboundedSender<()>,
    ) -> Result<(), CleanupStopped> {
        let room = UNASKED.saturating_sub(level.unasked);
        let next: Vec<usize> = level
            .waiting
            .drain(..room.min(level.waiting.len()))
            .collect();
        let all = next.iter().filter_map(|at| {
            let item = &level.items[*at];
            match (&item.disposition, &item.arn) {
                (Disposition::Delete { named, token, .. }, Some(arn)) => {
                    Some((*at, item, arn, named, token))
                }
                _ => None,
            }
        });
        let all: Vec<_> = all.collect();
        let deleting =
            |(_, item, arn, _, token): &(usize, &Item, &String, _, &ClientToken)| Event::Deleting {
                restore: item.restore.clone(),
                arn: (*arn).clone(),
                token: (*token).clone(),
            };
        self.say(all.iter().map(deleting).collect()).await?;
        for (at, _, _, named, token) in all {
            let one = One {
                resources: Arc::clone(&self.resources),
                pace: self.pace.clone(),
                clock: self.clock.clone(),
                named: named.clone(),
                token: token.clone(),
                leaving: leaving.clone(),
            };
            let answers = answers.clone();
            let task = async move { (at, one.carry_out(&answers).await) };
            level.tasks.spawn(task);
            level.unasked += 1;
        }
        Ok(())
    }

    /// Takes in what deletions have come to. What AWS has judged is said, and the rest goes on; without an answer nothing is
    /// known of a resource, and nothing is concluded.
    async fn take(
        &mut self,
        level: &mut DeletionLevel<'_>,
        mut done: Vec<(usize, DeletionOutcome)>,
    ) -> Result<(), CleanupStopped> {
        done.sort_by_key(|(at, _)| *at);
        let mut events = Vec::new();
        for (at, outcome) in done {
            let item = &level.items[at];
            let arn = item.arn.as_deref().unwrap_or_default();
            match outcome {
                DeletionOutcome::Gone | DeletionOutcome::WasGone => events.push(Event::Deleted {
                    restore: item.restore.clone(),
                    arn: arn.to_owned(),
                }),
                DeletionOutcome::Left(ref why) => events.push(left(item, arn, why)),
                DeletionOutcome::Open => continue,
                DeletionOutcome::Failed(error) => {
                    level.error.get_or_insert(error);
                    continue;
                }
            }
            level.outcomes.insert(at, outcome);
        }
        self.say(events).await
    }

    /// Records what happens, before anything follows from it.
    async fn say(&mut self, events: Vec<Event>) -> Result<(), CleanupStopped> {
        if events.is_empty() {
            return Ok(());
        }
        let at = self.clock.now();
        let recorded = |event| Recorded {
            at,
            aws_ahead: None,
            event,
        };
        let all: Vec<Recorded> = events.into_iter().map(recorded).collect();
        self.journal.append(&all).await?;
        for recorded in &all {
            (self.observer)(recorded);
        }
        Ok(())
    }
}

fn left(item: &Item, arn: &str, why: &str) -> Event {
    Event::DeletionFailed {
        restore: item.restore.clone(),
        arn: arn.to_owned(),
        message: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard};

    use jiff::Timestamp;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::backup::{FastClock, Fault, Keeping, Operation};
    use crate::ids::{AccountId, RegionName};

    #[derive(Default)]
    struct Cloud {
        records: Vec<Event>,
        under_way: usize,
        most_under_way: usize,
        asked: Vec<String>,
        /// Resource that nobody may delete.
        denied: Option<String>,
    }

    /// AWS and the journal: what is asked of the one has to be in the other.
    #[derive(Clone, Default)]
    struct SharedCloud(Arc<Mutex<Cloud>>);

    impl SharedCloud {
        fn cloud(&self) -> MutexGuard<'_, Cloud> {
            self.0.lock().unwrap()
        }

        async fn call(&self) {
            self.cloud().under_way += 1;
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            let mut cloud = self.cloud();
            cloud.most_under_way = cloud.most_under_way.max(cloud.under_way);
            cloud.under_way -= 1;
        }
    }

    impl Append for SharedCloud {
        async fn append(&mut self, events: &[Recorded]) -> Result<(), JournalError> {
            let events = events.iter().map(|recorded| recorded.event.clone());
            self.cloud().records.extend(events);
            Ok(())
        }
    }

    impl Resources for SharedCloud {
        async fn find(&self, _: &Named) -> Result<Option<ExistingResource>, ApiError> {
            self.call().await;
            Ok(None)
        }

        async fn delete(&self, named: &Named, _: &ClientToken) -> Result<DeleteAnswer, ApiError> {
            let is_of_it = |event: &Event| matches!(event, Event::Deleting { arn, .. } if *arn == named.identifier);
            assert!(self.cloud().records.iter().any(is_of_it));
            self.cloud().asked.push(named.identifier.clone());
            self.call().await;
            if self.cloud().denied.as_ref() == Some(&named.identifier) {
                return Err(ApiError {
                    operation: Operation::DeleteResource,
                    fault: Fault::Denied,
                    code: None,
                    request_id: None,
                    message: "no".to_owned(),
                });
            }
            Ok(DeleteAnswer::Request(named.identifier.clone()))
        }

        async fn progress(&self, _: &Named, _: &str) -> Result<DeletionProgress, ApiError> {
            self.call().await;
            Ok(DeletionProgress::Done)
        }
    }

    fn item(at: usize) -> Item {
        let arn = format!("r{at:03}");
        Item {
            restore: crate::ids::RestoreName::new(arn.as_str()),
            resource_type: "EBS".to_owned(),
            arn: Some(arn.clone()),
            by: None,
            ended_at: None,
            disposition: Disposition::Delete {
                named: Named {
                    type_name: "AWS::EC2::Volume".to_owned(),
                    identifier: arn,
                    is_name: false,
                    place: crate::ids::PlaceIndex::FIRST,
                },
                token: ClientToken::new(""),
                doubt: None,
            },
        }
    }

    /// Deletes so many; whoever looks on may want to leave.
    async fn deleted(
        shared: &SharedCloud,
        count: usize,
        leaves: impl Fn(&Event) -> Option<Control>,
    ) -> Result<Cleaned, CleanupStopped> {
        let (sender, control) = unbounded_channel();
        let clock = FastClock::starting(Timestamp::UNIX_EPOCH);
        let place = (&AccountId::default(), &RegionName::default());
        let pace = Pace::of([place], Keeping::Always, clock.now());
        Deletions {
            resources: Arc::new(shared.clone()),
            pace,
            journal: shared.clone(),
            clock,
            observer: &mut |recorded| {
                if let Some(control) = leaves(&recorded.event) {
                    sender.send(control).unwrap();
                }
            },
            control,
        }
        .carry_out(&[(0..count).map(item).collect()])
        .await
    }

    fn count(shared: &SharedCloud, is: impl Fn(&Event) -> bool) -> usize {
        shared
            .cloud()
            .records
            .iter()
            .filter(|event| is(event))
            .count()
    }

    #[tokio::test]
    async fn issue_14_deletions_of_a_level_go_on_at_once_and_are_recorded_before() {
        let shared = SharedCloud::default();
        let cleaned = deleted(&shared, 200, |_| None).await.unwrap();
        assert_eq!((cleaned.gone, cleaned.ended), (200, Ended::Finished));
        let cloud = shared.cloud();
        assert!(cloud.most_under_way > 5, "{}", cloud.most_under_way);
        assert!(cloud.asked.is_sorted());
        assert_eq!(cloud.records.len(), 400);
    }

    #[tokio::test]
    async fn issue_14_whoever_leaves_waits_for_no_more_than_what_was_asked_for() {
        for control in [Control::Detach, Control::Now] {
            let shared = SharedCloud::default();
            let leaves = |event: &Event| {
                let is_it = matches!(event, Event::Deleted { arn, .. } if arn == "r003");
                is_it.then_some(control)
            };
            let cleaned = deleted(&shared, 1000, leaves).await.unwrap();
            let wanted = match control {
                Control::Detach => Ended::Detached,
                Control::Now => Ended::Interrupted,
            };
            assert_eq!(cleaned.ended, wanted);
            let asked = shared.cloud().asked.len();
            assert!((4..200).contains(&asked), "{asked}");
            assert!(cleaned.left.is_empty() && cleaned.gone <= asked);
        }
    }

    #[tokio::test]
    async fn issue_14_an_error_that_is_of_all_ends_it_and_keeps_what_is_known() {
        let shared = SharedCloud::default();
        shared.cloud().denied = Some("r100".to_owned());
        let stopped = deleted(&shared, 1000, |_| None).await.unwrap_err();
        assert!(matches!(stopped, CleanupStopped::Aws(error) if error.fault == Fault::Denied));
        let gone = count(&shared, |event| matches!(event, Event::Deleted { .. }));
        assert!((1..400).contains(&gone), "{gone}");
        assert_eq!(
            count(&shared, |event| matches!(
                event,
                Event::DeletionFailed { .. }
            )),
            0
        );
    }
}
