//! How fast AWS may be asked: its published rates, kept without being told.
//!
//! The numbers are AWS's, per account and Region
//! (<https://docs.aws.amazon.com/general/latest/gr/bk.html>, «AWS Backup API throttling»). Others in the account share
//! them, so a rate gives way when AWS throttles, and comes back slowly.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Calls a second, by operation. Operations that are not listed count towards the sum only.
const PUBLISHED: [(&str, f64); 9] = [
    ("StartRestoreJob", 5.0),
    ("DescribeRestoreJob", 15.0),
    ("DescribeRecoveryPoint", 15.0),
    ("GetRecoveryPointRestoreMetadata", 15.0),
    ("ListRestoreJobs", 20.0),
    ("ListBackupVaults", 20.0),
    ("ListRecoveryPointsByBackupVault", 20.0),
    ("ListRecoveryPointsByResource", 20.0),
    ("ListTags", 20.0),
];
/// Calls a second of all operations together.
const PUBLISHED_SUM: f64 = 50.0;
/// How much of a rate is used: clocks differ, and calls that leave evenly do not arrive so.
const MARGIN: f64 = 0.99;
/// What a throttled answer leaves of a rate.
const DECREASE: f64 = 0.8;
/// What a second without one gives back, as a part of the published rate.
const INCREASE_A_SECOND: f64 = 0.001;
/// Answers to calls that left before the last decrease say nothing about the new rate.
const ONE_DECREASE_IN: SignedDuration = SignedDuration::from_secs(2);

/// The rates of one account and Region.
#[derive(Debug)]
pub struct Rates {
    by_operation: BTreeMap<&'static str, Bucket>,
    sum: Bucket,
}

#[derive(Debug)]
struct Bucket {
    published: f64,
    /// Calls a second, now.
    rate: f64,
    /// When the next call may leave.
    next: Timestamp,
    changed: Timestamp,
}

impl Rates {
    /// As AWS publishes them.
    #[must_use]
    pub fn published(now: Timestamp) -> Self {
        Self {
            by_operation: PUBLISHED
                .iter()
                .map(|(operation, rate)| (*operation, Bucket::new(*rate, now)))
                .collect(),
            sum: Bucket::new(PUBLISHED_SUM, now),
        }
    }

    /// Whether a call may leave now, which it then does; else when to ask again.
    ///
    /// # Errors
    ///
    /// With the time before which it would be asked in vain.
    pub fn take(&mut self, operation: &str, now: Timestamp) -> Result<(), Timestamp> {
        let bucket = self.by_operation.get_mut(operation);
        let at = bucket
            .as_ref()
            .map_or(now, |bucket| bucket.next)
            .max(self.sum.next);
        if at > now {
            return Err(at);
        }
        self.sum.leave(now);
        if let Some(bucket) = bucket {
            bucket.leave(now);
        }
        Ok(())
    }

    /// AWS has throttled a call.
    pub fn throttled(&mut self, operation: &str, now: Timestamp) {
        let bucket = match self.by_operation.get_mut(operation) {
            Some(bucket) => bucket,
            None => &mut self.sum,
        };
        bucket.recover(now);
        if now.duration_since(bucket.changed) > ONE_DECREASE_IN
            || bucket.rate >= bucket.published * MARGIN
        {
            bucket.rate = (bucket.rate * DECREASE).max(0.1);
            bucket.changed = now;
        }
    }
}

impl Bucket {
    fn new(published: f64, now: Timestamp) -> Self {
        Self {
            published,
            rate: published * MARGIN,
            next: now,
            changed: now,
        }
    }

    fn leave(&mut self, now: Timestamp) {
        self.recover(now);
        let apart = SignedDuration::from_secs_f64(1.0 / self.rate);
        // A short delay of ours is made up for; a long pause gives no right to a burst.
        self.next = self.next.max(now - apart) + apart;
    }

    fn recover(&mut self, now: Timestamp) {
        let seconds = now.duration_since(self.changed).as_secs_f64();
        if self.rate < self.published * MARGIN && seconds > 1.0 {
            let more = self.published * INCREASE_A_SECOND * seconds;
            self.rate = (self.rate + more).min(self.published * MARGIN);
            self.changed = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    /// How many calls leave in some seconds, asking whenever the rates say to; every `throttle_every`-th is throttled.
    fn calls(rates: &mut Rates, operation: &str, from: Timestamp, seconds: i64) -> usize {
        let end = from + SignedDuration::from_secs(seconds);
        let (mut now, mut count) = (from, 0);
        while now < end {
            match rates.take(operation, now) {
                Ok(()) => count += 1,
                Err(at) => now = at,
            }
        }
        count
    }

    #[test]
    fn the_published_rate_is_used_and_not_passed() {
        for (operation, rate) in [
            ("StartRestoreJob", 5.0),
            ("ListRestoreJobs", 20.0),
            ("Unknown", 50.0),
        ] {
            let mut rates = Rates::published(START);
            let left = calls(&mut rates, operation, START, 200) as f64;
            assert!(left <= rate * 200.0, "{operation}: {left}");
            assert!(left >= rate * 200.0 * 0.97, "{operation}: {left}");
        }
    }

    #[test]
    fn a_pause_gives_no_right_to_a_burst() {
        let mut rates = Rates::published(START);
        let later = START + SignedDuration::from_hours(1);
        let left = calls(&mut rates, "StartRestoreJob", later, 1);
        assert!(left <= 6, "{left}");
    }

    #[test]
    fn throttling_makes_it_slower_and_quiet_makes_it_faster() {
        let mut rates = Rates::published(START);
        rates.throttled("StartRestoreJob", START);
        let slow = calls(&mut rates, "StartRestoreJob", START, 20);
        assert!(slow <= 82, "{slow}");
        let later = START + SignedDuration::from_mins(10);
        let fast = calls(&mut rates, "StartRestoreJob", later, 20);
        assert!(fast >= 97, "{fast}");
    }
}
