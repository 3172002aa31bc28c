//! What a newcomer met in errors and on the screen, by the number of each case. Those of other commands are next to their
//! tests, under names that begin alike.

use redrill_emulator::{Fault, FaultKind, Operation};

use crate::support::{at_once, emulator, folder, many, process, ran, repository_file, write};

/// A command's exit code, and all that it says.
fn said(folder: &std::path::Path, set: &[(&str, &str)], words: &[&str]) -> (i32, String) {
    let output = process(folder)
        .args(words)
        .envs(set.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap_or(-1),
        text(&output.stdout) + &text(&output.stderr),
    )
}

#[test]
fn first_contact_c1_missing_credentials_say_where_they_were_looked_for() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    let words = ["run", "plan.yaml", "--yes"];
    let set = [
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9"),
        ("AWS_CONFIG_FILE", "none"),
        ("AWS_SHARED_CREDENTIALS_FILE", "none"),
    ];
    let (code, text) = said(folder.path(), &set, &words);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no AWS credentials were found"), "{text}");
    assert!(text.contains("nothing was sent"), "{text}");
    let mut profile = words.to_vec();
    profile.extend(["--profile", "nosuch"]);
    let (code, text) = said(folder.path(), &set, &profile);
    assert_eq!(code, 64, "{text}");
    assert!(
        text.contains("nosuch") && text.contains("could not be found"),
        "{text}"
    );
}

#[test]
fn first_contact_c2_an_endpoint_that_nobody_serves_is_named_and_so_is_the_proxy() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    let words = [
        "run",
        "plan.yaml",
        "--yes",
        "--endpoint-url",
        "http://127.0.0.1:9",
    ];
    let keys = [
        ("AWS_ACCESS_KEY_ID", "123456789012"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ];
    let (code, text) = said(folder.path(), &keys, &words);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("cannot connect to http://127.0.0.1:9: "),
        "{text}"
    );
    assert!(
        !text.contains("PROXY") && !text.contains("dispatch failure"),
        "{text}"
    );
    let proxied = [&keys[..], &[("HTTP_PROXY", "http://127.0.0.1:7")]].concat();
    let (code, text) = said(folder.path(), &proxied, &words);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("HTTP_PROXY is set") && text.contains("NO_PROXY=127.0.0.1"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn first_contact_c5_times_have_a_date_and_a_zone() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    let url = emulator.url();
    tokio::task::block_in_place(|| {
        let run = |zone: &str, id: &str, more: &[&str]| {
            let mut words = vec![
                "run",
                "plan.yaml",
                "--yes",
                "--run-id",
                id,
                "--endpoint-url",
                &url,
            ];
            words.extend(more);
            let (code, text) = said(folder.path(), &[("TZ", zone)], &words);
            assert_eq!(code, 0, "{text}");
            text.lines()
                .find(|line| line.starts_with("20"))
                .unwrap()
                .to_owned()
        };
        let first = run("XST-5:30", "a", &[]);
        assert_eq!(&first[10..11], " ", "{first}");
        assert!(first[..30].contains(" XST  "), "{first}");
        let first = run("XST-5:30", "b", &["--utc"]);
        assert!(first[..30].contains(" UTC  "), "{first}");
    });
    emulator.shutdown().await;
}

#[test]
fn first_contact_c6_a_rehearsal_counts_its_own_time() {
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    let (code, text) = said(folder.path(), &[], &["rehearse", "plan.yaml"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(", in simulated time"), "{text}");
    assert!(text.contains("+0:00:00  files: started, job "), "{text}");
    assert!(!text.contains("AWS Backup was told"), "{text}");
}

#[test]
fn first_contact_c13_a_saved_plan_in_the_wrong_place_is_one_line() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    let (code, text) = said(
        folder.path(),
        &[],
        &["plan", "plan.yaml", "-o", "saved.json"],
    );
    assert_eq!(code, 0, "{text}");
    for words in [
        &["cleanup", "saved.json"][..],
        &["validate", "saved.json"],
        &["evidence", "saved.json", "-o", "bundle"],
    ] {
        let (code, text) = said(folder.path(), &[], words);
        assert_eq!(code, 64, "{words:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{words:?}: {text}");
        assert!(
            text.contains("saved.json is a saved plan") && text.contains("give `plan.yaml`"),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn first_contact_c20_a_restore_that_has_another_name_now_is_said() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let plan = repository_file("plans/quickstart.yaml");
    write(folder.path(), "plan.yaml", &plan);
    let (code, _, text) = ran(folder.path(), &emulator, &["run", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 0, "{text}");
    write(
        folder.path(),
        "plan.yaml",
        &plan.replace("  orders:\n", "  orders-table:\n"),
    );
    let (_, _, text) = ran(folder.path(), &emulator, &["run", "plan.yaml", "--yes"]).await;
    assert!(
        text.contains("orders-table") && text.contains("`orders`"),
        "{text}"
    );
    emulator.shutdown().await;
}

#[test]
fn first_contact_c21_keys_at_the_top_are_a_place_for_anchors() {
    let folder = folder();
    let plan = repository_file("plans/quickstart.yaml");
    let plan = plan.replace("vars:\n", "x-common: &common { Encrypted: true }\nvars:\n");
    write(folder.path(), "plan.yaml", &plan);
    let (code, text) = said(folder.path(), &[], &["validate", "plan.yaml"]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn first_contact_c22_a_tab_is_shown_and_called_one() {
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        "plan: x\nrestores:\n\ta:\n\t  type: EFS\n",
    );
    let (code, text) = said(folder.path(), &[], &["validate", "plan.yaml"]);
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains("indented with a tab") && text.contains("→a:"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn first_contact_c23_a_refusal_names_what_has_to_be_allowed() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(2, 0));
    let refused = FaultKind::Error {
        status: 403,
        code: "AccessDeniedException".to_owned(),
        message: "Insufficient privileges to perform this action.".to_owned(),
    };
    emulator.inject(Fault::new(Operation::StartRestoreJob, refused));
    let (code, stdout, stderr) =
        ran(folder.path(), &emulator, &["run", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(
        stderr.contains("the caller needs backup:StartRestoreJob"),
        "{stderr}"
    );
    assert!(
        stderr.contains("no job of this run is running at AWS"),
        "{stderr}"
    );
    emulator.shutdown().await;
}

#[test]
fn first_contact_c24_three_tables_are_three() {
    let plan = repository_file("plans/tables.yaml");
    assert!(plan.contains("Three tables in one block"), "{plan}");
}

/// Every case that has a number has a test of its name.
#[test]
fn every_case_has_a_test() {
    fn sources(folder: &std::path::Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, all);
            } else if path.extension().is_some_and(|is| is == "rs") {
                all.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    for folder in ["tests", "src"] {
        sources(&root.join(folder), &mut all);
    }
    let cases = (1..=14).map(|nth| format!("b{nth}"));
    let cases = cases.chain((1..=24).map(|nth| format!("c{nth}")));
    let missing: Vec<String> = cases
        .filter(|case| !all.contains(&format!("fn first_contact_{case}_")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// A job that is named and cannot be taken: nothing is started in its place.
#[tokio::test(flavor = "multi_thread")]
async fn first_contact_a_job_to_adopt_is_one_of_the_plan() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &many(1, 0));
    let other = many(2, 0);
    write(
        path,
        "other.yaml",
        &other.replace("plan: many", "plan: other"),
    );
    let words = ["run", "other.yaml", "--yes", "-q"];
    assert_eq!(ran(path, &emulator, &words).await.0, 0);
    let jobs = emulator.jobs();
    let job = |end: char| {
        let mut jobs = jobs.iter();
        let found = jobs.find(|job| job.recovery_point_arn.ends_with(end));
        found.unwrap().id.clone()
    };
    for (id, why) in [
        (
            "6D6F6E65-0000-0000-0000-000000000000".to_owned(),
            "AWS does not know",
        ),
        (job('1'), "as no restore of this plan does"),
        (job('0'), "was started with other metadata than `r0` has"),
    ] {
        let adopt = format!("--adopt={id}");
        let words = ["run", "plan.yaml", "--yes", &adopt];
        let (code, _, stderr) = ran(path, &emulator, &words).await;
        assert_eq!((code, emulator.jobs().len()), (64, 2), "{stderr}");
        assert!(
            stderr.contains(&format!("--adopt names job {id}, which ")) && stderr.contains(why),
            "{stderr}"
        );
        assert!(stderr.contains("; nothing was started"), "{stderr}");
    }
    // One that asks for the same is taken.
    write(
        path,
        "same.yaml",
        &many(1, 0).replace("{{ run.id }}", "main"),
    );
    let words = ["run", "same.yaml", "--yes", "--state", "elsewhere"];
    assert_eq!(ran(path, &emulator, &words).await.0, 0);
    let made = emulator.jobs().last().unwrap().id.clone();
    let adopt = format!("--adopt={made}");
    let words = ["run", "same.yaml", "--yes", "--state", "here", &adopt];
    let (code, _, stderr) = ran(path, &emulator, &words).await;
    assert_eq!((code, emulator.jobs().len()), (0, 3), "{stderr}");
    emulator.shutdown().await;
}

#[test]
fn first_contact_status_of_a_run_that_is_not_known_names_those_that_are() {
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &many(1, 0));
    write(
        path,
        "other.yaml",
        &many(1, 0).replace("plan: many", "plan: other"),
    );
    write(path, "file", "");
    let rehearse = ["rehearse", "plan.yaml", "--state", "s", "--run-id", "Q4"];
    assert_eq!(said(path, &[], &rehearse).0, 0);
    for (words, wanted, says) in [
        (
            &["status", "plan.yaml", "--state", "s", "--run-id", "zz"][..],
            64,
            "no run `zz` of many; known are `Q4`",
        ),
        (
            &["status", "many", "--state", "s", "--run-id", "zz", "--json"],
            64,
            "known are `Q4`",
        ),
        (
            &["status", "--state", "s", "--run-id", "zz"],
            64,
            "no run `zz`; known are `Q4`",
        ),
        (
            &["status", "other.yaml", "--state", "s"],
            0,
            "no runs of other are known in s; it has runs of many",
        ),
        (
            &["status", "--state", "none"],
            0,
            "no runs are known in none",
        ),
        (
            &["status", "--state", "file"],
            64,
            "--state file is a file; give a directory",
        ),
        (
            &["runs", "--state", "file"],
            64,
            "--state file is a file; give a directory",
        ),
    ] {
        let (code, text) = said(path, &[], words);
        assert_eq!(code, wanted, "{words:?}: {text}");
        assert!(text.contains(says), "{words:?}: {text}");
    }
}

/// What is printed is pasted, where it is printed.
#[test]
fn first_contact_status_of_a_rehearsal_is_continued_as_one() {
    let folder = folder();
    let path = folder.path();
    std::fs::create_dir_all(path.join("drills/.redrill")).unwrap();
    write(path, "drills/-q.yaml", &many(2, 1));
    let drills = path.join("drills");
    let words = [
        "rehearse", "--state", ".redrill", "--speed", "max", "--", "-q.yaml",
    ];
    let (code, text) = said(&drills, &[], &words);
    assert_eq!(code, 0, "{text}");
    // The id of the rehearsal would be refused.
    let next = text
        .lines()
        .find(|line| line.contains("redrill run "))
        .unwrap();
    assert!(
        next.contains("redrill run ./-q.yaml --run-id main-2"),
        "{text}"
    );
    let (code, text) = said(&drills, &[], &["status"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("passed: 2 of 2 completed"), "{text}");
    assert!(
        !text.contains("cleanup") && !text.contains("redrill run"),
        "{text}"
    );
    let failed = [
        "rehearse",
        "--fault",
        "job-fails",
        "--state",
        ".redrill",
        "--run-id",
        "b",
        "./-q.yaml",
    ];
    let (code, text) = said(&drills, &[], &failed);
    assert_eq!(code, 6, "{text}");
    let hint =
        |names: &str| format!("retry what failed with: redrill rehearse {names} --retry-failed");
    let (_, text) = said(&drills, &[], &["status"]);
    let names = "./-q.yaml --run-id b --state .redrill";
    assert!(text.contains(&hint(names)), "{text}");
    let (_, text) = said(path, &[], &["status", "drills/-q.yaml"]);
    let names = "drills/-q.yaml --run-id b --state drills/.redrill";
    assert!(text.contains(&hint(names)), "{text}");
    let (_, text) = said(path, &[], &["status", "--state", "drills/.redrill"]);
    assert!(
        text.contains(&hint("drills/./-q.yaml --run-id b --state drills/.redrill")),
        "{text}"
    );
}

#[test]
fn first_contact_what_is_set_to_nothing_is_named() {
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &many(1, 0));
    let keys = [
        ("AWS_ACCESS_KEY_ID", "123456789012"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ];
    for (name, words) in [
        ("AWS_PROFILE", &["run", "plan.yaml", "--yes"][..]),
        ("AWS_PROFILE", &["inventory"]),
        (
            "AWS_PROFILE",
            &["runs", "--state", "s3://my-drills/redrill"],
        ),
        ("AWS_REGION", &["inventory"]),
        ("AWS_REGION", &["runs", "--state", "s3://my-drills/redrill"]),
    ] {
        let mut set = keys.to_vec();
        set.push((name, ""));
        let (code, text) = said(path, &set, words);
        assert_eq!(code, 64, "{name} {words:?}: {text}");
        let says = format!("{name} is set to nothing: unset it");
        assert!(text.contains(&says), "{name} {words:?}: {text}");
    }
}
