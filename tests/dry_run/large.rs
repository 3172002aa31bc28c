//! Plans that no comment has room for.

use std::fmt::Write as _;

use serde_json::Value;

use super::repository::{commit, repository};
use crate::support::{folder, many, redrill, write};

/// The sections of a comment, and how many it says are left out.
fn sections(text: &str) -> (usize, usize) {
    let shown = text.lines().filter(|l| l.starts_with("<details>")).count();
    let ended = text.lines().filter(|l| *l == "</details>").count();
    assert_eq!(shown, ended, "cut inside a section");
    let left_out = text
        .split("**")
        .find_map(|part| {
            part.split_once(" left out")
                .map(|(words, _)| words.to_owned())
        })
        .map_or(0, |words| {
            let digits: String = words.chars().filter(char::is_ascii_digit).collect();
            digits.parse().unwrap()
        });
    (shown, left_out)
}

#[test]
fn five_thousand_restores_fit_a_comment_with_their_totals() {
    let folder = repository();
    write(folder.path(), "plan.yaml", &many(5_000, 0));
    commit(folder.path(), "before");
    // 1,000 change, 700 go, 300 come.
    let mut plan = String::new();
    let text = many(5_300, 0);
    let mut at = 0;
    let (mut skipped, mut changed) = (false, false);
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix("  r")
            .and_then(|rest| rest.strip_suffix(':'))
        {
            at = name.parse().unwrap();
            skipped = at < 700;
            changed = (1_000..2_000).contains(&at);
        } else if !line.starts_with("    ") {
            skipped = false;
        }
        if !skipped {
            let line = if changed {
                line.replace("fs-0a1b2c3d", "fs-0ffffffff")
            } else {
                line.to_owned()
            };
            let _ = writeln!(plan, "{line}");
        }
    }
    assert!(at == 5_299, "{at}");
    write(folder.path(), "plan.yaml", &plan);
    let dry_run = |format: &str| {
        let output = redrill(folder.path())
            .args([
                "plan",
                "plan.yaml",
                "--against",
                "git:main",
                "--detailed-exitcode",
                "--format",
                format,
            ])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let comment = dry_run("markdown");
    assert!(comment.len() <= 65_535, "{}", comment.len());
    assert!(
        comment.len() > 60_000,
        "there would have been room: {}",
        comment.len()
    );
    assert!(
        comment.contains("**300 added, 700 removed, 1,000 changed, 3,300 unchanged**"),
        "{}",
        &comment[..600]
    );
    let (shown, left_out) = sections(&comment);
    assert_eq!(shown + left_out, 2_000);
    let document: Value = serde_json::from_str(&dry_run("json")).unwrap();
    assert_eq!(document["restores"].as_array().unwrap().len(), 4_600);
    assert_eq!(document["totals"]["changes"]["changed"], 1_000);
    assert_eq!(document["removed"].as_array().unwrap().len(), 700);
}

/// Values and lists of any length, and text that would end a fence, a tag or a line.
#[test]
fn whatever_a_value_is_it_stays_in_its_place() {
    let folder = folder();
    let values = [
        "``````\n</details>\n@everyone <!-- ".repeat(40),
        "x".repeat(20_000),
        "\u{1b}[31mred\u{9b}2J\u{202e}\r\n::error::not a command".to_owned(),
    ];
    let mut plan = String::from(&many(1, 0)[..many(1, 0).find("restores:").unwrap()]);
    plan.push_str("restores:\n");
    for (at, value) in values.iter().enumerate() {
        let _ = write!(
            plan,
            "  u{at}:\n    type: Unheard\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:{at}\n    metadata:\n"
        );
        for key in 0..70 {
            let _ = writeln!(plan, "      k{key}: {}", Value::from(value.as_str()));
        }
    }
    write(folder.path(), "plan.yaml", &plan);
    write(folder.path(), "empty.yaml", &many(1, 0));
    for format in ["markdown", "github", "human"] {
        let output = redrill(folder.path())
            .args([
                "plan",
                "plan.yaml",
                "--against",
                "file:empty.yaml",
                "--format",
                format,
                "-q",
            ])
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            !text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\r']),
            "{format}"
        );
        match format {
            "markdown" => {
                assert!(text.len() <= 65_535);
                // Outside of fences nothing of a value is left.
                let mut fence: Option<&str> = None;
                for line in text.lines() {
                    match fence {
                        Some(open) if line == open => fence = None,
                        Some(_) => {}
                        None if line.starts_with("```") => fence = line.strip_suffix("diff"),
                        None => assert!(!line.contains("@everyone"), "{line}"),
                    }
                }
                assert_eq!(fence, None);
                assert_eq!(sections(&text), (4, 0));
            }
            "github" => {
                for line in text.lines() {
                    assert!(line.starts_with("::"), "{line}");
                    assert!(!line.starts_with("::error::not"), "{line}");
                }
            }
            _ => {}
        }
    }
}
