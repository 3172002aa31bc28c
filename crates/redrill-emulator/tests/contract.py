"""The emulator against the model that botocore ships of AWS Backup: every operation, every constraint.

    contract.py URL OPERATION...

For each operation, inputs are generated from its shape: what is answered has to fit the shape of the output, member by
member, in the bytes and not only in what botocore makes of them. Then each constraint that the model declares is
violated, and the documented error has to come. Last, the AWS CLI does each operation once.
"""

import io
import json
import os
import random
import re
import sys
from contextlib import redirect_stdout
from datetime import datetime, timezone

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

URL, OPERATIONS = sys.argv[1], sys.argv[2:]
EFS = "arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45"
RESOURCE = "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0a1b2c3d"
METADATA = {"file-system-id": "fs-0a1b2c3d", "newFileSystem": "false"}
S3 = "arn:aws:backup:us-east-1:123456789012:recovery-point:amzn-s3-demo-bucket-20261120030000-5ec207d0"

# AWS's own names that break the patterns which the model declares.
BREAKS = {"ResourceType", "BackupVaultName"}

session = botocore.session.Session()
session.set_credentials("AKIDEXAMPLE", "secret")
client = session.create_client(
    "backup",
    region_name="us-east-1",
    endpoint_url=URL,
    config=Config(parameter_validation=False, retries={"total_max_attempts": 1}, max_pool_connections=1),
)
model = client.meta.service_model
seen = {}
client.meta.events.register("after-call.backup", lambda http_response, **_: seen.update(http=http_response))

checks, faults = 0, []


def check(fine, *words):
    global checks
    checks += 1
    if not fine:
        faults.append(" ".join(str(word) for word in words))


def call(operation, arguments):
    """The answer or the error, and the bytes."""
    method = getattr(client, botocore.xform_name(operation))
    seen.clear()
    try:
        parsed, error = method(**arguments), None
    except ClientError as refused:
        parsed, error = None, refused.response
    return parsed, error, seen["http"]


# --- what the bytes have to look like -------------------------------------------------------------------------------


def fits(shape, value, path):
    kind = shape.type_name
    if kind == "structure":
        check(isinstance(value, dict), path, "is no structure:", value)
        for name in shape.required_members:
            check(value.get(name) is not None, path, "lacks", name)
        for name, member in value.items():
            check(name in shape.members, path, "has the unknown member", name)
            if member is not None and name in shape.members:
                fits(shape.members[name], member, f"{path}.{name}")
    elif kind == "list":
        check(isinstance(value, list), path, "is no list:", value)
        for item in value:
            fits(shape.member, item, f"{path}[]")
    elif kind == "map":
        check(isinstance(value, dict), path, "is no map:", value)
        for key, item in value.items():
            fits(shape.key, key, f"{path} key")
            fits(shape.value, item, f"{path}[{key}]")
    elif kind == "string":
        check(isinstance(value, str), path, "is no string:", value)
        if shape.enum:
            check(value in shape.enum, path, "is not in the enumeration:", value)
        pattern = shape.metadata.get("pattern")
        if pattern and shape.name not in BREAKS:
            check(re.fullmatch(pattern, value), path, "breaks", pattern, value)
    elif kind in ("integer", "long"):
        check(isinstance(value, int) and not isinstance(value, bool), path, "is no integer:", value)
    elif kind == "timestamp":
        check(isinstance(value, (int, float)) and not isinstance(value, bool), path, "is no time:", value)
        check(1e9 < value < 5e9, path, "is no time of these years:", value)
    elif kind == "boolean":
        check(isinstance(value, bool), path, "is no boolean:", value)
    else:
        check(False, path, "has a type that this script does not know:", kind)


def well_answered(operation, shape, parsed, http):
    check(http.headers.get("x-amzn-RequestId"), operation, "answers without a request id")
    wanted = model.operation_model(operation).http.get("responseCode", 200)
    check(http.status_code == wanted, operation, "answers", http.status_code, "instead of", wanted)
    if shape is None:
        check(http.content == b"", operation, "answers with a body:", http.content)
        return
    fits(shape, json.loads(http.content), operation)
    check(http.headers["Content-Type"] == "application/json", operation, "is no JSON")
    check(parsed is not None, operation, "was not parsed")


def well_refused(operation, error, http, code, why):
    check(error, operation, "accepts", why)
    if not error:
        return
    found = error["Error"]["Code"]
    check(found == code, operation, "answers", found, "instead of", code, "to", why)
    check(http.status_code == 400, operation, "answers", http.status_code, "to", why)
    check(http.headers.get("x-amzn-ErrorType") == code, operation, "has no error type for", why)
    modelled = {shape.name: shape for shape in model.operation_model(operation).error_shapes}
    if code in modelled:
        fits(modelled[code], json.loads(http.content), f"{operation}: {code}")


# --- inputs -----------------------------------------------------------------------------------------------------------


def known(operation, name):
    """Values that name things which exist."""
    if "AccessPoint" in operation and name == "RecoveryPointArn":
        return S3
    return {
        "RecoveryPointArn": EFS,
        "AccessPointArn": access_points[-1],
        "AccessPointMetadata": {"note": "contract"},
        "AccessPointPolicy": '{"Version":"2012-10-17","Statement":[]}',
        "Tags": {"owner": "contract"},
        "ResourceArn": EFS if operation == "ListTags" else RESOURCE,
        "BackupVaultName": "primary",
        "BackupVaultAccountId": "123456789012",
        "ByAccountId": "123456789012",
        "AccountId": "123456789012",
        "ByResourceArn": RESOURCE,
        "Metadata": METADATA,
        "ResourceType": "EFS",
        "IamRoleArn": "arn:aws:iam::123456789012:role/restore",
        "RestoreTestingPlanName": "nightly",
        "RestoreTestingSelectionName": "files",
    }.get(name)


def value(operation, name, shape, dice):
    if name == "RestoreJobId":
        return jobs[dice.randrange(len(jobs))]
    if known(operation, name) is not None:
        return known(operation, name)
    kind = shape.type_name
    if kind == "string":
        if shape.enum:
            return dice.choice(shape.enum)
        return {"ByResourceType": "EFS"}.get(name, f"x-{dice.randrange(10**6)}")
    if kind == "integer":
        return dice.randint(shape.metadata.get("min", 1), shape.metadata.get("max", 1000))
    if kind == "boolean":
        return dice.random() < 0.5
    if kind == "timestamp":
        return datetime.fromtimestamp(dice.randint(1_600_000_000, 2_000_000_000), timezone.utc)
    raise SystemExit(f"{operation}.{name} has a type that this script does not know: {kind}")


def inputs(operation, shape):
    """The required members alone, with each optional one, with all, and with any of them."""
    dice = random.Random(operation)
    if shape is None:
        return [{}]
    required = list(shape.required_members)
    # A page token is made by a listing, see pages(); whether a role may be passed is another test's.
    optional = [name for name in shape.members if name not in required and name != "NextToken"]
    choices = [[]] + [[name] for name in optional] + [optional]
    choices += [[name for name in optional if dice.random() < 0.5] for _ in range(20)]
    return [
        {name: value(operation, name, shape.members[name], dice) for name in required + choice} for choice in choices
    ]


def violations(operation, shape):
    """Each constraint of the model, broken: the input, the documented error, and what was done."""
    base = inputs(operation, shape)[0]
    for name, member in shape.members.items():
        place = member.serialization.get("location")
        if name in shape.required_members and place != "uri":
            yield {k: v for k, v in base.items() if k != name}, "MissingParameterValueException", f"no {name}"
        invalid = "InvalidParameterValueException"
        pattern, low, high = (member.metadata.get(key) for key in ("pattern", "min", "max"))
        if member.type_name == "string" and member.enum:
            yield {**base, name: "NEVER"}, invalid, f"{name}=NEVER"
            yield {**base, name: member.enum[0].lower()}, invalid, f"{name} in small letters"
        if pattern:
            for bad in ("!", "a b c", "ü", "x" * 60):
                assert not re.fullmatch(pattern, bad)
                yield {**base, name: bad}, invalid, f"{name}={bad}"
        if member.type_name == "integer" and low is not None:
            for bad in (low - 1, high + 1, -1, 2**40):
                yield {**base, name: bad}, invalid, f"{name}={bad}"
        if name == "NextToken":
            for bad in ("x", "0" * 48):
                yield {**base, name: bad}, invalid, f"{name}={bad}"
        if place is None and member.type_name in ("string", "boolean"):
            yield {**base, name: 7}, "SerializationException", f"{name} is a number"


def pages(operation, shape):
    """Page by page the same as at once."""
    limit, output = "MaxResults", model.operation_model(operation).output_shape
    if limit not in shape.members:
        return
    base = inputs(operation, shape)[0]
    (items,) = [name for name, member in output.members.items() if member.type_name in ("list", "map")]
    whole, error, _ = call(operation, base)
    if error:
        return
    found, token = type(whole[items])(), None
    while True:
        page, error, _ = call(operation, {**base, limit: 1, **({"NextToken": token} if token else {})})
        check(not error, operation, "refuses its own page token:", error)
        if error:
            return
        check(len(page[items]) <= 1, operation, "has pages that are too large")
        found = {**found, **page[items]} if isinstance(found, dict) else found + page[items]
        token = page.get("NextToken")
        if not token:
            break
        # The token belongs to its listing.
        other = "ByStatus" if "ByStatus" in shape.members else None
        if other:
            _, error, http = call(operation, {**base, other: "ABORTED", "NextToken": token})
            well_refused(operation, error, http, "InvalidParameterValueException", "the token of another listing")
    check(found == whole[items], operation, "shows other things page by page")


# --- the run ----------------------------------------------------------------------------------------------------------

made = 0


def another():
    """A backup access point that no other call knows."""
    global made
    made += 1
    parsed, _, _ = call("CreateBackupAccessPoint", {"RecoveryPointArn": S3, "Name": f"contract-{made}"})
    return parsed["AccessPointArn"]


access_points = [another()]
deleted = 0


def doomed():
    """A recovery point that no other call knows."""
    global deleted
    deleted += 1
    return f"arn:aws:backup:us-east-1:123456789012:recovery-point:DOOMED{deleted}"


jobs = [
    call("StartRestoreJob", {"RecoveryPointArn": EFS, "Metadata": METADATA, "IdempotencyToken": f"t{n}"})[0]["RestoreJobId"]
    for n in range(5)
]

for operation in OPERATIONS:
    described = model.operation_model(operation)
    there = operation not in (
        "GetRestoreTestingPlan",
        "ListRestoreTestingSelections",
        "GetRestoreTestingSelection",
    )
    for arguments in inputs(operation, described.input_shape):
        if operation == "PutRestoreValidationResult":
            # A result that is set cannot be changed: each goes to a job of its own.
            token = {"IdempotencyToken": f"v{checks}"}
            fresh, _, _ = call("StartRestoreJob", {"RecoveryPointArn": EFS, "Metadata": METADATA, **token})
            arguments["RestoreJobId"] = fresh["RestoreJobId"]
        if operation == "CreateBackupAccessPoint":
            # Names are taken once, and a recovery point has five access points at most.
            made += 1
            arguments["Name"] = f"contract-{made}"
        if operation == "DeleteBackupAccessPoint":
            arguments["AccessPointArn"] = another()
        if operation == "DeleteRecoveryPoint":
            arguments["RecoveryPointArn"] = doomed()
        parsed, error, http = call(operation, arguments)
        if operation == "CreateBackupAccessPoint" and parsed:
            call("DeleteBackupAccessPoint", {"AccessPointArn": parsed["AccessPointArn"]})
        if there:
            check(not error, operation, "refuses", arguments, error)
            if not error:
                well_answered(operation, described.output_shape, parsed, http)
        else:
            well_refused(operation, error, http, "ResourceNotFoundException", arguments)
    if described.input_shape is None:
        continue
    for arguments, code, why in violations(operation, described.input_shape):
        _, error, http = call(operation, arguments)
        well_refused(operation, error, http, code, why)
    pages(operation, described.input_shape)

# --- the AWS CLI ------------------------------------------------------------------------------------------------------

os.environ.update(
    AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY="secret",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_CONFIG_FILE="none",
    AWS_SHARED_CREDENTIALS_FILE="none",
    AWS_ENDPOINT_URL=URL,
)
from awscli.clidriver import create_clidriver  # noqa: E402

driver = create_clidriver()
for operation in OPERATIONS:
    described = model.operation_model(operation)
    line = ["backup", botocore.xform_name(operation, "-")]
    for name, given in inputs(operation, described.input_shape)[0].items():
        if name == "AccessPointArn":
            given = another()
        elif operation == "DeleteRecoveryPoint" and name == "RecoveryPointArn":
            given = doomed()
        elif operation == "CreateBackupAccessPoint" and name == "Name":
            given = "contract-by-the-cli"
        elif isinstance(given, datetime):
            given = given.isoformat()
        line += ["--" + botocore.xform_name(name, "-"), json.dumps(given) if isinstance(given, dict) else given]
    said = io.StringIO()
    with redirect_stdout(said):
        code = driver.main(line)
    not_there = "RestoreTestingPlan" in operation and operation.startswith("Get")
    not_there = not_there or "RestoreTestingSelection" in operation
    check(code == (255 if not_there else 0), "aws", *line, "exits with", code)
    if code == 0 and described.output_shape:
        check(json.loads(said.getvalue()) is not None, "aws", *line, "says", said.getvalue())

print(json.dumps({"operations": len(OPERATIONS), "checks": checks, "faults": faults[:50]}, indent=1))
sys.exit(1 if faults else 0)
