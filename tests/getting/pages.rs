//! README and docs/: every page is in the index and in the program, every link leads somewhere, and every command that can
//! run without an account does.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{at_root, printed};
use crate::drill;
use crate::support::{at_once, folder, process, repository_file, write};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page of docs/ but the contents of the book.
fn pages() -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join("docs")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md") && name != "SUMMARY.md")
        .collect()
}

/// The pages that the index names, in its order.
fn indexed() -> Vec<String> {
    let index = repository_file("docs/README.md");
    let lines = index.lines().filter(|line| line.starts_with("- ["));
    let links = lines.map(|line| line.split_once("](").unwrap().1.split_once(')').unwrap().0);
    links.map(str::to_owned).collect()
}

#[test]
fn the_program_prints_every_page_in_the_order_of_the_index() {
    let scratch = folder();
    let (code, printed, _) = drill::run(scratch.path(), &["explain", "--all"]);
    assert_eq!(code, 0);
    let mut order = vec!["README.md".to_owned()];
    order.extend(indexed());
    let is: BTreeSet<String> = order.iter().cloned().collect();
    assert_eq!(is, pages(), "docs/README.md lists every page once");
    assert_eq!(is.len(), order.len());
    let all = order.iter().fold(String::new(), |mut all, name| {
        let path = format!("docs/{name}");
        let text = repository_file(&path);
        writeln!(all, "<!-- {path} -->\n{text}").unwrap();
        all
    });
    assert!(
        printed == all,
        "src/cli/commands/pages.rs has another order, or the program is old"
    );
    let (code, _, said) = drill::run(scratch.path(), &["explain"]);
    assert_eq!(code, 64, "{said}");
}

/// `SNAPSHOTS=overwrite` writes the contents of the book from the index.
#[test]
fn the_book_has_the_pages_of_the_index() {
    let mut book = String::from("# Summary\n\n[redrill](README.md)\n");
    for line in repository_file("docs/README.md").lines() {
        if let Some(part) = line
            .strip_prefix("**")
            .and_then(|line| line.strip_suffix("**"))
        {
            write!(book, "\n# {part}\n\n").unwrap();
        } else if line.starts_with("- [") {
            let (link, _) = line.split_once(')').unwrap();
            writeln!(book, "{link})").unwrap();
        }
    }
    snapbox::assert_data_eq!(book, snapbox::file!["../../docs/SUMMARY.md"].raw());
}

/// Markdown without its code, where brackets are something else.
fn without_code(text: &str) -> String {
    let mut prose = String::new();
    for (at, part) in text.split("```").enumerate() {
        if at % 2 == 0 {
            for (at, piece) in part.split('`').enumerate() {
                prose.push_str(if at % 2 == 0 { piece } else { "code" });
            }
        }
    }
    prose
}

/// The anchors of a page, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let headings = text.lines().filter(|line| {
        is_code ^= line.starts_with("```");
        !is_code && line.starts_with('#')
    });
    let headings = headings.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    });
    headings.collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let mut files: Vec<PathBuf> = pages()
        .iter()
        .map(|name| root().join("docs").join(name))
        .collect();
    files.extend(
        [
            "README.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "CHANGELOG.md",
            "schemas/README.md",
            "docs/SUMMARY.md",
        ]
        .map(|name| root().join(name)),
    );
    let (mut seen, mut dead) = (0, Vec::new());
    for path in &files {
        let text = std::fs::read_to_string(path).unwrap();
        let prose = without_code(&text);
        for link in prose
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
        {
            let link = link.0;
            if link.starts_with("https:") || link.starts_with("http:") {
                continue;
            }
            seen += 1;
            let (to, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match to {
                "" => path.clone(),
                to => path.parent().unwrap().join(to),
            };
            let is_there = target.exists()
                && (anchor.is_empty()
                    || anchors(&std::fs::read_to_string(&target).unwrap()).contains(anchor));
            if !is_there {
                dead.push(format!(
                    "{}: {link}",
                    path.strip_prefix(root()).unwrap().display()
                ));
            }
        }
    }
    assert!(seen > 100, "{seen}");
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn the_readme_is_a_screen() {
    let readme = repository_file("README.md");
    assert!(readme.lines().count() <= 70, "{}", readme.lines().count());
}

#[test]
fn the_picture_is_of_a_rehearsal_of_now() {
    let picture = root().join("docs/rehearsal.svg");
    let check = |picture: &Path| {
        let mut command = at_root("python3");
        command
            .args(["packaging/picture.py", env!("CARGO_BIN_EXE_redrill")])
            .arg(picture)
            .arg("--check");
        command.output().unwrap()
    };
    let output = check(&picture);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let scratch = folder();
    let old = std::fs::read_to_string(&picture).unwrap();
    let other = write(
        scratch.path(),
        "old.svg",
        &old.replace("3 of 3 restored", "2 of 3 restored"),
    );
    let said = String::from_utf8(check(&other).stderr).unwrap();
    assert!(
        said.contains("draw it again: packaging/picture.py"),
        "{said}"
    );
}

/// What becomes of a block of commands.
enum Block {
    /// It runs here, in a folder with plans/ and inventories/, next to an emulator; the commands end with 0, and print what
    /// the page shows of it.
    Here,
    /// Another test runs it.
    By(&'static str),
    /// It cannot run without what is named.
    Needs(&'static str),
}

use Block::{By, Here, Needs};

/// Every block of commands, by its page and how it begins.
const BLOCKS: &[(&str, &str, Block)] = &[
    ("README.md", "cargo run", Here),
    ("docs/installing.md", "redrill init", Here),
    (
        "docs/installing.md",
        "sha256sum",
        Needs("a release at GitHub; install.sh does the same, in installer.rs"),
    ),
    ("docs/authoring.md", "redrill inventory", Here),
    (
        "docs/controls.md",
        "redrill report",
        Needs("a run at AWS; tests/controls has one"),
    ),
    (
        "docs/controls.md",
        "redrill evidence",
        Needs("a run at AWS; tests/controls has one"),
    ),
    (
        "docs/drills.md",
        "$ unzip -p drill-2026-Q4.zip",
        Needs("cosign; its bundles are made by tests/drill/signatures.rs"),
    ),
    (
        "docs/proof.md",
        "$ redrill evidence",
        Needs("a run at AWS; tests/proof/command.rs has one"),
    ),
    (
        "docs/coverage.md",
        "redrill coverage",
        Needs("a ledger of runs at AWS"),
    ),
    (
        "docs/drills.md",
        "redrill rehearse",
        By("the_drill_of_the_page_goes_through"),
    ),
    (
        "docs/drills.md",
        "$ redrill rehearse plans/quickstart.yaml --progress",
        By("the_programs_of_the_page_run"),
    ),
    (
        "docs/drills.md",
        "redrill emulator",
        By("the_drill_of_the_page_goes_through"),
    ),
    (
        "docs/drills.md",
        "plans/checks/cluster-instance.sh",
        Needs("a cluster at AWS"),
    ),
    (
        "docs/drills.md",
        "$ openssl",
        Needs("a bundle; k_of_n_are_counted_and_named signs and verifies one"),
    ),
    (
        "docs/drills.md",
        "envelope=",
        By("every_changed_byte_of_signatures_is_found"),
    ),
    (
        "docs/emulator.md",
        "redrill emulator --listen",
        By("the_aws_cli"),
    ),
    (
        "docs/emulator.md",
        "redrill emulator --fault",
        By("the_command_line"),
    ),
    (
        "docs/first-restore.md",
        "",
        By("the_page_of_the_first_restore_is_true"),
    ),
    ("docs/forecast.md", "$ redrill forecast", Here),
    (
        "docs/performance.md",
        "$ /usr/bin/time",
        Needs("a machine at rest"),
    ),
    (
        "docs/preflight.md",
        "$ redrill preflight",
        Needs("an account whose network is wrong in this way"),
    ),
    (
        "docs/proof.md",
        "redrill run",
        Needs("AWS: a run at an emulator is not a proof"),
    ),
    ("docs/state.md", "redrill ", Needs("a bucket")),
    ("docs/without-redrill.md", "redrill lock", Here),
    ("docs/without-redrill.md", "redrill export", Here),
    (
        "docs/without-redrill.md",
        "redrill run",
        Needs("a state machine; on_step_functions.rs has one"),
    ),
];

/// The blocks of a page that a person would type.
fn blocks(page: &str) -> Vec<String> {
    let text = repository_file(page);
    let parts = text.split("\n```").skip(1).step_by(2);
    let parts = parts.filter_map(|part| part.split_once('\n'));
    let typed = parts.filter(|(language, block)| match *language {
        "sh" | "console" | "bash" => true,
        "text" => ["redrill ", "sha256sum "]
            .iter()
            .any(|begin| block.starts_with(begin)),
        _ => false,
    });
    typed.map(|(_, block)| format!("{block}\n")).collect()
}

/// The commands of a block, each with what the page says that it prints.
fn commands(block: &str) -> Vec<(String, Vec<&str>)> {
    if !block.starts_with("$ ") {
        return vec![(block.to_owned(), Vec::new())];
    }
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for line in block.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => found.push((command.to_owned(), Vec::new())),
            None => found.last_mut().unwrap().1.push(line),
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_pages_that_can_run_here_does() {
    let mut all = vec!["README.md".to_owned()];
    all.extend(pages().iter().map(|name| format!("docs/{name}")));
    let inventory = redrill_emulator::Inventory::parse(&repository_file("inventories/tables.yaml"));
    let options = redrill_emulator::Options {
        inventory: Some(inventory.unwrap()),
        ..at_once()
    };
    let emulator = crate::support::emulator(options).await;
    let url = emulator.url();
    let ran = tokio::task::spawn_blocking(move || walk(&all, &url))
        .await
        .unwrap();
    assert!(ran >= 6, "{ran}");
    emulator.shutdown().await;
}

fn walk(pages: &[String], url: &str) -> usize {
    let sources = sources();
    let (mut ran, mut used) = (0, BTreeSet::new());
    for page in pages {
        let scratch = machine();
        for block in blocks(page) {
            let known = BLOCKS
                .iter()
                .position(|(of, begins, _)| of == page && block.starts_with(begins));
            let at = known
                .unwrap_or_else(|| panic!("{page}: who runs this, or why can nobody?\n{block}"));
            used.insert(at);
            match BLOCKS[at].2 {
                Here => {
                    for (command, wanted) in commands(&block) {
                        let said = typed(scratch.path(), url, &command);
                        let has = without_figures(&said);
                        for line in wanted.iter().filter(|line| **line != "…") {
                            let is_there = has.contains(&without_figures(line));
                            assert!(is_there, "{page}: {command}\n{line}\nis not in\n{said}");
                        }
                    }
                    ran += 1;
                }
                By(test) => assert!(sources.contains(&format!("fn {test}(")), "{page}: {test}"),
                Needs(what) => assert!(!what.is_empty()),
            }
        }
    }
    assert_eq!(used.len(), BLOCKS.len(), "BLOCKS has what no page has");
    ran
}

/// Text whose figures are of one day and one seed.
fn without_figures(text: &str) -> String {
    let mut kept = String::new();
    for letter in text.chars() {
        match letter.is_ascii_digit() {
            true if kept.ends_with('#') => {}
            true => kept.push('#'),
            false => kept.push(letter),
        }
    }
    kept
}

/// All tests, as text.
fn sources() -> String {
    let mut all = String::new();
    let mut folders = vec![
        root().join("tests"),
        root().join("crates/redrill-emulator/tests"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                all.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    all
}

/// A folder as somebody has it who has cloned the repository, and a plan of theirs.
fn machine() -> tempfile::TempDir {
    let scratch = folder();
    let path = scratch.path();
    let mut copy = Command::new("cp");
    copy.arg("-R")
        .args(["plans", "inventories"].map(|name| root().join(name)));
    printed(copy.arg(path));
    // A plan of one's own, whose recovery points are there.
    write(path, "orders.yaml", &repository_file("plans/tables.yaml"));
    std::fs::create_dir(path.join("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_redrill"), path.join("bin/redrill")).unwrap();
    // `cargo run -- WORDS` is the program that is there already; `cargo test` is what runs this.
    let cargo = "#!/bin/sh\nif [ \"$1 $2\" = 'run --' ]; then shift 2; exec redrill \"$@\"; fi\n[ \"$*\" = test ]\n";
    let cargo = write(&path.join("bin"), "cargo", cargo);
    printed(Command::new("chmod").arg("+x").arg(cargo));
    scratch
}

/// What a shell prints, as it has to end well.
fn typed(folder: &Path, url: &str, script: &str) -> String {
    let clean = process(folder);
    let mut shell = Command::new("sh");
    for (name, value) in clean.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let path = std::env::var("PATH").unwrap();
    let output = shell
        .current_dir(folder)
        .args(["-e", "-c", &format!("exec 2>&1\n{script}")])
        .env("PATH", format!("{}:{path}", folder.join("bin").display()))
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", "123456789012")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{script}\n{said}");
    said
}
