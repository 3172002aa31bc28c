//! XML of the query protocol.

use super::answer::Answer;
use super::operation::Api;

/// The namespace of a service's answers, by its model.
pub(super) fn namespace(api: Api) -> &'static str {
    match api {
        Api::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
        _ => "https://sts.amazonaws.com/doc/2011-06-15/",
    }
}

/// The answer of an operation: `inner` is what its result holds.
pub(super) fn result(api: Api, operation: &str, inner: &str, request_id: &str) -> Answer {
    let namespace = namespace(api);
    Answer::xml(
        200,
        format!(
            "<{operation}Response xmlns=\"{namespace}\">\n  <{operation}Result>\n{inner}  </{operation}Result>\n  \
             <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n</{operation}Response>\n"
        ),
    )
}

/// An error of the query protocol.
pub(super) fn error(
    namespace: &str,
    status: u16,
    code: &str,
    message: &str,
    request_id: &str,
) -> Answer {
    let sender = if status < 500 { "Sender" } else { "Receiver" };
    let (written, message) = (escape(code), escape(message));
    let answer = Answer::xml(
        status,
        format!(
            "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    <Type>{sender}</Type>\n    \
             <Code>{written}</Code>\n    <Message>{message}</Message>\n  </Error>\n  \
             <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
        ),
    );
    Answer {
        error_type: Some(code.to_owned()),
        ..answer
    }
}

/// An element with text in it.
pub(super) fn element(out: &mut String, name: &str, text: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    out.push_str(&escape(text));
    out.push_str("</");
    out.push_str(name);
    out.push_str(">\n");
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
