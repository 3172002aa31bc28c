//! What a release has: archives, checksums, a bill of materials, notes, installers.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::{TARGET, at_root, made, printed, release, stripped, tools};
use crate::support::{folder, repository_file, write};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why a step refused.
fn refused(words: &[&str]) -> String {
    let output = release(words).output().unwrap();
    assert!(!output.status.success(), "{words:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("refused: "), "{said}");
    said
}

#[test]
fn a_tag_that_is_not_the_version_is_refused() {
    let tag = format!("v{VERSION}");
    assert_eq!(
        printed(&mut release(&["version", &tag])),
        format!("{VERSION}\n")
    );
    for tag in [VERSION, "v99.0.0", "main"] {
        let why = refused(&["version", tag]);
        assert!(why.contains(&format!("tag v{VERSION}")), "{why}");
    }
    // Installers are made from the manifest, and would fetch from elsewhere.
    let why = refused(&["version", &tag, "--repository", "acme/another"]);
    assert!(why.contains("`repository` in Cargo.toml"), "{why}");
}

#[test]
fn the_notes_of_a_release_are_its_section_of_the_changelog() {
    let folder = folder();
    let copy = |changelog: &str| {
        std::fs::create_dir_all(folder.path().join("packaging")).unwrap();
        for file in ["Cargo.toml", "packaging/release.py"] {
            write(folder.path(), file, &repository_file(file));
        }
        write(folder.path(), "CHANGELOG.md", changelog);
        let mut command = Command::new("python3");
        command
            .arg(folder.path().join("packaging/release.py"))
            .arg("notes");
        command
    };
    let changelog = format!(
        "# Changelog\n\n## [Unreleased]\n\n- later\n\n## [{VERSION}] - 2026-12-01\n\n### Added\n\n- this \
         ([docs](docs/plan.md), [AWS](https://aws.amazon.com/backup/))\n\n## [0.0.1] - 2026-01-01\n\n- long ago\n"
    );
    let notes = printed(&mut copy(&changelog));
    let at = format!("https://github.com/OWNER/redrill/blob/v{VERSION}/docs/plan.md");
    let wanted =
        format!("### Added\n\n- this ([docs]({at}), [AWS](https://aws.amazon.com/backup/))\n");
    assert_eq!(notes, wanted);
    for without in [
        changelog.replace(&format!("[{VERSION}]"), "[7.0.0]"),
        format!("## [{VERSION}]\n\n## [0.0.1]\n\n- long ago\n"),
    ] {
        let output = copy(&without).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("rename [Unreleased]"));
    }
}

#[test]
fn an_archive_has_what_it_takes_and_the_same_bytes_again() {
    let out = made().join(format!("v{VERSION}"));
    let name = format!("redrill-{VERSION}-{TARGET}");
    let archive = out.join(format!("{name}.tar.gz"));
    let folder = folder();
    printed(
        Command::new("tar")
            .arg("-xzf")
            .arg(&archive)
            .current_dir(folder.path()),
    );
    let inside = folder.path().join(&name);
    let program = inside.join("redrill");
    assert_eq!(
        std::fs::read(&program).unwrap(),
        std::fs::read(stripped()).unwrap()
    );
    let mut pages = BTreeSet::from(["redrill.1".to_owned()]);
    for command in redrill::cli::command().get_subcommands() {
        if !command.is_hide_set() {
            pages.insert(format!("redrill-{}.1", command.get_name()));
        }
    }
    let there: BTreeSet<String> = std::fs::read_dir(inside.join("man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, pages);
    for text in [
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "THIRD-PARTY-LICENSES.txt",
        "CHANGELOG.md",
    ] {
        let packed = std::fs::read_to_string(inside.join(text)).unwrap();
        assert_eq!(packed, repository_file(text));
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let path = inside.join(format!("completions/redrill.{shell}"));
        let text = std::fs::read_to_string(path).unwrap();
        // What they ask is the program in the PATH, not the one that was built.
        assert!(text.contains("redrill") && !text.contains("/redrill"));
    }
    completes(&inside);

    // The rest with a program that takes no time to pack.
    let small = write(
        folder.path(),
        "redrill",
        &format!("#!/bin/sh\nexec '{}' \"$@\"\n", stripped().display()),
    );
    printed(Command::new("chmod").arg("+x").arg(&small));
    let small = small.to_str().unwrap();
    let [one, again] = ["one", "again"].map(|name| {
        let out = folder.path().join(name);
        let at = out.to_str().unwrap();
        printed(&mut release(&["archive", small, TARGET, at]));
        printed(&mut release(&[
            "archive",
            small,
            "x86_64-pc-windows-msvc",
            at,
        ]));
        std::fs::read(out.join(format!("redrill-{VERSION}-{TARGET}.tar.gz"))).unwrap()
    });
    assert!(one == again, "the same files are the same bytes");
    let zip = folder.path().join(format!(
        "again/redrill-{VERSION}-x86_64-pc-windows-msvc.zip"
    ));
    let zip = zip::ZipArchive::new(std::fs::File::open(zip).unwrap()).unwrap();
    assert_eq!(zip.len(), 1 + 5 + 5 + pages.len());
    let other = write(folder.path(), "other", "#!/bin/sh\necho redrill 7.0.0\n");
    printed(Command::new("chmod").arg("+x").arg(&other));
    let why = refused(&["archive", other.to_str().unwrap(), TARGET, "unused"]);
    assert!(why.contains("redrill 7.0.0"), "{why}");
}

/// Bash completes a command with what the archive has.
fn completes(inside: &std::path::Path) {
    let script = "source completions/redrill.bash\nCOMP_WORDS=(redrill reh) COMP_CWORD=1 COMP_TYPE=9 COMP_LINE='redrill reh' COMP_POINT=11\n_clap_complete_redrill redrill reh redrill\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let said = printed(
        Command::new("bash")
            .args(["--noprofile", "--norc", "-c", script])
            .current_dir(inside)
            .env("PATH", format!("{}:/usr/bin:/bin", inside.display())),
    );
    assert_eq!(said.trim(), "rehearse");
}

#[test]
fn checksums_are_of_everything_and_found_wrong_where_a_byte_is() {
    let out = made().join(format!("v{VERSION}"));
    let check = |folder: &std::path::Path| {
        let mut command = Command::new("sha256sum");
        command
            .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
            .current_dir(folder)
            .output()
            .unwrap()
    };
    assert!(check(&out).status.success());
    let sums = std::fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    let there = std::fs::read_dir(&out).unwrap().count();
    assert_eq!(sums.lines().count() + 1, there);
    let other = folder();
    write(other.path(), "redrill.tar.gz", "an archive");
    printed(&mut release(&["checksums", other.path().to_str().unwrap()]));
    assert!(check(other.path()).status.success());
    write(other.path(), "redrill.tar.gz", "another");
    assert!(!check(other.path()).status.success());
    let empty = folder();
    let why = refused(&["checksums", empty.path().to_str().unwrap()]);
    assert!(why.contains("there is nothing in"), "{why}");
}

/// Every crate that is linked in, by the licences' own count, with the checksum of Cargo.lock.
#[test]
fn the_bill_of_materials_has_every_crate_that_is_linked_in() {
    let Some(tools) = tools() else { return };
    let folder = folder();
    let out = folder.path().join("redrill.cdx.json");
    let mut command = at_root(tools.join("bin/python").to_str().unwrap());
    command
        .args(["packaging/sbom.py", "x86_64-unknown-linux-gnu"])
        .arg(&out);
    printed(&mut command);
    let text = std::fs::read_to_string(out).unwrap();
    let bom: Value = serde_json::from_str(&text).unwrap();
    // Of the release's date, and with the number that this version has for this target, so that it is the same again.
    assert_eq!(bom["metadata"]["timestamp"], "2026-01-01T00:00:00+00:00");
    let number = uuid::Uuid::new_v5(
        &uuid::Uuid::NAMESPACE_URL,
        format!("pkg:cargo/redrill@{VERSION}#x86_64-unknown-linux-gnu").as_bytes(),
    );
    assert_eq!(bom["serialNumber"], format!("urn:uuid:{number}"));
    assert_eq!(bom["bomFormat"], "CycloneDX");
    assert_eq!(bom["metadata"]["component"]["version"], VERSION);
    let mut found = BTreeSet::new();
    for of in bom["components"].as_array().unwrap() {
        let name = of["name"].as_str().unwrap();
        if name.starts_with("redrill") {
            continue;
        }
        found.insert(format!("{name} {}", of["version"].as_str().unwrap()));
        let sum = of["hashes"][0]["content"].as_str().unwrap();
        assert!(
            repository_file("Cargo.lock").contains(&format!("checksum = \"{sum}\"")),
            "{name}"
        );
        assert!(of["licenses"][0].is_object(), "{name}");
    }
    assert_eq!(found, crate::licences::linked_in());
}

#[test]
fn formula_and_manifest_have_the_checksums_of_the_release() {
    let out = made().join(format!("v{VERSION}"));
    let sums = std::fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    let sum = |name: &str| {
        let line = sums.lines().find(|line| line.ends_with(name)).unwrap();
        line.split_once("  ").unwrap().0.to_owned()
    };
    let formula = std::fs::read_to_string(out.join("redrill.rb")).unwrap();
    let mut urls = 0;
    for (url, next) in formula.lines().zip(formula.lines().skip(1)) {
        let Some(url) = url.trim().strip_prefix("url \"") else {
            continue;
        };
        let name = url.trim_end_matches('"').rsplit_once('/').unwrap().1;
        assert_eq!(next.trim(), format!("sha256 \"{}\"", sum(name)));
        urls += 1;
    }
    assert_eq!(urls, 4);
    let manifest = std::fs::read_to_string(out.join("redrill.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["version"], VERSION);
    let windows = &manifest["architecture"]["64bit"];
    assert_eq!(
        windows["hash"].as_str().unwrap(),
        sum("x86_64-pc-windows-msvc.zip")
    );
    for text in [&formula, &manifest.to_string()] {
        assert!(!text.contains('@'), "something was not filled in: {text}");
    }
    // Without one of the platforms there is no release.
    let other = folder();
    write(other.path(), "SHA256SUMS", "");
    let at = other.path().to_str().unwrap();
    let why = refused(&["manifests", at, at]);
    assert!(why.contains("every platform, or none"), "{why}");
}

/// What cargo-binstall looks for is what a release has.
#[test]
fn binstall_finds_what_the_archives_are_called() {
    let manifest: toml::Value = toml::from_str(&repository_file("Cargo.toml")).unwrap();
    let binstall = &manifest["package"]["metadata"]["binstall"];
    let fill = |text: &toml::Value, target: &str, format: &str, ending: &str| {
        let text = text.as_str().unwrap();
        let values = [
            ("repo", "https://github.com/OWNER/redrill"),
            ("name", "redrill"),
            ("version", VERSION),
            ("target", target),
            ("archive-suffix", format),
            ("bin", "redrill"),
            ("binary-ext", ending),
        ];
        let filled = values.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{ {name} }}"), value)
        });
        assert!(!filled.contains('{'), "{filled}");
        filled
    };
    let of =
        format!("https://github.com/OWNER/redrill/releases/download/v{VERSION}/redrill-{VERSION}-");
    assert_eq!(
        fill(&binstall["pkg-url"], TARGET, ".tar.gz", ""),
        format!("{of}{TARGET}.tar.gz")
    );
    assert_eq!(
        fill(&binstall["bin-dir"], TARGET, ".tar.gz", ""),
        format!("redrill-{VERSION}-{TARGET}/redrill")
    );
    let windows = "x86_64-pc-windows-msvc";
    let overrides = &binstall["overrides"][windows];
    assert_eq!(overrides["pkg-fmt"].as_str(), Some("zip"));
    assert_eq!(
        fill(&binstall["pkg-url"], windows, ".zip", ".exe"),
        format!("{of}{windows}.zip")
    );
}
