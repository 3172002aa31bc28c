//! What a terminal shows, at three sizes, and where it is less than one.

use std::path::Path;
use std::process::Command;

use snapbox::{assert_data_eq, str};

use crate::support::{HEAD, folder, point, process, write};

/// Runs a command on a terminal of its own, so wide and so high, and gives what it wrote.
const TERMINAL: &str = r#"
import os, pty, struct, sys, fcntl, termios
width, height = int(sys.argv[1]), int(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    os.execv(sys.argv[3], sys.argv[3:])
shown = b""
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    shown += data
os.waitpid(pid, 0)
sys.stdout.buffer.write(shown.replace(b"\r\n", b"\n"))
"#;

/// What a command writes on a terminal; `None` where there is no Python to make one.
fn on_terminal(
    folder: &Path,
    size: (u16, u16),
    set: &[(&str, &str)],
    words: &[&str],
) -> Option<String> {
    let (width, height) = (size.0.to_string(), size.1.to_string());
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, &width, &height]);
    command.arg(process(folder).get_program()).args(words);
    for (name, value) in process(folder).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    for name in [
        "CI",
        "NO_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "FORCE_COLOR",
    ] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color").env("TZ", "UTC");
    command.envs(set.iter().copied()).current_dir(folder);
    let Ok(output) = command.output() else {
        crate::npm::skip("no terminal", "python3 is not there");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn plan(folder: &Path) {
    let plan = format!(
        "{HEAD}  files:
    type: EFS
    recovery_point: {}
    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: \"{{{{ restore }}}}-{{{{ run.id }}}}\" }}
  more:
    type: EFS
    needs: [files]
    recovery_point: {}
    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: \"{{{{ restores.files.created.job_id }}}}\" }}
",
        point(0),
        point(1)
    );
    write(folder, "plan.yaml", &plan);
    write(
        folder,
        "old.yaml",
        &plan.replace("Encrypted: true", "Encrypted: false"),
    );
}

const PLAN: [&str; 6] = [
    "plan",
    "plan.yaml",
    "--against",
    "file:old.yaml",
    "--color",
    "never",
];

#[test]
fn first_contact_c4_a_dry_run_on_eighty_columns() {
    let folder = folder();
    plan(folder.path());
    let Some(shown) = on_terminal(folder.path(), (80, 24), &[], &PLAN) else {
        return;
    };
    assert_data_eq!(
        shown,
        str![[r#"
many run main, into 123456789012 us-west-2
against file:old.yaml: 2 changed
Review: 2 encryption

  start  files  EFS  recovery-point:00000000-0000-0000-0000-000000000000
         token rd1-e99fa3bd1d5d4e57fa53a0eb730c6e9b973a1f19
         ~ Encrypted: "false" → "true"  (encryption)
           8 keys unchanged
  start  more   EFS  recovery-point:00000000-0000-0000-0000-000000000001
         waits for restores.files.created.job_id
         ~ Encrypted: "false" → "true"  (encryption)
           8 keys unchanged

2 start
forecast: half of such runs end within 23m 07s, nine in ten within 1h 29m, as in
  old.yaml (no history, 1000 samples)
A restore job that has been started cannot be cancelled.
whether it would succeed: `redrill preflight plan.yaml` looks, and only reads

"#]]
    );
}

#[test]
fn first_contact_c4_a_dry_run_on_a_wide_terminal() {
    let folder = folder();
    plan(folder.path());
    let mut words = PLAN.to_vec();
    words.push("--full");
    let Some(shown) = on_terminal(folder.path(), (200, 50), &[], &words) else {
        return;
    };
    assert_data_eq!(
        shown,
        str![[r#"
many run main, into 123456789012 us-west-2
against file:old.yaml: 2 changed
Review: 2 encryption

  start  files  EFS  arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-000000000000
         token rd1-e99fa3bd1d5d4e57fa53a0eb730c6e9b973a1f19
         ~ Encrypted: "false" → "true"  (encryption)
           CreationToken: "files-main"
           IamRoleArn: "arn:aws:iam::123456789012:role/restore"
           RecoveryPointArn: "arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-000000000000"
           ResourceType: "EFS"
           file-system-id: "fs-0a1b2c3d"
           newFileSystem: "true"
           target.account: "123456789012"
           target.region: "us-west-2"
  start  more   EFS  arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-000000000001
         waits for restores.files.created.job_id
         ~ Encrypted: "false" → "true"  (encryption)
           CreationToken: (known later)
           IamRoleArn: "arn:aws:iam::123456789012:role/restore"
           RecoveryPointArn: "arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-000000000001"
           ResourceType: "EFS"
           file-system-id: "fs-0a1b2c3d"
           newFileSystem: "true"
           target.account: "123456789012"
           target.region: "us-west-2"

2 start
forecast: half of such runs end within 23m 07s, nine in ten within 1h 29m, as in old.yaml (no history, 1000 samples)
A restore job that has been started cannot be cancelled.
whether it would succeed: `redrill preflight plan.yaml` looks, and only reads

"#]]
    );
}

#[test]
fn first_contact_c4_a_dry_run_on_a_narrow_terminal_breaks_between_words() {
    let folder = folder();
    plan(folder.path());
    let Some(shown) = on_terminal(folder.path(), (50, 20), &[], &PLAN) else {
        return;
    };
    assert_data_eq!(
        shown,
        str![[r#"
many run main, into 123456789012 us-west-2
against file:old.yaml: 2 changed
Review: 2 encryption

  start  files  EFS
         recovery-point:00000000-0000-0000-0000-000000000000
         token
           rd1-e99fa3bd1d5d4e57fa53a0eb730c6e9b973a1f19
         ~ Encrypted: "false" → "true"
           (encryption)
           8 keys unchanged
  start  more   EFS
         recovery-point:00000000-0000-0000-0000-000000000001
         waits for restores.files.created.job_id
         ~ Encrypted: "false" → "true"
           (encryption)
           8 keys unchanged

2 start
forecast: half of such runs end within 23m 07s,
  nine in ten within 1h 29m, as in old.yaml (no
  history, 1000 samples)
A restore job that has been started cannot be
  cancelled.
whether it would succeed:
  `redrill preflight plan.yaml` looks, and only
  reads

"#]]
    );
}

/// A rehearsal ends with its table; what was said meanwhile, without its times and ids.
const REHEARSE: [&str; 2] = ["rehearse", "plan.yaml"];

#[test]
fn first_contact_b6_a_dumb_terminal_has_lines() {
    let folder = folder();
    plan(folder.path());
    let set = [("TERM", "dumb")];
    let Some(shown) = on_terminal(folder.path(), (80, 24), &set, &REHEARSE) else {
        return;
    };
    assert!(shown.contains("files: started, job "), "{shown}");
    assert!(!shown.contains('\x1b'), "{shown:?}");
}

#[test]
fn a_terminal_in_ci_has_lines() {
    let folder = folder();
    plan(folder.path());
    let set = [("CI", "true")];
    let Some(shown) = on_terminal(folder.path(), (80, 24), &set, &REHEARSE) else {
        return;
    };
    assert!(shown.contains("files: started, job "), "{shown}");
    assert!(
        !shown.contains('█') && !shown.contains("\x1b[1A"),
        "{shown:?}"
    );
}

#[test]
fn a_terminal_has_rows_and_colours_unless_they_are_not_wanted() {
    let folder = folder();
    plan(folder.path());
    let rows = |set: &[(&str, &str)]| on_terminal(folder.path(), (80, 24), set, &REHEARSE);
    let (Some(coloured), Some(plain)) = (rows(&[]), rows(&[("NO_COLOR", "1")])) else {
        return;
    };
    let cyan = "\x1b[36m";
    for shown in [&coloured, &plain] {
        assert!(shown.contains("of 2 restored"), "{shown:?}");
        assert!(shown.contains("+0:00:00  "), "{shown:?}");
    }
    // A bar has a colour once something is back; that may be too fast to be drawn.
    assert!(!plain.contains(cyan), "{plain:?}");
}

#[test]
fn a_pipe_has_lines_of_any_length() {
    let folder = folder();
    plan(folder.path());
    let output = process(folder.path()).args(REHEARSE).output().unwrap();
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(shown.contains("+0:00:00  files: started, job "), "{shown}");
    assert!(!shown.contains('\x1b'), "{shown:?}");
    let output = process(folder.path()).args(PLAN).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("  start  files  EFS  recovery-point:"),
        "{shown}"
    );
}

/// Where colours are asked for, they go into a pipe, too.
#[test]
fn colours_can_be_forced() {
    let folder = folder();
    write(folder.path(), "plan.yaml", "plan: x\n");
    for (name, is_coloured) in [
        ("FORCE_COLOR", true),
        ("CLICOLOR_FORCE", true),
        ("NO_COLOR", false),
    ] {
        let output = process(folder.path())
            .args(["validate", "plan.yaml"])
            .env(name, "1")
            .output()
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(shown.contains('\x1b'), is_coloured, "{name}: {shown:?}");
    }
}
