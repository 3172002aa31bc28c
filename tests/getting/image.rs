//! The container image, built from the folder that the release lays out, where buildah is there and may build.

use std::path::Path;
use std::process::Command;

use super::{at_root, printed, stripped};
use crate::support::folder;

#[test]
fn an_image_is_not_made_of_a_program_that_needs_a_library() {
    let folder = folder();
    let output = at_root("packaging/image")
        .arg(stripped())
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("is linked dynamically"),
        "{said}"
    );
}

/// What the image has, and as whom it runs; the program in it is a stand-in, as the tests' own is not static.
#[cfg(target_os = "linux")]
#[test]
fn the_image_has_the_program_certificates_and_no_root() {
    let scratch = folder();
    let path = scratch.path();
    let source = crate::support::write(
        path,
        "stand_in.rs",
        "fn main() { println!(\"{:?}\", std::fs::read(\"/etc/ssl/certs/ca-certificates.crt\").map(|all| all.len() > 1000)); \
         std::fs::write(\"/tmp/x\", \"\").unwrap(); }",
    );
    let program = path.join("program");
    printed(
        Command::new("rustc")
            .args([
                "--edition",
                "2024",
                "-C",
                "target-feature=+crt-static",
                "-o",
            ])
            .arg(&program)
            .arg(source),
    );
    let context = path.join("context");
    printed(at_root("packaging/image").arg(&program).arg(&context));
    if let Err(why) = built(path, &context) {
        super::not_tested("the image is not built: buildah cannot here", &why);
    }
}

/// Builds it, and looks into it.
fn built(scratch: &Path, context: &Path) -> Result<(), String> {
    let buildah = |words: &[&str]| {
        let output = Command::new("buildah")
            .args(["--root"])
            .arg(scratch.join("storage"))
            .arg("--runroot")
            .arg(scratch.join("run"))
            .args(["--storage-driver", "vfs"])
            .args(words)
            .output()
            .map_err(|err| err.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(text),
            false => Err(format!(
                "{words:?}: {text}{}",
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    };
    let at = context.to_str().unwrap();
    buildah(&["--version"])?;
    buildah(&[
        "build",
        "--target",
        "plain",
        "--isolation",
        "chroot",
        "--tag",
        "redrill",
        at,
    ])?;
    let inspected = buildah(&["inspect", "--type", "image", "redrill"])?;
    let image: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    let config = &image["OCIv1"]["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/redrill"]));
    assert_eq!(config["WorkingDir"], "/plans");
    let container = buildah(&["from", "redrill"])?;
    let said = buildah(&["run", "--isolation", "chroot", container.trim(), "/redrill"])?;
    assert_eq!(said.trim(), "Ok(true)");
    Ok(())
}

/// An empty root has no directory for temporary files either.
#[test]
fn a_rehearsal_does_without_a_directory_for_temporary_files() {
    let folder = folder();
    let plan = crate::support::repository_file("plans/quickstart.yaml");
    crate::support::write(folder.path(), "quickstart.yaml", &plan);
    let said = printed(
        crate::support::process(folder.path())
            .args(["rehearse", "quickstart.yaml"])
            .env("TMPDIR", folder.path().join("nowhere")),
    );
    assert!(said.contains("3 of 3 restored"), "{said}");
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "nothing is left behind");
}
