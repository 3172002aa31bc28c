//! The examples of docs/emulator.md, as they stand there.

use std::process::{Command, Stdio};

use crate::clients::*;
use crate::python::AWS_TOOLS;
use crate::served::{Served, served_by};

const PAGE: &str = include_str!("../../../docs/emulator.md");

/// The emulator as a person starts it.
fn served(arguments: &[&str]) -> (Served, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redrill-emulator"));
    command.args(arguments).stderr(Stdio::null());
    served_by(command)
}

/// The block of the page in this language that has these words.
fn block(language: &str, words: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let blocks = PAGE.split(&*fence).skip(1);
    let mut blocks = blocks.filter_map(|rest| rest.split("```").next());
    blocks
        .find(|block| block.contains(words))
        .unwrap_or_else(|| panic!("docs/emulator.md has no {language} with {words}"))
}

/// A command that sees an emulator, and nothing of this machine's AWS configuration.
fn client(program: std::path::PathBuf, url: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", "any")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", "none")
        .env("AWS_SHARED_CREDENTIALS_FILE", "none")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN");
    command
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_aws_cli() {
    let Some(venv) = crate::python::venv("aws", AWS_TOOLS) else {
        return;
    };
    let (_emulator, url) = served(&["--speed", "max"]);
    let lines = block("sh", "start-restore-job").replace("\\\n", " ");
    let commands = lines.lines().filter_map(|line| line.strip_prefix("aws "));
    let mut answers = Vec::new();
    for line in commands {
        let mut shell = client("sh".into(), &url);
        let aws = venv.join("bin/aws");
        shell.args(["-c", &format!("{} {line}", aws.display())]);
        answers.push(said(&mut shell));
    }
    assert_eq!(answers.len(), 2);
    let started: serde_json::Value = serde_json::from_str(&answers[0]).unwrap();
    let listed: serde_json::Value = serde_json::from_str(&answers[1]).unwrap();
    assert_eq!(
        listed["RestoreJobs"][0]["RestoreJobId"],
        started["RestoreJobId"]
    );
}

#[test]
fn boto3() {
    let Some(venv) = crate::python::venv("aws", AWS_TOOLS) else {
        return;
    };
    let (_emulator, url) = served(&["--speed", "max"]);
    let mut python = client(venv.join("bin/python"), &url);
    python.args(["-c", block("python", "start_restore_job")]);
    assert!(said(&mut python).contains("COMPLETED"));
    let mut python = client(venv.join("bin/python"), &url);
    python.args(["-c", block("python", "delete_resource")]);
    assert_eq!(said(&mut python), "gone: ResourceNotFoundException\n");
}

/// The Rust example is this, with what it leaves out.
#[tokio::test]
async fn rust() {
    let example = block("rust", "Emulator::start");
    let own = include_str!("examples.rs")
        .split("// The example.\n")
        .nth(1)
        .unwrap();
    let own: Vec<&str> = own
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    for line in example.lines().map(str::trim) {
        let left_out = line.is_empty() || line.starts_with("//") || line.starts_with("use ");
        assert!(left_out || own.contains(&line), "not in the test: {line}");
    }
    let text = INVENTORY;
    async fn run(text: &str) -> Result<(), Box<dyn std::error::Error>> {
        // The example.
        let options = Options {
            inventory: Some(Inventory::parse(text)?),
            speed: Speed::Max,
            driven: true,
            ..Options::default()
        };
        let emulator = Emulator::start(([127, 0, 0, 1], 0).into(), options).await?;
        start_ec2(&sdk(&emulator), "t1").await;
        while let Some(event) = emulator.next_event() {
            emulator.clock().advance_to(event);
        }
        assert!(emulator.jobs().iter().all(|job| job.status.is_terminal()));
        Ok(())
    }
    run(text).await.unwrap();
}

#[test]
fn the_inventory_examples() {
    let head = "account: \"123456789012\"\nregion: us-east-1\n";
    for words in ["deny:", "surroundings:", "users:", "resources:"] {
        let text = format!("{head}{}", block("yaml", words));
        Inventory::parse(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    }
    let point = "vaults: { a: { recovery_points: [{ arn: \"arn:aws:s3:::b\", resource_arn: \"arn:aws:s3:::b\", \
                 resource_type: S3, created_at: 2026-11-20T03:00:00Z, ";
    for line in block("yaml", "restore:").lines() {
        let line = line.split(" #").next().unwrap().trim_end();
        let text = format!("{head}{point}{line} }}] }} }}\n");
        Inventory::parse(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    }
    redrill_emulator::Faults::parse(block("yaml", "- { fault:")).unwrap();
}

/// Flags that are refused say what to do instead.
#[test]
fn the_command_line() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_redrill-emulator"))
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    for (arguments, words) in [
        (
            &["--listen", "0.0.0.0:0"][..],
            "--expose-without-authentication",
        ),
        (&["--fault", "bogus"], "there is no fault"),
        (&["--account", "me"], "12 digits"),
        (&["--speed", "0"], "neither \"max\" nor"),
    ] {
        let (code, said) = run(arguments);
        assert_eq!(code, Some(64), "{said}");
        assert!(said.contains(words), "{said}");
    }
    let (code, said) = run(&["--quotas", "/nowhere/quotas.yaml"]);
    assert_eq!(code, Some(1), "{said}");
}
