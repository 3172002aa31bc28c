//! Facts of a resource type are data: no string in `src/` names a type or one of its metadata keys.

use std::collections::BTreeSet;

use redrill::rules::Rules;
use serde_json::Value;

use crate::layers::texts;
use crate::support::repository_file;

/// Strings that name a type all the same: the file, and a part of the string.
const NAMES: [(&str, &str); 4] = [
    // Examples that tests run.
    ("cli/help.rs", "redrill explain EFS"),
    // A plan as one writes it, where somebody has written it otherwise.
    ("parse/document.rs", "type: EFS"),
    ("parse/settings.rs", "by_type: { EKS: 1 }"),
    // The rule is registered by the name under which it is published, `selector/ebs-copies`.
    ("diagnostic/rule.rs", "copied EBS snapshot"),
];

/// The same of keys.
const KEYS: [(&str, &str); 2] = [
    ("cli/help.rs", "redrill explain EFS.KmsKeyId"),
    // AWS Backup's own, of every type that takes it.
    ("validate/mod.rs", "aws:backup:request-id"),
];

/// The string literals of a source, with their lines; what is in comments is none.
pub(crate) fn literals(code: &str) -> Vec<(usize, String)> {
    let characters: Vec<char> = code.chars().collect();
    let has = |at: usize, text: &str| {
        let wanted = text.chars().count();
        characters
            .get(at..at + wanted)
            .is_some_and(|found| found.iter().copied().eq(text.chars()))
    };
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    let is_word = |at: usize| {
        characters
            .get(at)
            .is_some_and(|c| c.is_alphanumeric() || *c == '_')
    };
    while at < characters.len() {
        let start = at;
        if has(at, "//") {
            while at < characters.len() && characters[at] != '\n' {
                at += 1;
            }
        } else if has(at, "/*") {
            let mut depth = 0;
            loop {
                if has(at, "/*") {
                    (depth, at) = (depth + 1, at + 2);
                } else if has(at, "*/") {
                    (depth, at) = (depth - 1, at + 2);
                } else {
                    at += 1;
                }
                if depth == 0 || at >= characters.len() {
                    break;
                }
            }
        } else if characters[at] == 'r'
            && (at == 0 || !is_word(at - 1) || (characters[at - 1] == 'b'))
            && let hashes = characters[at + 1..]
                .iter()
                .take_while(|c| **c == '#')
                .count()
            && has(at + 1 + hashes, "\"")
        {
            let end = format!("\"{}", "#".repeat(hashes));
            let from = at + 2 + hashes;
            at = from;
            while at < characters.len() && !has(at, &end) {
                at += 1;
            }
            found.push((line, characters[from..at].iter().collect()));
            at += end.len();
        } else if characters[at] == '"' {
            at += 1;
            while at < characters.len() && characters[at] != '"' {
                at += if characters[at] == '\\' { 2 } else { 1 };
            }
            found.push((line, characters[start + 1..at].iter().collect()));
            at += 1;
        } else if characters[at] == '\'' {
            // A lifetime has no second quote.
            at += match (characters.get(at + 1), characters.get(at + 2)) {
                (Some('\\'), _) => {
                    2 + characters[at + 2..]
                        .iter()
                        .take_while(|c| **c != '\'')
                        .count()
                        .max(1)
                        + 1
                }
                (Some(_), Some('\'')) => 3,
                _ => 1,
            };
        } else {
            at += 1;
        }
        let passed = &characters[start..at.min(characters.len())];
        line += passed.iter().filter(|c| **c == '\n').count();
    }
    found
}

/// Whether a text has a name in it, and not as a part of a longer word.
fn names(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(name).any(|(at, _)| {
        !text[..at].ends_with(is_word) && !text[at + name.len()..].starts_with(is_word)
    })
}

/// Where the sources have one of these words in a string, but for what is allowed; and what is allowed for nothing.
fn found(words: &BTreeSet<String>, allowed: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for (relative, text) in texts() {
        let code = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or_default();
        for (line, literal) in literals(code) {
            let Some(word) = words.iter().find(|word| names(&literal, word)) else {
                continue;
            };
            match allowed
                .iter()
                .find(|(file, part)| *file == relative && literal.contains(part))
            {
                Some(allowed) => drop(used.insert(allowed)),
                None => found.push(format!("src/{relative}:{line}: `{word}` in \"{literal}\"")),
            }
        }
    }
    let unused = allowed.iter().filter(|allowed| !used.contains(allowed));
    found.extend(unused.map(|(file, part)| format!("src/{file} has no \"{part}\"")));
    found
}

#[test]
fn issue_15_no_string_names_a_resource_type() {
    let mut names = BTreeSet::new();
    for title in Rules::embedded().types() {
        let stem = title.to_lowercase().replace(' ', "-");
        let file: Value =
            serde_yaml::from_str(&repository_file(&format!("schemas/{stem}.yaml"))).unwrap();
        let notes = &file["x-redrill"];
        let also = notes["also"].as_array().into_iter().flatten();
        let other = also
            .chain([&notes["facts"]["called"]])
            .filter_map(Value::as_str);
        names.extend(other.map(str::to_owned));
        names.insert(title.to_owned());
    }
    let found = found(&names, &NAMES);
    assert!(
        found.is_empty(),
        "what is so of a type stands in its schema (`facts`, schemas/README.md): {found:#?}"
    );
}

#[test]
fn issue_15_no_string_names_a_metadata_key_of_a_type() {
    let rules = Rules::embedded();
    let keys = rules
        .types()
        .filter_map(|title| rules.schema(title)?["properties"].as_object());
    // What is a word of any language says nothing: `Name`, `Encrypted`.
    let is_telling = |key: &&String| {
        let mut rest = key.chars().skip(1);
        rest.any(|c| !c.is_lowercase())
    };
    let keys = keys
        .flat_map(|keys| keys.keys())
        .filter(is_telling)
        .cloned();
    let found = found(&keys.collect(), &KEYS);
    assert!(
        found.is_empty(),
        "what is so of a type stands in its schema (`facts`, schemas/README.md): {found:#?}"
    );
}

#[test]
fn strings_are_told_from_what_is_around_them() {
    let code = r###"
        // "no"
        /* "no /* "no" */ "no" */
        let a = "one"; let b: &'static str = "two \" and \\";
        let c = ['"', '\'', '\\', '\u{22}', 'x']; let d = r#"a "raw" one"#; let e = br"bytes";
        let f = "over
            lines"; let g = b"last";
    "###;
    let literals = literals(code);
    let texts: Vec<&str> = literals.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "one",
            r#"two \" and \\"#,
            "a \"raw\" one",
            "bytes",
            "over\n            lines",
            "last"
        ]
    );
    let lines: Vec<usize> = literals.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [4, 4, 5, 5, 6, 7]);
    assert!(names("type: EFS", "EFS") && names("`EFS`", "EFS"));
    assert!(!names("EFSx", "EFS") && !names("selector/ebs-copies", "EBS"));
}
