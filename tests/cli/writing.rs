//! Files that commands write: one rule for all of them.

use std::path::{Path, PathBuf};

use crate::support::{folder, many, redrill, write};

const OLD: &str =
    "# Recorded by `redrill inventory`: vaults, recovery points and their restore metadata.\n";

/// What a command came to: its exit code, and everything that it printed.
fn said(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = redrill(folder).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Commands that write a file, without its name, which is the last word; `+` puts it behind the word.
fn commands() -> Vec<Vec<&'static str>> {
    let mut all = vec![
        vec!["plan", "plan.yaml", "-o"],
        vec!["init", "--inventory", "account.yaml", "-o"],
    ];
    for report in [
        "--report=json=+",
        "--report=junit=+",
        "--report=html=+",
        "--report=markdown=+",
    ] {
        all.push(vec!["rehearse", "plan.yaml", report]);
    }
    all
}

fn with<'a>(command: &[&'a str], file: &'a str) -> Vec<String> {
    let mut words: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    match words.last_mut() {
        Some(last) if last.ends_with('+') => {
            last.pop();
            last.push_str(file);
        }
        _ => words.push(file.to_owned()),
    }
    words
}

fn run(folder: &Path, command: &[&str], file: &str) -> (i32, String) {
    let words = with(command, file);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    said(folder, &words)
}

fn prepared() -> tempfile::TempDir {
    let folder = folder();
    write(folder.path(), "plan.yaml", &many(1, 0));
    write(folder.path(), "account.yaml", ACCOUNT);
    folder
}

const ACCOUNT: &str = "\
account: \"123456789012\"
region: us-west-2
vaults:
  primary:
    recovery_points:
      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-000000000000
        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0a1b2c3d
        resource_type: EFS
        created_at: 2026-11-20T03:00:00Z
        size_bytes: 1024
        restore_metadata: { file-system-id: fs-0a1b2c3d }
";

/// Whatever stands in the way stays as it is, also the plan itself.
#[test]
fn safety_a3_what_redrill_has_not_made_is_not_written_over() {
    let folder = prepared();
    let path = folder.path();
    let theirs = write(path, "theirs.txt", "mine\n");
    let plan = read(path.join("plan.yaml"));
    for command in commands() {
        for (file, content) in [("theirs.txt", "mine\n"), ("plan.yaml", plan.as_str())] {
            let (code, text) = run(path, &command, file);
            assert_eq!(code, 64, "{command:?} {file}: {text}");
            assert!(
                text.contains("not written over") || text.contains("not overwritten"),
                "{command:?}: {text}"
            );
            assert_eq!(read(path.join(file)), content, "{command:?}");
        }
    }
    // Nothing was done before it was found.
    assert!(!path.join(".redrill").exists());
    assert_eq!(read(theirs), "mine\n");
    // An empty file is nobody's work, and what redrill has made it makes again.
    for command in commands() {
        write(path, "new", "");
        let (code, text) = run(path, &command, "new");
        assert_eq!(code, 0, "{command:?}: {text}");
        assert!(!read(path.join("new")).is_empty());
        if command[0] != "init" {
            let (code, text) = run(path, &command, "new");
            assert_eq!(code, 0, "{command:?}: {text}");
        }
    }
    let two = [
        "rehearse",
        "plan.yaml",
        "--report=json=x",
        "--report=html=x",
    ];
    let (code, text) = said(path, &two);
    assert_eq!(code, 64, "{text}");
    assert!(!path.join("x").exists());
    let (code, _) = said(path, &["rehearse", "plan.yaml", "--report=json=no/such/x"]);
    assert_eq!(code, 1);
}

#[cfg(unix)]
#[test]
fn safety_a3_a_link_is_followed_and_a_mode_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for command in commands() {
        let folder = prepared();
        let path = folder.path();
        std::fs::create_dir(path.join("elsewhere")).unwrap();
        let target = write(&path.join("elsewhere"), "target", "");
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("elsewhere/target", path.join("link")).unwrap();
        let (code, text) = run(path, &command, "link");
        assert_eq!(code, 0, "{command:?}: {text}");
        assert!(path.join("link").is_symlink(), "{command:?}");
        assert!(!read(target.clone()).is_empty(), "{command:?}");
        let private = command[0] == "plan";
        // It was empty: whoever made it said nothing about a saved plan yet.
        let kept = if private { 0o600 } else { 0o640 };
        assert_eq!(mode(&target), kept, "{command:?}");
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
        if private {
            let (code, text) = run(path, &command, "link");
            assert_eq!((code, mode(&target)), (0, 0o640), "{command:?}: {text}");
        }
        // A link to what is not there yet makes it.
        std::os::unix::fs::symlink("elsewhere/later", path.join("early")).unwrap();
        let (code, text) = run(path, &command, "early");
        assert_eq!(code, 0, "{command:?}: {text}");
        assert!(path.join("early").is_symlink(), "{command:?}");
        let made = path.join("elsewhere/later");
        assert!(!read(made.clone()).is_empty(), "{command:?}");
        assert_eq!(
            mode(&made) == 0o600,
            private,
            "{command:?}: {:o}",
            mode(&made)
        );
        // Nothing is left beside it.
        let left = std::fs::read_dir(path.join("elsewhere")).unwrap().count();
        assert_eq!(left, 2, "{command:?}");
    }
}

#[cfg(unix)]
#[test]
fn safety_a3_what_is_no_regular_file_is_written_through() {
    use std::os::unix::fs::FileTypeExt;
    let folder = prepared();
    let path = folder.path();
    let begins = |command: &[&str]| match command {
        ["plan", ..] => "\"schema\": \"redrill.saved-plan/",
        ["init", ..] => "\nplan:",
        [.., "--report=json=+"] => "\"redrill.run/v1\"",
        [.., "--report=junit=+"] => "<testsuites",
        [.., "--report=html=+"] => "<!doctype html>",
        _ => "## ",
    };
    for command in commands() {
        let (code, text) = run(path, &command, "/dev/null");
        assert_eq!(code, 0, "{command:?}: {text}");
        let null = std::fs::metadata("/dev/null").unwrap().file_type();
        assert!(null.is_char_device());
        let (code, text) = run(path, &command, "/dev/stdout");
        assert_eq!(code, 0, "{command:?}: {text}");
        assert!(text.contains(begins(&command)), "{command:?}: {text}");
        // A pipe with a name, and somebody who reads it.
        let pipe = path.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let reader = {
            let pipe = pipe.clone();
            std::thread::spawn(move || read(pipe))
        };
        let (code, text) = run(path, &command, "pipe");
        assert_eq!(code, 0, "{command:?}: {text}");
        assert!(
            reader.join().unwrap().contains(begins(&command)),
            "{command:?}"
        );
        assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
        std::fs::remove_file(pipe).unwrap();
    }
}

/// Standard output that leads to a file: both texts are in it, none over the other.
#[cfg(unix)]
#[test]
fn safety_a3_standard_output_by_its_name_is_standard_output() {
    let folder = prepared();
    let path = folder.path();
    let out = std::fs::File::create(path.join("out")).unwrap();
    let status = crate::support::process(path)
        .args(["plan", "plan.yaml", "-o", "/dev/stdout"])
        .stdout(out)
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let text = read(path.join("out"));
    assert!(text.starts_with("many run main"), "{text}");
    assert!(text.contains("\"redrill.saved-plan/v1\""), "{text}");
    assert!(text.ends_with("}\n"), "{text}");
}

/// An inventory of the wrong account has nothing in it.
#[tokio::test(flavor = "multi_thread")]
async fn safety_a3_an_empty_inventory_does_not_take_the_place_of_a_full_one() {
    let empty = crate::support::emulator(crate::support::at_once()).await;
    let folder = folder();
    let full = format!("{OLD}{ACCOUNT}");
    let file = write(folder.path(), "account.yaml", &full);
    let hand = write(folder.path(), "hand.yaml", ACCOUNT);
    let plan = write(folder.path(), "plan.yaml", &many(1, 0));
    let inventory = async |file: &str, more: &[&str]| {
        let words = ["inventory", "--region", "us-west-2", "-o", file];
        let all: Vec<&str> = words.into_iter().chain(more.iter().copied()).collect();
        crate::support::ran(folder.path(), &empty, &all).await
    };
    let (code, _, said) = inventory("account.yaml", &[]).await;
    assert_eq!(code, 64, "{said}");
    assert!(
        said.contains("account.yaml holds 1 recovery points, and none were found now"),
        "{said}"
    );
    assert_eq!(read(file.clone()), full);
    // One that was written by hand is not redrill's, and a plan is none at all.
    let (code, _, said) = inventory("hand.yaml", &[]).await;
    assert_eq!(code, 64, "{said}");
    assert_eq!(read(hand.clone()), ACCOUNT);
    let (code, _, said) = inventory("plan.yaml", &["--force"]).await;
    assert_eq!(code, 64, "{said}");
    assert_eq!(read(plan), many(1, 0));
    for (name, path) in [("account.yaml", file), ("hand.yaml", hand)] {
        let (code, _, said) = inventory(name, &["--force"]).await;
        assert_eq!(code, 0, "{said}");
        assert!(!read(path).contains("recovery-point"), "{name}");
    }
    empty.shutdown().await;
}
