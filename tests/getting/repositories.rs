//! Plans in a repository of their own, with a lock, variables and an inventory next to them: what checks them elsewhere is
//! green where they are sound, and red where one is not. The action is in `dry_run/action.rs`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::{printed, wheels};
use crate::dry_run::action::block;
use crate::dry_run::repository::{BEFORE, after, commit, git, repository};
use crate::support::{process, repository_file, write};

/// Two plans and what lies next to them.
fn plans() -> tempfile::TempDir {
    let folder = repository();
    let path = folder.path();
    std::fs::create_dir_all(path.join("plans/eu")).unwrap();
    write(path, "plans/orders.yaml", &declared(BEFORE));
    let other = BEFORE
        .replace("plan: orders", "plan: same\nvars: { table: {} }")
        .replace("orders-drill", "\"{{ vars.table }}\"");
    write(path, "plans/eu/the same.yml", &other);
    write(path, "plans/drill.vars.yaml", "table: from-the-file\n");
    write(
        path,
        "plans/old.lock.yaml",
        "version: 1\nplan: orders\nrestores: {}\n",
    );
    write(
        path,
        "plans/account.yaml",
        &repository_file("inventories/tables.yaml"),
    );
    commit(path, "before");
    git(path, &["checkout", "--quiet", "-b", "change"]);
    folder
}

/// The plan with the variable that the file has: what is not declared is refused.
fn declared(plan: &str) -> String {
    plan.replace("plan: orders", "plan: orders\nvars: { table: {} }")
}

/// A plan that AWS would refuse.
fn breaks(folder: &Path) {
    let broken = BEFORE.replace("newFileSystem: true", "newFileSystem: 7");
    write(folder, "plans/orders.yaml", &declared(&broken));
}

/// The script of the GitLab component, with these inputs, as a runner runs it: line after line, with what the job has set.
fn gitlab(folder: &Path, programs: &Path) -> Output {
    let component = repository_file("templates/restore-plans.yml");
    let (spec, job) = component.split_once("\n---\n").unwrap();
    let spec: Value = serde_yaml::from_str(spec).unwrap();
    let document: Value =
        serde_yaml::from_str(&block("docs/pull-requests.md", "component:")).unwrap();
    let given = &document["include"][0]["inputs"];
    let mut job = job.to_owned();
    for (name, of) in spec["spec"]["inputs"].as_object().unwrap() {
        let value = given[name].as_str().or(of["default"].as_str()).unwrap();
        job = job.replace(&format!("$[[ inputs.{name} ]]"), value);
    }
    assert!(!job.contains("$[["), "{job}");
    let job: Value = serde_yaml::from_str(&job).unwrap();
    let job = &job["restore-plans"];
    let lines = job["script"].as_array().unwrap().iter();
    let lines: Vec<&str> = lines.map(|line| line.as_str().unwrap()).collect();
    let base = git(folder, &["rev-parse", "main"]).trim().to_owned();
    let mut command = Command::new("bash");
    command
        .current_dir(folder)
        .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c"])
        .arg(lines.join("\n"))
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("CI_MERGE_REQUEST_DIFF_BASE_SHA", base);
    for (name, value) in job["variables"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn the_gitlab_component_is_green_on_sound_plans_and_red_on_a_broken_one() {
    let programs = crate::support::folder();
    let link = programs.path().join("redrill");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_redrill"), link).unwrap();
    let folder = plans();
    write(folder.path(), "plans/orders.yaml", &declared(&after()));
    let output = gitlab(folder.path(), programs.path());
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 added, 1 removed"), "{text}");
    assert!(
        text.contains("skipped, not plans: 1 lock file, 1 variables file, 1 inventory"),
        "{text}"
    );
    let kept = std::fs::read_to_string(folder.path().join("restore-plans.md")).unwrap();
    for plan in ["plans/orders.yaml", "plans/eu/the same.yml"] {
        assert!(
            kept.contains(&format!("<!-- redrill plan {plan} -->")),
            "{kept}"
        );
    }

    breaks(folder.path());
    let output = gitlab(folder.path(), programs.path());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("error[EFS/newFileSystem]"), "{text}");
    // The other one is shown all the same.
    assert!(
        text.contains("<!-- redrill plan plans/eu/the same.yml -->"),
        "{text}"
    );
}

/// Without redrill in the image, pip is asked for this version.
#[test]
fn the_gitlab_component_installs_its_version() {
    let programs = crate::support::folder();
    let pip = write(
        programs.path(),
        "pip",
        "#!/bin/sh\necho \"$*\" > asked\nexit 7\n",
    );
    printed(Command::new("chmod").arg("+x").arg(pip));
    let folder = plans();
    let output = gitlab(folder.path(), programs.path());
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
    let wanted = concat!("redrill==", env!("CARGO_PKG_VERSION"), "\n");
    assert!(asked.ends_with(wanted), "{asked}");
    let document = block("docs/pull-requests.md", "component:");
    assert!(document.contains(concat!("@", env!("CARGO_PKG_VERSION"), "\n")));
    let document = block("docs/pull-requests.md", "repos:");
    assert!(document.contains(concat!("rev: v", env!("CARGO_PKG_VERSION"), "\n")));
}

/// pre-commit itself, which installs the hook from a repository, and with it the wheel.
#[cfg(target_os = "linux")]
#[test]
fn the_hook_installs_the_wheel_and_is_green_and_red() {
    let Some(wheels) = wheels() else { return };
    let Some(venv) = crate::python::venv("pre-commit", &["pre-commit==4.3.0"]) else {
        return;
    };
    let hooks = repository();
    for file in [".pre-commit-hooks.yaml", "pyproject.toml"] {
        write(hooks.path(), file, &repository_file(file));
    }
    commit(hooks.path(), "the hook");
    let rev = git(hooks.path(), &["rev-parse", "HEAD"]);
    let home = crate::support::folder();
    let folder = plans();
    let example = block("docs/pull-requests.md", "repos:")
        .replace(
            "https://github.com/OWNER/redrill",
            &hooks.path().display().to_string(),
        )
        .replace(concat!("v", env!("CARGO_PKG_VERSION")), rev.trim())
        // The placeholder of the second plan.
        .replace("args: [plans]", "args: [plans, --var, table=any]");
    write(folder.path(), ".pre-commit-config.yaml", &example);
    let run = || {
        commit(folder.path(), "a change");
        let mut command = Command::new(venv.join("bin/pre-commit"));
        command
            .current_dir(folder.path())
            .args(["run", "--all-files", "--verbose"])
            .env("PRE_COMMIT_HOME", home.path())
            .env("PIP_FIND_LINKS", wheels)
            .env_remove("GIT_DIR")
            .output()
            .unwrap()
    };
    let output = run();
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("plans/eu/the same.yml: valid"), "{text}");
    breaks(folder.path());
    let output = run();
    let text = said(&output);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("error[EFS/newFileSystem]"), "{text}");
}

#[test]
fn the_hook_runs_for_whatever_is_among_the_plans() {
    let hooks: Value = serde_yaml::from_str(&repository_file(".pre-commit-hooks.yaml")).unwrap();
    let [hook] = &hooks.as_array().unwrap()[..] else {
        panic!("{hooks}")
    };
    assert_eq!(hook["language"], "python");
    assert_eq!(hook["pass_filenames"], false);
    let schema = serde_json::json!({ "pattern": hook["files"] });
    let schema = jsonschema::draft202012::options().build(&schema).unwrap();
    let runs = |path: &str| schema.is_valid(&Value::from(path));
    assert!(runs("plans/orders.yaml") && runs("a/plans/b/c.lock.yml"));
    assert!(!runs("inventories/mixed.yaml"));
}

/// `redrill plan` with these words.
fn plan(folder: &Path, words: &[&str]) -> (i32, String) {
    let mut command = process(folder);
    let output = command.arg("plan").args(words).output().unwrap();
    (output.status.code().unwrap(), said(&output))
}

#[test]
fn a_folder_of_plans_is_planned_one_by_one() {
    let folder = plans();
    let path = folder.path();
    let with = ["--var", "table=t", "--against", "git:main"];
    let both = |words: &[&str]| plan(path, &[&["plans"], words].concat());
    // What one plan does not declare is refused by that one, and the other is shown.
    write(path, "plans/orders.yaml", BEFORE);
    let (code, text) = both(&with);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("same run main"), "{text}");
    write(path, "plans/orders.yaml", &declared(BEFORE));
    let (code, text) = both(&with);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("orders run main") && text.contains("same run main"),
        "{text}"
    );
    assert!(text.contains("skipped, not plans: 1 lock file"), "{text}");
    write(path, "plans/orders.yaml", &declared(&after()));
    let (code, text) = both(&[&with[..], &["--detailed-exitcode"]].concat());
    assert_eq!(code, 2, "one of them differs: {text}");
    breaks(path);
    let (code, text) = plan(path, &["plans", "--detailed-exitcode"]);
    assert_eq!(code, 4, "{text}");
    for (words, says) in [
        (
            &["plans", "--json"][..],
            "a JSON document is of one plan, and plans is a folder of 2",
        ),
        (&["plans", "-o", "saved"][..], "a saved plan is of one plan"),
        (&[".git"][..], "no YAML file"),
    ] {
        let (code, text) = plan(path, words);
        assert_eq!(code, 64, "{text}");
        assert!(text.contains(says), "{text}");
    }
}

/// A run is of one plan: which one, is nothing to guess.
#[test]
fn a_folder_is_never_run() {
    let folder = plans();
    for words in [
        &["run", "plans", "--yes"][..],
        &["run", "plans", "--dry-run"],
        &["rehearse", "plans"],
    ] {
        let output = process(folder.path()).args(words).output().unwrap();
        assert!(!output.status.success(), "{words:?}");
    }
    let state: PathBuf = folder.path().join(".redrill");
    assert!(!state.exists());
}
