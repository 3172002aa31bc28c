//! A year of quarterly drills in simulated time, one of them left out.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use redrill::coverage::{Coverage, DrillState, Drills};
use redrill::proof::{Ledger, Proof, ProofResult};

use super::{Forged, databases, noon, policy, shown};

const POLICY: &str = "every: quarter\ndrills: [{ plan: orders, every: quarter, from: 2026-01-05, window: 14d, owner: ops }]";

fn ledger(lines: &[Proof]) -> Ledger {
    super::ledger(lines.iter().cloned())
}

fn drill(day: &str) -> Proof {
    shown(
        "a",
        noon(day.parse().unwrap()),
        ProofResult::Proven,
        Some(60),
        Forged::No,
    )
}

#[test]
fn the_one_that_is_missing_is_reported_from_the_day_after_its_window_until_it_is_made_up() {
    let policy = policy(POLICY);
    // Held: January, July, October. April is left out, and made up in June.
    let held = [
        drill("2026-01-08"),
        drill("2026-06-10"),
        drill("2026-07-18"),
        drill("2026-10-05"),
    ];
    let mut day: Date = "2026-01-01".parse().unwrap();
    let last: Date = "2026-12-31".parse().unwrap();
    let (mut missed, mut due) = (Vec::new(), Vec::new());
    while day <= last {
        // As it is found in the morning and in the evening: the ledger has what was held by then.
        for at in [day.at(0, 0, 0, 0), day.at(23, 59, 59, 0)] {
            let at: Timestamp = at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
            let known: Vec<Proof> = held.iter().filter(|line| line.at <= at).cloned().collect();
            let drills = Drills::at(at, &ledger(&known), &policy);
            // What is in the ledger and later does not change what was known then.
            assert_eq!(
                drills.drills,
                Drills::at(at, &ledger(&held), &policy).drills
            );
            let days = match drills.drills[0].state {
                DrillState::Missed => &mut missed,
                DrillState::Due => &mut due,
                _ => continue,
            };
            if days.last() != Some(&day) {
                days.push(day);
            }
        }
        day = day.tomorrow().unwrap();
    }
    let days = |from: &str, to: &str| -> Vec<Date> {
        let (from, to): (Date, Date) = (from.parse().unwrap(), to.parse().unwrap());
        from.series(1.day()).take_while(|day| *day <= to).collect()
    };
    // Its window is 5 to 18 April.
    assert_eq!(missed, days("2026-04-19", "2026-06-10"));
    let open = [
        days("2026-01-05", "2026-01-08"),
        days("2026-04-05", "2026-04-18"),
        days("2026-07-05", "2026-07-18"),
        days("2026-10-05", "2026-10-05"),
    ];
    assert_eq!(due, open.concat());

    // The record keeps it, and so does the trend.
    let at = noon(last);
    let drills = Drills::at(at, &ledger(&held), &policy);
    let states: Vec<DrillState> = drills.drills[0]
        .windows
        .iter()
        .map(|window| window.state)
        .collect();
    assert_eq!(
        states,
        [
            DrillState::Held,
            DrillState::MadeUp,
            DrillState::Held,
            DrillState::Held
        ]
    );
    assert_eq!(
        drills.drills[0].next.as_ref().unwrap().from.to_string(),
        "2027-01-05"
    );
    assert!(!drills.has_missed());
    let coverage = Coverage::at(at, &databases(["a"]), &ledger(&held), &policy);
    let trend: Vec<(String, u64)> = coverage
        .trend
        .iter()
        .map(|point| (point.at.to_string()[..10].to_owned(), point.proven))
        .collect();
    let month = |month: &str, proven| (month.to_owned(), proven);
    assert_eq!(
        trend,
        [
            month("2026-02-01", 1),
            month("2026-03-01", 1),
            month("2026-04-01", 1),
            // Three months after the drill of January nothing is proven, until the one that makes up for April.
            month("2026-05-01", 0),
            month("2026-06-01", 0),
            month("2026-07-01", 1),
            month("2026-08-01", 1),
            month("2026-09-01", 1),
            month("2026-10-01", 1),
            month("2026-11-01", 1),
            month("2026-12-01", 1),
            month("2026-12-31", 1),
        ]
    );
}

#[test]
fn a_drill_that_proved_nothing_was_not_held() {
    let policy = policy(POLICY);
    let at = noon("2026-02-01".parse().unwrap());
    let day = noon("2026-01-08".parse().unwrap());
    for (result, forged, is_missed) in [
        (ProofResult::Proven, Forged::No, false),
        (ProofResult::Proven, Forged::Rehearsal, true),
        (ProofResult::Restored, Forged::No, true),
        (ProofResult::Failed, Forged::No, true),
    ] {
        let line = shown("a", day, result, Some(60), forged);
        let drills = Drills::at(at, &ledger(&[line]), &policy);
        assert_eq!(drills.has_missed(), is_missed, "{result:?} {forged:?}");
    }
    // Another plan's drill is no drill of this one.
    let other = Proof {
        plan: "other".to_owned(),
        ..drill("2026-01-08")
    };
    assert!(Drills::at(at, &ledger(&[other]), &policy).has_missed());
    // Before the first window nothing is due.
    let early = noon("2026-01-02".parse().unwrap());
    let drills = Drills::at(early, &ledger(&[]), &policy);
    assert_eq!(drills.drills[0].state, DrillState::Next);
    assert!(drills.drills[0].windows.is_empty());
}
