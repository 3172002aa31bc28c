#!/usr/bin/env python3
"""What has changed between two botocore models of AWS, and is answered for nowhere in this repository.

    python3 tests/model/drift.py 1.43.11 1.44.8

Each argument is a version of botocore, which pip fetches into target/models, or the path of its wheel. Printed is every
operation, member, enum value, limit and sentence of documentation that has changed in what redrill depends on
(watched.toml), less what is answered for: an operation or value that the emulator has, a key that a schema has, or an
entry of looked-at.toml, which says why there is nothing to do. What has changed is named with a digest of what it says
now, so that another change is another row. Exit code 1 where something is printed.

It is Python, and not Rust, because the models come as Python wheels that pip fetches and checks.
"""

import argparse
import fnmatch
import gzip
import hashlib
import html
import json
import pathlib
import re
import subprocess
import sys
import zipfile

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    import tomli as tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# What becomes of a model between two versions, each with a sign of its own.
NEW, GONE, CHANGED = "+", "-", "~"


def wheel(version, cache):
    """The wheel of a version, or of a path."""
    path = pathlib.Path(version)
    if path.suffix == ".whl":
        return zipfile.ZipFile(path)
    path = cache / f"botocore-{version}-py3-none-any.whl"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
             "--dest", str(cache), f"botocore=={version}"],
            check=True,
        )
    return zipfile.ZipFile(path)


def model(archive, service):
    """The newest model of a service in a wheel; none where it has none."""
    pattern = re.compile(rf"botocore/data/{re.escape(service)}/([^/]+)/service-2\.json(\.gz)?$")
    found = sorted(name for name in archive.namelist() if pattern.match(name))
    if not found:
        return None
    data = archive.read(found[-1])
    return json.loads(gzip.decompress(data) if found[-1].endswith(".gz") else data)


def services(archive):
    return {name.split("/")[2] for name in archive.namelist() if re.match(r"botocore/data/[^/]+/[^/]+/service-2\.json", name)}


def text(documentation):
    """Documentation as its sentences."""
    plain = html.unescape(re.sub(r"<[^>]*>", " ", documentation or ""))
    plain = re.sub(r"\s+", " ", plain).strip()
    return [sentence for sentence in re.split(r"(?<=[.!?:]) ", plain) if sentence]


def reached(model, roots):
    """The shapes below some shapes."""
    seen, rest = set(), list(roots)
    while rest:
        name = rest.pop()
        if name in seen or name not in model["shapes"]:
            continue
        seen.add(name)
        shape = model["shapes"][name]
        rest += [member["shape"] for member in shape.get("members", {}).values()]
        rest += [shape[part]["shape"] for part in ("member", "key", "value") if part in shape]
    return seen


def shapes_of(model, operations, parts):
    """The shapes of some operations' inputs, outputs and errors."""
    roots = []
    for operation in operations:
        described = model["operations"].get(operation, {})
        roots += [described[part]["shape"] for part in parts if part in described]
        if "output" in parts:
            roots += [error["shape"] for error in described.get("errors", [])]
    return reached(model, roots)


def sentences(old, new):
    """The sentences that documentation did not have before."""
    before = text(old)
    return " ".join(sentence for sentence in text(new) if sentence not in before) or "(sentences were taken out)"


def changed(name, old, new):
    """The row of documentation that has changed."""
    digest = hashlib.sha256(" ".join(text(new)).encode()).hexdigest()[:8]
    return CHANGED, f"{name}@{digest}", sentences(old, new)


def differences(old, new, watched):
    """Every difference: its sign, its name, and what it says."""
    operations = watched.get("operations", sorted(new["operations"]))
    parts = watched.get("parts", ["input", "output"])
    known = [operation for operation in operations if operation in old["operations"]]
    for operation in sorted(set(operations) - set(new["operations"])):
        yield GONE, operation, "the operation"
    for operation in operations:
        after = new["operations"].get(operation)
        if after is None:
            continue
        before = old["operations"].get(operation)
        if before is None:
            yield NEW, operation, " ".join(text(after.get("documentation"))[:2])
        elif text(before.get("documentation")) != text(after.get("documentation")):
            yield changed(operation, before.get("documentation"), after.get("documentation"))
        if before and before.get("http") != after.get("http"):
            yield CHANGED, f"{operation}.http={after.get('http')}", f"was {before.get('http')}"
    # What only a new operation uses is said with that operation; what is new below a new member, with the member.
    of_old = shapes_of(old, known, parts)
    for name in sorted(shapes_of(new, known, parts)):
        after = new["shapes"][name]
        before = old["shapes"].get(name)
        if before is None or name not in of_old:
            continue
        for member, described in after.get("members", {}).items():
            earlier = before.get("members", {}).get(member)
            if earlier is None:
                yield NEW, f"{name}.{member}", " ".join(text(described.get("documentation"))[:2])
            elif text(earlier.get("documentation")) != text(described.get("documentation")):
                yield changed(f"{name}.{member}", earlier.get("documentation"), described.get("documentation"))
        for member in sorted(set(before.get("members", {})) - set(after.get("members", {}))):
            yield GONE, f"{name}.{member}", "the member"
        for value in after.get("enum", []):
            if value not in before.get("enum", []):
                yield NEW, f"{name}={value}", "a value"
        for value in before.get("enum", []):
            if value not in after.get("enum", []):
                yield GONE, f"{name}={value}", "the value"
        for limit in ("min", "max", "pattern", "required"):
            if before.get(limit) != after.get(limit):
                yield CHANGED, f"{name}.{limit}={after.get(limit)}", f"was {before.get(limit)}"
        if text(before.get("documentation")) != text(after.get("documentation")):
            yield changed(name, before.get("documentation"), after.get("documentation"))


class Answers:
    """What this repository has."""

    def __init__(self, looked_at):
        self.emulator = "\n".join(path.read_text() for path in sorted((ROOT / "crates/redrill-emulator/src").rglob("*")) if path.is_file())
        self.looked_at = looked_at
        self.used = set()

    def has(self, service, watched, sign, name):
        for at, entry in enumerate(self.looked_at):
            if entry["service"] == service and any(fnmatch.fnmatchcase(name, one) for one in entry["what"]):
                self.used.add(at)
                return True
        if sign != NEW:
            return False
        word = re.split(r"[.=]", name)[-1]
        if watched.get("emulated"):
            return re.search(rf"\b{re.escape(word)}\b", self.emulator) is not None
        keys = [(ROOT / "schemas" / f"{one}.yaml").read_text() for one in watched.get("schemas", [])]
        member = re.compile(rf"^ +['\"]?{re.escape(word)}['\"]?:", re.MULTILINE | re.IGNORECASE)
        return bool(keys) and "." in name and all(member.search(key) for key in keys)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / "target/models")
    parser.add_argument("--looked-at", type=pathlib.Path, default=HERE / "looked-at.toml")
    parser.add_argument("--everything", action="store_true", help="print what is answered for as well")
    arguments = parser.parse_args()
    old, new = wheel(arguments.old, arguments.cache), wheel(arguments.new, arguments.cache)
    watched = tomllib.loads((HERE / "watched.toml").read_text())
    answers = Answers(tomllib.loads(arguments.looked_at.read_text()).get("entry", []))
    printed = 0
    for service in sorted(services(new) - services(old)):
        if arguments.everything or not answers.has("services", {}, NEW, service):
            print(f"services\t+ {service}")
            printed += 1
    for section, of_service in watched.items():
        service = of_service.get("service", section)
        before, after = model(old, service), model(new, service)
        if before is None or after is None:
            print(f"{service}\t- no model")
            printed += 1
            continue
        for sign, name, said in differences(before, after, of_service):
            if arguments.everything or not answers.has(service, of_service, sign, name):
                print(f"{service}\t{sign} {name}\t{said}")
                printed += 1
    return 1 if printed else 0


if __name__ == "__main__":
    sys.exit(main())
