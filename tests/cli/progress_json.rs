//! `--progress json`: every line on standard error is one that the published schema describes.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::dry_run::outputs::assert_valid;
use crate::python::venv;
use crate::support::{folder, redrill, repository_file, write};

/// The lines that a command writes to standard error, each of them valid.
#[track_caller]
fn lines(folder: &Path, words: &[&str], code: i32) -> Vec<Value> {
    let output = redrill(folder)
        .args(words)
        .args(["--progress", "json"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|err| panic!("{words:?}: {err}: {line}"))
        })
        .collect();
    for line in &lines {
        assert_valid("event", line);
        assert_eq!(line["schema"], "redrill.event/v1");
    }
    lines
}

fn texts<'l>(lines: &'l [Value], level: &str) -> Vec<&'l str> {
    let of_level = lines.iter().filter(|line| line["level"] == *level);
    of_level.filter_map(|line| line["text"].as_str()).collect()
}

fn plans() -> tempfile::TempDir {
    let folder = folder();
    for plan in ["quickstart", "tables"] {
        let text = repository_file(&format!("plans/{plan}.yaml"));
        write(folder.path(), &format!("{plan}.yaml"), &text);
    }
    write(folder.path(), "broken.yaml", "plan: x\nrestores: {}\n");
    folder
}

#[test]
fn a_rehearsal_is_told_event_by_event_with_its_counts() {
    let folder = plans();
    let lines = lines(folder.path(), &["rehearse", "quickstart.yaml"], 0);
    let events: Vec<&Value> = lines
        .iter()
        .filter(|line| line["counts"].is_object())
        .collect();
    assert_eq!(events[0]["event"], "run_opened");
    let last = events.last().unwrap();
    assert_eq!(last["event"], "run_ended");
    let total = &last["counts"]["total"];
    assert_eq!(&last["counts"]["completed"], total);
    assert_eq!(last["counts"]["running"], 0);
    let ended = events.iter().filter(|line| line["event"] == "completed");
    assert_eq!(Some(ended.count() as u64), total.as_u64());
    // A few restores or many: the screen would count those, and a program wants each.
    assert!(events.iter().all(|line| line["at"].is_string()));
}

#[test]
fn what_goes_wrong_is_a_line_with_its_level() {
    let folder = plans();
    let path = folder.path();
    let found = lines(path, &["rehearse", "broken.yaml"], 4);
    let errors = texts(&found, "error");
    let is_empty = |text: &&str| text.starts_with("error[plan/empty]: the plan restores nothing");
    assert!(errors.iter().any(is_empty), "{found:#?}");
    let found = lines(path, &["rehearse", "missing.yaml"], 1);
    assert!(
        texts(&found, "error")[0].contains("missing.yaml"),
        "{found:#?}"
    );
    let refused = lines(
        path,
        &[
            "run",
            "quickstart.yaml",
            "--endpoint-url",
            "http://127.0.0.1:9",
        ],
        64,
    );
    assert!(
        texts(&refused, "error")[0].starts_with("nothing was sent"),
        "{refused:#?}"
    );
}

#[test]
fn commands_that_run_nothing_keep_to_it() {
    let folder = plans();
    let path = folder.path();
    lines(path, &["validate", "quickstart.yaml"], 0);
    lines(path, &["plan", "quickstart.yaml"], 0);
    lines(path, &["forecast", "quickstart.yaml"], 0);
    lines(path, &["render", "quickstart.yaml"], 0);
    lines(path, &["runs"], 0);
    assert!(lines(path, &["rehearse", "quickstart.yaml", "--quiet"], 0).is_empty());
}

/// The page's programs run on what a rehearsal writes.
#[test]
fn the_programs_of_the_page_run() {
    let Some(python) = venv("jq", &["jq==1.10.0"]) else {
        return;
    };
    let folder = plans();
    let told = lines(folder.path(), &["rehearse", "quickstart.yaml"], 0);
    let told: String = told.iter().map(|line| format!("{line}\n")).collect();
    write(folder.path(), "progress.jsonl", &told);
    let page = repository_file("docs/drills.md");
    let programs = page.lines().filter_map(|line| {
        let (_, rest) = line.strip_prefix("$ jq ")?.split_once('\'')?;
        rest.strip_suffix("' progress.jsonl")
    });
    let programs: Vec<&str> = programs.collect();
    assert_eq!(programs.len(), 4);
    let mut results = Vec::new();
    for program in &programs {
        let output = Command::new(python.join("bin/python"))
            .args(["-c", "import jq, sys, json\nfor line in jq.compile(sys.argv[1]).input_text(open('progress.jsonl').read()): print(json.dumps(line))"])
            .arg(program)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {errors}");
        results.push(String::from_utf8(output.stdout).unwrap());
    }
    assert!(results[0].contains(" is back: arn:aws:"), "{results:?}");
    assert_eq!((&*results[1], &*results[3]), ("", ""));
    assert!(results[2].contains("\"completed\": 3"), "{results:?}");
}

/// Every event that a journal may hold is one of the schema's.
#[test]
fn the_schema_names_every_event() {
    let schema: Value =
        serde_json::from_str(&repository_file("schemas/output/event.schema.json")).unwrap();
    let named = schema["oneOf"][0]["properties"]["event"]["enum"]
        .as_array()
        .unwrap();
    let unknown =
        serde_json::from_value::<redrill::state::Event>(serde_json::json!({ "event": "nothing" }));
    let error = unknown.unwrap_err().to_string();
    let known: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
    assert!(known.len() > 20, "{error}");
    assert_eq!(
        named.iter().filter_map(Value::as_str).collect::<Vec<_>>(),
        known
    );
}
