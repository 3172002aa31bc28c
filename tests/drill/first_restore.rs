//! docs/first-restore.md: its commands are run in its order, against the emulator, and print what the page says.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use redrill_emulator::{Inventory, Options};
use regex::Regex;

use crate::support::{at_once, emulator, folder, process, repository_file, write};

const PAGE: &str = "docs/first-restore.md";
/// The account of the page, after its third chapter.
const ACCOUNT: &str = "account: \"123456789012\"\nregion: us-east-1\nvaults:\n  first:\n    recovery_points:\n      - { arn: 'arn:aws:dynamodb:us-east-1:123456789012:table/orders/backup/01764150000000-b308cd7d', resource_arn: 'arn:aws:dynamodb:us-east-1:123456789012:table/orders', resource_type: DynamoDB, created_at: 2026-11-20T08:00:00Z, size_bytes: 4096, restore_metadata: { originalTableName: orders } }\n";

/// The blocks of a kind: where each begins and ends in the page.
fn blocks(page: &str, kind: &str) -> Vec<(usize, usize)> {
    let fence = format!("```{kind}\n");
    let starts = page.match_indices(&fence).map(|(at, _)| at + fence.len());
    starts
        .map(|at| (at, at + page[at..].find("```").unwrap()))
        .collect()
}

/// What a block says: each command, and its output.
fn commands(block: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(command), _) => all.push((command.to_owned(), String::new())),
            (None, Some((command, output))) => match line.strip_prefix('>') {
                Some(more) if output.is_empty() => {
                    command.push('\n');
                    command.push_str(more.strip_prefix(' ').unwrap_or(more));
                }
                _ => {
                    output.push_str(line);
                    output.push('\n');
                }
            },
            (None, None) => panic!("{line}"),
        }
    }
    all
}

/// What the page shows: as at AWS, where the test is at an emulator.
fn at_aws(output: &str, url: &str) -> String {
    let output = output
        .replace(&format!(" --endpoint-url {url}"), "")
        .replace(&format!("{url} (not AWS)"), "AWS");
    let lines = output.lines().filter(|line| !line.starts_with("Not AWS: "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Without what is another each time.
fn plain(output: &str) -> String {
    let mut text = output.to_owned();
    for (pattern, with) in [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "DATE"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME"),
        (r"\+\d+:\d\d:\d\d", "TIME"),
        (r"\d\d:\d\d(:\d\d)?", "TIME"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "JOB"),
        (
            r"\d+ (seconds?|minutes?|hours?|days?|months?|years?) old",
            "AGE",
        ),
        (r"\d+m( \d+s)?", "TOOK"),
        // Said of runs at AWS, as on the page; the emulator's times are made up.
        (r"(?m)^forecast before it: .*\n", ""),
    ] {
        text = Regex::new(pattern)
            .unwrap()
            .replace_all(&text, with)
            .into_owned();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_first_restore_is_true() {
    let page = repository_file(PAGE);
    for (from, to) in blocks(&page, "json") {
        let policy: serde_json::Value = serde_json::from_str(&page[from..to]).unwrap();
        assert_eq!(policy["Version"], "2012-10-17");
    }
    let folder = folder();
    let script = blocks(&page, "sh")
        .into_iter()
        .map(|(from, to)| &page[from..to])
        .find(|block| block.starts_with("#!"))
        .unwrap();
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    let executable = |name: &str, text: &str| {
        let path = write(folder.path(), name, text);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    executable("has-items.sh", script);
    // The AWS CLI, which counts the items of a table.
    executable(
        "bin/aws",
        "#!/bin/sh\ntest \"$4\" = orders-first && echo 2\n",
    );
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(ACCOUNT).unwrap()),
        ..at_once()
    })
    .await;
    let (url, path) = (emulator.url(), folder.path().to_owned());
    let shown = page.clone();
    let (was, is) = tokio::task::spawn_blocking(move || walk(&shown, &path, &url))
        .await
        .unwrap();
    emulator.shutdown().await;
    if std::env::var("SNAPSHOTS").is_ok_and(|how| how == "overwrite") && plain(&was) != plain(&is) {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE), is).unwrap();
        return;
    }
    similar(&plain(&was), &plain(&is));
}

fn similar(page: &str, is: &str) {
    for (was, is) in page.lines().zip(is.lines()) {
        assert_eq!(
            was, is,
            "{PAGE} is not what redrill prints: SNAPSHOTS=overwrite"
        );
    }
    assert_eq!(page.lines().count(), is.lines().count());
}

/// Runs every command of the page; the page as it is, and as it has to be.
fn walk(page: &str, folder: &Path, url: &str) -> (String, String) {
    let mut is = String::new();
    let mut done = 0;
    for (from, to) in blocks(page, "console") {
        is.push_str(&page[done..from]);
        for (command, _) in commands(&page[from..to]) {
            let printed = shell(folder, url, &command);
            let typed = command.replace("\n\n", "\n>\n").replace('\n', "\n> ");
            let typed = typed.replace("\n> >", "\n>");
            is.push_str(&format!("$ {typed}\n{}", at_aws(&printed, url)));
        }
        done = to;
    }
    is.push_str(&page[done..]);
    (page.to_owned(), is)
}

/// Both outputs of a command, which has to succeed.
fn shell(folder: &Path, url: &str, command: &str) -> String {
    let binary = process(folder);
    let program = Path::new(binary.get_program()).parent().unwrap().to_owned();
    let mut shell = std::process::Command::new("sh");
    for (name, value) in binary.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}/bin:{}:{path}", folder.display(), program.display());
    let output = shell
        .args(["-c", &format!("{{ {command}\n}} 2>&1")])
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .env("PATH", path)
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", "123456789012")
        .env("AWS_SECRET_ACCESS_KEY", "none")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command}\n{printed}");
    printed
}
