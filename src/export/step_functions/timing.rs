//! Times at which the machine starts and polls: seconds that are computed here, because a state machine cannot do so.
//!
//! StartRestoreJob may be called 5 times a second in an account and Region, DescribeRestoreJob 15 times
//! (<https://docs.aws.amazon.com/general/latest/gr/bk.html>). Restores that may run at once have a place each, and
//! places start a little apart. A place starts nothing again before it has waited once for its job, so that waits at
//! least as long as all places need for their starts keep the rate on average; calls that coincide are throttled, and
//! retried.

use jiff::SignedDuration;

use crate::ids::IdempotencyToken;

/// Starts a second, of all lanes together.
const STARTS: u64 = 4;
/// The shortest and the longest wait between two looks at a job, by how long it is likely to take.
const SHORTEST: u64 = 60;
const LONGEST: u64 = 900;
/// The longest wait of a lane that would otherwise have too much to remember.
const SLOWEST: u64 = 7200;
/// Looks at a job that takes as long as is expected.
const LOOKS: u64 = 20;
/// Multiple of the expected duration that a lane has to be able to wait.
const PATIENCE: u64 = 4;
/// Events of one execution up to which a lane is exported. Step Functions ends an execution at 25,000
/// (<https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>).
pub(super) const MOST_EVENTS: u64 = 20_000;
/// Events of a lane, of a level, of a restore without its looks, and of a look, as counted in the history of an execution.
const OF_LANE: u64 = 6;
const OF_LEVEL: u64 = 12;
const OF_RESTORE: u64 = 21;
const OF_LOOK: u64 = 9;

/// Seconds after which the place of a number starts.
pub(super) fn start_after(place: usize) -> u64 {
    u64::try_from(place).unwrap_or(u64::MAX) / STARTS
}

/// Seconds between two looks at a job: by how long it is likely to take, and never so short that the places of all would start
/// or look too fast; up to a tenth longer, by its token, so that looks do not meet.
pub(super) fn poll_seconds(
    expected: SignedDuration,
    places: usize,
    token: &IdempotencyToken,
) -> u64 {
    let by_duration = (seconds(expected) / LOOKS).clamp(SHORTEST, LONGEST);
    let by_rate = start_after(places.saturating_add(3));
    let least = by_duration.max(by_rate);
    let hundredths = u64::from(
        token
            .as_str()
            .bytes()
            .fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)),
    ) * 100
        / 256;
    least + least * hundredths / 1000
}

/// Events that the history of a lane has at the most, where no restore takes longer than four times as expected: its levels,
/// and of each restore how long it takes and how long is waited between two looks.
pub(super) fn events(levels: usize, restores: &[(SignedDuration, u64)]) -> u64 {
    let levels = u64::try_from(levels).unwrap_or(u64::MAX);
    let of = |(expected, poll): &(SignedDuration, u64)| {
        let looks = (PATIENCE * seconds(*expected)).div_ceil(*poll);
        OF_RESTORE + OF_LOOK * looks
    };
    OF_LANE + OF_LEVEL * levels + restores.iter().map(of).sum::<u64>()
}

/// The waits of a lane, made longer where it would have too much to remember.
pub(super) fn fit(levels: usize, restores: &mut [(SignedDuration, u64)]) -> u64 {
    loop {
        let events = events(levels, restores);
        let longest = restores.iter().map(|(_, poll)| *poll).min();
        if events <= MOST_EVENTS || longest.is_none_or(|poll| poll >= SLOWEST) {
            return events;
        }
        for (_, poll) in restores.iter_mut() {
            *poll = (*poll * 3 / 2).min(SLOWEST).max(*poll);
        }
    }
}

/// State transitions of a restore that takes as long as is expected; each costs
/// (<https://aws.amazon.com/step-functions/pricing/>).
pub(super) fn transitions(expected: SignedDuration, poll: u64) -> u64 {
    // Wait, choice, start, choice of the result, result and its two states in the level; then wait, look and choice a look.
    7 + 3 * seconds(expected).div_ceil(poll).max(1)
}

fn seconds(of: SignedDuration) -> u64 {
    of.as_secs().unsigned_abs().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_keep_the_rate_however_many_places_there_are() {
        for places in [1, 10, 500, 1000, 40_000] {
            let hour = SignedDuration::from_hours(1);
            let poll = poll_seconds(hour, places, &IdempotencyToken::new("rd1-a"));
            assert!(
                poll * STARTS >= places as u64 && poll >= SHORTEST,
                "{places}: {poll}"
            );
            assert!(start_after(places) <= poll, "{places}: {poll}");
        }
        assert_eq!((0..9).map(start_after).max(), Some(2));
    }

    #[test]
    fn waits_of_a_lane_grow_until_its_history_fits() {
        let day = SignedDuration::from_hours(24);
        let mut restores = vec![(day, 900); 5];
        assert!(fit(2, &mut restores) <= MOST_EVENTS);
        assert_eq!(restores[0].1, 900);
        let mut restores = vec![(day, 900); 40];
        assert!(fit(2, &mut restores) <= MOST_EVENTS);
        assert!(restores[0].1 > 900 && restores[0].1 <= SLOWEST);
        assert!(fit(2, &mut vec![(day, 900); 1000]) > MOST_EVENTS);
    }
}
