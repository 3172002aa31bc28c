//! `redrill coverage`, as it is typed.

use std::path::Path;

use redrill::proof::ProofResult;
use serde_json::Value;

use super::{Forged, arn, noon, shown};
use crate::drill::run;
use crate::dry_run::outputs::assert_valid;
use crate::proof::added;
use crate::support::{at_once, emulator, folder, ran, repository_file, write};

const POLICY: &str = "every: 90d
rto: 4h
exceptions:
  - { name: \"*:db:scratch\", reason: rebuilt from code, owner: ops, until: 2026-12-31 }
drills:
  - { plan: orders, every: quarter, from: 2026-04-01, window: 14d, owner: ops }
";

/// An inventory of databases, each with one recovery point.
fn inventory(names: &[&str]) -> String {
    let points: String = names
        .iter()
        .map(|name| {
            format!(
                "      - arn: arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-{name}
        resource_arn: {}
        resource_type: RDS
        created_at: 2026-06-01T00:00:00Z
        size_bytes: 1073741824
        tags: {{ tier: \"1\" }}
",
                arn(name)
            )
        })
        .collect();
    format!(
        "account: \"123456789012\"\nregion: us-east-1\nvaults:\n  primary:\n    recovery_points:\n{points}"
    )
}

fn files(at: &Path) -> String {
    write(at, "coverage.yaml", POLICY);
    write(
        at,
        "inventory.yaml",
        &inventory(&["good", "old", "bad", "bare", "new", "scratch"]),
    );
    let day = |day: &str| noon(day.parse().unwrap());
    let line = |name, at: &str, result| shown(name, day(at), result, Some(3600), Forged::No);
    let text = added(
        "",
        [
            line("old", "2026-01-10", ProofResult::Proven),
            line("good", "2026-06-05", ProofResult::Proven),
            line("bad", "2026-06-05", ProofResult::Failed),
            line("bare", "2026-06-05", ProofResult::Restored),
            line("gone", "2026-06-05", ProofResult::Proven),
        ],
    );
    write(at, "proven.jsonl", &text);
    text
}

/// The words of the command, on 30 June.
fn asked(at: &Path, more: &[&str]) -> (i32, String, String) {
    let words = [
        "coverage",
        "--inventory",
        "inventory.yaml",
        "--at",
        "2026-06-30",
    ];
    run(at, &[&words[..], more].concat())
}

#[test]
fn every_format_says_the_same() {
    let folder = folder();
    let at = folder.path();
    files(at);
    let (code, stdout, stderr) = asked(at, &[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for line in [
        format!("expired: 1\n  RDS {}: proven 2026-01-10, which ended 2026-04-10, orders", arn("old")),
        format!("failed: 1\n  RDS {}", arn("bad")),
        format!("restored: 1\n  RDS {}", arn("bare")),
        format!("never: 1\n  RDS {}: it was never restored", arn("new")),
        format!("excepted: 1\n  RDS {}: rebuilt from code (ops), until 2026-12-31", arn("scratch")),
        "2026-06-30: 20.0% proven, 1 of 5 (20.0% by size, 1.0 GiB of 5.0 GiB); 6 claimed to be protected, 1 excepted\n".to_owned(),
    ] {
        // Long lines are folded on a terminal only.
        assert!(stdout.contains(&line), "{line}\n---\n{stdout}");
    }
    assert!(
        !stdout.contains(&arn("good")),
        "what is proven is listed with --all: {stdout}"
    );
    assert!(asked(at, &["--all"]).1.contains(&arn("good")));

    let (_, stdout, _) = asked(at, &["--format", "json"]);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_valid("coverage", &document);
    assert_eq!(document["totals"]["percent"], 20.0);
    assert_eq!(document["totals"]["covered"]["count"], 1);
    assert_eq!(document["ledger"]["strangers"], 1);
    let state = |name: &str| {
        let rows = document["resources"].as_array().unwrap();
        rows.iter().find(|row| row["arn"] == arn(name)).unwrap()["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let all = ["good", "old", "bad", "bare", "new", "scratch"].map(state);
    assert_eq!(
        all,
        [
            "proven", "expired", "failed", "restored", "never", "excepted"
        ]
    );

    let (_, markdown, _) = asked(at, &["--format", "markdown"]);
    assert!(markdown.starts_with("### Proven: 20.0%\n"), "{markdown}");
    assert!(
        markdown.contains(&format!("| failed | RDS | `{}` |", arn("bad"))),
        "{markdown}"
    );

    let (_, junit, _) = asked(at, &["--format", "junit"]);
    assert!(
        junit.contains("tests=\"7\"") && junit.contains("failures=\"4\""),
        "{junit}"
    );

    let (_, html, _) = asked(at, &["--format", "html"]);
    assert!(html.starts_with("<!doctype html>"), "{html}");
    assert!(html.contains("<p class=\"big\">20.0%</p>"), "{html}");
    for foreign in [
        "<script", "http://", "https://", "src=", "href=", "@import", "url(",
    ] {
        assert!(
            !html.contains(foreign),
            "the page fetches nothing: {foreign}"
        );
    }
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("<h2>Trend</h2>"));
}

#[test]
fn what_is_asked_for_and_not_reached_is_8() {
    let folder = folder();
    let at = folder.path();
    let text = files(at);
    assert_eq!(asked(at, &["--min", "20%"]).0, 0);
    let (code, _, stderr) = asked(at, &["--min", "95%"]);
    assert_eq!(
        (code, stderr.as_str()),
        (8, "20.0% is proven, and 95% is asked for\n")
    );
    assert_eq!(asked(at, &["--min", "101%"]).0, 64);
    // In January the old one held.
    let (_, stdout, _) = run(
        at,
        &[
            "coverage",
            "--inventory",
            "inventory.yaml",
            "--at",
            "2026-01-31",
        ],
    );
    assert!(
        stdout.contains("2026-01-31: 20.0% proven")
            && stdout.contains("4 lines of the ledger are later"),
        "{stdout}"
    );
    // A pinned line has to be there, and a line that was removed is missed.
    let head = redrill::proof::Ledger::parse(text.as_bytes())
        .heads()
        .remove(0);
    assert_eq!(asked(at, &["--pin", &head]).0, 0);
    let shorter: String = text.split_inclusive('\n').take(4).collect();
    write(at, "proven.jsonl", &shorter);
    assert_eq!(asked(at, &[]).0, 0);
    let (code, _, stderr) = asked(at, &["--pin", &head]);
    assert_eq!(code, 6);
    assert!(
        stderr.contains(&format!("there is no line {head}, which --pin names")),
        "{stderr}"
    );
    // A ledger that is not what it was counts for nothing.
    write(at, "proven.jsonl", &text.replacen("restored", "proven", 1));
    assert_eq!(asked(at, &[]).0, 6);
    assert_eq!(asked(at, &["--ledger", "nowhere.jsonl"]).0, 1);
    std::fs::remove_file(at.join("proven.jsonl")).unwrap();
    let (code, stdout, stderr) = asked(at, &["--min", "1%"]);
    assert!(
        code == 8 && stdout.contains("0.0% proven, 0 of 5"),
        "{stdout}"
    );
    assert!(
        stderr.contains("there is no ledger proven.jsonl"),
        "{stderr}"
    );
    // A policy that is wrong is the fault of whoever wrote it.
    write(at, "coverage.yaml", "evry: 3d\n");
    let (code, _, stderr) = asked(at, &[]);
    assert!(
        code == 64 && stderr.starts_with("error: coverage.yaml: unknown field `evry`"),
        "{stderr}"
    );
}

#[test]
fn drills_that_are_due_are_asked_of_nobody() {
    let folder = folder();
    let at = folder.path();
    files(at);
    let due = |day: &str, more: &[&str]| {
        run(
            at,
            &[&["coverage", "--due", "--at", day][..], more].concat(),
        )
    };
    let (code, stdout, _) = due("2026-03-01", &[]);
    assert_eq!(
        (code, stdout.as_str()),
        (
            0,
            "next    orders: 2026-04-01 to 2026-04-14, ops; last held 2026-01-10\n"
        )
    );
    let (code, stdout, _) = due("2026-04-14", &[]);
    assert!(
        code == 0 && stdout.starts_with("due     orders"),
        "{stdout}"
    );
    let (code, stdout, _) = due("2026-04-15", &[]);
    assert!(
        code == 8 && stdout.starts_with("missed  orders: 2026-04-01 to 2026-04-14"),
        "{stdout}"
    );
    let (code, stdout, _) = due("2026-06-30", &[]);
    assert!(
        code == 0 && stdout.starts_with("next    orders: 2026-07-01"),
        "made up on 5 June: {stdout}"
    );
    let (code, stdout, _) = due("2026-04-15", &["--format", "json"]);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_valid("drills", &document);
    assert_eq!((code, &document["missed"]), (8, &Value::from(1)));
    let (_, stdout, _) = due("2026-04-15", &["--format", "markdown"]);
    assert!(stdout.starts_with("### A drill was missed\n"), "{stdout}");
    let (_, stdout, _) = due("2026-04-15", &["--format", "junit"]);
    assert!(stdout.contains("failures=\"1\""), "{stdout}");
    assert_eq!(due("2026-04-15", &["--format", "html"]).0, 64);
    assert_eq!(due("soon", &[]).0, 64);
}

/// What AWS lists is what an inventory of it says.
#[tokio::test(flavor = "multi_thread")]
async fn what_aws_lists_is_judged_as_its_inventory() {
    let text = repository_file("inventories/mixed.yaml");
    let emulator = emulator(redrill_emulator::Options {
        inventory: Some(redrill_emulator::Inventory::parse(&text).unwrap()),
        ..at_once()
    })
    .await;
    let folder = folder();
    let at = folder.path();
    write(at, "mixed.yaml", &text);
    write(
        at,
        "coverage.yaml",
        "policies: [{ tag: { none: \"*\" }, every: week }]\n",
    );
    let states = |stdout: &str| -> Vec<(String, String)> {
        let document: Value = serde_json::from_str(stdout).unwrap();
        assert_valid("coverage", &document);
        let rows = document["resources"].as_array().unwrap();
        let rows = rows
            .iter()
            .map(|row| (row["arn"].to_string(), row["state"].to_string()));
        rows.collect()
    };
    let redrill_inventory = redrill_emulator::Inventory::parse(&text).unwrap();
    let region = redrill_inventory.accounts[0].region.clone();
    let words = ["coverage", "--format", "json", "--region", &region];
    let (code, stdout, stderr) = ran(at, &emulator, &words).await;
    assert_eq!(code, 0, "{stderr}");
    let listed = states(&stdout);
    emulator.shutdown().await;
    let (code, stdout, stderr) = run(
        at,
        &["coverage", "--format", "json", "--inventory", "mixed.yaml"],
    );
    assert_eq!(code, 0, "{stderr}");
    let recorded = states(&stdout);
    assert!(!listed.is_empty());
    for row in &listed {
        assert!(recorded.contains(row), "{row:?}: {recorded:?}");
    }
}
