//! Evidence: every change is found, and no secret is in it.

use std::path::{Path, PathBuf};

use super::run;
use crate::dry_run::outputs::assert_valid;
use crate::support::{at_once, bytes, emulator, files, folder, write};

/// What stands between its quotes is looked for by itself, and no digest can hold it: it is not hexadecimal.
const CANARY: &str = "cnry-\"7xyz'91";

fn plan() -> String {
    super::plan(2, "vars: { password: { secret: true } }\n", |at| {
        super::check(
            "speaks",
            &format!("echo {{{{ vars.password }}}} $1; exit {at}"),
            "",
        )
    })
    .replace(
        "CreationToken: \"{{ restore }}",
        "CreationToken: \"{{ restore }}{{ vars.password }}",
    )
    .replace("echo {{ vars.password }} $1", "echo $REDRILL_VAR_PASSWORD")
}

/// A run on the emulator, and its evidence as a directory and as a ZIP.
pub(super) async fn bundles(folder: &Path) -> (PathBuf, PathBuf) {
    let emulator = emulator(at_once()).await;
    write(folder, "plan.yaml", &plan());
    write(
        folder,
        "plan.lock.yaml",
        "version: 1\nplan: drill\nrestores: {}\n",
    );
    let (path, url) = (folder.to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let with = |arguments: &[&str]| {
            let output = crate::support::redrill(&path)
                .env("REDRILL_VAR_PASSWORD", CANARY)
                .args(arguments)
                .output()
                .unwrap();
            (
                output.status.code().unwrap(),
                String::from_utf8(output.stderr).unwrap(),
            )
        };
        let (code, stderr) = with(&["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url]);
        assert_eq!(code, 6, "{stderr}");
        for output in ["bundle", "bundle.zip"] {
            let (code, stderr) = with(&["evidence", "plan.yaml", "-o", output]);
            assert_eq!(code, 0, "{stderr}");
        }
    })
    .await
    .unwrap();
    emulator.shutdown().await;
    (folder.join("bundle"), folder.join("bundle.zip"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_has_everything_and_no_secret() {
    let folder = folder();
    let (directory, zip) = bundles(folder.path()).await;
    let found = files(&directory);
    let mut names: Vec<String> = found
        .iter()
        .map(|(path, _)| {
            path.strip_prefix(&directory)
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| !name.starts_with("journal/"))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "about.json",
            "plan.lock.yaml",
            "plan.yaml",
            "reports/report.html",
            "reports/report.json",
            "reports/report.md",
            "reports/report.xml",
            "requests.jsonl",
            "statement.json"
        ]
    );
    let all = found.into_iter().chain([(zip.clone(), bytes(&zip))]);
    for (path, content) in all {
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains("7xyz"), "{}", path.display());
    }
    let read = |name: &str| String::from_utf8(bytes(&directory.join(name))).unwrap();
    assert!(
        read("reports/report.md").contains("«redacted»"),
        "the check has said it"
    );
    assert_eq!(read("requests.jsonl").lines().count(), 2);
    let statement: serde_json::Value = serde_json::from_str(&read("statement.json")).unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicate"]["verdict"], "failed");
    let callers = serde_json::json!(["arn:aws:iam::123456789012:user/emulated"]);
    assert_eq!(statement["predicate"]["callers"], callers);
    assert_valid("evidence", &statement["predicate"]);
    for (schema, name) in [("evidence", "about.json"), ("run", "reports/report.json")] {
        assert_valid(schema, &serde_json::from_str(&read(name)).unwrap());
    }
    for bundle in [&directory, &zip] {
        let (code, stdout, stderr) = run(
            folder.path(),
            &["evidence", "verify", &bundle.to_string_lossy()],
        );
        assert_eq!(code, 0, "{stderr}");
        assert!(
            stdout.contains("evidence of drill run main: failed"),
            "{stdout}"
        );
    }
    // Not without a run, not over another, and not of another plan.
    let (code, _, _) = run(
        folder.path(),
        &["evidence", "plan.yaml", "-o", "bundle.zip"],
    );
    assert_eq!(code, 64);
    let (code, _, stderr) = run(
        folder.path(),
        &["evidence", "plan.yaml", "--run-id", "other", "-o", "x.zip"],
    );
    assert_eq!(
        (code, stderr.contains("has no run `other`")),
        (64, true),
        "{stderr}"
    );
    write(
        folder.path(),
        "plan.yaml",
        &plan().replace("Encrypted: true", "Encrypted: false"),
    );
    let (code, _, stderr) = run(folder.path(), &["evidence", "plan.yaml", "-o", "x.zip"]);
    assert_eq!(code, 4, "{stderr}");
    assert!(
        stderr.contains("plan.yaml is not the plan that this run was last started with"),
        "{stderr}"
    );
}

/// A thousand single bytes, half in the directory and half in the ZIP: each change is found, and the file is named.
#[tokio::test(flavor = "multi_thread")]
async fn every_changed_byte_is_found() {
    let folder = folder();
    let (directory, zip) = bundles(folder.path()).await;
    let original: Vec<(PathBuf, Vec<u8>)> = files(&directory);
    let total: usize = original.iter().map(|(_, content)| content.len()).sum();
    let packed = bytes(&zip);
    let mut random = fastrand::Rng::with_seed(8);
    let check = |files: &redrill::evidence::BundleFiles| redrill::evidence::check(files);
    let name = |path: &Path| {
        path.strip_prefix(&directory)
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    let whole: redrill::evidence::BundleFiles = original
        .iter()
        .map(|(path, content)| (name(path), content.clone()))
        .collect();
    check(&whole).unwrap();
    for _ in 0..500 {
        let mut at = random.usize(0..total);
        let mut changed = whole.clone();
        let (file, content) = changed
            .iter_mut()
            .find(|(_, content)| {
                let is_here = at < content.len();
                if !is_here {
                    at -= content.len();
                }
                is_here
            })
            .unwrap();
        content[at] ^= random.u8(1..);
        let file = file.clone();
        let found = check(&changed).expect_err(&format!("{file} byte {at}"));
        // A change of the statement may show at the file that it is of.
        assert!(
            found.file == file || file == "statement.json",
            "{file}: {found}"
        );
    }
    for _ in 0..500 {
        let mut changed = packed.clone();
        let at = random.usize(0..changed.len());
        changed[at] ^= random.u8(1..);
        let found = redrill::evidence::unpack("b.zip", &changed).and_then(|files| {
            check(&files)?;
            redrill::evidence::is_packed("b.zip", &changed, &files)
        });
        assert!(found.is_err(), "byte {at} of the ZIP");
    }
    // And as it is typed: a byte, a file too many, a file too few.
    let typed = |bundle: &str| run(folder.path(), &["evidence", "verify", bundle]);
    let mut changed = packed.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(folder.path().join("changed.zip"), changed).unwrap();
    let (code, _, stderr) = typed("changed.zip");
    assert_eq!(code, 6, "{stderr}");
    write(&directory, "extra.txt", "x");
    let (code, _, stderr) = typed("bundle");
    assert_eq!(code, 6);
    assert!(
        stderr.starts_with("error: extra.txt: the statement does not name it\n"),
        "{stderr}"
    );
    std::fs::remove_file(directory.join("extra.txt")).unwrap();
    std::fs::remove_file(directory.join("requests.jsonl")).unwrap();
    let (code, _, stderr) = typed("bundle");
    assert_eq!(code, 6);
    assert!(
        stderr.starts_with("error: requests.jsonl: it is missing\n"),
        "{stderr}"
    );
}

/// The statement of a bundle, made anew over files that were changed: what anybody can do without a key.
fn stated_anew(files: &mut redrill::evidence::BundleFiles) {
    let mut statement: serde_json::Value =
        serde_json::from_slice(&files["statement.json"]).unwrap();
    let subject: Vec<serde_json::Value> = files
        .iter()
        .filter(|(name, _)| *name != "statement.json")
        .map(|(name, bytes)| {
            serde_json::json!({ "name": name, "digest": { "sha256": redrill::plan::sha256(bytes) } })
        })
        .collect();
    statement["subject"] = subject.into();
    statement["predicate"] = serde_json::from_slice(&files["about.json"]).unwrap();
    let text = serde_json::to_string_pretty(&statement).unwrap() + "\n";
    files.insert("statement.json".to_owned(), text.into_bytes());
}

/// Everything that the journal in a bundle contradicts is found, with digests made anew, and named.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r7_28_a_forgery_that_its_journal_contradicts_is_found() {
    type Forge = fn(&mut redrill::evidence::BundleFiles);
    fn replace(files: &mut redrill::evidence::BundleFiles, name: &str, from: &str, to: &str) {
        let text = String::from_utf8(files[name].clone()).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        files.insert(name.to_owned(), text.replacen(from, to, 1).into_bytes());
    }
    let forgeries: [(&str, Forge); 18] = [
        (
            "about.json: its `verdict` is passed, but by the journal it is failed",
            |files| {
                replace(files, "about.json", "\"failed\"", "\"passed\"");
            },
        ),
        ("about.json: its `run_id` is other", |files| {
            replace(
                files,
                "about.json",
                "\"run_id\": \"main\"",
                "\"run_id\": \"other\"",
            );
        }),
        ("about.json: its `run_by` is [\"0.0.7\"]", |files| {
            replace(
                files,
                "about.json",
                &format!("    \"{}\"\n", env!("CARGO_PKG_VERSION")),
                "    \"0.0.7\"\n",
            );
        }),
        ("about.json: it says that redrill 9.9.9 made it", |files| {
            replace(
                files,
                "about.json",
                &format!("\"redrill\": \"{}\"", env!("CARGO_PKG_VERSION")),
                "\"redrill\": \"9.9.9\"",
            );
        }),
        ("about.json: it says that redrill 0.0.1 made it", |files| {
            replace(
                files,
                "about.json",
                &format!("\"redrill\": \"{}\"", env!("CARGO_PKG_VERSION")),
                "\"redrill\": \"0.0.1\"",
            );
        }),
        ("about.json: its reports have form 99", |files| {
            replace(files, "about.json", "\"reports\": 3", "\"reports\": 99");
        }),
        (
            "about.json: its reports have form 1, but a later version of redrill wrote its journal",
            |files| {
                replace(files, "about.json", ",\n  \"reports\": 3", "");
            },
        ),
        (
            "about.json: its reports have form 2, but a later version of redrill wrote its journal",
            |files| {
                replace(files, "about.json", "\"reports\": 3", "\"reports\": 2");
            },
        ),
        ("plan.yaml: its SHA-256 is", |files| {
            replace(files, "plan.yaml", "Encrypted: true", "Encrypted: false");
        }),
        ("about.json: its `plan_sha256` is", |files| {
            let digest = redrill::plan::sha256(&files["plan.yaml"]);
            replace(files, "plan.yaml", "Encrypted: true", "Encrypted: false");
            let forged = redrill::plan::sha256(&files["plan.yaml"]);
            replace(files, "about.json", &digest, &forged);
        }),
        (
            "requests.jsonl: it differs from what the journal yields, from line 2 on",
            |files| {
                let text = String::from_utf8(files["requests.jsonl"].clone()).unwrap();
                let first = text.lines().next().unwrap();
                files.insert(
                    "requests.jsonl".to_owned(),
                    format!("{first}\n").into_bytes(),
                );
            },
        ),
        (
            "reports/report.html: it differs from what the journal yields",
            |files| {
                replace(
                    files,
                    "reports/report.html",
                    "</body>",
                    "<script>alert(1)</script></body>",
                );
            },
        ),
        (
            "reports/report.json: it differs from what the journal yields",
            |files| {
                replace(files, "reports/report.json", "\"failed\"", "\"passed\"");
            },
        ),
        ("reports/report.md: it is missing", |files| {
            files.remove("reports/report.md");
        }),
        ("reports/extra.html: it is not part of a bundle", |files| {
            files.insert("reports/extra.html".to_owned(), Vec::new());
        }),
        ("journal/extra.jsonl: damaged at byte 0", |files| {
            files.insert("journal/extra.jsonl".to_owned(), Vec::new());
        }),
        (
            "about.json: its `verdict` is failed, but by the journal it is not finished",
            |files| {
                files.retain(|name, _| {
                    !name.starts_with("journal/") || name.as_str() <= "journal/00000002.jsonl"
                });
            },
        ),
        ("journal/00000002.jsonl: damaged at byte 0", |files| {
            files.remove("journal/00000001.jsonl");
            let mut at = 2;
            while let Some(bytes) = files.remove(&format!("journal/{at:08}.jsonl")) {
                files.insert(format!("journal/{:08}.jsonl", at - 1), bytes);
                at += 1;
            }
            let first = files.remove("journal/00000001.jsonl").unwrap();
            files.insert("journal/00000001.jsonl".to_owned(), Vec::new());
            files.insert("journal/00000002.jsonl".to_owned(), first);
        }),
    ];
    let folder = folder();
    let (directory, _) = bundles(folder.path()).await;
    let whole: redrill::evidence::BundleFiles = files(&directory)
        .into_iter()
        .map(|(path, content)| {
            let name = path
                .strip_prefix(&directory)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            (name, content)
        })
        .collect();
    let verify = |name: &str, files: &redrill::evidence::BundleFiles| {
        std::fs::write(
            folder.path().join(name),
            redrill::evidence::pack(files).unwrap(),
        )
        .unwrap();
        run(folder.path(), &["evidence", "verify", name])
    };
    let mut same = whole.clone();
    stated_anew(&mut same);
    assert_eq!(same, whole);
    let (code, stdout, stderr) = verify("same.zip", &same);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains(": failed, not at AWS, but at http://127.0.0.1:")
            && stdout.contains("not compared: plan.lock.yaml: the journal has no digest of it")
            && stdout.contains("It does not show who made them or\nwhen, that"),
        "{stdout}"
    );
    for (at, (found, forge)) in forgeries.iter().enumerate() {
        let mut forged = whole.clone();
        forge(&mut forged);
        stated_anew(&mut forged);
        let (code, stdout, stderr) = verify(&format!("forged-{at}.zip"), &forged);
        assert_eq!(code, 6, "{found}: {stdout}{stderr}");
        assert!(
            stderr.starts_with(&format!("error: {found}")),
            "{found}: {stderr}"
        );
    }
}

/// What is no file is not looked through, and a directory that redrill does not make is not passed over.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r7_27_r4_20_a_bundle_has_files_alone() {
    let folder = folder();
    let (directory, _) = bundles(folder.path()).await;
    let mkfifo = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    let link = |to: &str, path: &Path| std::os::unix::fs::symlink(to, path).unwrap();
    let check = |found: &str| {
        let (code, stdout, stderr) = run(folder.path(), &["evidence", "verify", "bundle"]);
        assert_eq!(code, 6, "{found}: {stdout}");
        assert!(
            stderr.starts_with(&format!("error: {found}")),
            "{found}: {stderr}"
        );
    };
    let extra = directory.join("extra");
    std::fs::create_dir(&extra).unwrap();
    check("extra: it is not a directory of a bundle");
    std::fs::remove_dir(&extra).unwrap();
    mkfifo(&extra);
    check("extra: it is a named pipe, a socket or a device, not a file");
    std::fs::remove_file(&extra).unwrap();
    for to in [".", "journal", "plan.yaml", "nowhere"] {
        link(to, &extra);
        check("extra: it is a link, not a file");
        std::fs::remove_file(&extra).unwrap();
    }
    let plan = directory.join("plan.yaml");
    std::fs::rename(&plan, folder.path().join("elsewhere.yaml")).unwrap();
    link("../elsewhere.yaml", &plan);
    check("plan.yaml: it is a link, not a file");
    std::fs::remove_file(&plan).unwrap();
    mkfifo(&plan);
    check("plan.yaml: it is a named pipe");
}

/// The second form: everything but sentences is compared, and nobody makes it of a later run.
#[test]
fn bundles_of_the_second_form_verify() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/evidence/form-2.zip");
    let folder = folder();
    let verify = |path: &Path| {
        run(
            folder.path(),
            &["evidence", "verify", &path.to_string_lossy()],
        )
    };
    let (code, stdout, stderr) = verify(&path);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("evidence of quarterly run 2026-Q4: cleaned up, not at AWS")
            && stdout.contains("not compared: reports/report.json: an earlier version of redrill wrote it; everything except its sentences was compared")
            && stdout.contains("not compared: reports/report.html: an earlier version"),
        "{stdout}"
    );
    let packed = redrill::evidence::unpack("x", &bytes(&path)).unwrap();
    for (file, from, to) in [
        ("reports/report.html", "</body>", "<script></script></body>"),
        (
            "reports/report.json",
            "\"verdict\": \"cleaned_up\"",
            "\"verdict\": \"passed\"",
        ),
        (
            "reports/report.json",
            "\"ended_at\": \"2",
            "\"ended_at\": \"3",
        ),
        ("requests.jsonl", "\"token\":\"", "\"token\":\"0"),
        (
            "about.json",
            "\"verdict\": \"cleaned up\"",
            "\"verdict\": \"passed\"",
        ),
    ] {
        let mut forged = packed.clone();
        let text = String::from_utf8(forged[file].clone()).unwrap();
        assert!(text.contains(from), "{file}");
        forged.insert(file.to_owned(), text.replacen(from, to, 1).into_bytes());
        stated_anew(&mut forged);
        let path = folder.path().join("forged.zip");
        std::fs::write(&path, redrill::evidence::pack(&forged).unwrap()).unwrap();
        let (code, stdout, stderr) = verify(&path);
        assert_eq!(code, 6, "{file}: {stdout}");
        assert!(
            stderr.starts_with(&format!("error: {file}: ")),
            "{file}: {stderr}"
        );
    }
}

/// Bundles of earlier versions stay what they are (`tests/journals/README.md`), and what can be compared in them is.
#[test]
fn reliability_r7_28_bundles_of_earlier_versions_verify() {
    for (name, verdict) in [
        ("drill", "drill run 2026-Q4: not finished"),
        ("cleanup", "quarterly run 2026-Q4: passed"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/journals/evidence")
            .join(format!("{name}.zip"));
        let folder = folder();
        let verify = |path: &Path| {
            run(
                folder.path(),
                &["evidence", "verify", &path.to_string_lossy()],
            )
        };
        let (code, stdout, stderr) = verify(&path);
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains(verdict), "{stdout}");
        assert!(
            stdout.contains("not compared: reports/report.html: an earlier version"),
            "{stdout}"
        );
        let packed = redrill::evidence::unpack("x", &bytes(&path)).unwrap();
        for (file, from, to) in [
            ("reports/report.html", "</body>", "<script></script></body>"),
            ("reports/report.json", "\"job_id\": \"", "\"job_id\": \"0"),
            ("requests.jsonl", "\"token\":\"", "\"token\":\"0"),
            ("about.json", "\"run_id\": \"", "\"run_id\": \"0"),
        ] {
            let mut forged = packed.clone();
            let text = String::from_utf8(forged[file].clone()).unwrap();
            assert!(text.contains(from), "{file}");
            forged.insert(file.to_owned(), text.replacen(from, to, 1).into_bytes());
            stated_anew(&mut forged);
            let path = folder.path().join("forged.zip");
            std::fs::write(&path, redrill::evidence::pack(&forged).unwrap()).unwrap();
            let (code, stdout, stderr) = verify(&path);
            assert_eq!(code, 6, "{file}: {stdout}");
            assert!(
                stderr.starts_with(&format!("error: {file}: ")),
                "{file}: {stderr}"
            );
        }
    }
}
