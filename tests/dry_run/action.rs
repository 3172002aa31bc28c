//! The GitHub action's own steps, run as GitHub runs them, with an event and a repository that are made up. What linters say
//! of it is in `getting/workflows.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::repository::{BEFORE, after, commit, git, repository};
use crate::support::{process, repository_file, write};

/// GitHub's own tool, as far as the action needs it: comments are in a file, and a fork may not write any.
const GH: &str = r#"#!/usr/bin/env bash
set -euo pipefail
comments="$FAKE/comments.json"
[ -f "$comments" ] || echo '[]' > "$comments"
printf '%s\n' "$*" >> "$FAKE/calls"
case "$*" in
  'api --paginate repos/acme/plans/issues/7/comments')
    # Two pages, one behind the other.
    jq -c '.[:1]' "$comments"
    jq -c '.[1:]' "$comments" ;;
  'api --method POST repos/acme/plans/issues/7/comments -F body=@'*)
    [ "${FORK:-}" = '' ] || { echo 'HTTP 403' >&2; exit 1; }
    jq --rawfile body "${6#body=@}" '. + [{ id: (length + 1), body: $body }]' "$comments" > "$comments.new"
    mv "$comments.new" "$comments" ;;
  'api --method PATCH repos/acme/plans/issues/comments/'*' -F body=@'*)
    jq --rawfile body "${6#body=@}" --arg id "${4##*/}" 'map(if (.id | tostring) == $id then .body = $body else . end)' \
      "$comments" > "$comments.new"
    mv "$comments.new" "$comments" ;;
  'auth status') [ -n "$GH_TOKEN" ] ;;
  'attestation verify '*' --repo OWNER/redrill --signer-workflow '*) ;;
  *) echo "what is $*" >&2; exit 64 ;;
esac
"#;

/// One job on a runner.
struct Runner {
    repository: PathBuf,
    temp: tempfile::TempDir,
    inputs: BTreeMap<&'static str, String>,
    fork: bool,
    /// Where releases are, if not at GitHub.
    releases: String,
}

/// What a job came to.
struct Job {
    passed: bool,
    changes: String,
    log: String,
    summary: String,
}

impl Runner {
    fn new(repository: &Path) -> Self {
        let temp = crate::support::folder();
        let bin = temp.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        write(&bin, "gh", GH);
        let mode = Command::new("chmod")
            .arg("+x")
            .arg(bin.join("gh"))
            .status()
            .unwrap();
        assert!(mode.success());
        let base = git(repository, &["rev-parse", "main"]).trim().to_owned();
        let inputs = BTreeMap::from([
            ("plans", "plans/*.yaml\n".to_owned()),
            ("arguments", String::new()),
            ("base", base),
            ("binary", env!("CARGO_BIN_EXE_redrill").to_owned()),
            ("comment", "true".to_owned()),
            ("sarif", knows_sarif().to_string()),
            ("token", "a-token".to_owned()),
        ]);
        Self {
            repository: repository.to_owned(),
            temp,
            inputs,
            fork: false,
            releases: "file:///nowhere".to_owned(),
        }
    }

    /// `${{ … }}` as GitHub evaluates it, for what the action uses.
    fn evaluate(&self, expression: &str, outputs: &BTreeMap<String, String>) -> String {
        let expression = expression.trim();
        if let Some(name) = expression.strip_prefix("inputs.") {
            return self.inputs[name].clone();
        }
        if expression.starts_with("steps.") {
            return outputs.get(expression).cloned().unwrap_or_default();
        }
        match expression {
            "github.repository" => "acme/plans",
            "github.event.pull_request.number" => "7",
            "github.event_name" => "pull_request",
            "github.token" => "a-token",
            "github.action_path" => env!("CARGO_MANIFEST_DIR"),
            other => panic!("the test does not know ${{{{ {other} }}}}"),
        }
        .to_owned()
    }

    fn fill(&self, text: &str, outputs: &BTreeMap<String, String>) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("${{") {
            let (expression, after) = from.split_once("}}").unwrap();
            filled.push_str(before);
            filled.push_str(&self.evaluate(expression, outputs));
            rest = after;
        }
        filled + rest
    }

    fn holds(&self, condition: &str, outputs: &BTreeMap<String, String>) -> bool {
        condition.split("&&").all(|part| {
            let (left, right) = part.split_once("==").unwrap();
            self.evaluate(left, outputs) == right.trim().trim_matches('\'')
        })
    }

    fn run(&self) -> Job {
        let action: Value = serde_yaml::from_str(&repository_file("action.yml")).unwrap();
        assert_eq!(action["runs"]["using"], "composite");
        let mut outputs = BTreeMap::new();
        let mut job = Job {
            passed: true,
            changes: String::new(),
            log: String::new(),
            summary: String::new(),
        };
        let summary = write(self.temp.path(), "summary", "");
        for step in action["runs"]["steps"].as_array().unwrap() {
            if let Some(condition) = step["if"].as_str()
                && !self.holds(condition, &outputs)
            {
                continue;
            }
            let Some(script) = step["run"].as_str() else {
                // Another's action: it has to be pinned.
                let uses = step["uses"].as_str().unwrap();
                let (_, commit) = uses.split_once('@').unwrap();
                assert!(
                    commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()),
                    "{uses}"
                );
                continue;
            };
            assert_eq!(step["shell"], "bash");
            assert!(
                !script.contains("${{"),
                "a value is text of the script: {script}"
            );
            let output = self.step(step, script, &summary, &outputs);
            job.log.push_str(&String::from_utf8_lossy(&output.stdout));
            job.log.push_str(&String::from_utf8_lossy(&output.stderr));
            let id = step["id"].as_str().unwrap();
            for line in std::fs::read_to_string(self.temp.path().join("output"))
                .unwrap()
                .lines()
            {
                let (name, value) = line.split_once('=').unwrap();
                outputs.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
            }
            if !output.status.success() {
                job.passed = false;
                break;
            }
        }
        job.summary = std::fs::read_to_string(summary).unwrap();
        job.changes = self.fill(
            action["outputs"]["changes"]["value"].as_str().unwrap(),
            &outputs,
        );
        job
    }

    fn step(
        &self,
        step: &Value,
        script: &str,
        summary: &Path,
        outputs: &BTreeMap<String, String>,
    ) -> Output {
        let temp = self.temp.path();
        let output = write(temp, "output", "");
        let script = write(temp, "step.sh", script);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path: Vec<PathBuf> = std::iter::once(temp.join("bin"))
            .chain(std::env::split_paths(&path))
            .collect();
        // As GitHub runs `shell: bash`.
        let mut command = process(&self.repository);
        let clean: Vec<_> = command
            .get_envs()
            .map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned)))
            .collect();
        command = Command::new("bash");
        for (name, value) in clean {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .current_dir(&self.repository)
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail"])
            .arg(script)
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("RUNNER_TEMP", temp)
            .env("GITHUB_OUTPUT", &output)
            .env("GITHUB_STEP_SUMMARY", summary)
            .env("FAKE", temp)
            .env("REDRILL_RELEASES", &self.releases)
            .stdin(std::process::Stdio::null());
        if self.fork {
            command.env("FORK", "true");
        }
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            command.env(name, self.fill(value.as_str().unwrap(), outputs));
        }
        command.output().unwrap()
    }

    fn comments(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.temp.path().join("comments.json"))
            .unwrap_or("[]".to_owned());
        let comments: Value = serde_json::from_str(&text).unwrap();
        let comments = comments.as_array().unwrap().iter();
        comments
            .map(|comment| comment["body"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// The step for code scanning needs a format of `validate`.
fn knows_sarif() -> bool {
    let help = process(Path::new("."))
        .args(["validate", "--help"])
        .output()
        .unwrap();
    String::from_utf8(help.stdout).unwrap().contains("sarif")
}

/// A pull request of two plans, one with a blank in its name.
fn pull_request() -> tempfile::TempDir {
    let folder = repository();
    std::fs::create_dir(folder.path().join("plans")).unwrap();
    write(folder.path(), "plans/orders.yaml", BEFORE);
    write(
        folder.path(),
        "plans/the same.yaml",
        &BEFORE.replace("plan: orders", "plan: same"),
    );
    commit(folder.path(), "before");
    git(folder.path(), &["checkout", "--quiet", "-b", "change"]);
    folder
}

#[test]
fn a_pull_request_has_one_comment_a_plan_that_is_kept_up_to_date() {
    let folder = pull_request();
    let path = folder.path();
    let runner = Runner::new(path);
    let job = runner.run();
    assert!(job.passed, "{}", job.log);
    assert_eq!(job.changes, "false");
    assert_eq!(
        runner.comments().len(),
        0,
        "nothing has changed, nothing is said"
    );

    write(path, "plans/orders.yaml", &after());
    let job = runner.run();
    assert!(job.passed, "{}", job.log);
    assert_eq!(job.changes, "true");
    let comments = runner.comments();
    assert_eq!(comments.len(), 1);
    assert!(
        comments[0].starts_with("<!-- redrill plan plans/orders.yaml -->\n"),
        "{}",
        comments[0]
    );
    assert!(
        comments[0].contains("**1 added, 1 removed, 1 renamed, 1 changed, 1 unchanged**"),
        "{}",
        comments[0]
    );
    assert!(
        job.summary.contains("plans/orders.yaml: valid"),
        "{}",
        job.summary
    );
    assert!(
        job.summary.contains("1 added, 1 removed"),
        "{}",
        job.summary
    );
    assert!(
        job.log
            .contains("::warning file=plans/orders.yaml,line=4,title=web%3A start::"),
        "{}",
        job.log
    );

    write(
        path,
        "plans/orders.yaml",
        &BEFORE.replace("t3.large", "t3.small"),
    );
    write(
        path,
        "plans/the same.yaml",
        &BEFORE.replace("plan: orders", "plan: other"),
    );
    assert!(runner.run().passed);
    let comments = runner.comments();
    assert_eq!(comments.len(), 2, "{comments:#?}");
    assert!(
        comments[0].contains("**1 changed, 3 unchanged**"),
        "{}",
        comments[0]
    );

    write(path, "plans/orders.yaml", BEFORE);
    assert!(runner.run().passed);
    let comments = runner.comments();
    assert_eq!(comments.len(), 2);
    assert!(
        comments[0].contains("**4 unchanged**"),
        "what was said is not left standing: {}",
        comments[0]
    );
}

#[test]
fn a_plan_that_is_invalid_fails_the_job_and_the_others_are_shown_all_the_same() {
    let folder = pull_request();
    write(
        folder.path(),
        "plans/orders.yaml",
        &BEFORE.replace("newFileSystem: true", "newFileSystem: 7"),
    );
    write(folder.path(), "plans/the same.yaml", &after());
    let runner = Runner::new(folder.path());
    let job = runner.run();
    assert!(!job.passed);
    assert!(job.log.contains("plans/orders.yaml:13"), "{}", job.log);
    assert_eq!(runner.comments().len(), 1);
    let mut nothing = Runner::new(folder.path());
    nothing.inputs.insert("plans", "plans/*.yml\n".to_owned());
    let job = nothing.run();
    assert!(
        !job.passed
            && job
                .log
                .contains("::error::no file or folder matches plans/*.yml"),
        "{}",
        job.log
    );
}

#[test]
fn first_contact_b14_a_comment_never_goes_stale() {
    let folder = pull_request();
    let path = folder.path();
    let mut runner = Runner::new(path);
    runner.inputs.insert("plans", "plans\n".to_owned());
    write(path, "plans/orders.yaml", &after());
    assert!(runner.run().passed);
    assert!(runner.comments()[0].contains("1 added, 1 removed"));
    write(
        path,
        "plans/orders.yaml",
        &BEFORE.replace("newFileSystem: true", "newFileSystem: 7"),
    );
    let job = runner.run();
    assert!(!job.passed);
    let comments = runner.comments();
    assert_eq!(comments.len(), 1, "{comments:#?}");
    assert!(
        comments[0].starts_with("<!-- redrill plan plans/orders.yaml -->\n")
            && comments[0].contains("error[EFS/newFileSystem]")
            && !comments[0].contains("1 added"),
        "{}",
        comments[0]
    );
}

#[test]
fn first_contact_b1_what_lies_next_to_a_plan_breaks_no_pull_request() {
    let folder = pull_request();
    let path = folder.path();
    write(path, "plans/orders.yaml", &after());
    write(path, "plans/drill.vars.yaml", "subnet: subnet-1\n");
    let lock = "version: 1\nplan: orders\nrestores: {}\n";
    write(path, "plans/old.lock.yaml", lock);
    for (plans, passes) in [
        ("plans\n", true),
        ("plans/o*.yaml\n", true),
        ("plans/*.yaml\n", false),
    ] {
        let mut runner = Runner::new(path);
        runner.inputs.insert("plans", plans.to_owned());
        let job = runner.run();
        assert_eq!(job.passed, passes, "{plans}: {}", job.log);
        let says = job.log.contains("this looks like a variables file");
        assert_eq!(says, !passes, "{plans}: {}", job.log);
        assert!(
            job.summary.contains("1 added, 1 removed"),
            "{}",
            job.summary
        );
    }
}

#[test]
fn a_fork_that_may_not_comment_has_its_summary() {
    let folder = pull_request();
    write(folder.path(), "plans/orders.yaml", &after());
    let mut runner = Runner::new(folder.path());
    runner.fork = true;
    let job = runner.run();
    assert!(job.passed, "{}", job.log);
    assert!(
        job.log.contains("::warning::cannot write the comment"),
        "{}",
        job.log
    );
    assert!(
        job.summary.contains("1 added, 1 removed"),
        "{}",
        job.summary
    );
}

/// A checkout of one commit: the base is fetched, by its id.
#[test]
fn a_shallow_checkout_fetches_the_base() {
    let folder = pull_request();
    write(folder.path(), "plans/orders.yaml", &after());
    commit(folder.path(), "after");
    git(
        folder.path(),
        &["config", "uploadpack.allowAnySHA1InWant", "true"],
    );
    let shallow = crate::support::folder();
    let url = format!("file://{}", folder.path().display());
    git(
        shallow.path(),
        &[
            "clone",
            "--quiet",
            "--depth=1",
            "--branch=change",
            &url,
            "checkout",
        ],
    );
    let mut runner = Runner::new(folder.path());
    runner.repository = shallow.path().join("checkout");
    let job = runner.run();
    assert!(job.passed, "{}", job.log);
    assert_eq!(runner.comments().len(), 1);
}

/// Variables reach every command, word by word.
#[test]
fn arguments_are_words_whatever_is_in_them() {
    let folder = pull_request();
    let plan = BEFORE
        .replace("restores:", "vars: { table: {} }\nrestores:")
        .replace("orders-drill", "\"{{ vars.table }}\"");
    std::fs::remove_file(folder.path().join("plans/the same.yaml")).unwrap();
    write(folder.path(), "plans/orders.yaml", &plan);
    write(folder.path(), "my vars.yaml", "table: from-the-file\n");
    let mut runner = Runner::new(folder.path());
    runner
        .inputs
        .insert("arguments", "--var-file\nmy vars.yaml\n".to_owned());
    let job = runner.run();
    assert!(job.passed, "{}", job.log);
    assert!(runner.comments()[0].contains("from-the-file"));
}

/// A block of a language in a document, the one that holds a word.
pub(crate) fn block(document: &str, word: &str) -> String {
    repository_file(document)
        .split("```yaml\n")
        .skip(1)
        .filter_map(|part| part.split_once("```"))
        .map(|(block, _)| block.to_owned())
        .find(|block| block.contains(word))
        .unwrap()
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_release_is_fetched_once_verified_and_kept() {
    let folder = pull_request();
    write(folder.path(), "plans/orders.yaml", &after());
    let mut runner = Runner::new(folder.path());
    runner.inputs.insert("binary", String::new());
    let job = runner.run();
    assert!(
        !job.passed && job.log.contains("cannot fetch"),
        "{}",
        job.log
    );
    runner.releases = format!("file://{}", crate::getting::made().display());
    let job = runner.run();
    assert!(job.passed, "{}", job.log);
    let verified = "(checksum and attestation verified)";
    assert!(job.log.contains(verified), "{}", job.log);
    assert_eq!(runner.comments().len(), 1);
    // What the cache brought back is not fetched again.
    runner.releases = "file:///nowhere".to_owned();
    let job = runner.run();
    assert!(job.passed && !job.log.contains(verified), "{}", job.log);
}
