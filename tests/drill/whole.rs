//! A whole drill on the emulator: what every report says of it agrees with the exit code.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{check, plan, rehearse};
use crate::dry_run::outputs::assert_valid;
use crate::support::{folder, write};

/// Twelve restores: one check fails once and then passes, one hangs, one always fails, and an RTO is missed.
fn twelve() -> String {
    plan(
        12,
        "description: A drill.\nobjectives: { rto: 8h, rpo: 24h }\nchecks:\n  - { name: end to end, run: [sh, -c, \"exit 0\"] }\n",
        |at| match at {
            1 => check(
                "flaky",
                "test -f once || { touch once; echo not yet; exit 3; }; echo now",
                ", retries: 2",
            ),
            2 => check("hangs", "echo waiting; sleep 3600", ", timeout: 200ms"),
            3 => check("bad", "echo 0 rows; exit 1", ", retries: 1"),
            4 => "    objectives: { rto: 1m }\n".to_owned(),
            5 => "    needs: [r3]\n".to_owned(),
            6 => "    needs: [r1]\n".to_owned(),
            _ => String::new(),
        },
    )
}

fn of<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    let mut all = list.as_array().unwrap().iter();
    all.find(|item| item[key] == name).unwrap()
}

/// Test cases by class and name, with what became of each.
fn cases(junit: &str) -> BTreeMap<(String, String), &'static str> {
    let report = quick_junit::Report::deserialize_from_str(junit).unwrap();
    let suites = report.test_suites.into_iter();
    suites
        .flat_map(|suite| suite.test_cases)
        .map(|case| {
            let class = case
                .classname
                .map(|name| name.to_string())
                .unwrap_or_default();
            let is = match case.status {
                quick_junit::TestCaseStatus::Success { flaky_runs, .. }
                    if flaky_runs.is_empty() =>
                {
                    "passed"
                }
                quick_junit::TestCaseStatus::Success { .. } => "flaky",
                quick_junit::TestCaseStatus::NonSuccess { .. } => "failed",
                quick_junit::TestCaseStatus::Skipped { .. } => "skipped",
            };
            ((class, case.name.to_string()), is)
        })
        .collect()
}

#[test]
fn every_report_of_a_drill_says_the_same() {
    let folder = folder();
    let reports = [
        "--report",
        "junit=drill.xml",
        "--report",
        "html=drill.html",
        "--report",
        "markdown=drill.md",
        "--report",
        "json=drill.json",
    ];
    let (code, report) = rehearse(folder.path(), &twelve(), &reports);
    assert_eq!(code, 6);
    assert_eq!(report["verdict"], "failed");
    let statuses: Vec<&str> = report["restores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|restore| restore["status"].as_str().unwrap())
        .collect();
    let mut expected = ["COMPLETED"; 12];
    expected[2] = "CHECK_FAILED";
    expected[3] = "CHECK_FAILED";
    expected[5] = "SKIPPED";
    assert_eq!(statuses, expected);
    let restores = &report["restores"];
    let flaky = &of(restores, "restore", "r1")["checks"][0];
    assert_eq!(
        (&flaky["status"], &flaky["tries"]),
        (&"PASSED".into(), &2.into())
    );
    assert_eq!(flaky["earlier"][0]["message"], "it ended with exit code 3");
    assert_eq!(flaky["earlier"][0]["output"], "not yet\n");
    assert_eq!(flaky["output"], "now\n");
    let hangs = &of(restores, "restore", "r2")["checks"][0];
    assert_eq!(
        hangs["message"],
        "it took longer than 200ms, and was killed with its children"
    );
    assert_eq!(hangs["output"], "waiting\n");
    let bad = &of(restores, "restore", "r3")["checks"][0];
    assert_eq!(
        (&bad["status"], &bad["tries"]),
        (&"FAILED".into(), &2.into())
    );
    let late = of(restores, "restore", "r4");
    assert_eq!(late["objectives"]["rto"]["met"], false);
    let missed = report["missed"].as_array().unwrap();
    assert_eq!(missed.len(), 1);
    assert!(
        missed[0]
            .as_str()
            .unwrap()
            .starts_with("r4: RTO of 1m 00s missed by 5m"),
        "{missed:?}"
    );
    // What belongs to the whole is not judged where a part is not good.
    assert_eq!(report["checks"][0]["status"], "NOT_RUN");

    let read =
        |name: &str| String::from_utf8(crate::support::bytes(&folder.path().join(name))).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&read("drill.json")).unwrap(),
        report
    );
    assert_valid("run", &report);
    let cases = cases(&read("drill.xml"));
    let is = |class: &str, name: &str| cases[&(class.to_owned(), name.to_owned())];
    for (at, status) in statuses.iter().enumerate() {
        let expected = if *status == "SKIPPED" {
            "skipped"
        } else {
            "passed"
        };
        assert_eq!(is("drill", &format!("r{at}")), expected, "r{at}");
    }
    assert_eq!(is("r1", "flaky"), "flaky");
    assert_eq!(is("r2", "hangs"), "failed");
    assert_eq!(is("r3", "bad"), "failed");
    assert_eq!(is("drill", "end to end"), "skipped");
    assert_eq!(is("r4", "RTO of 1m 00s"), "failed");
    // The recovery points are young enough, and not all of it is back.
    assert_eq!(is("the run", "RPO of 24h 00m"), "skipped");
    assert_eq!(cases.values().filter(|is| **is == "failed").count(), 3);
    for text in [read("drill.html"), read("drill.md")] {
        for words in [
            "failed",
            "11 of 12",
            "it ended with exit code 1",
            "it took longer than 200ms, and was killed with its children",
            "missed",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    assert!(read("drill.html").contains(">CHECK_FAILED<"));
}

#[test]
fn everything_good_and_too_late_is_7() {
    let folder = folder();
    let late = plan(2, "objectives: { rto: 1m }\n", |_| {
        check("good", "true", "")
    });
    let (code, report) = rehearse(folder.path(), &late, &["--report", "junit=drill.xml"]);
    assert_eq!(code, 7);
    assert_eq!(report["verdict"], "objective_missed");
    assert_eq!(report["objectives"]["rto"]["met"], false);
    let junit = String::from_utf8(crate::support::bytes(&folder.path().join("drill.xml"))).unwrap();
    let failed: Vec<_> = cases(&junit)
        .into_iter()
        .filter(|(_, is)| *is == "failed")
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
}

/// `report` gives from the journal what the run itself has given, whenever it is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_made_from_the_journal_alone() {
    let emulator = crate::support::emulator(crate::support::at_once()).await;
    let folder = folder();
    let text = plan(3, "", |at| check("good", &format!("exit {}", at / 2), ""));
    write(folder.path(), "plan.yaml", &text);
    let url = emulator.url();
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let run = |arguments: &[&str]| super::run(&path, arguments);
        let (code, first, _) = run(&[
            "run",
            "plan.yaml",
            "--yes",
            "-q",
            "--format",
            "json",
            "--endpoint-url",
            &url,
            "--report",
            "html=a.html",
            "--report",
            "junit=a.xml",
        ]);
        assert_eq!(code, 6);
        let (code, second, _) = run(&[
            "report",
            "plan.yaml",
            "--format",
            "json",
            "--report",
            "html=b.html",
            "--report",
            "junit=b.xml",
            "--report",
            "markdown=b.md",
        ]);
        assert_eq!(code, 0);
        assert_eq!(first, second);
        for (a, b) in [("a.html", "b.html"), ("a.xml", "b.xml")] {
            assert_eq!(
                crate::support::bytes(&path.join(a)),
                crate::support::bytes(&path.join(b))
            );
        }
        // The plan's own words are not needed any more: its name is.
        let (code, _, _) = run(&[
            "run",
            "plan.yaml",
            "--yes",
            "-q",
            "--run-id",
            "next",
            "--endpoint-url",
            &url,
        ]);
        assert_eq!(code, 6);
        let (code, compared, _) = run(&[
            "report",
            "plan.yaml",
            "--run-id",
            "next",
            "--compare",
            "main",
        ]);
        assert_eq!(code, 0);
        assert!(
            compared.contains("compared with run main: failed in "),
            "{compared}"
        );
        let (code, _, stderr) = run(&["report", "plan.yaml", "--run-id", "nxt"]);
        assert_eq!(code, 64);
        assert_eq!(
            stderr,
            "error: .redrill has no run `nxt` of drill; did you mean `next`?\n"
        );
    })
    .await
    .unwrap();
    emulator.shutdown().await;
}
