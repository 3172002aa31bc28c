//! The exported machine on moto's interpreter, against the emulator: it restores what `run` restores, and not more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use redrill_emulator::{Emulator, Faults, JobStatus, Options, Speed};
use serde_json::Value;

use crate::support::{emulator, folder, ran, write};

const INTERPRETER: &[&str] = &["moto[server,stepfunctions,s3]==5.2.5"];

/// Three lanes, two accounts: one restore fails, one is aborted, one is throttled twice. Requests have and lack what they may,
/// and the limit makes two pools.
const PLAN: &str = r#"plan: lanes
limits: { by_type: { EBS: 2 } }
targets:
  ours: { region: us-west-2, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }
  theirs: { region: us-west-2, account: "210987654321", iam_role_arn: "arn:aws:iam::210987654321:role/restore" }
restores:
  net:
    target: ours
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0000000000000000a
    metadata: { availabilityZone: us-west-2a, encrypted: true }
  db:
    target: ours
    type: EBS
    needs: [net]
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0000000000000000b
    metadata: { availabilityZone: us-west-2a, encrypted: true }
  web:
    target: ours
    type: EBS
    needs: [db]
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0000000000000000c
    metadata: { availabilityZone: us-west-2a, encrypted: true }
  volume:
    target: theirs
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0000000000000000d
    metadata: { availabilityZone: us-west-2b, encrypted: true }
  orders:
    target: theirs
    type: DynamoDB
    needs: [volume]
    copy_source_tags_to_restored_resource: false
    recovery_point: arn:aws:dynamodb:us-west-2:210987654321:table/orders/backup/01234567890123-abcdefab
    metadata: { targetTableName: orders-restored, encryptionType: Default }
  old:
    target: ours
    type: EBS
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0000000000000000e
    metadata: { availabilityZone: us-west-2a, encrypted: true }
  older:
    target: ours
    type: EBS
    needs: [old]
    recovery_point: arn:aws:ec2:us-west-2::snapshot/snap-0000000000000000f
    metadata: { availabilityZone: us-west-2a, encrypted: true }
"#;

const FAULTS: &str = "
- { fault: job-fails, recovery_point: 'arn:aws:ec2:us-west-2::snapshot/snap-0000000000000000b', message: No space. }
- { fault: job-aborts, recovery_point: 'arn:aws:ec2:us-west-2::snapshot/snap-0000000000000000e', message: Stopped by AWS. }
- { fault: throttle, operation: StartRestoreJob, recovery_point: 'arn:aws:ec2:us-west-2::snapshot/snap-0000000000000000d', times: 2 }
";

async fn aws(log: Option<PathBuf>) -> Emulator {
    emulator(Options {
        speed: Speed::Times(600.0),
        faults: Faults::parse(FAULTS).unwrap(),
        log,
        ..Options::default()
    })
    .await
}

/// What has become of each restore that was started, by recovery point.
fn seen(emulator: &Emulator) -> BTreeMap<String, JobStatus> {
    let jobs = emulator.jobs().into_iter();
    jobs.map(|job| (job.recovery_point_arn, job.status))
        .collect()
}

/// Carries out an export under each of some names, one after the other; none where Python cannot be set up.
async fn interpreted(export: &Path, emulator: &Emulator, names: &[&str]) -> Option<Vec<Value>> {
    let python = crate::python::venv("step-functions", INTERPRETER)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/step_functions/interpreter.py");
    let mut command = Command::new(python.join("bin/python"));
    command
        .arg(script)
        .arg(export)
        .arg("arn:aws:iam::123456789012:role/redrill-lanes-us-west-2-machine")
        .args(names)
        .env("AWS_ENDPOINT_URL_BACKUP", emulator.url())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_PROFILE");
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let end = errors.len().saturating_sub(2000);
    assert!(
        output.status.success(),
        "{}",
        errors.get(end..).unwrap_or_default()
    );
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// The export with looks a second apart: an interpreter waits in real time.
fn hurried(export: &Path) {
    let number = regex::Regex::new(r#""pollSeconds":\d+"#).unwrap();
    for name in ["items.json", "items-2.json"] {
        let items = std::fs::read_to_string(export.join(name)).unwrap();
        let items = number.replace_all(&items, "\"pollSeconds\":1");
        std::fs::write(export.join(name), items.as_bytes()).unwrap();
    }
}

async fn redrill(folder: &Path, emulator: &Emulator, words: &[&str]) -> (i32, Value) {
    let (code, stdout, stderr) = ran(folder, emulator, words).await;
    let parsed = serde_json::from_str(&stdout);
    (
        code,
        parsed.unwrap_or_else(|err| panic!("{err}: {stdout}{stderr}")),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_restores_what_run_restores_and_run_goes_on() {
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", PLAN);
    let log = path.join("log");
    let aws_of_machine = aws(Some(log.clone())).await;
    let words = [
        "export",
        "step-functions",
        "plan.yaml",
        "--bucket",
        "dr-runs",
        "-o",
        "out",
    ];
    let (code, _, stderr) = ran(path, &aws_of_machine, &words).await;
    assert_eq!(code, 0, "{stderr}");
    let export = path.join("out");
    hurried(&export);
    // The same execution, and the same restores under another name.
    let Some(executions) = interpreted(&export, &aws_of_machine, &["main", "main", "again"]).await
    else {
        return;
    };
    let [first, same, again] = &executions[..] else {
        panic!("{executions:#?}");
    };
    assert_eq!(
        (&first["status"], &first["error"]),
        (&"FAILED".into(), &"Redrill.LanesFailed".into())
    );
    let lanes = |count: &str| -> Vec<u64> {
        let pools = first["lanes"].as_array().unwrap().iter();
        let mut counts: Vec<u64> = pools.map(|pool| pool[count].as_u64().unwrap()).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(
        (lanes("succeeded"), lanes("failed")),
        (vec![0, 1], vec![0, 2]),
        "{first:#}"
    );
    assert_eq!(same["status"], "ALREADY_EXISTS");
    assert_eq!(again["error"], "Redrill.LanesFailed");

    // What `run` makes of it elsewhere.
    let aws_of_run = aws(None).await;
    let run = ["run", "plan.yaml", "--yes", "-q", "--format", "json"];
    let elsewhere = ["--state", "elsewhere"];
    let (code, report) = redrill(path, &aws_of_run, &[&run[..], &elsewhere].concat()).await;
    assert_eq!(code, 6, "{report:#}");
    assert_eq!(seen(&aws_of_machine), seen(&aws_of_run));
    assert_eq!(seen(&aws_of_run).len(), 5);
    aws_of_run.shutdown().await;

    // One job each, for what `render` prints, whoever asked how often.
    let jobs = aws_of_machine.jobs();
    assert_eq!(jobs.len(), 5);
    let (code, rendered, _) = ran(path, &aws_of_machine, &["render", "plan.yaml"]).await;
    assert_eq!(code, 0);
    let rendered: Vec<Value> = rendered
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for job in &jobs {
        let line = rendered.iter().find(|line| line["request"] == job.request);
        let line = line.unwrap_or_else(|| panic!("{:#}", job.request));
        assert_eq!(line["target"]["account"], *job.account);
    }
    let starts = crate::support::operations(&log);
    let starts = starts.iter().filter(|of| *of == "StartRestoreJob").count();
    // Five restores in each of two executions, and two throttled calls.
    assert_eq!(starts, 12);

    // A native run of the same run id takes up what there is, and reports all of it.
    let (code, after) = redrill(path, &aws_of_machine, &run).await;
    assert_eq!(code, 6, "{after:#}");
    assert_eq!(aws_of_machine.jobs().len(), 5);
    let of = |report: &Value| -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let restores = report["restores"].as_array().unwrap().iter();
        restores
            .map(|of| {
                (
                    text(&of["restore"]),
                    text(&of["status"]),
                    text(&of["token"]),
                )
            })
            .collect()
    };
    assert_eq!(of(&after), of(&report));
    assert_eq!(of(&after).len(), 7);
    aws_of_machine.shutdown().await;
}
