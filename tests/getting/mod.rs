//! Getting redrill: the steps of a release, and whatever installs what it made, run here as they stand.

mod crates;
mod image;
mod installer;
mod pages;
mod release;
mod repositories;
mod wheel;
mod workflows;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

/// The target that a release for this machine has.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-musl";

/// Those of packaging/requirements.txt.
pub(crate) fn requirements() -> Vec<String> {
    let text = crate::support::repository_file("packaging/requirements.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// The environment that the release workflow makes, with packaging/requirements.txt.
pub(crate) fn tools() -> Option<PathBuf> {
    let requirements = requirements();
    let requirements: Vec<&str> = requirements.iter().map(String::as_str).collect();
    crate::python::venv("release", &requirements)
}

/// A command at the root of the repository.
pub(crate) fn at_root(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("SOURCE_DATE_EPOCH", "1767225600")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// What a command printed, as it has to end well.
pub(crate) fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// `packaging/release.py` with these words.
pub(crate) fn release(words: &[&str]) -> Command {
    let mut command = at_root("python3");
    command.arg("packaging/release.py").args(words);
    command
}

/// The program without what debuggers want, which is most of it.
pub(crate) fn stripped() -> &'static Path {
    static STRIPPED: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
        let folder = crate::support::folder();
        let program = folder.path().join("redrill");
        let mut strip = Command::new("strip");
        printed(
            strip
                .arg("-o")
                .arg(&program)
                .arg(env!("CARGO_BIN_EXE_redrill")),
        );
        (folder, program)
    });
    &STRIPPED.1
}

/// A folder of releases with one that was made by the release's own steps; of other platforms there is a word instead of
/// an archive.
pub(crate) fn made() -> &'static Path {
    static MADE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = crate::support::folder();
        let out = folder.path().join(concat!("v", env!("CARGO_PKG_VERSION")));
        let at = out.to_str().unwrap();
        let program = stripped().to_str().unwrap();
        printed(&mut release(&["archive", program, TARGET, at]));
        for target in [
            "aarch64-unknown-linux-musl.tar.gz",
            "x86_64-apple-darwin.tar.gz",
            "aarch64-apple-darwin.tar.gz",
            "x86_64-pc-windows-msvc.zip",
        ] {
            let name = format!("redrill-{}-{target}", env!("CARGO_PKG_VERSION"));
            std::fs::write(out.join(name), target).unwrap();
        }
        printed(&mut release(&["checksums", at]));
        printed(&mut release(&["manifests", at, at]));
        printed(&mut release(&["installer", &format!("{at}/install.sh")]));
        printed(&mut release(&["checksums", at]));
        folder
    });
    MADE.path()
}

/// A folder with the wheel, made by the script that releases use, from the program that these tests run.
pub(crate) fn wheels() -> Option<&'static Path> {
    static MADE: LazyLock<Option<tempfile::TempDir>> = LazyLock::new(|| {
        let tools = tools()?;
        let folder = crate::support::folder();
        let path = std::env::var("PATH").unwrap();
        let target = Path::new(env!("CARGO_BIN_EXE_redrill")).ancestors().nth(2);
        // What is built already is built already, but maturin takes the program away, which other tests run.
        let mut build = Command::new("packaging/wheel");
        build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .arg(folder.path())
            .args(["--profile", "dev", "--locked", "--target-dir"])
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("wheel"))
            .env("CARGO_BUILD_BUILD_DIR", target.unwrap())
            .env("PATH", format!("{}:{path}", tools.join("bin").display()));
        printed(&mut build);
        Some(folder)
    });
    MADE.as_ref().map(tempfile::TempDir::path)
}

/// Says loudly what was not tested, and why; `.ci/run` installs what it takes, so that CI has to test it.
#[expect(clippy::print_stderr, reason = "a skipped test has to be seen")]
pub(crate) fn not_tested(what: &str, why: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "CI needs buildah: {what}: {why}"
    );
    eprintln!("\nSKIPPED, NOT TESTED: {what}: {why}\n");
}

/// A server of the files in a folder, on loopback; its URL.
pub(crate) fn served(folder: &Path) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let folder = Arc::new(folder.to_owned());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let folder = Arc::clone(&folder);
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                // Whoever asks is answered once it has said everything.
                for line in lines.by_ref() {
                    if line.unwrap().is_empty() {
                        break;
                    }
                }
                let path = first.split(' ').nth(1).unwrap().trim_start_matches('/');
                let (status, body) = match std::fs::read(folder.join(path)) {
                    Ok(body) => ("200 OK", body),
                    Err(_) => ("404 Not Found", Vec::new()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                // Whoever has hung up needs nothing.
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
            });
        }
    });
    format!("http://{address}")
}
