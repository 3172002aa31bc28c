#!/usr/bin/env python3
"""The bill of materials of the program for one target, in CycloneDX: every crate that is linked in, with its checksum.

Cargo says what is linked in, CycloneDX's own library (packaging/requirements.txt) writes the document and checks it
against the schema.
"""

import json
import os
import subprocess
import sys
import tomllib
import uuid
from datetime import datetime, timezone
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parent.parent


def metadata(target):
    words = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(words, cwd=ROOT, check=True, capture_output=True).stdout)


def linked(resolve):
    """What is linked in, by id, with what each depends on: no tests, no build scripts."""
    nodes = {node["id"]: node for node in resolve["nodes"]}
    found, ahead = {}, [resolve["root"]]
    while ahead:
        at = ahead.pop()
        if at in found:
            continue
        dependencies = nodes[at]["deps"]
        found[at] = [of["pkg"] for of in dependencies if any(kind["kind"] is None for kind in of["dep_kinds"])]
        ahead += found[at]
    return found


def component(package, checksum, kind):
    licences = LicenseFactory()
    name, version = package["name"], package["version"]
    made = Component(
        type=kind,
        name=name,
        version=version,
        bom_ref=f"{name}@{version}",
        description=package["description"],
        purl=PackageURL("cargo", None, name, version),
        # Crates of before 2018 write `MIT/Apache-2.0`.
        licenses=[licences.make_from_string(package["license"].replace("/", " OR "))] if package["license"] else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
    )
    if package["repository"]:
        made.external_references.add(ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(package["repository"])))
    return made


def main():
    target, out = sys.argv[1:]
    known = metadata(target)
    packages = {package["id"]: package for package in known["packages"]}
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    sums = {(of["name"], of["version"]): of.get("checksum") for of in lock}
    found, root = linked(known["resolve"]), known["resolve"]["root"]
    made = {}
    for at in sorted(found):
        package = packages[at]
        kind = ComponentType.APPLICATION if at == root else ComponentType.LIBRARY
        made[at] = component(package, sums[package["name"], package["version"]], kind)
    bom = Bom(components=[made[at] for at in found if at != root])
    bom.metadata.component = made[root]
    # The same bytes for the same crates.
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), timezone.utc)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"{made[root].purl}#{target}")
    for at, on in found.items():
        bom.register_dependency(made[at], [made[of] for of in on])
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong:
        sys.exit(f"not CycloneDX: {wrong}")
    Path(out).write_text(text + "\n", encoding="utf-8")
    print(f"{out}: {len(found) - 1} crates are linked into redrill for {target}")


if __name__ == "__main__":
    main()
