//! Drop a file, get a test: `cases/accepted/x.yaml` has no error, `cases/rejected/x.yaml` has exactly the findings
//! in `x.txt` beside it (`SNAPSHOTS=overwrite cargo test cases` writes them anew; read the difference).

use std::fs;
use std::path::{Path, PathBuf};

use redrill::diagnostic::{Severity, human};

fn plans(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(folder);
    let mut plans: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    plans.sort();
    assert!(!plans.is_empty());
    plans
}

/// All findings of a text, for the eye, and whether one is an error.
pub(crate) fn check(name: &str, text: &str) -> (String, bool) {
    let findings = crate::findings::check(name, text);
    let failed = findings.iter().any(|f| f.severity == Severity::Error);
    for finding in &findings {
        assert!(
            finding.span.start.line > 0,
            "{name}: a finding without a place: {finding:?}"
        );
        assert!(
            !finding.message.is_empty() && !finding.help.is_empty(),
            "{finding:?}"
        );
    }
    (human(&findings, false), failed)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn accepted_plans_have_no_error() {
    for path in plans("accepted") {
        let (found, failed) = check(&name(&path), &fs::read_to_string(&path).unwrap());
        assert!(!failed, "{}\n{found}", path.display());
    }
}

#[test]
fn rejected_plans_have_exactly_their_findings() {
    for path in plans("rejected") {
        let (found, failed) = check(&name(&path), &fs::read_to_string(&path).unwrap());
        assert!(failed, "{} is accepted:\n{found}", path.display());
        let expected = path.with_extension("txt");
        snapbox::assert_data_eq!(found, snapbox::Data::read_from(&expected, None).raw());
    }
}

#[test]
fn a_megabyte_of_brackets_ends_with_a_finding() {
    for text in [
        "[".repeat(1 << 20),
        "{".repeat(1 << 20),
        "- ".repeat(1 << 19),
        "[{a: ".repeat(200_000),
    ] {
        let (found, failed) = check("brackets.yaml", &text);
        assert!(failed);
        assert!(
            found.contains("yaml/"),
            "{}",
            &found[..found.len().min(2000)]
        );
    }
}

/// Every prefix of a good plan, and every plan with one byte changed, ends with findings and never with a panic.
#[test]
fn no_damage_to_a_plan_makes_it_panic() {
    let text = include_str!("cases/accepted/vars-of-every-kind.yaml");
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        check("cut.yaml", &text[..end]);
    }
    let bytes = [b'{', b'"', b':', b'*', b'\n', b'%', b'\t', b' '];
    for at in 0..text.len() {
        // Each place gets two of them, so that the test stays under a second or two.
        for byte in [bytes[at % bytes.len()], bytes[(at / 3) % bytes.len()]] {
            let mut damaged = text.as_bytes().to_vec();
            damaged[at] = byte;
            if let Ok(text) = String::from_utf8(damaged) {
                check("changed.yaml", &text);
            }
        }
    }
}
