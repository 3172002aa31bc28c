//! The files of `schemas/`, embedded. What every one of them is asked for is read off its lines: starting up has to be quick.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Every schema file: its stem and its text.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// The file that is no type: it holds what several types share.
const COMMON: &str = "common";

/// Other names that AWS's own pages give a type, to its title.
static ALSO: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| named("also").collect());

/// The titles, by their letters and digits alone, in lower case.
static LETTERS: LazyLock<BTreeMap<String, &str>> = LazyLock::new(|| {
    let titles = of_types().map(|(_, text)| title(text));
    titles.map(|title| (letters(title), title)).collect()
});

/// The files of types: the stem and the text of each.
pub(super) fn of_types() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = FILES.iter().copied();
    all.filter(|(stem, _)| *stem != COMMON)
}

/// The text of a file, by its stem.
pub(super) fn file(stem: &str) -> Option<&'static str> {
    FILES.iter().find(|(s, _)| *s == stem).map(|(_, t)| *t)
}

/// The text of what several types share.
pub(super) fn common() -> &'static str {
    file(COMMON).unwrap_or_default()
}

/// AWS's name of a file's type.
pub(super) fn title(text: &'static str) -> &'static str {
    text.lines()
        .find_map(|line| line.strip_prefix("title: "))
        .unwrap_or_default()
}

/// AWS's own name of a type, where its pages have several.
pub(super) fn title_of(resource_type: &str) -> &str {
    ALSO.get(resource_type).copied().unwrap_or(resource_type)
}

/// The same of what AWS, or a journal, calls a type: blanks, hyphens and case are told apart by nobody.
pub(crate) fn title_by_letters(resource_type: &str) -> &str {
    let title = LETTERS.get(&letters(resource_type));
    title.copied().unwrap_or(resource_type)
}

fn letters(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// The other names of all types, `also` or `mistaken`, each with the title.
pub(super) fn named(member: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    of_types().flat_map(move |(_, text)| names(text, member).map(move |name| (name, title(text))))
}

fn names(text: &'static str, member: &str) -> impl Iterator<Item = &'static str> {
    let listed = |line: &'static str| {
        let rest = line.strip_prefix("  ")?.strip_prefix(member)?;
        rest.strip_prefix(": [")?.strip_suffix(']')
    };
    text.lines()
        .take_while(|line| !line.starts_with("type: "))
        .find_map(listed)
        .into_iter()
        .flat_map(|names| names.split(", "))
}

/// `x-redrill` at the top of a file, a piece of YAML that can be read without the rest.
pub(super) fn block(text: &'static str) -> &'static str {
    const HEAD: &str = "\nx-redrill:\n";
    let Some(start) = text.find(HEAD) else {
        return "";
    };
    let block = &text[start + 1..];
    let inside = HEAD.len() - 1;
    let end = block[inside..]
        .match_indices('\n')
        .map(|(at, _)| inside + at + 1)
        .find(|at| !block[*at..].starts_with([' ', '#', '\n']));
    &block[..end.unwrap_or(block.len())]
}

#[cfg(test)]
mod tests {
    use super::{block, common, of_types};

    #[test]
    fn no_key_is_written_twice() {
        for (name, text) in of_types().chain([("common", common())]) {
            // JSON's maps take the last of two; YAML's do not take them at all.
            let read = serde_yaml::from_str::<serde_yaml::Value>(text);
            assert!(read.is_ok(), "{name}: {}", read.unwrap_err());
        }
    }

    #[test]
    fn a_block_ends_where_the_next_member_of_the_file_begins() {
        let text = "title: A\nx-redrill:\n  a: 1\n# why\n\n  b: 2\ntype: object\nx-redrill:\n";
        assert_eq!(block(text), "x-redrill:\n  a: 1\n# why\n\n  b: 2\n");
        assert_eq!(block("title: A\nx-redrill:\n  a: 1"), "x-redrill:\n  a: 1");
        assert_eq!(block("title: A\n"), "");
    }
}
