//! Objectives and durations are those of one clock, and are judged when their time is over.

use jiff::{SignedDuration, Timestamp};
use redrill::ids::RunId;
use redrill::report::{Record, RunReport, Verdict, run_report};
use redrill::state::{Event, Recorded};
use redrill_emulator::TokenSemantics;
use serde_json::{Value, json};

use super::reports::story;
use crate::harness::{Going, driven, events, fast, going, run_going};
use crate::support::{emulator, folder, many};

fn report(events: &[Recorded]) -> RunReport {
    run_report(
        "orders",
        &RunId::new("2026-Q4"),
        events.iter().collect::<Record>(),
    )
}

/// The numbers of a report that a person decides by.
fn numbers(report: &RunReport) -> Value {
    let restores = report.restores.iter().map(|restore| {
        let took = restore
            .started_at
            .zip(restore.ended_at)
            .map(|(from, to)| to.duration_since(from).as_secs());
        json!([
            restore.restore,
            took,
            restore.rto_seconds,
            restore.rpo_seconds
        ])
    });
    json!({
        "restores": restores.collect::<Vec<_>>(),
        "missed": report.missed,
        "verdict": report.verdict,
        "took": report.took(),
    })
}

/// A story in which AWS's clock is ahead of ours, or behind; and what this machine saw of that.
fn skewed(ahead: SignedDuration, seen: Option<i64>) -> Vec<Recorded> {
    let by_aws = |at: &mut Option<Timestamp>| {
        if let Some(at) = at {
            *at += ahead;
        }
    };
    let mut events = story();
    for recorded in &mut events {
        recorded.aws_ahead = seen;
        if let Event::Completed {
            started_at,
            ended_at,
            recovery_point_created_at,
            ..
        } = &mut recorded.event
        {
            by_aws(started_at);
            by_aws(ended_at);
            by_aws(recovery_point_created_at);
        }
    }
    events
}

#[test]
fn issue_14_clocks_days_apart_change_no_number() {
    let wanted = numbers(&report(&story()));
    assert_eq!(wanted["restores"][0], json!(["db", 600, 640, 7200]));
    for hours in [-72, -2, 2, 72, 24 * 30] {
        let ahead = SignedDuration::from_hours(hours);
        let events = skewed(ahead, Some(ahead.as_secs()));
        assert_eq!(numbers(&report(&events)), wanted, "{hours} h");
    }
}

/// Journals of earlier versions do not say how far the clocks are apart.
#[test]
fn issue_14_the_whole_is_never_shorter_than_its_parts() {
    for hours in [-72, -2, 0, 2, 72] {
        let report = report(&skewed(SignedDuration::from_hours(hours), None));
        let took = report.took().unwrap();
        for restore in &report.restores {
            let (Some(from), Some(to)) = (restore.started_at, restore.ended_at) else {
                continue;
            };
            let part = to.duration_since(from).as_secs();
            assert!(took >= part, "{hours} h: {took} s of {part} s");
            let rto = restore.rto_seconds.unwrap_or(part);
            assert!(rto >= part, "{hours} h: {rto} s of {part} s");
        }
        if hours > 0 {
            // It cannot have taken longer than we waited for it.
            assert!(took < 3600, "{hours} h: {took} s");
        }
    }
}

/// AWS's answer names times that cannot be: a restore does not end before it begins, and no objective is met by that.
#[test]
fn issue_14_a_job_that_ends_before_it_begins_took_what_was_seen_here() {
    let wanted = numbers(&report(&story()));
    for hours in [1, 24, 500_000] {
        let mut events = story();
        for recorded in &mut events {
            if let Event::Completed {
                started_at: Some(started),
                ended_at,
                ..
            } = &mut recorded.event
            {
                *ended_at = started
                    .saturating_sub(SignedDuration::from_hours(hours))
                    .ok();
            }
        }
        let is = numbers(&report(&events));
        assert_eq!(is["verdict"], wanted["verdict"], "{hours} h");
        for restore in is["restores"].as_array().unwrap() {
            let took = restore[1].as_i64().unwrap_or_default();
            assert!((0..=3600).contains(&took), "{hours} h: {is}");
        }
        assert!(is["took"].as_i64().unwrap() >= 600, "{hours} h: {is}");
    }
}

/// Only the first events of the story, up to a time, and then a runner that leaves after so many seconds.
fn interrupted(after: i64) -> Vec<Recorded> {
    let mut events = story();
    let start = events[0].at;
    events.retain(|recorded| recorded.at <= start);
    events.push(Recorded {
        at: start + SignedDuration::from_secs(after),
        aws_ahead: None,
        event: Event::Detached,
    });
    events
}

#[test]
fn issue_14_an_objective_is_missed_when_its_time_is_over() {
    // Interrupted: nobody knows yet.
    let early = report(&interrupted(60));
    assert_eq!(early.missed, Vec::<String>::new());
    assert_eq!(early.objectives.rto.as_ref().unwrap().met, None);
    let late = report(&interrupted(700));
    assert_eq!(
        late.missed,
        ["db: RTO of 10m 00s cannot be met any more; 11m 40s have passed"]
    );
    let later = report(&interrupted(4000));
    assert_eq!(
        later.missed,
        [
            "db: RTO of 10m 00s cannot be met any more; 1h 06m have passed",
            "the run: RTO of 1h 00m cannot be met any more; 1h 06m have passed",
        ]
    );
    assert_eq!(later.verdict, Verdict::Unfinished);
}

/// Three restores, one after the other, by a machine whose clock is so far ahead of AWS's.
async fn ran(ahead: SignedDuration) -> RunReport {
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let state = folder();
    let mut onlooker = |_: &Recorded| {};
    let going = Going {
        ahead,
        ..going(fast(), &mut onlooker)
    };
    run_going(state.path(), &many(3, 1), &emulator, going)
        .await
        .unwrap();
    emulator.shutdown().await;
    run_report(
        "many",
        &RunId::new("main"),
        events(state.path()).iter().collect(),
    )
}

#[tokio::test]
async fn issue_14_an_emulator_days_ahead_changes_no_duration() {
    let wanted = ran(SignedDuration::ZERO).await;
    for hours in [-72, 72] {
        let report = ran(SignedDuration::from_hours(hours)).await;
        assert_eq!(report.back(), 3);
        // The polls are as far apart as they are, and a Date header has whole seconds.
        let near = |a: i64, b: i64| (a - b).abs() < 120;
        let (took, usual) = (report.took().unwrap(), wanted.took().unwrap());
        assert!(
            near(took, usual),
            "{hours} h: {took} s instead of {usual} s"
        );
        for (restore, usual) in report.restores.iter().zip(&wanted.restores) {
            let (rto, usual) = (restore.rto_seconds.unwrap(), usual.rto_seconds.unwrap());
            assert!(near(rto, usual), "{hours} h: {rto} s instead of {usual} s");
            let (from, to) = (restore.started_at.unwrap(), restore.ended_at.unwrap());
            assert!(took >= to.duration_since(from).as_secs());
        }
    }
}
