//! Profiles as in the AWS CLI: `--profile` comes before keys in the environment, and one that is not there stops.

use std::path::Path;

use redrill_emulator::Emulator;

use crate::drill::{check, plan};
use crate::support::{at_once, emulator, folder, redrill, write};

const CONFIG: &str = "[default]\nregion = us-west-2\n
[profile other]\nregion = us-west-2\naws_access_key_id = 999999999999\naws_secret_access_key = any\n
[profile process]\ncredential_process = ./keys.sh\n
[profile role]\nrole_arn = arn:aws:iam::999999999999:role/drill\nsource_profile = other\n
[profile lent]\nregion = us-west-2\nrole_arn = arn:aws:iam::999999999999:role/drill\nsource_profile = gone\n";

/// What the environment says, whatever the command line does.
const KEYS: [(&str, &str); 4] = [
    ("AWS_CONFIG_FILE", "config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    ("AWS_ACCESS_KEY_ID", "123456789012"),
    ("AWS_SECRET_ACCESS_KEY", "any"),
];

/// Runs a command against an emulator that the environment names.
async fn ran(
    folder: &Path,
    emulator: &Emulator,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> (i32, String) {
    let url = emulator.url();
    let mut command = redrill(folder).envs(KEYS).env("AWS_ENDPOINT_URL", url);
    for (name, value) in environment {
        command = command.env(name, value);
    }
    let command = command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

fn set_up(folder: &Path) {
    write(folder, "config", CONFIG);
    write(
        folder,
        "credentials",
        "[shared]\naws_access_key_id = 999999999999\naws_secret_access_key = any\n",
    );
    let keys = "#!/bin/sh\necho '{\"Version\": 1, \"AccessKeyId\": \"999999999999\", \"SecretAccessKey\": \"any\"}'\n";
    let keys = write(folder, "keys.sh", keys);
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(keys, std::fs::Permissions::from_mode(0o755)).unwrap();
    let asks = "echo keys=$AWS_ACCESS_KEY_ID$AWS_SECRET_ACCESS_KEY profile=$AWS_PROFILE";
    let text = plan(1, "", |_| {
        check("asks", asks, ", expect: { output: '^keys= profile=' }")
    });
    write(
        folder,
        "plan.yaml",
        // The role is that account's as well: none is passed over accounts.
        &text.replace("123456789012", "999999999999"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_a5_a_profile_comes_before_keys_in_the_environment() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    set_up(folder.path());
    for profile in ["other", "shared", "process", "role"] {
        let arguments = [
            "run",
            "plan.yaml",
            "--yes",
            "-q",
            "--run-id",
            profile,
            "--profile",
            profile,
        ];
        let (code, said) = ran(folder.path(), &emulator, &[], &arguments).await;
        assert_eq!(code, 0, "{profile}: {said}");
    }
    assert_eq!(emulator.jobs().len(), 4);
    // One that the environment names does not, as in the AWS CLI.
    let named = [("AWS_PROFILE", "other")];
    let arguments = ["run", "plan.yaml", "--yes", "-q"];
    let (code, said) = ran(folder.path(), &emulator, &named, &arguments).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("the credentials belong to account 123456789012"),
        "{said}"
    );
    emulator.shutdown().await;
}

/// Each target's role is assumed with the credentials of the profile.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a5_roles_are_assumed_with_the_profile() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    set_up(folder.path());
    let text = crate::targets::PLAN.replace("123456789012", "999999999999");
    write(folder.path(), "plan.yaml", &text);
    let arguments = ["run", "plan.yaml", "--yes", "-q", "--profile", "other"];
    let (code, said) = ran(folder.path(), &emulator, &[], &arguments).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("us-west-2:999999999999:volume"), "{said}");
    assert!(said.contains("us-west-2:210987654321:volume"), "{said}");
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_a5_a_profile_that_does_not_exist_stops() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    set_up(folder.path());
    let selects = crate::support::HEAD.to_owned()
        + "  a: { type: DynamoDB, recovery_point: { vault: v }, metadata: { targetTableName: a } }\n";
    write(folder.path(), "selects.yaml", &selects);
    let typed: [&[&str]; 4] = [
        &["run", "plan.yaml", "--yes"],
        &["plan", "selects.yaml"],
        &["inventory"],
        &["init"],
    ];
    for arguments in typed {
        let flag = [arguments, &["--profile", "nosuch"]].concat();
        let named = [("AWS_PROFILE", "nosuch")];
        let by_flag = ran(folder.path(), &emulator, &[], &flag).await;
        let by_name = ran(folder.path(), &emulator, &named, arguments).await;
        for (code, said) in [by_flag, by_name] {
            assert_eq!(code, 64, "{arguments:?}: {said}");
            assert!(
                said.contains("the config profile (nosuch) could not be found"),
                "{said}"
            );
            assert!(said.contains("AWS_CONFIG_FILE"), "{said}");
        }
    }
    assert!(emulator.calls().is_empty(), "{:?}", emulator.calls());
    emulator.shutdown().await;
}

/// In the words of the AWS CLI, before anything is asked.
#[tokio::test(flavor = "multi_thread")]
async fn issue_14_a_source_profile_that_is_not_there_stops() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    set_up(folder.path());
    for arguments in [
        &["run", "plan.yaml", "--yes", "--profile", "lent"][..],
        &[
            "plan",
            "plan.yaml",
            "--against",
            "source",
            "--profile",
            "lent",
        ],
    ] {
        let (code, said) = ran(folder.path(), &emulator, &[], arguments).await;
        assert_eq!(code, 64, "{said}");
        let why = "the source_profile \"gone\" referenced in the profile \"lent\" does not exist";
        assert!(said.contains(why), "{said}");
    }
    assert!(emulator.calls().is_empty());
    emulator.shutdown().await;
}
