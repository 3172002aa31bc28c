//! Time, so that a rehearsal can run fast and a test needs no waiting.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Time, as the engine knows it.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Returns at a time, while calls to AWS are under way.
    fn sleep_until(&self, at: Timestamp) -> impl Future<Output = ()> + Send;

    /// Returns at a time, while nothing is under way: time that nobody else spends may be skipped.
    fn idle_until(&self, at: Timestamp) -> impl Future<Output = ()> + Send {
        self.sleep_until(at)
    }
}

/// Reading of the machine's two clocks at a moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    wall: Timestamp,
    steady: Instant,
}

impl Reading {
    /// The same after an earlier one: a wall clock that was set back meanwhile goes on from where it was, as nobody
    /// wants to wait until it is there again. One that was set forward is believed: a machine that slept looks like that.
    fn after(self, earlier: Self) -> Self {
        let passed = self.steady.saturating_duration_since(earlier.steady);
        let at_least = SignedDuration::try_from(passed)
            .ok()
            .and_then(|passed| earlier.wall.checked_add(passed).ok());
        Self {
            wall: at_least.map_or(self.wall, |at_least| self.wall.max(at_least)),
            ..self
        }
    }
}

/// The machine's own time, which never goes back while the program runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else is handed"
    )]
    fn now(&self) -> Timestamp {
        static LAST: Mutex<Option<Reading>> = Mutex::new(None);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Reading {
            wall: Timestamp::now(),
            steady: Instant::now(),
        };
        let now = last.map_or(now, |last| now.after(last));
        *last = Some(now);
        now.wall
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else is handed"
    )]
    async fn sleep_until(&self, at: Timestamp) {
        // A laptop that slept wakes up late and goes on; the wait is capped so that it notices.
        loop {
            let left = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Duration::from_secs(5))).await;
        }
    }
}

/// Time that passes as fast as it is waited for.
#[cfg(test)]
#[derive(Clone)]
pub(crate) struct FastClock(std::sync::Arc<std::sync::Mutex<Timestamp>>);

#[cfg(test)]
impl FastClock {
    /// From a time on.
    pub(crate) fn starting(start: Timestamp) -> Self {
        Self(std::sync::Arc::new(std::sync::Mutex::new(start)))
    }
}

#[cfg(test)]
impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    async fn sleep_until(&self, at: Timestamp) {
        tokio::task::yield_now().await;
        let mut now = self.0.lock().unwrap();
        *now = at.max(*now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
    fn reliability_r4_18_a_clock_that_is_set_back_goes_on_from_where_it_was() {
        let start: Timestamp = "2026-11-20T03:00:00Z".parse().unwrap();
        let steady = Instant::now();
        let reading = |wall: SignedDuration, passed: u64| Reading {
            wall: start + wall,
            steady: steady + Duration::from_secs(passed),
        };
        let first = reading(SignedDuration::ZERO, 0);
        // Two hours back, and ten seconds on.
        let back = reading(SignedDuration::from_hours(-2), 10).after(first);
        assert_eq!(back.wall, start + SignedDuration::from_secs(10));
        let next = reading(SignedDuration::from_hours(-2), 15).after(back);
        assert_eq!(next.wall, start + SignedDuration::from_secs(15));
        // A laptop that slept for an hour, in which the steady clock stands still.
        let slept = reading(SignedDuration::from_hours(1), 16).after(next);
        assert_eq!(slept.wall, start + SignedDuration::from_hours(1));
    }
}
