//! The ledger: a line that was changed, removed, moved or doubled is named, and git merges what two branches have added.

use std::path::Path;
use std::process::Command;

use redrill::proof::Ledger;

use super::{added, proof};
use crate::support::{folder, write};

fn ledger(count: usize) -> String {
    added(
        "",
        (0..count).map(|at| proof(&format!("arn:aws:s3:::b{at}"), "main")),
    )
}

fn damages(text: &str) -> Vec<String> {
    let ledger = Ledger::parse(text.as_bytes());
    ledger.damages().iter().map(ToString::to_string).collect()
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

#[test]
fn a_ledger_is_a_chain() {
    let text = ledger(5);
    assert_eq!(damages(&text), Vec::<String>::new());
    let ledger = Ledger::parse(text.as_bytes());
    assert_eq!((ledger.lines(), ledger.entries().len()), (5, 5));
    let heads = ledger.heads();
    assert_eq!(heads.len(), 1);
    assert!(text.ends_with(&format!("\"sha256\":\"{}\"}}\n", heads[0])));
    assert!(ledger.has(&heads[0]) && !ledger.has(&"0".repeat(64)) && !ledger.has("x"));
    // What it says already is not said again.
    assert_eq!(added(&text, [proof("arn:aws:s3:::b3", "main")]), text);
    assert_ne!(added(&text, [proof("arn:aws:s3:::b3", "other")]), text);
}

/// Every byte of every line counts.
#[test]
fn a_changed_line_is_named() {
    let text = ledger(3);
    let mut random = fastrand::Rng::with_seed(21);
    for _ in 0..1000 {
        let mut bytes = text.clone().into_bytes();
        let at = random.usize(0..bytes.len());
        bytes[at] ^= random.u8(1..);
        let line = text[..at].matches('\n').count() + 1;
        let found = Ledger::parse(&bytes).damages();
        assert!(
            found
                .iter()
                .any(|damage| damage.line == line || damage.line == line + 1),
            "byte {at} of line {line}: {found:?}"
        );
    }
    // Who changes what it says changes nothing else: only that line is named, and it counts for nothing.
    let forged = text.replacen("arn:aws:s3:::b1", "arn:aws:s3:::b9", 1);
    let found = damages(&forged);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("line 2: it was changed: its SHA-256 is "),
        "{found:?}"
    );
    assert_eq!(Ledger::parse(forged.as_bytes()).entries().len(), 2);
}

#[test]
fn a_removed_line_is_named_by_the_one_that_follows_it() {
    let text = ledger(5);
    for removed in 0..4 {
        let mut kept = lines(&text);
        kept.remove(removed);
        let found = damages(&kept.concat());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("line {}: it follows ", removed + 1)),
            "{found:?}"
        );
        assert!(
            found[0].ends_with("which is not there: that line was removed"),
            "{found:?}"
        );
    }
    // Nothing follows the last one: whoever knows its digest finds that it is gone.
    let head = Ledger::parse(text.as_bytes()).heads().remove(0);
    let shorter = lines(&text)[..4].concat();
    assert_eq!(damages(&shorter), Vec::<String>::new());
    assert!(!Ledger::parse(shorter.as_bytes()).has(&head));
}

#[test]
fn a_moved_line_is_named() {
    let text = ledger(5);
    for from in 0..5 {
        for to in (0..5).filter(|to| *to != from) {
            let mut moved = lines(&text);
            let line = moved.remove(from);
            moved.insert(to, line);
            let found = damages(&moved.concat());
            assert!(
                found
                    .iter()
                    .any(|damage| damage.ends_with("one of the two was moved")),
                "{from} to {to}: {found:?}"
            );
        }
    }
}

#[test]
fn a_doubled_line_is_named() {
    let text = ledger(3);
    for (doubled, line) in lines(&text).into_iter().enumerate() {
        let found = damages(&format!("{text}{line}"));
        assert_eq!(
            found,
            [format!(
                "line 4: it is line {} again: it was doubled",
                doubled + 1
            )]
        );
    }
}

#[test]
fn what_is_no_line_is_named() {
    let text = ledger(2);
    let torn = &text[..text.len() - 10];
    assert!(damages(torn)[0].starts_with("line 2: it has no end"));
    for (added, says) in [
        ("\n", "line 3: it does not end with its digest"),
        ("<<<<<<< HEAD\n", "line 3: it is a mark of a merge"),
        ("{}\n", "line 3: it does not end with its digest"),
    ] {
        let found = damages(&format!("{text}{added}"));
        assert!(found[0].starts_with(says), "{found:?}");
    }
    // A later version's line is not guessed at.
    let later = text.replacen("redrill.proof/v1", "redrill.proof/v2", 1);
    let first = lines(&later)[0];
    let body = &first[..first.rfind(",\"sha256\"").unwrap()];
    let line = format!("{body},\"sha256\":\"{}\"}}\n", redrill::plan::sha256(body));
    assert!(
        damages(&line)[0].contains("use a later version"),
        "{:?}",
        damages(&line)
    );
}

/// Whatever a line claims: without AWS, a job and a check it is no proof.
#[test]
fn a_line_that_claims_too_much_counts_for_less() {
    use redrill::backup::Endpoint;
    use redrill::proof::{Proof, ProofResult};
    let good = proof("arn:aws:s3:::b", "main");
    for claims in [
        Proof {
            endpoint: Endpoint::Rehearsal,
            ..good.clone()
        },
        Proof {
            endpoint: Endpoint::Other {
                url: "http://localhost".to_owned(),
            },
            ..good.clone()
        },
        Proof {
            checks: Vec::new(),
            ..good.clone()
        },
        Proof {
            job_id: None,
            ..good.clone()
        },
        Proof {
            job_id: Some(redrill::ids::JobId::new("")),
            ..good.clone()
        },
        Proof {
            checks: vec![String::new()],
            ..good.clone()
        },
        Proof {
            attempts: 0,
            ..good.clone()
        },
        Proof {
            rto_seconds: Some(-5),
            ..good.clone()
        },
        Proof {
            recovery_point_arn: None,
            ..good.clone()
        },
        Proof {
            evidence_sha256: "zz".to_owned(),
            ..good.clone()
        },
        Proof {
            reason: Some("no_check".to_owned()),
            ..good.clone()
        },
    ] {
        let ledger = Ledger::parse(added("", [claims]).as_bytes());
        assert_eq!(ledger.entries()[0].result, ProofResult::Restored);
    }
    let ledger = Ledger::parse(added("", [good]).as_bytes());
    assert_eq!(ledger.entries()[0].result, ProofResult::Proven);
}

/// Git, without what this machine has configured.
fn git(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args([
            "-c",
            "user.name=drill",
            "-c",
            "user.email=drill@example.com",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(words)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {words:?}: {said}");
    said
}

fn read(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("proven.jsonl")).unwrap()
}

/// Proves ten resources on a branch of its own, in two commits.
fn branch(folder: &Path, name: &str) {
    git(folder, &["checkout", "-q", "-b", name, "main"]);
    for half in 0..2 {
        let resources = (0..5).map(|at| proof(&format!("arn:aws:s3:::{name}-{half}-{at}"), name));
        let text = added(&read(folder), resources);
        write(folder, "proven.jsonl", &text);
        git(folder, &["commit", "-qam", name]);
    }
}

#[test]
fn two_branches_that_proved_ten_resources_each_merge_and_verify() {
    let folder = folder();
    let at = folder.path();
    git(at, &["init", "-q"]);
    write(
        at,
        ".gitattributes",
        "proven.jsonl text eol=lf merge=union\n",
    );
    write(at, "proven.jsonl", &ledger(3));
    git(at, &["add", "."]);
    git(at, &["commit", "-qm", "begin"]);
    branch(at, "left");
    branch(at, "right");
    git(at, &["merge", "-q", "left"]);
    let merged = read(at);
    assert_eq!(damages(&merged), Vec::<String>::new());
    let whole = Ledger::parse(merged.as_bytes());
    assert_eq!((whole.lines(), whole.heads().len()), (23, 2));
    // The other way round it is the same ledger in another order.
    git(at, &["checkout", "-q", "left"]);
    git(at, &["reset", "-q", "--hard", "left"]);
    git(
        at,
        &["merge", "-q", "-s", "recursive", "right~0", "--no-ff"],
    );
    let other = read(at);
    assert_eq!(damages(&other), Vec::<String>::new());
    let mut sorted = [lines(&merged), lines(&other)];
    sorted.iter_mut().for_each(|lines| lines.sort_unstable());
    assert_eq!(sorted[0], sorted[1]);
    // The next line joins the two.
    let joined = added(&merged, [proof("arn:aws:s3:::next", "next")]);
    let joined = Ledger::parse(joined.as_bytes());
    assert_eq!((joined.damages().len(), joined.heads().len()), (0, 1));
    // And a line of either branch is missed once it is gone.
    for gone in [4, 20] {
        let mut kept = lines(&merged);
        kept.remove(gone);
        assert_eq!(damages(&kept.concat()).len(), 1);
    }
}
