//! What never raises coverage, whatever the world is.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use redrill::coverage::{Coverage, CoveragePolicy, ProtectedResource, protected};
use redrill::proof::{Ledger, Proof, ProofResult};

use super::{Forged, TYPES, point, shown};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn day(at: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * at)
}

/// A line that may be anything.
fn line() -> impl Strategy<Value = Proof> {
    let result = prop_oneof![
        3 => Just(ProofResult::Proven),
        1 => Just(ProofResult::Restored),
        1 => Just(ProofResult::Failed),
    ];
    (
        0..4usize,
        0..200i64,
        result,
        proptest::option::of(0..7200i64),
    )
        .prop_map(|(of, at, result, took)| shown(NAMES[of], day(at), result, took, Forged::No))
}

/// A line that proves nothing.
fn nothing() -> impl Strategy<Value = Proof> {
    let kind = prop_oneof![
        Just((ProofResult::Proven, Forged::Rehearsal)),
        Just((ProofResult::Proven, Forged::Emulator)),
        Just((ProofResult::Proven, Forged::Unchecked)),
        Just((ProofResult::Proven, Forged::Doubted)),
        // Without a check, and with losses.
        Just((ProofResult::Restored, Forged::No)),
        Just((ProofResult::Failed, Forged::No)),
        Just((ProofResult::Failed, Forged::Emulator)),
    ];
    (0..4usize, 0..400i64, kind)
        .prop_map(|(of, at, (result, forged))| shown(NAMES[of], day(at), result, Some(1), forged))
}

fn policies() -> impl Strategy<Value = CoveragePolicy> {
    let texts = [
        "{}",
        "rto: 1h",
        "every: 30d",
        "policies: [{ name: \"*:a\", every: 10d, rto: 30m }]",
        "exceptions: [{ name: \"*:b\", reason: r, owner: o, until: 2026-04-30 }, { name: \"*:c\", reason: r, owner: o, until: 2026-08-01 }]",
    ];
    proptest::sample::select(texts.to_vec())
        .prop_map(|text| CoveragePolicy::parse(text, &TYPES).unwrap())
}

fn resources() -> impl Strategy<Value = Vec<ProtectedResource>> {
    proptest::collection::vec(proptest::option::of(0..300i64), 4).prop_map(|expires| {
        let points =
            NAMES
                .iter()
                .zip(expires)
                .map(|(name, expires)| redrill::backup::RecoveryPoint {
                    expires_at: expires.map(day),
                    ..point(name)
                });
        protected(&points.collect::<Vec<_>>(), [])
    })
}

/// A ledger of lines in this order, of as many branches.
fn ledger(lines: &[Proof]) -> Ledger {
    let text: String = lines.iter().map(|line| line.line().0 + "\n").collect();
    Ledger::parse(text.as_bytes())
}

fn covered(
    at: Timestamp,
    resources: &[ProtectedResource],
    lines: &[Proof],
    policy: &CoveragePolicy,
) -> (u64, f64) {
    let coverage = Coverage::at(at, resources, &ledger(lines), policy);
    (coverage.totals.proven.count, coverage.totals.percent())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_proves_nothing_raises_coverage(
        lines in proptest::collection::vec(line(), 0..12),
        more in proptest::collection::vec(nothing(), 1..8),
        policy in policies(), resources in resources(), at in 0..400i64,
    ) {
        let before = covered(day(at), &resources, &lines, &policy);
        let all: Vec<Proof> = lines.into_iter().chain(more).collect();
        let after = covered(day(at), &resources, &all, &policy);
        prop_assert!(after.0 <= before.0 && after.1 <= before.1, "{before:?} {after:?}");
    }

    #[test]
    fn time_alone_only_lowers_it(
        lines in proptest::collection::vec(line(), 0..12),
        policy in policies(), resources in resources(), at in 200..400i64, days in 1..200i64,
    ) {
        // Every line is of before.
        let before = covered(day(at), &resources, &lines, &policy);
        let after = covered(day(at + days), &resources, &lines, &policy);
        prop_assert!(after.0 <= before.0 && after.1 <= before.1, "{before:?} {after:?}");
    }

    #[test]
    fn the_order_of_merged_lines_does_not_matter(
        lines in proptest::collection::vec(line(), 0..12).prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
        policy in policies(), resources in resources(), at in 0..400i64,
    ) {
        let of = |lines: &[Proof]| {
            let coverage = Coverage::at(day(at), &resources, &ledger(lines), &policy);
            (coverage.rows, coverage.totals, coverage.trend)
        };
        prop_assert_eq!(of(&lines.0), of(&lines.1));
    }
}
