//! Findings in each of their forms: the same ones, in the same order, at the same places.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use redrill::diagnostic::{Finding, Position, Source, github, human, json, sarif};
use redrill::ids::RunId;
use redrill::render::{Inputs, Known};
use redrill::rules::Rules;
use redrill::session;
use serde_json::Value;

use crate::support::{folder, redrill, repository_file, write};

static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(Rules::embedded()));

/// Findings as SARIF, with what is known of their rules.
fn as_sarif(findings: &[Finding], files: &[String]) -> serde_json::Result<String> {
    sarif(findings, files, |id| RULES.described(id))
}

/// Everything that is said of a plan, in its order.
pub(crate) fn check(name: &str, text: &str) -> Vec<Finding> {
    let source = Source::new(name, text);
    let inputs = Inputs::default().for_checking();
    let found = match session::read(&source, &RunId::new("main"), &inputs, &RULES) {
        Ok(loaded) => loaded.draft(&Known::default()).findings,
        Err(findings) => findings,
    };
    found.into_sorted()
}

/// Every plan that is refused, by its path in the repository.
fn rejected() -> Vec<(String, String)> {
    let mut plans = Vec::new();
    for directory in [
        "tests/cases/rejected",
        "tests/cases/warned",
        "tests/rules/rejected",
    ] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        for entry in fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "yaml") {
                let name = path.file_name().unwrap().to_string_lossy();
                plans.push((
                    format!("{directory}/{name}"),
                    fs::read_to_string(&path).unwrap(),
                ));
            }
        }
    }
    plans.sort();
    assert!(plans.len() > 50, "{}", plans.len());
    plans
}

/// What every form says of a finding.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    severity: String,
    rule: String,
    file: String,
    line: u64,
    column: u64,
    title: String,
    help: String,
}

fn of_json(text: &str) -> Vec<Said> {
    let document: Value = serde_json::from_str(text).unwrap();
    let of = |value: &Value| value.as_str().map(|text| format!("{text}: "));
    document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap().to_owned();
            let about = [of(&finding["restore"]), of(&finding["key"])];
            let about = match about {
                [None, _] => String::new(),
                about => about.into_iter().flatten().collect(),
            };
            Said {
                severity: text("severity"),
                rule: text("rule"),
                file: text("file"),
                line: finding["line"].as_u64().unwrap(),
                column: finding["column"].as_u64().unwrap(),
                title: about + &text("message"),
                help: text("help"),
            }
        })
        .collect()
}

fn of_human(text: &str) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    for line in text.lines() {
        let head = ["error", "warning", "note"].iter().find_map(|severity| {
            let (rule, title) = line
                .strip_prefix(severity)?
                .strip_prefix('[')?
                .split_once("]: ")?;
            Some((severity, rule, title))
        });
        if let Some((severity, rule, title)) = head {
            said.push(Said {
                severity: (*severity).to_owned(),
                rule: rule.to_owned(),
                file: String::new(),
                line: 0,
                column: 0,
                title: title.to_owned(),
                help: String::new(),
            });
        } else if let Some(help) = line.trim_start().strip_prefix("= help: ") {
            said.last_mut().unwrap().help = help.to_owned();
        } else if let Some(place) = line.trim_start().strip_prefix("--> ") {
            let mut parts = place.rsplitn(3, ':');
            let last = said.last_mut().unwrap();
            // What else it is about stands below it.
            if last.line > 0 {
                continue;
            }
            last.column = parts.next().unwrap().parse().unwrap();
            last.line = parts.next().unwrap().parse().unwrap();
            last.file = parts.next().unwrap().to_owned();
        }
    }
    said
}

fn of_github(text: &str) -> Vec<Said> {
    let plain = |text: &str| {
        text.replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%0A", "\n")
            .replace("%0D", "\r")
            .replace("%25", "%")
    };
    text.lines()
        .map(|line| {
            let (command, rest) = line
                .strip_prefix("::")
                .and_then(|line| line.split_once(' '))
                .unwrap_or_else(|| panic!("{line}"));
            let (properties, message) = rest.split_once("::").unwrap();
            let property = |name: &str| {
                let mut all = properties.split(',').map(|p| p.split_once('=').unwrap());
                plain(all.find(|(key, _)| *key == name).unwrap().1)
            };
            let message = plain(message);
            let (title, help) = message.rsplit_once("\nhelp: ").unwrap();
            Said {
                severity: command.replace("notice", "note"),
                rule: property("title"),
                file: property("file"),
                line: property("line").parse().unwrap(),
                column: property("col").parse().unwrap(),
                title: title.to_owned(),
                help: help.to_owned(),
            }
        })
        .collect()
}

/// Columns in UTF-16 are put back into characters.
fn of_sarif(text: &str, source: &Source) -> Vec<Said> {
    let log: Value = serde_json::from_str(text).unwrap();
    let run = &log["runs"][0];
    run["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            let region = &place["region"];
            let line = region["startLine"].as_u64().unwrap();
            let column = region["startColumn"].as_u64().unwrap();
            assert_eq!(run["columnKind"], "utf16CodeUnits");
            let units: Vec<u16> = source
                .line(u32::try_from(line).unwrap())
                .encode_utf16()
                .take(usize::try_from(column).unwrap() - 1)
                .collect();
            let rule = &run["tool"]["driver"]["rules"]
                [usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
            assert_eq!(rule["id"], result["ruleId"]);
            let message = result["message"]["text"].as_str().unwrap();
            let (title, help) = message.rsplit_once("\nhelp: ").unwrap();
            Said {
                severity: result["level"].as_str().unwrap().to_owned(),
                rule: result["ruleId"].as_str().unwrap().to_owned(),
                file: place["artifactLocation"]["uri"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
                line,
                column: String::from_utf16(&units).unwrap().chars().count() as u64 + 1,
                title: title.to_owned(),
                help: help.to_owned(),
            }
        })
        .collect()
}

#[test]
fn every_form_says_the_same_of_every_plan_that_is_refused() {
    for (name, text) in rejected() {
        let findings = check(&name, &text);
        let said = of_json(&json(&findings).unwrap());
        assert_eq!(said.len(), findings.len(), "{name}");
        let place = |said: &Said| (said.line, said.column);
        assert!(
            said.is_sorted_by_key(place),
            "{name}: not in the file's order"
        );
        assert_eq!(of_github(&github(&findings)), said, "{name}");
        let log = as_sarif(&findings, std::slice::from_ref(&name)).unwrap();
        assert_eq!(of_sarif(&log, &Source::new(&*name, &*text)), said, "{name}");
        assert_eq!(of_human(&human(&findings, false)), said, "{name}");
    }
}

/// The schema is the one that OASIS publishes (`tests/fixtures/README.md`).
#[test]
fn sarif_is_what_its_schema_asks_for() {
    let schema = repository_file("tests/fixtures/sarif-schema-2.1.0.json");
    // Its pattern of a language has a bracket too many, which only some engines take for itself.
    let schema = schema.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}?$");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::draft7::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let mut all = Vec::new();
    let mut files = vec!["plans/quick start.yaml".to_owned()];
    for (name, text) in rejected() {
        all.extend(check(&name, &text));
        files.push(name);
    }
    for (findings, files) in [(&all[..], &files[..]), (&[], &["-".to_owned()]), (&[], &[])] {
        let log: Value = serde_json::from_str(&as_sarif(findings, files).unwrap()).unwrap();
        let problems: Vec<String> = validator
            .iter_errors(&log)
            .map(|problem| format!("{}: {problem}", problem.instance_path()))
            .collect();
        assert!(problems.is_empty(), "{problems:#?}");
    }
    // A schema that takes everything would prove nothing.
    assert!(!validator.is_valid(&serde_json::json!({"version": "2.1.0", "runs": [{}]})));
    // Fingerprints tell findings of a file apart.
    let log: Value = serde_json::from_str(&as_sarif(&all, &files).unwrap()).unwrap();
    let mut prints: Vec<String> = log["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
            format!("{place} {}", result["partialFingerprints"]["redrill/v1"])
        })
        .collect();
    let count = prints.len();
    prints.sort();
    prints.dedup();
    assert_eq!(prints.len(), count);
}

const UNTIDY: &str = "plan: untidy
target:
  region: us-west-2
  account: \"123456789012\"
  iam_role_arn: arn:aws:iam::123456789012:role/restore
restores:
  a:
    type: Unknown
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:1
    metadata:
      plain: one
        two {{ vars.plain }}
      single: '日本 it''s {{ vars.single }}'
      double: \"😀\\u00e9\\t\\\\ {{ vars.double }}\"
      literal: |-
        first
          {{ 1 + 1 }} {{ vars.literal }}
      folded: >
        a

        b {{ 'x' | nothing }}
      tab:\t\"a\tb {{ vars.tab }}\"
";

/// Every finding in a template stands under the name it is about, however YAML writes the scalar.
#[test]
fn a_finding_stands_in_the_template() {
    for text in [
        UNTIDY.to_owned(),
        UNTIDY.replace('\n', "\r\n"),
        format!("\u{feff}{UNTIDY}"),
    ] {
        let findings = check("untidy.yaml", &text);
        let found: Vec<&str> = findings
            .iter()
            .filter(|finding| finding.rule.starts_with("template/"))
            .map(|finding| finding.source.slice(finding.span))
            .collect();
        assert_eq!(
            found,
            [
                "vars.plain",
                "vars.single",
                "vars.double",
                "vars.literal",
                "nothing",
                "vars.tab"
            ]
        );
    }
    snapbox::assert_data_eq!(
        human(&check("untidy.yaml", &UNTIDY.replace('\n', "\r\n")), false),
        snapbox::Data::read_from(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/untidy.txt"),
            None
        )
        .raw()
    );
}

#[test]
fn a_fingerprint_moves_with_its_finding() {
    let print = |text: &str| {
        let log = as_sarif(&check("plan.yaml", text), &[]).unwrap();
        let log: Value = serde_json::from_str(&log).unwrap();
        log["runs"][0]["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| result["partialFingerprints"]["redrill/v1"].to_string())
            .collect::<Vec<_>>()
    };
    let text = repository_file("tests/cases/rejected/efs-keys.yaml");
    assert_eq!(print(&text), print(&format!("# moved\n\n{text}")));
}

#[test]
fn sarif_columns_are_utf_16() {
    let text = UNTIDY.replace("vars.double", "vars.x");
    let findings = check("plan.yaml", &text);
    let at = findings
        .iter()
        .find(|finding| finding.message.contains("vars.x"))
        .unwrap();
    let Position { line, column } = at.span.start;
    let log: Value = serde_json::from_str(&as_sarif(&findings, &[]).unwrap()).unwrap();
    let region = log["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["locations"][0]["physicalLocation"]["region"])
        .find(|region| region["startLine"] == line)
        .unwrap();
    // One character of two units stands before it.
    assert_eq!(region["startColumn"], column + 1);
    assert_eq!(region["endColumn"], column + 1 + "vars.x".len() as u32);
}

#[test]
fn validate_writes_each_form_for_several_plans_at_once() {
    let folder = folder();
    let bad = repository_file("tests/cases/rejected/cycle.yaml");
    write(folder.path(), "a b.yaml", &bad);
    write(folder.path(), "good.yaml", &crate::support::many(1, 0));
    std::fs::write(folder.path().join("binary.yaml"), b"plan: \xff\n").unwrap();
    let run = |format: &str| {
        let assert = redrill(folder.path())
            .args(["validate", "./a b.yaml", "good.yaml", "binary.yaml"])
            .args(["--format", format])
            .assert()
            .code(4)
            .stderr_eq("");
        String::from_utf8(assert.get_output().stdout.clone()).unwrap()
    };
    let log: Value = serde_json::from_str(&run("sarif")).unwrap();
    let uris: Vec<&str> = log["runs"][0]["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|artifact| artifact["location"]["uri"].as_str().unwrap())
        .collect();
    assert_eq!(uris, ["a%20b.yaml", "good.yaml", "binary.yaml"]);
    let rules: Vec<&str> = log["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["ruleId"].as_str().unwrap())
        .collect();
    assert_eq!(rules, ["needs/cycle", "yaml/encoding"]);
    snapbox::assert_data_eq!(
        run("github"),
        snapbox::str![[r#"
::error file=./a b.yaml,line=18,col=13,endLine=18,title=needs/cycle::b: these restores wait for one another: a → c → b → a%0Ahelp: remove one of the needs, so that one of them can start
::error file=binary.yaml,line=1,col=7,endLine=1,title=yaml/encoding::this is not UTF-8, from byte 6 on%0Ahelp: save the file as UTF-8; a plan is a text file

"#]]
    );
    // A variables file that is no such thing is told in the same form.
    write(folder.path(), "vars.yaml", "- a\n");
    redrill(folder.path())
        .args(["validate", "good.yaml", "--var-file", "vars.yaml"])
        .args(["--format", "github"])
        .assert()
        .code(4)
        .stdout_eq("::error file=vars.yaml,line=1,col=1,[..]\n");
}

/// What a finding is about stands in several places, of several files: every form that has room says all of them.
#[test]
fn issue_15_a_finding_says_every_place_that_it_is_about() {
    let places = |text: &str, rule: &str| -> Vec<(u32, u32, String)> {
        let findings = check("plan.yaml", text);
        let found = findings.iter().filter(|finding| finding.rule == rule);
        let found: Vec<Finding> = found.take(1).cloned().collect();
        assert!(!found.is_empty(), "{rule}: {findings:?}");
        let told: Vec<(u32, u32, String)> = found[0]
            .also
            .iter()
            .map(|place| {
                let Position { line, column } = place.span.start;
                (line, column, place.label.clone())
            })
            .collect();
        let of_json: Value = serde_json::from_str(&json(&found).unwrap()).unwrap();
        let of_sarif: Value = serde_json::from_str(&as_sarif(&found, &[]).unwrap()).unwrap();
        let result = &of_sarif["runs"][0]["results"][0];
        let shown = human(&found, false);
        for (at, (line, column, label)) in told.iter().enumerate() {
            let place = &of_json["findings"][0]["also"][at];
            assert_eq!(place["line"], *line);
            assert_eq!(place["column"], *column);
            assert_eq!(place["message"], label.as_str());
            let place = &result["relatedLocations"][at];
            assert_eq!(place["message"]["text"], label.as_str());
            assert_eq!(place["physicalLocation"]["region"]["startLine"], *line);
            assert!(shown.contains(label), "{shown}");
        }
        told
    };
    let case = |name: &str| repository_file(&format!("tests/cases/rejected/{name}.yaml"));
    let first = "written here first".to_owned();
    assert_eq!(
        places("plan: a\nplan: b\nx-a: 1\n", "yaml/duplicate-key"),
        [(1, 1, first)]
    );
    assert_eq!(
        places(&case("needs-cycle"), "needs/cycle")
            .into_iter()
            .map(|(.., label)| label)
            .collect::<Vec<_>>(),
        ["`a` waits here"]
    );
    assert_eq!(
        places(&case("protect"), "protect/written")[0].2,
        "protected here"
    );
    assert!(
        !json(&check("plan.yaml", "plan: 1\n"))
            .unwrap()
            .contains("also"),
        "what has no other place says so by saying nothing"
    );
}
