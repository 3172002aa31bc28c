//! Every output for machines is what its published schema says.

use std::collections::BTreeSet;
use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

use super::against_others::INVENTORY;
use super::repository::{BEFORE, after};
use crate::support::{at_once, emulator, folder, redrill, repository_file, write};

fn schema(name: &str) -> Validator {
    let text = repository_file(&format!("schemas/output/{name}.schema.json"));
    jsonschema::draft202012::options()
        .build(&serde_json::from_str(&text).unwrap())
        .unwrap()
}

/// The document is what the schema of its name says.
#[track_caller]
pub(crate) fn assert_valid(name: &str, document: &Value) {
    let errors: Vec<String> = schema(name)
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{document:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_output_is_valid() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    write(folder.path(), "before.yaml", BEFORE);
    write(folder.path(), "after.yaml", &after());
    write(folder.path(), "inventory.yaml", INVENTORY);
    write(folder.path(), "bad.yaml", "plan: x\nrestores: {}\n");
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let json = |words: &[&str]| -> Value {
            let output = redrill(&path)
                .args(words)
                .args(["--format", "json"])
                .output()
                .unwrap();
            serde_json::from_slice(&output.stdout).unwrap_or_else(|err| {
                panic!(
                    "{words:?}: {err}: {}",
                    String::from_utf8_lossy(&output.stderr)
                )
            })
        };
        let plans: [&[&str]; 5] = [
            &["plan", "plan.yaml"],
            &["plan", "before.yaml", "--inventory", "inventory.yaml"],
            &["plan", "after.yaml", "--against", "file:before.yaml"],
            &["plan", "plan.yaml", "--only", "app"],
            &["plan", "plan.yaml", "--against", "run"],
        ];
        for words in plans {
            assert_valid("plan", &json(words));
        }
        assert_valid("validate", &json(&["validate", "plan.yaml", "bad.yaml"]));
        let lines = redrill(&path)
            .args(["render", "plan.yaml"])
            .output()
            .unwrap()
            .stdout;
        for line in String::from_utf8(lines).unwrap().lines() {
            assert_valid("render", &serde_json::from_str(line).unwrap());
        }
        redrill(&path)
            .args(["plan", "plan.yaml", "-o", "saved.json"])
            .assert()
            .success();
        let saved = std::fs::read_to_string(path.join("saved.json")).unwrap();
        assert_valid("saved-plan", &serde_json::from_str(&saved).unwrap());
        let run = [
            "run",
            "plan.yaml",
            "--yes",
            "--endpoint-url",
            &url,
            "--report",
            "json=report.json",
        ];
        assert_valid("run", &json(&run));
        let report = std::fs::read_to_string(path.join("report.json")).unwrap();
        assert_valid("run", &serde_json::from_str(&report).unwrap());
        assert_valid("run", &json(&["report", "plan.yaml", "--compare", "main"]));
        assert_valid("status", &json(&["status"]));
        assert_valid("status", &json(&["runs"]));
        assert_valid("config", &json(&["config", "--all"]));
        assert_valid("plan", &json(&["plan", "plan.yaml", "--against", "run"]));
    })
    .await
    .unwrap();
    emulator.shutdown().await;
}

/// A format that the sources name has a schema, and a schema a format.
#[test]
fn every_format_has_its_schema() {
    fn texts(folder: &Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                texts(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    texts(&root.join("src"), &mut sources);
    // `render` prints lines, which have no room for a name.
    let mut formats = BTreeSet::from(["render".to_owned()]);
    for part in sources.split("\"redrill.").skip(1) {
        if let Some((name, rest)) = part.split_once('/')
            && rest.starts_with('v')
        {
            formats.insert(name.to_owned());
        }
    }
    let schemas: BTreeSet<String> = std::fs::read_dir(root.join("schemas/output"))
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".schema.json").map(str::to_owned)
        })
        .collect();
    assert_eq!(formats, schemas);
    for name in &schemas {
        schema(name);
    }
}

/// A schema that takes anything would prove nothing.
#[test]
fn a_schema_refuses_what_is_no_output() {
    for (name, wrong) in [
        ("plan", serde_json::json!({ "schema": "redrill.plan/v1" })),
        (
            "validate",
            serde_json::json!({ "schema": "redrill.validate/v1", "findings": [{}] }),
        ),
        ("run", serde_json::json!({ "schema": "redrill.plan/v1" })),
    ] {
        assert!(!schema(name).is_valid(&wrong), "{name}");
    }
}
