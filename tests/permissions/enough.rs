//! The policies of `redrill iam` are enough and not more: with them an emulator that judges by policies lets each plan pass,
//! and without any one statement it refuses, and redrill names the statement that is missing.

use std::collections::BTreeMap;
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

/// What the plan names beside its recovery points, as `resources:` of an inventory: whatever preflight misses is declared, until it
/// misses nothing that could be there.
async fn resources(path: &Path, points: &str, given: &[&str]) -> BTreeMap<String, Value> {
    let mut declared = BTreeMap::from([("AWS::EC2::VPC vpc-1".to_owned(), json!({}))]);
    loop {
        let text = format!("{points}{}", written(&declared));
        let world = Inventory::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let open = emulator(Options {
            inventory: Some(world),
            ..at_once()
        })
        .await;
        let words = ["preflight", NAME, "--format", "json"];
        let (_, stdout, stderr) = ran(path, &open, &[&words[..], given].concat()).await;
        open.shutdown().await;
        let document: Value =
            serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}"));
        let before = declared.len();
        for check in document["checks"].as_array().unwrap() {
            let asked = check["evidence"]["asked"].as_str().unwrap();
            let missing = asked.strip_prefix("cloudformation:GetResource ");
            let Some(missing) = missing.filter(|_| check["verdict"] == "fail") else {
                continue;
            };
            let (of_type, id) = missing.split_once(' ').unwrap();
            let properties = match of_type {
                "AWS::EC2::Subnet" => json!({ "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16" }),
                "AWS::EC2::SecurityGroup" => json!({ "VpcId": "vpc-1" }),
                "AWS::RDS::DBSubnetGroup" | "AWS::Redshift::ClusterSubnetGroup" => {
                    let subnet = ("AWS::EC2::Subnet subnet-1", "10.0.0.0/16");
                    let of = json!({ "VpcId": "vpc-1", "CidrBlock": subnet.1 });
                    declared.insert(subnet.0.to_owned(), of);
                    json!({ "SubnetIds": ["subnet-1"] })
                }
                "AWS::KMS::Alias" => json!({ "TargetKeyId": KEY }),
                "AWS::KMS::Key" => json!({ "Enabled": true, "KeyPolicy": {
                    "Statement": { "Effect": "Allow", "Action": "kms:*", "Resource": "*",
                        "Principal": { "AWS": "arn:aws:iam::123456789012:root" } },
                } }),
                _ => json!({}),
            };
            declared.insert(format!("{of_type} {id}"), properties);
        }
        if declared.len() == before {
            return declared;
        }
    }
}

/// The key that aliases are of.
const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

fn written(declared: &BTreeMap<String, Value>) -> String {
    let all = declared.iter().map(|(name, properties)| {
        let (of_type, id) = name.split_once(' ').unwrap();
        json!({ "type": of_type, "identifier": id, "properties": properties })
    });
    format!("resources: {}\n", all.collect::<Value>())
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
    let _ = std::fs::remove_file(path.join("plan.lock.yaml"));
    let state = tempfile::tempdir_in(path).unwrap();
    let state = state.path().to_str().unwrap().to_owned();
    let mut came = Came {
        code: 0,
        said: String::new(),
        denied: 0,
    };
    for words in commands {
        let of_state: &[&str] = match words[0] {
            "lock" => &[],
            _ => &["--state", &state],
        };
        let words = [*words, of_state].concat();
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
        // What a selector means has to be known, or the role is allowed whatever it can mean.
        let has_selectors = text.contains("pick: latest");
        let given = match has_selectors {
            true => &["--inventory", "world.yaml"][..],
            false => &[],
        };
        let declared = resources(path, &points, given).await;
        let plan = [&["plan", NAME][..], given].concat();
        let run = [&["run", NAME, "--yes"][..], given].concat();
        let preflight = [&["preflight", NAME, "--verbose"][..], given].concat();
        let cleanup = ["cleanup", NAME, "--yes"];
        let lock = ["lock", NAME];
        let mut purposes = vec![
            ("plan", vec![&plan[..]]),
            ("run,restore-role", vec![&run]),
            ("run,restore-role,cleanup", vec![&run, &cleanup]),
            ("preflight,run,restore-role", vec![&preflight]),
        ];
        if has_selectors {
            purposes.push(("lock", vec![&lock]));
        }
        for (purpose, commands) in purposes {
            let given = match purpose {
                "lock" => &[],
                _ => given,
            };
            // Grants are read where no policy allows a key.
            let keys = match purpose.starts_with("preflight") {
                true => "user/app",
                false => "root",
            };
            let declared = written(&declared).replace(
                "arn:aws:iam::123456789012:root",
                &format!("arn:aws:iam::123456789012:{keys}"),
            );
            let world = format!("{points}{declared}");
            let open = Inventory::parse(&world).unwrap();
            let wanted = came(path, open, &commands).await;
            let policies = policies(path, purpose, given);
            let all = came(path, inventory(&world, &policies, None), &commands).await;
            assert_eq!(
                (all.code, all.denied),
                (wanted.code, wanted.denied),
                "{name}, {purpose}: {}",
                all.said
            );
            for (index, policy) in policies.iter().enumerate() {
                for statement in policy["policy"]["Statement"].as_array().unwrap() {
                    let sid = statement["Sid"].as_str().unwrap();
                    if was_left_out(purpose, sid) || is_covered(&name, purpose, sid) {
                        continue;
                    }
                    let left = inventory(&world, &policies, Some((index, sid)));
                    let without = came(path, left, &commands).await;
                    if !without.said.contains(sid) || all.said.contains(sid) {
                        wrong.push(format!(
                            "{name}, {purpose}: {sid} is not named, {} calls refused: {}",
                            without.denied, without.said
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a statement is one that another purpose tries.
fn was_left_out(purpose: &str, sid: &str) -> bool {
    let is_of_points = ["ReadRecoveryPoints", "FindVaults"].contains(&sid);
    match purpose {
        "run,restore-role,cleanup" => {
            is_of_points || !sid.contains("Delete") && !sid.starts_with("Read")
        }
        "preflight,run,restore-role" => {
            !is_of_points && !sid.starts_with("Read") && sid != "SimulatePolicies"
        }
        _ => false,
    }
}

/// Whether nothing is refused for want of it: another statement covers it at the emulator, which judges the first action of what a
/// handler reads; the handler of an RDS cluster may delete instances; AWS makes a volume of a gateway there or in EC2; and several
/// selectors are resolved without a list of vaults, by more calls.
fn is_covered(plan: &str, purpose: &str, sid: &str) -> bool {
    let cleans = purpose.ends_with("cleanup");
    match plan {
        "storage-gateway.yaml" if cleans => sid.starts_with("Delete") || sid.starts_with("Read"),
        "virtualmachine.yaml" if cleans => sid == "ReadEC2Volume",
        "rds.yaml" if cleans => sid == "DeleteRDSDBInstance",
        "rds.yaml" => ["ReadEC2Subnet", "ReadEC2SecurityGroup"].contains(&sid),
        "redshift.yaml" => sid == "ReadEC2Subnet",
        "tables.yaml" => sid == "FindVaults",
        _ => false,
    }
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
