//! What comes back from AWS and from checks: no secret in it is shown, and nothing in it steers whoever reads.

use std::path::Path;

use redrill_emulator::{Emulator, Faults, Options};

use crate::support::{at_once, emulator, files, folder, many, ran, redrill, write};

const ACCOUNT: &str = "123456789012";
const PIN: &str = "482913";

async fn failing(message: &str) -> Emulator {
    let script = serde_json::json!([{ "fault": "job-fails", "times": 1, "message": message }]);
    // YAML takes no controls as they are.
    let mut escaped = Vec::new();
    let mut door = redrill::diagnostic::Safe::new(&mut escaped);
    std::io::Write::write_all(&mut door, script.to_string().as_bytes()).unwrap();
    door.finish().unwrap();
    let script = String::from_utf8(escaped).unwrap();
    emulator(Options {
        faults: Faults::parse(&script).unwrap(),
        ..at_once()
    })
    .await
}

/// A table whose name holds a secret, one that hangs on it, and a check that prints what it finds.
fn tables() -> String {
    format!(
        r#"plan: tables
vars: {{ pin: {{ secret: true }} }}
target: {{ region: us-west-2, account: "{ACCOUNT}", iam_role_arn: "arn:aws:iam::{ACCOUNT}:role/restore" }}
restores:
  a:
    type: DynamoDB
    recovery_point: arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/orders/backup/01600000000000-aaaaaaaa
    metadata: {{ targetTableName: "a-{{{{ run.id }}}}-{{{{ vars.pin }}}}" }}
    checks:
      - name: says
        run: [sh, -c, "echo $AWS_SECRET_ACCESS_KEY $REDRILL_CREATED_ARN {{{{ vars.pin }}}}; env"]
  b:
    type: DynamoDB
    needs: [a]
    recovery_point: arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/orders/backup/01600000000000-bbbbbbbb
    metadata: {{ targetTableName: "b-{{{{ restores.a.created.resource_arn[-6:] }}}}" }}
"#
    )
}

/// No file below a folder, but those that are named, holds one of these.
fn nowhere(folder: &Path, but: &[&str], needles: &[&str]) {
    for (file, bytes) in files(folder) {
        if but.iter().any(|name| file.ends_with(name)) {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        for needle in needles {
            assert!(
                !text.contains(needle),
                "{needle} in {}: {text}",
                file.display()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_a1_what_stands_for_a_secret_is_no_value() {
    let emulator = failing("Insufficient capacity.").await;
    let folder = folder();
    let plan = many(1, 0)
        .replace(
            "restores:",
            "vars: { pw: { secret: true }, open: { default: x } }\nrestores:",
        )
        .replace("{{ restore }}", "{{ vars.open }}{{ vars.pw }}");
    write(folder.path(), "plan.yaml", &plan);
    let literal = many(1, 0).replace("{{ restore }}", "«redacted»");
    write(folder.path(), "literal.yaml", &literal);
    write(folder.path(), "vars.yaml", "pw: a«redacted»b\n");
    let run = async |more: &[&str]| {
        let words = ["run", "plan.yaml", "--yes"];
        let all: Vec<&str> = words.into_iter().chain(more.iter().copied()).collect();
        ran(folder.path(), &emulator, &all).await
    };
    let (code, out, err) = run(&["--var", "pw=hunter2secret", "--var=open=o"]).await;
    assert_eq!(code, 6, "{err}");
    // The command is whole but for the secret, which is asked for in words.
    let hint = out.lines().find(|line| line.contains("--retry-failed"));
    let hint = hint.unwrap_or_else(|| panic!("{out}"));
    assert!(
        hint.contains("redrill run plan.yaml --yes --var open=o"),
        "{out}"
    );
    assert!(!out.contains("pw=") && !out.contains("«redacted»"), "{out}");
    assert!(out.contains("give `pw` again"), "{out}");
    for mark in [
        &["--var", "pw=«redacted»"][..],
        &["--var", "pw=x«redacted»"],
        &["--var-file", "vars.yaml"],
        &["--var", "pw=fine", "--var", "open=«redacted»"],
    ] {
        let words: Vec<&str> = ["--retry-failed"]
            .into_iter()
            .chain(mark.iter().copied())
            .collect();
        let (code, _, err) = run(&words).await;
        assert_eq!(code, 4, "{mark:?}: {err}");
        assert!(err.contains("vars/redacted"), "{err}");
    }
    let (code, _, err) = ran(folder.path(), &emulator, &["run", "literal.yaml", "--yes"]).await;
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("metadata/redacted"), "{err}");
    assert_eq!(emulator.jobs().len(), 1, "nothing more was started");
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_a13_a_secret_in_an_arn_is_shown_nowhere_and_the_run_goes_on() {
    const OWN: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "tables.yaml", &tables());
    let (path, url) = (folder.path().to_owned(), emulator.url());
    let said = tokio::task::spawn_blocking(move || {
        let mut all = String::new();
        let pin = format!("pin={PIN}");
        for (words, code) in [
            (&["run", "tables.yaml", "--yes", "--only", "a"][..], 0),
            // Another process: the name of `a` is not in its journal.
            (&["plan", "tables.yaml"], 0),
            (
                &[
                    "run",
                    "tables.yaml",
                    "--yes",
                    "-v",
                    "--report=json=r.json",
                    "--report=html=r.html",
                ],
                0,
            ),
            (&["plan", "tables.yaml", "--format", "json"], 0),
            (&["status"], 0),
            (&["status", "--format", "json"], 0),
            (
                &[
                    "report",
                    "tables.yaml",
                    "--report=junit=r.xml",
                    "--report=markdown=r.md",
                ],
                0,
            ),
            (&["evidence", "tables.yaml", "-o", "evidence.zip"], 0),
            (&["cleanup", "tables.yaml", "--dry-run"], 0),
            (&["cleanup", "tables.yaml", "--yes"], 0),
            (&["report", "tables.yaml"], 0),
        ] {
            let mut command = redrill(&path)
                .args(words)
                .env("AWS_ACCESS_KEY_ID", ACCOUNT)
                .env("AWS_SECRET_ACCESS_KEY", OWN);
            if words[0] != "report" {
                command = command.args(
                    ["--endpoint-url", &url][..if words[0] == "evidence" { 0 } else { 2 }].iter(),
                );
            }
            if ["run", "plan", "cleanup"].contains(&words[0]) {
                command = command.args(["--var", &pin]);
            }
            let output = command.output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
            all.push_str(&text);
        }
        all
    })
    .await
    .unwrap();
    assert!(said.contains("table/a-main-«redacted»"), "{said}");
    assert!(!said.contains(PIN) && !said.contains(OWN), "{said}");
    nowhere(folder.path(), &["tables.yaml"], &[PIN, OWN]);
    let jobs = emulator.jobs();
    let names: Vec<&str> = jobs
        .iter()
        .map(|job| job.request["Metadata"]["targetTableName"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a-main-482913", "b-482913"]);
    emulator.shutdown().await;
}

/// In whatever shape AWS repeats it.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r5_22_aws_may_repeat_a_secret_as_it_likes() {
    const SECRET: &str = "Hunter2-Secret";
    let message = "HUNTER2-SECRET; hunter2-secret; SHVudGVyMi1TZWNyZXQ=; eEh1bnRlcjItU2VjcmV0; eHlIdW50ZXIyLVNlY3JldHo=; \
                   Hunter2%2DSecret; Hunter2&#45;Secret; \\u0048unter2-Secret; Hunter2-\r\nSecret; Hunter2-Sec...";
    let emulator = failing(message).await;
    let folder = folder();
    let plan = many(1, 0)
        .replace("restores:", "vars: { pw: { secret: true } }\nrestores:")
        .replace("{{ restore }}", "{{ vars.pw[0] }}.{{ vars.pw[1:] }}");
    write(folder.path(), "plan.yaml", &plan);
    let pw = format!("pw={SECRET}");
    let words = [
        "run",
        "plan.yaml",
        "--yes",
        "--var",
        &pw,
        "--report=json=r.json",
    ];
    let (code, out, err) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 6, "{err}");
    let needles = [
        "unter2", "UNTER2", "ecret;", "SECRET", "SHVudG", "bnRlcj", "dW50ZX",
    ];
    for needle in needles {
        assert!(
            !out.contains(needle) && !err.contains(needle),
            "{needle}: {out}{err}"
        );
    }
    nowhere(folder.path(), &["plan.yaml"], &needles);
    emulator.shutdown().await;
}

#[test]
fn reliability_r5_22_what_is_computed_of_a_secret_is_one() {
    let folder = folder();
    let path = folder.path();
    let plan = many(1, 0)
        .replace(
            "restores:",
            "vars: { pin: { secret: true, type: number }, pw: { secret: true }, all: { secret: true, type: map } }\nrestores:",
        )
        .replace(
            "CreationToken: \"{{ restore }}-{{ run.id }}\"",
            "CreationToken: \"{{ vars.pw[0] }}_{{ vars.pw[1] }}_{{ vars.pw[2] }}\"\n      ItemsToRestore: [\"/{{ vars.pin + 1 }}\", \"/{{ vars.all.a[:3] }}\", \"/{{ vars.pin | int * 2 }}\"]",
        );
    write(path, "plan.yaml", &plan);
    for format in ["json", "human", "markdown", "github"] {
        let output = redrill(path)
            .args(["plan", "plan.yaml", "--full", "--format", format])
            .args([
                "--var",
                "pin=482913",
                "--var",
                "pw=xyzw",
                "--var",
                "all={a: qwertz}",
            ])
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(output.status.success(), "{text}");
        for needle in ["x_y_z", "482914", "965826", "/qwe"] {
            assert!(!text.contains(needle), "{format}: {text}");
        }
    }
    // What everybody has to see cannot be one, and is not shown where it is refused.
    for (what, with) in [
        ("account: \"123456789012\"", "account: \"{{ vars.it }}\""),
        ("region: us-west-2", "region: \"{{ vars.it }}\""),
        ("restores:", "protect: [\"table-{{ vars.it }}\"]\nrestores:"),
    ] {
        let plan = many(1, 0).replacen(what, with, 1).replacen(
            "target:",
            "vars: { it: { secret: true } }\ntarget:",
            1,
        );
        write(path, "open.yaml", &plan);
        let value = if what.starts_with("account") {
            ACCOUNT
        } else {
            "us-west-2"
        };
        let output = redrill(path)
            .args(["plan", "open.yaml", "--var", &format!("it={value}")])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{text}");
        assert!(text.contains("target/secret"), "{text}");
    }
    // A role can, and shows nowhere.
    let role = format!("arn:aws:iam::{ACCOUNT}:role/hushed");
    let plan = many(1, 0)
        .replace(
            &format!("arn:aws:iam::{ACCOUNT}:role/restore"),
            "\"{{ vars.role }}\"",
        )
        .replace("target:", "vars: { role: { secret: true } }\ntarget:");
    write(path, "role.yaml", &plan);
    for words in [
        &["plan", "role.yaml", "--format", "json", "-o", "saved.json"][..],
        &["render", "role.yaml"],
        &[
            "rehearse",
            "role.yaml",
            "-v",
            "--report=json=r.json",
            "--report=html=r.html",
        ],
    ] {
        let output = redrill(path)
            .args(words)
            .args(["--var", &format!("role={role}")])
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(output.status.success(), "{text}");
        assert!(!text.contains("hushed"), "{words:?}: {text}");
    }
    nowhere(path, &[], &["hushed"]);
    // A file that is no text may hold one, and is not quoted.
    std::fs::write(path.join("vars.yaml"), b"pw: hunter2\xff\n").unwrap();
    let output = redrill(path)
        .args(["plan", "plan.yaml", "--var-file", "vars.yaml"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("yaml/encoding") && !text.contains("hunter2"),
        "{text}"
    );
}

/// Neither its token nor its digest nor its mark is in anything that is shown or handed over.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r5_23_a_secret_cannot_be_guessed_from_what_is_shown() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "tables.yaml", &tables());
    let pin = format!("pin={PIN}");
    let mut said = String::new();
    for words in [
        &["plan", "tables.yaml", "-o", "saved.json"][..],
        &["plan", "tables.yaml", "--format", "json"],
        &["plan", "tables.yaml", "--format", "markdown"],
        &["plan", "tables.yaml", "--format", "github"],
        &[
            "run",
            "saved.json",
            "--yes",
            "-v",
            "--report=json=r.json",
            "--report=html=r.html",
        ],
        &[
            "plan",
            "tables.yaml",
            "--format",
            "json",
            "--against",
            "run",
        ],
        &["run", "tables.yaml", "--yes", "--format", "json"],
    ] {
        let words: Vec<&str> = words.iter().copied().chain(["--var", &pin]).collect();
        let (code, out, err) = ran(folder.path(), &emulator, &words).await;
        assert_eq!(code, 0, "{words:?}: {err}");
        said.push_str(&out);
        said.push_str(&err);
    }
    let path = folder.path().to_owned();
    let more = tokio::task::spawn_blocking(move || {
        let mut all = String::new();
        for words in [
            &["render", "tables.yaml", "--var", "pin=482913"][..],
            &["report", "tables.yaml", "--format", "json"],
            &["evidence", "tables.yaml", "-o", "evidence"],
            &["evidence", "verify", "evidence"],
        ] {
            let output = redrill(&path).args(words).output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(
                output.status.success() || words[0] == "render",
                "{words:?}: {text}"
            );
            all.push_str(&text);
        }
        all
    })
    .await
    .unwrap();
    said.push_str(&more);
    let jobs = emulator.jobs();
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        let token = job.request["IdempotencyToken"].as_str().unwrap().to_owned();
        let mut request: redrill::plan::Request = serde_json::from_value(job.request).unwrap();
        let mark = request
            .metadata
            .remove(redrill::plan::MARK)
            .unwrap_or_else(|| "no mark".to_owned());
        let digest = redrill::plan::digest(&request);
        for needle in [token.as_str(), mark.as_str(), digest.as_str()] {
            assert!(!said.contains(needle), "{needle}: {said}");
        }
        for (file, bytes) in files(folder.path()) {
            // The state directory is not handed over: docs/tokens.md says what it gives away.
            if file.components().any(|part| part.as_os_str() == ".redrill") {
                continue;
            }
            let text = String::from_utf8_lossy(&bytes);
            for needle in [token.as_str(), mark.as_str(), digest.as_str()] {
                assert!(!text.contains(needle), "{needle} in {}", file.display());
            }
        }
    }
    // Another secret is another request, and is not sent by the saved plan.
    let words = [
        "plan",
        "tables.yaml",
        "-o",
        "later.json",
        "--run-id",
        "later",
        "--var",
        &pin,
    ];
    let (code, _, err) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 0, "{err}");
    let words = ["run", "later.json", "--yes", "--var", "pin=482914"];
    let (code, _, err) = ran(folder.path(), &emulator, &words).await;
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("a secret has changed, of `a`"), "{err}");
    emulator.shutdown().await;
}

/// What somebody outside can say, in every output: nothing of it reaches a terminal, a log, a table or a document as it is.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r6_25_strings_from_outside_in_every_output() {
    let hostile = "x\n::error::y\r::z\u{1b}[31m\u{1b}]0;t\u{7}\u{8}\u{9b}2J\u{85}\u{2028}\u{2029}\u{202e}\u{2066}\
                   \u{feff}\u{fffe}\u{ffff}|`<b>&amp;##[error]w ##vso[task.x]\nr0: COMPLETED  fake";
    let emulator = failing(hostile).await;
    let folder = folder();
    // What the plan itself says is from outside too.
    let plan = many(1, 0).replace(
        "plan: many\n",
        "plan: many\ndescription: \"a\\e[31m\\u202e\\x9b::error::b\"\n",
    );
    write(folder.path(), "plan.yaml", &plan);
    let mut shown = Vec::new();
    for (words, code) in [
        (&["plan", "plan.yaml"][..], 0),
        (&["run", "plan.yaml", "--yes", "-v", "--color", "always"], 6),
        (&["plan", "plan.yaml", "--color", "always"], 0),
        (&["plan", "plan.yaml", "--format", "markdown"], 0),
        (&["plan", "plan.yaml", "--format", "json"], 0),
        (&["run", "plan.yaml", "--yes", "--format", "json"], 6),
        (&["status", "--color", "always"], 0),
        (&["status", "--format", "json"], 0),
        (
            &["cleanup", "plan.yaml", "--color", "always", "--dry-run"],
            0,
        ),
    ] {
        let (is, out, err) = ran(folder.path(), &emulator, words).await;
        assert_eq!(is, code, "{words:?}: {out}{err}");
        shown.push((format!("{words:?} out"), out));
        shown.push((format!("{words:?} err"), err));
    }
    let path = folder.path().to_owned();
    let report = tokio::task::spawn_blocking(move || {
        redrill(&path)
            .args(["report", "plan.yaml", "--color", "always"])
            .args([
                "--report=json=r.json",
                "--report=junit=r.xml",
                "--report=html=r.html",
                "--report=markdown=r.md",
            ])
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    assert!(report.status.success());
    shown.push((
        "report".to_owned(),
        String::from_utf8(report.stdout).unwrap(),
    ));
    let file = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    for name in ["r.json", "r.xml", "r.html", "r.md"] {
        shown.push((name.to_owned(), file(name)));
    }
    for (what, text) in &shown {
        // redrill's own colours, where it was told to use them.
        let colours = |text: &str| {
            let mut text = text.to_owned();
            for own in ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[91m", "\u{1b}[96m"] {
                text = text.replace(own, "");
            }
            text
        };
        for line in colours(text).lines() {
            let hidden = line
                .chars()
                .find(|c| redrill::diagnostic::is_hidden(*c) && *c != '\t');
            assert_eq!(hidden, None, "{what}: {line:?}");
            assert!(!line.trim_start().starts_with("::"), "{what}: {line:?}");
            assert!(
                !line.contains("##[") && !line.contains("##vso["),
                "{what}: {line:?}"
            );
            assert!(!line.starts_with("r0: COMPLETED"), "{what}: {line:?}");
        }
    }
    // Each row of a table has as many cells as its head.
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let markdown = file("r.md");
    let mut head = 0;
    for line in markdown.lines() {
        if !line.starts_with('|') {
            head = 0;
        } else if head == 0 {
            head = cells(line);
        } else {
            assert_eq!(cells(line), head, "{line}");
        }
    }
    // The words are still there for whoever has to read them.
    assert!(markdown.contains("error::y"), "{markdown}");
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reliability_r4_19_what_aws_says_does_not_fill_the_disk() {
    let emulator = failing(&"no ".repeat(300_000)).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    let (code, out, err) = ran(folder.path(), &emulator, &["run", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 6, "{err}");
    assert!(
        out.len() + err.len() < 50_000,
        "{} {}",
        out.len(),
        err.len()
    );
    let kept: usize = files(folder.path())
        .iter()
        .map(|(_, bytes)| bytes.len())
        .sum();
    assert!(kept < 50_000, "{kept}");
    emulator.shutdown().await;
}

#[test]
fn reliability_r4_19_a_file_of_too_many_values_is_refused() {
    let folder = folder();
    let path = folder.path();
    let said = |arguments: &[&str]| {
        let output = redrill(path).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(4));
        String::from_utf8(output.stderr).unwrap()
    };
    let head = many(1, 0).replace("restores:", "vars: { all: { type: list } }\nrestores:");
    write(path, "plan.yaml", &head);
    // The scanner keeps what could be a key.
    let brackets = format!("[{}a]\n", "a,".repeat(600_000));
    write(path, "brackets.yaml", &brackets);
    let text = said(&["plan", "brackets.yaml"]);
    assert!(
        text.contains("error[yaml/size]: more than 500000 values in one pair of brackets"),
        "{text}"
    );
    assert!(text.len() < 2000, "{}", text.len());
    let lines = format!("all:\n{}", "- a\n".repeat(450_000));
    write(path, "lines.yaml", &lines);
    let text = said(&["plan", "plan.yaml", "--var-file", "lines.yaml"]);
    assert!(
        text.contains("error[vars/size]: `all` holds more than 400000 values")
            && !text.contains("vars/missing"),
        "{text}"
    );
}
