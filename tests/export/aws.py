#!/usr/bin/env python3
"""What `restore.sh` asks of the AWS CLI, in a tenth of its time; and a death at a chosen moment.

STUB_DIES=N:before or N:after kills the whole process group at the Nth call, before its request or before its answer.
STUB_FAILS=OPERATION:N:TEXT prints TEXT in place of the Nth answer to an operation: the request is not sent. With `+N`, it is
sent first: the answer is lost.
STUB_LOG=FILE gets a line for each call: the number of attempts that it may make (AWS_MAX_ATTEMPTS), and its words.
"""

import datetime
import json
import os
import signal
import sys
import urllib.parse
import urllib.request

words = sys.argv[1:]
operation = words[1]
options = {}
at = 2
while at < len(words):
    if words[at].startswith("--no-") or words[at] == "--copy-source-tags-to-restored-resource":
        options["CopySourceTagsToRestoredResource"] = not words[at].startswith("--no-")
        at += 1
    else:
        options[words[at][2:]] = words[at + 1]
        at += 2

counts = os.environ["STUB_COUNTS"]


def count(name):
    path = os.path.join(counts, name)
    with open(path, "a") as file:
        file.write(".")
    return os.path.getsize(path)


def call(method, path, body=None):
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + path, method=method, data=body)
    scope = f"20260101/{options['region']}/backup/aws4_request"
    account = options.get("profile", os.environ["STUB_ACCOUNT"])
    request.add_header(
        "Authorization",
        f"AWS4-HMAC-SHA256 Credential={account}/{scope}, SignedHeaders=host, Signature={'0' * 64}",
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        code = error.headers.get("x-amzn-ErrorType")
        message = json.load(error).get("Message")
        name = operation.title().replace("-", "")
        print(f"\nAn error occurred ({code}) when calling the {name} operation: {message}", file=sys.stderr)
        sys.exit(254)


def text(path):
    assert path.startswith("file://"), path
    with open(path[len("file://") :]) as file:
        return file.read()


dies, _, when = os.environ.get("STUB_DIES", "0:").partition(":")
is_last = count("all") == int(dies)
if is_last and when == "before":
    os.kill(0, signal.SIGKILL)
if "STUB_LOG" in os.environ:
    with open(os.environ["STUB_LOG"], "a") as log:
        log.write(" ".join([os.environ.get("AWS_MAX_ATTEMPTS", "-")] + words) + "\n")
fails = os.environ.get("STUB_FAILS", "").split(":", 2)
is_lost = fails[0] == operation and count(operation) == int(fails[1])
if is_lost and not fails[1].startswith("+"):
    print(fails[2], file=sys.stderr)
    sys.exit(255)

lines = []
if operation == "get-caller-identity":
    # A profile is called after its account.
    lines = [f"account|{options.get('profile', os.environ['STUB_ACCOUNT'])}"]
elif operation == "start-restore-job":
    if "cli-input-json" in options:
        body = text(options["cli-input-json"])
        # The AWS CLI reads it twice.
        assert body == text(options["cli-input-json"])
    else:
        body = {
            "RecoveryPointArn": options["recovery-point-arn"],
            "IdempotencyToken": options["idempotency-token"],
            "ResourceType": options["resource-type"],
            "Metadata": json.loads(text(options["metadata"])),
        }
        if "iam-role-arn" in options:
            body["IamRoleArn"] = options["iam-role-arn"]
        if "CopySourceTagsToRestoredResource" in options:
            body["CopySourceTagsToRestoredResource"] = options["CopySourceTagsToRestoredResource"]
        body = json.dumps(body)
    lines = [f"started|{call('PUT', '/restore-jobs', body.encode())['RestoreJobId']}"]
elif operation == "list-restore-jobs":
    token = None
    while True:
        query = {"accountId": options["by-account-id"]}
        if "by-created-after" in options:
            since = datetime.datetime.fromtimestamp(int(options["by-created-after"]), datetime.timezone.utc)
            query["createdAfter"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        if token:
            query["nextToken"] = token
        answer = call("GET", "/restore-jobs/?" + urllib.parse.urlencode(query))
        for job in answer["RestoreJobs"]:
            lines.append(f"job|{job['RestoreJobId']}|{job['Status']}|{job.get('RecoveryPointArn') or ''}")
        token = answer.get("NextToken")
        if not token:
            break
elif operation == "describe-restore-job":
    job = call("GET", f"/restore-jobs/{options['restore-job-id']}")
    fields = ["RecoveryPointArn", "CreatedResourceArn", "StatusMessage"]
    if options["query"].startswith("join('|',['point'"):
        lines = [f"point|{job['RecoveryPointArn']}"]
    else:
        lines = ["|".join(["job", job["Status"]] + [job.get(field) or "" for field in fields])]
elif operation == "get-restore-job-metadata":
    metadata = call("GET", f"/restore-jobs/{options['restore-job-id']}/metadata")["Metadata"]
    if options["output"] == "json":
        lines = [json.dumps(metadata, indent=4, ensure_ascii=False)]
    else:
        lines = [f"mark|{metadata.get('aws:backup:request-id') or ''}"]
else:
    sys.exit(f"the stub has no {operation}")

if is_lost:
    print(fails[2], file=sys.stderr)
    sys.exit(255)
if is_last and when == "after":
    os.kill(0, signal.SIGKILL)
print("\n".join(lines))
