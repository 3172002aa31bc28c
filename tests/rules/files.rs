//! Drop a file, get a test: `accepted/*.yaml` gives no error; `rejected/*.yaml` says what the `.txt` beside it says.

use redrill::diagnostic::{Severity, human};
use snapbox::{Data, assert_data_eq};

use super::{AROUND, check, errors, files, told};

/// The name of a fixture, its text with the rest of a plan below it.
pub(crate) fn fixture(path: &std::path::Path) -> (String, String) {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    (name, std::fs::read_to_string(path).unwrap() + AROUND)
}

#[test]
fn accepted() {
    for path in files("tests/rules/accepted", "yaml") {
        let (name, text) = fixture(&path);
        let findings = check(&name, &text);
        let errors: Vec<String> = errors(&findings).into_iter().map(told).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

#[test]
fn rejected() {
    for path in files("tests/rules/rejected", "yaml") {
        let (name, text) = fixture(&path);
        let findings = check(&name, &text);
        assert!(
            findings.iter().any(|f| f.severity != Severity::Note),
            "{name}: nothing was said"
        );
        let expected = Data::read_from(&path.with_extension("txt"), None);
        assert_data_eq!(human(&findings, false), expected.raw());
    }
}
