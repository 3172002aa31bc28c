//! What goes to crates.io: everything that builds a crate, and little else. `.ci/crates` builds them from their archives.

use super::{at_root, printed};

fn packed(name: &str) -> Vec<String> {
    let mut cargo = at_root(env!("CARGO"));
    cargo.args([
        "package",
        "--list",
        "--allow-dirty",
        "--offline",
        "--locked",
        "--package",
        name,
    ]);
    printed(&mut cargo).lines().map(str::to_owned).collect()
}

#[test]
fn a_crate_has_what_it_is_built_from_and_no_tests() {
    let files = packed("redrill");
    for file in [
        "LICENSE-MIT",
        "THIRD-PARTY-LICENSES.txt",
        "build.rs",
        "docs/rules.md",
        "docs/rehearsal.svg",
        "plans/checks/has-an-id.sh",
        "plans/quickstart.yaml",
        "schemas/efs.yaml",
        "src/main.rs",
    ] {
        assert!(files.iter().any(|of| of == file), "{file} is missing");
    }
    for folder in [
        "tests/",
        "benches/",
        "fuzz/",
        "inventories/",
        "packaging/",
        ".github/",
        "crates/",
    ] {
        let more = files.iter().find(|of| of.starts_with(folder));
        assert_eq!(more, None);
    }
    for name in ["redrill-emulator", "redrill-inventory"] {
        let files = packed(name);
        assert!(files.iter().any(|of| of == "src/lib.rs"), "{name}");
        assert!(!files.iter().any(|of| of.starts_with("tests/")), "{name}");
    }
}

/// Whoever looks at crates.io is told what it is, and where its sources are.
#[test]
fn every_crate_says_what_it_is() {
    let metadata = at_root(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--locked",
            "--format-version",
            "1",
        ])
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert_eq!(packages.len(), 3);
    for package in packages {
        for key in ["description", "license", "repository", "rust_version"] {
            assert!(package[key].is_string(), "{}: {key}", package["name"]);
        }
        assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
    }
}
