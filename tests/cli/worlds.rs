//! A run belongs to its endpoint: what an emulator was asked for is never taken for a restore at AWS, or at another emulator.

use std::path::Path;

use redrill_emulator::Emulator;
use serde_json::Value;

use crate::dry_run::outputs::assert_valid;
use crate::support::{
    at_once, bytes, emulator, folder, ran, redrill, repository_file, without_dates, write,
};

const NAME: &str = "plan.yaml";

/// A folder with a plan of three restores that have ended at an emulator.
async fn ended() -> (tempfile::TempDir, Emulator) {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        NAME,
        &repository_file("plans/quickstart.yaml"),
    );
    let words = [
        "run",
        NAME,
        "--yes",
        "--report",
        "json=r.json",
        "--report",
        "junit=r.xml",
        "--report",
        "html=r.html",
        "--report",
        "markdown=r.md",
    ];
    let (code, stdout, stderr) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let at = emulator.url();
    assert!(
        stderr.contains(&format!(
            "quickstart run main, at {at} (not AWS), into 123456789012 us-west-2"
        )),
        "{stderr}"
    );
    assert!(
        stdout.starts_with(&format!("Not AWS: this run was at {at}")),
        "{stdout}"
    );
    (folder, emulator)
}

fn text(path: &Path) -> String {
    String::from_utf8(bytes(path)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_a8_the_endpoint_is_in_every_report_in_status_and_in_evidence() {
    let (folder, emulator) = ended().await;
    let (path, url) = (folder.path().to_owned(), emulator.url());
    let warning = format!(
        "Not AWS: this run was at {url}, which is not an AWS endpoint. Nothing was restored at AWS, and its times are by the clock of that endpoint."
    );
    for file in ["r.json", "r.xml", "r.html", "r.md"] {
        let report = text(&path.join(file))
            .replace("&#x2f;", "/")
            .replace("\\_", "_")
            .replace("\\!", "!");
        assert!(report.contains(&warning), "{file}: {report}");
    }
    let report: Value = serde_json::from_str(&text(&path.join("r.json"))).unwrap();
    assert_valid("run", &report);
    assert_eq!(
        report["world"],
        serde_json::json!({ "kind": "endpoint", "url": url })
    );
    assert!(
        text(&path.join("r.xml"))
            .contains(&format!("name=\"quickstart run main at {url} (not AWS)\""))
    );
    let (_, status, _) = ran(&path, &emulator, &["status"]).await;
    assert!(
        status.starts_with(&format!(
            "quickstart run main, at {url} (not AWS), into 123456789012 us-west-2, opened 20"
        )),
        "{status}"
    );
    let (code, stdout, stderr) = crate::drill::run(&path, &["evidence", NAME, "-o", "bundle"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains(&warning), "{stdout}");
    let about: Value = serde_json::from_str(&text(&path.join("bundle/about.json"))).unwrap();
    assert_valid("evidence", &about);
    assert_eq!(about["world"]["url"], url);
    let (code, stdout, _) = crate::drill::run(&path, &["evidence", "verify", "bundle"]);
    assert_eq!(code, 0);
    assert!(stdout.contains(&warning), "{stdout}");
    emulator.shutdown().await;
}

#[test]
fn safety_a8_a_rehearsal_says_so_in_every_format() {
    let folder = folder();
    write(
        folder.path(),
        NAME,
        &repository_file("plans/quickstart.yaml"),
    );
    let words = [
        "rehearse",
        NAME,
        "--report",
        "json=r.json",
        "--report",
        "junit=r.xml",
        "--report",
        "html=r.html",
        "--report",
        "markdown=r.md",
    ];
    let (code, stdout, stderr) = crate::drill::run(folder.path(), &words);
    assert_eq!(code, 0, "{stderr}");
    const WORDS: &str = "A rehearsal against the embedded emulator, not AWS. Nothing was restored at AWS, and its times are estimates.";
    assert!(stdout.starts_with(WORDS), "{stdout}");
    for file in ["r.json", "r.xml", "r.html", "r.md"] {
        let report = text(&folder.path().join(file));
        assert!(report.contains(WORDS), "{file}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reliability_r2_9_a_run_is_not_taken_up_at_another_endpoint() {
    let (folder, made_at) = ended().await;
    let here = emulator(at_once()).await;
    let path = folder.path();
    for words in [
        &["run", NAME, "--yes"][..],
        &["run", NAME, "--yes", "--retry-failed", "--take-over"],
    ] {
        let (code, stdout, stderr) = ran(path, &here, words).await;
        assert_eq!((code, stdout.as_str()), (4, ""), "{stderr}");
        let first = format!(
            "error: run main of quickstart was made at {} (not AWS), and this command works at {} (not AWS): what it has made is not here. Nothing was started.\n",
            made_at.url(),
            here.url()
        );
        assert!(stderr.starts_with(&first), "{stderr}");
        assert!(
            stderr.contains(
                "\nrestore here under another run id: redrill run plan.yaml --yes --endpoint-url "
            ),
            "{stderr}"
        );
        assert!(
            without_dates(&stderr).contains(" --run-id main-DATE"),
            "{stderr}"
        );
        assert!(
            stderr.contains(&format!(
                "\nor continue where it was made: --endpoint-url {}",
                made_at.url()
            )),
            "{stderr}"
        );
    }
    // Nothing was asked there.
    assert!(here.calls().is_empty(), "{:?}", here.calls());
    // The dry run says it first.
    let (code, stdout, _) = ran(path, &here, &["plan", NAME]).await;
    assert_eq!(code, 4);
    assert!(
        stdout.starts_with(&format!("Run main was made at {} (not AWS)", made_at.url())),
        "{stdout}"
    );
    // A report is of the journal alone.
    let (code, _, stderr) = crate::drill::run(path, &["report", NAME]);
    assert_eq!(code, 0, "{stderr}");
    // Another run id is a run of its own.
    let (code, stdout, stderr) =
        ran(path, &here, &["run", NAME, "--yes", "--run-id", "here"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    made_at.shutdown().await;
    here.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reliability_r2_9_nothing_is_deleted_elsewhere() {
    let (folder, made_at) = ended().await;
    let here = emulator(at_once()).await;
    let path = folder.path();
    // The same names exist there.
    let words = ["run", NAME, "--yes", "--state", "elsewhere"];
    let (code, stdout, stderr) = ran(path, &here, &words).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let there = here.resources("123456789012");
    let (code, stdout, stderr) = ran(path, &here, &["cleanup", NAME, "--yes"]).await;
    assert_eq!((code, stdout.as_str()), (4, ""), "{stderr}");
    assert!(
        stderr.contains(&format!(
            "run main of quickstart was made at {} (not AWS)",
            made_at.url()
        )),
        "{stderr}"
    );
    assert_eq!(here.resources("123456789012"), there);
    // AWS Backup here and Cloud Control API at AWS would be the same mistake.
    let split = redrill(path)
        .env("AWS_ENDPOINT_URL_BACKUP", made_at.url())
        .env("AWS_ACCESS_KEY_ID", "123456789012")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .args(["cleanup", NAME, "--yes"])
        .output()
        .unwrap();
    let stderr = String::from_utf8(split.stderr).unwrap();
    assert_eq!(split.status.code(), Some(4), "{stderr}");
    assert!(
        stderr.contains("and Cloud Control API, which deletes, at AWS"),
        "{stderr}"
    );
    made_at.shutdown().await;
    here.shutdown().await;
}

/// The endpoint is the one that the SDK settles on, from wherever AWS's tools take it.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a8_the_endpoint_is_what_the_sdk_settles_on() {
    let (folder, emulator) = ended().await;
    let (path, url) = (folder.path().to_owned(), emulator.url());
    let config = format!(
        "[profile all]\nendpoint_url = {url}\n[profile one]\nservices = local\n[services local]\nbackup =\n  endpoint_url = {url}\n[profile aws]\nregion = us-west-2\n"
    );
    write(&path, "config", &config);
    let url = url.as_str();
    let nowhere = "http://127.0.0.1:9";
    let aws = "Run main was made at";
    let same = "Run main ended 20";
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str, &'a str);
    let cases: &[Case<'_>] = &[
        (&[("AWS_ENDPOINT_URL", url)], &[], same, ""),
        (&[("AWS_ENDPOINT_URL_BACKUP", url)], &[], same, ""),
        (
            &[
                ("AWS_ENDPOINT_URL_BACKUP", url),
                ("AWS_ENDPOINT_URL", nowhere),
            ],
            &[],
            same,
            "",
        ),
        (
            &[("AWS_ENDPOINT_URL", url)],
            &["--endpoint-url", nowhere],
            aws,
            "works at http://127.0.0.1:9 (not AWS)",
        ),
        (
            &[
                ("AWS_ENDPOINT_URL", url),
                ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
            ],
            &[],
            aws,
            "works at AWS",
        ),
        (&[("AWS_ENDPOINT_URL_S3", url)], &[], aws, "works at AWS"),
        (
            &[("AWS_CONFIG_FILE", "config"), ("AWS_PROFILE", "all")],
            &[],
            same,
            "",
        ),
        (
            &[("AWS_CONFIG_FILE", "config"), ("AWS_PROFILE", "one")],
            &[],
            same,
            "",
        ),
        (
            &[("AWS_CONFIG_FILE", "config")],
            &["--profile", "one"],
            same,
            "",
        ),
        (
            &[("AWS_CONFIG_FILE", "config")],
            &["--profile", "aws"],
            aws,
            "works at AWS",
        ),
        (
            &[
                ("AWS_CONFIG_FILE", "config"),
                ("AWS_PROFILE", "one"),
                ("AWS_ENDPOINT_URL", nowhere),
            ],
            &[],
            aws,
            "works at http://127.0.0.1:9",
        ),
        (&[], &[], aws, "works at AWS"),
        (
            &[("AWS_USE_FIPS_ENDPOINT", "true")],
            &[],
            aws,
            "works at AWS",
        ),
        (
            &[("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            &[],
            aws,
            "works at AWS",
        ),
        (
            &[(
                "AWS_ENDPOINT_URL_BACKUP",
                "https://vpce-0a1b-cd.backup.us-west-2.vpce.amazonaws.com",
            )],
            &[],
            aws,
            "works at AWS",
        ),
        (
            &[(
                "AWS_ENDPOINT_URL",
                "https://me:s3cr3t@127.0.0.1:9/x?token=s3cr3t",
            )],
            &[],
            aws,
            "works at https://127.0.0.1:9/x (not AWS)",
        ),
    ];
    for (variables, words, begins, says) in cases {
        let variables: Vec<(&str, &str)> = variables.to_vec();
        let output = redrill(&path)
            .envs(variables.clone())
            .args(["plan", NAME])
            .args(*words)
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            stdout.starts_with(begins) && stdout.contains(says),
            "{variables:?} {words:?}: {stdout}{stderr}"
        );
        assert!(!stdout.contains("s3cr3t") && !stderr.contains("s3cr3t"));
    }
    emulator.shutdown().await;
}

/// Two accounts are two in the header, and in every report.
#[test]
fn two_accounts_are_two_in_the_header_and_in_every_report() {
    let folder = folder();
    let restore = |name: &str, region: &str, account: &str| {
        format!(
            "  {name}:\n    type: EFS\n    target: {name}\n    recovery_point: arn:aws:backup:{region}:{account}:recovery-point:00000000-0000-0000-0000-000000000001\n    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: {name} }}\n"
        )
    };
    let target = |name: &str, region: &str, account: &str| {
        format!(
            "  {name}: {{ region: {region}, account: \"{account}\", iam_role_arn: \"arn:aws:iam::{account}:role/restore\" }}\n"
        )
    };
    let (west, north) = (
        ("west", "us-west-2", "123456789012"),
        ("north", "eu-north-1", "444455556666"),
    );
    let plan = format!(
        "plan: two\ntargets:\n{}{}restores:\n{}{}",
        target(west.0, west.1, west.2),
        target(north.0, north.1, north.2),
        restore(west.0, west.1, west.2),
        restore(north.0, north.1, north.2),
    );
    write(folder.path(), NAME, &plan);
    let words = [
        "rehearse",
        NAME,
        "--report",
        "json=r.json",
        "--report",
        "junit=r.xml",
        "--report",
        "html=r.html",
        "--report",
        "markdown=r.md",
    ];
    let (code, stdout, stderr) = crate::drill::run(folder.path(), &words);
    assert_eq!(code, 0, "{stderr}");
    let read = |file: &str| text(&folder.path().join(file));
    for (format, report) in [
        ("header", stderr),
        ("human", stdout),
        ("junit", read("r.xml")),
        ("html", read("r.html")),
        ("markdown", read("r.md")),
    ] {
        for place in ["123456789012 us-west-2", "444455556666 eu-north-1"] {
            assert!(
                report.contains(place),
                "{format} does not name {place}: {report}"
            );
        }
    }
    let report: Value = serde_json::from_str(&read("r.json")).unwrap();
    assert_valid("run", &report);
    let accounts = |of: &Value| of["account"].as_str().unwrap().to_owned();
    let targets: Vec<String> = report["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(accounts)
        .collect();
    assert_eq!(targets, [west.2, north.2]);
    let restores: Vec<String> = report["restores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| accounts(&of["target"]))
        .collect();
    assert_eq!(restores, targets);
}

/// What is left is not to be deleted elsewhere by hand either.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r2_9_what_is_left_is_not_listed_elsewhere() {
    let (folder, emulator) = ended().await;
    let (code, stdout, stderr) = ran(folder.path(), &emulator, &["cleanup", NAME, "--yes"]).await;
    assert!(code == 0 || code == 5, "{stdout}{stderr}");
    let other = crate::support::emulator(at_once()).await;
    let (code, stdout, stderr) = ran(folder.path(), &other, &["cleanup", NAME, "--dry-run"]).await;
    assert_eq!(code, 4, "{stdout}{stderr}");
    assert!(stderr.contains(&emulator.url()), "{stderr}");
    assert!(!stdout.contains("delete it manually"), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_a8_a_saved_plan_is_for_its_endpoint() {
    let first = emulator(at_once()).await;
    let folder = folder();
    let plan = repository_file("plans/quickstart.yaml");
    write(folder.path(), NAME, &plan);
    let words = ["plan", NAME, "-o", "saved.json"];
    let (code, stdout, stderr) = ran(folder.path(), &first, &words).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let saved: Value = serde_json::from_str(&text(&folder.path().join("saved.json"))).unwrap();
    assert_valid("saved-plan", &saved);
    let other = emulator(at_once()).await;
    let words = ["run", "saved.json", "--yes"];
    let (code, stdout, stderr) = ran(folder.path(), &other, &words).await;
    assert_eq!(code, 4, "{stdout}{stderr}");
    assert!(
        stderr.contains(&format!("this saved plan was made at {}", first.url())),
        "{stderr}"
    );
    assert_eq!(other.jobs().len(), 0);
    let (code, stdout, stderr) = ran(folder.path(), &first, &words).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
}
