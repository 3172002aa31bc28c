//! Rates at which AWS may be asked: the published ones, kept without being told.
//!
//! The numbers of AWS Backup are AWS's, per account and Region
//! (<https://docs.aws.amazon.com/general/latest/gr/bk.html>, «AWS Backup API throttling»). Of Cloud Control API AWS
//! publishes none; aws-nuke was throttled at about 30 of one operation and keeps to 25
//! (<https://github.com/ekristen/aws-nuke/issues/508>, <https://github.com/ekristen/aws-nuke/pull/510>). Nor are those
//! of IAM, KMS and Service Quotas AWS's, of which a handful of calls is made: those rates are assumptions. Others in
//! the account share them, so a rate gives way when AWS throttles, and comes back slowly.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Operation;
use super::operation::Service;

/// Calls a second, by operation. Operations that are not listed count towards the sum of their service only.
const PUBLISHED: [(Operation, f64); 13] = [
    (Operation::StartRestoreJob, 5.0),
    (Operation::DescribeRestoreJob, 15.0),
    (Operation::DescribeRecoveryPoint, 15.0),
    (Operation::GetRecoveryPointRestoreMetadata, 15.0),
    (Operation::ListRestoreJobs, 20.0),
    (Operation::ListBackupVaults, 20.0),
    (Operation::ListRecoveryPointsByBackupVault, 20.0),
    (Operation::ListRecoveryPointsByResource, 20.0),
    (Operation::ListProtectedResources, 20.0),
    (Operation::ListTags, 20.0),
    (Operation::DeleteResource, 25.0),
    (Operation::GetResource, 25.0),
    (Operation::GetResourceRequestStatus, 25.0),
];
/// Calls a second of all operations of a service together.
const PUBLISHED_SUMS: [(Service, f64); 5] = [
    (Service::Backup, 50.0),
    (Service::CloudControl, 50.0),
    (Service::Iam, 10.0),
    (Service::Kms, 50.0),
    (Service::ServiceQuotas, 5.0),
];
/// Part of a rate that is used: clocks differ, and calls that leave evenly do not arrive so.
const MARGIN: f64 = 0.99;
/// Calls a second that are made at the least: somebody has to notice when the others have gone.
const SLOWEST: f64 = 0.1;
/// Part that a throttled answer leaves of a rate that is far from where it was throttled last, or never was.
const FIRST_DECREASE: f64 = 0.85;
/// Part that it leaves of one that is near: most of what the others have left is being used.
const DECREASE: f64 = 0.9;
/// Near is above this part of the rate that was throttled last.
const NEAR: f64 = 0.9;
/// Calls, at the published rate, that are left out after a throttled one: AWS's allowance is empty then.
const PAUSE: f64 = 5.0;
/// A rate comes back slowly at first, to stay near what is left, and faster the longer nothing is throttled: after `t`
/// seconds it has gained `t * LINEAR + t² * SQUARE` of what is published. Tuned on models of a second client in the
/// account (the test below has them): at least 90 % of what it leaves, at most 1 % of calls throttled.
const LINEAR: f64 = 0.0001;
const SQUARE: f64 = 0.000_002_2;

/// The rates of one account and Region.
#[derive(Debug)]
pub struct Rates {
    by_operation: BTreeMap<Operation, TokenBucket>,
    sums: BTreeMap<Service, TokenBucket>,
}

#[derive(Debug)]
struct TokenBucket {
    published: f64,
    /// Calls a second, when it last changed.
    rate: f64,
    changed: Timestamp,
    /// The rate that was throttled last.
    throttled_at: Option<f64>,
    /// Time when the next call may leave.
    next: Timestamp,
}

impl Rates {
    /// Returns the rates that AWS publishes.
    #[must_use]
    pub fn published(now: Timestamp) -> Self {
        let bucket = |rate| TokenBucket::new(rate, now);
        let operations = PUBLISHED.iter();
        let sums = PUBLISHED_SUMS.iter();
        Self {
            by_operation: operations.map(|(of, rate)| (*of, bucket(*rate))).collect(),
            sums: sums.map(|(of, rate)| (*of, bucket(*rate))).collect(),
        }
    }

    /// Returns the buckets that a call counts towards.
    fn buckets(&self, operation: Operation) -> impl Iterator<Item = &TokenBucket> {
        let sum = operation
            .service()
            .and_then(|service| self.sums.get(&service));
        self.by_operation.get(&operation).into_iter().chain(sum)
    }

    /// The same, its own first.
    fn buckets_mut(&mut self, operation: Operation) -> impl Iterator<Item = &mut TokenBucket> {
        let sum = operation
            .service()
            .and_then(|service| self.sums.get_mut(&service));
        self.by_operation.get_mut(&operation).into_iter().chain(sum)
    }

    /// Returns the earliest time that a call may leave.
    pub fn free_at(&self, operation: Operation, now: Timestamp) -> Timestamp {
        let next = self.buckets(operation).map(|bucket| bucket.next);
        next.fold(now, Timestamp::max)
    }

    /// The same by the rate of the operation alone, where it has one.
    pub(super) fn own_free_at(&self, operation: Operation) -> Option<Timestamp> {
        let own = self.by_operation.get(&operation);
        own.map(|bucket| bucket.next)
    }

    /// Lets a call leave now, if it may; else says when to ask again.
    ///
    /// # Errors
    ///
    /// With the time before which it would be asked in vain.
    pub fn take(&mut self, operation: Operation, now: Timestamp) -> Result<(), Timestamp> {
        let at = self.free_at(operation, now);
        if at > now {
            return Err(at);
        }
        self.buckets_mut(operation)
            .for_each(|bucket| bucket.leave(now));
        Ok(())
    }

    /// AWS has throttled a call.
    pub fn throttled(&mut self, operation: Operation, now: Timestamp) {
        if let Some(bucket) = self.buckets_mut(operation).next() {
            bucket.throttled(now);
        }
    }
}

impl TokenBucket {
    fn new(published: f64, now: Timestamp) -> Self {
        Self {
            published,
            rate: published * MARGIN,
            changed: now,
            throttled_at: None,
            next: now,
        }
    }

    /// Calls a second, now.
    fn rate(&self, now: Timestamp) -> f64 {
        let most = self.published * MARGIN;
        if self.throttled_at.is_none() {
            return most;
        }
        let seconds = now.duration_since(self.changed).as_secs_f64().max(0.0);
        let gained = self.published * seconds * (LINEAR + seconds * SQUARE);
        (self.rate + gained).min(most)
    }

    fn pause(&self) -> SignedDuration {
        SignedDuration::from_secs_f64(PAUSE / self.published)
    }

    fn leave(&mut self, now: Timestamp) {
        let apart = SignedDuration::from_secs_f64(1.0 / self.rate(now));
        // A short delay of ours is made up for; a long pause gives no right to a burst.
        self.next = self.next.max(now - apart) + apart;
    }

    fn throttled(&mut self, now: Timestamp) {
        let pause = self.pause();
        // Answers to calls that left before the last decrease say nothing about the new rate.
        if self.throttled_at.is_some() && now.duration_since(self.changed) < pause {
            return;
        }
        let rate = self.rate(now);
        let decrease = match self.throttled_at {
            Some(before) if rate > before * NEAR => DECREASE,
            _ => FIRST_DECREASE,
        };
        self.throttled_at = Some(rate);
        self.rate = (rate * decrease).max(SLOWEST);
        self.changed = now;
        self.next = self.next.max(now + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    /// Counts the calls that leave in some seconds, asking whenever the rates say to.
    fn calls(rates: &mut Rates, operation: Operation, from: Timestamp, seconds: i64) -> usize {
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
            (Operation::StartRestoreJob, 5.0),
            (Operation::ListRestoreJobs, 20.0),
            (Operation::PutRestoreValidationResult, 50.0),
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
        let left = calls(&mut rates, Operation::StartRestoreJob, later, 1);
        assert!(left <= 6, "{left}");
    }

    /// An account's bucket at AWS, and somebody else who takes so many calls a second out of it, evenly.
    struct Account {
        rate: f64,
        left: f64,
        at: Timestamp,
        others: f64,
        next_other: Timestamp,
    }

    impl Account {
        fn new(rate: f64, others: f64) -> Self {
            Self {
                rate,
                left: rate,
                at: START,
                others,
                next_other: START,
            }
        }

        fn call(&mut self, now: Timestamp) -> bool {
            while self.others > 0.0 && self.next_other <= now {
                self.take(self.next_other);
                self.next_other += SignedDuration::from_secs_f64(1.0 / self.others);
            }
            self.take(now)
        }

        fn take(&mut self, now: Timestamp) -> bool {
            let passed = now.duration_since(self.at).as_secs_f64();
            self.left = (self.left + passed * self.rate).min(self.rate);
            self.at = now;
            let granted = self.left >= 1.0;
            self.left -= f64::from(u8::from(granted));
            granted
        }
    }

    /// Calls until a thousand were answered: calls a second, and the part that was throttled.
    fn a_thousand(operation: Operation, account: &mut Account) -> (f64, f64) {
        let mut rates = Rates::published(START);
        let (mut now, mut answered, mut throttled) = (START, 0.0, 0.0);
        while answered < 1000.0 {
            match rates.take(operation, now) {
                Err(at) => now = at,
                Ok(()) if account.call(now) => answered += 1.0,
                Ok(()) => {
                    throttled += 1.0;
                    rates.throttled(operation, now);
                }
            }
        }
        let seconds = now.duration_since(START).as_secs_f64();
        (answered / seconds, throttled / (answered + throttled))
    }

    #[test]
    fn what_others_leave_is_used_and_hardly_passed() {
        for (operation, published) in [
            (Operation::StartRestoreJob, 5.0),
            (Operation::ListRestoreJobs, 20.0),
        ] {
            for share in [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] {
                let others = published * share;
                let (rate, throttled) = a_thousand(operation, &mut Account::new(published, others));
                let used = rate / (published - others);
                assert!(used >= 0.9, "{operation}, {share} taken: {used} used");
                assert!(throttled <= 0.01, "{operation}, {share} taken: {throttled}");
            }
            let (rate, throttled) = a_thousand(operation, &mut Account::new(published, 0.0));
            assert!(
                rate >= published * 0.97 && throttled == 0.0,
                "{rate}, {throttled}"
            );
        }
    }

    #[test]
    fn throttling_makes_it_slower_and_quiet_makes_it_faster() {
        let mut rates = Rates::published(START);
        rates.throttled(Operation::StartRestoreJob, START);
        let slow = calls(&mut rates, Operation::StartRestoreJob, START, 20);
        assert!(slow <= 85, "{slow}");
        let later = START + SignedDuration::from_mins(10);
        let fast = calls(&mut rates, Operation::StartRestoreJob, later, 20);
        assert!(fast >= 97, "{fast}");
    }
}
