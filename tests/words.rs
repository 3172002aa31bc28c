//! Sentences that a tired reader reads twice (docs/style.md): in strings of the sources, and in the documents.

use std::path::{Path, PathBuf};

use regex::Regex;

use crate::literals::literals;

/// A phrase, and what to write instead.
const PHRASES: &[(&str, &str)] = &[
    (r"\bknows? no\b", "unknown … in …"),
    (
        r"\b(this|that|it|which|who|`|\}) (is|are) no [`a-z]",
        "is not a …",
    ),
    (r"(^|[^{])\banew\b", "again"),
    (r"\bhangs? on\b", "depends on"),
    (r"\b[Ww]hat is no\b", "anything that is not …"),
    (
        r"\b[Ss]tands? (in|at|on|here|where|under|inside|beside|against)\b",
        "is in",
    ),
    (r"\b[Bb]eside (the|it|its|a|another|them|that)\b", "next to"),
    (r"\b(is|are|was) other than\b", "differs from"),
    (r"\bhas no rules of\b", "unknown resource type"),
    (r"\b[Ww]ith `?--[a-z-]+`? alone\b", "only with"),
    (r"\bheld against\b", "compared with"),
    (
        r"\b(told|said) apart\b",
        "distinguished, reported separately",
    ),
    (r"\bnothing else than\b", "only"),
    (r"\bdoes not pass for\b", "is never mistaken for"),
    (r"\b(is|are) none of AWS's\b", "is not one of AWS's"),
];

/// Sentences that stay, and why.
const ALLOWED: &[&str] = &[];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, extension, files);
        } else if path.extension().is_some_and(|e| e == extension) {
            files.push(path);
        }
    }
}

/// The string literals of a source, each with its line, without the tests at its end.
fn strings(source: &str) -> Vec<(usize, String)> {
    let code = source.split("#[cfg(test)]\nmod tests").next();
    // A line that is continued is one sentence.
    let joined = Regex::new(r"\\\n\s*").unwrap();
    literals(code.unwrap_or_default())
        .into_iter()
        .map(|(line, text)| (line, joined.replace_all(&text, "").into_owned()))
        .collect()
}

fn offends(text: &str, phrases: &[(Regex, &str)]) -> Option<String> {
    let text = text.replace("no longer", "");
    let text = ALLOWED
        .iter()
        .fold(text, |text, allowed| text.replace(allowed, ""));
    let found = phrases
        .iter()
        .find_map(|(phrase, instead)| Some((phrase.find(&text)?, instead)))?;
    Some(format!("«{}»: write «{}»", found.0.as_str(), found.1))
}

fn phrases() -> Vec<(Regex, &'static str)> {
    let phrase = |(phrase, instead): &(&str, &'static str)| (Regex::new(phrase).unwrap(), *instead);
    PHRASES.iter().map(phrase).collect()
}

#[test]
fn strings_and_documents_are_in_plain_english() {
    let phrases = phrases();
    let mut sources = Vec::new();
    files_below(&root().join("src"), "rs", &mut sources);
    files_below(
        &root().join("crates/redrill-emulator/src"),
        "rs",
        &mut sources,
    );
    files_below(
        &root().join("crates/redrill-inventory/src"),
        "rs",
        &mut sources,
    );
    let mut offenders = Vec::new();
    let mut seen = 0;
    let mut look = |path: &Path, line: usize, text: &str| {
        if let Some(why) = offends(text, &phrases) {
            let name = path.strip_prefix(root()).unwrap().display();
            offenders.push(format!("{name}:{line}: {why}: {text}"));
        }
    };
    for path in &sources {
        for (line, text) in strings(&std::fs::read_to_string(path).unwrap()) {
            seen += 1;
            look(path, line, &text);
        }
    }
    assert!(seen > 3000, "{seen} strings");
    let mut documents = vec![root().join("README.md")];
    files_below(&root().join("docs"), "md", &mut documents);
    for path in &documents {
        // Its examples are what it is about.
        if path.ends_with("docs/style.md") {
            continue;
        }
        for (at, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
            look(path, at + 1, line);
        }
    }
    let mut data = Vec::new();
    for folder in ["plans", "schemas"] {
        files_below(&root().join(folder), "yaml", &mut data);
    }
    assert!(data.len() > 30, "{}", data.len());
    for path in &data {
        for (at, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
            look(path, at + 1, line);
        }
    }
    assert!(
        offenders.is_empty(),
        "docs/style.md:\n{}",
        offenders.join("\n")
    );
}

#[test]
fn the_words_find_what_they_are_for() {
    let phrases = phrases();
    let text = "let a = \"a plan knows no key\"; // is no comment\nlet b = \"one \\\n  that hangs on it\";\nlet c = '\"';";
    let found: Vec<_> = strings(text)
        .iter()
        .filter_map(|(line, text)| offends(text, &phrases).map(|_| *line))
        .collect();
    assert_eq!(found, [1, 2]);
    // Each example of the style page that the test knows is one.
    let page = std::fs::read_to_string(root().join("docs/style.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|line| line.split(" | ").collect())
        .collect();
    assert!(
        rows.len() >= 20 && rows.iter().all(|row| row.len() == 3),
        "{rows:?}"
    );
    for row in &rows {
        assert!(offends(row[2], &phrases).is_none(), "{row:?}");
    }
    let known = rows
        .iter()
        .filter(|row| offends(row[1], &phrases).is_some());
    assert!(known.count() >= 6);
}
