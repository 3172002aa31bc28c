//! Durations of jobs in the emulator's time, which is about what they would take in real time: as good as those in
//! `resource_types.yaml`.

use std::collections::HashMap;
use std::hash::Hash;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::job::Job;
use super::resource_types::PENDING;

/// Time that a number of jobs took, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// From the first request to the last end.
    pub total: SignedDuration,
    /// The restores one after the other that the end waited for, the first one first.
    pub chain: Vec<String>,
    /// From request to end, of all of the chain.
    pub chain_took: SignedDuration,
    /// Part of that time that the chain spent waiting for AWS's limits on concurrent restores.
    pub chain_waited: SignedDuration,
    /// Number of jobs that waited for such a limit.
    pub waited: usize,
    /// Extra time that starting them at AWS's rate takes at most, if that was not kept to.
    pub starting: SignedDuration,
    /// Number of jobs that never ended, and are not counted in.
    pub endless: usize,
}

/// A job, as far as an estimate looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    id: Uuid,
    created_at: Timestamp,
    starts_at: Timestamp,
    /// The end of time for a job that never ends.
    ends_at: Timestamp,
}

impl From<&Job> for Span {
    fn from(job: &Job) -> Span {
        Span {
            id: job.id,
            created_at: job.created_at,
            starts_at: job.starts_at,
            ends_at: job.ends_at,
        }
    }
}

impl Span {
    /// Returns the time that a job waited for its turn; one that never has a turn waits for no limit.
    fn waited(&self) -> SignedDuration {
        if self.starts_at == Timestamp::MAX {
            return SignedDuration::ZERO;
        }
        let pending = self.starts_at.duration_since(self.created_at);
        (pending - PENDING).max(SignedDuration::ZERO)
    }
}

impl Estimate {
    /// Looks back from the last end: a job that was asked for when another ended, or soon after, waited for that one. None
    /// where nothing has ended by `now`. `starting` is how long it takes to start them at AWS's rate, if nothing
    /// kept to that.
    pub(super) fn of(jobs: &[Span], now: Timestamp, starting: SignedDuration) -> Option<Estimate> {
        let mut ended: Vec<&Span> = jobs.iter().filter(|job| job.ends_at <= now).collect();
        ended.sort_by_key(|job| (job.ends_at, job.created_at));
        let first = jobs.iter().map(|job| job.created_at).min()?;
        let mut job = *ended.last()?;
        let mut estimate = Estimate {
            total: job.ends_at.duration_since(first),
            chain: Vec::new(),
            chain_took: SignedDuration::ZERO,
            chain_waited: SignedDuration::ZERO,
            waited: jobs.iter().filter(|job| !job.waited().is_zero()).count(),
            starting,
            endless: jobs.len() - ended.len(),
        };
        loop {
            estimate.chain.push(job.id.to_string());
            estimate.chain_took += job.ends_at.duration_since(job.created_at);
            estimate.chain_waited += job.waited();
            let before = ended.partition_point(|other| other.ends_at <= job.created_at);
            match before.checked_sub(1).map(|index| ended[index]) {
                Some(other) => job = other,
                None => break,
            }
        }
        estimate.chain.reverse();
        Some(estimate)
    }
}

/// Returns the time to start jobs at a rate for each account and region, whose name comes once for each job; a second's
/// worth starts at once.
pub(super) fn starting<S: Eq + Hash>(scopes: impl Iterator<Item = S>, rate: f64) -> SignedDuration {
    let mut counts: HashMap<S, u64> = HashMap::new();
    for scope in scopes {
        *counts.entry(scope).or_default() += 1;
    }
    let most = counts.into_values().max().unwrap_or(0);
    let seconds = (most as f64 / rate).ceil() - 1.0;
    SignedDuration::from_secs(seconds.max(0.0) as i64)
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let round = |duration: SignedDuration| SignedDuration::from_secs(duration.as_secs());
        let restores = match self.chain.len() {
            1 => "1 restore".to_owned(),
            more => format!("{more} restores"),
        };
        write!(
            f,
            "estimated at AWS: {:#} (longest chain: {restores}, {:#}",
            round(self.total),
            round(self.chain_took)
        )?;
        if !self.chain_waited.is_zero() {
            write!(
                f,
                ", {:#} of it waiting for AWS's limits on concurrent restores",
                round(self.chain_waited)
            )?;
        }
        f.write_str(")")?;
        if !self.starting.is_zero() {
            write!(
                f,
                ", plus up to {:#} of API rate limiting (simulate with --quotas aws)",
                self.starting
            )?;
        }
        if self.endless > 0 {
            match self.endless {
                1 => f.write_str("; 1 restore that never ends is not counted")?,
                more => write!(f, "; {more} restores that never end are not counted")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TIME: SignedDuration = SignedDuration::ZERO;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn job(id: u128, created: i64, starts: i64, ends: Option<i64>) -> Span {
        Span {
            id: Uuid::from_u128(id),
            created_at: at(created),
            starts_at: at(starts),
            ends_at: ends.map_or(Timestamp::MAX, at),
        }
    }

    #[test]
    fn the_chain_that_the_end_waited_for() {
        let jobs = [
            job(1, 0, 10, Some(600)),
            job(2, 0, 10, Some(900)),
            job(3, 615, 625, Some(1000)),
            job(4, 915, 1500, Some(7200)),
            job(5, 0, 10, None),
        ];
        let now = at(10_000);
        let estimate = Estimate::of(&jobs, now, NO_TIME).unwrap();
        assert_eq!(
            estimate.chain,
            [jobs[1].id.to_string(), jobs[3].id.to_string()]
        );
        assert_eq!((estimate.waited, estimate.endless), (1, 1));
        assert_eq!(
            estimate.to_string(),
            "estimated at AWS: 2h (longest chain: 2 restores, 1h 59m 45s, 9m 35s of it waiting for AWS's limits on \
             concurrent restores); 1 restore that never ends is not counted"
        );
        assert_eq!(Estimate::of(&[], now, NO_TIME), None);
        assert_eq!(Estimate::of(&jobs[4..], now, NO_TIME), None);
        assert_eq!(
            Estimate::of(&jobs, at(599), NO_TIME),
            None,
            "nothing has ended yet"
        );
        let one = Estimate::of(&jobs[..1], now, NO_TIME).unwrap().to_string();
        assert!(one.ends_with("(longest chain: 1 restore, 10m)"), "{one}");
    }

    #[test]
    fn starting_takes_its_time_too() {
        let more = [("1", 100_000), ("2", 6), ("3", 5)];
        let longest = |scopes: &[(&str, u64)]| {
            let scopes = scopes.iter().copied();
            starting(
                scopes.flat_map(|(scope, count)| (0..count).map(move |_| scope)),
                5.0,
            )
        };
        assert_eq!(longest(&more), SignedDuration::from_secs(19_999));
        assert_eq!(longest(&more[1..]), SignedDuration::from_secs(1));
        assert_eq!(longest(&more[2..]), NO_TIME, "five may start at once");
        assert_eq!(longest(&[]), NO_TIME);
        let jobs = [job(1, 0, 10, Some(60))];
        let estimate = Estimate::of(&jobs, at(60), SignedDuration::from_secs(199)).unwrap();
        let words = estimate.to_string();
        assert!(
            words.contains(", plus up to 3m 19s of API rate limiting"),
            "{words}"
        );
    }
}
