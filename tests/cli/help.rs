//! Help, manual pages, completions: every one of them is there, fits, and says what can be typed.

use std::process::Command;

use crate::support::{at_once, emulator, folder, process, redrill, repository_file, write};
use redrill_emulator::Options;

fn commands() -> Vec<String> {
    let command = redrill::cli::command();
    let all = command.get_subcommands();
    all.map(|sub| sub.get_name().to_owned()).collect()
}

fn printed(words: &[&str]) -> String {
    let output = process(folder().path()).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_has_short_help_long_help_and_a_page() {
    for command in commands() {
        let short = printed(&[&command, "-h"]);
        let long = printed(&[&command, "--help"]);
        let page = printed(&["man", &command]);
        for line in short.lines().chain(long.lines()) {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
        assert!(!short.contains("Exit codes:"), "{short}");
        for section in ["Examples:", "Exit codes:"] {
            assert!(long.contains(section), "{command} has no {section}\n{long}");
        }
        for section in ["EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"] {
            assert!(page.contains(section), "{command} has no {section}\n{page}");
        }
        let asked = printed(&["help", &command]);
        assert!(asked.contains("Exit codes:"), "{asked}");
    }
    assert!(printed(&["man"]).contains("EXIT STATUS"));
}

#[test]
fn help_explains_keys_types_and_rules() {
    for (topic, expected) in [
        ("objectives", "Times to meet"),
        ("objectives.rto", "From the start of the run"),
        ("EFS", "Amazon Elastic File System"),
        ("EFS.KmsKeyId", "KmsKeyId"),
        ("plan/type", "plan/type"),
    ] {
        let text = printed(&["help", topic]);
        assert!(text.contains(expected), "{topic}: {text}");
    }
    let typed = |words: &[&str]| redrill(folder().path()).args(words).assert().code(64);
    typed(&["help", "objectivs"]).stderr_eq(
        "error: `objectivs` is not a command, a key of the plan, a resource type or a rule; did you mean `objectives`?\n",
    );
    typed(&["help", "destroy"]).stderr_eq(
        "error: redrill has no command `destroy`; `redrill help cleanup` explains what you are looking for\n",
    );
}

/// Words of other tools lead to redrill's.
#[test]
fn first_contact_commands_of_other_tools_are_pointers() {
    for (typed, meant) in [
        ("apply", "run"),
        ("list", "runs"),
        ("ls", "runs"),
        ("destroy", "cleanup"),
        ("diff", "plan"),
        ("resume", "run"),
    ] {
        let assert = redrill(folder().path()).arg(typed).assert().code(64);
        assert.stderr_eq(format!(
            "error: redrill has no command `{typed}`\nhelp: `redrill {meant}` is what you are looking for; `redrill help {meant}` explains it\n"
        ));
    }
}

/// Every example is typed as it is printed, in a folder that has the repository's plans, and with an emulator for AWS.
#[tokio::test(flavor = "multi_thread")]
async fn examples_can_be_typed() {
    let inventory = repository_file("inventories/mixed.yaml");
    let mixed = emulator(Options {
        inventory: Some(redrill_emulator::Inventory::parse(&inventory).unwrap()),
        ..at_once()
    })
    .await;
    let any = emulator(at_once()).await;
    let folder = folder();
    for name in ["plans", "inventories"] {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let copied = Command::new("cp")
            .arg("-r")
            .arg(root)
            .arg(folder.path())
            .status();
        assert!(copied.unwrap().success());
    }
    // The first window of a drill is far away, so that none is missed.
    std::fs::write(
        folder.path().join("coverage.yaml"),
        "drills: [{ plan: drill, every: quarter, from: 2099-01-01, window: 14d, owner: dr }]\n",
    )
    .unwrap();
    let path = std::env::join_paths(
        [std::path::Path::new(env!("CARGO_BIN_EXE_redrill"))
            .parent()
            .unwrap()
            .to_owned()]
        .into_iter()
        .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    for (command, example) in redrill::cli::examples() {
        let url = match command {
            "inventory" => mixed.url(),
            _ => any.url(),
        };
        let line = match command {
            // It serves until it is told to stop.
            "emulator" => continue,
            "man" => "redrill man run".to_owned(),
            _ => example.to_owned(),
        };
        let (directory, path) = (folder.path().to_owned(), path.clone());
        let output = tokio::task::spawn_blocking(move || {
            process(&directory);
            Command::new("bash")
                .args(["-c", &line])
                .current_dir(&directory)
                .env("PATH", path)
                .env("HOME", &directory)
                .env("REDRILL_ENDPOINT_URL", url)
                .env("REDRILL_YES", "true")
                .stdin(std::process::Stdio::null())
                .output()
                .unwrap()
        });
        let output = output.await.unwrap();
        // An emulator proves nothing, and it says so.
        let wanted = if command == "prove" { 8 } else { 0 };
        assert_eq!(
            output.status.code(),
            Some(wanted),
            "{example}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    mixed.shutdown().await;
    any.shutdown().await;
}

/// What a shell is told that a word may become, asked as its script asks.
fn completed(directory: &std::path::Path, words: &[&str]) -> Vec<String> {
    let output = process(directory)
        .env("COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .arg("--")
        .args(words)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn words_complete_to_what_there_is() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(folder.path(), "plan.yaml", &crate::support::many(2, 0));
    let run = ["run", "plan.yaml", "--yes", "-q", "--run-id", "2026-Q4"];
    let (code, _, stderr) = crate::support::ran(folder.path(), &emulator, &run).await;
    assert_eq!(code, 0, "{stderr}");
    let on = |words: &[&str]| completed(folder.path(), words);
    assert_eq!(
        on(&["redrill", "run", "plan.yaml", "--only", "r"]),
        ["r0", "r1"]
    );
    assert_eq!(
        on(&["redrill", "report", "plan.yaml", "--run-id", "2"]),
        ["2026-Q4"]
    );
    let types = on(&["redrill", "schema", "E"]);
    assert!(types.contains(&"EFS".to_owned()), "{types:?}");
    let topics = on(&["redrill", "explain", "plan/t"]);
    assert!(topics.contains(&"plan/type".to_owned()), "{topics:?}");
    let plans = on(&["redrill", "status", "ma"]);
    assert!(plans.contains(&"many".to_owned()), "{plans:?}");
    emulator.shutdown().await;
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(printed(&["completions", shell]).contains("redrill"));
    }
}

/// The options under a heading of a command's help.
fn under(help: &str, heading: &str) -> Vec<String> {
    let lines = help
        .lines()
        .skip_while(|line| *line != format!("{heading}:"));
    let block = lines.skip(1).take_while(|line| !line.is_empty());
    let words = block.flat_map(str::split_whitespace);
    let options = words.filter(|word| word.starts_with("--"));
    let name = |word: &str| {
        word.trim_end_matches(',')
            .split(['[', '='])
            .next()
            .unwrap()
            .to_owned()
    };
    options.map(name).collect()
}

#[test]
fn first_contact_c12_options_are_under_the_headings_that_they_belong_to() {
    let inputs = [
        "--var",
        "--var-file",
        "--run-id",
        "--inventory",
        "--no-lock",
        "--only",
    ];
    let aws = ["--region", "--profile", "--endpoint-url", "--no-rate-limit"];
    for command in commands() {
        let help = printed(&[&command, "-h"]);
        for (heading, allowed) in [
            ("Inputs", &inputs[..]),
            ("AWS", &aws[..]),
            ("State", &["--state", "--state-profile", "--profile"]),
        ] {
            let strangers: Vec<String> = under(&help, heading)
                .into_iter()
                .filter(|option| !allowed.contains(&option.as_str()))
                // Help texts name options, too.
                .filter(|option| {
                    help.contains(&format!("      {option} <"))
                        || help.contains(&format!("  {option}  "))
                })
                .collect();
            assert!(strangers.is_empty(), "{command}, {heading}: {strangers:?}");
        }
    }
    for command in ["lock", "cleanup"] {
        assert!(
            !printed(&[command, "-h"]).contains("--no-lock"),
            "{command}"
        );
    }
}
