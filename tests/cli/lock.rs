//! `redrill lock`, and what the lock file does to the other commands.

use std::path::Path;

use snapbox::str;

use crate::support::{bytes, folder, redrill, repository_file, write};

const LOCK: &str = "tables.lock.yaml";

/// The plan of the repository and its world, in a folder.
fn laid_out() -> tempfile::TempDir {
    let folder = folder();
    write(
        folder.path(),
        "tables.yaml",
        &repository_file("plans/tables.yaml"),
    );
    write(
        folder.path(),
        "world.yaml",
        &repository_file("inventories/tables.yaml"),
    );
    folder
}

fn lock(path: &Path, arguments: &[&str]) -> snapbox::cmd::OutputAssert {
    redrill(path)
        .args(["lock", "tables.yaml", "--inventory", "world.yaml"])
        .args(arguments)
        .assert()
}

/// The lock file without the times at which it was made.
fn timeless(path: &Path) -> String {
    let text = String::from_utf8(bytes(&path.join(LOCK))).unwrap();
    let line = |line: &str| match line.split_once("locked_at: ") {
        Some((before, _)) => format!("{before}locked_at: WHEN\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// The requests of `render`, by restore.
fn rendered(path: &Path, arguments: &[&str]) -> std::collections::BTreeMap<String, String> {
    let output = redrill(path)
        .args(["render", "tables.yaml", "--inventory", "world.yaml"])
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            (
                text(&line["restore"]),
                text(&line["request"]["RecoveryPointArn"]),
            )
        })
        .collect()
}

fn change(path: &Path, file: &str, from: &str, to: &str) {
    let text = String::from_utf8(bytes(&path.join(file))).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    write(path, file, &text.replace(from, to));
}

#[test]
fn a_lock_file_says_what_each_selector_means() {
    let folder = laid_out();
    let path = folder.path();
    lock(path, &[]).success().stdout_eq(str![[r#"
  files              arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45  made 2026-11-20T03:00:00Z
  tables[customers]  arn:aws:dynamodb:us-east-1:123456789012:table/customers/backup/01489173575362-b308cd7d     made 2026-11-20T03:00:00Z
  tables[invoices]   arn:aws:dynamodb:us-east-1:123456789012:table/invoices/backup/01489173575362-b308cd7d      made 2026-11-20T03:00:00Z
  tables[orders]     arn:aws:dynamodb:us-east-1:123456789012:table/orders/backup/01489173575362-b308cd7d        made 2026-11-20T03:00:00Z
tables.lock.yaml: 4 locked, 4 of them looked up now

"#]]);
    let text = timeless(path);
    let begins = "# What the selectors of the plan mean, written by `redrill lock`; `redrill lock --update` looks them up again.
version: 1
plan: tables
restores:
  files:
    selector:
      resource: arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0a1b2c3d
      pick: latest
    recovery_point: arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
    vault: files
    created_at: 2026-11-20T03:00:00Z
    size_bytes: 1099511627776
    locked_at: WHEN
  tables[customers]:
    selector:
      vault: dr-vault
      resource: arn:aws:dynamodb:us-east-1:123456789012:table/customers
      pick: latest
      created_after: 2026-11-01T00:00:00Z
";
    assert!(text.starts_with(begins), "{text}");

    // Nothing but the file is left, and the order of the plan's list is not in it.
    let names: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    change(
        path,
        "tables.yaml",
        "[orders, invoices, customers]",
        "[customers, orders, invoices]",
    );
    lock(path, &["--update"]).success();
    assert_eq!(timeless(path), text);
}

#[test]
fn what_is_locked_stays_and_what_is_asked_for_is_looked_up_anew() {
    let folder = laid_out();
    let path = folder.path();
    lock(path, &[]).success();
    let locked = rendered(path, &[]);
    assert_eq!(locked.len(), 4);
    // Newer backups of everything.
    change(
        path,
        "world.yaml",
        "backup/01489173575361-",
        "backup/01489173575363-",
    );
    change(
        path,
        "world.yaml",
        "created_at: 2026-11-19",
        "created_at: 2026-11-22",
    );
    assert_eq!(rendered(path, &[]), locked);
    let anew = rendered(path, &["--no-lock"]);
    assert!(
        anew["tables[orders]"].ends_with("/01489173575363-b308cd7d"),
        "{anew:?}"
    );
    lock(path, &[]).success();
    assert_eq!(rendered(path, &[]), locked);

    lock(path, &["--update", "tables[orders]"]).success();
    let one = rendered(path, &[]);
    assert_eq!(one["tables[orders]"], anew["tables[orders]"]);
    assert_eq!(one["tables[invoices]"], locked["tables[invoices]"]);
    lock(path, &["--update", "tables"]).success();
    assert_eq!(rendered(path, &[]), anew);

    lock(path, &["--update", "table"])
        .code(64)
        .stderr_eq(str![[r#"
error: --update names `table`, and the plan has no such restore; did you mean `tables`?

"#]]);
}

#[test]
fn a_lock_that_is_not_the_plans_any_more_is_said_to_be() {
    let folder = laid_out();
    let path = folder.path();
    lock(path, &[]).success();
    change(path, "tables.yaml", "pick: latest  ", "pick: earliest");
    change(
        path,
        "tables.yaml",
        "orders, invoices, customers",
        "orders, customers, returns",
    );
    let assert = redrill(path).args(["validate", "tables.yaml"]).assert();
    assert.code(4).stdout_eq(str![[r#"
warning[lock/missing]: tables[returns]: not in the lock file; what is not locked is looked up again
 --> tables.lock.yaml:1:1
  |
1 | # What the selectors of the plan mean, written by `redrill lock`; `redrill lock --update` looks them up again.
  | ^
  |
  = help: run `redrill lock tables.yaml`, which adds what is missing

error[lock/selector]: tables[customers]: the lock was made for another selector: `pick` is earliest in the plan and latest in the lock
  --> tables.lock.yaml:16:7
   |
16 |       vault: dr-vault
   |       ^
   |
   = help: run `redrill lock tables.yaml --update='tables[customers],tables[orders]'`, or undo the change

warning[lock/unused]: tables[invoices]: the plan no longer has a selector of this name
  --> tables.lock.yaml:25:3
   |
25 |   tables[invoices]:
   |   ^^^^^^^^^^^^^^^^
   |
   = help: run `redrill lock tables.yaml`, which removes it

error[lock/selector]: tables[orders]: the lock was made for another selector: `pick` is earliest in the plan and latest in the lock
  --> tables.lock.yaml:38:7
   |
38 |       vault: dr-vault
   |       ^
   |
   = help: run `redrill lock tables.yaml --update='tables[customers],tables[orders]'`, or undo the change

tables.yaml: invalid; 4 restores, 2 errors, 2 warnings

"#]]);
    redrill(path)
        .args(["plan", "tables.yaml", "--inventory", "world.yaml", "-q"])
        .assert()
        .code(4);
}

#[test]
fn what_is_gone_is_an_error_and_what_goes_soon_a_warning() {
    let folder = laid_out();
    let path = folder.path();
    lock(path, &[]).success();
    // One was deleted, one has expired, one will be deleted by AWS Backup a long time ago: clocks only go on.
    change(
        path,
        "world.yaml",
        "table/orders/backup/01489173575362-",
        "table/orders/backup/01489173575399-",
    );
    change(
        path,
        "world.yaml",
        "table/invoices/backup/01489173575362-b308cd7d\n",
        "table/invoices/backup/01489173575362-b308cd7d\n        status: EXPIRED\n",
    );
    change(
        path,
        "world.yaml",
        "recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45\n",
        "recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45\n        expires_at: 2026-11-21T03:00:00Z\n",
    );
    redrill(path)
        .args(["plan", "tables.yaml", "--inventory", "world.yaml"])
        .assert()
        .code(4)
        .stderr_eq(str![[r#"
warning[lock/expires]: files: the locked recovery point should have been deleted by AWS Backup at 2026-11-21T03:00:00Z
 --> tables.lock.yaml:9:21
  |
9 |     recovery_point: arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
  |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: run `redrill lock tables.yaml --update='files,tables[invoices],tables[orders]'`, or keep the recovery point longer

error[lock/gone]: tables[invoices]: the locked recovery point is EXPIRED now: arn:aws:dynamodb:us-east-1:123456789012:table/invoices/backup/01489173575362-b308cd7d
  --> tables.lock.yaml:31:21
   |
31 |     recovery_point: arn:aws:dynamodb:us-east-1:123456789012:table/invoices/backup/01489173575362-b308cd7d
   |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   |
   = help: run `redrill lock tables.yaml --update='files,tables[invoices],tables[orders]'`, or use --no-lock

error[lock/gone]: tables[orders]: the locked recovery point is not in the vault `dr-vault` any more: arn:aws:dynamodb:us-east-1:123456789012:table/orders/backup/01489173575362-b308cd7d
  --> tables.lock.yaml:42:21
   |
42 |     recovery_point: arn:aws:dynamodb:us-east-1:123456789012:table/orders/backup/01489173575362-b308cd7d
   |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   |
   = help: run `redrill lock tables.yaml --update='files,tables[invoices],tables[orders]'`, or use --no-lock

error: the plan is invalid

"#]]);
    // What is left out does not stand in the way.
    redrill(path)
        .args([
            "plan",
            "tables.yaml",
            "--inventory",
            "world.yaml",
            "-q",
            "--only",
            "tables[customers]",
        ])
        .assert()
        .success();
    redrill(path)
        .args([
            "plan",
            "tables.yaml",
            "--inventory",
            "world.yaml",
            "-q",
            "--no-lock",
        ])
        .assert()
        .success();
}

#[test]
fn a_broken_lock_file_is_said_to_be_and_is_written_anew() {
    let folder = laid_out();
    let path = folder.path();
    for (text, rule) in [
        ("", "lock/empty"),
        ("version: [", "yaml/syntax"),
        ("plan: tables\nrestores: {}\n", "plan/missing-key"),
        ("version: one\nplan: tables\nrestores: {}\n", "lock/version"),
        ("version: 1\nplan: other\nrestores: {}\n", "lock/plan"),
        (
            "version: 1\nplan: tables\nrestores: { files: {} }\n",
            "plan/missing-key",
        ),
        (
            "version: 1\nplan: tables\nrestores: {}\nmore: 1\n",
            "plan/unknown-key",
        ),
        (
            "version: 1\nplan: tables\nrestores: { files: { selector: { pick: best }, recovery_point: arn:x, vault: v } }\n",
            "lock/entry",
        ),
    ] {
        write(path, LOCK, text);
        let output = redrill(path)
            .args(["validate", "tables.yaml", "--format", "json"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            said.contains(&format!("\"{rule}\"")) && said.contains(LOCK),
            "{text}: {said}"
        );
        assert_eq!(output.status.code(), Some(4), "{text}");
        lock(path, &["--update"]).success();
        redrill(path)
            .args(["validate", "tables.yaml"])
            .assert()
            .success();
    }
    // One of a later redrill is not written over.
    let later = "version: 2\nplan: tables\nrestores: {}\n";
    write(path, LOCK, later);
    lock(path, &["--update"]).code(4);
    assert_eq!(bytes(&path.join(LOCK)), later.as_bytes());
}

#[test]
fn a_plan_without_selectors_has_nothing_to_lock() {
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &repository_file("plans/quickstart.yaml"));
    redrill(path)
        .args(["lock", "plan.yaml"])
        .assert()
        .success()
        .stderr_eq(str![[r#"
the plan has no selectors: there is nothing to lock

"#]]);
    assert!(!path.join("plan.lock.yaml").exists());
}
