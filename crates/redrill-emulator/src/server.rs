//! HTTP/1.1 over loopback: accepts connections, reads requests whole, hands them on, writes answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::answer::Answer;
use super::caller::Caller;
use super::clock::{self, Speed};
use super::cloud_control;
use super::connections::{Connections, End, Phase};
use super::faults::{FaultKind, FaultScript, Strike};
use super::files::{Lines, Logged};
use super::form::Form;
use super::grants;
use super::handle::{Backend, Call};
use super::iam;
use super::incoming::{Unserved, caller_of, read_body, targeted};
use super::operation::{Api, Operation, Route, route};
use super::origin;
use super::protocol;
use super::query::Query;
use super::quotas::Meter;
use super::reply::{Reply, page, respond, scripted};
use super::service_quotas;
use super::stream::Stream;
use super::sts;

/// The longest head of a request.
const MAX_HEAD: usize = 64 << 10;
/// Time that open requests may take to end when the emulator is shut down.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Everything that connections share.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) backend: Backend,
    pub(super) faults: FaultScript,
    pub(super) account: String,
    pub(super) meter: Meter,
    pub(super) log: Option<Lines>,
    pub(super) connections: Connections,
    /// Least time that a client gets for the head of a request.
    pub(super) patience: Duration,
    /// True if it listens on an address that is not loopback.
    pub(super) exposed: bool,
    /// By operation.
    pub(super) calls: Vec<AtomicU64>,
    pub(super) requests: AtomicU64,
    /// Requests that could not be logged.
    pub(super) unlogged: AtomicU64,
    pub(super) salt: u64,
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset, as scripted")]
struct Reset;

/// A request, read whole. What hyper handed over is let go before the body is read: a buffer that nobody else looks into
/// is used again for the next request.
struct Asked<'a> {
    route: &'a Route,
    query: Query,
    /// Of the query protocol.
    form: Form,
    caller: Caller,
    body: &'a [u8],
    request_id: &'a str,
}

/// Outcome of a request, for the log.
#[derive(Debug)]
struct Outcome {
    caller: Caller,
    /// Method and path, if there is a log.
    line: Option<(Method, String)>,
    operation: Option<Operation>,
    fault: Option<FaultKind>,
}

impl Server {
    /// Serves until `stop` changes or its sender is gone.
    pub(super) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        mut stop: watch::Receiver<()>,
    ) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                _ = stop.changed() => break,
                accepted = listener.accept() => accepted,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, _)) => {
                    let phase = Arc::new(Phase::default());
                    let (number, end) = self.connections.add(Arc::clone(&phase));
                    let server = Arc::clone(&self);
                    connections.spawn(async move {
                        Arc::clone(&server).connection(stream, phase, end).await;
                        server.connections.remove(number);
                    });
                }
                // Out of file descriptors, most likely: some come back.
                Err(_) => {
                    self.connections.make_room();
                    clock::delay(Duration::from_millis(1)).await;
                }
            }
        }
        drop(listener);
        self.connections.end_all(End::Gracefully);
        let rest = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_ANSWERS, rest).await;
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        phase: Arc<Phase>,
        end: oneshot::Receiver<End>,
    ) {
        // Answers are small and clients wait for them.
        let _ = stream.set_nodelay(true);
        let patience = self.patience;
        let (stream, reset) = Stream::new(stream, Arc::clone(&phase));
        let reset_now = Arc::clone(&reset);
        let of_requests = Arc::clone(&phase);
        let service = service_fn(move |request| {
            let server = Arc::clone(&self);
            let reset = Arc::clone(&reset);
            let phase = Arc::clone(&of_requests);
            phase.head_is_whole();
            async move {
                let answer = server.answer(request, &reset, &phase).await;
                phase.answered();
                answer
            }
        });
        let connection = http1::Builder::new()
            // hyper's own would end a connection too that waits for the next request.
            .header_read_timeout(None)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        // Errors here are the client's: it went away, or spoke no HTTP and was told so.
        let end = tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            end = end => end.unwrap_or(End::Gracefully),
            () = phase.stalls(patience) => return,
        };
        match end {
            End::Displaced => {}
            End::Reset => reset_now.store(true, Ordering::Release),
            End::Gracefully => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        reset: &AtomicBool,
        phase: &Phase,
    ) -> Result<Response<Reply>, Reset> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut text = Uuid::encode_buffer();
        let request_id = Uuid::from_u64_pair(self.salt, number).hyphenated();
        let request_id = &*request_id.encode_lower(&mut text);
        let (head, body) = request.into_parts();
        let caller = caller_of(
            &head.headers,
            self.backend.catalog.directory(),
            &self.account,
        );
        let query = Query::parse(head.uri.query());
        let routed = route(&head.method, head.uri.path());
        let welcome = origin::check(&head.headers, head.uri.authority(), self.exposed);
        let mut outcome = Outcome {
            caller: caller.clone(),
            line: (self.log.as_ref()).map(|_| (head.method.clone(), head.uri.path().to_owned())),
            operation: None,
            fault: None,
        };
        let has_body = head.method != Method::GET;
        let announced = head.headers.get(CONTENT_LENGTH);
        let announced = announced.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let target = head.headers.get("x-amz-target");
        let target = target.and_then(|value| {
            let (api, name) = Api::of_target(value.to_str().ok()?)?;
            Some((api, name.to_owned()))
        });
        let api = match (&target, &routed) {
            (Some((api, _)), _) => *api,
            (None, Ok(route)) => route.operation.api(),
            (None, Err(_)) => Api::Backup,
        };
        drop(head);
        if let Err(error) = welcome {
            // The body of a rejected request is not read.
            drop(body);
            let (status, code) = (error.code.status(), error.code.name());
            let answer = protocol::error(api, status, code, &error.message, request_id);
            self.log(request_id, &outcome, Some(&answer));
            let mut response = respond(answer, request_id, None);
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
            return Ok(response);
        }
        let routed = match target {
            Some((api, name)) => targeted(api, &name),
            None => routed.map_err(Unserved::Here),
        };
        // The body is read in any case, so that the connection can be used again.
        let read = match has_body {
            true => read_body(announced, body).await,
            false => Ok(Bytes::new()),
        };
        phase.request_is_whole();
        let answer = match (routed, read) {
            (Err(Unserved::Here(error)), _) => Some(Answer::error(&error)),
            (Err(Unserved::There(api, words)), _) => {
                let code = "UnknownOperationException";
                Some(protocol::error(api, 404, code, &words, request_id))
            }
            (Ok(route), Err(error)) => {
                self.count(route.operation, &mut outcome);
                let (status, code) = (error.code.status(), error.code.name());
                Some(protocol::error(
                    api,
                    status,
                    code,
                    &error.message,
                    request_id,
                ))
            }
            (Ok(route), Ok(body)) => {
                let form = match route.operation.api() {
                    Api::Sts | Api::Iam => Form::parse(&query, &body),
                    _ => Form::default(),
                };
                // The query protocol names its operation in the form.
                let operation = match route.operation {
                    Operation::GetCallerIdentity => form.operation(),
                    operation => Some(operation),
                };
                match operation {
                    None => {
                        let words = "The emulator serves no such action of the query protocol; it serves GetCallerIdentity and AssumeRole of STS, and GetRole, ListAttachedRolePolicies and SimulatePrincipalPolicy of IAM.";
                        Some(protocol::error(
                            api,
                            400,
                            "InvalidAction",
                            words,
                            request_id,
                        ))
                    }
                    Some(operation) => {
                        self.count(operation, &mut outcome);
                        let route = Route { operation, ..route };
                        let asked = Asked {
                            route: &route,
                            query,
                            form,
                            caller,
                            body: &body,
                            request_id,
                        };
                        self.struck(&asked, &mut outcome).await
                    }
                }
            }
        };
        self.log(request_id, &outcome, answer.as_ref());
        match answer {
            Some(answer) => Ok(self.dated(respond(answer, request_id, outcome.fault.as_ref()))),
            None => {
                let politely = matches!(
                    outcome.fault,
                    Some(FaultKind::CloseBefore | FaultKind::CloseAfter)
                );
                if !politely {
                    reset.store(true, Ordering::Release);
                }
                Err(Reset)
            }
        }
    }

    fn count(&self, operation: Operation, outcome: &mut Outcome) {
        outcome.operation = Some(operation);
        self.calls[operation as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// With the date of the emulator's own clock, which jobs have too.
    fn dated(&self, mut response: Response<Reply>) -> Response<Reply> {
        let now = self.backend.clock.now();
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
        if let Ok(Ok(date)) = date.map(HeaderValue::try_from) {
            response.headers_mut().insert(DATE, date);
        }
        response
    }

    /// The answer, after what a script does to the request; none if the connection ends instead.
    async fn struck(&self, asked: &Asked<'_>, outcome: &mut Outcome) -> Option<Answer> {
        let operation = asked.route.operation;
        let now = self.backend.clock.now();
        let Strike { latency, kind } = self.faults.strike(operation, asked.body, now);
        outcome.fault = kind;
        match &outcome.fault {
            Some(FaultKind::ResetBefore | FaultKind::CloseBefore) => return None,
            Some(FaultKind::Restart) => {
                self.connections.end_all(End::Reset);
                return None;
            }
            Some(FaultKind::LateDeed(delay)) => clock::delay(*delay).await,
            _ => {}
        }
        let api = operation.api();
        let scripted = outcome
            .fault
            .as_ref()
            .and_then(|fault| scripted(fault, api, asked.request_id));
        let answer = match scripted {
            Some(answer) => answer,
            None => self.perform(asked, outcome.fault.as_ref()),
        };
        let answer = match outcome.fault {
            Some(FaultKind::HtmlAfter(status)) => page(status),
            Some(FaultKind::Twice) => self.perform(asked, None),
            _ => answer,
        };
        if !latency.is_zero() {
            clock::delay(latency).await;
        }
        match outcome.fault {
            Some(FaultKind::ResetAfter | FaultKind::CloseAfter) => None,
            Some(FaultKind::NoAnswer) => std::future::pending().await,
            _ => Some(answer),
        }
    }

    fn perform(&self, asked: &Asked<'_>, fault: Option<&FaultKind>) -> Answer {
        let Asked {
            route,
            query,
            form,
            caller,
            body,
            request_id,
        } = asked;
        let operation = route.operation;
        let clock = &self.backend.clock;
        let now = clock.now();
        if let Err(wait) = self.meter.count(caller, operation, now) {
            // Whoever is throttled waits; at a standstill the jump is the wait.
            if clock.speed() == Speed::Max && !self.backend.driven {
                clock.advance_to(clock::add(now, wait));
            }
            return protocol::throttled(operation.api(), request_id);
        }
        let backend = &self.backend;
        match operation.api() {
            Api::Backup => {}
            Api::Sts => return sts::answer(backend, caller, operation, form, request_id),
            Api::Iam => return iam::answer(backend, caller, operation, form, request_id),
            Api::CloudControl => return cloud_control::answer(backend, caller, operation, body),
            Api::ServiceQuotas => return service_quotas::answer(backend, caller, operation, body),
            Api::Kms => return grants::answer(backend, caller, body),
        }
        let call = Call {
            route,
            query,
            caller,
            body,
            fault,
        };
        match self.backend.perform(&call) {
            Ok(answer) => answer,
            Err(error) => Answer::error(&error),
        }
    }

    fn log(&self, request_id: &str, outcome: &Outcome, answer: Option<&Answer>) {
        let (Some(log), Some((method, path))) = (&self.log, &outcome.line) else {
            return;
        };
        let caller = &outcome.caller;
        let line = Logged {
            at: self.backend.clock.now(),
            request_id,
            operation: outcome.operation.map(Operation::name),
            method: method.as_str(),
            path,
            account: &caller.account,
            region: caller.region.as_deref(),
            status: answer.map(|answer| answer.status),
            error: answer.and_then(|answer| answer.error_type.as_deref()),
            fault: outcome.fault.as_ref().map(|fault| format!("{fault:?}")),
        };
        // A log that cannot be written any more is no reason not to answer.
        if log.add(&line).is_err() {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
        }
    }
}
