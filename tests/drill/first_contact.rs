//! Cases of people who met the reports for the first time, by their numbers.

use jiff::SignedDuration;
use redrill::ids::{RestoreName, RunId};
use redrill::report::{Format, Record, RunReport, compare, run_report};
use redrill::state::{Event, Recorded};
use redrill_emulator::{Fault, FaultKind, Operation, Options, Speed};
use serde_json::Value;

use super::reports::{at_aws, report, story};
use super::{check, plan, run};
use crate::support::{at_once, bytes, emulator, folder, ran, redrill, repository_file, write};

fn of(events: &[Recorded]) -> RunReport {
    run_report(
        "orders",
        &RunId::new("2026-Q4"),
        events.iter().collect::<Record>(),
    )
}

fn json(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap()
}

/// A run on an emulator that had been up for twelve of its hours: nothing lasts longer than it did.
#[tokio::test(flavor = "multi_thread")]
async fn first_contact_b2_an_emulator_that_has_been_up_for_long_misses_no_objective() {
    let emulator = emulator(Options {
        speed: Speed::Times(600.0),
        ..at_once()
    })
    .await;
    let clock = emulator.clock();
    clock.advance_to(clock.now() + SignedDuration::from_hours(12));
    let folder = folder();
    let goals = "objectives: { rto: 1h }\n";
    write(
        folder.path(),
        "plan.yaml",
        &plan(2, goals, |_| check("rows", "true", "")),
    );
    let words = ["run", "plan.yaml", "--yes", "-q", "--format", "json"];
    let (code, stdout, stderr) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let report = json(&stdout);
    assert_eq!(report["missed"], Value::Array(Vec::new()));
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let (start, end) = (time(&report["start"]), time(&report["end"]));
    for restore in report["restores"].as_array().unwrap() {
        let check = &restore["checks"][0];
        let ended = time(&restore["ended_at"]);
        let checked = time(&check["ended_at"]);
        assert!(start <= time(&restore["started_at"]), "{restore}");
        assert!(ended <= checked && checked <= end, "{restore}");
        let rto = restore["rto_seconds"].as_i64().unwrap();
        let job = ended.duration_since(time(&restore["started_at"])).as_secs();
        assert!((job..3600).contains(&rto), "{restore}");
    }
    let longest = report["objectives"]["rto"]["seconds"].as_i64().unwrap();
    assert!(end.duration_since(start).as_secs() >= longest);
    emulator.shutdown().await;
}

/// It is after the end of the run, by the same clock.
#[test]
fn first_contact_b2_a_cleanup_is_after_the_end_of_its_run() {
    let mut events = story();
    for recorded in &mut events {
        recorded.at -= SignedDuration::from_hours(3);
        recorded.aws_ahead = Some(3 * 3600);
    }
    events.push(Recorded {
        at: events.last().unwrap().at + SignedDuration::from_mins(1),
        aws_ahead: None,
        event: Event::Deleted {
            restore: RestoreName::new("db"),
            arn: "arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-db".to_owned(),
        },
    });
    let report = of(&events);
    let said = &report.notices[0].message;
    assert!(
        said.starts_with("Cleaned up 2026-11-24 06:16 UTC"),
        "{said}"
    );
}

/// What `--only` has left out may still be in time.
#[tokio::test(flavor = "multi_thread")]
async fn first_contact_b3_an_objective_whose_time_is_not_over_is_not_yet_known() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &plan(2, "objectives: { rto: 4h }\n", |_| String::new()),
    );
    let words = [
        "run",
        "plan.yaml",
        "--yes",
        "-q",
        "--only",
        "r0",
        "--report",
        "html=r.html",
        "--report",
        "md=r.md",
        "--report",
        "junit=r.xml",
    ];
    let (code, stdout, stderr) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("objective: the run: RTO of 4h 00m: not yet known\n"),
        "{stdout}"
    );
    assert!(!stdout.contains("missed"), "{stdout}");
    for file in ["r.html", "r.md", "r.xml"] {
        let text = String::from_utf8(bytes(&folder.path().join(file))).unwrap();
        assert!(text.contains("not yet known"), "{file}: {text}");
        assert!(!text.contains("missed"), "{file}: {text}");
    }
    emulator.shutdown().await;
}

#[test]
fn first_contact_b3_an_objective_whose_time_is_over_cannot_be_met_any_more() {
    let mut events = story();
    let start = events[0].at;
    events.retain(|recorded| recorded.at <= start);
    events.push(Recorded {
        at: start + SignedDuration::from_hours(2),
        aws_ahead: None,
        event: Event::Detached,
    });
    let report = of(&events);
    assert_eq!(
        report.missed[1],
        "the run: RTO of 1h 00m cannot be met any more; 2h 00m have passed"
    );
    for format in [Format::Html, Format::Markdown, Format::Junit] {
        let text = format.text(&report);
        assert!(text.contains("cannot be met any more"), "{format}: {text}");
    }
}

/// Both accounts, in everything that a person or a machine reads.
#[tokio::test(flavor = "multi_thread")]
async fn first_contact_b4_a_run_into_two_accounts_is_reported_as_two() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", crate::targets::PLAN);
    let words = [
        "run",
        "plan.yaml",
        "--yes",
        "-q",
        "--report",
        "json=r.json",
        "--report",
        "html=r.html",
        "--report",
        "md=r.md",
        "--report",
        "junit=r.xml",
    ];
    let (code, stdout, stderr) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(
        stdout.contains(
            "into 123456789012 us-west-2, 123456789012 us-east-1, 210987654321 us-west-2;"
        ),
        "{stdout}"
    );
    let of_c = stdout.lines().find(|line| line.contains("  c  ")).unwrap();
    assert!(of_c.contains("210987654321 us-west-2"), "{of_c}");
    let read = |file: &str| String::from_utf8(bytes(&folder.path().join(file))).unwrap();
    let report = json(&read("r.json"));
    assert_eq!(report["targets"].as_array().unwrap().len(), 3);
    let accounts: Vec<&Value> = (report["restores"].as_array().unwrap().iter())
        .map(|restore| &restore["target"]["account"])
        .collect();
    assert_eq!(accounts, ["123456789012", "123456789012", "210987654321"]);
    let html = read("r.html");
    let environment = html.split("<h2>Environment</h2>").nth(1).unwrap();
    for (target, account, region) in [
        ("west", "123456789012", "us-west-2"),
        ("east", "123456789012", "us-east-1"),
        ("other", "210987654321", "us-west-2"),
    ] {
        let rows = format!(
            "<dt>target</dt><dd>{target}</dd>\n<dt>account</dt><dd>{account}</dd>\n<dt>Region</dt><dd>{region}</dd>"
        );
        assert!(environment.contains(&rows), "{rows}: {environment}");
    }
    for file in ["r.md", "r.xml"] {
        assert!(read(file).contains("210987654321 us-west-2"), "{file}");
    }
    emulator.shutdown().await;
}

/// Whatever parts of a second there are.
#[test]
fn first_contact_b11_the_whole_is_not_shorter_than_its_part() {
    for (begins, ends) in [(1, 999), (999, 1), (400, 600), (999, 999)] {
        let mut events = story();
        for recorded in &mut events {
            recorded.at += SignedDuration::from_millis(999);
            if let Event::Completed {
                started_at: Some(started),
                ended_at: Some(ended),
                ..
            } = &mut recorded.event
            {
                *started += SignedDuration::from_millis(begins);
                *ended += SignedDuration::from_millis(ends);
            }
        }
        let report = of(&events);
        let took = report.took().unwrap();
        for restore in &report.restores {
            if let Some((from, to)) = restore.started_at.zip(restore.over_at()) {
                assert!(took >= to.duration_since(from).as_secs(), "{restore:?}");
            }
        }
    }
}

/// Left before anything was started: the run is of two.
#[tokio::test(flavor = "multi_thread")]
async fn first_contact_b11_a_run_that_ended_early_counts_all_its_restores() {
    let emulator = emulator(at_once()).await;
    emulator.inject(Fault::new(
        Operation::StartRestoreJob,
        FaultKind::Error {
            status: 403,
            code: "AccessDeniedException".to_owned(),
            message: "Insufficient privileges to perform this action.".to_owned(),
        },
    ));
    let folder = folder();
    write(folder.path(), "plan.yaml", &plan(2, "", |_| String::new()));
    let words = ["run", "plan.yaml", "--yes", "-q"];
    let (code, stdout, stderr) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stdout.contains("0 of 2 restored"), "{stdout}");
    assert!(
        stderr.contains("no job of this run is running at AWS"),
        "{stderr}"
    );
    emulator.shutdown().await;
}

/// A failed check outweighs that the rest is not started; docs/exit-codes.md says so.
#[tokio::test(flavor = "multi_thread")]
async fn first_contact_b8_a_failed_check_is_6_also_where_the_rest_was_not_started() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &plan(2, "", |_| check("rows", "false", "")),
    );
    let words = ["run", "plan.yaml", "--yes", "-q", "--only", "r0"];
    let (code, stdout, stderr) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 6, "{stdout}{stderr}");
    assert!(stdout.contains("not finished; 1 of 2 restored"), "{stdout}");
    emulator.shutdown().await;
}

#[test]
fn first_contact_c11_a_comparison_has_a_heading_with_both_runs() {
    let mut now = report();
    let before = run_report("orders", &RunId::new("2026-Q3"), story().iter().collect());
    now.compared = Some(compare(&now, &before));
    let human = now.compared.as_ref().unwrap().human();
    let heading = human.lines().nth(1).unwrap();
    let words: Vec<&str> = heading.split_whitespace().collect();
    assert_eq!(
        words,
        ["restore", "result", "2026-Q3", "2026-Q4", "difference"]
    );
    let html = Format::Html.text(&now);
    assert!(
        html.contains(r#"<th scope="col" class="number">2026-Q3</th><th scope="col" class="number">2026-Q4</th>"#)
            && html.contains(r#"data-label="2026-Q3">10m 39s</td>"#),
        "{html}"
    );
}

#[test]
fn first_contact_c14_evidence_is_a_zip_or_a_directory() {
    let folder = folder();
    let plan = plan(1, "", |_| String::new());
    write(folder.path(), "plan.yaml", &plan);
    for (name, zip) in [
        ("a b.tar.gz", "'a b.zip'"),
        ("bundle.tgz", "bundle.zip"),
        ("out/bundle.TAR", "out/bundle.zip"),
        ("bundle.7z", "bundle.zip"),
    ] {
        let (code, _, stderr) = run(folder.path(), &["evidence", "plan.yaml", "-o", name]);
        assert_eq!(code, 64, "{stderr}");
        assert!(
            stderr.contains("evidence is a ZIP file or a directory")
                && stderr.contains(&format!("`-o {zip}`")),
            "{name}: {stderr}"
        );
        assert!(!folder.path().join(name).exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn first_contact_c14_evidence_of_an_unfinished_run_says_so() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &plan(2, "", |_| String::new()));
    let words = ["run", "plan.yaml", "--yes", "-q", "--only", "r0"];
    let (code, _, stderr) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 0, "{stderr}");
    emulator.shutdown().await;
    let (code, _, stderr) = run(folder.path(), &["evidence", "plan.yaml", "-o", "b.zip"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("this run is not finished"), "{stderr}");
    // Compressed, and the same bytes again.
    let (code, _, _) = run(folder.path(), &["evidence", "plan.yaml", "-o", "again.zip"]);
    assert_eq!(code, 0);
    let packed = bytes(&folder.path().join("b.zip"));
    assert_eq!(packed, bytes(&folder.path().join("again.zip")));
    let whole: usize = redrill::evidence::unpack("b.zip", &packed)
        .unwrap()
        .values()
        .map(Vec::len)
        .sum();
    assert!(packed.len() * 2 < whole, "{} of {whole}", packed.len());
}

/// The end of what a check wrote is where it is looked for first.
#[test]
fn first_contact_c17_the_output_of_a_failed_check_needs_attention() {
    let html = Format::Html.text(&report());
    let attention = html.split("<h2>Needs attention</h2>").nth(1).unwrap();
    let attention = attention.split("</section>").next().unwrap();
    assert!(
        attention.contains("check mounts failed") && attention.contains("<pre>"),
        "{attention}"
    );
    assert!(
        html.contains("<dt>restored</dt><dd>3 of 4</dd><dd>2 not OK</dd>"),
        "{html}"
    );
}

/// On a narrow screen each row of a table is a block, with what each cell is; on paper there are page numbers.
#[test]
fn first_contact_c18_tables_fit_a_phone_and_pages_are_numbered() {
    let html = Format::Html.text(&report());
    assert!(!html.contains("<table>"), "a table that is not stacked");
    for wanted in [
        "@bottom-right { content: counter(page)",
        ".timeline { break-inside: avoid; }",
        "summary { break-after: avoid;",
        ".stack td:nth-child(n+3)::before",
    ] {
        assert!(html.contains(wanted), "{wanted}");
    }
}

/// Links to the console are those of a run at AWS.
#[test]
fn the_console_is_linked_of_a_run_at_aws_only() {
    const JOB: &str = "us-west-2.console.aws.amazon.com/backup/home?region=us-west-2#/jobs/restore/details/job-db";
    const MADE: &str = "console.aws.amazon.com/go/view?arn=arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-db";
    for (is_at_aws, report) in [(true, report()), (false, of(&at_aws(false)))] {
        for format in [Format::Html, Format::Markdown] {
            let text = format.text(&report).replace("&#x2f;", "/");
            assert_eq!(text.contains(JOB), is_at_aws, "{format}: {text}");
            assert_eq!(text.contains(MADE), is_at_aws, "{format}: {text}");
        }
    }
}

/// Times on a screen are those of the reader, unless UTC was asked for; files have UTC.
#[test]
fn times_are_local_on_a_screen_and_utc_in_files() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &plan(1, "", |_| String::new()));
    let local = redrill(folder.path())
        .env("TZ", "America/New_York")
        .args(["rehearse", "plan.yaml", "-q", "--report", "md=r.md"])
        .output()
        .unwrap();
    let local = String::from_utf8(local.stdout).unwrap();
    assert!(local.contains(" EST") || local.contains(" EDT"), "{local}");
    let file = String::from_utf8(bytes(&folder.path().join("r.md"))).unwrap();
    assert!(file.contains(" UTC"), "{file}");
    let utc = redrill(folder.path())
        .env("TZ", "America/New_York")
        .args(["--utc", "rehearse", "plan.yaml", "-q"])
        .output()
        .unwrap();
    let utc = String::from_utf8(utc.stdout).unwrap();
    assert!(utc.contains(" UTC") && !utc.contains(" EST"), "{utc}");
}

/// What is not back has met no objective, however young its recovery point is.
#[test]
fn first_contact_rpo_of_what_is_not_back_is_not_met() {
    let folder = folder();
    std::fs::create_dir_all(folder.path().join("plans/checks")).unwrap();
    for name in ["plans/drill.yaml", "plans/checks/has-an-id.sh"] {
        let path = write(folder.path(), name, &repository_file(name));
        #[cfg(unix)]
        if name.ends_with(".sh") {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        assert!(path.is_file());
    }
    let words = [
        "rehearse",
        "plans/drill.yaml",
        "--fault",
        "job-fails,resource_type=EFS",
        "--report",
        "junit=f.xml",
        "--report",
        "md=f.md",
        "--format",
        "json",
    ];
    let (code, stdout, stderr) = run(folder.path(), &words);
    assert_eq!(code, 6, "{stderr}");
    let report = json(&stdout);
    assert_eq!(report["objectives"]["rpo"]["met"], Value::Null, "{stdout}");
    assert_eq!(report["objectives"]["rpo"]["seconds"], Value::Null);
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let rpo = |line: &&str| line.contains("RPO of") || line.contains("| RPO |");
    let (junit, markdown) = (text("f.xml"), text("f.md"));
    let case = junit.lines().skip_while(|line| !rpo(line)).nth(1).unwrap();
    assert!(junit.contains("not reached"), "{case}\n{junit}");
    let row = markdown.lines().find(rpo).unwrap();
    assert!(row.ends_with("| - | not reached |"), "{row}");
}

/// The age of a recovery point can be too much while nothing is back yet.
#[test]
fn first_contact_rpo_is_missed_before_anything_is_back() {
    let told = |wanted| {
        let mut events = at_aws(true);
        for recorded in &mut events {
            if let Event::Planned { outline } = &mut recorded.event {
                let outline = std::sync::Arc::make_mut(outline);
                for restore in &mut outline.restores {
                    restore.objectives.rpo_seconds = Some(wanted);
                }
            }
        }
        let report = of(&events);
        let rpo = |of: &redrill::report::RestoreReport| {
            let rpo = of.objectives.rpo.as_ref().unwrap();
            (of.status.word(), of.rpo_seconds, rpo.met)
        };
        report.restores.iter().map(rpo).collect::<Vec<_>>()
    };
    for (wanted, when_good) in [(0, false), (i64::MAX, true)] {
        for (status, age, met) in told(wanted) {
            let expected = match (status, age) {
                (_, None) => None,
                ("COMPLETED", _) => Some(when_good),
                (_, Some(_)) => (!when_good).then_some(false),
            };
            assert_eq!(met, expected, "{status} {age:?} {wanted}");
        }
    }
}

/// The result does not depend on a file that can be written.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn first_contact_a_report_without_room_hides_no_result() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &plan(1, "", |_| String::new()));
    let words = [
        "run",
        "plan.yaml",
        "--yes",
        "--run-id",
        "a",
        "--report",
        "html=/dev/full",
        "--report",
        "md=there.md",
    ];
    let (code, stdout, stderr) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stdout.contains("passed; 1 of 1 restored"), "{stdout}");
    assert!(folder.path().join("there.md").is_file());
    let again = "write it again: redrill report plan.yaml --run-id a --report=html=/dev/full";
    assert!(
        stderr.contains(again) && stderr.contains("make room"),
        "{stderr}"
    );
    let words = [
        "report",
        "plan.yaml",
        "--run-id",
        "a",
        "--report=html=r.html",
    ];
    assert_eq!(run(folder.path(), &words).0, 0);
    emulator.shutdown().await;
}

/// Another machine has run and cleaned up the same run: this one has neither made nor deleted anything.
#[tokio::test(flavor = "multi_thread")]
async fn first_contact_what_was_gone_before_was_not_cleaned_up_here() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &plan(2, "", |_| String::new()));
    let at = async |state: &str, words: &[&str]| {
        ran(
            folder.path(),
            &emulator,
            &[words, &["--state", state]].concat(),
        )
        .await
    };
    assert_eq!(at("first", &["run", "plan.yaml", "--yes"]).await.0, 0);
    assert_eq!(at("first", &["cleanup", "plan.yaml", "--yes"]).await.0, 0);
    let (_, stdout, stderr) = at("second", &["run", "plan.yaml", "--yes"]).await;
    let said = "2 of 2 restores had ended before this run found their jobs, and what they had created no longer exists.";
    assert!(stdout.contains(said), "{stdout}{stderr}");
    for never in ["of what this run created", "had failed"] {
        assert!(!stdout.contains(never), "{stdout}");
    }
    emulator.shutdown().await;
}
