//! The policies of `redrill iam` are enough and not more: with them an emulator that judges by policies lets each plan pass,
//! and without any one statement it refuses, and redrill names the statement that is missing.

use std::fmt::Write as _;
use std::path::Path;

use redrill_emulator::{Emulator, Inventory, Options};
use serde_json::{Value, json};

use crate::drill::run;
use crate::support::{at_once, emulator, folder, ran, repository_file, write};

const NAME: &str = "plan.yaml";
const CALLER: &str = "operator";

/// The policies for a purpose.
fn policies(path: &Path, purposes: &str, given: &[&str]) -> Vec<Value> {
    let words = [&["iam", NAME, "--for", purposes][..], given].concat();
    let (code, stdout, stderr) = run(path, &words);
    assert_eq!(code, 0, "{stderr}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    document["policies"].as_array().unwrap().clone()
}

/// A statement that is left out: the index of its policy, and its name.
type Left<'l> = Option<(usize, &'l str)>;

/// An inventory in which these policies hold, but for one statement, and whose recovery points are those of the plan.
fn inventory(points: &str, policies: &[Value], left: Left<'_>) -> Inventory {
    let mut caller = json!({});
    let mut roles = serde_json::Map::new();
    for (at, policy) in policies.iter().enumerate() {
        let mut document = policy["policy"].clone();
        let statements = document["Statement"].as_array_mut().unwrap();
        statements.retain(|statement| left != Some((at, statement["Sid"].as_str().unwrap())));
        let document = match statements.is_empty() {
            true => json!({}),
            false => json!({ "least": document }),
        };
        match policy["arn"].as_str() {
            None => caller = document,
            Some(arn) => {
                let name = arn.rsplit('/').next().unwrap();
                let role = json!({ "trust_policy": policy["trust"], "policies": document });
                roles.insert(name.to_owned(), role);
            }
        }
    }
    let mut text = points.to_owned();
    let users = json!({ CALLER: { "policies": caller } });
    let _ = writeln!(text, "users: {users}");
    if !roles.is_empty() {
        let _ = writeln!(text, "roles: {}", Value::Object(roles));
    }
    let _ = writeln!(text, "caller: arn:aws:iam::123456789012:user/{CALLER}");
    Inventory::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Account, Region and recovery points of a plan, as an inventory has them.
async fn points(path: &Path, name: &str) -> String {
    if name == "tables.yaml" {
        return repository_file("inventories/tables.yaml");
    }
    let open = emulator(at_once()).await;
    let (code, rendered, stderr) = ran(path, &open, &["render", NAME]).await;
    assert_eq!(code, 0, "{stderr}");
    open.shutdown().await;
    let lines: Vec<Value> = rendered
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut text = format!(
        "account: \"{}\"\nregion: {}\nvaults:\n  dr:\n    recovery_points:\n",
        lines[0]["target"]["account"].as_str().unwrap(),
        lines[0]["target"]["region"].as_str().unwrap()
    );
    let mut seen = Vec::new();
    for line in &lines {
        let request = &line["request"];
        let arn = &request["RecoveryPointArn"];
        if seen.contains(arn) {
            continue;
        }
        seen.push(arn.clone());
        let kind = request["ResourceType"].as_str().unwrap();
        let point = json!({
            "arn": arn, "resource_type": kind, "resource_arn": backed_up(kind),
            "created_at": "2026-11-20T03:00:00Z", "size_bytes": 1_073_741_824,
        });
        let _ = writeln!(text, "      - {point}");
        // A composite recovery point has others.
        let nested = request["Metadata"]["nestedRestoreJobs"].as_str();
        let nested: Value = serde_json::from_str(nested.unwrap_or("{}")).unwrap();
        for arn in nested.as_object().unwrap().keys() {
            let point = json!({
                "arn": arn, "resource_type": "EBS", "resource_arn": backed_up("EBS"),
                "created_at": "2026-11-20T03:00:00Z", "size_bytes": 1_073_741_824,
            });
            let _ = writeln!(text, "      - {point}");
        }
    }
    text
}

/// The ARN of something of a type that was backed up.
fn backed_up(kind: &str) -> String {
    let form = match kind {
        "Aurora" | "DocumentDB" | "Neptune" => "rds:{place}:cluster:a",
        "RDS" => "rds:{place}:db:a",
        "DynamoDB" => "dynamodb:{place}:table/a",
        "EBS" => "ec2:{place}:volume/vol-0a1b2c3d4e5f60718",
        "EC2" => "ec2:{place}:instance/i-0a1b2c3d4e5f60718",
        "EFS" => "elasticfilesystem:{place}:file-system/fs-0a1b2c3d4e5f60718",
        "EKS" => "eks:{place}:cluster/a",
        "FSx" => "fsx:{place}:file-system/fs-0a1b2c3d4e5f60718",
        "Redshift" => "redshift:{place}:cluster:a",
        "Redshift Serverless" => "redshift-serverless:{place}:namespace/a",
        "S3" => "s3:::a",
        "SAP HANA on Amazon EC2" => "ssm-sap:{place}:HANA/a",
        "Storage Gateway" => {
            "storagegateway:{place}:gateway/sgw-0a1b2c3d/volume/vol-0a1b2c3d4e5f60718"
        }
        "Timestream" => "timestream:{place}:database/a/table/b",
        "VirtualMachine" => "backup-gateway:{place}:vm/vm-0a1b2c3d",
        "CloudFormation" => "cloudformation:{place}:stack/a/1",
        "Aurora DSQL" => "dsql:{place}:cluster/a",
        other => panic!("{other} is a new type"),
    };
    format!(
        "arn:aws:{}",
        form.replace("{place}", "us-west-2:123456789012")
    )
}

/// What a command comes to in a world.
struct Came {
    code: i32,
    said: String,
    denied: usize,
}

async fn came(path: &Path, inventory: Inventory, commands: &[&[&str]]) -> Came {
    let log = path.join("log");
    let _ = std::fs::remove_file(&log);
    let emulator = emulator(Options {
        inventory: Some(inventory),
        log: Some(log.clone()),
        ..at_once()
    })
    .await;
    let state = tempfile::tempdir_in(path).unwrap();
    let state = state.path().to_str().unwrap().to_owned();
    let mut came = Came {
        code: 0,
        said: String::new(),
        denied: 0,
    };
    for words in commands {
        let words = [*words, &["--state", &state]].concat();
        let (code, stdout, stderr) = ran(path, &emulator, &words).await;
        came.code = code;
        came.said = stdout + &stderr;
    }
    came.denied = denied(&emulator, &log);
    emulator.shutdown().await;
    came
}

/// How many calls were refused for want of a permission, and how many jobs failed for it.
fn denied(emulator: &Emulator, log: &Path) -> usize {
    let calls = crate::support::requests(log);
    let calls = calls.iter().filter(|call| {
        let error = call["error"].as_str().unwrap_or_default();
        error.contains("AccessDenied")
    });
    let jobs = emulator.jobs();
    let jobs = jobs
        .iter()
        .filter(|job| job.status == redrill_emulator::JobStatus::Failed);
    calls.count() + jobs.count()
}

/// The plans of a quarter, so that four tests share them.
fn quarter(at: usize) -> Vec<(String, String)> {
    let plans = super::printed::plans();
    let of_quarter = |(index, plan): (usize, (String, String))| (index % 4 == at).then_some(plan);
    plans
        .into_iter()
        .enumerate()
        .filter_map(of_quarter)
        .collect()
}

/// A recovery point that cannot be read is not compared, and its rules are skipped, which is said: AWS answers the same where
/// there is no such point.
const TOLERATED: [&str; 2] = ["FindVaults", "ReadRecoveryPoints"];

async fn least(at: usize) {
    let mut wrong = Vec::new();
    for (name, text) in quarter(at) {
        let folder = folder();
        let path = folder.path();
        write(path, NAME, &text);
        std::fs::create_dir(path.join("checks")).unwrap();
        for check in ["cluster-instance.sh", "has-an-id.sh", "walled-in.sh"] {
            let text = "#!/bin/sh\nexit 0\n".to_owned();
            write(path, &format!("checks/{check}"), &text);
            make_executable(&path.join("checks").join(check));
        }
        let points = points(path, &name).await;
        write(path, "world.yaml", &points);
        let open = Inventory::parse(&points).unwrap();
        // What a selector means has to be known, or the role is allowed whatever it can mean.
        let given = match text.contains("pick: latest") {
            true => &["--inventory", "world.yaml"][..],
            false => &[],
        };
        let plan = [&["plan", NAME][..], given].concat();
        let run = [&["run", NAME, "--yes"][..], given].concat();
        for (purpose, commands) in [
            ("plan", &[&plan[..]][..]),
            ("run,restore-role", &[&run]),
            (
                "run,restore-role,cleanup",
                &[&run, &["cleanup", NAME, "--yes"]],
            ),
        ] {
            let wanted = came(path, open.clone(), commands).await;
            let policies = policies(path, purpose, given);
            let all = came(path, inventory(&points, &policies, None), commands).await;
            assert_eq!(
                (all.code, all.denied),
                (wanted.code, wanted.denied),
                "{name}, {purpose}: {}",
                all.said
            );
            for (index, policy) in policies.iter().enumerate() {
                for statement in policy["policy"]["Statement"].as_array().unwrap() {
                    let sid = statement["Sid"].as_str().unwrap();
                    // Those of a run were left out one by one before.
                    if purpose.ends_with("cleanup") && !sid.starts_with("Delete") {
                        continue;
                    }
                    // Of keys nothing is known here; the next test declares one.
                    if sid.starts_with("UseKeys") {
                        continue;
                    }
                    let left = inventory(&points, &policies, Some((index, sid)));
                    let without = came(path, left, commands).await;
                    // What AWS makes of a gateway's volume is a volume there or in EC2; and of a deletion the emulator asks for the
                    // reading permission alone, which instances need of volumes, too.
                    let is_covered = match name.as_str() {
                        "storage-gateway.yaml" => sid.starts_with("Delete"),
                        "virtualmachine.yaml" => sid == "DeleteEC2Volume",
                        _ => false,
                    };
                    if is_covered {
                        continue;
                    }
                    if without.denied <= all.denied {
                        wrong.push(format!("{name}, {purpose}: nothing asks for {sid}"));
                    } else if !TOLERATED.contains(&sid) && !without.said.contains(sid) {
                        wrong.push(format!(
                            "{name}, {purpose}: {sid} is not named: {}",
                            without.said
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[cfg(unix)]
fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_passes_with_its_policies_and_not_without_a_statement_1() {
    least(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_passes_with_its_policies_and_not_without_a_statement_2() {
    least(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_passes_with_its_policies_and_not_without_a_statement_3() {
    least(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_passes_with_its_policies_and_not_without_a_statement_4() {
    least(3).await;
}
