//! Several accounts, limits, timeouts, Ctrl-C; and what a caller can get wrong around the script.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;

use redrill_emulator::{Fault, Faults, Options};

use super::{ACCOUNT, ended, exported, said, script};
use crate::support::{at_once, emulator, folder, many};

fn with_fault(text: &str) -> Options {
    Options {
        faults: Faults(vec![text.parse::<Fault>().unwrap()]),
        ..at_once()
    }
}

const OTHER: &str = "210987654321";

fn two_accounts(assume: &str) -> String {
    let restore = |name: &str, target: &str, account: &str, more: &str| {
        format!(
            "  {name}:\n    target: {target}\n{more}    type: EFS\n    recovery_point: arn:aws:backup:us-west-2:{account}:recovery-point:{name}\n    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: {name} }}\n"
        )
    };
    format!(
        "plan: two\ntargets:\n  west: {{ region: us-west-2, account: \"{ACCOUNT}\", iam_role_arn: \"arn:aws:iam::{ACCOUNT}:role/restore\" }}\n  other: {{ region: us-west-2, account: \"{OTHER}\", iam_role_arn: \"arn:aws:iam::{OTHER}:role/restore\"{assume} }}\nrestores:\n{}{}",
        restore("one", "west", ACCOUNT, ""),
        restore("two", "other", OTHER, "    needs: [one]\n"),
    )
}

/// Each target is called with its own profile, and a profile of another account is refused before anything is sent.
#[tokio::test(flavor = "multi_thread")]
async fn each_account_has_a_profile() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let kit = exported(folder.path(), &two_accounts(""), &[]);
    // The stub's profiles are called as their accounts are.
    for (second, expected) in [(None, 1), (Some(ACCOUNT), 1), (Some(OTHER), 0)] {
        let mut command = script(&kit, &emulator.url());
        command.arg("--yes").env("PROFILE_1", ACCOUNT);
        command.envs(second.map(|profile| ("PROFILE_2", profile)));
        let (code, said) = ended(command).await;
        assert_eq!(code, Some(expected), "{second:?}: {said}");
        assert!(expected == 0 || said.contains("set PROFILE_2"), "{said}");
        assert_eq!(emulator.jobs().is_empty(), expected != 0, "{said}");
    }
    let accounts: Vec<String> = emulator.jobs().into_iter().map(|job| job.account).collect();
    assert_eq!(accounts.len(), 2);
    assert!(accounts.contains(&OTHER.to_owned()));
    emulator.shutdown().await;
}

/// The AWS CLI assumes a role by a profile, so one has to be named.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_to_assume_needs_a_profile() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let assume = format!(", assume_role_arn: \"arn:aws:iam::{OTHER}:role/redrill\"");
    let kit = exported(folder.path(), &two_accounts(&assume), &[]);
    let mut command = script(&kit, &emulator.url());
    command.arg("--yes").env("PROFILE_1", ACCOUNT);
    let (code, said) = ended(command).await;
    assert_eq!(code, Some(64), "{said}");
    assert!(
        said.contains("role/redrill") && said.contains("PROFILE_2"),
        "{said}"
    );
    assert!(emulator.jobs().is_empty());
    let mut command = script(&kit, &emulator.url());
    command
        .arg("--yes")
        .env("PROFILE_1", ACCOUNT)
        .env("PROFILE_2", OTHER);
    let (code, said) = ended(command).await;
    assert_eq!((code, emulator.jobs().len()), (Some(0), 2), "{said}");
    emulator.shutdown().await;
}

/// So many run at once as the plan allows, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn limits_hold() {
    for (limits, most) in [("{ concurrent: 2 }", 2), ("{ by_type: { EFS: 3 } }", 3)] {
        let emulator = emulator(at_once()).await;
        let folder = folder();
        let plan = many(7, 0).replace("target:\n", &format!("limits: {limits}\ntarget:\n"));
        let kit = exported(folder.path(), &plan, &[]);
        let mut command = script(&kit, &emulator.url());
        command.arg("--yes");
        let (code, said) = ended(command).await;
        assert_eq!((code, emulator.jobs().len()), (Some(0), 7), "{said}");
        let (mut running, mut highest) = (0_i32, 0);
        for line in said.lines() {
            running += i32::from(line.contains(": started, job"));
            running -= i32::from(line.contains(": completed, "));
            highest = highest.max(running);
        }
        assert_eq!(highest, most, "{limits}: {said}");
        emulator.shutdown().await;
    }
}

/// A job that takes longer than the plan follows it: what needs it is not started, and the next run looks again.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_followed_for_its_timeout() {
    let emulator = emulator(with_fault("job-hangs")).await;
    let folder = folder();
    let plan = many(2, 1).replacen("    type: EFS\n", "    type: EFS\n    timeout: 1s\n", 1);
    let kit = exported(folder.path(), &plan, &[]);
    for _ in 0..2 {
        let mut command = script(&kit, &emulator.url());
        command.arg("--yes");
        let (code, said) = ended(command).await;
        assert_eq!(code, Some(5), "{said}");
        assert!(said.contains("r0: not over after 1 seconds"), "{said}");
        assert!(said.contains("1 overdue; 1 skipped; 2 in all"), "{said}");
        assert_eq!(emulator.jobs().len(), 1);
    }
    // A job that was found is followed as long as one that was started.
    let other = crate::support::folder();
    let kit = exported(
        other.path(),
        &many(1, 0).replacen("    type: EFS\n", "    type: EFS\n    timeout: 1h\n", 1),
        &[],
    );
    let mut command = script(&kit, &emulator.url());
    command
        .arg("--yes")
        .stderr(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("found its job")));
    interrupt(&child);
    let left: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(
        !left.iter().any(|line| line.contains("not over")),
        "{left:?}"
    );
    child.wait().unwrap();
    emulator.shutdown().await;
}

/// What Ctrl-C sends to all that runs in a terminal.
fn interrupt(child: &std::process::Child) {
    let group = format!("-{}", child.id());
    let kill = std::process::Command::new("kill")
        .args(["-INT", "--", &group])
        .status();
    assert!(kill.unwrap().success());
}

/// Ctrl-C ends the script in order; the job goes on, and the same command follows it.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_everything_in_order() {
    let emulator = emulator(with_fault("job-hangs,times=1")).await;
    let folder = folder();
    let kit = exported(folder.path(), &many(2, 1), &[]);
    let mut command = script(&kit, &emulator.url());
    command
        .arg("--yes")
        .stderr(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("r0: started")));
    interrupt(&child);
    let left: Vec<String> = lines.map(Result::unwrap).collect();
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{left:?} {text}");
    assert!(
        left.iter()
            .any(|line| line.contains("interrupted; nothing more is started")),
        "{left:?}"
    );
    assert!(text.contains("1 running; 1 waiting; 2 in all"), "{text}");
    assert!(text.contains("cannot be recalled"), "{text}");
    let names = |kit: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(kit.join("state")).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&kit), ["kit", "r0.1.intent", "r0.1.job"]);
    assert_eq!(emulator.jobs().len(), 1);
    emulator.shutdown().await;
}

/// Paths that are relative to where the script is called, from wherever that is.
#[tokio::test(flavor = "multi_thread")]
async fn it_works_from_any_directory() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let kit = exported(folder.path(), &many(1, 0), &[]);
    let stub = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export/aws.py");
    std::os::unix::fs::symlink(&stub, folder.path().join("aws.py")).unwrap();
    std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
    let mut command = std::process::Command::new("bash");
    let given = script(&kit, &emulator.url());
    command.envs(
        given
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command
        .args(["kit/restore.sh", "--yes"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .env("CDPATH", folder.path().join("elsewhere"))
        .env("KIT_AWS", "./aws.py")
        .env("KIT_STATE", "elsewhere/state")
        .env("AWS_CONFIG_FILE", "config");
    let (code, said) = ended(command).await;
    assert_eq!((code, emulator.jobs().len()), (Some(0), 1), "{said}");
    assert!(folder.path().join("elsewhere/state/r0.1.end").exists());
    emulator.shutdown().await;
}

/// What is missing or does not belong together is named, with what to do, and nothing is sent.
#[test]
fn what_is_wrong_around_the_script_is_named() {
    let folder = folder();
    let plan = many(1, 0)
        .replace("target:\n", "vars: { pin: { secret: true } }\ntarget:\n")
        .replace("{{ restore }}-{{ run.id }}", "{{ vars.pin }}");
    let kit = exported(folder.path(), &plan, &[]);
    let run = |name: &str, value: &str| {
        let mut command = script(&kit, "http://127.0.0.1:9");
        command
            .arg("--yes")
            .env("REDRILL_VAR_PIN", "a")
            .env(name, value);
        let output = command.output().unwrap();
        (output.status.code(), said(&output))
    };
    let (code, text) = run("KIT_AWS", "no-such-aws");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("getting-started-install") && text.contains("KIT_AWS"),
        "{text}"
    );
    // The state was made with the endpoint above.
    let (code, text) = run("AWS_ENDPOINT_URL", "http://127.0.0.1:10");
    assert_eq!(code, Some(4), "{text}");
    assert!(
        text.contains("belongs to endpoint http://127.0.0.1:9, and this is http://127.0.0.1:10"),
        "{text}"
    );
    assert!(!text.contains("another run"), "{text}");
    let help = std::process::Command::new("bash")
        .arg(kit.join("restore.sh"))
        .arg("--help")
        .output()
        .unwrap();
    let help = said(&help);
    let text = crate::support::repository_file("src/export/kit/restore.sh");
    let variable = regex::Regex::new(r"\$\{(KIT_[A-Z_]+)").unwrap();
    for name in variable.captures_iter(&text) {
        assert!(help.contains(&name[1]), "{} is not in the help", &name[1]);
    }
}

/// A secret that nobody gives, where nobody can be asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_missing_sends_nothing() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let plan = many(1, 0)
        .replace("target:\n", "vars: { pin: { secret: true } }\ntarget:\n")
        .replace("{{ restore }}-{{ run.id }}", "{{ vars.pin }}");
    let kit = exported(folder.path(), &plan, &[]);
    let mut command = script(&kit, &emulator.url());
    command.arg("--yes");
    let (code, said) = ended(command).await;
    assert_eq!(code, Some(64), "{said}");
    assert!(
        said.contains("Nothing was sent.") && said.contains("REDRILL_VAR_PIN"),
        "{said}"
    );
    assert!(emulator.jobs().is_empty());
    emulator.shutdown().await;
}
