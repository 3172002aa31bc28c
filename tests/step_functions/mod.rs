//! `export step-functions`: what is exported restores as `run` does, and other people's tools take it.

mod exported;
mod generated;
mod interpreted;
mod machine;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use redrill::diagnostic::{Findings, Source};
use redrill::export::{Files, StepFunctions, Subject, step_functions};
use redrill::ids::RunId;
use redrill::render::{Inputs, Known};
use redrill::rules::Rules;
use redrill::session;
use serde_json::Value;

static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(Rules::embedded()));

/// A bucket, and nothing left out.
fn options() -> StepFunctions {
    StepFunctions {
        bucket: "dr-runs-{region}".to_owned(),
        prefix: String::new(),
        without: Default::default(),
        is_followed: false,
    }
}

/// The export of a plan that needs nothing looked up.
fn export(plan: &str, options: &StepFunctions) -> Result<(Files, Findings), Findings> {
    let source = Source::new("plan.yaml", plan);
    let loaded = session::read(&source, &RunId::new("main"), &Inputs::default(), &RULES).unwrap();
    let known = Known::default();
    let settled = loaded.draft(&known);
    let Some(settled) = settled.plan else {
        panic!("{:?}\n{plan}", settled.findings);
    };
    let subject = Subject {
        file: "plan.yaml",
        plan: &settled,
        planner: &loaded.planner,
        known: &known,
    };
    step_functions(&subject, options)
}

/// A file of an export.
fn text(files: &Files, path: &str) -> String {
    let found = files.iter().find(|(of, _)| *of == path);
    let (_, file) = found.unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(file.bytes.clone()).unwrap()
}

fn json(files: &Files, path: &str) -> Value {
    serde_json::from_str(&text(files, path)).unwrap()
}

/// Writes an export into a folder.
fn unpack(files: &Files, folder: &Path) {
    for (path, file) in files.iter() {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.bytes).unwrap();
    }
}

/// The restores of a file of items, each with the number of its level.
fn restores(items: &Value) -> Vec<(usize, &Value)> {
    let lanes = items.as_array().unwrap().iter();
    let levels = lanes.flat_map(|lane| lane["levels"].as_array().unwrap().iter().enumerate());
    let restores = levels.flat_map(|(at, level)| {
        let restores = level["restores"].as_array().unwrap().iter();
        restores.map(move |restore| (at, restore))
    });
    restores.collect()
}
