//! install.sh, against a release that the release's own steps made, from a folder and from a server.

use std::path::Path;
use std::process::Command;

use super::{made, printed, served};
use crate::support::{folder, write};

/// A machine that has only what is in one folder, with links to these programs.
struct Machine {
    folder: tempfile::TempDir,
}

const EVERYWHERE: [&str; 12] = [
    "awk", "cat", "chmod", "cp", "cut", "gzip", "mkdir", "mktemp", "mv", "rm", "tar", "uname",
];

impl Machine {
    fn with(programs: &[&str]) -> Self {
        let folder = folder();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for name in EVERYWHERE.iter().chain(programs) {
            let path = printed(Command::new("sh").args(["-c", "command -v \"$1\"", "sh", name]));
            std::os::unix::fs::symlink(path.trim(), bin.join(name)).unwrap();
        }
        Self { folder }
    }

    /// Something of a name that says how it was called and ends like this.
    fn has(&self, name: &str, script: &str) {
        let log = self.folder.path().join("called");
        let text = format!("#!/bin/sh\necho \"$*\" >> '{}'\n{script}\n", log.display());
        let path = write(&self.folder.path().join("bin"), name, &text);
        printed(Command::new("chmod").arg("+x").arg(path));
    }

    fn install(&self, script: &Path, from: &str) -> (bool, String) {
        let output = Command::new("/bin/sh")
            .arg(script)
            .arg("--to")
            .arg(self.folder.path().join("programs"))
            .env_clear()
            .env("PATH", self.folder.path().join("bin"))
            .env("REDRILL_RELEASES", from)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    fn installed(&self) -> bool {
        self.folder.path().join("programs/redrill").exists()
    }
}

fn script() -> std::path::PathBuf {
    let of = made().join(concat!("v", env!("CARGO_PKG_VERSION")));
    of.join("install.sh")
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn it_installs_what_it_has_verified_with_whatever_fetches() {
    let server = served(made());
    let folder = format!("file://{}", made().display());
    for (programs, from) in [
        (["curl", "sha256sum"], &folder),
        (["curl", "sha256sum"], &server),
        (["wget", "sha256sum"], &server),
    ] {
        let machine = Machine::with(&programs);
        let (passed, said) = machine.install(&script(), from);
        assert!(passed, "{programs:?} {from}: {said}");
        let version = env!("CARGO_PKG_VERSION");
        assert!(
            said.starts_with(&format!("redrill {version} is in ")),
            "{said}"
        );
        assert!(said.contains("(checksum verified)"), "{said}");
        assert!(said.contains("is not in your PATH yet"), "{said}");
        assert!(machine.installed());
        // Once more, over what is there.
        assert!(machine.install(&script(), from).0);
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn it_installs_nothing_that_it_has_not_verified() {
    let from = format!("file://{}", made().display());
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    let name = format!("redrill-{}-{}.tar.gz", &version[1..], super::TARGET);

    let machine = Machine::with(&["curl"]);
    let (passed, said) = machine.install(&script(), &from);
    assert!(
        !passed && said.contains("needs sha256sum or shasum"),
        "{said}"
    );
    let machine = Machine::with(&["sha256sum"]);
    let (passed, said) = machine.install(&script(), &from);
    assert!(!passed && said.contains("needs curl or wget"), "{said}");

    let machine = Machine::with(&["curl", "sha256sum"]);
    let other = folder();
    std::fs::create_dir(other.path().join(version)).unwrap();
    let sums = std::fs::read_to_string(made().join(version).join("SHA256SUMS")).unwrap();
    write(&other.path().join(version), "SHA256SUMS", &sums);
    write(&other.path().join(version), &name, "another program");
    let from_other = format!("file://{}", other.path().display());
    let (passed, said) = machine.install(&script(), &from_other);
    assert!(!passed && said.contains("and the release says"), "{said}");
    write(&other.path().join(version), "SHA256SUMS", "");
    let (passed, said) = machine.install(&script(), &from_other);
    assert!(!passed && said.contains("has no redrill-"), "{said}");
    let (passed, said) = machine.install(&script(), "file:///nowhere");
    assert!(!passed && said.contains("cannot fetch"), "{said}");

    // Who built it is asked where that can be asked.
    machine.has("gh", "[ \"$1\" != attestation ]");
    let (passed, said) = machine.install(&script(), &from);
    assert!(
        !passed && said.contains("was not built by the release workflow"),
        "{said}"
    );
    assert!(!machine.installed());
    machine.has("gh", "exit 0");
    let (passed, said) = machine.install(&script(), &from);
    assert!(
        passed && said.contains("(checksum and attestation verified)"),
        "{said}"
    );
    let called = std::fs::read_to_string(machine.folder.path().join("called")).unwrap();
    assert!(called.contains(
        "--repo OWNER/redrill --signer-workflow OWNER/redrill/.github/workflows/release.yml"
    ));
    // Whoever is not logged in is not kept from it.
    machine.has("gh", "exit 1");
    let (passed, said) = machine.install(&script(), &from);
    assert!(passed && said.contains("(checksum verified)"), "{said}");
}

#[test]
fn another_machine_is_told_what_it_can_do() {
    for (uname, says) in [
        (
            "[ \"$1\" = -s ] && echo Plan9 || echo x86_64",
            "no archive for Plan9",
        ),
        (
            "[ \"$1\" = -s ] && echo Linux || echo riscv64",
            "no archive for riscv64",
        ),
    ] {
        let machine = Machine::with(&["curl", "sha256sum"]);
        std::fs::remove_file(machine.folder.path().join("bin/uname")).unwrap();
        machine.has("uname", uname);
        let (passed, said) = machine.install(&script(), "file:///nowhere");
        assert!(!passed && said.contains(says), "{said}");
    }
}

/// The script in the repository is the one of the version to come, which the action runs, too.
#[test]
fn the_script_is_of_this_version_and_repository() {
    let ours = crate::support::repository_file("install.sh");
    let made = std::fs::read_to_string(script()).unwrap();
    assert_eq!(ours, made);
}
