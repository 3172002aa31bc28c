//! What may be built in, by `deny.toml`, and the texts that have to go with it: from what cargo knows, without a network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::support::repository_file;

/// What cargo knows of every package that a program for Linux is built from.
fn metadata() -> Value {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["metadata", "--locked", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let output = cargo.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The strings of `allow` in `deny.toml`.
fn allowed() -> BTreeSet<String> {
    let policy = repository_file("deny.toml");
    let (_, rest) = policy.split_once("\nallow = [\n").unwrap();
    let (entries, _) = rest.split_once("\n]\n").unwrap();
    entries
        .lines()
        .map(|line| line.trim().trim_matches([',', '"']).to_owned())
        .collect()
}

#[test]
fn reliability_r8_29_licences_and_sources_are_those_of_the_policy() {
    let metadata = metadata();
    let allowed = allowed();
    let mut used = BTreeSet::new();
    for package in list(&metadata["packages"]) {
        let name = format!("{} {}", text(package, "name"), text(package, "version"));
        let licence = text(package, "license");
        let expression = Expression::parse_mode(licence, ParseMode::LAX)
            .unwrap_or_else(|err| panic!("{name}: {licence:?}: {err}"));
        let is_allowed = expression.evaluate(|asked| {
            let asked = asked.to_string();
            let is_allowed = allowed.contains(&asked);
            used.extend(is_allowed.then_some(asked));
            is_allowed
        });
        assert!(is_allowed, "{name}: deny.toml does not allow {licence}");
        let is_ours = is_ours(package);
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        assert!(
            is_ours || text(package, "source") == registry,
            "{name}: it comes from {}",
            package["source"]
        );
        for of in list(&package["dependencies"]).iter().filter(|_| is_ours) {
            assert_ne!(text(of, "req"), "*", "{}", text(of, "name"));
        }
    }
    assert_eq!(used, allowed, "deny.toml allows what nothing has");
}

/// The crates of this repository.
fn is_ours(package: &Value) -> bool {
    package["source"].is_null() && text(package, "name").starts_with("redrill")
}

/// The packages that are linked in: those that something needs to run, not to be built or tested.
fn linked(metadata: &Value) -> Vec<&Value> {
    let nodes = list(&metadata["resolve"]["nodes"]);
    let by_id: BTreeMap<&str, &Value> = nodes.iter().map(|node| (text(node, "id"), node)).collect();
    let root = text(&metadata["resolve"], "root");
    let mut seen = BTreeSet::new();
    let mut next = vec![root];
    while let Some(id) = next.pop() {
        if !seen.insert(id) {
            continue;
        }
        for dependency in list(&by_id[id]["deps"]) {
            let mut kinds = list(&dependency["dep_kinds"]).iter();
            if kinds.any(|kind| kind["kind"].is_null()) {
                next.push(text(dependency, "pkg"));
            }
        }
    }
    let packages = list(&metadata["packages"]).iter();
    packages
        .filter(|package| seen.contains(text(package, "id")) && !is_ours(package))
        .collect()
}

/// Their names and versions.
pub(crate) fn linked_in() -> BTreeSet<String> {
    let metadata = metadata();
    let packages = linked(&metadata).into_iter();
    packages
        .map(|package| format!("{} {}", text(package, "name"), text(package, "version")))
        .collect()
}

/// The texts that a package brings along. Where it leaves a choice and one is MIT's, that one: it is the shortest.
fn texts(package: &Value) -> Vec<String> {
    let folder = Path::new(text(package, "manifest_path")).parent().unwrap();
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| {
            let is_file = folder.join(name).is_file();
            let name = name.to_lowercase();
            let begins = [
                "licence",
                "license",
                "copying",
                "notice",
                "unlicense",
                "copyright",
            ];
            is_file && begins.iter().any(|of| name.starts_with(of))
        })
        .collect();
    names.sort();
    let is_mit = |name: &String| {
        let name = name.to_lowercase();
        name.ends_with("mit") || name.contains("mit.")
    };
    if names.iter().any(is_mit) {
        names.retain(is_mit);
    }
    names
        .iter()
        .map(|name| std::fs::read(folder.join(name)).unwrap())
        .map(|bytes| String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
        .map(|text| {
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            lines.join("\n").trim_matches('\n').to_owned()
        })
        .collect()
}

/// `SNAPSHOTS=overwrite cargo test licences` writes the file anew after a change of `Cargo.lock`.
#[test]
fn reliability_r8_29_the_texts_of_what_is_linked_in_are_at_hand() {
    let metadata = metadata();
    let mut by_text: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut without = BTreeSet::new();
    for package in linked(&metadata) {
        let name = format!("{} {}", text(package, "name"), text(package, "version"));
        let texts = texts(package);
        if texts.is_empty() {
            without.insert(format!(
                "{name}: {}, {}",
                text(package, "license"),
                text(package, "repository")
            ));
        }
        for text in texts {
            by_text.entry(text).or_default().insert(name.clone());
        }
    }
    let mut whole = String::from(
        "redrill is licensed under MIT OR Apache-2.0. These are the licences of what is linked into it.\n",
    );
    let mut parts: Vec<(Vec<String>, String)> = by_text
        .into_iter()
        .map(|(text, names)| (names.into_iter().collect(), text))
        .collect();
    parts.sort();
    for (names, text) in parts {
        whole.push_str(&format!(
            "\n{}\n{}\n\n{text}\n",
            "=".repeat(80),
            names.join(", ")
        ));
    }
    whole.push_str(&format!(
        "\n{}\nThese bring no text along; that of their licence is above:\n\n",
        "=".repeat(80)
    ));
    for line in without {
        whole.push_str(&format!("{line}\n"));
    }
    snapbox::assert_data_eq!(
        whole.clone(),
        snapbox::file!["../THIRD-PARTY-LICENSES.txt"].raw()
    );
    let folder = crate::support::folder();
    let (code, stdout, _) = crate::drill::run(folder.path(), &["licenses"]);
    assert_eq!(code, 0);
    assert!(
        stdout == whole,
        "the program prints another text: build it again"
    );
}
