//! AWS STS GetCallerIdentity, so that a client that checks its account first can use one endpoint for both services.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use super::answer::Answer;
use super::query::Query;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers the query protocol: the action stands in the query or in the form that is the body.
pub(super) fn answer(query: &Query, body: &[u8], account: &str, request_id: &str) -> Answer {
    let form = Query::parse(std::str::from_utf8(body).ok());
    let action = form.text("Action").or_else(|| query.text("Action"));
    match action {
        Some("GetCallerIdentity") => Answer::xml(
            200,
            format!(
                "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\">\n  <GetCallerIdentityResult>\n    \
                 <Arn>arn:aws:iam::{account}:user/emulated</Arn>\n    \
                 <UserId>AIDAEMULATEDUSEREXMPL</UserId>\n    <Account>{account}</Account>\n  \
                 </GetCallerIdentityResult>\n  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  \
                 </ResponseMetadata>\n</GetCallerIdentityResponse>\n"
            ),
        ),
        _ => error(
            400,
            "InvalidAction",
            "The emulator serves no action of this kind but GetCallerIdentity.",
            request_id,
        ),
    }
}

/// An error of the query protocol.
pub(super) fn error(status: u16, code: &str, message: &str, request_id: &str) -> Answer {
    let sender = if status < 500 { "Sender" } else { "Receiver" };
    let (code, message) = (escape(code), escape(message));
    Answer::xml(
        status,
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>{sender}</Type>\n    \
             <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  \
             <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
        ),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
