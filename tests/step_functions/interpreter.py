"""Runs an exported state machine on moto's interpreter: everything but AWS Backup is moto's, in this process.

    interpreter.py FOLDER ROLE NAME... puts the items of FOLDER, and starts an execution for each NAME, one after the other.

AWS Backup is at AWS_ENDPOINT_URL_BACKUP. What the interpreter does not do is done here: the role of a task is
assumed, which means for an emulator that the caller's key id is the role's account; Step Functions' own API is spelt
as it spells it; and the result of a map names its own map run, not the newest of the execution. Prints one JSON document.
"""

import json
import pathlib
import sys
import threading
import time

import boto3
from botocore.config import Config
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    distributed_iteration_component as distributed,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    map_run_record as records,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk as sdk,
)

REGION = "us-west-2"
ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


def pascal(value):
    if not isinstance(value, dict):
        return value
    return {key[0].upper() + key[1:]: pascal(member) for key, member in value.items()}


class MapRuns:
    """Step Functions takes and gives members of its own API in Pascal case, as those of every other."""

    def __init__(self, client):
        self.client = client

    def describe_map_run(self, MapRunArn):
        return pascal(self.client.describe_map_run(mapRunArn=MapRunArn))


def client_for(region, service, state_credentials=None):
    account = state_credentials.role_arn.split(":")[4]
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    client = boto3.client(
        service,
        region_name=region,
        aws_access_key_id=account if service == "backup" else "key",
        aws_secret_access_key="secret",
        config=config,
    )
    return MapRuns(client) if service == "stepfunctions" else client


sdk.boto_client_for = client_for


current = threading.local()
map_run = distributed.DistributedIterationComponent._map_run
all_records = records.MapRunRecordPoolManager.get_all


def remembering(self, env, eval_input):
    current.record = eval_input.map_run_record
    map_run(self, env, eval_input)


def own_record(self):
    record = getattr(current, "record", None)
    return all_records(self) if record is None else [record]


distributed.DistributedIterationComponent._map_run = remembering
records.MapRunRecordPoolManager.get_all = own_record


def execution(machines, machine, name, text):
    try:
        started = machines.start_execution(stateMachineArn=machine, name=name, input=text)
    except machines.exceptions.ExecutionAlreadyExists:
        return {"name": name, "status": "ALREADY_EXISTS"}
    arn = started["executionArn"]
    while (seen := machines.describe_execution(executionArn=arn))["status"] not in ENDED:
        time.sleep(0.1)
    runs = machines.list_map_runs(executionArn=arn)["mapRuns"]
    counts = [machines.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"] for run in runs]
    shown = {key: seen.get(key) for key in ("status", "output", "error", "cause")}
    return {"name": name, **shown, "lanes": counts}


@mock_aws(config={"stepfunctions": {"execute_state_machine": True}})
def main(folder, role, *names):
    keys = {"region_name": REGION, "aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    bucket, machines = boto3.client("s3", **keys), boto3.client("stepfunctions", **keys)
    text = (folder / "input.json").read_text()
    pools = json.loads(text)["pools"]
    bucket.create_bucket(
        Bucket=pools[0]["bucket"], CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    for pool in pools:
        items = (folder / pathlib.PurePath(pool["itemsKey"]).name).read_bytes()
        bucket.put_object(Bucket=pool["bucket"], Key=pool["itemsKey"], Body=items, IfNoneMatch="*")
    definition = (folder / "state-machine.asl.json").read_text()
    machine = machines.create_state_machine(name="plan", definition=definition, roleArn=role)
    arn = machine["stateMachineArn"]
    print(json.dumps([execution(machines, arn, name, text) for name in names]))


main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
