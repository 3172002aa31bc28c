//! A secret is sent to AWS and shown nowhere.

use crate::support::{at_once, emulator, folder, many, redrill, write};

/// What stands between its quotes is looked for by itself, and no digest can hold it: it is not hexadecimal.
const CANARY: &str = "cnry-\"7xyz'91";

fn contains(folder: &std::path::Path, needle: &[u8]) -> Option<std::path::PathBuf> {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if let Some(found) = contains(&path, needle) {
                return Some(found);
            }
        } else if crate::support::bytes(&path)
            .windows(needle.len())
            .any(|w| w == needle)
        {
            return Some(path);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_output_and_no_file() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let plan = many(1, 0)
        .replace("restores:", "vars: { password: { secret: true, pattern: '^c' } }\nrestores:")
        .replace("{{ restore }}", "x{{ vars.password }}")
        .replace("      Encrypted: true\n", "      Encrypted: true\n      ItemsToRestore: [\"/{{ vars.password }}\"]\n      KmsKeyId: \"{{ vars.password }}\"\n");
    let good = plan.replace("      KmsKeyId: \"{{ vars.password }}\"\n", "");
    write(folder.path(), "good.yaml", &good);
    write(folder.path(), "bad.yaml", &plan);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let escaped = serde_json::to_string(CANARY).unwrap();
        let needles = [
            CANARY.to_owned(),
            escaped[1..escaped.len() - 1].to_owned(),
            "7xyz".to_owned(),
        ];
        for arguments in [
            &["validate", "bad.yaml"][..],
            &["validate", "bad.yaml", "--format", "json"],
            &["render", "bad.yaml"],
            &["render", "good.yaml"],
            &[
                "render",
                "good.yaml",
                "--format",
                "cli-json",
                "--only",
                "r0",
            ],
            &["plan", "good.yaml"],
            &["plan", "good.yaml", "--format", "json"],
            &[
                "run",
                "good.yaml",
                "--yes",
                "-v",
                "--report",
                "json=report.json",
                "--format",
                "json",
                "--endpoint-url",
                &url,
            ],
            &["run", "good.yaml", "--yes", "--endpoint-url", &url],
            &["status", "--format", "json"],
        ] {
            let output = redrill(&path)
                .env("REDRILL_VAR_PASSWORD", CANARY)
                .args(arguments)
                .output()
                .unwrap();
            for needle in &needles {
                for bytes in [&output.stdout, &output.stderr] {
                    let text = String::from_utf8_lossy(bytes);
                    assert!(!text.contains(needle), "{arguments:?} shows it: {text}");
                }
            }
        }
        assert_eq!(contains(&path, b"7xyz"), None);
    })
    .await
    .unwrap();
    let jobs = emulator.jobs();
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        jobs[0].request["Metadata"]["CreationToken"],
        format!("x{CANARY}-main")
    );
    emulator.shutdown().await;
}

/// The same canary by every route, through every command; the plan makes things of it as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_shows_nowhere_whatever_way_it_came() {
    const SECRET: &str = "Canary \"7xyz'91\\ä";
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let (path, url) = (folder.path().to_owned(), emulator.url());
    let plan = many(2, 0)
        .replace(
            "restores:",
            "vars: { password: { secret: true }, more: { secret: true, type: map } }\nrestores:",
        )
        .replace(
            "{{ restore }}",
            "x{{ vars.password }}-{{ vars.password | upper }}-{{ restore }}",
        )
        .replace(
            "      Encrypted: true\n",
            "      Encrypted: true\n      ItemsToRestore: [\"/{{ vars.password }}\", \"/{{ vars.password | lower | slug }}\", \"/{{ vars.more | json }}\"]\n",
        );
    write(&path, "plan.yaml", &plan);
    // Everything about it is wrong, so that everything is said of it.
    let wrong = plan
        .replace(
            "newFileSystem: true",
            "newFileSystem: \"{{ vars.password }}\"",
        )
        .replace("fs-0a1b2c3d", "\"{{ vars.password | title }}\"")
        .replace(
            "{ secret: true },",
            "{ secret: true, pattern: '^nothing$' },",
        )
        .replace("plan: many", "plan: wrong");
    write(&path, "wrong.yaml", &wrong);
    let in_plan = plan.replace(
        "{ secret: true },",
        &format!(
            "{{ secret: true, default: {} }},",
            serde_json::json!(SECRET)
        ),
    );
    write(
        &path,
        "inplan.yaml",
        &in_plan.replace("plan: many", "plan: inplan"),
    );
    let more = serde_json::json!({ "a": [SECRET], "b": { "c": SECRET } });
    let values = serde_json::json!({ "password": SECRET, "more": more });
    write(&path, "vars.json", &values.to_string());
    write(&path, "vars.yaml", &serde_yaml::to_string(&values).unwrap());
    write(
        &path,
        "typo.yaml",
        &serde_yaml::to_string(&serde_json::json!({ "pasword": SECRET, "more": more })).unwrap(),
    );
    let kept: Vec<(std::path::PathBuf, Vec<u8>)> = crate::support::files(&path);
    tokio::task::spawn_blocking(move || {
        let typed = format!("password={SECRET}");
        let typed_more = format!("more={more}");
        let routes: Vec<(Vec<&str>, bool)> = vec![
            (vec!["--var", &typed, "--var", &typed_more], false),
            (vec!["--var-file", "vars.json"], false),
            (vec!["--var-file", "vars.yaml"], false),
            (vec!["--var-file", "typo.yaml"], false),
            (vec![], true),
        ];
        let commands: Vec<Vec<&str>> = vec![
            vec!["validate", "plan.yaml"],
            vec!["validate", "wrong.yaml"],
            vec!["validate", "wrong.yaml", "--format", "json"],
            vec!["validate", "inplan.yaml"],
            vec!["validate", "inplan.yaml", "--format", "json"],
            vec!["render", "plan.yaml"],
            vec![
                "render",
                "plan.yaml",
                "--format",
                "cli-json",
                "--only",
                "r0",
            ],
            vec!["plan", "plan.yaml"],
            vec!["plan", "plan.yaml", "--format", "json"],
            vec!["lock", "plan.yaml"],
            vec!["rehearse", "plan.yaml", "-v"],
            vec![
                "rehearse",
                "plan.yaml",
                "--fault",
                "validation,operation=StartRestoreJob",
            ],
            vec![
                "run",
                "plan.yaml",
                "--yes",
                "-v",
                "--endpoint-url",
                &url,
                "--report",
                "json=report.json",
            ],
            vec![
                "run",
                "plan.yaml",
                "--yes",
                "--format",
                "json",
                "--endpoint-url",
                &url,
            ],
            vec!["status"],
        ];
        let upper = SECRET.to_uppercase();
        let needles = [SECRET, &upper, "7xyz", "7XYZ"];
        for (route, in_environment) in &routes {
            for command in &commands {
                let takes_inputs = command[0] != "status";
                let options: &[&str] = if takes_inputs { route } else { &[] };
                let mut invocation = redrill(&path).args(command).args(options);
                if *in_environment {
                    invocation = invocation
                        .env("REDRILL_VAR_PASSWORD", SECRET)
                        .env("REDRILL_VAR_MORE", more.to_string());
                }
                let output = invocation.output().unwrap();
                for bytes in [&output.stdout, &output.stderr] {
                    let text = String::from_utf8_lossy(bytes);
                    for needle in needles {
                        assert!(
                            !text.contains(needle),
                            "{command:?} {options:?} shows it: {text}"
                        );
                    }
                }
            }
        }
        for (file, content) in crate::support::files(&path) {
            if !kept.iter().any(|(known, _)| *known == file) {
                let text = String::from_utf8_lossy(&content);
                assert!(
                    needles.iter().all(|needle| !text.contains(needle)),
                    "{}: {text}",
                    file.display()
                );
            }
        }
    })
    .await
    .unwrap();
    // AWS was sent it.
    let jobs = emulator.jobs();
    assert_eq!(jobs.len(), 2);
    let sent = jobs[0].request["Metadata"]["CreationToken"]
        .as_str()
        .unwrap();
    assert!(
        sent.starts_with(&format!("x{SECRET}-{}-r", SECRET.to_uppercase())),
        "{sent}"
    );
    emulator.shutdown().await;
}

/// What cannot be hidden is no secret, and an unset variable of a CI system is none either.
#[test]
fn issue_14_a_secret_is_not_empty_and_not_everywhere() {
    let folder = folder();
    let path = folder.path();
    let plan = many(1, 0)
        .replace(
            "restores:",
            "vars: { pw: { secret: true }, all: { secret: true, type: map } }\nrestores:",
        )
        .replace("{{ restore }}", "{{ vars.pw }}{{ vars.all.user }}");
    write(path, "plan.yaml", &plan);
    let checked = |pw: &str, all: &str| {
        let output = redrill(path)
            .args(["validate", "plan.yaml"])
            .env("REDRILL_VAR_PW", pw)
            .env("REDRILL_VAR_ALL", all)
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    };
    for (pw, rule) in [
        ("", "vars/secret-empty"),
        ("  ", "vars/secret-empty"),
        ("a", "vars/secret-short"),
        ("on", "vars/secret-short"),
        ("True", "vars/secret-short"),
        ("restore", "vars/secret-short"),
    ] {
        let (code, text) = checked(pw, "{ user: postgres }");
        assert_eq!(code, 4, "{pw}: {text}");
        assert!(text.contains(&format!("error[{rule}]")), "{pw}: {text}");
    }
    // A user name beside its password is no reason to stop.
    let (code, text) = checked("hunter2", "{ user: sa, empty: '', tls: true }");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("warning[vars/secret-short]"), "{text}");
    let (code, text) = checked("hunter2", "{ user: postgres }");
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains("vars/secret"), "{text}");
}

/// What templates make of a secret stands in names that AWS gives; `cleanup` asks for them in clear, and shows none.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_cleanup_shows_nothing_that_was_made_of_a_secret() {
    const SECRET: &str = "Zebra77Quilt/9xyz";
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let names = [
        "tbl-{{ vars.pw | replace('/', '-') }}",
        "raw-{{ vars.pw | split('/') | last }}",
        "low-{{ vars.pw | lower | replace('/', '.') }}",
    ];
    let mut plan = "plan: sec\nvars: { pw: { secret: true } }\ntarget: { region: us-west-2, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }\nrestores:\n".to_owned();
    for (at, name) in names.iter().enumerate() {
        plan += &format!(
            "  r{at}: {{ type: DynamoDB, recovery_point: \"arn:aws:dynamodb:us-west-2:123456789012:table/o/backup/0160000000000{at}-aaaaaaaa\", metadata: {{ targetTableName: \"{name}\" }} }}\n"
        );
    }
    write(folder.path(), "plan.yaml", &plan);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let needles = ["Zebra77Quilt", "9xyz", "zebra77quilt"];
        for (command, more) in [
            ("run", &["--yes", "-v", "--endpoint-url", &url][..]),
            ("cleanup", &["--dry-run", "--endpoint-url", &url]),
            ("cleanup", &["--yes", "-v", "--endpoint-url", &url]),
            ("report", &[]),
            ("evidence", &["-o", "bundle"]),
        ] {
            let output = redrill(&path)
                .env("REDRILL_VAR_PW", SECRET)
                .args([command, "plan.yaml"])
                .args(more)
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            // What was cleaned up is not restored: the report says so by its code.
            assert!(output.status.success(), "{command}: {said}");
            for needle in needles {
                assert!(!said.contains(needle), "{command} shows {needle}: {said}");
            }
        }
        for needle in needles {
            for kept in [".redrill", "bundle"] {
                let found = contains(&path.join(kept), needle.as_bytes());
                assert_eq!(found, None, "{needle}");
            }
        }
    })
    .await
    .unwrap();
    assert!(emulator.resources("123456789012").is_empty());
    emulator.shutdown().await;
}
