//! A run that is over says so before anything else, and what was cleaned up is never reported as restored.

use redrill_emulator::{Emulator, Fault, FaultKind, Operation};
use serde_json::Value;

use crate::dry_run::outputs::assert_valid;
use crate::support::{
    at_once, bytes, emulator, folder, ran, repository_file, without_dates, write,
};

const NAME: &str = "plan.yaml";

async fn ended() -> (tempfile::TempDir, Emulator) {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        NAME,
        &repository_file("plans/quickstart.yaml"),
    );
    let (code, stdout, stderr) = ran(folder.path(), &emulator, &["run", NAME, "--yes"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    (folder, emulator)
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_a2_a_run_that_is_over_says_when_it_ended_and_that_nothing_was_started() {
    let (folder, emulator) = ended().await;
    let jobs = emulator.jobs().len();
    let words = [
        "run",
        NAME,
        "--yes",
        "--report",
        "markdown=r.md",
        "--report",
        "junit=r.xml",
        "--report",
        "html=r.html",
    ];
    let (code, stdout, stderr) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 0, "{stderr}");
    let first = stdout.lines().next().unwrap();
    let (_, proposed) = first.rsplit_once(" --run-id ").unwrap();
    let undated = without_dates(first);
    assert!(undated.starts_with("Run main ended DATE "), "{first}");
    assert!(first.contains(" UTC; nothing was started now. To restore again, use a new run id: redrill run plan.yaml --yes "), "{first}");
    assert!(undated.ends_with(" --run-id main-DATE"), "{first}");
    for file in ["r.md", "r.xml", "r.html"] {
        let report = String::from_utf8(bytes(&folder.path().join(file))).unwrap();
        assert!(
            report.contains("nothing was started now"),
            "{file}: {report}"
        );
    }
    let (code, stdout, _) = ran(
        folder.path(),
        &emulator,
        &["run", NAME, "--yes", "--format", "json"],
    )
    .await;
    assert_eq!(code, 0);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_valid("run", &report);
    assert_eq!(report["notices"][0]["kind"], "ended_before");
    assert_eq!(emulator.jobs().len(), jobs, "nothing was started");
    // What it says to type is free, and starts.
    let (code, stdout, stderr) = ran(
        folder.path(),
        &emulator,
        &["run", NAME, "--yes", "--run-id", proposed],
    )
    .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (_, stdout, _) = ran(folder.path(), &emulator, &["run", NAME, "--yes"]).await;
    let (_, another) = stdout
        .lines()
        .next()
        .and_then(|first| first.rsplit_once(" --run-id "))
        .unwrap();
    assert_eq!(without_dates(another).split("-2").next(), Some("main-DATE"));
    assert_ne!(another, proposed, "that one is taken now");
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_a2_what_was_cleaned_up_is_never_restored_in_any_format() {
    let (folder, emulator) = ended().await;
    let path = folder.path();
    let (code, stdout, stderr) = ran(path, &emulator, &["cleanup", NAME, "--yes"]).await;
    assert!(matches!(code, 0 | 5), "{stdout}{stderr}");
    let jobs = emulator.jobs().len();
    for words in [
        &["run", NAME, "--yes"][..],
        &["run", NAME, "--yes", "--format", "json"],
        &["run", NAME, "--yes", "--only", "files"],
    ] {
        let (code, stdout, stderr) = ran(path, &emulator, words).await;
        assert_eq!((code, stdout.as_str()), (4, ""), "{stderr}");
        let stderr = without_dates(&stderr);
        assert!(
            stderr.starts_with("error: run main of quickstart ended DATE "),
            "{stderr}"
        );
        assert!(stderr.contains(" and was cleaned up, last "), "{stderr}");
        assert!(stderr.contains(" resources that it made are deleted. Nothing was started.\nA new restore needs a new run id: redrill run plan.yaml --yes"), "{stderr}");
        assert!(stderr.contains(" --run-id main-DATE\n"), "{stderr}");
    }
    assert_eq!(emulator.jobs().len(), jobs);
    let words = [
        "report",
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
    let (code, human, _) = crate::drill::run(path, &words);
    assert_eq!(code, 0);
    assert!(
        without_dates(&human).starts_with("Cleaned up DATE"),
        "{human}"
    );
    assert!(human.contains("\nDELETED    files   "), "{human}");
    let read = |file: &str| String::from_utf8(bytes(&path.join(file))).unwrap();
    for (format, text) in [
        ("human", human),
        ("junit", read("r.xml")),
        ("html", read("r.html")),
        ("markdown", read("r.md")),
    ] {
        for word in ["passed", "3 of 3"] {
            assert!(!text.contains(word), "{format} says {word}: {text}");
        }
        assert!(
            text.contains("cleaned up") && text.contains("Cleaned up 20"),
            "{format}: {text}"
        );
    }
    let report: Value = serde_json::from_str(&read("r.json")).unwrap();
    assert_valid("run", &report);
    assert_eq!(
        (&report["verdict"], &report["verdict_before_cleanup"]),
        (&"cleaned_up".into(), &"passed".into())
    );
    let files = &report["restores"][0];
    assert_eq!(
        (&files["status"], &files["status_before_cleanup"]),
        (&"DELETED".into(), &"COMPLETED".into())
    );
    let (_, status, _) = ran(path, &emulator, &["status"]).await;
    assert!(
        without_dates(&status).contains(", cleaned up DATE")
            && status.contains("  DELETED    files"),
        "{status}"
    );
    let (code, plan, _) = ran(path, &emulator, &["plan", NAME]).await;
    assert_eq!(code, 0);
    assert!(
        without_dates(&plan).starts_with("Run main ended DATE")
            && plan.contains(" and was cleaned up, last "),
        "{plan}"
    );
    let (code, stdout, stderr) = crate::drill::run(path, &["evidence", NAME, "-o", "e.zip"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.starts_with("e.zip: evidence of quickstart run main: cleaned up, "),
        "{stdout}"
    );
    emulator.shutdown().await;
}

/// Another machine, without the journal: the jobs of the drill have ended, and what they made is deleted.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a2_another_machine_does_not_take_what_is_gone_for_restored() {
    let (folder, emulator) = ended().await;
    let path = folder.path();
    let again = [
        "run",
        NAME,
        "--yes",
        "--state",
        "elsewhere",
        "--format",
        "json",
    ];
    // While it is there, it is what the run has come to, and is said not to have been started.
    let there = ["run", NAME, "--yes", "--state", "there"];
    let (code, stdout, stderr) = ran(path, &emulator, &there).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(
        stdout.contains("3 of 3 restores were not started by this run: their jobs had ended before it found them, the last at 20"),
        "{stdout}"
    );
    assert!(
        stderr.contains("found again by its idempotency mark; it had ended 20")
            && stderr.contains(" UTC, and was not started now"),
        "{stderr}"
    );

    let (_, stdout, stderr) = ran(path, &emulator, &["cleanup", NAME, "--yes"]).await;
    assert!(stdout.contains("2 deleted (verified)"), "{stdout}{stderr}");
    let (code, stdout, stderr) = ran(path, &emulator, &again).await;
    assert_eq!(code, 4, "{stdout}{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_valid("run", &report);
    assert_eq!(report["verdict"], "cleaned_up");
    let status = |name: &str| {
        let mut restores = report["restores"].as_array().unwrap().iter();
        restores.find(|of| of["restore"] == name).unwrap()["status"].clone()
    };
    assert_eq!(
        (status("files"), status("orders")),
        ("DELETED".into(), "DELETED".into())
    );
    assert_eq!(emulator.jobs().len(), 3, "nothing was started");
    // And it stays so.
    let (code, stdout, stderr) = ran(path, &emulator, &again).await;
    assert_eq!((code, stdout.as_str()), (4, ""), "{stderr}");
    assert!(stderr.contains("was cleaned up"), "{stderr}");
    emulator.shutdown().await;
}

/// The same with checks, which only look at a name: they would pass.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a2_no_check_runs_against_what_is_gone() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    let check = crate::drill::check("looks", "echo ran >> ../ran.txt", "");
    std::fs::create_dir(path.join("sub")).unwrap();
    write(
        path,
        "sub/plan.yaml",
        &crate::drill::plan(2, "", |_| check.clone()),
    );
    let (code, stdout, stderr) = ran(path, &emulator, &["run", "sub/plan.yaml", "--yes"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (code, stdout, stderr) = ran(path, &emulator, &["cleanup", "sub/plan.yaml", "--yes"]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let words = ["run", "sub/plan.yaml", "--yes", "--state", "elsewhere"];
    let (code, stdout, stderr) = ran(path, &emulator, &words).await;
    assert_eq!(code, 4, "{stdout}{stderr}");
    assert!(
        !stdout.contains("passed") && !stdout.contains("2 of 2 restored"),
        "{stdout}"
    );
    let ran = String::from_utf8(bytes(&path.join("ran.txt"))).unwrap();
    assert_eq!(ran.lines().count(), 2, "those of the first run alone");
    emulator.shutdown().await;
}

/// Within the time that AWS remembers a token it answers with the job that has ended since, and the emulator's clock is ahead
/// of ours: whether that was before is told by AWS's.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a2_a_job_that_a_token_names_may_have_ended_before() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        NAME,
        "plan: rds\ntarget: { region: us-west-2, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }\nrestores:\n  db:\n    type: RDS\n    recovery_point: arn:aws:rds:us-west-2:123456789012:snapshot:awsbackup:job-2\n    metadata: { DBInstanceIdentifier: \"db-{{ run.id }}\", DBInstanceClass: db.t3.micro }\n    checks: [{ name: ran, run: [sh, -c, \"echo checked >> ran\"] }]\n",
    );
    let run = async |state: &str, words: &[&str]| {
        let words = [words, &["--yes", "--state", state]].concat();
        ran(folder.path(), &emulator, &words).await
    };
    assert_eq!(run("s1", &["run", NAME]).await.0, 0);
    assert_eq!(run("s1", &["cleanup", NAME]).await.0, 0);
    // No listing shows it yet.
    let lag = FaultKind::ListLag(jiff::SignedDuration::from_hours(24));
    emulator.inject(Fault::new(Operation::ListRestoreJobs, lag));
    let (code, stdout, stderr) = run("s2", &["run", NAME]).await;
    assert_eq!(code, 4, "{stdout}{stderr}");
    assert!(stdout.contains("DELETED  db"), "{stdout}");
    assert!(!stdout.contains("passed"), "{stdout}");
    assert_eq!(emulator.jobs().len(), 1);
    let ran = String::from_utf8(bytes(&folder.path().join("ran"))).unwrap();
    assert_eq!(ran, "checked\n", "no check runs against what is gone");
}
