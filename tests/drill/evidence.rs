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
async fn bundles(folder: &Path) -> (PathBuf, PathBuf) {
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
        stderr.contains("plan.yaml is not the plan that this run was taken up with"),
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
    let check = |files: &redrill::evidence::Files| redrill::evidence::check(files);
    let name = |path: &Path| {
        path.strip_prefix(&directory)
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    let whole: redrill::evidence::Files = original
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
