//! The wheel: made by the script that releases use, from the program that these tests run, and used by a machine that has
//! Python alone.

use std::process::Command;

use super::{printed, wheels};
use crate::support::{folder, repository_file};

#[cfg(target_os = "linux")]
#[test]
fn a_machine_with_python_alone_installs_the_wheel_and_rehearses() {
    let Some(made) = wheels() else { return };
    let folder = folder();
    let wheels = std::fs::read_dir(made).unwrap();
    let wheels: Vec<String> = wheels
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let [wheel] = &wheels[..] else {
        panic!("{wheels:?}")
    };
    for part in [
        concat!("redrill-", env!("CARGO_PKG_VERSION"), "-py3-none-"),
        "manylinux_2_17_",
        "musllinux_1_1_",
    ] {
        assert!(wheel.contains(part), "{wheel}");
    }

    // No registry, no compiler, no configuration: what pip has is the wheel.
    let alone = |program: &str| {
        let mut command = Command::new(folder.path().join("venv/bin").join(program));
        command
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", folder.path())
            .env("PATH", "/usr/bin:/bin");
        command
    };
    printed(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(folder.path().join("venv")),
    );
    printed(
        alone("python")
            .args(["-m", "pip", "install", "--no-index", "--find-links"])
            .args([made.as_os_str(), "redrill".as_ref()]),
    );
    assert_eq!(
        printed(alone("redrill").arg("--version")),
        concat!("redrill ", env!("CARGO_PKG_VERSION"), "\n")
    );
    printed(alone("redrill").args(["init", "--example"]));
    let said = printed(alone("redrill").args(["rehearse", "quickstart.yaml"]));
    assert!(said.contains("3 of 3 restored"), "{said}");
}

/// What pip shows, and what installs for pre-commit, say what Cargo.toml says.
#[test]
fn what_python_reads_is_what_cargo_reads() {
    let manifest: toml::Value = toml::from_str(&repository_file("Cargo.toml")).unwrap();
    let package = &manifest["package"];
    let wheel: toml::Value =
        toml::from_str(&repository_file("packaging/python/pyproject.toml")).unwrap();
    let project = &wheel["project"];
    for key in ["name", "description", "keywords"] {
        assert_eq!(project[key], package[key], "{key}");
    }
    let common = &manifest["workspace"]["package"];
    assert_eq!(project["license"], common["license"]);
    let repository = &project["urls"]["Repository"];
    assert_eq!(repository, &common["repository"]);
    let maturin = wheel["build-system"]["requires"][0].as_str().unwrap();
    assert!(super::requirements().iter().any(|of| of == maturin));

    let hook: toml::Value = toml::from_str(&repository_file("pyproject.toml")).unwrap();
    let wanted = concat!("redrill==", env!("CARGO_PKG_VERSION"));
    let wanted = toml::Value::Array(vec![wanted.into()]);
    assert_eq!(hook["project"]["dependencies"], wanted);
}
