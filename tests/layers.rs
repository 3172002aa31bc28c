//! The house: a stage imports earlier stages only; an edge imports what its trait and its input need.
//!
//! Read from the sources, so that it holds for code that nobody has thought of yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Stages in their order, which is also that of the crate's documentation.
const STAGES: [&str; 16] = [
    "diagnostic",
    "parse",
    "render",
    "rules",
    "validate",
    "plan",
    "backup",
    "resolve",
    "state",
    "diff",
    "execute",
    "cleanup",
    "report",
    "evidence",
    "author",
    "session",
];

/// Edges and what of ours they may import.
const EDGES: [(&str, &[&str]); 6] = [
    ("aws", &["backup", "cleanup", "plan", "render"]),
    ("inventory", &["backup", "render"]),
    ("journal", &["state"]),
    ("process", &["diagnostic", "execute", "state"]),
    ("rehearsal", &["aws", "backup", "render"]),
    ("terminal", &["diagnostic", "execute", "state"]),
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

/// The module of a source file, room first.
fn module(relative: &str) -> Vec<&str> {
    let path = relative.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').collect()
}

/// The rooms that a text names, by `crate::` or by a chain of `super::` that leaves its own.
fn rooms<'t>(module: &[&str], text: &'t str) -> Vec<&'t str> {
    fn name(rest: &str) -> &str {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    }
    let crates = text
        .match_indices("crate::")
        .map(|(at, of)| name(&text[at + of.len()..]));
    let mut rooms: Vec<&str> = crates.collect();
    let mut rest = text;
    while let Some(at) = rest.find("super::") {
        rest = &rest[at..];
        let mut up = 0;
        while let Some(behind) = rest.strip_prefix("super::") {
            (rest, up) = (behind, up + 1);
        }
        if up >= module.len() {
            rooms.push(name(rest));
        }
    }
    rooms
}

#[test]
fn a_chain_of_supers_is_followed() {
    let of = |file, text| rooms(&module(file), text);
    assert_eq!(
        of("cli/commands/run.rs", "use super::super::exit;"),
        Vec::<&str>::new()
    );
    assert_eq!(
        of("cli/commands/run.rs", "super::super::super::diff::x"),
        ["diff"]
    );
    assert_eq!(
        of("diff/mod.rs", "use super::execute::Engine;"),
        ["execute"]
    );
    assert_eq!(
        of("diff/keys.rs", "use super::{A}; use crate::plan::B"),
        ["plan"]
    );
}

/// The modules of ours that each top-level module names, with the file that does.
fn imports() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut imports: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let is_room = |name: &&str| {
        let edges = EDGES.map(|(edge, _)| edge);
        STAGES.contains(name) || edges.contains(name) || *name == "cli"
    };
    for (relative, text) in texts() {
        let module = module(&relative);
        for name in rooms(&module, &text).into_iter().filter(is_room) {
            if name != module[0] {
                let of = imports.entry(module[0].to_owned()).or_default();
                of.insert(name.to_owned(), relative.clone());
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
            // The program on one page opens the journal of a run.
            let is_journal = *stage == "session" && name == "journal";
            assert!(
                STAGES[..at].contains(&name.as_str()) || is_journal,
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
        .chain(["cli"])
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

/// Commands say what is at hand and what to show; what is done in between is the session's.
#[test]
fn only_the_session_runs_the_engine() {
    for (relative, text) in texts() {
        let runs = text.contains("Engine {") || text.contains("take_drafts()");
        let is_allowed = ["session/", "execute/", "plan/"]
            .iter()
            .any(|room| relative.starts_with(room));
        assert!(is_allowed || !runs, "src/{relative} runs the engine itself");
    }
}

/// The emulator is told what to do by commands and rehearsals, and is AWS to everything else.
#[test]
fn only_commands_and_rehearsals_name_the_emulator() {
    for (relative, text) in texts() {
        assert!(
            relative.starts_with("cli/")
                || relative == "rehearsal.rs"
                || !text.contains("redrill_emulator"),
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
