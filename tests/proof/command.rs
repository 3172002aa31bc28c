//! `redrill prove`, as it is typed.

use std::path::Path;

use redrill::backup::Endpoint;
use redrill::proof::Ledger;
use redrill::state::{Append as _, Event, Recorded};
use serde_json::Value;

use crate::controls::assert_oscal;
use crate::drill::signatures::pair;
use crate::drill::{check, plan, run};
use crate::dry_run::outputs::assert_valid;
use crate::harness::owner;
use crate::support::{at_once, emulator, folder, journal_of, now, ran, records, write};

/// A plan of three file systems: one that is looked at, one that nobody looks at, one that is found bad.
fn three() -> String {
    plan(3, "", |at| match at {
        0 => check("rows", "test -n \"$0\" && ls / >/dev/null", ""),
        1 => String::new(),
        _ => check("rows", "ls /nowhere", ""),
    })
}

/// The journal of a run as it would be had AWS answered it: what an emulator makes proves nothing.
fn as_at_aws(folder: &Path, from: &str, to: &str) {
    let at_aws = |mut recorded: Recorded| {
        if let Event::RunOpened { world, .. } = &mut recorded.event {
            *world = Some(Endpoint::Aws);
        }
        recorded
    };
    let events = records(&folder.join(from), "drill", "main").unwrap();
    let events: Vec<Recorded> = events.into_iter().map(at_aws).collect();
    let mut journal = journal_of(&folder.join(to), "drill", "main", &owner(1), false).unwrap();
    now(journal.append(&events)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_at_an_emulator_shows_is_nothing_and_at_aws_a_line() {
    let folder = folder();
    let at = folder.path();
    write(at, "plan.yaml", &three());
    let emulator = emulator(at_once()).await;
    let words = [
        "run",
        "plan.yaml",
        "--yes",
        "-q",
        "--prove",
        "--state",
        "there",
    ];
    let (code, _, stderr) = ran(at, &emulator, &words).await;
    emulator.shutdown().await;
    assert_eq!(code, 6, "{stderr}");
    assert!(
        !at.join("proven.jsonl").exists(),
        "an emulator proves nothing"
    );

    let prove = |more: &[&str]| run(at, &[&["prove", "plan.yaml"], more].concat());
    let (code, stdout, _) = prove(&["--state", "there"]);
    assert_eq!(code, 8);
    assert!(
        stdout.starts_with("drill run main: 0 of 3 restores are proven\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("nothing  r0: the run was at http://127.0.0.1:"),
        "{stdout}"
    );
    assert!(
        stdout.contains("this run shows nothing that it could hold"),
        "{stdout}"
    );
    assert!(!at.join("proven.jsonl").exists());

    as_at_aws(at, "there", "here");
    let (code, stdout, stderr) = prove(&["--state", "here", "--format", "json"]);
    assert_eq!(code, 8, "two of three are not proven: {stderr}");
    assert!(
        stderr.contains("proven.jsonl text eol=lf merge=union"),
        "{stderr}"
    );
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_valid("prove", &document);
    let results: Vec<&str> = document["restores"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|of| of["result"].as_str())
        .collect();
    assert_eq!(results, ["proven", "restored", "failed"]);
    let text = std::fs::read_to_string(at.join("proven.jsonl")).unwrap();
    let ledger = Ledger::parse(text.as_bytes());
    assert_eq!((ledger.damages().len(), ledger.lines()), (0, 3));
    for line in text.lines() {
        assert_valid("proof", &serde_json::from_str(line).unwrap());
    }
    // The digest is that of the bundle, which verifies.
    let (code, _, stderr) = run(
        at,
        &[
            "evidence",
            "plan.yaml",
            "--state",
            "here",
            "-o",
            "bundle.zip",
        ],
    );
    assert_eq!(code, 0, "{stderr}");
    let (code, stdout, _) = run(at, &["evidence", "verify", "bundle.zip"]);
    let digest = document["evidence_sha256"].as_str().unwrap();
    assert!(code == 0 && stdout.contains(digest), "{stdout}");

    // What it shows, for governance tools and for auditors.
    let words = ["evidence", "oscal", "bundle.zip", "-o", "drill.oscal.json"];
    let (code, _, stderr) = run(at, &words);
    assert_eq!(code, 0, "{stderr}");
    let written = std::fs::read(at.join("drill.oscal.json")).unwrap();
    assert_oscal(&serde_json::from_slice(&written).unwrap());
    let there = [
        "evidence",
        "plan.yaml",
        "--state",
        "there",
        "-o",
        "emulated.zip",
    ];
    assert_eq!(run(at, &there).0, 0);
    let words = ["evidence", "oscal", "emulated.zip", "-o", "no.json"];
    let (code, stdout, stderr) = run(at, &words);
    assert!(code == 8 && stdout.is_empty() && !at.join("no.json").exists());
    assert!(
        stderr.contains("it answers nothing of any control. Nothing was written."),
        "{stderr}"
    );
    let report = |state: &str, more: &[&str]| {
        let words = ["report", "plan.yaml", "--state", state, "--controls"];
        run(at, &[&words, more].concat())
    };
    let (code, stdout, stderr) = report("here", &["soc2,dora", "--format", "json"]);
    assert_eq!(code, 0, "{stderr}");
    let with_controls: Value = serde_json::from_str(&stdout).unwrap();
    assert_valid("run", &with_controls);
    assert_eq!(
        with_controls["controls"]["frameworks"][0]["framework"],
        "soc2"
    );
    let (_, stdout, _) = report("there", &["soc2", "--format", "json"]);
    assert!(
        stdout.contains("it answers nothing of any control"),
        "{stdout}"
    );
    let (code, _, stderr) = report("here", &["socks"]);
    assert!(code == 64 && stderr.contains("`socks`"), "{stderr}");

    // Again: it is said already.
    let (code, stdout, _) = prove(&["--state", "here"]);
    assert!(
        code == 8 && stdout.contains("unchanged, because it says all of this already"),
        "{stdout}"
    );
    assert_eq!(
        std::fs::read_to_string(at.join("proven.jsonl")).unwrap(),
        text
    );

    // Once the evidence is signed, the lines are written once more and say by whom.
    let (ann, ben) = (pair(), pair());
    for folder in ["keys", "others"] {
        std::fs::create_dir(at.join(folder)).unwrap();
    }
    for (name, text) in [
        ("ann.key", &ann.0),
        ("keys/ann.pem", &ann.1),
        ("others/ben.pem", &ben.1),
    ] {
        write(at, name, text);
    }
    let (code, _, stderr) = run(at, &["evidence", "sign", "bundle.zip", "--key", "ann.key"]);
    assert_eq!(code, 0, "{stderr}");
    let signed = |keys: &str, signatures: &str, more: &[&str]| {
        let options = [
            "--state",
            "here",
            "--keys",
            keys,
            "--signatures",
            signatures,
        ];
        prove(&[&options, more].concat())
    };
    for (keys, signatures, more, code, why) in [
        (
            "keys",
            "bundle.zip.dsse.json",
            &["--threshold", "2"][..],
            6,
            "only 1 of 2 signers have signed",
        ),
        (
            "others",
            "bundle.zip.dsse.json",
            &[],
            6,
            "which is not among the keys that are trusted",
        ),
        (
            "keys",
            "plan.yaml",
            &[],
            6,
            "plan.yaml: the signatures cannot be read",
        ),
        ("keys", "missing.json", &[], 1, "missing.json"),
    ] {
        let (got, _, stderr) = signed(keys, signatures, more);
        assert!(
            got == code && stderr.contains(why),
            "{code} {why}: {got} {stderr}"
        );
    }
    let lines = || std::fs::read_to_string(at.join("proven.jsonl")).unwrap();
    assert_eq!(lines(), text, "nothing was written");
    for _ in 0..2 {
        let (code, _, stderr) = signed("keys", "bundle.zip.dsse.json", &[]);
        assert_eq!(code, 8, "{stderr}");
        assert_eq!(lines().lines().count(), 6, "once");
    }
    for (at, line) in lines().lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_valid("proof", &line);
        let signer = (at >= 3).then_some("ann");
        assert_eq!(line["signer"].as_str(), signer);
    }

    // A ledger that somebody has changed is not added to.
    write(at, "proven.jsonl", &text.replacen("restored", "proven", 1));
    let (code, _, stderr) = prove(&["--state", "here"]);
    assert_eq!(code, 6);
    assert!(
        stderr.starts_with("error: proven.jsonl: line 2: it was changed"),
        "{stderr}"
    );
    // Another one is.
    let (code, stdout, _) = prove(&["--state", "here", "--ledger", "other.jsonl"]);
    assert!(
        code == 8 && stdout.contains("other.jsonl: 3 lines added"),
        "{stdout}"
    );
}
