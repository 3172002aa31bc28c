//! The rates of the accounts and Regions that are asked, for everybody who asks them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::operation::Service;
use super::{Clock, Operation, Rates};
use crate::ids::{AccountId, RegionName};

/// Policy for keeping to AWS's rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// From the first call on.
    Always,
    /// From the first answer on that throttles.
    OnceThrottled,
    /// Never, whatever AWS answers.
    Never,
}

/// The rates of every place that is asked; whoever clones it shares them.
#[derive(Clone, Debug)]
pub struct Pace {
    keeping: Keeping,
    places: Vec<Arc<RegionPace>>,
}

type Queue = tokio::sync::Mutex<()>;

/// An account and Region.
#[derive(Debug)]
struct RegionPace {
    /// None while it is asked as fast as it answers.
    rates: Mutex<Option<Rates>>,
    /// One an operation. Who comes first goes first: of thousands that wait only one looks at the clock, and nobody waits for
    /// ever.
    queues: [Queue; Operation::COUNT],
    /// One a service, for the first of each operation: none takes all that is left of the sum.
    sums: [Queue; Service::COUNT],
}

impl Pace {
    /// For accounts and Regions, such as those of the targets of a plan in their order: where one comes twice, as for another
    /// role, its rates are shared.
    #[must_use]
    pub fn of<'p>(
        places: impl IntoIterator<Item = (&'p AccountId, &'p RegionName)>,
        keeping: Keeping,
        now: Timestamp,
    ) -> Self {
        let mut known: BTreeMap<(&AccountId, &RegionName), Arc<RegionPace>> = BTreeMap::new();
        let new = || {
            Arc::new(RegionPace {
                rates: Mutex::new((keeping == Keeping::Always).then(|| Rates::published(now))),
                queues: std::array::from_fn(|_| Queue::default()),
                sums: std::array::from_fn(|_| Queue::default()),
            })
        };
        let places = places.into_iter();
        let places = places.map(|place| Arc::clone(known.entry(place).or_insert_with(new)));
        Self {
            keeping,
            places: places.collect(),
        }
    }

    /// Returns true if AWS is asked at its rates from the first call on.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.keeping == Keeping::Always
    }

    /// Returns the rates of a place; an unknown place is never asked about.
    fn rates(&self, place: usize) -> Option<MutexGuard<'_, Option<Rates>>> {
        let place = self.places.get(place)?;
        Some(place.rates.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the earliest time that a call may leave.
    #[must_use]
    pub fn free_at(&self, place: usize, operation: Operation, now: Timestamp) -> Timestamp {
        let rates = self.rates(place);
        let rates = rates.as_deref().and_then(Option::as_ref);
        rates.map_or(now, |rates| rates.free_at(operation, now))
    }

    /// The same by its own rate alone; none where nothing limits it.
    fn own_free_at(&self, place: usize, operation: Operation) -> Option<Timestamp> {
        let rates = self.rates(place);
        rates.as_deref()?.as_ref()?.own_free_at(operation)
    }

    /// Lets a call leave now, if it may; else says when to ask again.
    ///
    /// # Errors
    ///
    /// With the time before which it would be asked in vain.
    pub fn take(
        &self,
        place: usize,
        operation: Operation,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        let mut rates = self.rates(place);
        let rates = rates.as_deref_mut().and_then(Option::as_mut);
        rates.map_or(Ok(()), |rates| rates.take(operation, now))
    }

    /// Waits for a call's turn.
    pub async fn turn(&self, place: usize, operation: Operation, clock: &impl Clock) {
        let Some(of) = self.places.get(place) else {
            return;
        };
        let Some(service) = operation.service() else {
            return;
        };
        let _first = of.queues[operation as usize].lock().await;
        // Its own rate is waited for before the sum, and stands in no other's way.
        loop {
            let (now, own) = (clock.now(), self.own_free_at(place, operation));
            match own.filter(|own| *own > now) {
                Some(own) => clock.sleep_until(own).await,
                None => break,
            }
        }
        let _next = of.sums[service as usize].lock().await;
        while let Err(at) = self.take(place, operation, clock.now()) {
            clock.sleep_until(at).await;
        }
    }

    /// AWS has throttled a call.
    pub fn throttled(&self, place: usize, operation: Operation, now: Timestamp) {
        if let Some(mut rates) = self.rates(place).filter(|_| self.keeping != Keeping::Never) {
            rates
                .get_or_insert_with(|| Rates::published(now))
                .throttled(operation, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::backup::FastClock;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    /// Three targets, of which two are in one place.
    fn pace_of(keeping: Keeping) -> Pace {
        let account = AccountId::new("1");
        let (here, there) = (RegionName::new("here"), RegionName::new("there"));
        let places = [&here, &there, &here].map(|region| (&account, region));
        Pace::of(places, keeping, START)
    }

    /// Counts the calls that leave at one moment.
    fn at_once(pace: &Pace, place: usize, operation: Operation, now: Timestamp) -> usize {
        let left = (0..100).take_while(|_| pace.take(place, operation, now).is_ok());
        left.count()
    }

    #[test]
    fn one_account_and_region_has_one_rate() {
        let pace = pace_of(Keeping::Always);
        let start = Operation::StartRestoreJob;
        assert_eq!(at_once(&pace.clone(), 0, start, START), 1);
        assert!(pace.free_at(2, start, START) > START);
        assert_eq!(
            pace.take(2, start, START),
            Err(pace.free_at(0, start, START))
        );
        assert_eq!(at_once(&pace, 1, start, START), 1);
        // Of what is in none of them nothing is known.
        assert_eq!(at_once(&pace, 3, start, START), 100);
    }

    #[test]
    fn each_call_counts_towards_its_own_service() {
        let pace = pace_of(Keeping::Always);
        assert_eq!(at_once(&pace, 0, Operation::GetResource, START), 1);
        assert_eq!(pace.free_at(0, Operation::ListTags, START), START);
        assert!(pace.free_at(0, Operation::DeleteResource, START) > START);
        // GetCallerIdentity counts towards no service.
        assert_eq!(at_once(&pace, 0, Operation::GetCallerIdentity, START), 100);
        assert_eq!(pace.free_at(0, Operation::ListTags, START), START);
    }

    #[test]
    fn rates_are_kept_always_or_once_throttled_or_never() {
        let later = START + SignedDuration::from_secs(10);
        let tags = Operation::ListTags;
        for (keeping, before, after) in [
            // One more makes up for a delay.
            (Keeping::Always, 1, 2),
            (Keeping::OnceThrottled, 100, 2),
            (Keeping::Never, 100, 100),
        ] {
            let pace = pace_of(keeping);
            assert_eq!(at_once(&pace, 0, tags, START), before, "{keeping:?}");
            pace.throttled(0, tags, START);
            assert_eq!(at_once(&pace, 0, tags, later), after, "{keeping:?}");
            assert_eq!(pace.is_kept(), keeping == Keeping::Always);
        }
    }
    #[tokio::test]
    async fn of_many_that_wait_no_operation_stands_in_the_way_of_another() {
        let clock = FastClock::starting(START);
        let pace = pace_of(Keeping::Always);
        let left = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        let operations = [
            Operation::DeleteResource,
            Operation::GetResourceRequestStatus,
            Operation::GetResource,
        ];
        for operation in operations {
            for nth in 0..100 {
                let (clock, pace, left) = (clock.clone(), pace.clone(), Arc::clone(&left));
                tasks.spawn(async move {
                    pace.turn(0, operation, &clock).await;
                    left.lock().unwrap().push((operation, nth));
                });
            }
        }
        tasks.join_all().await;
        let left = left.lock().unwrap();
        for operation in operations {
            let of = |left: &[(Operation, i32)]| -> Vec<i32> {
                let of = left.iter().filter(|(of, _)| *of == operation);
                of.map(|(_, nth)| *nth).collect()
            };
            // Each in the order in which it came, and a third of what leaves.
            assert!(of(&left).is_sorted());
            let first = of(&left[..90]).len();
            assert!((25..=35).contains(&first), "{operation}: {first}");
        }
        let seconds = clock.now().duration_since(START).as_secs_f64();
        assert!((5.9..6.5).contains(&seconds), "{seconds}");
    }
}
