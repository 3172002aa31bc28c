//! Limits on the size of an answer. AWS's answers are small; anything between here and AWS can send more.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_sdk_backup::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_backup::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_backup::error::BoxError;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

/// Bytes of an answer. A page of a thousand recovery points has about one million.
const ANSWER: usize = 32 << 20;
/// Bytes of a message, which AWS says in a sentence or two.
const MESSAGE: usize = 4 << 10;
/// Bytes of a name: an ARN has up to 2,048 characters (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const NAME: usize = 2048;

/// Stops reading an answer that does not end, and keeps who was asked, which no error says.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounded {
    host: Arc<OnceLock<String>>,
}

impl Bounded {
    /// Scheme, host and port of whoever is asked, where anybody was.
    pub(super) fn host(&self) -> Option<&str> {
        self.host.get().map(String::as_str)
    }
}

impl Intercept for Bounded {
    fn name(&self) -> &'static str {
        "bounded answers"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.host.get_or_init(|| {
            // A URL's user and query could be a secret.
            let uri: Option<hyper::Uri> = context.request().uri().parse().ok();
            let authority = uri.as_ref().and_then(hyper::Uri::authority);
            let host = authority.map(|of| of.as_str().rsplit('@').next().unwrap_or_default());
            let scheme = uri.as_ref().and_then(hyper::Uri::scheme_str);
            format!(
                "{}://{}",
                scheme.unwrap_or("https"),
                host.unwrap_or_default()
            )
        });
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let body = response.take_body();
        *response.body_mut() = SdkBody::from_body_1_x(Limited::new(body, ANSWER));
        Ok(())
    }
}

/// A message of AWS, cut where it is longer than any that AWS is known to give.
pub(super) fn message(text: impl fmt::Display) -> String {
    let mut text = text.to_string();
    if text.len() > MESSAGE {
        let length = text.len();
        text.truncate(text.floor_char_boundary(MESSAGE));
        text.push_str(&format!("… ({length} bytes)"));
    }
    text
}

/// An id or an ARN; none where it is too long to be one.
pub(super) fn name(text: Option<String>) -> Option<String> {
    text.filter(|text| text.len() <= NAME)
}

#[cfg(test)]
mod tests {
    use super::{message, name};

    #[test]
    fn reliability_r4_19_what_aws_says_is_cut() {
        assert_eq!(message("no"), "no");
        let long = message("ä".repeat(100_000));
        assert!(long.len() < 5000 && long.ends_with("ä… (200000 bytes)"));
        assert_eq!(name(Some("x".repeat(3000))), None);
        assert_eq!(name(Some("arn".to_owned())), Some("arn".to_owned()));
    }
}
