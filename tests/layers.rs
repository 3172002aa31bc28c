//! The house: a stage imports earlier stages only; an edge imports what its trait and its input need.
//!
//! Read from the sources, so that it holds for code that nobody has thought of yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Stages in their order, which is also that of the crate's documentation.
const STAGES: [&str; 24] = [
    "ids",
    "diagnostic",
    "parse",
    "render",
    "rules",
    "validate",
    "plan",
    "backup",
    "permissions",
    "resolve",
    "state",
    "diff",
    "execute",
    "cleanup",
    "preflight",
    "forecast",
    "report",
    "evidence",
    "proof",
    "controls",
    "coverage",
    "export",
    "author",
    "session",
];

/// Edges and what of ours they may import.
const EDGES: [(&str, &[&str]); 6] = [
    (
        "aws",
        &[
            "backup",
            "cleanup",
            "ids",
            "journal",
            "plan",
            "preflight",
            "render",
        ],
    ),
    ("inventory", &["backup", "ids", "render", "rules"]),
    ("journal", &["backup", "ids", "state"]),
    (
        "process",
        &["backup", "diagnostic", "execute", "ids", "state"],
    ),
    ("rehearsal", &["aws", "backup", "ids", "render"]),
    (
        "terminal",
        &["backup", "diagnostic", "execute", "ids", "state"],
    ),
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
pub(super) fn texts() -> Vec<(String, String)> {
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

/// The code of a source file, without its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// The types that a file defines, each with its lines.
fn types(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut lines = code(text).lines();
    while let Some(line) = lines.next() {
        let words = line
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        let words = match words.strip_prefix("pub(") {
            Some(rest) => rest.split_once(") ").map_or("", |(_, rest)| rest),
            None => words,
        };
        let named = ["struct ", "enum ", "trait "].iter();
        let Some(name) = named.filter_map(|word| words.strip_prefix(word)).next() else {
            continue;
        };
        let name = name.split(|c: char| !c.is_alphanumeric()).next();
        let fields = match line.ends_with('{') {
            true => lines
                .by_ref()
                .take_while(|line| !line.starts_with('}'))
                .collect(),
            false => Vec::new(),
        };
        found.push((name.unwrap_or_default(), fields));
    }
    found
}

/// What is given a method: the type of `impl Type<…> {`, not that of a trait's.
fn has_methods(text: &str) -> Vec<&str> {
    let heads = code(text).split("\nimpl").skip(1);
    let heads = heads.filter_map(|rest| rest.split(" {\n").next()?.split("\n{").next());
    heads
        .filter_map(|head| {
            let head = match head.strip_prefix('<') {
                // What is generic ends where its angle does.
                Some(rest) => {
                    let mut depth = 1;
                    let end = rest.find(|c: char| {
                        depth += i32::from(c == '<') - i32::from(c == '>');
                        depth == 0
                    });
                    &rest[end? + 1..]
                }
                None => head,
            };
            let is_trait = head.split_whitespace().any(|word| word == "for");
            let name = head.trim().split(|c: char| !c.is_alphanumeric()).next();
            name.filter(|_| !is_trait)
        })
        .collect()
}

/// Who looks for what a type does looks into its file, or below it.
#[test]
fn the_methods_of_a_type_stand_in_its_file() {
    let texts = texts();
    let mut homes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (relative, text) in &texts {
        for (name, _) in types(text) {
            homes.entry(name).or_default().push(relative);
        }
    }
    let mut strays = Vec::new();
    for (relative, text) in &texts {
        for name in has_methods(text) {
            let Some(homes) = homes.get(name) else {
                continue;
            };
            let is_home = |home: &&&str| {
                let below = home.trim_end_matches(".rs").trim_end_matches("/mod");
                relative == **home || relative.starts_with(&format!("{below}/"))
            };
            if !homes.iter().any(|home| is_home(&home)) {
                strays.push(format!(
                    "src/{relative} has methods of {name}, which is in {homes:?}"
                ));
            }
        }
    }
    assert!(strays.is_empty(), "{strays:#?}");
}

/// A struct with more is several. What is written or read as it stands has the fields of its format.
#[test]
fn no_struct_has_more_than_fifteen_fields() {
    let mut large = Vec::new();
    for (relative, text) in texts() {
        for (name, lines) in types(&text) {
            let head = text.find(&format!("struct {name}")).map(|at| &text[..at]);
            let derived = head.and_then(|head| head.rsplit("\n\n").next());
            let is_format =
                derived.is_some_and(|it| it.contains("Serialize") || it.contains("Deserialize"));
            let is_field = |line: &&&str| {
                let line = line.trim_start_matches("    ");
                !line.starts_with([' ', '/', '#', ')', ']']) && line.contains(": ")
            };
            let fields = lines.iter().filter(is_field).count();
            if head.is_some() && !is_format && fields > 15 {
                large.push(format!("{name} of src/{relative} has {fields} fields"));
            }
        }
    }
    assert!(large.is_empty(), "{large:#?}");
}

#[test]
fn methods_and_types_are_found_however_they_are_written() {
    let text = "pub(super) struct A<'a> {\n    a: u8,\n    /// B.\n    pub b: u8,\n}\n\nimpl<T: X<u8>> A<T> {\n}\n\n\
                impl Y for B {\n}\n\nimpl<A: Z,\n>\n    Run<'_, A>\n{\n}\n\nenum C {\n}\n";
    let found = types(text);
    assert_eq!(found[0].0, "A");
    assert_eq!(found[0].1.len(), 3);
    assert_eq!(found[1].0, "C");
    assert_eq!(has_methods(text), ["A", "Run"]);
}

/// Names that two types have, and why.
const SHARED_NAMES: [(&str, &str); 1] = [(
    "SystemSignals",
    "one of Unix and one of other systems: only one is compiled",
)];

/// The code of a source file, without its modules of tests.
fn without_tests(text: &str) -> Vec<&str> {
    let mut code = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_module = |next: &&str| next.trim_start().starts_with("mod ") && next.ends_with('{');
        if line.trim_start() == "#[cfg(test)]" && lines.peek().is_some_and(is_module) {
            let end = line.replace("#[cfg(test)]", "}");
            for _ in lines.by_ref().take_while(|line| *line != end) {}
        } else {
            code.push(line);
        }
    }
    code
}

/// The types that a file names, also those in modules and functions: what a trait or an `impl` has is theirs.
fn type_names(text: &str) -> Vec<&str> {
    fn item(line: &str) -> (usize, &str) {
        let words = line.trim_start();
        let depth = line.len() - words.len();
        let words = match words.strip_prefix("pub(") {
            Some(rest) => rest.split_once(") ").map_or("", |(_, rest)| rest),
            None => words.trim_start_matches("pub "),
        };
        (depth, words)
    }
    let mut names = Vec::new();
    // Depth of the trait or `impl` that the lines are in.
    let mut within: Option<usize> = None;
    for line in without_tests(text) {
        let (depth, words) = item(line);
        if words.starts_with('}') && within == Some(depth) {
            within = None;
        }
        let begins = |word: &str| words.strip_prefix(word);
        let is_block = ["impl ", "impl<", "trait "]
            .into_iter()
            .any(|word| begins(word).is_some());
        if is_block && within.is_none() && !words.ends_with("{}") {
            within = Some(depth);
        }
        let named = ["struct ", "enum ", "union ", "trait "]
            .into_iter()
            .find_map(begins);
        let alias = begins("type ").filter(|_| within.is_none());
        if let Some(rest) = named.or(alias) {
            let name = rest.split(|c: char| !c.is_alphanumeric()).next();
            names.extend(name.filter(|name| name.starts_with(char::is_uppercase)));
        }
    }
    names
}

/// Who searches for a name finds one type, and who reads it need not ask of which module.
#[test]
fn type_names_are_unique() {
    let texts = texts();
    let mut homes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (relative, text) in &texts {
        for name in type_names(text) {
            homes.entry(name).or_default().push(relative);
        }
    }
    assert!(homes.len() > 500, "{} types are found", homes.len());
    homes.retain(|_, files| files.len() > 1);
    for (name, why) in SHARED_NAMES {
        let shared = homes.remove(name);
        assert!(shared.is_some(), "one type is called {name}: {why}");
    }
    assert!(homes.is_empty(), "types of one name: {homes:#?}");
}

#[test]
fn types_are_named_wherever_they_stand() {
    let text = "pub(super) struct A<'a>(&'a B);\n\ntype C = A<'static>;\n\npub(in crate::x) enum D {\n    E,\n}\n\n\
                impl F for A<'_> {\n    type G = D;\n\n    fn h() {\n        struct I;\n    }\n}\n\n\
                pub trait J: K {\n    type L;\n}\n\nfn m() {\n    type N = u8;\n}\n\n\
                #[cfg(test)]\nuse o::P;\n\n#[cfg(unix)]\nmod q {\n    pub(super) union R {\n    }\n}\n\n\
                #[cfg(test)]\nmod tests {\n    struct S;\n}\n\nstruct T;\n";
    assert_eq!(type_names(text), ["A", "C", "D", "I", "J", "N", "R", "T"]);
}
