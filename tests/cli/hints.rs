//! What a command says to type next can be typed, and leads further.

use crate::support::{at_once, emulator, folder, many, ran, redrill, without_dates, write};

const NAME: &str = "plan.yaml";

/// All that was asked for is done: the same command would say the same for ever.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_after_only_the_hint_is_the_rest_of_the_plan() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), NAME, &many(3, 0));
    let words = ["run", NAME, "--yes", "-q", "--only", "r0", "r1"];
    let (code, stdout, _) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 0, "{stdout}");
    assert!(!stdout.contains("continue with"), "{stdout}");
    let hint = stdout
        .lines()
        .find_map(|line| line.split_once("the rest of the plan: "));
    let hint = hint.unwrap_or_else(|| panic!("{stdout}")).1;
    let url = emulator.url();
    assert!(
        hint.ends_with(&format!("run {NAME} --yes -q --endpoint-url {url}")),
        "{hint}"
    );
    let (code, stdout, _) = ran(folder.path(), &emulator, &["run", NAME, "--yes", "-q"]).await;
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("3 of 3 restored"), "{stdout}");
    emulator.shutdown().await;
}

/// Of a saved plan: where it can be carried out, when it was, and that nothing of it is left.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_hints_of_a_saved_plan() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, NAME, &many(1, 0));
    let url = emulator.url();
    let on = async |words: &[&str]| ran(path, &emulator, words).await;
    let (code, _, stderr) = on(&["plan", NAME, "-o", "saved.json"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains(&format!(
            "saved: `redrill run saved.json --endpoint-url {url}` sends"
        )),
        "{stderr}"
    );
    if cfg!(unix) {
        let (code, _, stderr) = on(&["plan", NAME, "-o", "/dev/null"]).await;
        assert_eq!(code, 0, "{stderr}");
        assert!(!stderr.contains("/dev/null"), "{stderr}");
    }
    // Elsewhere: how to carry it out where it was made.
    let elsewhere = redrill(path)
        .args([
            "run",
            "saved.json",
            "--yes",
            "--endpoint-url",
            "http://127.0.0.1:9",
        ])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&elsewhere.stderr);
    assert_eq!(elsewhere.status.code(), Some(4), "{stderr}");
    assert!(
        stderr.contains(&format!("--endpoint-url {url}")),
        "{stderr}"
    );
    // Changed: how to save it again.
    write(
        path,
        NAME,
        &many(1, 0)
            .replace("generalPurpose", "maxIO")
            .replace("r0:", "r1:"),
    );
    let (code, _, stderr) = on(&["run", "saved.json", "--yes"]).await;
    assert_eq!(code, 4, "{stderr}");
    assert!(
        stderr.contains(&format!(
            "save it again: redrill plan {NAME} --endpoint-url {url} -o FILE"
        )),
        "{stderr}"
    );
    write(path, NAME, &many(1, 0));
    let (code, _, stderr) = on(&["run", "saved.json", "--yes", "-q"]).await;
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = on(&["run", "saved.json", "--yes", "-q"]).await;
    assert_eq!(code, 4, "{stderr}");
    assert!(
        without_dates(&stderr).contains("by run main, which ended DATE "),
        "{stderr}"
    );
    assert_eq!(on(&["cleanup", NAME, "--yes", "-q"]).await.0, 0);
    let (code, _, stderr) = on(&["run", "saved.json", "--yes", "-q"]).await;
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains(" and was cleaned up, last 20"), "{stderr}");
    // Another one of this run could never be carried out.
    let (code, _, stderr) = on(&["plan", NAME, "-o", "again.json"]).await;
    assert_eq!(code, 4, "{stderr}");
    assert!(
        stderr.contains("not saved: run main was cleaned up, last 20"),
        "{stderr}"
    );
    assert!(!path.join("again.json").exists());
    emulator.shutdown().await;
}

/// One sentence, and not one for each key that a plan does not have.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_a_saved_plan_is_no_plan() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, NAME, &many(1, 0));
    let (code, _, stderr) = ran(path, &emulator, &["plan", NAME, "-o", "saved.json"]).await;
    assert_eq!(code, 0, "{stderr}");
    for command in [
        "rehearse",
        "validate",
        "cleanup",
        "plan",
        "render",
        "lock",
        "evidence -o e",
    ] {
        let words = command.split(' ').chain(["saved.json"]);
        let output = redrill(path).args(words).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{command}: {stderr}");
        assert_eq!(
            stderr,
            "error: saved.json is a saved plan, which only `redrill run saved.json` takes: give `plan.yaml` here\n",
            "{command}"
        );
    }
    emulator.shutdown().await;
}

/// Nothing of what is wrong in the file alone waits for AWS.
#[test]
fn issue_14_what_is_wrong_in_the_plan_is_said_before_aws_is_asked() {
    let folder = folder();
    let path = folder.path();
    write(path, NAME, &many(0, 0).replace("restores:", "restores: {}"));
    write(
        path,
        "empty.yaml",
        &many(1, 0).replace("plan: many", "plan: empty"),
    );
    write(path, "empty.lock.yaml", "");
    let run = |plan: &str| {
        let words = ["run", plan, "--yes", "--endpoint-url", "http://127.0.0.1:9"];
        let output = redrill(path).args(words).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), stderr)
    };
    let (code, stderr) = run(NAME);
    assert_eq!(code, Some(4), "{stderr}");
    assert!(!stderr.contains("127.0.0.1"), "{stderr}");
    let (code, stderr) = run("empty.yaml");
    assert_eq!(code, Some(4), "{stderr}");
    assert!(
        stderr.contains("lock/empty") && stderr.contains("remove the file"),
        "{stderr}"
    );
}

/// A run that ends before it has begun is reported as the one that it was to be.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_a_run_that_ends_at_its_first_look_says_where_it_was() {
    let emulator = emulator(redrill_emulator::Options {
        faults: redrill_emulator::Faults::parse(
            "- { fault: error, operation: ListRestoreJobs, status: 403, code: AccessDeniedException, message: no }\n",
        )
        .unwrap(),
        ..at_once()
    })
    .await;
    let folder = folder();
    let path = folder.path();
    write(path, NAME, &many(2, 0));
    let words = [
        "run",
        NAME,
        "--yes",
        "--progress",
        "lines",
        "--report",
        "json=r.json",
    ];
    let (code, stdout, stderr) = ran(path, &emulator, &words).await;
    assert_eq!(code, 1, "{stderr}");
    let header = format!(
        "many run main, at {} (not AWS), into 123456789012 us-west-2",
        emulator.url()
    );
    assert_eq!(stderr.matches(&header).count(), 1, "{stderr}");
    assert!(stdout.contains("0 of 2 restored"), "{stdout}");
    let report: serde_json::Value =
        serde_json::from_slice(&crate::support::bytes(&path.join("r.json"))).unwrap();
    crate::dry_run::outputs::assert_valid("run", &report);
    assert_eq!(report["targets"][0]["account"], "123456789012", "{report}");
    assert_eq!(report["restores"].as_array().unwrap().len(), 2);
    emulator.shutdown().await;
}

/// A report into a pipe that nobody reads holds up nobody who wants it to end.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_sigterm_ends_a_report_into_a_pipe_that_nobody_reads() {
    use rustix::process::{Pid, Signal, kill_process};
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, NAME, &many(1, 0));
    let fifo = path.join("fifo");
    let made = std::process::Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .unwrap();
    assert!(made.success());
    let mut child = crate::support::process(path)
        .args(["run", NAME, "--yes", "-q", "--report", "json=fifo"])
        .args(["--endpoint-url", &emulator.url()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let journal = path.join(".redrill/many/main/journal");
    let is_over = || {
        journal.exists()
            && crate::support::files(&journal)
                .iter()
                .any(|(_, text)| String::from_utf8_lossy(text).contains("\"run_ended\""))
    };
    let mut asked = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if is_over() {
            asked += 1;
            assert!(asked < 3000, "it goes on");
            let _ = kill_process(Pid::from_child(&child), Signal::TERM);
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert_eq!(status.code(), Some(143));
    emulator.shutdown().await;
}

/// Somebody has renamed a restore that has completed: `run --yes` shows no dry run, and says it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r1_8_a_renamed_restore_is_said_to_be_one() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), NAME, &many(2, 0));
    let words = ["run", NAME, "--yes"];
    assert_eq!(ran(folder.path(), &emulator, &words).await.0, 0);
    // Its metadata stays: it asks for the very same.
    let renamed = many(2, 0)
        .replace("  r1:", "  other:")
        .replace("\"{{ restore }}-{{ run.id }}\"", "\"r1-main\"")
        .replacen("\"r1-main\"", "\"r0-main\"", 1);
    write(folder.path(), NAME, &renamed);
    let (code, _, stderr) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 0, "{stderr}");
    let why = "other: asks for the same as `r1`, which this run has restored already, with job ";
    assert!(stderr.contains(why), "{stderr}");
    emulator.shutdown().await;
}

/// Where a command works is a part of the next one; what may be a password is not.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_hints_keep_the_state_and_leave_out_passwords() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, NAME, &many(1, 0));
    let url = emulator.url();
    let with_user = url.replace("http://", "http://bob:hunter2pw@");
    let said = async |words: &[&str]| {
        let command = redrill(path).args(words);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let place = ["--state", "my runs", "--endpoint-url", &with_user];
    let shown = format!("--state 'my runs' --endpoint-url {url}");
    let (code, text) = said(&[&["plan", NAME, "-o", "saved.json"], &place[..]].concat()).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains(&format!("saved: `redrill run saved.json {shown}` sends")),
        "{text}"
    );
    assert!(!text.contains("hunter2pw"), "{text}");
    let run = [&["run", NAME, "--yes", "-q"], &place[..]].concat();
    assert_eq!(said(&run).await.0, Some(0));
    let (_, text) = said(&run).await;
    assert!(
        text.contains(&shown) && !text.contains("hunter2pw"),
        "{text}"
    );
    assert!(
        text.contains("give --endpoint-url with its user or query again"),
        "{text}"
    );
    // The run has moved on without it: it is saved again where it was.
    let (code, text) = said(&[&["run", "saved.json", "--yes"], &place[..]].concat()).await;
    assert_eq!(code, Some(4), "{text}");
    let again = format!("save it again: redrill plan {NAME} {shown} -o FILE");
    assert!(
        text.contains(&again) && !text.contains("hunter2pw"),
        "{text}"
    );
    emulator.shutdown().await;
}

/// A plan, or a saved one, that comes through a pipe is read once.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_run_reads_a_pipe() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path().to_owned();
    write(&path, NAME, &many(1, 0));
    let url = emulator.url();
    tokio::task::spawn_blocking(move || {
        let piped = |file: &str, words: &[&str]| {
            let text = std::fs::read(path.join(file)).unwrap();
            let command = redrill(&path).args(words).args(["--endpoint-url", &url]);
            let output = command.stdin(text).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            (output.status.code(), String::from_utf8(said).unwrap())
        };
        let plan = ["plan", NAME, "-o", "saved.json", "--run-id", "saved"];
        assert_eq!(piped(NAME, &plan).0, Some(0));
        let (code, said) = piped(NAME, &["run", "/dev/stdin", "--yes", "-q"]);
        assert_eq!(code, Some(0), "{said}");
        let (code, said) = piped("saved.json", &["run", "/dev/stdin", "--yes", "-q"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("run saved: passed"), "{said}");
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

/// `--only` names a restore that needs one it leaves out: that is said, and the hint leads further.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_only_what_needs_more_is_told_what_it_needs() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), NAME, &many(2, 1));
    let only = ["run", NAME, "--yes", "-q", "--only", "r1"];
    let (code, stdout, _) = ran(folder.path(), &emulator, &only).await;
    assert_eq!(code, 5, "{stdout}");
    assert!(
        stdout.contains("r1: needs `r0`, which `--only` leaves out; add it to `--only`"),
        "{stdout}"
    );
    let url = emulator.url();
    let hint = stdout
        .lines()
        .find_map(|line| line.strip_prefix("add what they need: "))
        .unwrap();
    assert!(
        hint.ends_with(&format!(
            "run {NAME} --yes -q --endpoint-url {url} --only=r0,r1"
        )),
        "{hint}"
    );
    let first = ["run", NAME, "--yes", "-q", "--only", "r0"];
    assert_eq!(ran(folder.path(), &emulator, &first).await.0, 0);
    let (code, stdout, _) = ran(folder.path(), &emulator, &["run", NAME, "--yes", "-q"]).await;
    assert_eq!(code, 0, "{stdout}");
    assert!(
        !stdout.contains("A new restore needs a new run id"),
        "{stdout}"
    );
    assert!(stdout.contains("2 of 2 restored"), "{stdout}");
    emulator.shutdown().await;
}

/// What `status` says to type is the whole command: with the variables of the run, and without those that are secrets.
#[tokio::test(flavor = "multi_thread")]
async fn status_repeats_what_the_run_was_given() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    let variables = "vars: { env: {}, key: { secret: true }, size: {} }\nrestores:";
    let plan = many(2, 0).replace("restores:", variables).replace(
        "PerformanceMode: generalPurpose",
        "PerformanceMode: \"{{ vars.env }}\"\n      CreationToken: \"{{ vars.key }}-{{ restore }}-{{ vars.size }}\"",
    );
    write(path, NAME, &plan);
    write(path, "sizes.yaml", "size: big one\n");
    let given = ["--var", "env=generalPurpose", "--var", "key=hunter2canary"];
    let run = [
        &[
            "run",
            NAME,
            "--yes",
            "-q",
            "--only",
            "r0",
            "--var-file",
            "sizes.yaml",
        ][..],
        &given,
    ]
    .concat();
    let (code, stdout, stderr) = ran(path, &emulator, &run).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let output = redrill(path).args(["status", NAME]).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!stdout.contains("hunter2canary"), "{stdout}");
    assert!(stdout.contains("give `key` again"), "{stdout}");
    let url = emulator.url();
    let hint = format!(
        "redrill run {NAME} --endpoint-url {url} --var-file sizes.yaml --var env=generalPurpose\n"
    );
    let joined = stdout.replace("\\\n", "").replace("\n  ", " ");
    assert!(joined.contains(&hint), "{stdout}");
    // As it is printed, with the secret.
    let words = [
        "run",
        NAME,
        "--endpoint-url",
        &url,
        "--var-file",
        "sizes.yaml",
    ];
    let again = redrill(path)
        .args(words)
        .args(["--var", "env=generalPurpose", "--yes", "-q"])
        .env("REDRILL_VAR_KEY", "hunter2canary")
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

/// A person may want less at once than the plan allows, and never more.
#[test]
fn limit_lowers_what_the_plan_allows() {
    let folder = folder();
    let path = folder.path();
    write(path, NAME, &many(4, 0));
    let seconds = |limit: &[&str]| {
        let words = ["rehearse", NAME, "-q", "--report", "json=r.json"];
        let output = redrill(path).args(words).args(limit).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let report = crate::support::bytes(&path.join("r.json"));
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        let at = |key: &str| {
            report[key]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .unwrap()
        };
        at("end").duration_since(at("start")).as_secs()
    };
    let at_once = seconds(&[]);
    for limit in [&["--limit", "1"][..], &["--limit=EFS=1,30"]] {
        let one_by_one = seconds(limit);
        assert!(
            one_by_one > 2 * at_once,
            "{limit:?}: {one_by_one} s, {at_once} s"
        );
    }
    for (limit, wanted) in [
        ("0", "write a count from 1 on"),
        ("EFS=many", "write a count from 1 on"),
        (
            "EFFS=1",
            "`EFFS` is not a resource type; did you mean `EFS`?",
        ),
    ] {
        let output = redrill(path)
            .args(["run", NAME, "--limit", limit])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{stderr}");
        assert!(stderr.contains(wanted), "{stderr}");
    }
}
