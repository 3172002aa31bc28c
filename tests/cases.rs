//! Drop a file, get a test: `cases/accepted/x.yaml` has no error, `cases/rejected/x.yaml` has exactly the findings
//! in `x.txt` beside it (`SNAPSHOTS=overwrite cargo test cases` writes them anew; read the difference).
//!
//! A rejected case says in comments where its findings are: a `^` under the first character of the place, and the rule. What
//! begins in the first or second column has its place to the right: `#< rule` and `#.< rule`.

use std::fs;
use std::path::{Path, PathBuf};

use redrill::diagnostic::{Finding, Severity, human};

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
    let findings = found(name, text);
    let failed = findings.iter().any(|f| f.severity == Severity::Error);
    (human(&findings, false), failed)
}

/// All findings of a text, in its order.
fn found(name: &str, text: &str) -> Vec<Finding> {
    let findings = crate::findings::check(name, text);
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
    findings
}

/// A place: line, first and last column, rule. Of several lines, or of nothing, the first character.
type Place = (u32, u32, u32, String);

/// Where a comment says that a finding is: in the line above it, or above the comments above it.
fn marker(line: &str) -> Option<(u32, u32, String)> {
    let comment = line.trim_start();
    let rest = comment.strip_prefix('#')?;
    let place = |column: usize, length: usize, rule: &str| {
        let rule = rule.trim();
        let is_rule = rule.contains('/') && !rule.contains(' ');
        let column = u32::try_from(column).unwrap();
        let last = column + u32::try_from(length).unwrap() - 1;
        is_rule.then(|| (column, last, rule.to_owned()))
    };
    // A comment cannot begin before its own sign, and so cannot show how long such a place is.
    if let Some(rule) = rest.strip_prefix('<') {
        return place(1, 1, rule);
    }
    if let Some(rule) = rest.strip_prefix(".<") {
        return place(2, 1, rule);
    }
    let (before, after) = line.split_once('^')?;
    let rule = after.trim_start_matches('^');
    place(
        before.chars().count() + 1,
        1 + after.len() - rule.len(),
        rule,
    )
}

fn marked(text: &str) -> Vec<Place> {
    let mut above = 0;
    let mut places = Vec::new();
    for (at, line) in text.lines().enumerate() {
        match marker(line) {
            Some((first, last, rule)) => places.push((above, first, last, rule)),
            None => above = u32::try_from(at + 1).unwrap(),
        }
    }
    places
}

fn places(findings: &[Finding]) -> Vec<Place> {
    let mut places: Vec<Place> = findings
        .iter()
        .map(|finding| {
            let (start, end) = (finding.span.start, finding.span.end);
            let shown = start.column > 2 && start.line == end.line && start.column < end.column;
            let last = if shown { end.column - 1 } else { start.column };
            (start.line, start.column, last, finding.rule.clone())
        })
        .collect();
    // One restore of a list says the same as another.
    places.dedup();
    places
}

/// The text with its markers written anew.
fn mark(name: &str, text: &str) -> String {
    let plain: Vec<&str> = text.lines().filter(|line| marker(line).is_none()).collect();
    let plain = plain.join("\n") + "\n";
    let places = places(&found(name, &plain));
    let mut written = String::new();
    for (at, line) in plain.lines().enumerate() {
        written.push_str(line);
        written.push('\n');
        for (_, first, last, rule) in places.iter().filter(|(l, ..)| *l as usize == at + 1) {
            let marker = match first {
                1 => format!("#< {rule}"),
                2 => format!("#.< {rule}"),
                first => {
                    let carets = "^".repeat((last - first) as usize + 1);
                    format!("#{}{carets} {rule}", " ".repeat(*first as usize - 2))
                }
            };
            written.push_str(&marker);
            written.push('\n');
        }
    }
    written
}

/// Cases in which a comment would be something else: there is no line to stand under, or none to stand in.
const WITHOUT_MARKERS: [&str; 1] = ["empty.yaml"];

#[test]
fn each_finding_of_a_rejected_plan_is_exactly_at_its_place() {
    let overwrite = std::env::var("SNAPSHOTS").is_ok_and(|value| value == "overwrite");
    let mut seen = 0;
    for path in plans("rejected").into_iter().chain(plans("warned")) {
        let name = name(&path);
        if WITHOUT_MARKERS.contains(&name.as_str()) {
            continue;
        }
        if overwrite {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, mark(&name, &text)).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        for text in [text.replace('\n', "\r\n"), text] {
            assert_eq!(places(&found(&name, &text)), marked(&text), "{name}");
        }
        seen += 1;
    }
    assert!(seen >= 60, "{seen} cases");
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
fn plans_have_exactly_their_findings() {
    for path in plans("rejected").into_iter().chain(plans("warned")) {
        let (found, failed) = check(&name(&path), &fs::read_to_string(&path).unwrap());
        let is_rejected = path
            .parent()
            .is_some_and(|folder| folder.ends_with("rejected"));
        assert_eq!(failed, is_rejected, "{}:\n{found}", path.display());
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
