//! Time, so that a rehearsal can run fast and a test needs no waiting.

use std::time::Duration;

use jiff::Timestamp;

/// What the engine knows of time.
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

/// The machine's own time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else is handed"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
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
