//! Lists that have to be complete: documents, schemas and commands against the code.

use redrill::cli::Exit;
use redrill::rules::Rules;

use crate::support::repository_file;

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
