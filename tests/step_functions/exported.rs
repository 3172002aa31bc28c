//! The command: what it writes, what it refuses, and what it finds to have changed.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use redrill::export::{Omission, StepFunctions};
use redrill::ids::RestoreName;
use serde_json::Value;

use super::{export, json, options, restores, text};
use crate::drill::run;
use crate::support::{files, folder, many, repository_file, write};

const EXPORT: [&str; 5] = [
    "export",
    "step-functions",
    "plan.yaml",
    "--bucket",
    "dr-runs",
];

/// Everything that a state machine cannot do.
const EVERYTHING: &str = r#"plan: everything
vars:
  user: { secret: true }
on_failure: stop
limits: { concurrent: 1 }
targets:
  west: { region: us-west-2, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }
  east: { region: us-east-1, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }
restores:
  a:
    target: west
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60718
    metadata: { availabilityZone: us-west-2a, encrypted: true }
    checks: [{ name: answers, run: ["true"] }]
  b:
    target: east
    type: EBS
    needs: [a]
    recovery_point: arn:aws:ec2:us-east-1::snapshot/snap-0a1b2c3d4e5f60718
    metadata: { availabilityZone: us-east-1a, encrypted: true }
  c:
    target: west
    type: EBS
    needs: [a]
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60719
    metadata: { availabilityZone: us-west-2a, encrypted: true, volumeType: "{{ restores.a.created.resource_arn }}" }
  d:
    target: west
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f6071a
    metadata: { availabilityZone: "{{ vars.user }}", encrypted: true }
  e:
    target: west
    type: Novel
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-4000-8000-000000000000
  f:
    target: west
    type: EBS
    needs: [c]
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f6071b
    metadata: { availabilityZone: us-west-2a, encrypted: true }
checks: [{ name: all of it, run: ["true"] }]
cutover: [{ name: switch, run: ["true"] }]
"#;

/// Rules and places of what a command says.
fn said(stderr: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = stderr.lines().collect();
    let rule = |line: &&str| {
        let (_, rest) = line.split_once('[')?;
        let (rule, _) = rest.split_once("]: ")?;
        rule.starts_with("step-functions/").then(|| rule.to_owned())
    };
    let found = lines.windows(2).filter_map(|pair| {
        let place = pair[1].trim_start().strip_prefix("--> plan.yaml:")?;
        Some(format!("{} {place}", rule(&pair[0])?))
    });
    found.collect()
}

#[test]
fn everything_that_cannot_go_is_refused_at_once_with_its_place() {
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", EVERYTHING);
    let words = |more: &[&'static str]| {
        let base = ["-o", "out", "--var", "user=swordfish-canary"];
        [&EXPORT[..], &base, more].concat()
    };
    let (code, _, stderr) = run(path, &words(&[]));
    assert_eq!(code, 4, "{stderr}");
    let expected = [
        "step-functions/bucket 1:7",
        "step-functions/command 15:22",
        "step-functions/command 43:18",
        "step-functions/command 44:19",
        "step-functions/limit 1:7",
        "step-functions/on-failure 1:7",
        "step-functions/pending 22:3",
        "step-functions/region 19:13",
        "step-functions/secret 28:3",
        "step-functions/type 33:3",
    ];
    assert_eq!(
        said(&stderr),
        expected.map(str::to_owned).into(),
        "{stderr}"
    );
    assert!(!path.join("out").exists());
    assert!(!stderr.contains("swordfish"), "{stderr}");
    // Everything left out knowingly, and what needs it.
    let (code, _, stderr) = run(
        path,
        &words(&["--allow-without", "checks,cutover,stop,restores"]),
    );
    assert_eq!(code, 0, "{stderr}");
    let items: Value =
        serde_json::from_str(&std::fs::read_to_string(path.join("out/items.json")).unwrap())
            .unwrap();
    let ids: Vec<&str> = restores(&items)
        .iter()
        .map(|(_, of)| of["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["a"]);
    let readme = std::fs::read_to_string(path.join("out/README.md")).unwrap();
    for line in [
        "- `b`: it needs `a` of us-west-2, and a state machine sees only its own Region",
        "- `f`: it needs `c`, which is left out",
        "- `a`: answers",
        "The checks of the plan are not run: `all of it`.",
        "The cutover is not carried out: `switch`.",
        "`on_failure: stop` is not kept",
    ] {
        assert!(readme.contains(line), "{line}\n{readme}");
    }
    for (path, bytes) in files(&path.join("out")) {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("swordfish"), "{}", path.display());
        assert!(
            !text.contains(folder.path().to_str().unwrap()),
            "{}",
            path.display()
        );
    }
    let none = words(&["--allow-without", "checks", "--bucket", "No_Bucket"]);
    let (code, _, stderr) = run(path, &none);
    assert_eq!(code, 64, "{stderr}");
}

#[test]
fn nothing_that_can_go_is_a_refusal_too() {
    let plan = EVERYTHING
        .split("  b:\n")
        .next()
        .unwrap()
        .replace("EBS", "Novel");
    let without = [Omission::Checks, Omission::Stop, Omission::Restores].into();
    let options = StepFunctions {
        without,
        ..options()
    };
    let source = export(
        &plan.replace("\nvars:\n  user: { secret: true }", ""),
        &options,
    );
    let findings = source.unwrap_err();
    assert_eq!(
        findings.first_error().unwrap().rule,
        "step-functions/nothing"
    );
}

/// A lane is one execution's input and history.
#[test]
fn a_lane_that_is_too_large_is_refused() {
    let findings = export(&many(900, 1), &options()).unwrap_err();
    let first = findings.first_error().unwrap();
    assert_eq!(first.rule, "step-functions/size");
    assert!(
        first.message.contains("lane of 900 restores"),
        "{}",
        first.message
    );
}

#[test]
fn what_a_level_makes_wait_is_a_warning() {
    let mut plan = many(4, 0);
    plan = plan.replace(
        "  r2:\n    type: EFS\n",
        "  r2:\n    type: EFS\n    needs: [r0, r1]\n",
    );
    plan = plan.replace(
        "  r3:\n    type: EFS\n",
        "  r3:\n    type: EFS\n    needs: [r1]\n",
    );
    let (files, findings) = export(&plan, &options()).unwrap();
    let said: Vec<_> = findings
        .iter()
        .map(|of| {
            (
                of.rule.as_str(),
                of.restore.as_ref().map(RestoreName::as_str),
            )
        })
        .collect();
    assert_eq!(said, [("step-functions/waits", Some("r3"))]);
    assert!(text(&files, "README.md").contains("- `r3`: it also waits for `r0`"));
}

/// Checks an export in place: its exit code, and what it says.
fn check(path: &Path) -> (i32, String) {
    let (code, stdout, stderr) = run(path, &[&EXPORT[..], &["--check", "out"]].concat());
    assert!(code == 0 || code == 2, "{stderr}");
    // The list of sums changes with whatever it lists.
    (code, stdout.replace("changed: SHA256SUMS\n", ""))
}

#[test]
fn drift_is_found_in_whatever_has_changed() {
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &many(30, 3));
    let export = [&EXPORT[..], &["-o", "out"]].concat();
    assert_eq!(run(path, &export).0, 0);
    assert_eq!(check(path), (0, String::new()));
    let plan = many(30, 3);
    // A changed plan, restore by restore.
    for at in 0..30 {
        let old = format!("{at:012}");
        write(
            path,
            "plan.yaml",
            &plan.replacen(&old, &format!("{:012}", at + 500), 1),
        );
        let said = format!("`r{at}`: differs in `RecoveryPointArn`\nchanged: items.json\n");
        assert_eq!(check(path), (2, said), "{at}");
    }
    for (old, new, changed) in [
        (
            "plan: many",
            "plan: more",
            "README.md input.json items.json state-machine.asl.json template.yaml",
        ),
        ("role/restore", "role/other", "items.json template.yaml"),
        ("needs: [r2]", "needs: [r1]", "items.json"),
    ] {
        write(path, "plan.yaml", &plan.replace(old, new));
        let (code, said) = check(path);
        let lines: Vec<&str> = said
            .lines()
            .filter_map(|line| line.strip_prefix("changed: "))
            .collect();
        assert_eq!((code, lines.join(" ").as_str()), (2, changed), "{old}");
    }
    for (old, new, first) in [
        ("  r3:", "  r33:", "`r3`: the plan no longer has it"),
        (
            "Encrypted: true",
            "Encrypted: false",
            "`r0`: differs in `Encrypted`",
        ),
        (
            "plan: many",
            "plan: more",
            "`r0`: has another token: the plan, the run or the target differs",
        ),
    ] {
        write(path, "plan.yaml", &plan.replacen(old, new, 1));
        assert_eq!(check(path).1.lines().next(), Some(first));
    }
    write(path, "plan.yaml", &plan);
    // A changed export.
    for (name, _) in [
        ("items.json", ()),
        ("state-machine.asl.json", ()),
        ("template.yaml", ()),
        ("README.md", ()),
    ] {
        let file = path.join("out").join(name);
        let text = std::fs::read(&file).unwrap();
        std::fs::write(&file, [&text[..], b" "].concat()).unwrap();
        assert_eq!(check(path), (2, format!("changed: {name}\n")));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(check(path), (2, format!("missing: {name}\n")));
        std::fs::write(&file, text).unwrap();
    }
    assert_eq!(check(path), (0, String::new()));
}

#[test]
fn the_same_plan_gives_the_same_bytes_wherever_it_lies() {
    let export = |prefix: &str| {
        let folder = folder();
        write(folder.path(), "plan.yaml", &many(40, 4));
        let words = [&EXPORT[..], &["--prefix", prefix, "-o", "out"]].concat();
        assert_eq!(run(folder.path(), &words).0, 0);
        let out = folder.path().join("out");
        let files = files(&out).into_iter();
        files
            .map(|(path, bytes)| (path.strip_prefix(&out).unwrap().to_owned(), bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(export("dr/plans/"), export("/dr/plans"));
    assert_ne!(export("dr"), export("rd"));
}

/// Pools keep what AWS documents: fifty tables of DynamoDB at once, while volumes are not held up by it.
#[test]
fn documented_limits_make_pools() {
    let (files, _) = export(&mixed(), &options()).unwrap();
    let input = json(&files, "input.json");
    let pools: Vec<(&str, u64)> = input["pools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| {
            (
                of["itemsKey"].as_str().unwrap(),
                of["maxConcurrency"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        pools,
        [
            ("many/runs/main/us-west-2/items.json", 50),
            ("many/runs/main/us-west-2/items-2.json", 20)
        ]
    );
}

/// Sixty tables, and twenty file systems.
fn mixed() -> String {
    let mut plan = many(20, 0);
    for at in 0..60 {
        plan += &format!(
            "  t{at}:\n    type: DynamoDB\n    recovery_point: arn:aws:dynamodb:us-west-2:123456789012:table/a/backup/{at:020}\n    metadata: {{ targetTableName: orders-{at}, encryptionType: Default }}\n"
        );
    }
    plan
}

/// Ten thousand lanes are a file of a few megabytes, and take no longer than the dry run does.
#[test]
fn ten_thousand_restores_are_exported_beside_the_dry_run() {
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &many(10_000, 0));
    let timed = |words: &[&str]| {
        let start = Instant::now();
        let (code, _, stderr) = run(path, words);
        assert_eq!(code, 0, "{stderr}");
        start.elapsed()
    };
    let dry = timed(&["plan", "plan.yaml", "-q", "--against", "run"]);
    let exporting = timed(&[&EXPORT[..], &["-o", "out"]].concat());
    assert!(
        exporting < dry * 2,
        "{exporting:?} for the export, {dry:?} for the dry run"
    );
    let input = std::fs::read_to_string(path.join("out/input.json")).unwrap();
    assert!(input.len() < 262_144);
    let items: Value =
        serde_json::from_slice(&std::fs::read(path.join("out/items.json")).unwrap()).unwrap();
    assert_eq!(restores(&items).len(), 10_000);
    let template = std::fs::metadata(path.join("out/template.yaml"))
        .unwrap()
        .len();
    assert!(
        template <= 51_200,
        "{template} bytes, and CloudFormation takes 51,200 of a file"
    );
    // A thousand places at four starts a second.
    let waits = restores(&items)
        .into_iter()
        .map(|(_, of)| of["pollSeconds"].as_u64().unwrap());
    assert!(waits.min().unwrap() >= 250);
}

#[test]
fn the_page_says_what_to_type() {
    let plan = repository_file("plans/tables.yaml");
    assert!(plan.contains("plan: tables"));
    let (files, _) = export(&many(3, 2), &options()).unwrap();
    let readme = text(&files, "README.md");
    for line in [
        "aws cloudformation deploy --region us-west-2 --stack-name redrill-many",
        "--if-none-match '*'",
        "--key many/runs/main/us-west-2/items.json --body items.json",
        "aws stepfunctions start-execution --region us-west-2 --name main",
        "redrill run plan.yaml --run-id main",
        "--check DIR",
        "--on step-functions \\\n      --state-machine arn:aws:states:us-west-2:123456789012:stateMachine:redrill-many",
        "--bucket 'dr-runs-{region}'",
        "--bucket dr-runs-us-west-2 --if-none-match",
    ] {
        assert!(readme.contains(line), "{line}\n{readme}");
    }
}

/// `run --on` can leave out nothing more, so it does not say how to.
#[test]
fn a_run_is_not_told_of_options_that_it_lacks() {
    let plan = repository_file("plans/quickstart.yaml");
    let followed = StepFunctions {
        is_followed: true,
        ..options()
    };
    for (options, help) in [
        (
            options(),
            "write the value in the plan; or add `--allow-without restores` to leave it out with all that need it",
        ),
        (followed, "write the value in the plan; or run without --on"),
    ] {
        let findings = export(&plan, &options).unwrap_err();
        let found = findings
            .iter()
            .find(|of| of.rule == "step-functions/pending");
        assert_eq!(found.unwrap().help, help);
    }
}
