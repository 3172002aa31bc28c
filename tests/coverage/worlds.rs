//! Every world of `worlds.yaml`, against the table that stands in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use redrill::coverage::{Coverage, CoveragePolicy, ProtectedResource, protected};
use redrill::proof::ProofResult;
use serde::Deserialize;

use super::{Forged, TYPES, arn, ledger, noon, point, shown};
use crate::support::repository_file;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct World {
    name: String,
    at: Date,
    #[serde(default)]
    policy: Option<CoveragePolicy>,
    points: BTreeMap<String, Point>,
    #[serde(default)]
    claimed: Vec<String>,
    #[serde(default)]
    ledger: Vec<Line>,
    want: BTreeMap<String, String>,
    covered: String,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Point {
    status: String,
    expires: Option<Date>,
    class: Option<String>,
    tags: BTreeMap<String, String>,
}

impl Default for Point {
    fn default() -> Self {
        Self {
            status: "COMPLETED".to_owned(),
            expires: None,
            class: None,
            tags: BTreeMap::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    of: String,
    at: Date,
    #[serde(default)]
    result: Option<ProofResult>,
    #[serde(default)]
    took: Option<String>,
    #[serde(default)]
    is: Option<String>,
}

impl World {
    fn resources(&self) -> Vec<ProtectedResource> {
        let points: Vec<_> = self
            .points
            .iter()
            .map(|(name, of)| redrill::backup::RecoveryPoint {
                status: of.status.as_str().into(),
                expires_at: of.expires.map(noon),
                storage_class: of.class.clone(),
                ..point(name)
            })
            .collect();
        let claimed = self
            .claimed
            .iter()
            .map(|name| ProtectedResource::claimed(&arn(name), "RDS"));
        let mut resources = protected(&points, claimed);
        for resource in &mut resources {
            let of = self
                .points
                .iter()
                .find(|(name, _)| arn(name) == resource.arn);
            resource.tags = of.map(|(_, of)| of.tags.clone()).unwrap_or_default();
        }
        resources
    }
}

fn forged(is: Option<&str>) -> Forged {
    match is {
        None => Forged::No,
        Some("rehearsal") => Forged::Rehearsal,
        Some("emulator") => Forged::Emulator,
        Some("unchecked") => Forged::Unchecked,
        Some("doubted") => Forged::Doubted,
        Some(other) => panic!("{other}"),
    }
}

fn took(text: Option<&str>) -> Option<i64> {
    match text {
        Some("unknown") => None,
        Some(text) => Some(text.parse::<jiff::SignedDuration>().unwrap().as_secs()),
        None => Some(3600),
    }
}

#[test]
fn fifty_worlds_are_judged_as_a_person_judged_them() {
    let worlds: Vec<World> =
        serde_yaml::from_str(&repository_file("tests/coverage/worlds.yaml")).unwrap();
    assert_eq!(worlds.len(), 50);
    let mut states = std::collections::BTreeSet::new();
    for world in &worlds {
        let lines = world.ledger.iter().map(|line| {
            let result = line.result.unwrap_or(ProofResult::Proven);
            shown(
                &line.of,
                noon(line.at),
                result,
                took(line.took.as_deref()),
                forged(line.is.as_deref()),
            )
        });
        let ledger = ledger(lines);
        let policy = world.policy.clone().unwrap_or_default();
        let coverage = Coverage::at(noon(world.at), &world.resources(), &ledger, &policy);
        let found: BTreeMap<String, String> = coverage
            .rows
            .iter()
            .map(|row| (row.arn.clone(), row.state.word().to_owned()))
            .collect();
        let wanted: BTreeMap<String, String> = world
            .want
            .iter()
            .map(|(name, state)| (arn(name), state.clone()))
            .collect();
        assert_eq!(found, wanted, "{}: {:#?}", world.name, coverage.rows);
        let totals = &coverage.totals;
        assert_eq!(
            format!("{}/{}", totals.proven.count, totals.wanted.count),
            world.covered,
            "{}",
            world.name
        );
        assert_eq!(totals.claimed.count, coverage.rows.len() as u64);
        states.extend(world.want.values().cloned());
        for row in &coverage.rows {
            // What does not count says why, and what counts until when.
            assert_eq!(
                row.reason.is_none(),
                row.state.is_proven(),
                "{}: {row:?}",
                world.name
            );
            assert!(
                !row.state.is_proven() || row.last.is_some() && row.until > row.last,
                "{row:?}"
            );
        }
    }
    // An editor takes every policy that redrill takes.
    let raw: serde_json::Value =
        serde_yaml::from_str(&repository_file("tests/coverage/worlds.yaml")).unwrap();
    let schema = serde_json::from_str(&repository_file("schemas/coverage.schema.json")).unwrap();
    let schema = jsonschema::draft202012::options().build(&schema).unwrap();
    for world in raw.as_array().unwrap() {
        if let Some(policy) = world.get("policy") {
            assert!(schema.is_valid(policy), "{world}");
        }
    }
    assert!(!schema.is_valid(&serde_json::json!({ "evry": "30d" })));
    assert_eq!(states.len(), 8, "every state is in a world: {states:?}");
}

#[test]
fn a_row_says_since_when_until_when_and_by_whom() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let line = shown(
        "a",
        at("2026-06-01T12:00:00Z"),
        ProofResult::Proven,
        Some(60),
        Forged::No,
    );
    let run = line.run.to_string();
    let policy = super::policy("every: 30d");
    let resources = super::databases(["a"]);
    let coverage = Coverage::at(
        at("2026-06-10T00:00:00Z"),
        &resources,
        &ledger([line]),
        &policy,
    );
    let row = &coverage.rows[0];
    assert_eq!(row.last, Some(at("2026-06-01T12:00:00Z")));
    assert_eq!(row.until, Some(at("2026-07-01T12:00:00Z")));
    assert_eq!(row.run, Some(format!("orders {run}")));
    assert_eq!(row.resource_type, "RDS");
    assert_eq!(coverage.totals.proven.bytes, 100);
}

#[test]
fn a_policy_that_is_wrong_is_refused_with_what_is_wrong() {
    for (text, says) in [
        ("evry: 30d", "unknown field `evry`"),
        ("every: 30", "30"),
        ("every: soon", "`soon` is not a time of a day or more"),
        ("every: 4h", "`4h` is not a time of a day or more"),
        ("rto: fast", "`fast` is not a duration"),
        ("policies: [{ typ: RDS }]", "policies[0]: unknown key `typ`"),
        (
            "policies: [{ type: RDS }, { reason: x }]",
            "policies[1]: unknown key `reason`",
        ),
        ("exceptions: [{ type: RDS }]", "missing field `reason`"),
        (
            "exceptions: [{ reason: x, owner: y }]",
            "missing field `until`",
        ),
        (
            "exceptions: [{ reason: x, owner: y, until: never }]",
            "exceptions[0].until",
        ),
        (
            "policies: [{ type: RSD, every: 2d }]",
            "policies[0]: unknown type `RSD`; did you mean `RDS`?",
        ),
        (
            "exceptions: [{ reason: x, owner: y, until: 2027-01-01 }]",
            "exceptions[0]: it would except everything; write `type`, `name` or `tag`",
        ),
        (
            "exceptions: [{ type: rds, reason: ' ', owner: y, until: 2027-01-01 }]",
            "exceptions[0]: `reason` is empty",
        ),
        (
            "drills: [{ plan: p, every: week, from: 2026-01-01, window: 8d, owner: o }]",
            "longer than the time between",
        ),
    ] {
        let error = CoveragePolicy::parse(text, &TYPES).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    assert!(
        CoveragePolicy::parse("", &TYPES)
            .unwrap()
            .policies
            .is_empty()
    );
}

#[test]
fn a_percentage_is_never_rounded_up() {
    let names: Vec<String> = (0..2000).map(|at| format!("n{at:04}")).collect();
    let day = "2026-06-01".parse().unwrap();
    let lines = names
        .iter()
        .skip(1)
        .map(|name| shown(name, noon(day), ProofResult::Proven, Some(1), Forged::No));
    let resources = super::databases(names.iter().map(String::as_str));
    let coverage = Coverage::at(
        noon(day),
        &resources,
        &ledger_of(lines),
        &CoveragePolicy::default(),
    );
    assert_eq!(coverage.totals.proven.count, 1999);
    assert!(
        (coverage.totals.percent() - 99.9).abs() < 1e-9,
        "{}",
        coverage.totals.percent()
    );
    assert!(coverage.reaches(99.9) && !coverage.reaches(100.0));
    // Nothing proven of nothing is not enough.
    let nothing = Coverage::at(noon(day), &[], &ledger_of([]), &CoveragePolicy::default());
    assert!(!nothing.reaches(0.1) && nothing.reaches(0.0));
}

/// A ledger of many lines, none of which follows another: as many branches.
fn ledger_of(lines: impl IntoIterator<Item = redrill::proof::Proof>) -> redrill::proof::Ledger {
    let text: String = lines.into_iter().map(|line| line.line().0 + "\n").collect();
    redrill::proof::Ledger::parse(text.as_bytes())
}
