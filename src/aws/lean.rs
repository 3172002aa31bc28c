//! Calls of services of which redrill makes one or two, and whose SDK takes as long to build as all of redrill (IAM's takes 50
//! seconds of a processor): AWS IAM, KMS and Service Quotas. Signing, connections, timeouts and credentials are the SDK's own runtime; only requests and answers are written here.

use std::fmt;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_sdk_backup::config::http::{HttpRequest, HttpResponse};
use aws_sdk_backup::config::retry::RetryConfig;
use aws_sdk_backup::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation as Orchestrated;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use serde_json::Value;

use super::bounds::Bounded;
use super::xml::Element;

/// A service, as its requests are addressed and signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeanService {
    /// Name in AWS's configuration: `AWS_ENDPOINT_URL_SERVICE_QUOTAS`.
    pub(super) id: &'static str,
    /// Name that requests are signed for.
    pub(super) signed: &'static str,
    /// Protocol of its requests.
    pub(super) protocol: WireProtocol,
}

/// Protocol of a service.
#[derive(Clone, Copy, Debug)]
pub(super) enum WireProtocol {
    /// Forms in, XML out; of this version of the API.
    Query(&'static str),
    /// JSON with the operation in a header, behind this.
    Json(&'static str),
}

/// AWS IAM, <https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html>.
pub(super) const IAM: LeanService = LeanService {
    id: "IAM",
    signed: "iam",
    protocol: WireProtocol::Query("2010-05-08"),
};
/// Service Quotas, <https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/Welcome.html>.
pub(super) const SERVICE_QUOTAS: LeanService = LeanService {
    id: "Service Quotas",
    signed: "servicequotas",
    protocol: WireProtocol::Json("ServiceQuotasV20190624"),
};
/// AWS KMS, <https://docs.aws.amazon.com/kms/latest/APIReference/Welcome.html>.
pub(super) const KMS: LeanService = LeanService {
    id: "KMS",
    signed: "kms",
    protocol: WireProtocol::Json("TrentService"),
};

/// Region of a partition's global services, its host of IAM, and how hosts end there; by how its Regions begin
/// (<https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json>, and `iam` in `endpoints.json`
/// there).
const PARTITIONS: [(&str, &str, &str, &str); 6] = [
    (
        "cn-",
        "cn-north-1",
        "iam.cn-north-1.amazonaws.com.cn",
        "amazonaws.com.cn",
    ),
    (
        "us-gov-",
        "us-gov-west-1",
        "iam.us-gov.amazonaws.com",
        "amazonaws.com",
    ),
    (
        "us-iso-",
        "us-iso-east-1",
        "iam.us-iso-east-1.c2s.ic.gov",
        "c2s.ic.gov",
    ),
    (
        "us-isob-",
        "us-isob-east-1",
        "iam.us-isob-east-1.sc2s.sgov.gov",
        "sc2s.sgov.gov",
    ),
    (
        "eusc-",
        "eusc-de-east-1",
        "iam.eusc-de-east-1.amazonaws.eu",
        "amazonaws.eu",
    ),
    ("", "us-east-1", "iam.amazonaws.com", "amazonaws.com"),
];

impl LeanService {
    /// Its address, and the Region that it is signed for.
    fn home(self, region: &str) -> (String, String) {
        let of = PARTITIONS
            .iter()
            .find(|(begin, ..)| region.starts_with(begin));
        let (_, home, iam, suffix) = of.copied().unwrap_or(PARTITIONS[PARTITIONS.len() - 1]);
        match self.signed {
            "iam" => (format!("https://{iam}"), home.to_owned()),
            other => (
                format!("https://{other}.{region}.{suffix}"),
                region.to_owned(),
            ),
        }
    }
}

/// A client of one such service.
#[derive(Debug)]
pub(super) struct LeanClient {
    service: LeanService,
    config: SdkConfig,
    endpoint: String,
    signing_region: String,
    bounded: Bounded,
}

/// A request: the operation, and what it is given.
#[derive(Debug)]
struct Asked {
    operation: &'static str,
    body: String,
}

/// A refusal, with what AWS says of it.
#[derive(Debug)]
pub(super) struct RefusedCall(ErrorMetadata);

impl fmt::Display for RefusedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for RefusedCall {}

impl ProvideErrorMetadata for RefusedCall {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

impl LeanClient {
    /// With the configuration of the other clients.
    pub(super) fn new(service: LeanService, config: &SdkConfig, empty_endpoint: bool) -> Self {
        let region = config.region().map_or("us-east-1", Region::as_ref);
        let (home, signing_region) = service.home(region);
        let key = ServiceConfigKey::builder()
            .service_id(service.id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let given = config
            .endpoint_url()
            .filter(|_| config.get_origin("endpoint_url").is_client_config());
        let named = || {
            let configured = config.service_config()?.load_config(key.ok()?)?;
            Some(configured).filter(|url| !url.is_empty())
        };
        let any = || {
            config
                .endpoint_url()
                .filter(|_| !empty_endpoint)
                .map(str::to_owned)
        };
        let endpoint = given.map(str::to_owned).or_else(named).or_else(any);
        Self {
            service,
            config: config.clone(),
            endpoint: endpoint.unwrap_or(home),
            signing_region,
            bounded: Bounded::default(),
        }
    }

    /// Scheme, host and port of whoever was asked.
    pub(super) fn host(&self) -> Option<&str> {
        self.bounded.host()
    }

    /// A call of the query protocol: what its result holds.
    pub(super) async fn query(
        &self,
        operation: &'static str,
        members: &[(String, String)],
    ) -> Result<Element, SdkError<RefusedCall, HttpResponse>> {
        let version = match self.service.protocol {
            WireProtocol::Query(version) => version,
            WireProtocol::Json(_) => "",
        };
        let mut body = format!("Action={operation}&Version={version}");
        for (name, value) in members {
            let value =
                percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            body.push_str(&format!("&{name}={value}"));
        }
        let answer = self.sent(operation, body).await?;
        Ok(Element::read(&answer)
            .and_then(|all| all.child(&format!("{operation}Result")).cloned())
            .unwrap_or_default())
    }

    /// A call in JSON.
    pub(super) async fn json(
        &self,
        operation: &'static str,
        body: &Value,
    ) -> Result<Value, SdkError<RefusedCall, HttpResponse>> {
        let answer = self.sent(operation, body.to_string()).await?;
        Ok(serde_json::from_str(&answer).unwrap_or_default())
    }

    async fn sent(
        &self,
        operation: &'static str,
        body: String,
    ) -> Result<String, SdkError<RefusedCall, HttpResponse>> {
        let service = self.service;
        let mut components = RuntimeComponentsBuilder::new("sigv4")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![
                SCHEME_ID,
            ])))
            .with_identity_cache(Some(
                self.config
                    .identity_cache()
                    .unwrap_or_else(|| IdentityCache::lazy().build()),
            ))
            .with_http_client(self.config.http_client())
            .with_sleep_impl(self.config.sleep_impl())
            .with_time_source(self.config.time_source());
        if let Some(credentials) = self.config.credentials_provider() {
            components = components
                .with_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
        }
        let mut layer = Layer::new("lean");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(SigningName::from_static(service.signed));
        layer.store_put(SigningRegion::from(Region::new(
            self.signing_region.clone(),
        )));
        layer.store_put(SigV4OperationSigningConfig {
            signing_options: SigningOptions::default(),
            ..SigV4OperationSigningConfig::default()
        });
        let signing = StaticRuntimePlugin::new()
            .with_config(layer.freeze())
            .with_runtime_components(components);
        let call = Orchestrated::builder()
            .behavior_version(BehaviorVersion::latest())
            .service_name(service.id)
            .operation_name(operation)
            .endpoint_url(&self.endpoint)
            .standard_retry(&RetryConfig::disabled())
            .timeout_config(
                self.config
                    .timeout_config()
                    .cloned()
                    .unwrap_or_else(super::client::timeouts),
            )
            .interceptor(self.bounded.clone())
            .runtime_plugin(signing)
            .serializer(move |asked: Asked| request(service, &asked))
            .deserializer(move |answer| answered(service, answer))
            .build();
        call.invoke(Asked { operation, body }).await
    }
}

fn request(
    service: LeanService,
    asked: &Asked,
) -> Result<HttpRequest, aws_sdk_backup::error::BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(asked.body.as_str()));
    request.set_method("POST")?;
    let headers = |request: &mut HttpRequest, kind: &str| {
        request
            .headers_mut()
            .insert("content-type", kind.to_owned());
    };
    match service.protocol {
        WireProtocol::Query(_) => {
            request.set_uri("/")?;
            headers(&mut request, "application/x-www-form-urlencoded");
        }
        WireProtocol::Json(target) => {
            request.set_uri("/")?;
            headers(&mut request, "application/x-amz-json-1.1");
            let target = format!("{target}.{}", asked.operation);
            request.headers_mut().insert("x-amz-target", target);
        }
    }
    let length = asked.body.len().to_string();
    request.headers_mut().insert("content-length", length);
    Ok(request)
}

/// The text of an answer, or what it refuses with.
fn answered(
    service: LeanService,
    answer: &HttpResponse,
) -> Result<String, OrchestratorError<RefusedCall>> {
    let body = answer.body().bytes().unwrap_or_default();
    let text = String::from_utf8_lossy(body).into_owned();
    if answer.status().is_success() {
        return Ok(text);
    }
    let (code, message) = match service.protocol {
        WireProtocol::Query(_) => {
            let error = Element::read(&text).unwrap_or_default();
            let error = error.child("Error").cloned().unwrap_or_default();
            (error.text_of("Code"), error.text_of("Message"))
        }
        WireProtocol::Json(_) => {
            let error: Value = serde_json::from_str(&text).unwrap_or_default();
            let member = |names: [&str; 2]| {
                let found = names.iter().find_map(|name| error[*name].as_str());
                found.map(str::to_owned)
            };
            let header = answer.headers().get("x-amzn-errortype").map(str::to_owned);
            (
                header.or_else(|| member(["__type", "code"])),
                member(["message", "Message"]),
            )
        }
    };
    let mut metadata = ErrorMetadata::builder();
    if let Some(code) = code {
        // `prefix#Code:address`, as AWS's protocols write it.
        let code = code.rsplit('#').next().unwrap_or_default();
        metadata = metadata.code(code.split(':').next().unwrap_or_default());
    }
    if let Some(message) = message {
        metadata = metadata.message(message);
    }
    Err(OrchestratorError::operation(RefusedCall(metadata.build())))
}
