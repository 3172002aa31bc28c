//! The house: a stage imports earlier stages only; an edge imports what its trait and its input need.
//!
//! Read from the sources, so that it holds for code that nobody has thought of yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Stages in their order, which is also that of the crate's documentation.
const STAGES: [&str; 11] = [
    "diagnostic",
    "parse",
    "render",
    "validate",
    "plan",
    "diff",
    "execute",
    "cleanup",
    "report",
    "evidence",
    "author",
];

/// Edges and what of ours they may import.
const EDGES: [(&str, &[&str]); 5] = [
    ("aws", &["cleanup", "diff", "execute", "plan", "render"]),
    ("inventory", &["diff", "render"]),
    ("journal", &["execute"]),
    ("process", &["diagnostic", "execute"]),
    ("terminal", &["diagnostic", "execute"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file: its path below `src`, and its text.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let relative = |file: PathBuf| {
        let below = file.strip_prefix(&root).unwrap();
        below.to_string_lossy().replace('\\', "/")
    };
    files
        .into_iter()
        .map(relative)
        .map(|name| {
            let text = crate::support::repository_file(&format!("src/{name}"));
            (name, text)
        })
        .collect()
}

/// The modules of ours that each top-level module names, with the file that does.
fn imports() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut imports: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (relative, text) in texts() {
        let module = relative.split(['/', '.']).next().unwrap().to_owned();
        for (at, _) in text.match_indices("crate::") {
            let rest = &text[at + "crate::".len()..];
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if name != module && !name.is_empty() {
                imports
                    .entry(module.clone())
                    .or_default()
                    .insert(name, relative.clone());
            }
        }
    }
    imports
}

#[test]
fn a_stage_imports_earlier_stages_only() {
    let imports = imports();
    for (at, stage) in STAGES.iter().enumerate() {
        for (name, file) in imports.get(*stage).into_iter().flatten() {
            assert!(
                STAGES[..at].contains(&name.as_str()),
                "src/{file}: the stage `{stage}` imports `{name}`, which is no earlier stage"
            );
        }
    }
}

#[test]
fn an_edge_imports_what_it_serves() {
    let imports = imports();
    for (edge, allowed) in EDGES {
        for (name, file) in imports.get(edge).into_iter().flatten() {
            assert!(
                allowed.contains(&name.as_str()),
                "src/{file}: the edge `{edge}` imports `{name}`"
            );
        }
    }
}

#[test]
fn every_module_has_its_place() {
    let lib = crate::support::repository_file("src/lib.rs");
    let placed: Vec<&str> = STAGES
        .into_iter()
        .chain(EDGES.map(|(edge, _)| edge))
        .chain(["cli", "session"])
        .collect();
    for line in lib.lines() {
        if let Some(name) = line.strip_prefix("pub mod ") {
            let name = name.trim_end_matches(';');
            assert!(
                placed.contains(&name),
                "`{name}` is neither a stage nor an edge: say which in tests/layers.rs"
            );
        }
    }
}

/// The emulator is told what to do by commands, and is AWS to everything else.
#[test]
fn only_commands_name_the_emulator() {
    for (relative, text) in texts() {
        assert!(
            relative.starts_with("cli/") || !text.contains("redrill_emulator"),
            "src/{relative} names the emulator"
        );
    }
}

/// The SDK stays behind one door, and so does the environment (clippy.toml keeps the latter).
#[test]
fn only_the_aws_edge_names_the_sdk() {
    for (relative, text) in texts() {
        assert!(
            relative.starts_with("aws/") || !text.contains("aws_sdk_"),
            "src/{relative} names the AWS SDK"
        );
    }
}

#[test]
fn no_file_has_grown_past_four_hundred_lines_of_code() {
    for (relative, text) in texts() {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
            .count();
        assert!(
            lines <= 400,
            "src/{relative} has {lines} lines of code: two rooms with names?"
        );
    }
}
