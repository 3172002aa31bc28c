//! Waits: before something is tried again, and before something that goes on is polled again.

use jiff::SignedDuration;

use super::Fault;

/// Waits that grow from one try to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first.
    pub first: SignedDuration,
    /// Factor by which each further wait grows.
    pub factor: i32,
    /// The longest.
    pub longest: SignedDuration,
    /// Part of a wait that is left to chance, so that those that failed together do not retry together.
    pub jitter: f64,
}

impl Backoff {
    /// Each twice as long as the one before, and nothing left to chance.
    #[must_use]
    pub const fn doubled(first: SignedDuration, longest: SignedDuration) -> Self {
        Self {
            first,
            factor: 2,
            longest,
            jitter: 0.0,
        }
    }

    /// The wait that comes after so many others.
    #[must_use]
    pub fn wait(&self, others: u32) -> SignedDuration {
        self.wait_by(others, fastrand::f64())
    }

    /// The same by a chance between 0 and 1, of which the lower waits for longer.
    #[must_use]
    pub fn wait_by(&self, others: u32, chance: f64) -> SignedDuration {
        let mut whole = self.first.min(self.longest);
        for _ in 0..others {
            let grown = whole.saturating_mul(self.factor).min(self.longest);
            if grown == whole {
                break;
            }
            whole = grown;
        }
        let saved = whole.as_secs_f64() * self.jitter * chance;
        whole.saturating_sub(SignedDuration::from_secs_f64(saved))
    }
}

/// Limits and waits for the retries of a call that gets no good answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// The waits.
    pub backoff: Backoff,
    /// Number of times that it is made while AWS throttles it.
    pub throttled: u32,
    /// Number of times that it is made while there is no answer, or one that says nothing.
    pub silent: u32,
}

impl Retry {
    /// Returns the wait before a call that was made so often is made again; none if it is not.
    #[must_use]
    pub fn wait(&self, fault: Fault, made: u32) -> Option<SignedDuration> {
        let most = match fault {
            Fault::Throttled => self.throttled,
            Fault::Unreachable | Fault::Service => self.silent,
            Fault::Expired | Fault::Denied | Fault::Refused => return None,
        };
        (made < most).then(|| self.backoff.wait(made.saturating_sub(1)))
    }
}

/// Looks that come less often the longer something goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Between two looks passes this part of the time that has passed, as a divisor.
    pub part: i32,
    /// At the least so much.
    pub shortest: SignedDuration,
    /// At the most so much.
    pub longest: SignedDuration,
}

impl Interval {
    /// Returns the wait, given the time that has passed.
    #[must_use]
    pub fn after(&self, passed: SignedDuration) -> SignedDuration {
        (passed / self.part).clamp(self.shortest, self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: SignedDuration = SignedDuration::from_secs(1);
    const DOUBLED: Backoff = Backoff {
        first: SECOND,
        factor: 2,
        longest: SignedDuration::from_secs(30),
        jitter: 0.5,
    };

    #[test]
    fn waits_grow_to_the_longest() {
        let waits: Vec<i64> = (0..8)
            .map(|others| DOUBLED.wait_by(others, 0.0).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(DOUBLED.wait_by(u32::MAX, 0.0), DOUBLED.longest);
        let even = Backoff {
            factor: 1,
            ..DOUBLED
        };
        assert_eq!(even.wait_by(u32::MAX, 0.0), SECOND);
        let tripled = Backoff {
            factor: 3,
            longest: SignedDuration::MAX,
            ..DOUBLED
        };
        assert_eq!(tripled.wait_by(3, 0.0), SECOND * 27);
        assert_eq!(tripled.wait_by(1000, 0.0), SignedDuration::MAX);
    }

    #[test]
    fn chance_decides_about_a_part_of_a_wait() {
        assert_eq!(DOUBLED.wait_by(2, 1.0), SECOND * 2);
        assert_eq!(DOUBLED.wait_by(2, 0.5), SECOND * 3);
        for others in 0..10 {
            let (wait, whole) = (DOUBLED.wait(others), DOUBLED.wait_by(others, 0.0));
            assert!(wait <= whole && wait >= whole / 2, "{wait} of {whole}");
        }
        let certain = Backoff::doubled(SECOND, SECOND * 30);
        assert_eq!(certain.wait(3), SECOND * 8);
    }

    #[test]
    fn nothing_and_too_much_are_no_trouble() {
        let none = Backoff {
            first: SignedDuration::ZERO,
            ..DOUBLED
        };
        assert_eq!(none.wait(u32::MAX), SignedDuration::ZERO);
        let long = Backoff {
            first: SECOND * 100,
            ..DOUBLED
        };
        assert_eq!(long.wait_by(0, 0.0), DOUBLED.longest);
    }

    #[test]
    fn what_aws_has_judged_is_not_asked_again() {
        let retry = Retry {
            backoff: DOUBLED,
            throttled: 4,
            silent: 2,
        };
        let times = |fault| (1..10).take_while(move |made| retry.wait(fault, *made).is_some());
        for (fault, again) in [
            (Fault::Throttled, 3),
            (Fault::Unreachable, 1),
            (Fault::Service, 1),
            (Fault::Expired, 0),
            (Fault::Denied, 0),
            (Fault::Refused, 0),
        ] {
            assert_eq!(times(fault).count(), again, "{fault:?}");
        }
        assert!(retry.wait(Fault::Throttled, 1).unwrap() <= SECOND);
        assert!(retry.wait(Fault::Throttled, 3).unwrap() >= SECOND * 2);
    }

    #[test]
    fn looks_come_less_often() {
        let every = Interval {
            part: 8,
            shortest: SECOND,
            longest: SECOND * 30,
        };
        let after = |seconds| every.after(SignedDuration::from_secs(seconds)).as_secs();
        assert_eq!([-5, 0, 8, 80, 10_000].map(after), [1, 1, 1, 10, 30]);
        assert_eq!(every.after(SECOND * 20), SignedDuration::from_millis(2500));
    }
}
