//! Answers: JSON and XML as AWS's services write them.

use std::io;

use bytes::Bytes;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::ser::Formatter;

use super::error::{ApiError, ErrorCode};
use super::json;

/// An answer before it has its request id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    /// The code of an error; REST services say it in the header `x-amzn-ErrorType` too.
    pub(super) error_type: Option<String>,
    pub(super) body: Bytes,
}

const JSON: &str = "application/json";
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

impl Answer {
    pub(super) fn json(value: &impl Serialize) -> Answer {
        let mut body = Vec::with_capacity(512);
        let mut serializer = serde_json::Serializer::with_formatter(&mut body, Wire);
        match value.serialize(&mut serializer) {
            Ok(()) => Answer::written(body),
            Err(error) => Answer::error(&ApiError::new(
                ErrorCode::InternalFailure,
                error.to_string(),
            )),
        }
    }

    /// JSON that is written already.
    pub(super) fn written(body: impl Into<Bytes>) -> Answer {
        let body = body.into();
        Answer {
            status: 200,
            content_type: JSON,
            error_type: None,
            body,
        }
    }

    /// 201: something is there that was not.
    pub(super) fn created(value: &impl Serialize) -> Answer {
        Answer {
            status: 201,
            ..Answer::json(value)
        }
    }

    /// 200 without a body: done.
    pub(super) fn done() -> Answer {
        Answer::bare(200)
    }

    /// 204: done, and nothing to say.
    pub(super) fn no_content() -> Answer {
        Answer {
            status: 204,
            content_type: JSON,
            error_type: None,
            body: Bytes::new(),
        }
    }

    pub(super) fn error(error: &ApiError) -> Answer {
        Answer::error_of(
            error.code.status(),
            error.code.name(),
            &error.message,
            error.context.as_deref(),
        )
    }

    /// botocore finds the code in the header or in the body's `Code`, the Rust SDK in the header alone: both are sent.
    /// The members of the body are those of every exception in the API model.
    pub(super) fn error_of(
        status: u16,
        code: &str,
        message: &str,
        context: Option<&str>,
    ) -> Answer {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            code: &'a str,
            message: &'a str,
            r#type: &'a str,
            context: Option<&'a str>,
        }
        let body = Body {
            code,
            message,
            r#type: if status < 500 { "Client" } else { "Server" },
            context,
        };
        Answer {
            status,
            error_type: Some(code.to_owned()),
            ..Answer::json(&body)
        }
    }

    /// A status, and nothing else.
    pub(super) fn bare(status: u16) -> Answer {
        Answer {
            status,
            ..Answer::no_content()
        }
    }

    /// A page for people.
    pub(super) fn html(status: u16, page: &str) -> Answer {
        Answer {
            status,
            content_type: "text/html",
            error_type: None,
            body: Bytes::copy_from_slice(page.as_bytes()),
        }
    }

    /// Makes an answer that claims to be JSON but is not.
    pub(super) fn garbage() -> Answer {
        Answer {
            status: 200,
            body: Bytes::from_static(b"{\"RestoreJobId\": \x00\xff"),
            ..Answer::no_content()
        }
    }

    pub(super) fn xml(status: u16, body: String) -> Answer {
        Answer {
            status,
            content_type: "text/xml",
            error_type: None,
            body: body.into(),
        }
    }

    pub(super) fn into_response(self, request_id: &str) -> Response<Bytes> {
        let mut response = Response::new(self.body);
        *response.status_mut() =
            hyper::StatusCode::from_u16(self.status).unwrap_or(hyper::StatusCode::OK);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Ok(value) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID, value);
        }
        let code = self.error_type.as_deref();
        let code = code.filter(|_| self.content_type == JSON);
        if let Some(Ok(value)) = code.map(HeaderValue::from_str) {
            headers.insert(ERROR_TYPE, value);
        }
        response
    }
}

/// Times are the only numbers with a fraction, see [`json::thousandths`].
struct Wire;

impl Formatter for Wire {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let mut text = Vec::with_capacity(24);
        json::thousandths(&mut text, (value * 1000.0).round() as i64);
        writer.write_all(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::Epoch;
    use super::*;

    #[test]
    fn times_have_an_exponent() {
        let time = Epoch("2020-01-09T09:07:14.253Z".parse().unwrap());
        let answer = Answer::json(&[time]);
        assert_eq!(*answer.body, *b"[1.578560834253E9]");
    }

    #[test]
    fn errors_say_it_twice() {
        let answer = Answer::error(&ApiError::missing("Metadata"));
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.error_type.as_deref(),
            Some("MissingParameterValueException")
        );
        assert_eq!(
            String::from_utf8(answer.body.to_vec()).unwrap(),
            r#"{"Code":"MissingParameterValueException","Message":"Required parameter Metadata is missing.","Type":"Client","Context":"Metadata"}"#
        );
    }
}
