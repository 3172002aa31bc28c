//! A dry run reads, and touches nothing: neither AWS nor the disk.

use std::path::Path;

use redrill_emulator::{Inventory, Options};

use super::against_others::INVENTORY;
use super::repository::{BEFORE, commit, repository};
use crate::support::{at_once, emulator, files, redrill, repository_file, requests, write};

/// The operations in the log of an emulator.
fn operations(log: &Path) -> Vec<(String, String)> {
    requests(log)
        .iter()
        .map(|line| {
            let part = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            (part("operation"), part("method"))
        })
        .collect()
}

fn is_read(operation: &str) -> bool {
    ["Describe", "Get", "List"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_dry_runs_only_reads_and_writes_no_file() {
    let elsewhere = crate::support::folder();
    let log = elsewhere.path().join("log.jsonl");
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(INVENTORY).unwrap()),
        log: Some(log.clone()),
        ..at_once()
    })
    .await;
    let folder = repository();
    write(folder.path(), "plan.yaml", BEFORE);
    commit(folder.path(), "before");
    // A template that asks for its source, so that AWS is asked by every command.
    let asking = BEFORE.replace("orders-drill", "\"orders-{{ source.size_bytes }}\"");
    write(folder.path(), "asking.yaml", &asking);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    let saved = elsewhere.path().join("saved.json");
    let before = files(folder.path());
    tokio::task::spawn_blocking(move || {
        for against in ["source", "run", "git:HEAD", "file:plan.yaml"] {
            for (format, state) in [
                ("human", ".redrill"),
                ("json", "no/such/place"),
                ("markdown", ".redrill"),
                ("github", ".redrill"),
            ] {
                for plan in ["plan.yaml", "asking.yaml"] {
                    let output = redrill(&path)
                        .args([
                            "plan",
                            plan,
                            "--against",
                            against,
                            "--format",
                            format,
                            "--state",
                            state,
                        ])
                        .args(["--endpoint-url", &url])
                        .output()
                        .unwrap();
                    assert!(
                        [Some(0), Some(4)].contains(&output.status.code()),
                        "{output:?}"
                    );
                }
            }
        }
        redrill(&path)
            .args(["plan", "plan.yaml", "--endpoint-url", &url])
            .assert()
            .success();
        redrill(&path)
            .args(["run", "plan.yaml", "--dry-run", "--endpoint-url", &url])
            .assert()
            .success();
        redrill(&path)
            .args(["render", "plan.yaml", "--endpoint-url", &url])
            .assert()
            .success();
        redrill(&path)
            .args(["plan", "plan.yaml", "--endpoint-url", &url, "-o"])
            .arg(saved)
            .assert()
            .success();
    })
    .await
    .unwrap();
    emulator.shutdown().await;
    assert_eq!(files(folder.path()), before, "the working tree");
    let asked = operations(&log);
    assert!(asked.len() > 50, "{asked:?}");
    assert!(
        asked
            .iter()
            .any(|(of, _)| of == "GetRecoveryPointRestoreMetadata")
    );
    for (operation, method) in &asked {
        assert!(
            is_read(operation) && method == "GET",
            "{operation} by {method}"
        );
    }
}

/// By type: nothing of the dry run names what could write.
#[test]
fn nothing_of_the_dry_run_names_a_writer() {
    for file in [
        "src/cli/commands/plan.rs",
        "src/cli/commands/base.rs",
        "src/cli/git.rs",
        "src/cli/tree.rs",
    ] {
        let text = repository_file(file);
        for word in [
            "Writes",
            "Writer",
            "Journal::open",
            "fs::write",
            "File::create",
            "OpenOptions",
        ] {
            assert!(!text.contains(word), "{file} names {word}");
        }
    }
}
