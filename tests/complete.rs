//! Lists that have to be complete: documents, schemas and commands against the code.

use std::collections::{BTreeMap, BTreeSet};

use redrill::cli::Exit;
use redrill::rules::Rules;

use crate::support::{folder, redrill, repository_file, write};

#[test]
fn the_exit_codes_of_the_document_are_those_of_the_code() {
    let document = repository_file("docs/exit-codes.md");
    let rows: Vec<(u8, String)> = document
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let code = cells.next()?.trim().parse().ok()?;
            Some((code, cells.next()?.trim_end_matches(" |").to_owned()))
        })
        .collect();
    let of_code: Vec<(u8, String)> = Exit::ALL
        .iter()
        .map(|(_, code, words)| (*code, (*words).to_owned()))
        .collect();
    let (own, others) = rows.split_at(of_code.len());
    assert_eq!(own, of_code);
    let others: Vec<u8> = others.iter().map(|(code, _)| *code).collect();
    assert_eq!(others, [101, 129], "what a shell says of a command");
}

/// A row for each command, with the codes that its help has.
#[test]
fn first_contact_the_exit_codes_of_each_command_are_a_row() {
    let document = repository_file("docs/exit-codes.md");
    let codes = |text: &str, end: char| {
        let words = text.split(end).map(str::trim);
        words
            .filter_map(|word| word.parse().ok())
            .collect::<BTreeSet<u8>>()
    };
    let mut rows: BTreeMap<&str, BTreeSet<u8>> = BTreeMap::new();
    for line in document.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let command = cells[0].trim_start_matches("| `").trim_end_matches('`');
        let command = command.split(' ').next().unwrap();
        let of = codes(cells[1].trim_end_matches('|'), ',');
        rows.entry(command).or_default().extend(of);
    }
    let folder = folder();
    for command in redrill::cli::command().get_subcommands() {
        let name = command.get_name();
        let output = redrill(folder.path()).args([name, "--help"]).output();
        let help = String::from_utf8(output.unwrap().stdout).unwrap();
        let Some((_, help)) = help.split_once("Exit codes:") else {
            continue;
        };
        let help: String = help
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .map(|word| word.to_owned() + " ")
            .collect();
        assert_eq!(rows.get(name), Some(&codes(&help, ' ')), "{name}");
    }
}

/// The example at the beginning is what is printed; only the time that has passed may be another.
#[test]
fn first_contact_the_sample_of_the_readme_is_what_is_printed() {
    let readme = repository_file("README.md");
    let sample = readme.split("```text\n").nth(1).unwrap();
    let sample = sample.split("```").next().unwrap();
    let folder = folder();
    write(
        folder.path(),
        "quickstart.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    let words = ["rehearse", "quickstart.yaml"];
    let output = redrill(folder.path()).args(words).output().unwrap();
    let printed = [output.stderr, output.stdout].concat();
    let printed = String::from_utf8(printed).unwrap();
    let what = |line: &str| match line.starts_with('+') {
        true => line.split_once("  ").unwrap().1.to_owned(),
        false => line.to_owned(),
    };
    let printed: Vec<String> = printed.lines().map(what).collect();
    for line in sample.lines().filter(|line| *line != "…") {
        assert!(printed.contains(&what(line)), "{line}\n{printed:#?}");
    }
}

#[test]
fn every_schema_compiles_and_is_named_after_its_type() {
    let titles = Rules::embedded().compile_all().unwrap();
    assert!(titles.iter().any(|title| title == "EFS"));
}

#[test]
fn every_command_is_in_the_readme_and_says_what_it_does() {
    let readme = repository_file("README.md");
    for command in redrill::cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(
            readme.contains(&format!("`{name}")),
            "README.md does not name `{name}`"
        );
        assert!(command.get_about().is_some(), "`{name}` has no help");
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some()
                    || argument.is_hide_set()
                    || argument.get_id() == "format",
                "`{name}`: {} has no help",
                argument.get_id()
            );
        }
    }
}

#[test]
fn the_command_line_is_sound() {
    redrill::cli::command().debug_assert();
}
