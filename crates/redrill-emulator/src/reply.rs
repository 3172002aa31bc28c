//! Outgoing answers, whole or as a fault script cripples them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONNECTION, HeaderValue};

use super::answer::{Answer, REQUEST_ID};
use super::clock;
use super::faults::FaultKind;
use super::operation::Api;
use super::protocol;

/// The body of a response.
pub(super) type Reply = Either<Full<Bytes>, Crippled>;

/// A body that promises all of it, and sends less or slowly.
pub(super) struct Crippled {
    rest: Bytes,
    promised: u64,
    how: How,
}

enum How {
    /// So many bytes, then the end.
    Ends(usize),
    /// Bytes are on their way, and the end is next.
    Ended,
    /// A byte, a wait, a byte.
    Drips(Duration, Option<Pin<Box<dyn Future<Output = ()> + Send>>>),
}

/// The body ends before its end, as scripted.
#[derive(Debug, thiserror::Error)]
#[error("the answer is cut short, as scripted")]
pub(super) struct CutShort;

impl Body for Crippled {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let Crippled { rest, how, .. } = &mut *self;
        match how {
            How::Ended => Poll::Ready(Some(Err(CutShort))),
            How::Ends(0) => {
                // Written bytes go out while this waits; an error at once would take them along.
                *how = How::Ended;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            How::Ends(count) => {
                let part = rest.split_to((*count).min(rest.len()));
                *count = 0;
                Poll::Ready(Some(Ok(Frame::data(part))))
            }
            How::Drips(..) if rest.is_empty() => Poll::Ready(None),
            How::Drips(each, wait) => {
                let waiting = wait.get_or_insert_with(|| Box::pin(clock::delay(*each)));
                match waiting.as_mut().poll(context) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => {
                        *wait = None;
                        Poll::Ready(Some(Ok(Frame::data(rest.split_to(1)))))
                    }
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}

/// The response to send for an answer, after what a fault does to it on its way.
pub(super) fn respond(
    answer: Answer,
    request_id: &str,
    fault: Option<&FaultKind>,
) -> Response<Reply> {
    let response = answer.into_response(request_id);
    let (mut head, body) = response.into_parts();
    let how = match fault {
        Some(FaultKind::Truncate) => How::Ends(body.len() / 2),
        Some(FaultKind::Drip(each)) => How::Drips(*each, None),
        Some(FaultKind::HtmlAfter(_)) => {
            head.headers.remove(REQUEST_ID);
            return Response::from_parts(head, Either::Left(Full::new(body)));
        }
        Some(FaultKind::CloseConnection) => {
            head.headers
                .insert(CONNECTION, HeaderValue::from_static("close"));
            return Response::from_parts(head, Either::Left(Full::new(body)));
        }
        _ => return Response::from_parts(head, Either::Left(Full::new(body))),
    };
    let crippled = Crippled {
        promised: body.len() as u64,
        rest: body,
        how,
    };
    Response::from_parts(head, Either::Right(crippled))
}

/// A page for people, as proxies and load balancers write.
pub(super) fn page(status: u16) -> Answer {
    const PAGE: &str =
        "<html><head><title>Error</title></head><body>Something went wrong.</body></html>\n";
    Answer::html(status, PAGE)
}

/// The answer that a fault gives in place of the service.
pub(super) fn scripted(fault: &FaultKind, api: Api, request_id: &str) -> Option<Answer> {
    let (status, code, message) = match fault {
        FaultKind::Throttle | FaultKind::Squeeze(_) => {
            return Some(protocol::throttled(api, request_id));
        }
        FaultKind::Error {
            status,
            code,
            message,
        } => (*status, code, message),
        FaultKind::CodeInBodyOnly {
            status,
            code,
            message,
        } => {
            let answer = protocol::error(api, *status, code, message, request_id);
            return Some(Answer {
                error_type: None,
                ..answer
            });
        }
        FaultKind::Bare(status) => return Some(Answer::bare(*status)),
        FaultKind::Html(status) => return Some(page(*status)),
        FaultKind::Garbage => return Some(Answer::garbage()),
        _ => return None,
    };
    Some(protocol::error(api, status, code, message, request_id))
}
