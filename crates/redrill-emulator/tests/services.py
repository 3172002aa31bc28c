"""IAM, Service Quotas, Cloud Control and STS of the emulator, with botocore and the AWS CLI.

    services.py URL

The inventory is that of `permissions.rs`. What is answered has to be readable by botocore's own models, and to say what AWS's
pages say.
"""

import io
import json
import os
import sys
from contextlib import redirect_stdout

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

URL = sys.argv[1]
OPERATOR, INTERN = "AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE"
USER = "arn:aws:iam::123456789012:user/ops/operator"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"

checks = 0


def client(service, key=OPERATOR, **config):
    session = botocore.session.Session()
    session.set_credentials(key, "secret")
    config = Config(retries={"total_max_attempts": 1}, **config)
    return session.create_client(service, region_name="us-east-1", endpoint_url=URL, config=config)


def same(found, wanted):
    global checks
    checks += 1
    assert found == wanted, f"{found!r}, not {wanted!r}"


def refused(call, **arguments):
    try:
        answer = call(**arguments)
    except ClientError as error:
        same(error.response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] != "", True)
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status, error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"accepted: {answer}")


iam = client("iam")

# GetRole
role = iam.get_role(RoleName="drill")["Role"]
same(role["Arn"], "arn:aws:iam::123456789012:role/dr/drill")
same(role["Path"], "/dr/")
trusted = role["AssumeRolePolicyDocument"]["Statement"][0]
same(trusted["Principal"]["AWS"][1], "210987654321")
same(trusted["Action"], "sts:AssumeRole")
same(refused(iam.get_role, RoleName="gone"), (404, "NoSuchEntity", "The role with name gone cannot be found."))
same(
    refused(client("iam", INTERN).get_role, RoleName="drill"),
    (
        403,
        "AccessDenied",
        "User: arn:aws:iam::123456789012:user/intern is not authorized to perform: iam:GetRole on resource: "
        "arn:aws:iam::123456789012:role/dr/drill because no identity-based policy allows the iam:GetRole action",
    ),
)
attached = iam.list_attached_role_policies(RoleName="restore")
same([one["PolicyName"] for one in attached["AttachedPolicies"]], ["AWSBackupServiceRolePolicyForRestores"])
same(attached["IsTruncated"], False)
same(iam.list_attached_role_policies(RoleName="drill")["AttachedPolicies"], [])


# SimulatePrincipalPolicy
def simulate(*actions, source=USER, **more):
    return iam.simulate_principal_policy(PolicySourceArn=source, ActionNames=list(actions), **more)["EvaluationResults"]


ROLE = "arn:aws:iam::123456789012:role/restore"
passed = [{"ContextKeyName": "iam:PassedToService", "ContextKeyValues": ["backup.amazonaws.com"], "ContextKeyType": "string"}]
region = [{"ContextKeyName": "aws:RequestedRegion", "ContextKeyValues": ["us-east-1"], "ContextKeyType": "string"}]
[one] = simulate("iam:PassRole", ResourceArns=[ROLE], ContextEntries=passed + region)
same(one["EvalDecision"], "allowed")
same(one["EvalActionName"], "iam:PassRole")
same(one["EvalResourceName"], ROLE)
same(one["MatchedStatements"], [{"SourcePolicyId": "user_operator_restore", "SourcePolicyType": "IAM Policy"}])
same(one["OrganizationsDecisionDetail"], {"AllowedByOrganizations": True})
same(one["PermissionsBoundaryDecisionDetail"], {"AllowedByPermissionsBoundary": True})
same(one["ResourceSpecificResults"][0]["EvalResourceDecision"], "allowed")
# Without the key the condition cannot hold, and the simulator says which is missing.
[one] = simulate("iam:PassRole", ResourceArns=[ROLE], ContextEntries=region)
same((one["EvalDecision"], one["MissingContextValues"]), ("implicitDeny", ["iam:PassedToService"]))
# One result for each action, the strictest of its resources.
both = simulate("backup:StartRestoreJob", "iam:PassRole", ResourceArns=[ROLE, ROLE + "-2"], ContextEntries=passed + region)
same([one["EvalDecision"] for one in both], ["allowed", "implicitDeny"])
same([one["EvalResourceDecision"] for one in both[1]["ResourceSpecificResults"]], ["allowed", "implicitDeny"])
same(both[1]["EvalResourceName"], ROLE + "-2")
# The boundary, the organization, a deny.
[one] = simulate("backup:DeleteRecoveryPoint", ContextEntries=region)
same((one["EvalDecision"], one["PermissionsBoundaryDecisionDetail"]), ("implicitDeny", {"AllowedByPermissionsBoundary": False}))
same("ResourceSpecificResults" in one, False)
elsewhere = [{"ContextKeyName": "aws:RequestedRegion", "ContextKeyValues": ["eu-west-1"], "ContextKeyType": "string"}]
[one] = simulate("backup:StartRestoreJob", ContextEntries=elsewhere)
same((one["EvalDecision"], one["OrganizationsDecisionDetail"]), ("explicitDeny", {"AllowedByOrganizations": False}))
[one] = simulate("backup:DescribeBackupVault", source="arn:aws:iam::123456789012:user/intern", ContextEntries=region)
same(one["EvalDecision"], "explicitDeny")
more = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}})
[one] = simulate("s3:GetObject", ContextEntries=region, PolicyInputList=[more])
same((one["EvalDecision"], one["MatchedStatements"][0]["SourcePolicyId"]), ("allowed", "PolicyInputList.1"))
[one] = simulate("s3:GetObject", source="arn:aws:iam::123456789012:role/restore", ContextEntries=region)
same(one["MatchedStatements"][0]["SourcePolicyId"], "AWSBackupServiceRolePolicyForRestores")
# Pages.
actions = [f"backup:Action{n}" for n in range(7)]
pages = list(iam.get_paginator("simulate_principal_policy").paginate(
    PolicySourceArn=USER, ActionNames=actions, ContextEntries=region, PaginationConfig={"PageSize": 3}))
same([len(page["EvaluationResults"]) for page in pages], [3, 3, 1])
same([one["EvalActionName"] for page in pages for one in page["EvaluationResults"]], actions)
session = "arn:aws:sts::123456789012:assumed-role/drill/x"
same(
    refused(iam.simulate_principal_policy, PolicySourceArn=session, ActionNames=["s3:GetObject"]),
    (400, "InvalidInput", f"Invalid Entity Arn: {session} does not clearly define entity type and name."),
)
same(refused(iam.simulate_principal_policy, PolicySourceArn=ROLE + "-2", ActionNames=["s3:GetObject"])[:2], (404, "NoSuchEntity"))
same(
    refused(iam.simulate_principal_policy, PolicySourceArn=ROLE, ActionNames=["s3:GetObject"], ResourceArns=[KEY]),
    (400, "InvalidInput", f"ResourceNames are not in a valid ARN format: {KEY}."),
)

# The administrator who calls by default is there, and may do all but what the organization denies.
[one] = simulate("s3:GetObject", source="arn:aws:iam::123456789012:user/emulated", ContextEntries=region)
same(one["EvalDecision"], "allowed")
same(refused(iam.simulate_principal_policy, PolicySourceArn="arn:aws:iam::123456789012:user/gone", ActionNames=["s3:GetObject"])[1], "NoSuchEntity")

# Service Quotas
quotas = client("service-quotas")
quota = quotas.get_service_quota(ServiceCode="rds", QuotaCode="L-7B6409FD")["Quota"]
same((quota["Value"], quota["QuotaName"], quota["Adjustable"]), (42.0, "DB instances", True))
same(quota["QuotaArn"], "arn:aws:servicequotas:us-east-1:123456789012:rds/L-7B6409FD")
same(quotas.get_aws_default_service_quota(ServiceCode="rds", QuotaCode="L-7B6409FD")["Quota"]["Value"], 40.0)
listed = list(quotas.get_paginator("list_service_quotas").paginate(ServiceCode="rds", PaginationConfig={"PageSize": 1}))
same([page["Quotas"][0]["QuotaCode"] for page in listed], ["L-7B6409FD", "L-952B80B8"])
same(
    refused(quotas.get_service_quota, ServiceCode="rds", QuotaCode="L-0"),
    (400, "NoSuchResourceException", "The request failed because the specified quota and service do not exist."),
)
same(
    refused(quotas.list_service_quotas, ServiceCode="RDS"),
    (400, "NoSuchResourceException", "The request failed because the specified service does not exist."),
)
same(refused(client("service-quotas", INTERN).list_service_quotas, ServiceCode="rds")[:2], (400, "AccessDeniedException"))

# Cloud Control API
cloud = client("cloudcontrol")
found = cloud.get_resource(TypeName="AWS::KMS::Key", Identifier=KEY)
same(found["TypeName"], "AWS::KMS::Key")
properties = json.loads(found["ResourceDescription"]["Properties"])
same((properties["KeyId"], properties["Enabled"], properties["MultiRegion"]), (KEY, True, False))
same(properties["Arn"], f"arn:aws:kms:us-east-1:123456789012:key/{KEY}")
status, code, words = refused(cloud.get_resource, TypeName="AWS::KMS::Key", Identifier="gone")
same((status, code), (400, "ResourceNotFoundException"))
same("HandlerErrorCode: NotFound" in words, True)
same(refused(cloud.get_resource, TypeName="AWS::Nobody::Knows", Identifier="x")[1], "TypeNotFoundException")
# The handler has the caller's own permissions.
status, code, words = refused(cloud.get_resource, TypeName="AWS::EC2::Subnet", Identifier="subnet-0a1b2c3d")
same((status, code), (400, "AccessDeniedException"))
same(words.startswith("AWS::EC2::Subnet Handler returned status FAILED: User: " + USER), True)
same("ec2:DescribeSubnets" in words and "HandlerErrorCode: AccessDenied" in words, True)
admin = client("cloudcontrol", "AKIDEXAMPLE")
same(json.loads(admin.get_resource(TypeName="AWS::EC2::Subnet", Identifier="subnet-0a1b2c3d")["ResourceDescription"]["Properties"])["VpcId"], "vpc-1")
same([one["Identifier"] for one in admin.list_resources(TypeName="AWS::IAM::Role")["ResourceDescriptions"]], ["drill", "restore"])
same([one["Identifier"] for one in admin.list_resources(TypeName="AWS::RDS::DBInstance")["ResourceDescriptions"]], ["orders-copy", "orders"])
same(refused(cloud.create_resource, TypeName="AWS::KMS::Key", DesiredState="{}")[:2], (404, "UnknownOperationException"))

# The AWS CLI
from awscli.clidriver import create_clidriver  # noqa: E402

os.environ.update(AWS_ACCESS_KEY_ID=OPERATOR, AWS_SECRET_ACCESS_KEY="secret", AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1", AWS_CONFIG_FILE="/dev/null", AWS_PAGER="")


def cli(*arguments):
    out = io.StringIO()
    with redirect_stdout(out):
        code = create_clidriver().main([*arguments, "--endpoint-url", URL, "--output", "json"])
    same(code, 0)
    return json.loads(out.getvalue())


answer = cli("iam", "simulate-principal-policy", "--policy-source-arn", USER, "--action-names", "backup:StartRestoreJob",
             "--context-entries", "ContextKeyName=aws:RequestedRegion,ContextKeyValues=us-east-1,ContextKeyType=string")
same(answer["EvaluationResults"][0]["EvalDecision"], "allowed")
same(cli("iam", "get-role", "--role-name", "restore")["Role"]["RoleName"], "restore")
same(cli("service-quotas", "get-service-quota", "--service-code", "rds", "--quota-code", "L-7B6409FD")["Quota"]["Value"], 42.0)
same(cli("cloudcontrol", "get-resource", "--type-name", "AWS::KMS::Key", "--identifier", KEY)["ResourceDescription"]["Identifier"], KEY)
same(cli("sts", "get-caller-identity")["Arn"], USER)

print(json.dumps({"checks": checks}))
