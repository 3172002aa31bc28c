//! The emulator's time, and the only file of it that touches real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Speed of the emulator's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as real time; `Times(1.0)` is real time.
    Times(f64),
    /// The clock stands still until something moves it, see [`Clock::advance_to`] and [`super::Options::driven`].
    Max,
}

/// Error for a text that is not a [`Speed`].
#[derive(Debug, thiserror::Error)]
#[error("speed {0:?} is neither \"max\" nor a number from 0.001 to 1000000")]
pub struct SpeedError(String);

impl std::str::FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        match text.parse::<f64>() {
            Ok(times) if (0.001..=1e6).contains(&times) => Ok(Speed::Times(times)),
            _ => Err(SpeedError(text.to_owned())),
        }
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Speed::Times(times) => write!(f, "{times}"),
            Speed::Max => f.write_str("max"),
        }
    }
}

/// Virtual time. Clones share it; it starts at the real time of the start (or where an earlier emulator ended
/// whose jobs it has) and never runs backwards.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    start: Timestamp,
    origin: Instant,
    speed: Speed,
    /// Time that `advance_to` added so far, in microseconds.
    added: AtomicI64,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the emulator has a clock of its own, and this is it"
    )]
    pub(super) fn start(speed: Speed, not_before: Timestamp) -> Clock {
        Clock(Arc::new(Inner {
            start: to_millisecond(Timestamp::now().max(not_before)),
            origin: Instant::now(),
            speed,
            added: AtomicI64::new(0),
        }))
    }

    /// The virtual time, cut to the milliseconds that AWS Backup answers with.
    pub fn now(&self) -> Timestamp {
        let added = SignedDuration::from_micros(self.0.added.load(Ordering::Acquire));
        to_millisecond(add(self.base(), added))
    }

    /// Moves the clock on to `instant`; does nothing when it is there already. Works at every speed.
    pub fn advance_to(&self, instant: Timestamp) {
        let wanted = instant.duration_since(self.base()).as_micros();
        let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
        self.0.added.fetch_max(wanted, Ordering::AcqRel);
    }

    /// The speed it was started with.
    pub fn speed(&self) -> Speed {
        self.0.speed
    }

    /// The virtual time without what `advance_to` added.
    fn base(&self) -> Timestamp {
        match self.0.speed {
            Speed::Max => self.0.start,
            Speed::Times(times) => {
                let real = self.0.origin.elapsed();
                let virtual_micros = real.as_secs_f64() * times * 1e6;
                // A float cast saturates, so that an absurd speed ends at the end of time.
                add(
                    self.0.start,
                    SignedDuration::from_micros(virtual_micros as i64),
                )
            }
        }
    }
}

/// `instant + duration`, or the end of time.
pub(super) fn add(instant: Timestamp, duration: SignedDuration) -> Timestamp {
    instant.checked_add(duration).unwrap_or(Timestamp::MAX)
}

fn to_millisecond(instant: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(instant.as_millisecond()).unwrap_or(instant)
}

/// Waits in real time: for scripted latency, which a client's own timeouts are measured against.
#[expect(
    clippy::disallowed_methods,
    reason = "scripted latency is the point, and real"
)]
pub(super) async fn delay(duration: Duration) {
    tokio::time::sleep(duration).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_stands_still_and_is_moved_forwards_only() {
        let clock = Clock::start(Speed::Max, Timestamp::MIN);
        let start = clock.now();
        assert_eq!(clock.now(), start);
        let later = add(start, SignedDuration::from_hours(6));
        clock.clone().advance_to(later);
        clock.advance_to(start);
        assert_eq!(clock.now(), later);
    }

    #[test]
    fn running_clocks_can_be_moved_too() {
        let clock = Clock::start(Speed::Times(1.0), Timestamp::MIN);
        let later = add(clock.now(), SignedDuration::from_hours(6));
        clock.advance_to(later);
        assert!(clock.now() >= later);
        assert!(clock.now() < add(later, SignedDuration::from_hours(1)));
    }

    #[test]
    fn speeds() {
        assert_eq!("max".parse::<Speed>().unwrap(), Speed::Max);
        assert_eq!("0.5".parse::<Speed>().unwrap(), Speed::Times(0.5));
        assert_eq!("600".parse::<Speed>().unwrap().to_string(), "600");
        for bad in ["", "0", "-1", "nan", "inf", "fast", "1e300", "Max"] {
            bad.parse::<Speed>().unwrap_err();
        }
    }
}
