//! The calls of preflight. All of them read.

use std::ops::ControlFlow;

use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_backup::operation::describe_recovery_point::DescribeRecoveryPointOutput;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Aws;
use super::bounds::message;
use super::lean::RefusedCall;
use super::read::timestamp;
use super::xml::Element;
use crate::backup::{ApiError, Fault, Listed, Operation, PointStatus, each_page};
use crate::ids::PlaceIndex;
use crate::preflight::{
    Decision, GrantSeen, Looks, PointSeen, QuotaSeen, RoleSeen, ScanSeen, Simulation,
};
use crate::render::VaultName;

/// A resource of a listing, by its identifier.
struct ListedIdentifier(String);

impl Listed for ListedIdentifier {
    fn name(&self) -> &str {
        &self.0
    }
}

impl<H> Looks for Aws<H> {
    async fn session_ends(&self) -> Option<Timestamp> {
        let provider = self.credentials.as_ref()?;
        let credentials = provider.provide_credentials().await.ok()?;
        Timestamp::try_from(credentials.expiry()?).ok()
    }

    async fn role(&self, name: &str) -> Result<Option<RoleSeen>, ApiError> {
        let operation = self.counted(Operation::GetRole);
        let members = [("RoleName".to_owned(), name.to_owned())];
        let answer = match self.iam.query("GetRole", &members).await {
            Ok(answer) => answer,
            Err(err) if is_code(&err, "NoSuchEntity") => return Ok(None),
            Err(err) => return Err(self.failed(operation, &err)),
        };
        let Some(role) = answer.child("Role") else {
            return Err(unreadable(operation, "the answer has no role"));
        };
        let trust = role.text_of("AssumeRolePolicyDocument").unwrap_or_default();
        let trust = percent_encoding::percent_decode_str(&trust).decode_utf8_lossy();
        Ok(Some(RoleSeen {
            arn: role.text_of("Arn").unwrap_or_default(),
            trust: serde_json::from_str(&trust).unwrap_or_default(),
        }))
    }

    async fn simulated(&self, simulation: &Simulation) -> Result<Vec<Decision>, ApiError> {
        let mut members = vec![
            ("PolicySourceArn".to_owned(), simulation.of.clone()),
            ("MaxItems".to_owned(), "1000".to_owned()),
        ];
        let mut list = |name: &str, items: &[String]| {
            let items = items.iter().enumerate();
            members.extend(
                items.map(|(at, item)| (format!("{name}.member.{}", at + 1), item.clone())),
            );
        };
        list("ActionNames", &simulation.actions);
        list("ResourceArns", &simulation.resources);
        for (at, (key, value)) in simulation.context.iter().enumerate() {
            let entry = format!("ContextEntries.member.{}", at + 1);
            members.push((format!("{entry}.ContextKeyName"), key.clone()));
            // A key has several.
            let kind = match key.as_str() {
                "kms:ResourceAliases" => "stringList",
                _ => "string",
            };
            members.push((format!("{entry}.ContextKeyType"), kind.to_owned()));
            members.push((format!("{entry}.ContextKeyValues.member.1"), value.clone()));
        }
        let mut decisions = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let operation = self.counted(Operation::SimulatePrincipalPolicy);
            let marked = marker.take().map(|marker| ("Marker".to_owned(), marker));
            let all: Vec<(String, String)> = members.iter().cloned().chain(marked).collect();
            let answer = self.iam.query("SimulatePrincipalPolicy", &all).await;
            let answer = answer.map_err(|err| self.failed(operation, &err))?;
            for result in answer.members("EvaluationResults") {
                decided(result, &mut decisions);
            }
            let is_cut = answer.text_of("IsTruncated").as_deref() == Some("true");
            marker = answer
                .text_of("Marker")
                .filter(|marker| is_cut && !marker.is_empty());
            if marker.is_none() {
                return Ok(decisions);
            }
            // A listing that does not end is not read to its end.
            if decisions.len() > 100_000 {
                return Err(unreadable(operation, "the answer does not end"));
            }
        }
    }

    async fn resource(&self, type_name: &str, identifier: &str) -> Result<Option<Value>, ApiError> {
        let named = crate::cleanup::Named {
            type_name: type_name.to_owned(),
            identifier: identifier.to_owned(),
            is_name: true,
            place: PlaceIndex::FIRST,
        };
        let properties = self.properties(&named).await?;
        Ok(properties.map(|text| serde_json::from_str(&text).unwrap_or_default()))
    }

    async fn grants(&self, key: &str) -> Result<Vec<GrantSeen>, ApiError> {
        /// Pages of a hundred: a key has 50,000 grants at most.
        const PAGES: usize = 500;
        let mut grants = Vec::new();
        let mut marker = Value::Null;
        for _ in 0..PAGES {
            let operation = self.counted(Operation::ListGrants);
            let mut asked = json!({ "KeyId": key, "Limit": 100 });
            if !marker.is_null() {
                asked["Marker"] = marker;
            }
            let answer = self.kms.json("ListGrants", &asked).await;
            let mut answer = answer.map_err(|err| self.failed(operation, &err))?;
            for grant in answer["Grants"].as_array().into_iter().flatten() {
                let operations = grant["Operations"].as_array().into_iter().flatten();
                grants.push(GrantSeen {
                    grantee: grant["GranteePrincipal"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                    operations: operations
                        .filter_map(Value::as_str)
                        .map(str::to_owned)
                        .collect(),
                });
            }
            if answer["Truncated"] != true {
                break;
            }
            marker = answer["NextMarker"].take();
        }
        Ok(grants)
    }

    async fn count(&self, type_name: &str) -> Result<u64, ApiError> {
        let mut count = 0;
        let page = async |token| {
            let operation = self.counted(Operation::ListResources);
            let asked = self.cloudcontrol.list_resources().type_name(type_name);
            let answer = asked.max_results(100).set_next_token(token).send().await;
            let answer = answer.map_err(|err| self.failed(operation, &err))?;
            let found = answer.resource_descriptions.unwrap_or_default().into_iter();
            let found = found.map(|of| ListedIdentifier(of.identifier.unwrap_or_default()));
            Ok((found.collect(), answer.next_token))
        };
        let take = |found: Vec<ListedIdentifier>| {
            count += found.len() as u64;
            ControlFlow::Continue(())
        };
        each_page(Operation::ListResources, page, take).await?;
        Ok(count)
    }

    async fn quota(&self, service: &str, code: &str) -> Result<Option<QuotaSeen>, ApiError> {
        let operation = self.counted(Operation::GetServiceQuota);
        let asked = json!({ "ServiceCode": service, "QuotaCode": code });
        match self.quotas.json("GetServiceQuota", &asked).await {
            Ok(answer) => {
                let quota = &answer["Quota"];
                let value = quota["Value"].as_f64();
                let value =
                    value.ok_or_else(|| unreadable(operation, "the answer has no value"))?;
                let name = quota["QuotaName"].as_str().unwrap_or(code);
                Ok(Some(QuotaSeen {
                    name: message(name),
                    value,
                }))
            }
            Err(err) if is_code(&err, "NoSuchResourceException") => Ok(None),
            Err(err) => Err(self.failed(operation, &err)),
        }
    }

    async fn scanned_point(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> Result<PointSeen, ApiError> {
        let answer = self.described(vault, recovery_point_arn).await?;
        Ok(seen(vault, answer))
    }
}

fn seen(vault: &VaultName, point: DescribeRecoveryPointOutput) -> PointSeen {
    let lifecycle = point.calculated_lifecycle;
    let at = |of: Option<aws_sdk_backup::primitives::DateTime>| timestamp(of);
    let scans = point.scan_results.unwrap_or_default().into_iter();
    let scans = scans.map(|scan| ScanSeen {
        scanner: scan
            .malware_scanner
            .map_or_else(String::new, |of| of.as_str().to_owned()),
        state: scan
            .scan_job_state
            .map_or_else(String::new, |of| of.as_str().to_owned()),
        at: at(scan.last_scan_timestamp),
        findings: scan
            .findings
            .unwrap_or_default()
            .iter()
            .map(|finding| finding.as_str().to_owned())
            .collect(),
    });
    PointSeen {
        vault: point
            .backup_vault_name
            .unwrap_or_else(|| vault.name.clone()),
        status: match point.status {
            Some(status) => PointStatus::from(status.as_str()),
            None => PointStatus::Unknown("without a status".to_owned()),
        },
        status_message: point.status_message.map(message),
        storage_class: point.storage_class.map(|class| class.as_str().to_owned()),
        expires_at: lifecycle.as_ref().and_then(|of| at(of.delete_at)),
        cold_at: lifecycle
            .as_ref()
            .and_then(|of| at(of.move_to_cold_storage_at)),
        encryption_key_arn: point.encryption_key_arn,
        scans: scans.collect(),
    }
}

/// The decisions of one action: of each resource, where there are several.
fn decided(result: &Element, decisions: &mut Vec<Decision>) {
    let action = result.text_of("EvalActionName").unwrap_or_default();
    let refused = |of: &Element, detail: &str, member: &str| {
        of.child(detail)
            .and_then(|of| of.text_of(member))
            .as_deref()
            == Some("false")
    };
    let by_organization = refused(
        result,
        "OrganizationsDecisionDetail",
        "AllowedByOrganizations",
    );
    let by = |of: &Element| match () {
        () if by_organization => Some("a service control policy"),
        () if refused(
            of,
            "PermissionsBoundaryDecisionDetail",
            "AllowedByPermissionsBoundary",
        ) =>
        {
            Some("its permissions boundary")
        }
        () => None,
    };
    let missing = |of: &Element| -> Vec<String> {
        of.members("MissingContextValues")
            .map(|of| of.text().to_owned())
            .collect()
    };
    let mut specific = result.members("ResourceSpecificResults").peekable();
    if specific.peek().is_none() {
        decisions.push(Decision {
            resource: result.text_of("EvalResourceName").unwrap_or_default(),
            says: result.text_of("EvalDecision").unwrap_or_default(),
            by: by(result),
            missing: missing(result),
            action,
        });
        return;
    }
    decisions.extend(specific.map(|of| {
        let says = of.text_of("EvalResourceDecision").unwrap_or_default();
        Decision {
            action: action.clone(),
            resource: of.text_of("EvalResourceName").unwrap_or_default(),
            by: by(of),
            missing: missing(of),
            says,
        }
    }));
}

fn is_code<R>(error: &aws_sdk_backup::error::SdkError<RefusedCall, R>, code: &str) -> bool {
    use aws_sdk_backup::error::ProvideErrorMetadata as _;
    let said = error.as_service_error().and_then(|error| error.code());
    said == Some(code)
}

fn unreadable(operation: Operation, why: &str) -> ApiError {
    ApiError {
        operation,
        fault: Fault::Service,
        code: None,
        request_id: None,
        message: why.to_owned(),
    }
}
