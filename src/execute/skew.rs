//! Two clocks: this machine's, which may be hours off and be set while a run goes on, and AWS's, by which jobs are listed.

use jiff::{SignedDuration, Timestamp};

use crate::state::RestoreState;

/// Largest difference between the clocks of AWS's own machines, and largest age of a listing.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(15);
/// Largest error of this machine's clock where AWS's is not known: a journal of an earlier version does not say it.
const UNKNOWN_SKEW: SignedDuration = SignedDuration::from_hours(24);
/// Seconds that an answer may take, and that its date may be off for that alone.
const LATENCY: i64 = 5;
/// Time for which a token is trusted to be remembered: under the hour that AWS once documented.
pub(super) const TOKEN_IS_SAFE: SignedDuration = SignedDuration::from_mins(45);

/// A time, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// By this machine's.
    pub(super) here: Timestamp,
    /// AWS's clock as last seen: a time that had passed by then.
    pub(super) aws: Option<Timestamp>,
}

impl Moment {
    /// Returns when the request of a restore was meant to leave, as seen from this moment.
    pub(super) fn left(self, past: &RestoreState) -> Self {
        Self {
            here: past.intended_at.min(self.here),
            aws: past.aws_at,
        }
    }

    /// The earlier of both: whoever asks for too much is told too much.
    pub(super) fn earlier(self) -> Timestamp {
        self.aws.map_or(self.here, |aws| aws.min(self.here))
    }

    /// Returns true if AWS may have forgotten by now a token that counts from this moment of this run. A clock that
    /// went backwards says nothing about how long it is.
    pub(super) fn is_long_ago(self, now: Self) -> bool {
        self.here > now.here || now.here.duration_since(self.here) >= TOKEN_IS_SAFE
    }

    /// So long before this moment, by AWS's clock.
    pub(super) fn before(self, how_long: SignedDuration, skew: Skew) -> Timestamp {
        match self.aws {
            Some(aws) => before(aws, how_long),
            None => skew.at_aws(self.here),
        }
    }

    /// The earliest that AWS may call this moment.
    pub(super) fn earliest(self, skew: Skew) -> Timestamp {
        match self.aws {
            Some(aws) => before(aws, CLOCK_SKEW),
            None => skew.at_aws(self.here),
        }
    }

    /// The earliest that the job of a request may be of, by AWS's clock, where the request was meant to leave then: what
    /// there was before that was looked at so long before at the most, and somebody else may have sent it since.
    pub(super) fn sent_since(self, skew: Skew) -> Timestamp {
        let earliest = match self.aws {
            Some(_) => self.earliest(skew),
            None => before(self.earliest(skew), UNKNOWN_SKEW),
        };
        before(earliest, TOKEN_IS_SAFE)
    }
}

fn before(at: Timestamp, how_long: SignedDuration) -> Timestamp {
    at.saturating_sub(how_long).unwrap_or(at)
}

/// Largest observed lag of AWS's clock behind this machine's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skew {
    date: Option<Timestamp>,
    behind: SignedDuration,
    /// By how many seconds it was ahead in the last answer.
    ahead: i64,
}

impl Skew {
    /// An answer has come.
    pub(super) fn see(&mut self, now: Moment) {
        // A date that was seen before is as old as it is.
        if let Some(date) = now.aws.filter(|_| now.aws != self.date) {
            self.date = Some(date);
            self.behind = self.behind.max(now.here.duration_since(date));
            self.ahead = date.duration_since(now.here).as_secs();
        }
    }

    /// By how many seconds AWS's clock is ahead of this machine's, where it is by more than an answer takes.
    pub(super) fn ahead(self) -> Option<i64> {
        (self.ahead.abs() > LATENCY).then_some(self.ahead)
    }

    /// A time of this machine as AWS's clock may have shown it, as far as that was seen.
    pub(super) fn seen(self, at: Timestamp) -> Timestamp {
        before(at, self.behind)
    }

    /// The earliest that AWS may call a time of this machine.
    pub(super) fn at_aws(self, at: Timestamp) -> Timestamp {
        before(before(at, self.behind), CLOCK_SKEW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    fn moment(here: i64, aws: Option<i64>) -> Moment {
        Moment {
            here: at(here),
            aws: aws.map(at),
        }
    }

    /// Reliability R1.3: jobs are looked for by AWS's clock, however far this machine's is off.
    #[test]
    fn reliability_r1_3_a_window_is_by_the_clock_of_aws() {
        let skew = Skew::default();
        for aws in [-180, -120, 0, 120] {
            let sent = moment(0, Some(aws));
            assert!(sent.sent_since(skew) <= at(aws - 60));
            assert!(
                sent.sent_since(skew) > at(aws - 70),
                "no wider than it has to be"
            );
        }
        // A journal of an earlier version: hours either way.
        assert!(moment(0, None).sent_since(skew) < at(-20 * 60));
    }

    /// Reliability R9.30: hosts of AWS differ by minutes among themselves, and so do a job's time and an answer's date.
    #[test]
    fn reliability_r9_30_a_window_leaves_room_for_the_clocks_of_aws() {
        let skew = Skew::default();
        assert!(moment(0, Some(0)).earliest(skew) <= at(-10));
        assert!(skew.at_aws(at(0)) <= at(-10));
    }

    #[test]
    fn a_clock_that_is_seen_to_be_off_widens_what_is_asked() {
        let mut skew = Skew::default();
        skew.see(moment(0, Some(-120)));
        // The same date again is an old one, no slower clock.
        skew.see(moment(600, Some(-120)));
        assert!(skew.at_aws(at(0)) <= at(-130) && skew.at_aws(at(0)) > at(-140));
        skew.see(moment(0, Some(300)));
        assert!(skew.at_aws(at(0)) <= at(-130));
    }

    #[test]
    fn reliability_r1_3_another_runners_clock_is_not_asked_how_old_a_token_is() {
        let sent = moment(0, Some(0));
        for (now, is_old) in [
            (moment(40, Some(40)), false),
            (moment(50, Some(50)), true),
            // This machine's clock was set back meanwhile.
            (moment(-10, Some(10)), true),
        ] {
            assert_eq!(sent.is_long_ago(now), is_old, "{now:?}");
        }
    }
}
