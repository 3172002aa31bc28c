//! Settings: what is typed, what the environment says, what `redrill.toml` says, and the default.

use snapbox::str;

use crate::support::{at_once, emulator, folder, many, ran, redrill, write};

#[test]
fn what_holds_is_shown_with_its_source() {
    let folder = folder();
    write(
        folder.path(),
        "redrill.toml",
        "profile = \"dr\"\nvar_files = [\"common.yaml\"]\n",
    );
    redrill(folder.path())
        .arg("config")
        .assert()
        .code(64)
        .stderr_eq(str![[r#"
error: redrill.toml:2: `var-files` is not a setting; did you mean `var-file`?

"#]]);
    write(
        folder.path(),
        "redrill.toml",
        "profile = \"dr\"\nvar-file = [\"common.yaml\"]\nstate = \"journals\"\n\n[run]\nreport = [\"html=drill.html\"]\n",
    );
    redrill(folder.path())
        .env("REDRILL_STATE", "elsewhere")
        .env("REDRILL_PROFIL", "x")
        .arg("config")
        .assert()
        .success()
        .stdout_eq(str![[r#"
settings file: redrill.toml
--profile     dr  (redrill.toml:1)
run --report  html=drill.html  (redrill.toml:6)
--var-file    common.yaml  (redrill.toml:2)
--state       elsewhere  (REDRILL_STATE)

"#]])
        .stderr_eq("warning: REDRILL_PROFIL is not a setting; did you mean REDRILL_PROFILE?\n");
}

#[test]
fn a_file_for_everybody_does_not_say_yes() {
    let folder = folder();
    for (flag, variable) in [
        ("yes", "REDRILL_YES"),
        ("start-anyway", "REDRILL_START_ANYWAY"),
    ] {
        write(
            folder.path(),
            "redrill.toml",
            &format!("# ours\n{flag} = true\n"),
        );
        redrill(folder.path())
            .args(["run", "plan.yaml"])
            .assert()
            .code(64)
            .stderr_eq(format!(
                "error: redrill.toml:2: `{flag}` is decided for one run at a time: give --{flag}, or set {variable}\n"
            ));
    }
}

#[test]
fn wrong_settings_say_where_they_are() {
    let folder = folder();
    for (text, message) in [
        ("profile = \n", "redrill.toml:1: "),
        (
            "profile = [\"a\", \"b\"]\n",
            "redrill.toml:1: `profile` takes one value",
        ),
        ("no-lock = 3\n", "invalid value '3'"),
        (
            "[rn]\nprofile = \"x\"\n",
            "redrill.toml:1: no command is named `rn`; did you mean `run`?",
        ),
        ("format = \"html\"\n", "that value is from redrill.toml:1"),
    ] {
        write(folder.path(), "redrill.toml", text);
        let output = redrill(folder.path()).args(["plan", "plan.yaml"]).output();
        let output = output.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{text}: {stderr}");
        assert!(stderr.contains(message), "{text}: {stderr}");
    }
    // A variable of the same kind.
    let output = redrill(folder.path())
        .env("REDRILL_FORMAT", "html")
        .current_dir(crate::support::folder().path())
        .args(["plan", "plan.yaml"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("that value is from REDRILL_FORMAT"),
        "{stderr}"
    );
}

/// The state lies where the plan's repository has it, whatever folder a command is typed in.
#[tokio::test(flavor = "multi_thread")]
async fn the_state_is_found_from_the_plan_upward() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let (root, deep) = (folder.path(), folder.path().join("plans/eu"));
    std::fs::create_dir_all(&deep).unwrap();
    write(root, "redrill.toml", "");
    write(&deep, "plan.yaml", &many(1, 0));
    let (code, _, stderr) = ran(&deep, &emulator, &["run", "plan.yaml", "--yes", "-q"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(root.join(".redrill/many").is_dir() && !deep.join(".redrill").exists());
    let again = ["run", "plans/eu/plan.yaml", "--yes", "-q"];
    let (code, stdout, _) = ran(root, &emulator, &again).await;
    assert_eq!(code, 0, "{stdout}");
    assert_eq!(emulator.jobs().len(), 1);
    // Without a file, the nearest one that is there.
    std::fs::remove_file(root.join("redrill.toml")).unwrap();
    let (code, stdout, _) = ran(&deep, &emulator, &["run", "plan.yaml", "--yes", "-q"]).await;
    assert_eq!((code, emulator.jobs().len()), (0, 1), "{stdout}");
    emulator.shutdown().await;
}

/// A saved plan has its own inputs: what holds for other plans does not get in its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_carried_out_whatever_the_settings_say() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let path = folder.path();
    let plan = many(1, 0).replace("plan: many", "plan: many\nvars: { size: { type: string } }");
    write(path, "plan.yaml", &plan);
    write(path, "vars.yaml", "size: large\n");
    write(
        path,
        "redrill.toml",
        "var-file = [\"vars.yaml\"]\nrun-id = \"q4\"\n",
    );
    let (code, _, stderr) = ran(path, &emulator, &["plan", "plan.yaml", "-o", "saved"]).await;
    assert_eq!(code, 0, "{stderr}");
    let run = ["run", "saved", "--yes", "-q"];
    let (code, _, stderr) = ran(path, &emulator, &run).await;
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = ran(path, &emulator, &run).await;
    assert!(
        code == 4 && stderr.contains("carried out already, by run q4"),
        "{stderr}"
    );
    assert_eq!(emulator.jobs().len(), 1);
    assert!(path.join(".redrill/many/q4").is_dir());
    // What is typed is refused, as ever.
    let typed = ["run", "saved", "--yes", "-q", "--run-id", "other"];
    let (code, _, stderr) = ran(path, &emulator, &typed).await;
    assert_eq!(code, 64, "{stderr}");
    emulator.shutdown().await;
}

/// `--json` is `--format json`.
#[test]
fn json_is_a_format() {
    let folder = folder();
    let output = redrill(folder.path()).args(["status", "--json"]).output();
    let stdout = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(
        stdout.starts_with("{\n  \"schema\": \"redrill.status/v1\""),
        "{stdout}"
    );
    let both = ["status", "--json", "--format", "human"];
    redrill(folder.path()).args(both).assert().code(64);
}

/// First contact B5: an endpoint that is not a URL is said where it is given, and an empty variable is not set.
#[test]
fn first_contact_b5_endpoints_are_urls() {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    for (url, message) in [
        ("", "it is empty; leave it out to use AWS"),
        (
            "127.0.0.1:45200",
            "it has no scheme; write http://127.0.0.1:45200, or https://127.0.0.1:45200",
        ),
        ("ftp://x", "`ftp://` is not http:// or https://"),
        ("http://", "it names no host"),
    ] {
        let output = redrill(folder.path())
            .args(["run", "plan.yaml", "--yes", "--endpoint-url", url])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
    for (name, url, message) in [
        (
            "AWS_ENDPOINT_URL",
            "127.0.0.1:9",
            "AWS_ENDPOINT_URL is `127.0.0.1:9`: it has no scheme",
        ),
        (
            "AWS_ENDPOINT_URL_BACKUP",
            "",
            "AWS_ENDPOINT_URL_BACKUP is set to nothing",
        ),
    ] {
        let output = redrill(folder.path())
            .env(name, url)
            .args(["run", "plan.yaml", "--yes"])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
    // As the AWS CLI takes it: not set. No call is made without credentials.
    let output = redrill(folder.path())
        .env("AWS_ENDPOINT_URL", "")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .args(["run", "plan.yaml", "--yes"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(101), "{stderr}");
    assert!(stderr.contains("credentials"), "{stderr}");
}
