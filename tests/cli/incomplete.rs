//! A job that is COMPLETED and says that something is missing has proven nothing.

use redrill_emulator::{Faults, Options};

use crate::support::{at_once, emulator, folder, process, repository_file, write};

const SAID: &str = "One or more objects failed to be restored from arn:aws:backup:us-west-2:123456789012:recovery-point:x to b.";

#[tokio::test(flavor = "multi_thread")]
async fn aws_a14_a18_completed_with_objects_missing_is_incomplete_in_every_report() {
    let script = format!("- {{ fault: job-issues, resource_type: EFS, message: \"{SAID}\" }}");
    let faults = Faults::parse(&script).unwrap();
    let emulator = emulator(Options {
        faults,
        ..at_once()
    })
    .await;
    let folder = folder();
    let plan = repository_file("plans/quickstart.yaml");
    write(folder.path(), "plan.yaml", &plan);
    let url = emulator.url();
    let path = folder.path().to_owned();
    let run = move |arguments: &[&str]| {
        let mut command = process(&path);
        let output = command
            .args(arguments)
            .args(["--endpoint-url", &url])
            .output();
        let output = output.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    tokio::task::spawn_blocking(move || {
        let reports = ["json=r.json", "junit=r.xml", "html=r.html", "markdown=r.md"];
        let reports = reports.iter().flat_map(|report| ["--report", report]);
        let arguments: Vec<&str> = ["run", "plan.yaml", "--yes"]
            .into_iter()
            .chain(reports)
            .collect();
        let (code, said, errors) = run(&arguments);
        assert_eq!(code, Some(6), "{said}{errors}");
        assert!(
            said.contains("INCOMPLETE  files") && said.contains(SAID),
            "{said}"
        );
        assert!(said.contains("run main: failed"), "{said}");
        // What needs it goes on: the rest is there.
        assert!(said.contains("COMPLETED   app"), "{said}");
        assert!(!said.contains("--retry-failed"), "{said}");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        for (file, word) in [
            ("r.json", "\"INCOMPLETE\""),
            ("r.xml", "type=\"INCOMPLETE\""),
            ("r.html", "INCOMPLETE"),
            ("r.md", "**INCOMPLETE**"),
        ] {
            let text = read(file);
            assert!(text.contains(word), "{file}: {text}");
            assert!(
                text.contains("objects failed to be restored"),
                "{file}: {text}"
            );
        }
        let json: serde_json::Value = serde_json::from_str(&read("r.json")).unwrap();
        assert_eq!(json["verdict"], "failed");
        // And so it stays: the same run again, and what is known of it.
        let (code, said, _) = run(&["run", "plan.yaml", "--yes"]);
        assert_eq!(code, Some(6), "{said}");
        // AWS calls it COMPLETED, and another attempt would make a second one.
        let (code, said, _) = run(&["run", "plan.yaml", "--yes", "--retry-failed"]);
        assert_eq!(code, Some(6), "{said}");
        assert!(!said.contains("attempt 2"), "{said}");
        let (_, said, _) = run(&["plan", "plan.yaml", "--retry-failed"]);
        assert!(
            said.contains("`--retry-failed` makes none; a run of its own does, with `--run-id`"),
            "{said}"
        );
        let (_, said, _) = run(&["status", "plan.yaml"]);
        assert!(said.contains("INCOMPLETE  files"), "{said}");
    })
    .await
    .unwrap();
}
