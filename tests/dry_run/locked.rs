//! Lock files under the dry run: this side's, and the other side's.

use std::path::Path;

use super::repository::{commit, git, repository};
use crate::support::{bytes, folder, redrill, repository_file, write};

const INPUTS: [&str; 2] = ["--inventory", "world.yaml"];

/// The plan of the repository with selectors, its world, and its lock; committed on `main`.
fn locked() -> tempfile::TempDir {
    let folder = repository();
    lay_out(folder.path());
    commit(folder.path(), "locked");
    folder
}

fn lay_out(path: &Path) {
    write(path, "tables.yaml", &repository_file("plans/tables.yaml"));
    write(
        path,
        "world.yaml",
        &repository_file("inventories/tables.yaml"),
    );
    lock(path, &[]);
}

fn lock(path: &Path, rest: &[&str]) {
    redrill(path)
        .args(["lock", "tables.yaml"])
        .args(INPUTS)
        .args(rest)
        .assert()
        .success();
}

fn edit(path: &Path, file: &str, from: &str, to: &str) {
    let text = String::from_utf8(bytes(&path.join(file))).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    write(path, file, &text.replace(from, to));
}

/// Newer backups of the tables.
fn newer(path: &Path) {
    edit(
        path,
        "world.yaml",
        "backup/01489173575361-",
        "backup/01489173575363-",
    );
    edit(
        path,
        "world.yaml",
        "created_at: 2026-11-19",
        "created_at: 2026-11-22",
    );
}

/// Which restores change which keys.
fn changes(path: &Path, against: &str, rest: &[&str], code: i32) -> Vec<(String, Vec<String>)> {
    let output = redrill(path)
        .args(["plan", "tables.yaml", "-q", "--detailed-exitcode"])
        .args(["--against", against, "--format", "json"])
        .args(INPUTS)
        .args(rest)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    plan["restores"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|of| of["change"] != "unchanged")
        .map(|of| {
            let keys = of["diff"].as_array().unwrap().iter();
            (
                text(&of["restore"]),
                keys.map(|key| text(&key["key"])).collect(),
            )
        })
        .collect()
}

fn one(name: &str) -> Vec<(String, Vec<String>)> {
    vec![(name.to_owned(), vec!["RecoveryPointArn".to_owned()])]
}

#[test]
fn a_pull_request_that_moves_the_lock_shows_which_restores_move() {
    let folder = locked();
    let path = folder.path();
    newer(path);
    // What is locked on both sides is the same, whatever there is by now.
    assert_eq!(changes(path, "git:main", &[], 0), []);
    lock(path, &["--update", "tables[orders]"]);
    assert_eq!(changes(path, "git:main", &[], 2), one("tables[orders]"));
    // Without the lock, this side looks itself, and so does the other, in the inventory of its time.
    let moved = changes(path, "git:main", &["--no-lock"], 2);
    assert_eq!(moved.len(), 3, "{moved:?}");
}

#[test]
fn a_lock_that_is_gone_is_read_as_it_was() {
    let folder = locked();
    let path = folder.path();
    newer(path);
    git(path, &["commit", "--quiet", "-am", "newer backups"]);
    std::fs::remove_file(path.join("tables.lock.yaml")).unwrap();
    let moved = changes(path, "git:main", &[], 2);
    assert_eq!(moved.len(), 3, "{moved:?}");
    // And one that was not there then decides nothing there.
    git(path, &["checkout", "--quiet", "--", "."]);
    git(path, &["rm", "--quiet", "tables.lock.yaml"]);
    git(path, &["commit", "--quiet", "-m", "unlocked"]);
    git(
        path,
        &["checkout", "--quiet", "HEAD~1", "--", "tables.lock.yaml"],
    );
    let moved = changes(path, "git:main", &[], 2);
    assert_eq!(moved.len(), 3, "{moved:?}");
}

#[test]
fn a_lock_that_was_wrong_leaves_its_restore_uncompared_and_a_broken_one_all() {
    let folder = locked();
    let path = folder.path();
    let was = "created_after: 2026-11-01T00:00:00Z";
    let text = String::from_utf8(bytes(&path.join("tables.lock.yaml"))).unwrap();
    let stale = text.replacen(was, "created_after: 2026-10-01T00:00:00Z", 1);
    write(path, "tables.lock.yaml", &stale);
    git(path, &["commit", "--quiet", "-am", "stale"]);
    write(path, "tables.lock.yaml", &text);
    let output = redrill(path)
        .args(["plan", "tables.yaml", "--against", "git:main"])
        .args(INPUTS)
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("1 not compared, 3 unchanged"), "{shown}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("git:main:tables.lock.yaml:") && said.contains("another selector"),
        "{said}"
    );

    write(path, "tables.lock.yaml", "version: [\n");
    git(path, &["commit", "--quiet", "-am", "broken"]);
    write(path, "tables.lock.yaml", &text);
    assert_eq!(changes(path, "git:main", &[], 2).len(), 4);
}

#[test]
fn another_plan_is_read_with_the_lock_beside_it() {
    let folder = folder();
    let path = folder.path();
    lay_out(path);
    newer(path);
    std::fs::copy(path.join("tables.yaml"), path.join("old.yaml")).unwrap();
    std::fs::copy(path.join("tables.lock.yaml"), path.join("old.lock.yaml")).unwrap();
    lock(path, &["--update", "tables[orders]"]);
    assert_eq!(
        changes(path, "file:old.yaml", &[], 2),
        one("tables[orders]")
    );
    std::fs::remove_file(path.join("old.lock.yaml")).unwrap();
    // Looked up now: the others are newer there than what is locked here.
    let moved = changes(path, "file:old.yaml", &[], 2);
    assert_eq!(moved.len(), 2, "{moved:?}");
}

#[test]
fn a_saved_plan_holds_its_lock_to_what_it_was() {
    let folder = folder();
    let path = folder.path();
    lay_out(path);
    let save = |rest: &[&str]| {
        redrill(path)
            .args(["plan", "tables.yaml", "-q", "-o", "saved.json"])
            .args(INPUTS)
            .args(rest)
            .assert()
            .success();
    };
    let run = |rest: &[&str]| {
        redrill(path)
            .args([
                "run",
                "saved.json",
                "--yes",
                "-q",
                "--endpoint-url",
                "http://127.0.0.1:9",
            ])
            .args(rest)
            .assert()
    };
    save(&[]);
    let saved: serde_json::Value =
        serde_json::from_slice(&bytes(&path.join("saved.json"))).unwrap();
    assert_eq!(
        saved["inputs"]["lock"],
        serde_json::json!({
            "path": "tables.lock.yaml",
            "sha256": redrill::plan::sha256(bytes(&path.join("tables.lock.yaml"))),
        })
    );
    run(&["--no-lock"])
        .code(64)
        .stderr_eq("...\nerror: --no-lock: a saved plan is carried out as it was saved; save another one instead\n");
    let text = String::from_utf8(bytes(&path.join("tables.lock.yaml"))).unwrap();
    write(path, "tables.lock.yaml", &format!("{text}# looked at\n"));
    run(&[])
        .code(4)
        .stderr_eq("...\n  tables.lock.yaml has changed\n...\n");
    std::fs::remove_file(path.join("tables.lock.yaml")).unwrap();
    run(&[])
        .code(4)
        .stderr_eq("...\n  tables.lock.yaml: No such file or directory (os error 2)\n...\n");
    // Saved without one, it is carried out without one: nobody answers at that address, and nothing else is wrong.
    write(path, "tables.lock.yaml", "plan: other\n");
    save(&["--no-lock"]);
    run(&[]).code(1);
    assert!(!path.join(".redrill").exists(), "nothing was begun");
}
