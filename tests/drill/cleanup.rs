//! Cleanup: what the run has made is gone, and nothing else is.

use std::time::Duration;

use redrill_emulator::{Emulator, Inventory, Options, Speed};

use super::run;
use crate::dry_run::outputs::assert_valid;
use crate::support::{emulator, folder, process, write};

const ACCOUNT: &str = "123456789012";

/// Five things that are made, one that is written into, and one that redrill does not delete.
fn plan(head: &str) -> String {
    let point = |id: u32| {
        format!(
            "arn:aws:backup:us-west-2:{ACCOUNT}:recovery-point:00000000-0000-0000-0000-{id:012}"
        )
    };
    format!(
        r#"plan: drill
{head}target: {{ region: us-west-2, account: "{ACCOUNT}", iam_role_arn: "arn:aws:iam::{ACCOUNT}:role/restore" }}
restores:
  files:
    type: EFS
    recovery_point: {}
    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: "files-{{{{ run.id }}}}" }}
  app:
    type: EFS
    needs: [files]
    recovery_point: {}
    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: "{{{{ restores.files.created.resource_arn[-20:] }}}}" }}
  into:
    type: EFS
    recovery_point: {}
    into_existing: true
    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: false }}
  orders:
    type: DynamoDB
    recovery_point: arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/orders/backup/01600000000000-aaaaaaaa
    metadata: {{ targetTableName: "orders-{{{{ run.id }}}}" }}
  web:
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60718
    metadata: {{ availabilityZone: us-west-2a }}
"#,
        point(1),
        point(2),
        point(3),
    )
}

/// What the plan restores from; the file system and a table whose name resembles one of the run's exist beside it.
fn inventory() -> Inventory {
    let point = |id: u32| {
        format!(
            "      - {{ arn: \"arn:aws:backup:us-west-2:{ACCOUNT}:recovery-point:00000000-0000-0000-0000-{id:012}\", resource_arn: \"arn:aws:elasticfilesystem:us-west-2:{ACCOUNT}:file-system/fs-0a1b2c3d\", resource_type: EFS, created_at: 2026-11-20T03:00:00Z, size_bytes: 1024 }}\n"
        )
    };
    let text = format!(
        "account: \"{ACCOUNT}\"\nregion: us-west-2\nsurroundings: {{ \"resource arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/orders-main-2\": exists }}\nvaults:\n  v:\n    recovery_points:\n{}{}{}      - {{ arn: \"arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/orders/backup/01600000000000-aaaaaaaa\", resource_arn: \"arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/orders\", resource_type: DynamoDB, created_at: 2026-11-20T03:00:00Z, size_bytes: 1024 }}\n      - {{ arn: \"arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60718\", resource_arn: \"arn:aws:ec2:us-west-2:{ACCOUNT}:volume/vol-0a1b2c3d4e5f60718\", resource_type: EBS, created_at: 2026-11-20T03:00:00Z, size_bytes: 1024 }}\n",
        point(1),
        point(2),
        point(3),
    );
    Inventory::parse(&text).unwrap()
}

async fn world(speed: Speed) -> Emulator {
    emulator(Options {
        speed,
        inventory: Some(inventory()),
        ..Options::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_the_run_made_is_gone_and_nothing_else() {
    let emulator = world(Speed::Max).await;
    let before = emulator.resources(ACCOUNT);
    assert_eq!(before.len(), 4);
    let folder = folder();
    write(folder.path(), "plan.yaml", &plan(""));
    let (path, url) = (folder.path().to_owned(), emulator.url());
    let ran = tokio::task::spawn_blocking(move || {
        let on = |arguments: &[&str]| {
            let mut all = arguments.to_vec();
            all.extend(["--endpoint-url", &url]);
            run(&path, &all)
        };
        let (code, stdout, stderr) = on(&["run", "plan.yaml", "--yes"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        let (code, stdout, _) = on(&["cleanup", "plan.yaml", "--dry-run"]);
        assert_eq!(code, 0);
        snapbox::assert_data_eq!(
            stdout,
            snapbox::str![[r#"
delete  app     arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-[..]  AWS::EFS::FileSystem
delete  files   arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-[..]  AWS::EFS::FileSystem
stays   into    arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0a1b2c3d           it existed before; the restore wrote into it
delete  orders  arn:aws:dynamodb:us-west-2:123456789012:table/orders-main                          AWS::DynamoDB::Table
delete  web     arn:aws:ec2:us-west-2:123456789012:volume/vol-[..]              AWS::EC2::Volume

4 to delete, 0 already gone, 0 left, 1 not created by this run

"#]]
        );
        let (code, _, stderr) = on(&["cleanup", "plan.yaml"]);
        assert_eq!(code, 64);
        assert_eq!(stderr, "error: nothing was deleted: not a terminal, cannot ask: look at --dry-run, then give --yes\n");
        (path, url)
    })
    .await
    .unwrap();
    assert_eq!(emulator.resources(ACCOUNT).len(), 8);
    let (path, url) = ran;
    tokio::task::spawn_blocking(move || {
        let on = |arguments: &[&str]| {
            let mut all = arguments.to_vec();
            all.extend(["--endpoint-url", &url]);
            run(&path, &all)
        };
        let (code, stdout, stderr) = on(&["cleanup", "plan.yaml", "--yes"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert_eq!(
            stdout,
            "drill run main: 4 deleted (verified), 0 remaining\n"
        );
        let at = |name: &str| stderr.find(&format!("{name}: deleting")).unwrap();
        assert!(
            at("app") < at("files"),
            "what needs something goes before it: {stderr}"
        );
        let (code, stdout, _) = on(&["cleanup", "plan.yaml", "--yes"]);
        assert_eq!(code, 0);
        assert!(
            stdout.contains("0 to delete, 4 already gone, 0 left"),
            "{stdout}"
        );
        // What was cleaned up is over, and the reports say so.
        let (code, _, stderr) = on(&["run", "plan.yaml", "--yes"]);
        assert_eq!(code, 4, "{stderr}");
        let (code, stdout, _) = run(&path, &["report", "plan.yaml", "--format", "json"]);
        assert_eq!(code, 0);
        assert_eq!(stdout.matches("\"cleanup\": \"GONE\"").count(), 4);
        assert_valid("run", &serde_json::from_str(&stdout).unwrap());
    })
    .await
    .unwrap();
    assert_eq!(emulator.resources(ACCOUNT), before);
    assert_eq!(emulator.jobs().len(), 5);
    emulator.shutdown().await;
}

/// kill -9 in the middle, and again; then once to the end. The emulator's time runs, so that deletions take a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_that_was_killed_goes_on() {
    let emulator = world(Speed::Times(600.0)).await;
    let before = emulator.resources(ACCOUNT);
    let folder = folder();
    let path = folder.path().to_owned();
    write(&path, "plan.yaml", &plan(""));
    let url = emulator.url();
    // A job of somebody else, whose table has a name like the run's.
    let (other_path, other_url) = (path.clone(), url.clone());
    write(
        &path,
        "other.yaml",
        &plan("")
            .replace("plan: drill", "plan: other")
            .replace("orders-{{ run.id }}", "orders-main-3"),
    );
    tokio::task::spawn_blocking(move || {
        let (code, stdout, stderr) = run(
            &other_path,
            &[
                "run",
                "other.yaml",
                "--yes",
                "-q",
                "--only",
                "orders",
                "--endpoint-url",
                &other_url,
            ],
        );
        assert_eq!(code, 0, "{stdout}{stderr}");
        let (code, stdout, stderr) = run(
            &other_path,
            &[
                "run",
                "plan.yaml",
                "--yes",
                "-q",
                "--endpoint-url",
                &other_url,
            ],
        );
        assert_eq!(code, 0, "{stdout}{stderr}");
    })
    .await
    .unwrap();
    let with_all = emulator.resources(ACCOUNT).len();
    assert_eq!(with_all, before.len() + 5);
    let journal = path.join(".redrill/drill/main/journal");
    let segments = |journal: &std::path::Path| std::fs::read_dir(journal).unwrap().count();
    for _ in 0..6 {
        let had = segments(&journal);
        let mut child = process(&path)
            .args([
                "cleanup",
                "plan.yaml",
                "--yes",
                "-q",
                "--endpoint-url",
                &url,
            ])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Until it has written something more, or has ended.
        while segments(&journal) == had && child.try_wait().unwrap().is_none() {
            tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)))
                .await
                .unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (last_path, last_url) = (path.clone(), url.clone());
    tokio::task::spawn_blocking(move || {
        let (code, stdout, stderr) = run(
            &last_path,
            &["cleanup", "plan.yaml", "--yes", "--endpoint-url", &last_url],
        );
        assert_eq!(code, 0, "{stdout}{stderr}");
    })
    .await
    .unwrap();
    let mut expected = before;
    expected.push(format!(
        "arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/orders-main-3"
    ));
    expected.sort();
    assert_eq!(emulator.resources(ACCOUNT), expected);
    emulator.shutdown().await;
}

/// Runs a command to its end, or until something is so; time passes only where it is said to.
async fn watch(
    emulator: &Emulator,
    child: &mut std::process::Child,
    is_time_passing: bool,
    until: impl Fn() -> bool,
) {
    while child.try_wait().unwrap().is_none() && !until() {
        if is_time_passing {
            let clock = emulator.clock();
            let soon = clock.now() + jiff::SignedDuration::from_secs(60);
            clock.advance_to(emulator.next_event().unwrap_or(soon));
        }
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(2)))
            .await
            .unwrap();
    }
}

/// Ctrl-C ends it after the call that is under way; it says how to go on, and that comes to the same end.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_that_is_left_says_how_to_go_on() {
    // Time stands still, so that nothing is over before the signal.
    let emulator = emulator(Options {
        inventory: Some(inventory()),
        driven: true,
        speed: Speed::Max,
        ..Options::default()
    })
    .await;
    let before = emulator.resources(ACCOUNT);
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &plan(""));
    let url = emulator.url();
    let start = |command: &str| {
        process(path)
            .args([command, "plan.yaml", "--yes", "-q", "--endpoint-url", &url])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut child = start("run");
    watch(&emulator, &mut child, true, || false).await;
    assert_eq!(child.wait().unwrap().code(), Some(0));

    let mut child = start("cleanup");
    let journal = path.join(".redrill/drill/main/journal");
    let has_asked = || {
        let segments = crate::support::files(&journal);
        segments
            .iter()
            .any(|(_, text)| String::from_utf8_lossy(text).contains("\"deleting\""))
    };
    watch(&emulator, &mut child, false, has_asked).await;
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    watch(&emulator, &mut child, false, || false).await;
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    snapbox::assert_data_eq!(
        String::from_utf8(output.stdout).unwrap(),
        snapbox::str![[r#"
drill run main: 0 deleted (verified), 0 remaining
stopped: 4 not verified; a deletion that was requested continues at AWS
continue with: [..] cleanup plan.yaml --yes -q --endpoint-url http://127.0.0.1:[..]

"#]]
    );

    let mut child = start("cleanup");
    watch(&emulator, &mut child, true, || false).await;
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(emulator.resources(ACCOUNT), before);
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_protected_or_unknown_is_left_and_said() {
    let emulator = world(Speed::Max).await;
    let folder = folder();
    let path = folder.path().to_owned();
    let url = emulator.url();
    write(&path, "plan.yaml", &plan(""));
    tokio::task::spawn_blocking(move || {
        let on = |arguments: &[&str]| {
            let mut all = arguments.to_vec();
            all.extend(["--endpoint-url", &url]);
            run(&path, &all)
        };
        let (code, _, stderr) = on(&["run", "plan.yaml", "--yes", "-q", "--only", "orders", "web"]);
        assert_eq!(code, 0, "{stderr}");
        // Protected since: what was made before the line was written is not deleted either.
        let table = "protect: [\"arn:aws:dynamodb:us-west-2:*:table/orders-*\"]\n";
        write(&path, "plan.yaml", &plan(table));
        let (code, stdout, stderr) = on(&["cleanup", "plan.yaml", "--yes"]);
        assert_eq!(code, 5, "{stdout}{stderr}");
        snapbox::assert_data_eq!(stdout, snapbox::str![[r#"
drill run main: 1 deleted (verified), 1 remaining
left: orders  arn:aws:dynamodb:us-west-2:123456789012:table/orders-main  it is protected: `protect` has `arn:aws:dynamodb:us-west-2:*:table/orders-*`

"#]]);
        let (code, stdout, _) = run(&path, &["report", "plan.yaml", "--report", "markdown=r.md"]);
        assert_eq!(code, 0, "{stdout}");
        let markdown = String::from_utf8(crate::support::bytes(&path.join("r.md"))).unwrap();
        assert!(markdown.contains("### Not deleted\n\n- `arn:aws:dynamodb:us-west-2:123456789012:table/orders-main`"), "{markdown}");
        // Taken off again, it goes.
        write(&path, "plan.yaml", &plan(""));
        let (code, stdout, stderr) = on(&["cleanup", "plan.yaml", "--yes"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
    })
    .await
    .unwrap();
    emulator.shutdown().await;
}

/// What looks like production asks for the account, typed out.
#[tokio::test(flavor = "multi_thread")]
async fn production_asks_for_more() {
    let emulator = world(Speed::Max).await;
    let folder = folder();
    let path = folder.path().to_owned();
    let url = emulator.url();
    write(
        &path,
        "plan.yaml",
        &plan("").replace("role/restore", "role/prod-restore"),
    );
    tokio::task::spawn_blocking(move || {
        let on = |arguments: &[&str]| {
            let mut all = arguments.to_vec();
            all.extend(["--endpoint-url", &url]);
            run(&path, &all)
        };
        let (code, _, stderr) = on(&["run", "plan.yaml", "--yes", "-q", "--only", "web"]);
        assert_eq!(code, 0, "{stderr}");
        let (code, _, stderr) = on(&["cleanup", "plan.yaml", "--yes"]);
        assert_eq!(code, 64);
        assert_eq!(stderr, "error: nothing was deleted: `arn:aws:iam::123456789012:role/prod-restore` looks like production: look at --dry-run, then give --yes --confirm-account 123456789012\n");
        let (code, _, _) = on(&["cleanup", "plan.yaml", "--yes", "--confirm-account", "123456789013"]);
        assert_eq!(code, 64);
        let (code, stdout, _) = on(&["cleanup", "plan.yaml", "--yes", "--confirm-account", "123456789012"]);
        assert_eq!(code, 0, "{stdout}");
    })
    .await
    .unwrap();
    assert_eq!(emulator.resources(ACCOUNT).len(), 4);
    emulator.shutdown().await;
}

/// What was made in several Regions is looked for, and deleted, where it is.
#[tokio::test(flavor = "multi_thread")]
async fn each_target_is_cleaned_up_where_it_is() {
    let emulator = emulator(crate::support::at_once()).await;
    let folder = folder();
    let path = folder.path().to_owned();
    let url = emulator.url();
    let restore = |name: &str, region: &str| {
        format!(
            "  {name}:\n    type: EFS\n    target: {name}\n    recovery_point: arn:aws:backup:{region}:{ACCOUNT}:recovery-point:00000000-0000-0000-0000-000000000001\n    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: {name} }}\n"
        )
    };
    let target = |name: &str, region: &str| {
        format!(
            "  {name}: {{ region: {region}, account: \"{ACCOUNT}\", iam_role_arn: \"arn:aws:iam::{ACCOUNT}:role/restore\" }}\n"
        )
    };
    let text = format!(
        "plan: drill\ntargets:\n{}{}restores:\n{}{}",
        target("west", "us-west-2"),
        target("east", "us-east-1"),
        restore("west", "us-west-2"),
        restore("east", "us-east-1"),
    );
    write(&path, "plan.yaml", &text);
    let made = tokio::task::spawn_blocking({
        let (path, url) = (path.clone(), url.clone());
        move || {
            run(
                &path,
                &["run", "plan.yaml", "--yes", "-q", "--endpoint-url", &url],
            )
        }
    });
    let (code, stdout, stderr) = made.await.unwrap();
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(emulator.resources(ACCOUNT).len(), 2);
    let cleaned = tokio::task::spawn_blocking(move || {
        run(
            &path,
            &[
                "cleanup",
                "plan.yaml",
                "--yes",
                "-q",
                "--endpoint-url",
                &url,
            ],
        )
    });
    let (code, stdout, stderr) = cleaned.await.unwrap();
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(
        stdout,
        "drill run main: 2 deleted (verified), 0 remaining\n"
    );
    assert_eq!(emulator.resources(ACCOUNT), Vec::<String>::new());
    emulator.shutdown().await;
}
