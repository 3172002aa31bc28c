//! A dry run that is saved, approved, and carried out as it was saved.

use std::path::Path;

use redrill_emulator::{Emulator, Inventory, Options};
use serde_json::Value;
use snapbox::str;

use super::against_others::INVENTORY;
use super::repository::BEFORE;
use crate::support::{at_once, emulator, files, folder, redrill, repository_file, write};

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Edits a saved plan so that its own digest is right again, as nobody does by accident.
fn forge(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut saved = read(path);
    edit(&mut saved);
    saved["sha256"] = "".into();
    saved["sha256"] = redrill::plan::sha256(saved.to_string()).into();
    std::fs::write(path, saved.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_what_is_sent_once() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    let (path, url) = (folder.path().to_owned(), emulator.url());
    let at = path.clone();
    tokio::task::spawn_blocking(move || {
        let before = files(&path).len();
        redrill(&path)
            .args(["plan", "plan.yaml", "-o", "saved plan.json"])
            .assert()
            .success()
            .stderr_eq("...\nsaved: `redrill run 'saved plan.json'[..]` sends exactly these requests\n");
        assert_eq!(
            files(&path).len(),
            before + 1,
            "one file, and nothing beside it"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path.join("saved plan.json"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let run = || {
            redrill(&path).args([
                "run",
                "saved plan.json",
                "--yes",
                "-q",
                "--endpoint-url",
                &url,
            ])
        };
        run().assert().success();
        run().assert().code(4).stderr_eq(str![[r#"
error: this saved plan has been carried out already, by run main, which ended [..]; `redrill status` shows what came of it

"#]]);
    })
    .await
    .unwrap();
    let saved = read(&at.join("saved plan.json"));
    let restores = saved["restores"].as_array().unwrap();
    assert_eq!(
        restores[2]["holes"],
        serde_json::json!([{ "key": "StackParameters", "waits_for": ["restores.files.created.resource_arn"], "secret": false }])
    );
    let jobs = emulator.jobs();
    assert_eq!((jobs.len(), restores.len()), (3, 3));
    for restore in restores {
        super::bytes::assert_is_sent(restore, &jobs);
    }
    emulator.shutdown().await;
}

#[test]
fn a_saved_plan_is_refused_where_anything_is_other_than_it_was() {
    let folder = folder();
    let path = folder.path();
    let plan = BEFORE
        .replace(
            "restores:",
            "vars: { table: orders, size: { default: 1 } }\nrestores:",
        )
        .replace("orders-drill", "\"{{ vars.table }}-{{ vars.size }}\"");
    write(path, "plan.yaml", &plan);
    write(path, "inventory.yaml", INVENTORY);
    write(path, "vars.yaml", "table: from-file\n");
    redrill(path)
        .args([
            "plan",
            "plan.yaml",
            "-o",
            "saved.json",
            "-q",
            "--inventory",
            "inventory.yaml",
        ])
        .args([
            "--var-file",
            "vars.yaml",
            "--var",
            "size=2",
            "--only",
            "orders",
        ])
        .assert()
        .success();
    let saved = std::fs::read(path.join("saved.json")).unwrap();
    let run = || {
        redrill(path).args([
            "run",
            "saved.json",
            "--yes",
            "-q",
            "--endpoint-url",
            "http://127.0.0.1:9",
        ])
    };
    let refused = |reason: &str| {
        run().assert().code(4).stderr_eq(format!(
            "...\nerror: this saved plan is not what would be sent now; nothing was sent\n\n{reason}\n\nlook at it and save it again: redrill plan [..] -o FILE\n"
        ));
        std::fs::write(path.join("saved.json"), &saved).unwrap();
        write(path, "plan.yaml", &plan);
        write(path, "inventory.yaml", INVENTORY);
        write(path, "vars.yaml", "table: from-file\n");
    };
    write(path, "plan.yaml", &plan.replace("same-drill", "same-other"));
    write(path, "inventory.yaml", &INVENTORY.replace("4096", "4097"));
    refused("  plan.yaml has changed\n  inventory.yaml has changed");
    std::fs::remove_file(path.join("plan.yaml")).unwrap();
    refused("  plan.yaml: No such file or directory (os error 2)");
    write(path, "vars.yaml", "table: another\n");
    refused("  the value of `vars.table` has changed");
    std::fs::remove_file(path.join("vars.yaml")).unwrap();
    refused("  vars.yaml: No such file or directory (os error 2)");
    forge(&path.join("saved.json"), |saved| {
        saved["redrill"] = "0.0.9".into()
    });
    refused("  it was saved by redrill 0.0.9, and this is redrill [..]");
    forge(&path.join("saved.json"), |saved| {
        saved["restores"][0]["request"]["Metadata"]["targetTableName"] = "other".into();
    });
    refused("  `orders`: its request has changed");
    forge(&path.join("saved.json"), |saved| {
        saved["restores"][0]["token"] = "rd1-0".into()
    });
    refused("  `orders`: its token has changed");
    // Options that would make it another plan, and files that are none.
    for option in [
        &["--var", "size=3"][..],
        &["--only", "same"],
        &["--run-id", "x"],
        &["--var-file", "vars.yaml"],
        &["--dry-run"],
        &["--retry-failed"],
    ] {
        run().args(option).assert().code(64);
    }
    let text = String::from_utf8(saved.clone()).unwrap();
    for (damaged, why) in [
        (
            text.replace("\"orders\"", "\"ordres\""),
            "it is damaged: it has been edited; save the plan again",
        ),
        (
            text.replace("saved-plan/v1", "saved-plan/v2"),
            "its format is `redrill.saved-plan/v2`, and this redrill knows `redrill.saved-plan/v1`; use the redrill that wrote it",
        ),
        (
            text[..text.len() / 2].to_owned(),
            "it is damaged: EOF while parsing [..]",
        ),
    ] {
        write(path, "saved.json", &damaged);
        run().assert().code(4).stderr_eq(format!(
            "error: saved.json: this saved plan cannot be carried out: {why}\n"
        ));
    }
    assert!(!path.join(".redrill").exists(), "nothing was begun");
    // A slip that would have cost the plan.
    redrill(path)
        .args(["plan", "plan.yaml", "-q", "-o", "plan.yaml"])
        .assert()
        .code(64)
        .stderr_eq(
            "error: plan.yaml: this file is a plan, not a saved plan, and is not overwritten; give another name\n",
        );
    assert_eq!(
        std::fs::read_to_string(path.join("plan.yaml")).unwrap(),
        plan
    );
    redrill(path)
        .args(["plan", "plan.yaml", "-q", "-o", "no/such/folder.json"])
        .assert()
        .code(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_moved_on_is_another_one() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", BEFORE);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        redrill(&path).args(["plan", "plan.yaml", "-q", "-o", "saved.json"]).assert().success();
        redrill(&path)
            .args(["run", "plan.yaml", "--yes", "-q", "--only", "same", "--endpoint-url", &url])
            .assert()
            .success();
        redrill(&path)
            .args(["run", "saved.json", "--yes", "-q", "--endpoint-url", &url])
            .assert()
            .code(4)
            .stderr_eq("error: this saved plan is not what would be sent now; nothing was sent\n\n  run main has moved on since: it was taken up without this saved plan at [..]\n\nlook at it and save it again: redrill plan [..] -o FILE\n");
        // What has begun can be saved as well; its journal has to be the one.
        redrill(&path)
            .args(["plan", "plan.yaml", "-q", "-o", "saved.json", "--endpoint-url", &url])
            .assert()
            .success();
        redrill(&path)
            .args(["run", "saved.json", "--yes", "-q", "--state", "other", "--endpoint-url", &url])
            .assert()
            .code(4)
            .stderr_eq("...\n  run main is not the one that it was saved of: its journal begins otherwise, or is elsewhere\n...\n");
        redrill(&path)
            .args(["run", "saved.json", "--yes", "-q", "--endpoint-url", &url])
            .assert()
            .success();
        write(&path, "plan.yaml", &BEFORE.replace("same-drill", "same-other"));
        redrill(&path)
            .args(["plan", "plan.yaml", "-q", "-o", "conflict.json", "--endpoint-url", &url])
            .assert()
            .code(4)
            .stderr_eq("...\nerror: not saved: the plan differs from what this run has already started\n");
        assert!(!path.join("conflict.json").exists());
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 4);
    emulator.shutdown().await;
}

/// Run again to go on: a saved plan that was interrupted is not used up.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_saved_plan_goes_on() {
    let denied = INVENTORY.replace(
        "vaults:",
        "deny: [{ action: \"backup:StartRestoreJob\" }]\nvaults:",
    );
    let options = |text: &str| Options {
        inventory: Some(Inventory::parse(text).unwrap()),
        ..at_once()
    };
    let refusing = emulator(options(&denied)).await;
    let url = refusing.url();
    let folder = folder();
    write(folder.path(), "plan.yaml", BEFORE);
    let saved = [
        "plan",
        "plan.yaml",
        "-q",
        "--only",
        "files,orders",
        "-o",
        "saved.json",
    ];
    redrill(folder.path()).args(saved).assert().success();
    let run = || {
        let (path, url) = (folder.path().to_owned(), url.clone());
        let run = ["run", "saved.json", "--yes", "-q", "--endpoint-url"];
        tokio::task::spawn_blocking(move || redrill(&path).args(run).arg(url).output().unwrap())
    };
    assert_eq!(run().await.unwrap().status.code(), Some(1));
    refusing.shutdown().await;
    // At the same address, where the run belongs.
    let address = url.strip_prefix("http://").unwrap().parse().unwrap();
    let willing = Emulator::start(address, options(INVENTORY)).await.unwrap();
    assert_eq!(run().await.unwrap().status.code(), Some(0));
    assert_eq!(run().await.unwrap().status.code(), Some(4));
    assert_eq!(willing.jobs().len(), 2);
    willing.shutdown().await;
}

/// A failed restore gets the attempt that was saved, and no further one.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_saved_once() {
    let failing = INVENTORY.replace(
        "resource_type: EFS",
        "resource_type: EFS\n        restore: { fails: no more room }",
    );
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(&failing).unwrap()),
        ..at_once()
    })
    .await;
    let folder = folder();
    write(folder.path(), "plan.yaml", BEFORE);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let plan = |words: &[&str]| {
            redrill(&path)
                .args([
                    "plan",
                    "plan.yaml",
                    "-q",
                    "--only",
                    "files",
                    "--endpoint-url",
                    &url,
                ])
                .args(words)
                .assert()
                .success();
        };
        let run =
            |file: &str| redrill(&path).args(["run", file, "--yes", "-q", "--endpoint-url", &url]);
        plan(&["-o", "first.json"]);
        run("first.json").assert().code(6);
        plan(&["--retry-failed", "-o", "second.json"]);
        run("second.json").assert().code(6);
        run("second.json").assert().code(4).stderr_eq(
            "...\nerror: this saved plan has been carried out already, by run main, which ended [..]; [..]\n",
        );
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

/// A secret is a hole that the environment fills; the token says whether it is still the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_never_in_a_saved_plan() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let plan = BEFORE
        .replace(
            "restores:",
            "vars: { password: { secret: true } }\nrestores:",
        )
        .replace(
            "\"{{ plan }}-{{ restore }}-{{ run.id }}\"",
            "\"x-{{ vars.password }}\"",
        );
    write(folder.path(), "plan.yaml", &plan);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    let at = path.clone();
    tokio::task::spawn_blocking(move || {
        redrill(&path)
            .env("REDRILL_VAR_PASSWORD", "cnry")
            .args([
                "plan",
                "plan.yaml",
                "-q",
                "--only",
                "files",
                "-o",
                "saved.json",
            ])
            .assert()
            .success();
        let text = std::fs::read_to_string(path.join("saved.json")).unwrap();
        assert!(!text.contains("cnry"), "{text}");
        assert!(!text.contains(&redrill::plan::sha256("\"cnry\"")), "{text}");
        let run =
            || redrill(&path).args(["run", "saved.json", "--yes", "-q", "--endpoint-url", &url]);
        run()
            .assert()
            .code(4)
            .stderr_eq("...\nerror[vars/missing][..]\n...\n");
        run()
            .env("REDRILL_VAR_PASSWORD", "wrong")
            .assert()
            .code(4)
            .stderr_eq("...\n  a secret has changed, of `files`\n...\n");
        run().args(["--var", "password=cnry"]).assert().success();
    })
    .await
    .unwrap();
    let jobs = emulator.jobs();
    assert_eq!(jobs[0].request["Metadata"]["CreationToken"], "x-cnry");
    let saved = read(&at.join("saved.json"));
    super::bytes::assert_is_sent(&saved["restores"][0], &jobs);
    emulator.shutdown().await;
}
