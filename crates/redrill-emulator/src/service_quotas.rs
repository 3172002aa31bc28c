//! Service Quotas: what is applied to an account, and what AWS gives by default.
//! <https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/Welcome.html>

use std::sync::LazyLock;

use redrill_inventory::DeclaredQuota;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::caller::Caller;
use super::handle::Backend;
use super::operation::{Api, Operation};
use super::permissions::{Ask, authorize};
use super::protocol;

/// A quota; the members are explained at the head of `service_quotas.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    service: String,
    service_name: String,
    code: String,
    name: String,
    default: f64,
    adjustable: bool,
    #[serde(default)]
    global: bool,
    counts: Option<String>,
    #[serde(rename = "source")]
    _source: String,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "embedded data, read by a test")]
    serde_yaml::from_str(include_str!("service_quotas.yaml")).expect("service_quotas.yaml")
});

/// Returns the beginning, after `service:`, of the ARNs that count towards a quota.
pub(super) fn counts(service: &str, code: &str) -> Option<&'static str> {
    let row = KNOWN
        .iter()
        .find(|row| row.service == service && row.code == code)?;
    row.counts.as_deref()
}

struct Refusal(&'static str, String);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    service_code: Option<String>,
    quota_code: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    service_code: String,
    service_name: String,
    quota_arn: String,
    quota_code: String,
    quota_name: String,
    value: f64,
    unit: &'static str,
    adjustable: bool,
    global_quota: bool,
    quota_applied_at_level: &'static str,
}

/// Answers one call.
pub(super) fn answer(
    backend: &Backend,
    caller: &Caller,
    operation: Operation,
    body: &[u8],
) -> Answer {
    let answered = serde_json::from_slice::<Asked>(body)
        .map_err(|error| Refusal("SerializationException", error.to_string()))
        .and_then(|asked| answered(backend, caller, operation, &asked));
    match answered {
        Ok(answer) => Answer {
            content_type: protocol::json_type(Api::ServiceQuotas),
            ..answer
        },
        Err(Refusal("AccessDeniedException", words)) => {
            protocol::denied(Api::ServiceQuotas, &words, "")
        }
        Err(Refusal(code, words)) => protocol::error(Api::ServiceQuotas, 400, code, &words, ""),
    }
}

fn answered(
    backend: &Backend,
    caller: &Caller,
    operation: Operation,
    asked: &Asked,
) -> Result<Answer, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct One {
        quota: Shown,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Page {
        #[serde(skip_serializing_if = "Option::is_none")]
        next_token: Option<String>,
        quotas: Vec<Shown>,
    }
    let region = caller.region.as_deref().unwrap_or(&backend.default_region);
    let service = required(asked.service_code.as_deref(), "serviceCode")?;
    let code = match operation {
        Operation::ListServiceQuotas => asked.quota_code.as_deref(),
        _ => Some(required(asked.quota_code.as_deref(), "quotaCode")?),
    };
    let resource = match (operation, code) {
        (Operation::ListServiceQuotas, _) | (_, None) => "*".to_owned(),
        (_, Some(code)) => {
            format!(
                "arn:aws:servicequotas:{region}:{}:{service}/{code}",
                caller.account
            )
        }
    };
    let action = format!("{}:{operation}", Api::ServiceQuotas.prefix());
    let ask = Ask {
        action: &action,
        resource: &resource,
        side: None,
        region,
        keys: &[],
        now: backend.clock.now(),
    };
    authorize(&backend.catalog, caller, &ask)
        .map_err(|refused| Refusal("AccessDeniedException", refused.message().to_owned()))?;
    let default = operation == Operation::GetAWSDefaultServiceQuota;
    let account = if default { "" } else { caller.account.as_str() };
    let declared: Vec<&DeclaredQuota> = backend.catalog.quotas(caller).collect();
    let mut all = shown(&declared, service, (account, region), default);
    if let Some(code) = code {
        all.retain(|one| one.quota_code == code);
    }
    if operation != Operation::ListServiceQuotas {
        // Captured in https://github.com/aws/aws-sdk-go-v2/issues/3228.
        let none = "The request failed because the specified quota and service do not exist.";
        let quota = all.into_iter().next();
        let quota = quota.ok_or_else(|| Refusal("NoSuchResourceException", none.to_owned()))?;
        return Ok(Answer::json(&One { quota }));
    }
    if !is_service(&declared, service) {
        // Captured in https://github.com/aws/aws-cli/issues/4569.
        let none = "The request failed because the specified service does not exist.";
        return Err(Refusal("NoSuchResourceException", none.to_owned()));
    }
    let max = match asked.max_results {
        None => 100,
        Some(max @ 1..=100) => max,
        Some(other) => {
            let words = format!("MaxResults cannot be {other}.");
            return Err(Refusal("IllegalArgumentException", words));
        }
    };
    let from = match &asked.next_token {
        None => 0,
        Some(token) => token
            .parse()
            .ok()
            .filter(|from| *from <= all.len())
            .ok_or_else(|| {
                Refusal(
                    "InvalidPaginationTokenException",
                    "Invalid NextToken.".to_owned(),
                )
            })?,
    };
    let end = from.saturating_add(max).min(all.len());
    let next_token = (end < all.len()).then(|| end.to_string());
    let quotas = all[from..end].to_vec();
    Ok(Answer::json(&Page { next_token, quotas }))
}

fn required<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, Refusal> {
    let value = value.filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        let words = format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        );
        Refusal("IllegalArgumentException", words)
    })
}

fn is_service(declared: &[&DeclaredQuota], service: &str) -> bool {
    KNOWN.iter().any(|row| row.service == service)
        || declared.iter().any(|one| one.service == service)
}

/// The quotas of a service: those that AWS publishes, with what the inventory says is applied, and others that it tells of.
fn shown(
    declared: &[&DeclaredQuota],
    service: &str,
    (account, region): (&str, &str),
    default: bool,
) -> Vec<Shown> {
    let arn = |code: &str| format!("arn:aws:servicequotas:{region}:{account}:{service}/{code}");
    let known = KNOWN.iter().filter(|row| row.service == service);
    let mut all: Vec<Shown> = known
        .map(|row| {
            let applied = declared
                .iter()
                .find(|one| !default && one.service == service && one.code == row.code);
            Shown {
                service_code: service.to_owned(),
                service_name: row.service_name.clone(),
                quota_arn: arn(&row.code),
                quota_code: row.code.clone(),
                quota_name: row.name.clone(),
                value: applied.map_or(row.default, |one| one.value),
                unit: "None",
                adjustable: row.adjustable,
                global_quota: row.global,
                quota_applied_at_level: "ACCOUNT",
            }
        })
        .collect();
    for one in declared.iter().filter(|one| one.service == service) {
        if default || all.iter().any(|row| row.quota_code == one.code) {
            continue;
        }
        all.push(Shown {
            service_code: service.to_owned(),
            service_name: service.to_owned(),
            quota_arn: arn(&one.code),
            quota_code: one.code.clone(),
            quota_name: one.name.clone().unwrap_or_else(|| one.code.clone()),
            value: one.value,
            unit: "None",
            adjustable: true,
            global_quota: false,
            quota_applied_at_level: "ACCOUNT",
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quota_is_whole() {
        for row in KNOWN.iter() {
            assert!(row._source.starts_with("https://"), "{}", row.code);
            assert!(
                row.code.starts_with("L-") && row.code.len() == 10,
                "{}",
                row.code
            );
            assert!(row.default > 0.0 && !row.name.is_empty());
        }
        assert_eq!(counts("rds", "L-7B6409FD"), Some("rds:db:"));
        assert_eq!(counts("rds", "L-0"), None);
    }
}
