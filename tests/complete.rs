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
fn first_contact_the_sample_of_the_page_is_what_is_printed() {
    let readme = repository_file("docs/installing.md");
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
fn every_command_is_in_the_pages_and_says_what_it_does() {
    let readme = repository_file("docs/commands.md");
    for command in redrill::cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(
            readme.contains(&format!("`{name}")),
            "docs/commands.md does not name `{name}`"
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

/// What stands in the way of harm is held by a test, or the page says what is not so.
#[test]
fn the_tests_that_the_threat_model_names_exist() {
    let page = repository_file("docs/threat-model.md");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let last = rows.filter_map(|row| row.trim_end_matches(" |").rsplit_once("| "));
    let names = last.flat_map(|(_, tests)| tests.split('`').skip(1).step_by(2));
    let names: Vec<&str> = names.collect();
    assert!(names.len() > 25, "{names:?}");
    let mut sources = String::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("tests"), root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|end| end == "rs") => {
                    sources.push_str(&std::fs::read_to_string(path).unwrap());
                }
                false => {}
            }
        }
    }
    for name in names {
        let test = format!("fn {name}(");
        assert!(sources.contains(&test), "docs/threat-model.md: {name}");
    }
}

/// The example of `init` is a plan that passes a rehearsal as it is, with its check, and is never written over something.
#[cfg(unix)]
#[test]
fn the_example_of_init_is_rehearsed_as_it_is() {
    let folder = folder();
    let init = |words: &[&str]| {
        let output = redrill(folder.path()).arg("init").args(words).output();
        let output = output.unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), said)
    };
    let (code, said) = init(&["--example"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("redrill rehearse quickstart.yaml"), "{said}");
    let words = ["rehearse", "quickstart.yaml"];
    let output = redrill(folder.path()).args(words).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("3 of 3 restored"), "{said}");
    assert!(said.contains("the table has a name"), "{said}");
    let words = ["validate", "quickstart.yaml"];
    let output = redrill(folder.path()).args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    // Somebody may have gone on writing.
    write(
        folder.path(),
        "quickstart.yaml",
        "plan: mine\nrestores: {}\n",
    );
    let (code, said) = init(&["--example"]);
    assert_eq!(code, 64, "{said}");
    let (code, said) = init(&["--example", "-o", "other/first.yaml"]);
    assert_eq!(code, 0, "{said}");
    assert!(folder.path().join("other/checks/has-an-id.sh").exists());
    let (code, said) = init(&["--example", "--name", "x"]);
    assert_eq!(code, 64, "{said}");
}

#[test]
fn a_program_says_which_it_is() {
    let folder = folder();
    for words in [["--version", "--verbose"], ["-V", "-v"]] {
        let output = redrill(folder.path()).args(words).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let version = format!("redrill {}\n", env!("CARGO_PKG_VERSION"));
        assert!(said.starts_with(&version), "{said}");
        for part in [
            "commit: ",
            "target: ",
            "rules: of 20",
            "model of AWS: botocore ",
        ] {
            assert!(said.contains(part), "{said}");
        }
        // The model is the one that the tests hold the schemas against.
        let pin = crate::python::AWS_TOOLS[0].replace("==", " ");
        assert!(said.contains(&pin), "{said}");
    }
}
