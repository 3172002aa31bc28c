//! State of every resource at a date: the one rule, and the totals of all of them.

use std::collections::HashMap;
use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;

use super::judge::ResourceJudge;
use super::policy::day_begins;
use super::{CoveragePolicy, ProtectedResource};
use crate::proof::{Ledger, LedgerEntry};

/// For how many months back the trend goes.
const MONTHS: i32 = 12;

/// State of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageState {
    /// Proven, and that holds.
    Proven,
    /// Proven, and that holds for a little while only.
    Expiring,
    /// Proven once, too long ago.
    Expired,
    /// Its last proof is older than a restore that failed, or it took longer than wanted.
    Failed,
    /// Restored, and nothing has said that the data is good.
    Restored,
    /// Never restored.
    Never,
    /// Without a recovery point that can be restored.
    Unprotected,
    /// Not proven, and somebody has said why it does not have to be, until when.
    Excepted,
}

impl CoverageState {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 8] = [
        Self::Proven,
        Self::Expiring,
        Self::Expired,
        Self::Failed,
        Self::Restored,
        Self::Never,
        Self::Unprotected,
        Self::Excepted,
    ];

    /// Returns the word as written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Restored => "restored",
            Self::Never => "never",
            Self::Unprotected => "unprotected",
            Self::Excepted => "excepted",
        }
    }

    /// Returns true if it counts.
    #[must_use]
    pub fn is_proven(self) -> bool {
        matches!(self, Self::Proven | Self::Expiring)
    }
}

/// A resource, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoverageRow {
    /// Its ARN.
    pub arn: String,
    /// AWS's name of its type.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// State of the resource.
    pub state: CoverageState,
    /// Time when it was last proven.
    pub last: Option<Timestamp>,
    /// Time when that ends, or has ended; of an exception, its own end.
    pub until: Option<Timestamp>,
    /// The plan and run that say so.
    pub run: Option<String>,
    /// Reason why it does not count.
    pub reason: Option<String>,
    /// The size of its latest recovery point.
    #[serde(skip)]
    pub bytes: u64,
}

/// Number of something, and its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CountAndBytes {
    /// Number of them.
    pub count: u64,
    /// Bytes of their latest recovery points.
    pub bytes: u64,
}

/// Totals of all resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoverageTotals {
    /// Resources said to be protected.
    pub claimed: CountAndBytes,
    /// Resources that count as proven.
    pub proven: CountAndBytes,
    /// Resources that have to be proven: all that are claimed, without those excepted.
    pub wanted: CountAndBytes,
    /// By state, in the order of [`CoverageState::ALL`].
    pub states: [CountAndBytes; 8],
}

/// Proven resources at an earlier date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrendPoint {
    /// The date.
    pub at: Timestamp,
    /// Number of resources proven then.
    pub proven: u64,
    /// Of how many.
    pub wanted: u64,
}

/// Every resource at a date.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// The date.
    pub at: Timestamp,
    /// The resources, by ARN.
    pub rows: Vec<CoverageRow>,
    /// Totals of the resources.
    pub totals: CoverageTotals,
    /// The same of the ends of earlier months, and of the date.
    pub trend: Vec<TrendPoint>,
    /// Lines of the ledger that are later than the date, and do not count.
    pub later: usize,
    /// Resources in the ledger that are not among the protected ones.
    pub strangers: usize,
}

impl Coverage {
    /// Judges every resource at a date.
    #[must_use]
    pub fn at(
        at: Timestamp,
        resources: &[ProtectedResource],
        ledger: &Ledger,
        policy: &CoveragePolicy,
    ) -> Self {
        let mut lines: HashMap<&str, Vec<&LedgerEntry>> =
            resources.iter().map(|of| (&*of.arn, Vec::new())).collect();
        let mut strangers: HashMap<&str, ()> = HashMap::new();
        for entry in ledger.entries() {
            match lines.get_mut(&*entry.resource) {
                Some(of) => of.push(entry),
                None => drop(strangers.insert(&entry.resource, ())),
            }
        }
        for of in lines.values_mut() {
            // In whatever order branches were merged.
            of.sort_by_key(|entry| {
                (
                    entry.at,
                    entry.result,
                    &entry.plan,
                    &entry.run,
                    &entry.restore,
                    entry.rto_seconds,
                )
            });
        }
        let dates = trend_dates(at, ledger);
        let mut trend: Vec<TrendPoint> = dates
            .iter()
            .map(|at| TrendPoint {
                at: *at,
                proven: 0,
                wanted: 0,
            })
            .collect();
        let mut rows = Vec::with_capacity(resources.len());
        for resource in resources {
            let of = lines.get(&*resource.arn).map(Vec::as_slice);
            let subject = ResourceJudge::new(resource, of.unwrap_or_default(), policy);
            for point in &mut trend {
                let state = subject.judged(point.at).state;
                point.proven += u64::from(state.is_proven());
                point.wanted += u64::from(state != CoverageState::Excepted);
            }
            rows.push(subject.row(at));
        }
        let totals = CoverageTotals::of(&rows);
        trend.push(TrendPoint {
            at,
            proven: totals.proven.count,
            wanted: totals.wanted.count,
        });
        Self {
            at,
            rows,
            totals,
            trend,
            later: ledger
                .entries()
                .iter()
                .filter(|entry| entry.at > at)
                .count(),
            strangers: strangers.len(),
        }
    }

    /// Returns true if so many percent of what has to be proven are. Nothing proven of nothing is not enough of
    /// anything.
    #[must_use]
    pub fn reaches(&self, percent: f64) -> bool {
        self.totals.percent() >= percent
    }
}

impl CoverageTotals {
    fn of(rows: &[CoverageRow]) -> Self {
        let mut totals = Self::default();
        for row in rows {
            let add = |to: &mut CountAndBytes| {
                to.count += 1;
                to.bytes = to.bytes.saturating_add(row.bytes);
            };
            add(&mut totals.claimed);
            if row.state.is_proven() {
                add(&mut totals.proven);
            }
            if row.state != CoverageState::Excepted {
                add(&mut totals.wanted);
            }
            let place = CoverageState::ALL.iter().position(|of| *of == row.state);
            if let Some(of) = place.and_then(|at| totals.states.get_mut(at)) {
                add(of);
            }
        }
        totals
    }

    /// Returns how many have a state, and how large they are.
    #[must_use]
    pub fn of_state(&self, state: CoverageState) -> CountAndBytes {
        let mut states = CoverageState::ALL.iter().zip(self.states);
        let found = states.find(|(of, _)| **of == state);
        found.map(|(_, count)| count).unwrap_or_default()
    }

    /// Returns the percentage of what has to be proven that is, by count; 0 if nothing has to be.
    #[must_use]
    pub fn percent(&self) -> f64 {
        percent(self.proven.count, self.wanted.count)
    }

    /// The same by bytes.
    #[must_use]
    pub fn percent_of_bytes(&self) -> f64 {
        percent(self.proven.bytes, self.wanted.bytes)
    }
}

/// To a tenth, and never rounded up: what is not quite enough does not look like it.
#[expect(
    clippy::cast_precision_loss,
    reason = "thousands are exact, and the tenths of a percent of that many bytes"
)]
pub(super) fn percent(of: u64, all: u64) -> f64 {
    match all {
        0 => 0.0,
        _ => {
            let tenths = u128::from(of) * 1000 / u128::from(all);
            tenths as f64 / 10.0
        }
    }
}

/// The ends of the months before a date, from the one in which the ledger begins.
fn trend_dates(at: Timestamp, ledger: &Ledger) -> Vec<Timestamp> {
    let Some(begin) = ledger.entries().iter().map(|entry| entry.at).min() else {
        return Vec::new();
    };
    let month: Date = at.to_zoned(TimeZone::UTC).date().first_of_month();
    let ends = (0..MONTHS).filter_map(|back| month.checked_sub(back.months()).ok());
    let mut ends: Vec<Timestamp> = ends
        .map(day_begins)
        .filter(|end| begin < *end && *end < at)
        .collect();
    ends.reverse();
    ends
}

impl fmt::Display for CoverageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
