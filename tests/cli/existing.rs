//! What writes into something that exists is asked about apart; what would make the same new thing twice is refused.

use redrill_emulator::Options;

use crate::support::{HEAD, at_once, emulator, folder, ran, redrill, repository_file, write};

const POINT: &str =
    "arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45";

/// A table, and a bucket that exists.
fn plan(more: &str) -> String {
    format!(
        "{HEAD}  orders:
    type: DynamoDB
    recovery_point: arn:aws:dynamodb:us-west-2:123456789012:table/orders/backup/01489173575360-b308cd7d
    metadata: {{ targetTableName: orders-new }}
  invoices:
    type: S3
    recovery_point: {POINT}
{more}    metadata: {{ DestinationBucketName: invoices, NewBucket: false, RestoreACLs: false }}
"
    )
}

/// `--yes` alone does not answer for what exists: nothing is sent at all. The plan or the command can say that it may.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a10_run_asks_apart_for_what_writes_into_something_existing() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &plan(""));
    let (code, _, said) = ran(path, &emulator, &["run", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 64, "{said}");
    for words in [
        "invoices writes into bucket invoices",
        "`into_existing: true`",
        "--into-existing",
        "nothing was sent",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!said.contains("orders writes"), "{said}");
    assert!(emulator.jobs().is_empty());
    assert!(!path.join(".redrill").exists());
    // What is left out is not asked about.
    let only = ["run", "plan.yaml", "--yes", "--only", "orders"];
    assert_eq!(ran(path, &emulator, &only).await.0, 0);
    assert_eq!(emulator.jobs().len(), 1);
    let said_so = ["run", "plan.yaml", "--yes", "--into-existing"];
    let (code, _, said) = ran(path, &emulator, &said_so).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("invoices writes into bucket invoices"),
        "{said}"
    );
    // What has been started already is followed without a question.
    let (code, _, said) = ran(path, &emulator, &["run", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 0, "{said}");
    write(path, "plan.yaml", &plan("    into_existing: true\n"));
    let again = [
        "run",
        "plan.yaml",
        "--yes",
        "--run-id",
        "again",
        "--only",
        "invoices",
    ];
    // The same again, which no mark tells from a run whose journal was lost.
    let (code, _, said) = ran(path, &emulator, &again).await;
    assert_eq!((code, emulator.jobs().len()), (5, 2), "{said}");
    let anyway = [&again[..], &["--start-anyway"]].concat();
    let (code, _, said) = ran(path, &emulator, &anyway).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(emulator.jobs().len(), 3);
    emulator.shutdown().await;
}

/// A saved plan is approved as to its requests; what exists is asked about all the same.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a10_a_saved_plan_is_asked_about_as_well() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &plan(""));
    let saves = ["plan", "plan.yaml", "-o", "saved.json"];
    let (code, dry, _) = ran(path, &emulator, &saves).await;
    assert_eq!(code, 0);
    assert!(
        dry.contains("writes into bucket invoices; say so with `into_existing: true`"),
        "{dry}"
    );
    let (code, _, said) = ran(path, &emulator, &["run", "saved.json", "--yes"]).await;
    assert_eq!(code, 64, "{said}");
    let (code, _, said) = ran(
        path,
        &emulator,
        &["run", "saved.json", "--yes", "--into-existing"],
    )
    .await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

#[test]
fn safety_a10_a_rehearsal_says_what_run_would_ask() {
    let folder = folder();
    let path = folder.path();
    write(path, "plan.yaml", &plan(""));
    let said = |text: &str| {
        write(path, "plan.yaml", text);
        let output = redrill(path)
            .args(["rehearse", "plan.yaml"])
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let unsaid = said(&plan(""));
    assert!(
        unsaid.contains("invoices writes into bucket invoices\n`redrill run` starts this only"),
        "{unsaid}"
    );
    let allowed = said(&plan("    into_existing: true\n"));
    assert!(!allowed.contains("writes into"), "{allowed}");
    let output = redrill(path)
        .args(["validate", "plan.yaml"])
        .output()
        .unwrap();
    assert!(output.status.success());
    write(path, "plan.yaml", &plan("    into_existing: perhaps\n"));
    let output = redrill(path)
        .args(["validate", "plan.yaml"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
}

/// Every plan of the repository that writes into something existing says so.
#[test]
fn safety_a10_the_repositorys_plans_say_so() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(root.join("plans")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".yaml") {
            continue;
        }
        let folder = folder();
        write(
            folder.path(),
            "plan.yaml",
            &repository_file(&format!("plans/{name}")),
        );
        let output = redrill(folder.path())
            .args(["plan", "plan.yaml", "--against", "run"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!text.contains("into_existing"), "{name}: {text}");
    }
}

/// A name that is known only while the run goes on is compared then: the second of the two is not sent.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r1_8_equal_names_that_are_known_late_are_not_sent() {
    let emulator = emulator(Options { ..at_once() }).await;
    let folder = folder();
    let path = folder.path();
    let table = |name: &str, needs: &str, new: &str| {
        format!(
            "  {name}:\n    type: DynamoDB\n{needs}    recovery_point: arn:aws:dynamodb:us-west-2:123456789012:table/{name}/backup/01489173575360-b308cd7d\n    metadata: {{ targetTableName: \"{new}\" }}\n"
        )
    };
    let late = "copy-of-{{ restores.first.created.resource_arn | split('/') | last }}";
    let plan = [
        HEAD,
        &table("first", "", "first-new"),
        &table("second", "    needs: [first]\n", late),
        &table("third", "    needs: [first, second]\n", late),
    ]
    .concat();
    write(path, "plan.yaml", &plan);
    let (code, _, said) = ran(path, &emulator, &["run", "plan.yaml", "--yes"]).await;
    assert_eq!(code, 6, "{said}");
    assert!(
        said.contains(
            "third: not sent: `targetTableName: copy-of-first-new` is the new name of `second` as well"
        ),
        "{said}"
    );
    assert_eq!(emulator.jobs().len(), 2);
    emulator.shutdown().await;
}

/// Whether it writes into something existing may be known late as well.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a10_what_is_known_late_is_not_sent_into_something_existing() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    let plan = format!(
        "{HEAD}  orders:
    type: DynamoDB
    recovery_point: arn:aws:dynamodb:us-west-2:123456789012:table/orders/backup/01489173575360-b308cd7d
    metadata: {{ targetTableName: orders-new }}
  invoices:
    type: S3
    needs: [orders]
    recovery_point: {POINT}
    metadata: {{ DestinationBucketName: \"b-{{{{ restores.orders.created.resource_arn | split('/') | last }}}}\", NewBucket: \"{{{{ 'old' in restores.orders.created.resource_arn }}}}\", RestoreACLs: false }}
"
    );
    write(path, "plan.yaml", &plan);
    let (code, _, said) = ran(path, &emulator, &["run", "plan.yaml", "--yes"]).await;
    assert_ne!(code, 0, "{said}");
    assert!(
        said.contains("would write into bucket b-orders-new")
            || said.contains("writes into bucket"),
        "{said}"
    );
    assert!(emulator.jobs().len() < 2);
    emulator.shutdown().await;
}
