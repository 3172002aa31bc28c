//! For the fuzz target: everything behind HTTP, without HTTP.

use std::sync::Mutex;

use jiff::Timestamp;

use super::caller::Caller;
use super::catalog::Catalog;
use super::clock::{Clock, Speed};
use super::faults::Faults;
use super::form::Form;
use super::handle::{Backend, Call};
use super::iam;
use super::operation::{Api, Operation, route};
use super::pages::Pages;
use super::paging::Pager;
use super::query::Query;
use super::service::Service;
use super::sts;
use super::tokens::TokenSemantics;
use redrill_inventory::Inventory;

/// Does one request after another on a new emulator, and looks at every job in between; the status of each answer. The
/// target is path and query.
#[doc(hidden)]
pub fn requests<'a>(
    inventory: Option<Inventory>,
    requests: impl IntoIterator<Item = (&'a str, &'a str, &'a [u8])>,
) -> Vec<u16> {
    let clock = Clock::start(Speed::Max, Timestamp::MIN);
    let started = clock.now();
    let region = "us-east-1".to_owned();
    let catalog = Catalog::new(inventory, Vec::new(), started);
    let service = Service::new(TokenSemantics::recorded());
    let backend = Backend {
        clock,
        driven: false,
        started,
        default_region: region.clone(),
        pager: Pager::new(7),
        pages: Pages::default(),
        catalog,
        service: Mutex::new(service),
        state: None,
    };
    let caller = Caller {
        account: "123456789012".to_owned(),
        region: Some(region),
        ..Caller::default()
    };
    let mut statuses = Vec::new();
    for (method, target, body) in requests {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let Ok(method) = hyper::Method::from_bytes(method.as_bytes()) else {
            continue;
        };
        let query = Query::parse(query);
        let answer = match route(&method, path) {
            Err(error) => super::answer::Answer::error(&error),
            Ok(route) if route.operation == Operation::GetCallerIdentity => {
                let form = Form::parse(&query, body);
                match form.operation() {
                    Some(operation) if operation.api() == Api::Iam => {
                        iam::answer(&backend, &caller, operation, &form, "id")
                    }
                    Some(operation) => sts::answer(&backend, &caller, operation, &form, "id"),
                    None => continue,
                }
            }
            Ok(route) => {
                let call = Call {
                    route: &route,
                    query: &query,
                    caller: &caller,
                    body,
                    fault: None,
                };
                let done = backend.perform(&call);
                done.unwrap_or_else(|error| super::answer::Answer::error(&error))
            }
        };
        assert!(
            answer.status != 500,
            "an answer of the emulator's own making: {answer:?}"
        );
        statuses.push(answer.status);
        let now = backend.clock.now();
        for job in backend.service().all() {
            let _ = job.snapshot(now);
        }
    }
    statuses
}

/// Reads a text as everything that people write for an emulator.
#[doc(hidden)]
pub fn texts(text: &str) {
    let _ = Inventory::parse(text);
    let _ = Faults::parse(text);
    let _ = text.parse::<super::faults::Fault>();
    let _ = super::quotas::Quotas::parse(text);
}
