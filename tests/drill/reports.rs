//! The formats, with the time fixed; and other people's programs that read them.

use std::sync::Arc;

use std::process::Command;

use redrill::backup::Endpoint;
use redrill::ids::{
    AccountId, IdempotencyToken, JobId, RegionName, RequestDigest, RestoreName, RunId,
};
use redrill::plan::Request;
use redrill::render::Target;
use redrill::report::{Format, Record, RunReport, compare, run_report};
use redrill::state::{CheckVerdict, Event, Goals, Origin, Outline, OutlinedRestore, Recorded};
use snapbox::assert_data_eq;

use crate::dry_run::outputs::assert_valid;
use crate::support::{folder, write};

const NASTY: &str =
    "<img src=x onerror=alert(1)> & \"quotes\" {{ 7 * 7 }} ]]> |pipe| `code` 𝔘nicode";

/// Events at fixed times: seconds since the start of the run.
struct Story {
    events: Vec<Recorded>,
}

impl Story {
    fn at(&mut self, seconds: i64, event: Event) -> &mut Self {
        let start: jiff::Timestamp = "2026-11-24T06:00:00Z".parse().unwrap();
        let at = start + jiff::SignedDuration::from_secs(seconds);
        self.events.push(Recorded {
            at,
            aws_ahead: None,
            event,
        });
        self
    }

    fn restored(&mut self, name: &str, from: i64, to: i64) -> &mut Self {
        let start: jiff::Timestamp = "2026-11-24T06:00:00Z".parse().unwrap();
        let at = |seconds| Some(start + jiff::SignedDuration::from_secs(seconds));
        let restore = RestoreName::new(name);
        let request = Request {
            copy_source_tags_to_restored_resource: None,
            iam_role_arn: None,
            idempotency_token: Some(IdempotencyToken::new(format!("rd1-{:040}", 0))),
            metadata: [("newFileSystem".to_owned(), "true".to_owned())]
                .into_iter()
                .collect(),
            recovery_point_arn: format!(
                "arn:aws:backup:us-west-2:123456789012:recovery-point:{name}"
            ),
            resource_type: "EFS".to_owned(),
        };
        self.at(
            from,
            Event::Intended {
                restore: restore.clone(),
                attempt: 1,
                token: IdempotencyToken::new(format!("rd1-{:040}", 0)),
                digest: RequestDigest::new(format!("{:064}", 1)),
                request,
                aws_at: None,
                adopts: None,
            },
        );
        self.at(
            from,
            Event::Accepted {
                restore: restore.clone(),
                job_id: JobId::new(format!("job-{name}")),
                request_id: None,
            },
        );
        self.at(
            to,
            Event::Completed {
                restore,
                created_resource_arn: Some(format!(
                    "arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-{name}"
                )),
                started_at: at(from),
                ended_at: at(to),
                recovery_point_created_at: at(-7200),
                message: None,
                mismatch: None,
                size_bytes: None,
                source_resource_arn: None,
            },
        )
    }

    fn checked(
        &mut self,
        restore: Option<&str>,
        name: &str,
        from: i64,
        to: i64,
        verdict: CheckVerdict,
    ) -> &mut Self {
        let restore = restore.map(RestoreName::new);
        let earlier = |event: &Recorded| matches!(&event.event, Event::CheckStarted { restore: r, check, .. } if *r == restore && check == name);
        let nth =
            u32::try_from(self.events.iter().filter(|event| earlier(event)).count()).unwrap() + 1;
        let passed = verdict == CheckVerdict::Passed;
        self.at(
            from,
            Event::CheckStarted {
                restore: restore.clone(),
                check: name.to_owned(),
                cutover: false,
                nth,
                run: vec!["./check.sh".to_owned(), NASTY.to_owned()],
                definition: None,
                begun: None,
                earlier: None,
            },
        );
        self.at(
            to,
            Event::CheckEnded {
                restore,
                check: name.to_owned(),
                cutover: false,
                nth,
                verdict,
                exit: Some(i32::from(!passed)),
                message: (!passed).then(|| "it ended with exit code 1".to_owned()),
                output: format!("{NASTY}\n"),
            },
        )
    }
}

/// The story at AWS, or at an emulator.
pub(super) fn at_aws(is_at_aws: bool) -> Vec<Recorded> {
    let mut events = story();
    if let Event::RunOpened { world, .. } = &mut events[0].event
        && !is_at_aws
    {
        let url = "http://127.0.0.1:45872".to_owned();
        *world = Some(Endpoint::Other { url });
    }
    events
}

pub(super) fn story() -> Vec<Recorded> {
    let restore = |name: &str, needs: &[&str], rto, checks: &[&str]| OutlinedRestore {
        name: RestoreName::new(name),
        resource_type: "EFS".to_owned(),
        target: 0,
        needs: needs.iter().map(|need| RestoreName::new(*need)).collect(),
        objectives: Goals {
            rto_seconds: rto,
            rpo_seconds: None,
        },
        checks: checks.iter().map(|check| (*check).to_owned()).collect(),
        definitions: Vec::new(),
    };
    let outline = Outline {
        limits: redrill::state::OutlinedLimits::default(),
        targets: Vec::new(),
        protect: Vec::new(),
        description: Some(NASTY.to_owned()),
        origin: Origin {
            plan_sha256: "0123".repeat(16),
            commit: Some("89ab".repeat(10)),
            callers: vec!["arn:aws:sts::123456789012:assumed-role/drill/auditor".to_owned()],
            user: "auditor".to_owned(),
            host: "laptop".to_owned(),
            system: "linux x86_64".to_owned(),
            rehearsal: false,
        },
        objectives: Goals {
            rto_seconds: Some(3600),
            rpo_seconds: Some(3600),
        },
        restores: vec![
            restore("db", &[], Some(600), &["answers", "rows"]),
            restore("files", &["db"], None, &["mounts"]),
            restore("app", &["files"], None, &[]),
            restore("logs", &[], None, &[]),
        ],
        checks: vec!["end to end".to_owned()],
        definitions: Vec::new(),
        cutover: Vec::new(),
    };
    let mut story = Story { events: Vec::new() };
    story
        .at(
            0,
            Event::RunOpened {
                plan: "orders".to_owned(),
                run: RunId::new("2026-Q4"),
                redrill: "0.0.0".to_owned(),
                target: Target {
                    account: AccountId::new("123456789012"),
                    iam_role_arn: Some("arn:aws:iam::123456789012:role/restore".to_owned()),
                    region: RegionName::new("us-west-2"),
                    ..Target::default()
                },
                others: Vec::new(),
                file: "plans/orders.yaml".to_owned(),
                options: Vec::new(),
                world: Some(Endpoint::Aws),
                saved_plan: None,
                reports: None,
                forecast: None,
            },
        )
        .at(
            0,
            Event::Planned {
                outline: Arc::new(outline),
            },
        )
        .restored("db", 1, 601)
        .restored("logs", 1, 200)
        .checked(Some("db"), "answers", 605, 610, CheckVerdict::Again)
        .checked(Some("db"), "answers", 620, 625, CheckVerdict::Passed)
        .checked(Some("db"), "rows", 625, 640, CheckVerdict::Passed)
        .at(
            641,
            Event::Published {
                restore: RestoreName::new("db"),
                status: "SUCCESSFUL".to_owned(),
            },
        )
        .restored("files", 642, 900)
        .checked(Some("files"), "mounts", 905, 930, CheckVerdict::Failed)
        .at(
            930,
            Event::Skipped {
                restore: RestoreName::new("app"),
                because: "the check `mounts` of `files` failed".to_owned(),
            },
        )
        .at(
            931,
            Event::CallsMade {
                calls: [("StartRestoreJob".to_owned(), 3)].into(),
            },
        )
        .at(931, Event::RunEnded);
    story.events
}

pub(super) fn report() -> RunReport {
    run_report("orders", &RunId::new("2026-Q4"), story().iter().collect())
}

#[test]
fn each_format_is_a_pure_function_of_the_record() {
    let version = env!("CARGO_PKG_VERSION");
    for (format, file) in [
        (Format::Json, snapbox::file!["report.json": Text]),
        (Format::Junit, snapbox::file!["report.xml": Text]),
        (Format::Markdown, snapbox::file!["report.md": Text]),
        (Format::Html, snapbox::file!["report.html": Text]),
    ] {
        let text = format.text(&report());
        let text = text.replace(&format!("redrill {version}."), "redrill VERSION.");
        assert_data_eq!(text, file.raw());
    }
}

#[test]
fn a_comparison_says_what_became_worse() {
    let mut before = story();
    before.retain(|recorded| !matches!(&recorded.event, Event::CheckStarted { check, .. } | Event::CheckEnded { check, .. } if check == "mounts"));
    let mut report = report();
    report.compared = Some(compare(
        &report,
        &run_report("orders", &RunId::new("2026-Q3"), before.iter().collect()),
    ));
    assert_data_eq!(
        report.compared.as_ref().unwrap().human(),
        snapbox::str![[r#"
compared with run 2026-Q3: not finished
  restore  result                   2026-Q3  2026-Q4  difference
  db       COMPLETED                10m 39s  10m 39s  0s
  files    CHECKING → CHECK_FAILED  4m 18s   4m 48s   +30s
  app      SKIPPED                  -        -        -
  logs     COMPLETED                3m 19s   3m 19s   0s
1 ended differently than in run 2026-Q3

"#]]
    );
    for format in [Format::Html, Format::Markdown, Format::Json] {
        assert!(format.text(&report).contains("2026-Q3"), "{format}");
    }
    assert_valid(
        "run",
        &serde_json::from_str(&Format::Json.text(&report)).unwrap(),
    );
}

/// Nothing that a plan, a command or AWS says becomes a part of the page; and the page fetches nothing. Its links lead to the
/// AWS console only.
#[test]
fn html_is_escaped_and_self_contained() {
    let mut reports = vec![
        report(),
        run_report("empty", &RunId::new("main"), Record::default()),
    ];
    reports.push(many(300));
    let console = regex::Regex::new(
        "<a href=\"https:&#x2f;&#x2f;([a-z0-9-]+\\.)?console\\.aws\\.amazon\\.com&#x2f;[A-Za-z0-9&#;?=:/_.-]*\">",
    )
    .unwrap();
    for report in reports {
        let html = Format::Html.text(&report);
        let html = console.replace_all(&html, "<a>");
        for forbidden in [
            "<img",
            "<script",
            "onerror=alert(1)>",
            "src=\"",
            "href=",
            "url(",
            "@import",
            "{{",
            "49 ]]",
        ] {
            let escaped = html.replace("{{ 7 * 7 }}", "");
            assert!(!escaped.contains(forbidden), "{forbidden}");
        }
        assert!(!html.contains("http://") && !html.contains("https://"));
    }
}

fn many(count: usize) -> RunReport {
    let names: Vec<String> = (0..count).map(|at| format!("r{at}")).collect();
    let mut story = Story { events: Vec::new() };
    for (at, name) in names.iter().enumerate() {
        let at = i64::try_from(at).unwrap();
        story.restored(name, at, at + 60);
        story.checked(
            Some(name),
            "answers",
            at + 61,
            at + 65,
            CheckVerdict::Passed,
        );
    }
    let opened = self::story().remove(0);
    story.events.insert(0, opened);
    run_report(
        "orders",
        &RunId::new("2026-Q4"),
        story.events.iter().collect(),
    )
}

#[test]
fn html_is_valid_by_a_checker() {
    const PACKAGE: &str = "html-validate@8.29.0";
    let program = match crate::npm::installed(PACKAGE, "html-validate/bin/html-validate.js") {
        Ok(program) => program,
        Err(why) => return crate::npm::skip("no HTML checker", &why),
    };
    let folder = folder();
    let mut compared = report();
    compared.compared = Some(compare(&compared, &many(3)));
    for (name, report) in [
        ("a", compared),
        ("b", many(50)),
        (
            "c",
            run_report("empty", &RunId::new("main"), Record::default()),
        ),
    ] {
        write(
            folder.path(),
            &format!("{name}.html"),
            &Format::Html.text(&report),
        );
    }
    // Bars stand where the time says: that is what inline styles are for.
    let config = r#"{ "root": true, "extends": ["html-validate:standard", "html-validate:a11y"], "rules": { "no-inline-style": "off", "doctype-style": "off", "void-style": "off", "attribute-boolean-style": "error", "no-implicit-close": "error" } }"#;
    write(folder.path(), ".htmlvalidate.json", config);
    let output = Command::new("node")
        .arg(program)
        .args(["a.html", "b.html", "c.html"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A parser that is not of the crate that wrote it.
#[test]
fn junit_is_read_by_another_parser() {
    let Some(home) = crate::python::venv("junitparser", &["junitparser==3.2.0"]) else {
        return;
    };
    let folder = folder();
    write(folder.path(), "report.xml", &Format::Junit.text(&report()));
    let script = "
import junitparser
report = junitparser.JUnitXml.fromfile('report.xml')
print(report.tests, report.failures, report.errors, sum(suite.skipped for suite in report))
for suite in report:
    for case in suite:
        print(suite.name, case.classname, case.name, [type(r).__name__ for r in case.result])
";
    let output = Command::new(home.join("bin/python"))
        .args(["-c", script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_data_eq!(
        String::from_utf8(output.stdout).unwrap(),
        snapbox::str![[r#"
11 3 0 3
restores orders db []
restores orders files []
restores orders app ['Skipped']
restores orders logs []
checks db answers []
checks db rows []
checks files mounts ['Failure']
checks orders end to end ['Skipped']
objectives db RTO of 10m 00s ['Failure']
objectives the run RTO of 1h 00m ['Skipped']
objectives the run RPO of 1h 00m ['Failure']

"#]]
    );
}
