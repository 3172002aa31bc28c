//! The forecast that a run records, and what reports say came of it.

use redrill::ids::RunId;
use redrill::report::{Format, RunReport, run_report};
use redrill::state::{Event, Recorded, RecordedForecast};
use serde_json::Value;

use super::confidence::past_events;
use crate::drill::{rehearse, run};
use crate::dry_run::outputs::assert_valid;
use crate::support::{at_once, emulator, folder, many, ran, write};

/// A run of one restore that took so many seconds, forecast to take 600 or 900.
fn events(seconds: i64) -> Vec<Recorded> {
    let mut events = past_events(0, seconds);
    let Event::RunOpened { forecast, .. } = &mut events[0].event else {
        panic!("it begins otherwise");
    };
    *forecast = Some(Box::new(RecordedForecast {
        p50_seconds: 600,
        p90_seconds: 900,
        rto_seconds: Some(720),
        rto_per_mille: Some(724),
        restores: 1,
        samples: 200,
        types: 1,
        types_with_history: 1,
        runs: 3,
    }));
    events
}

fn report(events: &[Recorded]) -> RunReport {
    run_report("many", &RunId::new("day-0"), events.iter().collect())
}

fn json(report: &RunReport) -> Value {
    let document = serde_json::from_str(&Format::Json.text(report)).unwrap();
    assert_valid("run", &document);
    document
}

#[test]
fn reports_hold_the_forecast_against_what_came() {
    for (seconds, within, words) in [
        (600, (true, true), "it took 10m 00s, which is within both"),
        (
            900,
            (false, true),
            "it took 15m 00s, which is later than half, within nine in ten",
        ),
        (
            901,
            (false, false),
            "it took 15m 01s, which is later than both",
        ),
    ] {
        let report = report(&events(seconds));
        let line = format!(
            "half within 10m 00s, nine in ten within 15m 00s, RTO 12m 00s in 72 % (with history); {words}"
        );
        let human = report.to_string();
        assert!(
            human.contains(&format!("forecast before it: {line}\n")),
            "{human}"
        );
        for format in [Format::Markdown, Format::Html] {
            let text = format.text(&report);
            assert!(
                text.contains(&format!("Forecast before it: {line}.")),
                "{text}"
            );
        }
        assert!(
            !Format::Junit
                .text(&report)
                .to_lowercase()
                .contains("forecast")
        );
        let document = json(&report);
        let found = &document["forecast"];
        assert_eq!(found["took_seconds"], seconds);
        assert_eq!(
            (&found["within_p50"], &found["within_p90"]),
            (&Value::from(within.0), &Value::from(within.1))
        );
        assert_eq!(found["rto_probability"], 0.724);
    }
}

#[test]
fn a_run_that_has_not_ended_or_was_taken_up_again_says_so() {
    let whole = events(600);
    let begun = report(&whole[..3]);
    let human = begun.to_string();
    assert!(human.contains("72 % (with history)\n"), "{human}");
    assert_eq!(json(&begun)["forecast"]["within_p90"], Value::Null);
    let mut resumed = whole.clone();
    let again = Recorded {
        event: Event::RunResumed {
            redrill: "0.1.0".to_owned(),
            world: None,
            saved_plan: None,
            reports: None,
        },
        ..resumed[3].clone()
    };
    resumed.insert(4, again);
    let human = report(&resumed).to_string();
    assert!(
        human.contains("within both; a second runner came later, and the time between counts\n"),
        "{human}"
    );
    // Journals of earlier versions have none.
    let earlier = report(&past_events(0, 600));
    assert!(!earlier.to_string().contains("forecast"));
    assert!(json(&earlier).get("forecast").is_none());
}

/// Nobody is asked with `--yes`, and the forecast is recorded still; the first one of a run stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_records_its_forecast_although_nobody_is_asked() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(3, 0));
    let begin = async |more: &[&str]| -> Value {
        let words = [&["run", "plan.yaml", "--yes", "--format", "json"], more].concat();
        let (_, output, errors) = ran(folder.path(), &emulator, &words).await;
        let document = serde_json::from_str(&output).unwrap_or_else(|_| panic!("{output}{errors}"));
        assert_valid("run", &document);
        document
    };
    let first = begin(&["--only", "r0"]).await;
    assert_eq!(first["forecast"]["restores"], 1, "{first}");
    assert_eq!(first["forecast"]["resumed"], false);
    let second = begin(&[]).await;
    assert_eq!(second["forecast"]["resumed"], true, "{second}");
    for key in ["p50_seconds", "p90_seconds", "restores"] {
        assert_eq!(first["forecast"][key], second["forecast"][key]);
    }
    let words = ["report", "plan.yaml", "--report", "markdown=report.md"];
    let (_, human, _) = run(folder.path(), &words);
    // An emulator's times are no measure of it.
    assert!(!human.contains("forecast"), "{human}");
    let markdown = std::fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(
        markdown.contains(", of 1 of 3 restores (no history).\n"),
        "{markdown}"
    );
    emulator.shutdown().await;
}

#[test]
fn a_rehearsal_records_its_forecast_too() {
    let folder = folder();
    let (code, report) = rehearse(folder.path(), &many(2, 0), &[]);
    assert_eq!(code, 0);
    assert_eq!(report["forecast"]["restores"], 2, "{report}");
    assert!(report["forecast"]["took_seconds"].is_i64(), "{report}");
}
