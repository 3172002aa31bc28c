//! Exports of generated plans: valid to the linters, complete, in order, and within every limit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use redrill::export::{Files, Omission, StepFunctions};
use serde_json::Value;

use super::machine::faults;
use super::{export, json, options, restores, text, unpack};

const PLANS: u64 = 200;
const LINTER: &str = "asl-validator@4.0.0";
const CLOUDFORMATION: &str = "cfn-lint==1.51.0";

/// Numbers that are the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

const ACCOUNTS: [&str; 3] = ["123456789012", "210987654321", "111122223333"];
const REGIONS: [&str; 3] = ["us-west-2", "eu-central-1", "us-gov-west-1"];

/// A plan that can be exported, whatever it is: needs stay within a Region.
fn plan(seed: u64) -> String {
    let mut numbers = Numbers(seed.wrapping_mul(7919) + 1);
    let partition = |region: &str| {
        if region.starts_with("us-gov") {
            "aws-us-gov"
        } else {
            "aws"
        }
    };
    let is_gov = numbers.one_in(8);
    let regions = match (is_gov, numbers.one_in(3)) {
        (true, _) => &REGIONS[2..],
        (false, true) => &REGIONS[..2],
        (false, false) => &REGIONS[..1],
    };
    let mut targets = Vec::new();
    for region in regions {
        for account in &ACCOUNTS[..1 + numbers.below(3) as usize] {
            targets.push((*region, *account));
        }
    }
    let mut plan = format!(
        "plan: p{}{seed}\n",
        "-long-name".repeat(numbers.below(5) as usize)
    );
    if numbers.one_in(2) {
        plan += "limits:\n";
        let _ = writeln!(plan, "  concurrent: {}", 2 + numbers.below(20));
        if numbers.one_in(2) {
            plan += "  by_type: { EBS: 2, DynamoDB: 1 }\n  by_target: { t0: 3 }\n";
        }
    }
    plan += "targets:\n";
    for (at, (region, account)) in targets.iter().enumerate() {
        let role = |name: &str| format!("arn:{}:iam::{account}:role/{name}", partition(region));
        let assumes = match numbers.one_in(4) {
            true => format!(", assume_role_arn: \"{}\"", role("redrill")),
            false => String::new(),
        };
        let _ = writeln!(
            plan,
            "  t{at}: {{ region: {region}, account: \"{account}\", iam_role_arn: \"{}\"{assumes} }}",
            role("restore"),
        );
    }
    plan += "restores:\n";
    let mut in_region: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for at in 0..1 + numbers.below(40) as usize {
        // The first ones are of the types that are limited.
        let target = if at < 2 {
            0
        } else {
            numbers.below(targets.len() as u64) as usize
        };
        let (region, account) = targets[target];
        let before = in_region.entry(region).or_default();
        let mut needs: Vec<String> = Vec::new();
        for _ in 0..numbers.below(3) {
            if !before.is_empty() {
                let need = format!("r{}", before[numbers.below(before.len() as u64) as usize]);
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
        }
        before.push(at);
        let _ = writeln!(
            plan,
            "  r{at}:\n    target: t{target}\n    needs: [{}]",
            needs.join(", ")
        );
        if numbers.one_in(3) {
            plan += "    copy_source_tags_to_restored_resource: false\n";
        }
        let arn = partition(region);
        plan += &match (at, numbers.below(3)) {
            (0, _) | (2.., 0) => format!(
                "    type: EBS\n    recovery_point: arn:{arn}:ec2:{region}::snapshot/snap-{at:017x}\n    metadata: {{ availabilityZone: {region}a, encrypted: true }}\n"
            ),
            (1, _) | (2.., 1) => format!(
                "    type: DynamoDB\n    recovery_point: arn:{arn}:dynamodb:{region}:{account}:table/orders/backup/{at:020}\n    metadata: {{ targetTableName: orders-{at}, encryptionType: Default }}\n"
            ),
            _ => format!(
                "    type: Timestream\n    recovery_point: arn:{arn}:backup:{region}:{account}:recovery-point:00000000-0000-4000-8000-{at:012}\n    metadata: {{ TableName: t{at}, DatabaseName: drill, MemoryStoreRetentionPeriodInHours: 24, MagneticStoreRetentionPeriodInDays: 365 }}\n"
            ),
        };
    }
    plan
}

fn of(seed: u64) -> (String, Files) {
    let plan = plan(seed);
    let options = StepFunctions {
        without: [Omission::Restores].into(),
        ..options()
    };
    match export(&plan, &options) {
        Ok((files, _)) => (plan, files),
        Err(findings) => panic!("{findings:?}\n{plan}"),
    }
}

/// The folders of an export that have a machine.
fn machines(files: &Files) -> Vec<String> {
    let folder = |path: &str| {
        path.strip_suffix("state-machine.asl.json")
            .map(str::to_owned)
    };
    files.iter().filter_map(|(path, _)| folder(path)).collect()
}

/// How many restores of each limit may run at once.
fn limits(plan: &serde_yaml::Value) -> BTreeMap<(String, String), u64> {
    let number = |value: &serde_yaml::Value| value.as_u64();
    let by_type = &plan["limits"]["by_type"];
    let mut limits = BTreeMap::new();
    for account in ACCOUNTS {
        for (name, documented) in [
            ("EBS", None),
            ("DynamoDB", Some(50)),
            ("Timestream", Some(1)),
        ] {
            if let Some(most) = number(&by_type[name]).or(documented) {
                limits.insert((account.to_owned(), name.to_owned()), most);
            }
        }
    }
    limits
}

#[test]
fn every_restore_is_there_once_behind_what_it_needs() {
    for seed in 0..PLANS {
        let (text, files) = of(seed);
        let plan: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        let mut seen = 0;
        for folder in machines(&files) {
            let input = json(&files, &format!("{folder}input.json"));
            for pool in input["pools"].as_array().unwrap() {
                let name = pool["itemsKey"]
                    .as_str()
                    .unwrap()
                    .rsplit('/')
                    .next()
                    .unwrap();
                let items = json(&files, &format!("{folder}{name}"));
                for lane in items.as_array().unwrap() {
                    let lane = Value::from(vec![lane.clone()]);
                    let levels: BTreeMap<&str, usize> = restores(&lane)
                        .iter()
                        .map(|(level, restore)| (restore["id"].as_str().unwrap(), *level))
                        .collect();
                    seen += levels.len();
                    for (id, level) in &levels {
                        let needs = plan["restores"][*id]["needs"].as_sequence().unwrap();
                        for need in needs {
                            assert!(levels[need.as_str().unwrap()] < *level, "{id}\n{text}");
                        }
                    }
                }
            }
        }
        assert_eq!(seen, plan["restores"].as_mapping().unwrap().len(), "{text}");
    }
}

/// Whatever the lanes of a pool do, no limit is passed: each lane may have its widest level running.
#[test]
fn no_limit_can_be_passed() {
    for seed in 0..PLANS {
        let (text, files) = of(seed);
        let plan: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        let limits = limits(&plan);
        let mut in_all = 0;
        for folder in machines(&files) {
            let mut most: BTreeMap<(String, String), u64> = BTreeMap::new();
            let input = json(&files, &format!("{folder}input.json"));
            for pool in input["pools"].as_array().unwrap() {
                let at_once = pool["maxConcurrency"].as_u64().unwrap();
                let name = pool["itemsKey"]
                    .as_str()
                    .unwrap()
                    .rsplit('/')
                    .next()
                    .unwrap();
                let items = json(&files, &format!("{folder}{name}"));
                let mut widest: BTreeMap<(String, String), u64> = BTreeMap::new();
                let mut width = 0;
                for lane in items.as_array().unwrap() {
                    for level in lane["levels"].as_array().unwrap() {
                        let of_level = level["atOnce"].as_u64().unwrap();
                        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
                        for restore in level["restores"].as_array().unwrap() {
                            let role = restore["role"].as_str().unwrap();
                            let account = role.split(':').nth(4).unwrap().to_owned();
                            let name = restore["request"]["ResourceType"].as_str().unwrap();
                            *counts.entry((account, name.to_owned())).or_default() += 1;
                        }
                        width = width.max(of_level);
                        for (kind, count) in counts {
                            let widest = widest.entry(kind).or_default();
                            *widest = (*widest).max(count.min(of_level));
                        }
                    }
                }
                in_all += at_once * width;
                for (kind, width) in widest {
                    *most.entry(kind).or_default() += at_once * width;
                }
            }
            for (kind, limit) in &limits {
                let most = most.get(kind).copied().unwrap_or_default();
                let there = count(&files, &folder, kind);
                assert!(
                    most.min(there) <= *limit,
                    "{kind:?}: {most}, {limit}\n{text}"
                );
            }
        }
        let restores = plan["restores"].as_mapping().unwrap().len() as u64;
        if let Some(concurrent) = plan["limits"]["concurrent"].as_u64() {
            assert!(in_all.min(restores) <= concurrent, "{in_all}\n{text}");
        }
    }
}

/// How many restores of a kind there are at all.
fn count(files: &Files, folder: &str, kind: &(String, String)) -> u64 {
    let items = files
        .iter()
        .filter(|(path, _)| path.starts_with(&format!("{folder}items")));
    let mut count = 0;
    for (_, file) in items {
        let items: Value = serde_json::from_slice(&file.bytes).unwrap();
        for (_, restore) in restores(&items) {
            let role = restore["role"].as_str().unwrap();
            let is_it = role.split(':').nth(4) == Some(&kind.0)
                && restore["request"]["ResourceType"] == kind.1.as_str();
            count += u64::from(is_it);
        }
    }
    count
}

#[test]
fn linters_say_nothing() {
    let folder = crate::support::folder();
    let (mut machine_files, mut templates) = (Vec::new(), Vec::new());
    for seed in 0..PLANS {
        let (_, files) = of(seed);
        let home = folder.path().join(seed.to_string());
        unpack(&in_one_partition(&files), &home);
        for machine in machines(&files) {
            let mut wrong = Vec::new();
            let definition = text(&files, &format!("{machine}state-machine.asl.json"));
            let definition = definition.replace(GOV, COMMERCIAL);
            faults(&serde_json::from_str(&definition).unwrap(), &mut wrong);
            assert!(wrong.is_empty(), "{wrong:?}");
            machine_files.push(home.join(format!("{machine}state-machine.asl.json")));
            templates.push(home.join(format!("{machine}template.yaml")));
            let role = home.join(format!("{machine}target-role.yaml"));
            templates.extend(role.exists().then_some(role));
        }
    }
    assert!(
        machine_files.len() > 200 && templates.len() > 300,
        "{}",
        templates.len()
    );
    match crate::npm::installed(LINTER, "asl-validator/dist/src/validator.js") {
        Ok(linter) => {
            let said = |files: &[PathBuf]| {
                let judge = ["-e", JUDGE];
                said(Command::new("node").args(judge).arg(&linter).args(files))
            };
            assert_eq!(said(&machine_files), "");
            let broken = spoilt(
                &machine_files[0],
                "\"Next\": \"Decide\"",
                "\"Next\": \"Nowhere\"",
            );
            assert!(said(&[broken]).contains("Nowhere"));
        }
        Err(why) => crate::npm::skip("state machines are not linted", &why),
    }
    if let Some(python) = crate::python::venv("cfn-lint", &[CLOUDFORMATION]) {
        let said = |files: &[PathBuf]| said(Command::new(python.join("bin/cfn-lint")).args(files));
        assert_eq!(said(&templates), "");
        let broken = spoilt(
            &templates[0],
            "StateMachineType: STANDARD",
            "StateMachineType: SLOW",
        );
        assert!(said(&[broken]).contains("SLOW"));
    }
}

/// A file with something in it that a linter has to find.
fn spoilt(file: &Path, right: &str, wrong: &str) -> PathBuf {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(right), "{text}");
    std::fs::write(file, text.replace(right, wrong)).unwrap();
    file.to_owned()
}

/// Integrations have ARNs of the machine's partition; cfn-lint takes only those of the commercial one.
const GOV: &str = "\"arn:aws-us-gov:states:::";
const COMMERCIAL: &str = "\"arn:aws:states:::";

fn in_one_partition(files: &Files) -> Files {
    let mut changed = Files::default();
    for (path, file) in files.iter() {
        let text = String::from_utf8(file.bytes.clone()).unwrap();
        changed.add(path, text.replace(GOV, COMMERCIAL));
    }
    changed
}

/// Prints what the validator says of each file.
const JUDGE: &str = "
const [validator, ...files] = process.argv.slice(1);
const validate = require(validator).default ?? require(validator);
for (const file of files) {
  const { isValid, errors } = validate(JSON.parse(require('fs').readFileSync(file)));
  if (!isValid) console.log(file, JSON.stringify(errors));
}";

/// What a linter prints.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}
