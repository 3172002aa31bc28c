//! Endpoint that the clients call, as the SDK has settled it from flags, environment and configuration: it is asked,
//! and stopped before anything is signed or leaves. Its rules are never worked out a second time here.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_backup::config::endpoint::Endpoint as Settled;
use aws_sdk_backup::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_backup::config::{ConfigBag, Credentials, Intercept, RuntimeComponents};
use hyper::Uri;

use crate::aws::Aws;
use crate::backup::{ApiError, Endpoint, Fault, Operation};

/// Suffixes of AWS's hosts, partition by partition, with and without dual-stack
/// (<https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json>). VPC endpoints have the first kind
/// (<https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html>).
const SUFFIXES: [&str; 14] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "api.aws.ic.gov",
    "api.aws.scloud",
    "api.cloud-aws.adc-e.uk",
    "api.aws.hci.ic.gov",
];

impl<H> Aws<H> {
    /// The endpoint of AWS Backup that is called.
    ///
    /// # Errors
    ///
    /// Where the SDK knows none, such as for a URL that is none.
    pub async fn endpoint(&self) -> Result<Endpoint, ApiError> {
        let probe = EndpointProbe::default();
        let asked = self
            .jobs
            .list_backup_vaults()
            .customize()
            .config_override(aws_sdk_backup::config::Builder::new().credentials_provider(nobody()))
            .interceptor(probe.clone())
            .send()
            .await;
        probe.seen("backup").ok_or_else(|| match asked {
            Err(err) => self.failed(Operation::ListBackupVaults, &err),
            Ok(_) => unsettled(Operation::ListBackupVaults),
        })
    }

    /// The endpoint of Cloud Control API that is called, which may be another place than that of AWS Backup: AWS's
    /// configuration names one a service.
    ///
    /// # Errors
    ///
    /// Where the SDK knows none.
    pub async fn endpoint_of_resources(&self) -> Result<Endpoint, ApiError> {
        let probe = EndpointProbe::default();
        let asked = self
            .cloudcontrol
            .list_resources()
            .type_name("AWS::Backup::BackupVault")
            .customize()
            .config_override(
                aws_sdk_cloudcontrol::config::Builder::new().credentials_provider(nobody()),
            )
            .interceptor(probe.clone())
            .send()
            .await;
        probe.seen("cloudcontrolapi").ok_or_else(|| match asked {
            Err(err) => self.failed(Operation::ListResources, &err),
            Ok(_) => unsettled(Operation::ListResources),
        })
    }
}

/// Credentials of nobody: none are needed to find out, and none are asked for.
fn nobody() -> Credentials {
    Credentials::new("nobody", "no-secret", None, None, "redrill")
}

fn unsettled(operation: Operation) -> ApiError {
    ApiError {
        operation,
        fault: Fault::Service,
        code: None,
        request_id: None,
        message: "the SDK does not say which endpoint it calls".to_owned(),
    }
}

/// Looks at a request once its endpoint is settled, and ends it there.
#[derive(Clone, Debug, Default)]
struct EndpointProbe(Arc<Mutex<Option<String>>>);

#[derive(Debug, thiserror::Error)]
#[error("not sent: it was asked where it would go")]
struct NotSent;

impl Intercept for EndpointProbe {
    fn name(&self) -> &'static str {
        "redrill endpoint"
    }

    fn read_before_signing(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), aws_sdk_backup::error::BoxError> {
        let url = cfg
            .load::<Settled>()
            .map(|settled| settled.url().to_owned());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = url;
        Err(NotSent.into())
    }
}

impl EndpointProbe {
    fn seen(&self, service: &str) -> Option<Endpoint> {
        let url = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        url.as_deref().map(|url| endpoint(url, service))
    }
}

/// The endpoint at a URL, without what could be a secret in that.
fn endpoint(url: &str, service: &str) -> Endpoint {
    let Ok(uri) = url.parse::<Uri>() else {
        return Endpoint::Other {
            url: "an address that is not a URL".to_owned(),
        };
    };
    let host = uri.host().unwrap_or_default().to_lowercase();
    let scheme = uri.scheme_str().unwrap_or("http");
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().filter(|port| *port != usual);
    // Only TLS shows who answers: a proxy or a hosts file can send a name of AWS's anywhere.
    if is_aws(&host, service) && scheme == "https" && port.is_none() {
        return Endpoint::Aws;
    }
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let path = uri.path().trim_end_matches('/');
    Endpoint::Other {
        url: format!("{scheme}://{host}{port}{path}"),
    }
}

/// Returns true if a host is one of AWS's for a service. Customers have names under `amazonaws.com` too, such as those
/// of instances and load balancers, behind which an emulator may be: the service and a Region have to precede it.
fn is_aws(host: &str, service: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let before = |suffix: &&str| host.strip_suffix(*suffix)?.strip_suffix('.');
    // The longest: `api.aws.ic.gov` is no Region of `ic.gov`.
    let Some(before) = SUFFIXES.iter().filter_map(before).min_by_key(|b| b.len()) else {
        return false;
    };
    let labels: Vec<&str> = before.split('.').collect();
    let is_service = |label: &str| label.strip_suffix("-fips").unwrap_or(label) == service;
    match labels.as_slice() {
        [name, region] => is_service(name) && is_region(region),
        [endpoint, name, region, "vpce"] => {
            endpoint.starts_with("vpce-") && is_service(name) && is_region(region)
        }
        _ => false,
    }
}

fn is_region(label: &str) -> bool {
    label.split('-').count() >= 3 && label.ends_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoints_of_aws_are_aws() {
        for host in [
            "backup.us-west-2.amazonaws.com",
            "BACKUP.us-west-2.amazonaws.com.",
            "backup-fips.us-gov-west-1.amazonaws.com",
            "backup.us-west-2.api.aws",
            "backup-fips.us-east-1.api.aws",
            "backup.cn-north-1.amazonaws.com.cn",
            "backup.cn-north-1.api.amazonwebservices.com.cn",
            "backup.eusc-de-east-1.amazonaws.eu",
            "backup.us-iso-east-1.c2s.ic.gov",
            "backup.us-iso-east-1.api.aws.ic.gov",
            "vpce-0a1b2c3d-abcd.backup.us-west-2.vpce.amazonaws.com",
            "vpce-0a1b2c3d-abcd-us-west-2a.backup.us-west-2.vpce.amazonaws.com:443",
            "vpce-0a1b2c3d-abcd.backup-fips.us-east-1.vpce.amazonaws.com",
            "user:password@backup.us-west-2.amazonaws.com",
        ] {
            let url = format!("https://{host}/");
            assert_eq!(endpoint(&url, "backup"), Endpoint::Aws, "{host}");
        }
    }

    #[test]
    fn nothing_else_is_however_it_is_called() {
        for (url, recorded) in [
            // Another program may answer to a name of AWS's where nothing shows who it is.
            (
                "http://backup.us-west-2.amazonaws.com",
                "http://backup.us-west-2.amazonaws.com",
            ),
            (
                "https://backup.us-west-2.amazonaws.com:45933",
                "https://backup.us-west-2.amazonaws.com:45933",
            ),
            ("http://127.0.0.1:45872", "http://127.0.0.1:45872"),
            ("http://127.0.0.1:45872/", "http://127.0.0.1:45872"),
            ("http://[::1]:45872", "http://[::1]:45872"),
            ("HTTP://LocalHost:80/backup/", "http://localhost/backup"),
            (
                "https://backup.example.org:443",
                "https://backup.example.org",
            ),
            (
                "https://me:secret@emulator.example.org/a?token=secret",
                "https://emulator.example.org/a",
            ),
            (
                "http://backup.us-west-2.amazonaws.com@127.0.0.1:1",
                "http://127.0.0.1:1",
            ),
            // Of customers.
            (
                "http://ec2-203-0-113-25.us-west-2.compute.amazonaws.com:5000",
                "http://ec2-203-0-113-25.us-west-2.compute.amazonaws.com:5000",
            ),
            (
                "http://backup.us-west-2.elb.amazonaws.com",
                "http://backup.us-west-2.elb.amazonaws.com",
            ),
            (
                "https://abc.execute-api.us-west-2.amazonaws.com",
                "https://abc.execute-api.us-west-2.amazonaws.com",
            ),
            (
                "https://vpce-0a1b.execute-api.us-west-2.vpce.amazonaws.com",
                "https://vpce-0a1b.execute-api.us-west-2.vpce.amazonaws.com",
            ),
            // Of others.
            (
                "https://backup.us-west-2.notamazonaws.com",
                "https://backup.us-west-2.notamazonaws.com",
            ),
            (
                "https://backup.us-west-2.amazonaws.com.example.org",
                "https://backup.us-west-2.amazonaws.com.example.org",
            ),
            (
                "https://backup.us-west-2.localhost.localstack.cloud:4566",
                "https://backup.us-west-2.localhost.localstack.cloud:4566",
            ),
            (
                "https://sts.us-west-2.amazonaws.com",
                "https://sts.us-west-2.amazonaws.com",
            ),
        ] {
            let wanted = Endpoint::Other {
                url: recorded.to_owned(),
            };
            assert_eq!(endpoint(url, "backup"), wanted, "{url}");
        }
    }
}
