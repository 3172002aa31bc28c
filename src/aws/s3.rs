//! Objects in S3, for runs whose record is kept there.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::BucketVersioningStatus;

use super::bounds::Bounded;
use super::{error, profile};
use crate::backup::{ApiError, Fault, Operation};
use crate::journal::{Object, ObjectError, Objects, Put};

/// Metadata key for the writer of an object: `x-amz-meta-redrill-writer`.
const WRITER: &str = "redrill-writer";

/// A bucket, and how it is reached.
#[derive(Clone, Debug, Default)]
pub struct BucketSettings {
    /// Its name.
    pub bucket: String,
    /// Prefix of all keys; empty, or without slashes at its ends.
    pub prefix: String,
    /// A profile of AWS's configuration for the bucket alone.
    pub profile: Option<String>,
    /// An endpoint that is not AWS's has the bucket in the path of its URLs.
    pub path_style: bool,
    /// The environment sets AWS_ENDPOINT_URL to nothing, which is not set.
    pub empty_endpoint: bool,
}

/// A prefix of a bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    bucket: String,
    prefix: String,
    bounded: Bounded,
}

/// Settings of a bucket; for those that were not answered, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketTraits {
    /// True if earlier versions of objects are kept.
    pub versioning: Result<bool, String>,
    /// Encryption of objects unless a write says otherwise; `None` if the bucket does not say.
    pub encryption: Result<Option<String>, String>,
    /// True if every kind of public access is blocked.
    pub blocks_public: Result<bool, String>,
}

impl Bucket {
    /// Connects, and finds out in which Region the bucket is.
    ///
    /// # Errors
    ///
    /// Where there is no such profile.
    pub async fn connect(settings: &BucketSettings) -> Result<Self, ApiError> {
        profile::check(settings.profile.as_deref()).await?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(Duration::from_secs(10))
                    .build(),
            )
            .retry_config(RetryConfig::disabled());
        if let Some(name) = &settings.profile {
            loader = loader
                .profile_name(name)
                .credentials_provider(profile::credentials(name, None).await);
        }
        let config = loader.load().await;
        let bounded = Bounded::default();
        let build = |region: Option<Region>| {
            let mut builder = aws_sdk_s3::config::Builder::from(&config)
                // Whoever calls has to know of each try: an answer that is lost may have been a write.
                .retry_config(RetryConfig::disabled())
                .force_path_style(settings.path_style)
                // Records have sums of their own; other stores do not know those of the SDK.
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
                .interceptor(bounded.clone());
            if settings.empty_endpoint {
                builder.set_endpoint_url(None);
            }
            let region = region.or_else(|| config.region().cloned());
            builder = builder.region(region.unwrap_or_else(|| Region::from_static("us-east-1")));
            Client::from_conf(builder.build())
        };
        let mut client = build(None);
        // A bucket answers in its own Region only, and says which that is.
        let asked = client.head_bucket().bucket(&settings.bucket).send().await;
        let there = match &asked {
            Ok(answer) => answer.bucket_region().map(str::to_owned),
            Err(error) => error
                .raw_response()
                .and_then(|raw| raw.headers().get("x-amz-bucket-region"))
                .map(str::to_owned),
        };
        if let Some(there) =
            there.filter(|there| config.region().is_none_or(|of| of.as_ref() != there))
        {
            client = build(Some(Region::new(there)));
        }
        Ok(Self {
            client,
            bucket: settings.bucket.clone(),
            prefix: settings.prefix.clone(),
            bounded,
        })
    }

    fn key(&self, key: &str) -> String {
        match self.prefix.as_str() {
            "" => key.to_owned(),
            prefix => format!("{prefix}/{key}"),
        }
    }

    /// Reads the settings of the bucket.
    pub async fn traits(&self) -> BucketTraits {
        let (client, bucket) = (&self.client, &self.bucket);
        let versioning = client.get_bucket_versioning().bucket(bucket).send();
        let encryption = client.get_bucket_encryption().bucket(bucket).send();
        let public = client.get_public_access_block().bucket(bucket).send();
        let (versioning, encryption, public) = tokio::join!(versioning, encryption, public);
        BucketTraits {
            versioning: self.answered(Operation::GetBucketVersioning, versioning, None, |answer| {
                answer.status == Some(BucketVersioningStatus::Enabled)
            }),
            encryption: self.answered(
                Operation::GetBucketEncryption,
                encryption,
                Some("ServerSideEncryptionConfigurationNotFoundError"),
                |answer| {
                    let rules = answer.server_side_encryption_configuration?.rules;
                    let first = rules.into_iter().next()?;
                    let by_default = first.apply_server_side_encryption_by_default?;
                    Some(by_default.sse_algorithm.as_str().to_owned())
                },
            ),
            blocks_public: self.answered(
                Operation::GetPublicAccessBlock,
                public,
                Some("NoSuchPublicAccessBlockConfiguration"),
                |answer| {
                    answer.public_access_block_configuration.is_some_and(|of| {
                        let all = [
                            of.block_public_acls,
                            of.ignore_public_acls,
                            of.block_public_policy,
                            of.restrict_public_buckets,
                        ];
                        all.iter().all(|is| *is == Some(true))
                    })
                },
            ),
        }
    }

    /// Reads a setting of the bucket, where `unset` is the code of S3 for one that was never made; or why it is not
    /// known.
    fn answered<T: Default, A, E>(
        &self,
        operation: Operation,
        asked: Result<A, SdkError<E, HttpResponse>>,
        unset: Option<&str>,
        read: impl FnOnce(A) -> T,
    ) -> Result<T, String>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match asked {
            Ok(answer) => Ok(read(answer)),
            Err(error) if unset.is_some() && error.code() == unset => Ok(T::default()),
            Err(error) => Err(error::classify(operation, &error, self.bounded.host()).to_string()),
        }
    }

    /// Classifies why a call has failed.
    fn failed<E>(&self, operation: Operation, error: &SdkError<E, HttpResponse>) -> ObjectError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let error = error::classify(operation, error, self.bounded.host());
        let text = error.to_string();
        match (error.fault, status) {
            // Somebody writes at the same moment, or a condition that was not asked for does not hold.
            (_, Some(409 | 412 | 500..))
            | (Fault::Throttled | Fault::Service | Fault::Unreachable | Fault::Expired, _) => {
                ObjectError::Unavailable(text)
            }
            _ => ObjectError::Denied(text),
        }
    }
}

impl Objects for Bucket {
    fn place(&self) -> String {
        let Self { bucket, prefix, .. } = self;
        match prefix.as_str() {
            "" => format!("s3://{bucket}"),
            prefix => format!("s3://{bucket}/{prefix}"),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Object>, ObjectError> {
        let asked = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(key))
            .send()
            .await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(self.failed(Operation::GetObject, &error)),
        };
        let length = answer.content_length;
        let writer = answer.metadata().and_then(|of| of.get(WRITER)).cloned();
        let etag = answer.e_tag.unwrap_or_default();
        let broken = |why: String| {
            ObjectError::Unavailable(format!(
                "GetObject: the answer was not read to its end: {why}"
            ))
        };
        let read = answer
            .body
            .collect()
            .await
            .map_err(|err| broken(err.to_string()))?;
        let bytes = read.to_vec();
        let is_whole = length.is_none_or(|length| u64::try_from(length) == Ok(bytes.len() as u64));
        match is_whole {
            true => Ok(Some(Object {
                bytes,
                etag,
                writer,
            })),
            false => Err(broken(format!(
                "{} bytes of {}",
                bytes.len(),
                length.unwrap_or(0)
            ))),
        }
    }

    async fn create(&self, key: &str, bytes: Vec<u8>, writer: &str) -> Result<Put, ObjectError> {
        self.put(key, bytes, writer, None).await
    }

    async fn replace(
        &self,
        key: &str,
        bytes: Vec<u8>,
        writer: &str,
        etag: &str,
    ) -> Result<Put, ObjectError> {
        self.put(key, bytes, writer, Some(etag)).await
    }

    async fn folders(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let prefix = self.key(prefix);
        let mut names = Vec::new();
        let mut token = None;
        loop {
            let asked = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(&prefix)
                .delimiter("/")
                .set_continuation_token(token)
                .send()
                .await;
            let answer = asked.map_err(|error| self.failed(Operation::ListObjectsV2, &error))?;
            let found = answer.common_prefixes.unwrap_or_default().into_iter();
            names.extend(found.filter_map(|of| {
                let name = of
                    .prefix?
                    .strip_prefix(&prefix)?
                    .trim_end_matches('/')
                    .to_owned();
                Some(name)
            }));
            token = answer.next_continuation_token;
            if token.is_none() {
                return Ok(names);
            }
        }
    }

    async fn keys(&self, prefix: &str, after: &str) -> Result<Vec<String>, ObjectError> {
        let (prefix, after) = (
            self.key(prefix),
            (!after.is_empty()).then(|| self.key(after)),
        );
        let asked = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_start_after(after)
            .send()
            .await;
        let answer = asked.map_err(|error| self.failed(Operation::ListObjectsV2, &error))?;
        let behind = match self.prefix.as_str() {
            "" => 0,
            prefix => prefix.len() + 1,
        };
        let keys = answer.contents.unwrap_or_default().into_iter();
        Ok(keys
            .filter_map(|object| Some(object.key?.get(behind..)?.to_owned()))
            .collect())
    }
}

impl Bucket {
    /// Writes an object that is not there yet, or still has a version.
    async fn put(
        &self,
        key: &str,
        bytes: Vec<u8>,
        writer: &str,
        etag: Option<&str>,
    ) -> Result<Put, ObjectError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(key))
            .metadata(WRITER, writer)
            .body(ByteStream::from(bytes));
        let request = match etag {
            Some(etag) => request.if_match(etag),
            None => request.if_none_match("*"),
        };
        match request.send().await {
            Ok(answer) => Ok(Put::Done(answer.e_tag.unwrap_or_default())),
            Err(error) if is_refused(&error) => Ok(Put::Refused),
            Err(error) => Err(self.failed(Operation::PutObject, &error)),
        }
    }
}

/// Returns true if the condition of a write did not hold, as when the object that was to be replaced is gone; or if
/// somebody writes the same key at the same moment (409).
fn is_refused<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error.raw_response().map(|raw| raw.status().as_u16()) {
        Some(409 | 412) => true,
        Some(404) => error.code() == Some("NoSuchKey"),
        _ => false,
    }
}
