//! How fast Cloud Control API is asked, account by account and Region by Region.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::backup::{Clock, Operation, Rates};
use crate::render::Target;

/// Calls a second of one operation. AWS publishes none; aws-nuke was throttled at about 30 and keeps to 25
/// (<https://github.com/ekristen/aws-nuke/issues/508>, <https://github.com/ekristen/aws-nuke/pull/510>).
const RATE: f64 = 25.0;
const OPERATIONS: [(Operation, f64); 3] = [
    (Operation::DeleteResource, RATE),
    (Operation::GetResource, RATE),
    (Operation::GetResourceRequestStatus, RATE),
];
/// Of all of them together, while nobody throttles.
const SUM: f64 = 50.0;

/// The rates of every account and Region of a run.
#[derive(Debug)]
pub struct Pace {
    /// By the place of the target.
    places: Vec<Arc<Place>>,
}

#[derive(Debug)]
struct Place {
    rates: Mutex<Rates>,
    /// Who comes first goes first: of thousands that wait only one looks at the clock, and nobody waits for ever.
    queue: tokio::sync::Mutex<()>,
}

impl Pace {
    /// For the targets of a run: those of one account and Region share its rates.
    #[must_use]
    pub fn of(targets: &[Target], now: Timestamp) -> Self {
        let mut known: BTreeMap<(&str, &str), Arc<Place>> = BTreeMap::new();
        let place = || {
            Arc::new(Place {
                rates: Mutex::new(Rates::of(&OPERATIONS, SUM, now)),
                queue: tokio::sync::Mutex::default(),
            })
        };
        let places = targets.iter().map(|target| {
            let of = (target.account.as_str(), target.region.as_str());
            Arc::clone(known.entry(of).or_insert_with(place))
        });
        Self {
            places: places.collect(),
        }
    }

    /// Waits for a call's turn.
    pub async fn turn(&self, place: usize, operation: Operation, clock: &impl Clock) {
        // What is in no target of the run is never asked about.
        let Some(place) = self.places.get(place) else {
            return;
        };
        let _first = place.queue.lock().await;
        loop {
            let taken = place.rates().take(operation, clock.now());
            match taken {
                Ok(()) => return,
                Err(at) => clock.sleep_until(at).await,
            }
        }
    }

    /// AWS has throttled a call.
    pub fn throttled(&self, place: usize, operation: Operation, now: Timestamp) {
        if let Some(place) = self.places.get(place) {
            place.rates().throttled(operation, now);
        }
    }
}

impl Place {
    fn rates(&self) -> std::sync::MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
