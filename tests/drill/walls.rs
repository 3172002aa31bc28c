//! The walls of a plan: what `allow` does not have is refused in every kind of spot, and what it has is not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::run;
use crate::support::{at_once, emulator, folder, repository_file, write};

/// One place of `walls.yaml`.
#[derive(serde::Deserialize)]
struct Place {
    r#type: String,
    point: String,
    allow: Vec<String>,
    r#in: String,
    out: String,
    metadata: serde_json::Map<String, Value>,
}

#[derive(serde::Deserialize)]
struct Table {
    every: Vec<String>,
    points: BTreeMap<String, String>,
    places: Vec<Place>,
}

/// The kinds of spots that a value is written in.
const SPOTS: [&str; 9] = [
    "plain",
    "variable",
    "half",
    "for_each",
    "alias",
    "json",
    "json in json",
    "escaped",
    "key case",
];

fn table() -> Table {
    serde_yaml::from_str(&repository_file("tests/drill/walls.yaml")).unwrap()
}

/// A plan as JSON, which YAML takes too: the head, and the restore with a value in a spot; none where the spot is not one of
/// this place.
fn plan(table: &Table, place: &Place, spot: &str, value: &str) -> Option<String> {
    let mut metadata = place.metadata.clone();
    let holds = |value: &Value| value.to_string().contains("\"@\"");
    let (key, inner) = metadata.iter().find(|(_, value)| holds(value)).unwrap();
    let (key, inner) = (key.clone(), inner.to_string());
    let is_nested = !metadata[&key].is_string();
    let quoted = Value::from(value).to_string();
    let mut head = json!({});
    let mut more = json!({});
    let mut written = inner.replace("\"@\"", &quoted);
    let half = value.len() / 2;
    match spot {
        "plain" => {}
        "variable" => {
            head = json!({ "vars": { "v": value } });
            written = inner.replace('@', "{{ vars.v }}");
        }
        "half" => {
            head = json!({ "vars": { "v": &value[half..] } });
            written = inner.replace('@', &format!("{}{{{{ vars.v }}}}", &value[..half]));
        }
        "for_each" => {
            more = json!({ "for_each": { "one": value } });
            written = inner.replace('@', "{{ each.value }}");
        }
        "alias" => {
            head = json!({ "x-v": "@@" });
            written = inner.replace("\"@\"", "*v ");
        }
        "json" if is_nested => written = Value::from(written).to_string(),
        "json in json" if is_nested => {
            // Within a string within a string.
            written = Value::from(Value::from(written).to_string()).to_string();
        }
        "escaped" if is_nested => {
            let units = value.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
            let escaped = inner.replace('@', &units.collect::<String>());
            written = Value::from(escaped).to_string();
        }
        "key case" if place.r#type != "Novel" => {}
        _ => return None,
    }
    metadata.shift_remove(&key);
    let typed = match spot {
        "key case" => key.to_uppercase(),
        _ => key,
    };
    let rest = Value::Object(metadata).to_string();
    let rest = &rest[..rest.len() - 1];
    let comma = if rest == "{" { "" } else { "," };
    let members = |value: &Value| {
        let text = value.to_string();
        let text = text[1..text.len() - 1].to_owned();
        if text.is_empty() {
            text
        } else {
            format!("{text},")
        }
    };
    let allow: Vec<&String> = table.every.iter().chain(&place.allow).collect();
    let text = format!(
        "{{ \"plan\": \"p\", {} \"drill\": true, \"allow\": {}, \"target\": {{ \"region\": \"us-west-2\", \"account\": \"123456789012\", \"iam_role_arn\": \"arn:aws:iam::123456789012:role/restore\" }}, \"restores\": {{ \"r\": {{ \"type\": {}, {} \"recovery_point\": {}, \"metadata\": {rest}{comma} {}: {written} }} }} }} }}\n",
        members(&head),
        json!(allow),
        json!(place.r#type),
        members(&more),
        json!(table.points[&place.point]),
        json!(typed),
    );
    Some(text.replace("\"@@\"", &format!("&v {quoted}")))
}

#[test]
fn hundreds_of_plans_that_leave_the_walls_are_refused_and_those_inside_are_not() {
    let folder = folder();
    let table = table();
    let mut plans: BTreeMap<String, String> = BTreeMap::new();
    let mut types = BTreeSet::new();
    for (at, place) in table.places.iter().enumerate() {
        types.insert(&place.r#type);
        for (number, spot) in SPOTS.iter().enumerate() {
            for (kind, value) in [("in", &place.r#in), ("out", &place.out)] {
                if let Some(text) = plan(&table, place, spot, value) {
                    let name = format!("{kind}-{at:02}-{number}.yaml");
                    write(folder.path(), &name, &text);
                    plans.insert(name, format!("{}, {spot}: {text}", place.r#type));
                }
            }
        }
    }
    assert!(plans.len() > 600, "{}", plans.len());
    assert_eq!(
        types.len(),
        20,
        "nineteen types, and one that redrill does not know"
    );
    let mut arguments = vec!["validate", "--format", "json"];
    arguments.extend(plans.keys().map(String::as_str));
    let (code, stdout, stderr) = run(folder.path(), &arguments);
    assert_eq!(code, 4, "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let mut caught: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for finding in report["findings"].as_array().unwrap() {
        let rule = finding["rule"].as_str().unwrap();
        if rule.starts_with("allow/") && finding["severity"] == "error" {
            let file = finding["file"].as_str().unwrap();
            caught
                .entry(file)
                .or_default()
                .push(format!("{rule}: {finding}"));
        }
        assert!(
            !rule.starts_with("template/") && !rule.starts_with("yaml/"),
            "{finding}"
        );
    }
    let mut wrong = Vec::new();
    for (name, text) in &plans {
        let found = caught.get(name.as_str()).cloned().unwrap_or_default();
        if name.starts_with("in-") {
            if !found.is_empty() {
                wrong.push(format!("{name} {text}\n{found:?}"));
            }
        } else {
            let is_outside = found.len() == 1 && found[0].starts_with("allow/outside");
            if !is_outside {
                wrong.push(format!("{name} {text}\n{found:?}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}\n{}",
        wrong.len(),
        plans.len(),
        wrong.join("\n")
    );
}

/// What leaves the walls is refused by whatever shows, sends or hands out a request, with nothing asked of AWS.
#[test]
fn no_command_lets_a_request_out_of_the_walls() {
    let folder = folder();
    let table = table();
    for (at, place) in table.places.iter().enumerate().step_by(6) {
        let text = plan(&table, place, SPOTS[at % 4], &place.out).unwrap();
        write(folder.path(), "plan.yaml", &text);
        for command in [
            &["validate"][..],
            &["render"],
            &["plan"],
            &["run", "--yes", "--endpoint-url", "http://127.0.0.1:9"],
            &["rehearse"],
            &["export", "kit", "-o", "kit"],
            &[
                "export",
                "step-functions",
                "-o",
                "machine",
                "--bucket",
                "drill-runs",
            ],
        ] {
            let mut arguments = command.to_vec();
            arguments.push("plan.yaml");
            let (code, stdout, stderr) = run(folder.path(), &arguments);
            assert_eq!(code, 4, "{command:?} {text}: {stdout}{stderr}");
            let said = format!("{stdout}{stderr}");
            assert!(said.contains("allow/outside"), "{command:?}: {said}");
        }
        assert!(!folder.path().join("kit").exists() && !folder.path().join("machine").exists());
    }
}

/// A plan of a file system that is made, and of what is known only then.
fn late(allow: &str, restores: &str) -> String {
    let allow = format!("drill: true\nallow: [\"123456789012\", {allow}]\n");
    super::plan(1, &allow, |_| String::new()) + restores
}

fn needing(name: &str, of_type: &str, point: &str, metadata: &str) -> String {
    format!(
        "  {name}:\n    type: {of_type}\n    needs: [r0]\n    into_existing: true\n    recovery_point: {point}\n    metadata: {{ {metadata} }}\n"
    )
}

/// What is known only after another restore is judged before it is sent; what that has made is inside.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_becomes_known_later_is_judged_then() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let points = table().points;
    let end = "{{ restores.r0.created.resource_arn | split('/') | last }}";
    let digits = "{{ restores.r0.created.job_id | split('-') | first }}";
    let efs = "Encrypted: true, CreationToken: b";
    let into = |name: &str, id: &str| {
        let metadata = format!("{efs}, newFileSystem: false, file-system-id: \"{id}\"");
        needing(name, "EFS", &points["backup"], &metadata)
    };
    let text = late(
        "sg-0a1b2c3d, subnet-0a1b2c3d, \"arn:aws:dynamodb:*:*:table/drill-*\"",
        &[
            into("made", end),
            into("other", &format!("fs-{digits}")),
            needing("key", "EFS", &points["backup"], &format!("{efs}, newFileSystem: true, file-system-id: fs-0a1b2c3d, KmsKeyId: \"alias/{digits}\"")),
            // Named as the file system is, and not that.
            needing("bucket", "S3", &points["backup"], &format!("RestoreACLs: false, DestinationBucketName: \"{end}\"")),
            needing("group", "EC2", &points["image"], &format!("InstanceType: t3.medium, SubnetId: subnet-0a1b2c3d, SecurityGroupIds: [sg-0a1b2c3d, \"sg-{digits}\"]")),
            needing("stack", "CloudFormation", &points["backup"], &format!("ChangeSetName: a, StackName: a, StackParameters: {{ Network: \"subnet-{digits}\" }}")),
            needing("name", "DynamoDB", &points["backup"], &format!("targetTableName: \"table-{digits}\"")),
        ]
        .concat(),
    );
    write(folder.path(), "plan.yaml", &text);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let (code, stdout, stderr) = run(
            &path,
            &[
                "run",
                "plan.yaml",
                "--yes",
                "--json",
                "--endpoint-url",
                &url,
            ],
        );
        assert_eq!(code, 6, "{stdout}{stderr}");
        let report: Value = serde_json::from_str(&stdout).unwrap();
        for restore in report["restores"].as_array().unwrap() {
            let message = restore["message"].as_str().unwrap_or_default();
            match restore["restore"].as_str().unwrap() {
                "r0" | "made" => assert_eq!(restore["status"], "COMPLETED", "{restore}"),
                _ => assert!(message.contains("(allow/outside)"), "{restore}"),
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

#[test]
fn what_is_written_next_to_a_later_value_is_judged_now_and_a_kit_cannot_judge_later() {
    let folder = folder();
    let image = &table().points["image"];
    let groups = |first: &str| {
        let metadata = format!(
            "InstanceType: t3.medium, SubnetId: subnet-0a1b2c3d, SecurityGroupIds: [{first}, \"sg-{{{{ restores.r0.created.job_id }}}}\"]"
        );
        let restore = needing("machine", "EC2", image, &metadata);
        late("sg-0a1b2c3d, subnet-0a1b2c3d", &restore)
    };
    write(folder.path(), "plan.yaml", &groups("sg-0b0b0b0b"));
    let (code, stdout, _) = run(folder.path(), &["validate", "plan.yaml"]);
    assert_eq!(code, 4, "{stdout}");
    assert!(
        stdout.contains("`sg-0b0b0b0b` is a security group that `allow` does not have"),
        "{stdout}"
    );
    write(folder.path(), "plan.yaml", &groups("sg-0a1b2c3d"));
    let (code, stdout, _) = run(folder.path(), &["validate", "plan.yaml"]);
    assert_eq!(code, 0, "{stdout}");
    for format in ["kit", "step-functions"] {
        let mut arguments = vec!["export", format, "plan.yaml", "-o", "kit"];
        if format == "step-functions" {
            arguments.extend(["--bucket", "drill-runs"]);
        }
        let (code, stdout, stderr) = run(folder.path(), &arguments);
        assert_eq!(code, 4, "{stdout}{stderr}");
        let said = match format {
            "kit" => {
                "SecurityGroupIds: this names a place that is known only later, and the script does not compare it with `allow`"
            }
            _ => "step-functions/pending",
        };
        assert!(stderr.contains(said), "{stdout}{stderr}");
    }
}

#[test]
fn a_saved_plan_is_not_carried_out_once_its_walls_are_others() {
    let folder = folder();
    let text = late("us-west-2", "");
    write(folder.path(), "plan.yaml", &text);
    let place = ["--endpoint-url", "http://127.0.0.1:9"];
    let (code, _, stderr) = run(folder.path(), &["plan", "plan.yaml", "-o", "saved.json"]);
    assert_eq!(code, 0, "{stderr}");
    for other in ["us-west-2, fs-0b0b0b0b]", "us-east-1]"] {
        write(
            folder.path(),
            "plan.yaml",
            &text.replace("us-west-2]", other),
        );
        let mut words = vec!["run", "saved.json", "--yes"];
        words.extend(place);
        let (code, stdout, stderr) = run(folder.path(), &words);
        assert_eq!(code, 4, "{stdout}{stderr}");
        assert!(stderr.contains("plan.yaml has changed"), "{stdout}{stderr}");
    }
}

#[test]
fn a_drill_is_a_run_whose_id_says_so_and_a_rehearsal_of_it_goes_nowhere() {
    let folder = folder();
    let text = super::plan(1, "drill: \"drill-*\"\n", |_| String::new());
    write(folder.path(), "plan.yaml", &text);
    let asked = |words: &[&str]| run(folder.path(), words);
    assert_eq!(asked(&["validate", "plan.yaml"]).0, 0);
    let (code, stdout, _) = asked(&["validate", "plan.yaml", "--run-id", "drill-7"]);
    assert_eq!(code, 4);
    assert!(
        stdout.contains("error[allow/drill]: the run `drill-7` is a drill"),
        "{stdout}"
    );
    let (code, stdout, stderr) = asked(&["rehearse", "plan.yaml", "--run-id", "drill-7"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stderr.contains("warning[allow/drill]"), "{stderr}");
    // Outside the walls it is refused there too: that is what a rehearsal is for.
    let text = text.replace("drill: \"drill-*\"", "allow: [\"210987654321\"]");
    write(folder.path(), "plan.yaml", &text);
    assert_eq!(asked(&["rehearse", "plan.yaml"]).0, 4);
}

#[test]
fn a_secret_outside_the_walls_is_not_shown_and_none_is_an_entry() {
    let folder = folder();
    let image = &table().points["image"];
    let head = "vars: { group: { secret: true } }\n";
    let metadata = "InstanceType: t3.medium, SubnetId: subnet-0a1b2c3d, SecurityGroupIds: '[\"sg-0a1b2c3d\", \"{{ vars.group }}\"]'";
    let text = late(
        "sg-0a1b2c3d, subnet-0a1b2c3d",
        &needing("machine", "EC2", image, metadata),
    );
    write(folder.path(), "plan.yaml", &format!("{head}{text}"));
    let secret = "group=sg-0c0c0c0c,sg-0d0d0d0d";
    for format in ["human", "json", "sarif", "github"] {
        let words = ["validate", "plan.yaml", "--var", secret, "--format", format];
        let (code, stdout, stderr) = run(folder.path(), &words);
        let said = format!("{stdout}{stderr}");
        assert_eq!(code, 4, "{said}");
        assert!(
            said.contains("a secret value is a security group that `allow` does not have"),
            "{said}"
        );
        assert!(!said.contains("0c0c") && !said.contains("0d0d"), "{said}");
    }
    let entry = format!("{head}{}", late("\"{{ vars.group }}\"", ""));
    write(folder.path(), "plan.yaml", &entry);
    let (code, stdout, _) = run(folder.path(), &["validate", "plan.yaml", "--var", secret]);
    assert_eq!(code, 4, "{stdout}");
    assert!(
        stdout.contains("`allow` is made of a secret") && !stdout.contains("0c0c"),
        "{stdout}"
    );
    // Without its value nothing is refused that it might allow, and nothing is exported.
    let (code, stdout, _) = run(folder.path(), &["validate", "plan.yaml"]);
    assert_eq!(code, 0, "{stdout}");
    let (code, _, stderr) = run(folder.path(), &["export", "kit", "plan.yaml", "-o", "kit"]);
    assert_eq!(code, 4, "{stderr}");
}

/// Two targets, another partition, and what `--only` leaves out.
#[test]
fn each_restore_is_judged_where_it_runs() {
    let folder = folder();
    let text = r#"plan: p
allow: ["123456789012", cn-north-1, us-west-2, "arn:aws-cn:kms:cn-north-1:123456789012:key/*", "arn:aws-cn:s3:::drill-*"]
targets:
  west: { region: us-west-2, account: "123456789012", iam_role_arn: "arn:aws:iam::123456789012:role/restore" }
  north: { region: cn-north-1, account: "123456789012", iam_role_arn: "arn:aws-cn:iam::123456789012:role/restore" }
restores:
  inside:
    type: EFS
    target: north
    recovery_point: arn:aws-cn:backup:cn-north-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
    metadata: { file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: a, KmsKeyId: 1234abcd-12ab-34cd-56ef-1234567890ab }
  bucket:
    type: S3
    target: north
    recovery_point: arn:aws-cn:backup:cn-north-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
    metadata: { DestinationBucketName: drill-a, RestoreACLs: false }
  elsewhere:
    type: EFS
    target: TARGET
    recovery_point: arn:PARTITION:backup:REGION:123456789012:recovery-point:8C3F1A52-6F0B-4D0E-9B53-2A8C1D7E4F90
    metadata: { file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: b, KmsKeyId: 1234abcd-12ab-34cd-56ef-1234567890ab }
"#;
    let of = |target: &str, partition: &str, region: &str| {
        text.replace("TARGET", target)
            .replace("PARTITION", partition)
            .replace("REGION", region)
    };
    write(
        folder.path(),
        "plan.yaml",
        &of("north", "aws-cn", "cn-north-1"),
    );
    let (code, stdout, _) = run(folder.path(), &["validate", "plan.yaml"]);
    assert_eq!(code, 0, "{stdout}");
    assert!(!stdout.contains("allow/"), "{stdout}");
    write(folder.path(), "plan.yaml", &of("west", "aws", "us-west-2"));
    for words in [
        &["validate", "plan.yaml"][..],
        &[
            "run",
            "plan.yaml",
            "--yes",
            "--only",
            "inside",
            "--endpoint-url",
            "http://127.0.0.1:9",
        ],
    ] {
        let (code, stdout, stderr) = run(folder.path(), words);
        let said = format!("{stdout}{stderr}");
        assert_eq!(code, 4, "{said}");
        assert_eq!(said.matches("error[allow/outside]").count(), 1, "{said}");
        assert!(said.contains("elsewhere: KmsKeyId"), "{said}");
    }
}
