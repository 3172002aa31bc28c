//! What is protected is found in every kind of spot, and nothing else is taken for it.

use super::run;
use crate::support::{at_once, emulator, folder, write};

const ACCOUNT: &str = "123456789012";

/// A protected thing: the entry of `protect`, a value that names it, and one that only resembles it.
fn thing(random: &mut fastrand::Rng) -> (String, String, String) {
    let hex: String = (0..17)
        .map(|_| char::from(*random.choice(b"0123456789abcdef").unwrap()))
        .collect();
    let word = format!("orders{}", random.u32(1000..9999));
    match random.u8(0..7) {
        0 => (
            format!("fs-{hex}"),
            format!("fs-{hex}"),
            format!("fs-{hex}0"),
        ),
        1 => (
            format!("vol-{hex}"),
            format!("VOL-{}", hex.to_uppercase()),
            format!("xvol-{hex}"),
        ),
        2 => (
            format!("arn:aws:elasticfilesystem:eu-west-1:{ACCOUNT}:file-system/fs-{hex}"),
            format!("fs-{hex}"),
            format!("fs-1{}", &hex[1..].replace('0', "1")).replace(&hex, "1"),
        ),
        3 => (
            format!("arn:aws:newservice:us-west-2:{ACCOUNT}:thing/{word}"),
            word.clone(),
            format!("{word}-2026"),
        ),
        4 => (
            format!("{word}-*"),
            format!("{word}-blue"),
            format!("my-{word}-blue"),
        ),
        5 => (
            format!("arn:aws:s3:::{word}"),
            format!("s3://{word}/backup"),
            format!("s3://{word}x/backup"),
        ),
        _ => (
            format!("arn:aws:*:*:{ACCOUNT}:*/{word}"),
            format!("arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/{word}"),
            format!("arn:aws:dynamodb:us-west-2:999999999999:table/{word}"),
        ),
    }
}

/// A value in some spot of the metadata of a restore, as YAML, and what stands at the head of the plan for it.
fn spot(random: &mut fastrand::Rng, value: &str) -> (String, String) {
    let quoted = serde_json::to_string(value).unwrap();
    let single = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let vars = |text: &str| format!("vars: {{ v: {text} }}\n");
    let metadata = match random.u8(0..13) {
        0 => format!("{{ Key: {quoted} }}"),
        1 => format!("{{ Key: [a, {quoted}] }}"),
        2 => format!("{{ Key: {{ a: [{{ b: {quoted} }}] }} }}"),
        3 => format!("{{ Key: {{ {quoted}: a }} }}"),
        4 => format!("{{ Key: {} }}", single(&format!("[{quoted}]"))),
        5 => format!(
            "{{ Key: {} }}",
            single(&format!("{{\"a\":{{\"b\":{quoted}}}}}"))
        ),
        6 => {
            let inner = serde_json::to_string(&format!("[{quoted}]")).unwrap();
            format!("{{ Key: {} }}", single(&format!("{{\"a\":{inner}}}")))
        }
        7 => {
            let escaped: String = value
                .encode_utf16()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect();
            format!("{{ Key: {} }}", single(&format!("[\"{escaped}\"]")))
        }
        8 => format!("{{ Key: {} }}", single(&format!("a,{value}"))),
        9 => return (vars(&quoted), "{ Key: \"{{ vars.v }}\" }".to_owned()),
        10 => {
            let (left, right) = value.split_at(value.len() / 2);
            let right = serde_json::to_string(right).unwrap();
            return (
                vars(&right),
                format!("{{ Key: {} }}", single(&format!("{left}{{{{ vars.v }}}}"))),
            );
        }
        11 => {
            return (
                vars(&format!("[{quoted}]")),
                "{ Key: \"{{ vars.v | tojson }}\" }".to_owned(),
            );
        }
        _ => format!("{{ Other: a, Key: &k {quoted}, Third: *k }}"),
    };
    (String::new(), metadata)
}

fn plan(head: &str, entry: &str, metadata: &str) -> String {
    let entry = serde_json::to_string(entry).unwrap();
    format!(
        "plan: p\n{head}protect: [unrelated-1, {entry}]\ntarget: {{ region: us-west-2, account: \"{ACCOUNT}\", iam_role_arn: \"arn:aws:iam::{ACCOUNT}:role/restore\" }}\nrestores:\n  r:\n    type: Novel\n    recovery_point: arn:aws:backup:us-west-2:{ACCOUNT}:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45\n    metadata: {metadata}\n"
    )
}

#[test]
fn a_hundred_plans_with_a_protected_id_are_caught_and_a_hundred_without_are_not() {
    let folder = folder();
    let mut random = fastrand::Rng::with_seed(8);
    let mut names = Vec::new();
    for at in 0..100 {
        let (entry, is, resembles) = thing(&mut random);
        for (kind, value) in [("with", &is), ("without", &resembles)] {
            let (head, metadata) = spot(&mut random, value);
            let name = format!("{kind}-{at}.yaml");
            write(folder.path(), &name, &plan(&head, &entry, &metadata));
            names.push(name);
        }
    }
    let mut arguments = vec!["validate", "--format", "json"];
    arguments.extend(names.iter().map(String::as_str));
    let (code, stdout, _) = run(folder.path(), &arguments);
    assert_eq!(code, 4);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let mut caught = std::collections::BTreeSet::new();
    for finding in report["findings"].as_array().unwrap() {
        let file = finding["file"].as_str().unwrap();
        match finding["rule"].as_str().unwrap() {
            "protect/written" => _ = caught.insert(file.to_owned()),
            "type/unknown" => {}
            other => panic!("{file}: {other}: {finding}"),
        }
    }
    for name in names {
        let text = String::from_utf8(crate::support::bytes(&folder.path().join(&name))).unwrap();
        assert_eq!(
            caught.contains(&name),
            name.starts_with("with-"),
            "{name}\n{text}"
        );
    }
}

#[test]
fn what_only_says_where_a_backup_came_from_is_not_written_to() {
    let folder = folder();
    let head = "protect: [fs-0a1b2c3d, \"arn:aws:backup:*\", \"arn:aws:iam::123456789012:role/restore\"]\n";
    let new = super::plan(1, head, |_| String::new());
    write(folder.path(), "new.yaml", &new);
    let (code, stdout, _) = run(folder.path(), &["validate", "new.yaml"]);
    assert_eq!(code, 0, "{stdout}");
    write(
        folder.path(),
        "into.yaml",
        &new.replace("newFileSystem: true", "newFileSystem: false"),
    );
    for command in ["validate", "plan", "render", "run"] {
        let mut arguments = vec![command, "into.yaml"];
        if command == "run" {
            arguments.extend(["--yes", "--endpoint-url", "http://127.0.0.1:9"]);
        }
        let (code, stdout, stderr) = run(folder.path(), &arguments);
        assert_eq!(code, 4, "{command}: {stdout}{stderr}");
        assert!(format!("{stdout}{stderr}").contains("error[protect/written]: r0: file-system-id: this is protected: `protect` has `fs-0a1b2c3d`"), "{command}: {stdout}{stderr}");
    }
    write(
        folder.path(),
        "all.yaml",
        &new.replace("fs-0a1b2c3d, ", "\"*\", "),
    );
    let (code, stdout, _) = run(folder.path(), &["validate", "all.yaml"]);
    assert_eq!(code, 4);
    assert!(
        stdout.contains("error[protect/everything]: `*` protects everything there is"),
        "{stdout}"
    );
}

/// What is known only after another restore is checked before it is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_becomes_known_later_is_checked_then() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let text = super::plan(
        2,
        "protect: [\"arn:aws:elasticfilesystem:us-west-2:*\"]\n",
        |at| match at {
            0 => String::new(),
            _ => "    needs: [r0]\n".to_owned(),
        },
    );
    let at = text.rfind("CreationToken: \"{{ restore }}").unwrap();
    let text = format!(
        "{}{}",
        &text[..at],
        text[at..].replacen("{{ restore }}", "{{ restores.r0.created.resource_arn }}", 1)
    );
    write(folder.path(), "plan.yaml", &text);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let (code, stdout, stderr) = run(
            &path,
            &["run", "plan.yaml", "--yes", "--endpoint-url", &url],
        );
        assert_eq!(code, 6, "{stdout}{stderr}");
        assert!(stdout.contains("protect/written"), "{stdout}");
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 1);
    emulator.shutdown().await;
}
