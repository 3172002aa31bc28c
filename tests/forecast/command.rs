//! `redrill forecast` and `redrill history` as they are typed.

use std::path::Path;

use serde_json::Value;

use crate::drill::run;
use crate::dry_run::outputs::assert_valid;
use crate::support::{at_once, emulator, folder, ran, repository_file, write};

const TABLES: [&str; 4] = ["forecast", "plan.yaml", "--inventory", "inventory.yaml"];

fn tables() -> tempfile::TempDir {
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &repository_file("plans/tables.yaml"),
    );
    write(
        folder.path(),
        "inventory.yaml",
        &repository_file("inventories/tables.yaml"),
    );
    folder
}

fn ok(folder: &Path, words: &[&str]) -> String {
    let (code, output, errors) = run(folder, words);
    assert_eq!(code, 0, "{errors}");
    output
}

fn json(folder: &Path, more: &[&str]) -> Value {
    let words: Vec<&str> = TABLES.into_iter().chain(more.iter().copied()).collect();
    let text = ok(folder, &[&words[..], &["--format", "json"]].concat());
    let document = serde_json::from_str(&text).unwrap();
    assert_valid("forecast", &document);
    document
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let folder = tables();
    let at = ["--at", "2026-12-01T00:00:00Z", "--samples", "200"];
    for format in ["json", "html", "markdown", "human"] {
        let words = [&TABLES[..], &at, &["--format", format]].concat();
        assert_eq!(
            ok(folder.path(), &words),
            ok(folder.path(), &words),
            "{format}"
        );
    }
    let first = json(folder.path(), &at);
    let seed = first["seed"].as_u64().unwrap().to_string();
    assert_eq!(
        first,
        json(folder.path(), &[&at[..], &["--seed", &seed]].concat())
    );
    assert_ne!(
        first["makespan"],
        json(folder.path(), &[&at[..], &["--seed", "1"]].concat())["makespan"]
    );
}

#[test]
fn changes_are_forecast_and_slips_refused() {
    let folder = tables();
    let found = json(
        folder.path(),
        &[
            "--what-if",
            "restores.files.size=4x",
            "--what-if",
            "without=files",
        ],
    );
    let gain = |at: usize| found["what_ifs"][at]["gain_seconds"].as_i64().unwrap();
    assert!(gain(0) < -1800, "{found}");
    assert!(gain(1) > 1800, "{found}");
    for wrong in [
        "without=fils",
        "limits.by_type.EBS=3",
        "restores.file.size=2x",
    ] {
        let (code, _, errors) = run(
            folder.path(),
            &[&TABLES[..], &["--what-if", wrong]].concat(),
        );
        assert_eq!(code, 64, "{wrong}: {errors}");
    }
    let (code, _, errors) = run(
        folder.path(),
        &[&TABLES[..], &["--what-if", "more"]].concat(),
    );
    assert!(
        code == 64 && errors.contains("limits.concurrent=100"),
        "{errors}"
    );
}

#[test]
fn an_older_recovery_point_misses_its_objective() {
    let folder = folder();
    write(
        folder.path(),
        "inventory.yaml",
        &repository_file("inventories/tables.yaml"),
    );
    let plan = repository_file("plans/tables.yaml");
    let plan = plan.replacen("target:", "objectives: { rto: 400h, rpo: 24h }\ntarget:", 1);
    write(folder.path(), "plan.yaml", &plan);
    let of = |at: &str| {
        let found = json(folder.path(), &["--at", at]);
        let objectives = found["objectives"].as_array().unwrap().clone();
        let rpo = objectives.iter().find(|of| of["what"] == "rpo").unwrap();
        (
            rpo["probability"].as_f64(),
            rpo["age_seconds"].as_i64().unwrap(),
        )
    };
    let (later, age) = of("2030-01-01T00:00:00Z");
    assert!(later == Some(0.0) && age > 365 * 24 * 3600, "{age}");
}

/// What a run has taken is learned from, exported without a name, and learned from there.
#[tokio::test(flavor = "multi_thread")]
async fn history_is_learned_from_and_exported_without_names() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let plan = repository_file("plans/quickstart.yaml");
    write(folder.path(), "plan.yaml", &plan);
    for id in ["one", "two"] {
        let words = ["run", "plan.yaml", "--yes", "--run-id", id];
        let (code, _, errors) = ran(folder.path(), &emulator, &words).await;
        assert_eq!(code, 0, "{errors}");
    }
    emulator.shutdown().await;
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let nothing = ok(&path, &["history", "export"]);
        assert_eq!(
            nothing.lines().count(),
            1,
            "an emulator is not AWS: {nothing}"
        );
        let history = ok(&path, &["history", "export", "--rehearsals"]);
        let lines: Vec<Value> = (history.lines())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        lines.iter().for_each(|line| assert_valid("history", line));
        assert!(lines.len() > 4, "{history}");
        for name in ["db", "app", "files", "one", "two", "arn:", "123456789012"] {
            assert!(!history.contains(name), "{name} is in {history}");
        }
        write(&path, "history.jsonl", &history);
        let of = |more: &[&str]| -> Value {
            let words = [&["forecast", "plan.yaml", "--format", "json"], more].concat();
            let found = serde_json::from_str(&ok(&path, &words)).unwrap();
            assert_valid("forecast", &found);
            found
        };
        let (none, own, exported) = (
            of(&[]),
            of(&["--rehearsals"]),
            of(&["--history", "history.jsonl"]),
        );
        assert_eq!(none["runs"], 0);
        assert_eq!(
            (&own["runs"], &exported["runs"]),
            (&Value::from(2), &Value::from(2))
        );
        assert_eq!(own["basis"][0]["from"], "history");
        assert_eq!(
            own["makespan"], exported["makespan"],
            "one history, two ways"
        );
        let backtest: Value = serde_json::from_str(&ok(
            &path,
            &["forecast", "backtest", "--rehearsals", "--format", "json"],
        ))
        .unwrap();
        assert_valid("backtest", &backtest);
        assert_eq!(backtest["makespan"]["count"], 1);
        assert_eq!(backtest["has_earned"], false);
        let (code, _, errors) = run(&path, &["forecast", "plan.yaml", "--history", "plan.yaml"]);
        assert!(
            code == 64 && errors.contains("is not a history"),
            "{errors}"
        );
    })
    .await
    .unwrap();
}

/// The page fetches nothing, and names with markup in them stay text.
#[test]
fn the_page_is_whole_and_escaped() {
    let folder = tables();
    let page = ok(
        folder.path(),
        &[&TABLES[..], &["--format", "html"]].concat(),
    );
    assert!(page.starts_with("<!doctype html>"));
    for outside in ["http-equiv", "<script", "<link", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    for part in [
        "<svg",
        "class=\"gantt",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

/// Nothing is not a price.
#[test]
fn a_cost_without_a_price_says_so_in_every_format() {
    let folder = tables();
    let few = ["--samples", "50"];
    for format in ["human", "markdown", "html"] {
        let words = [&TABLES[..], &few, &["--format", format]].concat();
        let text = ok(folder.path(), &words);
        assert!(text.contains("no price is known"), "{format}: {text}");
        assert!(text.contains("restores in us-east-1"), "{format}: {text}");
        assert!(!text.contains("0.00 USD"), "{format}: {text}");
    }
    let found = json(folder.path(), &few);
    assert_eq!(found["cost"]["total"], 0.0);
    assert!(!found["cost"]["left_out"].as_array().unwrap().is_empty());
}

/// The state machines cost what the README of their export says.
#[test]
fn state_machines_cost_their_transitions() {
    let folder = tables();
    let words = [
        "export",
        "step-functions",
        "plan.yaml",
        "--inventory",
        "inventory.yaml",
        "--bucket",
        "machines",
        "-o",
        "out",
    ];
    ok(folder.path(), &words);
    let readme = std::fs::read_to_string(folder.path().join("out/README.md")).unwrap();
    let number = readme.split(" state transitions").next().unwrap();
    let number: f64 = number.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(number > 20.0, "{readme}");
    let on = ["--samples", "50", "--on", "step-functions"];
    let cost = json(folder.path(), &on)["cost"].clone();
    let is = cost["transitions"].as_f64().unwrap();
    assert!(
        (is - number * 0.025 / 1000.0).abs() < 1e-9,
        "{cost}, {number}"
    );
    assert_eq!(cost["total"], cost["transitions"]);
    let text = ok(folder.path(), &[&TABLES[..], &on].concat());
    assert!(text.contains("as far as prices are known"), "{text}");
}
