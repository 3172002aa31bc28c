//! `objectives.confidence`: a finding once forecasts here have been right often enough, and not before.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use redrill::backup::Endpoint;
use redrill::ids::{
    AccountId, IdempotencyToken, JobId, RegionName, RequestDigest, RestoreName, RunId,
};
use redrill::plan::Request;
use redrill::render::Target;
use redrill::state::{Append as _, Event, Origin, Outline, OutlinedRestore, Recorded};

use crate::drill::run;
use crate::harness::owner;
use crate::support::{folder, journal_of, many, now, write};

/// A run at AWS of one restore that took so many seconds, on so many days after the first.
pub(super) fn past_events(day: i64, seconds: i64) -> Vec<Recorded> {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let start = start + SignedDuration::from_hours(24 * day);
    let at = |second: i64| start + SignedDuration::from_secs(second);
    let target = Target {
        region: RegionName::new("us-west-2"),
        account: AccountId::new("123456789012"),
        ..Target::default()
    };
    let outline = Outline {
        origin: Origin {
            plan_sha256: "0".repeat(64),
            ..Origin::default()
        },
        restores: vec![OutlinedRestore {
            name: RestoreName::new("r0"),
            resource_type: "EFS".to_owned(),
            ..OutlinedRestore::default()
        }],
        ..Outline::default()
    };
    let request = Request {
        resource_type: "EFS".to_owned(),
        recovery_point_arn: crate::support::point(0),
        ..Request::default()
    };
    let restore = || RestoreName::new("r0");
    let events = [
        (
            0,
            Event::RunOpened {
                plan: "many".to_owned(),
                run: RunId::new(format!("day-{day}")),
                redrill: "0.1.0".to_owned(),
                target,
                others: Vec::new(),
                file: "plan.yaml".to_owned(),
                options: Vec::new(),
                world: Some(Endpoint::Aws),
                saved_plan: None,
                reports: None,
                forecast: None,
            },
        ),
        (
            0,
            Event::Planned {
                outline: Arc::new(outline),
            },
        ),
        (
            0,
            Event::Intended {
                restore: restore(),
                attempt: 1,
                token: IdempotencyToken::new(format!("rd1-{}", "0".repeat(40))),
                digest: RequestDigest::new("0".repeat(64)),
                request,
                aws_at: None,
                adopts: None,
            },
        ),
        (
            0,
            Event::Accepted {
                restore: restore(),
                job_id: JobId::new("job"),
                request_id: None,
            },
        ),
        (
            seconds + 15,
            Event::Completed {
                restore: restore(),
                created_resource_arn: None,
                started_at: Some(at(0)),
                ended_at: Some(at(seconds)),
                recovery_point_created_at: None,
                message: None,
                mismatch: None,
                source_resource_arn: None,
                size_bytes: Some(1 << 30),
            },
        ),
        (seconds + 15, Event::RunEnded),
    ];
    events
        .into_iter()
        .map(|(second, event)| Recorded {
            at: at(second),
            aws_ahead: None,
            event,
        })
        .collect()
}

fn past(state: &Path, day: i64, seconds: i64) {
    let events = past_events(day, seconds);
    let run = format!("day-{day}");
    let mut journal = journal_of(state, "many", &run, &owner(1), false).unwrap();
    now(journal.append(&events)).unwrap();
}

/// How long a restore takes on a day: about ten minutes, lopsided.
fn seconds(random: &mut fastrand::Rng) -> i64 {
    let slow = -(1.0 - random.f64()).ln();
    (500.0 + 60.0 * random.f64() + 50.0 * slow) as i64
}

#[test]
fn confidence_is_a_finding_once_the_forecast_has_earned_it() {
    let folder = folder();
    let plan = many(1, 0);
    let with = |rto: &str| {
        plan.replacen(
            "target:",
            &format!("objectives: {{ rto: {rto}, confidence: 0.9 }}\ntarget:"),
            1,
        )
    };
    write(folder.path(), "plan.yaml", &with("8m"));
    write(folder.path(), "easy.yaml", &with("10h"));
    let state = folder.path().join(".redrill");
    let mut random = fastrand::Rng::with_seed(3);
    for day in 0..4 {
        past(&state, day, seconds(&mut random));
    }
    let plan = |file: &str| run(folder.path(), &["plan", file, "--detailed-exitcode"]);
    let (code, output, errors) = plan("plan.yaml");
    assert_eq!(code, 2, "{errors}");
    assert!(
        errors.contains("has not earned its place yet: 3 past runs"),
        "{errors}"
    );
    assert!(
        output.contains("forecast: half of such runs end within"),
        "{output}"
    );
    for day in 4..40 {
        past(&state, day, seconds(&mut random));
    }
    let (code, backtest, _) = run(folder.path(), &["forecast", "backtest"]);
    assert!(code == 0 && backtest.contains("runs  39"), "{backtest}");
    let (code, _, errors) = plan("plan.yaml");
    assert_eq!(code, 7, "{errors}\n{backtest}");
    assert!(errors.contains("objectives/forecast"), "{errors}");
    assert!(errors.contains("`confidence` wants 90 %"), "{errors}");
    // An objective that holds is nothing to speak of.
    let (code, _, errors) = plan("easy.yaml");
    assert_eq!(code, 2, "{errors}");
    assert!(!errors.contains("objectives/forecast"), "{errors}");
}

#[test]
fn a_confidence_is_a_part_of_one() {
    let folder = folder();
    for wrong in ["90", "1", "0", "high", "-0.5"] {
        let plan = many(1, 0).replacen(
            "target:",
            &format!("objectives: {{ rto: 1h, confidence: {wrong} }}\ntarget:"),
            1,
        );
        write(folder.path(), "plan.yaml", &plan);
        let (code, output, errors) = run(folder.path(), &["validate", "plan.yaml"]);
        assert_eq!(code, 4, "{wrong}");
        assert!(
            format!("{output}{errors}").contains("confidence: 0.9"),
            "{wrong}: {output}{errors}"
        );
    }
}
