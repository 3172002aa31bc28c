//! Durations of earlier restores, without names: a forecast learns from them, and `redrill history export` writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::group::variant;
use crate::backup::Endpoint;
use crate::ids::RestoreName;
use crate::state::{CheckVerdict, Event, Outline, Recorded};

/// A restore of an earlier run. It has no name and no id; times are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastRestore {
    /// Number of the run, counted from 0.
    pub run: u32,
    /// The day on which that began.
    pub day: Date,
    /// AWS's name of the resource type.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// Variant of the type, if its rules tell several apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The size of the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// True if its job completed.
    pub completed: bool,
    /// From the job's creation to its end, as AWS says it.
    pub seconds: f64,
    /// Part of that time that it was PENDING, if that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_seconds: Option<f64>,
    /// Number of checks that were run of it.
    #[serde(default, skip_serializing_if = "is_none")]
    pub checks: u32,
    /// Time that they took together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks_seconds: Option<f64>,
    /// True if one has failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check_failed: bool,
    /// The attempt that it was, from 1.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub attempt: u32,
}

/// Seconds that no restore takes: ten years.
const TOO_LONG: f64 = 315_360_000.0;

impl PastRestore {
    /// Checks a line that somebody may have written by hand.
    ///
    /// # Errors
    ///
    /// What cannot be.
    pub fn check(&self) -> Result<(), String> {
        let times = [
            ("seconds", Some(self.seconds)),
            ("pending_seconds", self.pending_seconds),
            ("checks_seconds", self.checks_seconds),
        ];
        for (name, seconds) in times {
            if let Some(seconds) = seconds.filter(|of| !(0.0..TOO_LONG).contains(of)) {
                return Err(format!("`{name}` is {seconds}: no restore takes that long"));
            }
        }
        if self.completed && self.seconds <= 0.0 {
            return Err("`seconds` is 0: a job that completed took some time".to_owned());
        }
        if self
            .pending_seconds
            .is_some_and(|pending| pending > self.seconds)
        {
            return Err(
                "`pending_seconds` is more than `seconds`, which it is a part of".to_owned(),
            );
        }
        if let Some(size) = self.size_bytes.filter(|size| *size < 0) {
            return Err(format!("`size_bytes` is {size}: a size is not negative"));
        }
        match self.attempt {
            0 => Err("`attempt` is 0: attempts count from 1".to_owned()),
            _ => Ok(()),
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference over"
)]
fn is_none(count: &u32) -> bool {
    *count == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference over"
)]
fn is_first(attempt: &u32) -> bool {
    *attempt == 1
}

fn first() -> u32 {
    1
}

/// An earlier run, as it is read from its journal.
#[derive(Clone, Debug, Default)]
pub struct PastRun {
    /// Time at which it was opened.
    pub start: Option<Timestamp>,
    /// True if it was made at AWS, as far as its journal says: at an emulator nothing takes AWS's time.
    pub is_at_aws: bool,
    /// True if everything in it had ended when the last runner left.
    pub has_ended: bool,
    /// Time from its opening to the last end, in seconds; none if a second runner came later.
    pub seconds: Option<f64>,
    /// Outcomes of its restores, by name.
    pub restores: BTreeMap<RestoreName, PastRestore>,
    /// The plan as the last runner took it up.
    pub outline: Option<Arc<Outline>>,
    /// Restores that were started, or would have been but for another.
    pub touched: BTreeSet<RestoreName>,
    /// Restores under way.
    open: BTreeMap<RestoreName, OpenRestore>,
    last_end: Option<Timestamp>,
    is_resumed: bool,
}

impl PastRun {
    /// Returns true if all that is known of it was known at a time.
    #[must_use]
    pub(super) fn was_over_by(&self, at: Timestamp) -> bool {
        self.last_end.is_none_or(|end| end <= at)
    }
}

/// A restore whose job has not ended.
#[derive(Clone, Debug)]
struct OpenRestore {
    resource_type: String,
    variant: Option<String>,
    attempt: u32,
    accepted: Option<Timestamp>,
    was_pending: bool,
    pending_seconds: Option<f64>,
    check_started: Option<Timestamp>,
}

impl PastRun {
    /// Takes in one event of its journal; they come in its order.
    pub fn take(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::RunOpened { world, .. } => {
                self.start = Some(recorded.at);
                self.is_at_aws = world.as_ref().is_none_or(|world| *world == Endpoint::Aws);
            }
            Event::RunResumed { .. } => {
                self.is_resumed = true;
                self.has_ended = false;
            }
            Event::Planned { outline } => self.outline = Some(Arc::clone(outline)),
            Event::Skipped { restore, .. } => {
                self.touched.insert(restore.clone());
            }
            Event::Intended {
                restore,
                attempt,
                request,
                adopts,
                ..
            } => {
                self.touched.insert(restore.clone());
                if adopts.is_some() {
                    return;
                }
                let open = OpenRestore {
                    resource_type: request.resource_type.clone(),
                    variant: variant(&request.resource_type, &request.metadata),
                    attempt: *attempt,
                    accepted: None,
                    was_pending: false,
                    pending_seconds: None,
                    check_started: None,
                };
                self.open.insert(restore.clone(), open);
            }
            Event::Accepted { restore, .. } => {
                if let Some(open) = self.open.get_mut(restore) {
                    open.accepted = Some(recorded.at);
                }
            }
            Event::StatusChanged { restore, status } => self.seen(restore, status, recorded.at),
            Event::Completed {
                restore,
                started_at,
                ended_at,
                size_bytes,
                ..
            } => self.ended(
                restore,
                (*started_at, *ended_at),
                recorded.at,
                true,
                *size_bytes,
            ),
            Event::Failed {
                restore,
                started_at,
                ended_at,
                ..
            } => self.ended(restore, (*started_at, *ended_at), recorded.at, false, None),
            Event::CheckStarted {
                restore: Some(restore),
                nth: 1,
                ..
            } => {
                if let Some(open) = self.open.get_mut(restore) {
                    open.check_started = Some(recorded.at);
                }
            }
            Event::CheckEnded {
                restore, verdict, ..
            } => {
                self.last_end = Some(recorded.at);
                if let Some(restore) = restore {
                    self.checked(restore, *verdict, recorded.at);
                }
            }
            Event::RunEnded => {
                self.has_ended = true;
                let start = self.start.filter(|_| !self.is_resumed);
                let took = start.zip(self.last_end);
                self.seconds = took.map(|(start, end)| end.duration_since(start).as_secs_f64());
            }
            _ => {}
        }
    }

    fn seen(&mut self, restore: &RestoreName, status: &str, at: Timestamp) {
        let Some(open) = self.open.get_mut(restore) else {
            return;
        };
        match status {
            "PENDING" => open.was_pending = true,
            // Of one that was never seen PENDING nobody knows for how long it was.
            _ if open.was_pending && open.pending_seconds.is_none() => {
                let since = open.accepted.unwrap_or(at);
                open.pending_seconds = Some(at.duration_since(since).as_secs_f64().max(0.0));
            }
            _ => {}
        }
    }

    fn ended(
        &mut self,
        restore: &RestoreName,
        (started, ended): (Option<Timestamp>, Option<Timestamp>),
        seen: Timestamp,
        completed: bool,
        size_bytes: Option<i64>,
    ) {
        self.last_end = Some(seen);
        let Some(open) = self.open.get(restore) else {
            return;
        };
        let (Some(started), Some(ended), Some(start)) = (started, ended, self.start) else {
            return;
        };
        let seconds = ended.duration_since(started).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let past = PastRestore {
            run: 0,
            day: start.to_zoned(TimeZone::UTC).date(),
            resource_type: open.resource_type.clone(),
            variant: open.variant.clone(),
            size_bytes,
            completed,
            seconds,
            pending_seconds: open.pending_seconds.filter(|pending| *pending < seconds),
            checks: 0,
            checks_seconds: None,
            check_failed: false,
            attempt: open.attempt,
        };
        self.restores.insert(restore.to_owned(), past);
    }

    fn checked(&mut self, restore: &RestoreName, verdict: CheckVerdict, at: Timestamp) {
        let (Some(open), Some(past)) = (self.open.get(restore), self.restores.get_mut(restore))
        else {
            return;
        };
        let Some(since) = open.check_started else {
            return;
        };
        if verdict == CheckVerdict::Again {
            return;
        }
        past.checks += 1;
        let took = at.duration_since(since).as_secs_f64().max(0.0);
        past.checks_seconds = Some(past.checks_seconds.unwrap_or(0.0) + took);
        past.check_failed |= verdict == CheckVerdict::Failed;
    }
}

/// The restores of runs, each numbered by its run, in the order of the runs.
#[must_use]
pub fn restores_of<'a>(runs: impl IntoIterator<Item = &'a PastRun>) -> Vec<PastRestore> {
    let mut all = Vec::new();
    for (run, number) in runs.into_iter().zip(0..) {
        let restores = run.restores.values().cloned();
        all.extend(restores.map(|restore| PastRestore {
            run: number,
            ..restore
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        let good = r#"{"run":0,"day":"2026-11-29","type":"EFS","completed":true,"seconds":60.0}"#;
        let read = |text: &str| serde_json::from_str::<PastRestore>(text).unwrap().check();
        assert_eq!(read(good), Ok(()));
        for (from, to, says) in [
            ("60.0", "-5", "`seconds` is -5"),
            ("60.0", "0", "`seconds` is 0"),
            ("60.0", "1e18", "no restore takes that long"),
            ("60.0", "60,\"size_bytes\":-7", "`size_bytes` is -7"),
            (
                "60.0",
                "60,\"pending_seconds\":-3",
                "`pending_seconds` is -3",
            ),
            ("60.0", "60,\"pending_seconds\":61", "more than `seconds`"),
            ("60.0", "60,\"checks_seconds\":4e18", "`checks_seconds` is"),
            ("60.0", "60,\"attempt\":0", "`attempt` is 0"),
        ] {
            let error = read(&good.replace(from, to)).unwrap_err();
            assert!(error.contains(says), "{to}: {error}");
        }
    }

    #[test]
    fn a_run_that_had_not_ended_is_not_learned_from() {
        use super::super::backtest::{NamedRun, backtest};
        let at = |minute: u32| -> Timestamp {
            format!("2026-11-29T08:{minute:02}:00Z").parse().unwrap()
        };
        let line = r#"{"run":0,"day":"2026-11-29","type":"EFS","completed":true,"seconds":60.0}"#;
        let restore: PastRestore = serde_json::from_str(line).unwrap();
        let run = |name: &str, start, end| NamedRun {
            plan: "orders".to_owned(),
            run: name.to_owned(),
            past: PastRun {
                start: Some(at(start)),
                last_end: Some(at(end)),
                restores: [(RestoreName::new("files"), restore.clone())].into(),
                ..PastRun::default()
            },
        };
        let forecast = |start| {
            let record = backtest(vec![run("a", 0, 30), run("b", start, 59)]);
            record.types.values().map(|of| of.count).sum::<u32>()
        };
        assert_eq!(forecast(31), 1);
        assert_eq!(forecast(10), 0, "nothing was known by then");
    }
}
