#!/usr/bin/env python3
"""The steps of a release, one command each. The release workflow and the tests run these very commands.

Python's standard library alone, since it runs on every runner: Linux, macOS, Windows.
"""

import argparse
import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHELLS = ("bash", "elvish", "fish", "powershell", "zsh")
DOCUMENTS = ("LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY-LICENSES.txt", "CHANGELOG.md", "SECURITY.md")
TARGETS = (
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
)


class Refused(Exception):
    """The release cannot go on."""


def manifest():
    return tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]


def version_of(tag, repository):
    """Refuses a tag that is not the version, and a repository that is not the manifest's: installers are made from it."""
    package = manifest()
    version = package["version"]
    if tag != f"v{version}":
        raise Refused(f"the tag is {tag}, and the version in Cargo.toml is {version}: tag v{version}, or raise the version first")
    if repository and package["repository"] != f"https://github.com/{repository}":
        raise Refused(
            f"`repository` in Cargo.toml is {package['repository']}, and the release is made in {repository}: "
            "archives are installed from the one in Cargo.toml"
        )
    return version


def notes(version):
    """The section of the changelog. A version without one is not released."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## \[|\Z)", text, re.M | re.S)
    if not found or not found[1].strip():
        raise Refused(f"CHANGELOG.md has no section [{version}], or nothing in it: rename [Unreleased]")
    # A link to a file of the repository leads nowhere on the page of a release.
    at = f"{manifest()['repository']}/blob/v{version}/"
    return re.sub(r"\]\((?!https?:|#)([^)]+)\)", rf"]({at}\1)", found[1].strip()) + "\n"


def said(program, *words):
    result = subprocess.run([program, *words], check=True, capture_output=True)
    return result.stdout


def contents(program):
    """What an archive has, by name: bytes, and whether it is a program."""
    name = "redrill.exe" if program.suffix == ".exe" else "redrill"
    files = {name: (program.read_bytes(), True)}
    for document in DOCUMENTS:
        files[document] = ((ROOT / document).read_bytes(), False)
    for shell in SHELLS:
        files[f"completions/redrill.{shell}"] = (said(program, "completions", shell), False)
    page = said(program, "man")
    files["man/redrill.1"] = (page, False)
    # The page of redrill names those of its commands.
    for command in re.findall(r"^redrill\\-([a-z-]+)\(1\)", page.decode(), re.M):
        files[f"man/redrill-{command}.1"] = (said(program, "man", command), False)
    return files


def pack(path, folder, files):
    """An archive with the same bytes for the same files: in order, of one date, of nobody."""
    date = int(os.environ.get("SOURCE_DATE_EPOCH", "315532800"))
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, (data, executable) in sorted(files.items()):
                entry = zipfile.ZipInfo(f"{folder}/{name}")
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = (0o100755 if executable else 0o100644) << 16
                archive.writestr(entry, data)
        return
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, (data, executable) in sorted(files.items()):
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size, entry.mtime, entry.mode = len(data), date, 0o755 if executable else 0o644
                archive.addfile(entry, io.BytesIO(data))


def archive_name(version, target):
    return f"redrill-{version}-{target}" + (".zip" if "windows" in target else ".tar.gz")


def archive(program, target, out):
    version = manifest()["version"]
    printed = said(program, "--version").decode().strip()
    if printed != f"redrill {version}":
        raise Refused(f"{program} says that it is {printed}, and the version is {version}")
    out.mkdir(parents=True, exist_ok=True)
    path = out / archive_name(version, target)
    pack(path, f"redrill-{version}-{target}", contents(program))
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def checksums(out):
    """One file for `sha256sum --check`, of everything that lies there."""
    files = sorted(path for path in out.iterdir() if path.is_file() and path.name != "SHA256SUMS")
    if not files:
        raise Refused(f"there is nothing in {out}")
    text = "".join(f"{digest(path)}  {path.name}\n" for path in files)
    (out / "SHA256SUMS").write_text(text, encoding="ascii", newline="\n")


def read_checksums(out):
    lines = (out / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def manifests(out, to):
    """The Homebrew formula and the Scoop manifest, from the checksums of the release and nothing else."""
    version, repository = manifest()["version"], manifest()["repository"]
    sums = read_checksums(out)
    values = {"version": version, "repository": repository, "description": description()}
    for target in TARGETS:
        name = archive_name(version, target)
        if name not in sums:
            raise Refused(f"SHA256SUMS has no {name}: a release has every platform, or none")
        values[f"sha256 {target}"] = sums[name]
    to.mkdir(parents=True, exist_ok=True)
    for template in ("redrill.rb", "redrill.json"):
        text = (ROOT / "packaging" / f"{template}.in").read_text(encoding="utf-8")
        text = re.sub(r"@([^@\n]+)@", lambda found: values[found[1]], text)
        (to / template).write_text(text, encoding="utf-8", newline="\n")


def installer(path):
    """install.sh as it lies beside a release: of that version, from that repository."""
    text = (ROOT / "install.sh").read_text(encoding="utf-8")
    for name, value in (("repository", manifest()["repository"]), ("version", manifest()["version"])):
        text, count = re.subn(rf"^{name}='[^']*'$", f"{name}='{value}'", text, flags=re.M)
        if count != 1:
            raise Refused(f"install.sh sets `{name}` {count} times")
    path.write_text(text, encoding="utf-8", newline="\n")
    path.chmod(0o755)


def description():
    package = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]
    return package["description"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("version", help="print the version, if the tag is that of Cargo.toml")
    one.add_argument("tag")
    one.add_argument("--repository", help="OWNER/NAME that the release is made in")
    commands.add_parser("notes", help="print the changelog's section of the version")
    one = commands.add_parser("archive", help="pack the program with completions, manual pages and licences")
    one.add_argument("program", type=Path)
    one.add_argument("target")
    one.add_argument("out", type=Path)
    one = commands.add_parser("checksums", help="write SHA256SUMS of everything in a folder")
    one.add_argument("out", type=Path)
    one = commands.add_parser("manifests", help="write the Homebrew formula and the Scoop manifest")
    one.add_argument("out", type=Path)
    one.add_argument("to", type=Path)
    one = commands.add_parser("installer", help="write install.sh for this version")
    one.add_argument("to", type=Path)
    given = parser.parse_args()
    try:
        match given.command:
            case "version":
                print(version_of(given.tag, given.repository))
            case "notes":
                sys.stdout.write(notes(manifest()["version"]))
            case "archive":
                print(archive(given.program.resolve(), given.target, given.out))
            case "checksums":
                checksums(given.out)
            case "installer":
                installer(given.to)
            case "manifests":
                manifests(given.out, given.to)
    except Refused as why:
        sys.exit(f"refused: {why}")


if __name__ == "__main__":
    main()
