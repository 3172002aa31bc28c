//! What redrill is built from, by `deny.toml` and `dependencies.toml`, from what cargo knows: every platform of a release, and
//! no network. Licences are in `licences.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::repository_file;

/// What is built for a release, without what only tests need.
struct Built {
    packages: BTreeMap<String, Value>,
    /// What redrill and its crates ask for themselves.
    direct: BTreeSet<String>,
}

fn policy(name: &str) -> toml::Value {
    toml::from_str(&repository_file(name)).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn built() -> Built {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "metadata",
        "--locked",
        "--format-version",
        "1",
    ]);
    for target in policy("deny.toml")["graph"]["targets"].as_array().unwrap() {
        cargo.args(["--filter-platform", target.as_str().unwrap()]);
    }
    let output = cargo.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = metadata["packages"].as_array().unwrap();
    let by_id: BTreeMap<&str, &Value> = all.iter().map(|of| (text(of, "id"), of)).collect();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let nodes: BTreeMap<&str, &Value> = nodes.iter().map(|of| (text(of, "id"), of)).collect();
    let mut made = Built {
        packages: BTreeMap::new(),
        direct: BTreeSet::new(),
    };
    let mut ahead = vec![text(&metadata["resolve"], "root")];
    while let Some(id) = ahead.pop() {
        let package = by_id[id];
        let is_ours = package["source"].is_null();
        if made
            .packages
            .insert(id.to_owned(), package.clone())
            .is_some()
        {
            continue;
        }
        for of in nodes[id]["deps"].as_array().unwrap() {
            let mut kinds = of["dep_kinds"].as_array().unwrap().iter();
            if kinds.any(|kind| kind["kind"] != "dev") {
                let id = text(of, "pkg");
                ahead.push(id);
                if is_ours {
                    made.direct.insert(id.to_owned());
                }
            }
        }
    }
    made.packages.retain(|_, of| !of["source"].is_null());
    made
}

/// The entries of a table of `dependencies.toml`; each has a reason.
fn noted(table: &str) -> BTreeSet<String> {
    let notes = policy("dependencies.toml");
    let notes = notes[table].as_table().unwrap().iter();
    notes
        .map(|(name, why)| {
            assert!(why.as_str().unwrap().len() > 10, "{table}.{name}");
            name.clone()
        })
        .collect()
}

#[test]
fn no_crate_is_built_in_two_versions_unless_deny_toml_says_why() {
    let built = built();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in built.packages.values() {
        let of = versions.entry(text(package, "name")).or_default();
        of.insert(text(package, "version"));
    }
    let bans = &policy("deny.toml")["bans"];
    assert_eq!(bans["multiple-versions"].as_str(), Some("deny"));
    for skip in bans["skip"].as_array().unwrap() {
        assert!(skip["reason"].as_str().unwrap().len() > 2, "{skip:?}");
        let (name, version) = skip["crate"].as_str().unwrap().split_once('@').unwrap();
        let of = versions.get_mut(name);
        let is_one_of_several = of.is_some_and(|of| of.len() > 1 && of.remove(version));
        assert!(
            is_one_of_several,
            "deny.toml skips {name} {version}, which is not there twice"
        );
    }
    versions.retain(|_, of| of.len() > 1);
    assert!(
        versions.is_empty(),
        "two versions are twice the code: {versions:?}"
    );
}

#[test]
fn what_runs_while_redrill_is_built_is_noted() {
    let built = built();
    let scripts = built.packages.values().filter(|package| {
        let mut targets = package["targets"].as_array().unwrap().iter();
        targets.any(|target| target["kind"][0] == "custom-build")
    });
    let scripts: BTreeSet<String> = scripts.map(|of| text(of, "name").to_owned()).collect();
    assert_eq!(scripts, noted("build-scripts"));
}

/// Whether a file of a folder has unsafe code; a comment about it is none.
fn is_unsafe(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return is_unsafe(&path);
        }
        let is_rust = path.extension().is_some_and(|end| end == "rs");
        is_rust
            && std::fs::read_to_string(&path)
                .unwrap_or_default()
                .lines()
                .map(|line| line.split("//").next().unwrap())
                .any(|line| {
                    ["unsafe {", "unsafe fn ", "unsafe impl", "unsafe extern"]
                        .iter()
                        .any(|of| line.contains(of))
                })
    })
}

#[test]
fn what_the_compiler_does_not_check_is_noted() {
    let built = built();
    let direct = built.direct.iter().filter_map(|id| built.packages.get(id));
    let found: BTreeSet<String> = direct
        .filter(|package| {
            let manifest = Path::new(text(package, "manifest_path"));
            is_unsafe(&manifest.parent().unwrap().join("src"))
        })
        .map(|package| text(package, "name").to_owned())
        .collect();
    assert_eq!(found, noted("unsafe"));
}

/// `rust-version` promises no older Rust than a dependency takes, and no newer one than is needed; clippy's
/// `incompatible_msrv` keeps redrill's own code to it.
#[test]
fn the_rust_version_is_that_of_the_neediest_dependency() {
    let version = |text: &str| {
        let parts = text.split('.').map(|part| part.parse().unwrap());
        let mut parts: Vec<u32> = parts.collect();
        parts.resize(3, 0);
        parts
    };
    let built = built();
    let needs = built
        .packages
        .values()
        .filter_map(|of| of["rust_version"].as_str());
    let most = needs.max_by_key(|of| version(of)).unwrap();
    let manifest = policy("Cargo.toml");
    let ours = &manifest["workspace"]["package"]["rust-version"];
    assert_eq!(ours.as_str(), Some(most));
}
