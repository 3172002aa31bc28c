//! An emulator that runs: how it is started, watched and stopped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::caller::Caller;
use super::catalog::Catalog;
use super::clock::{Clock, Speed};
use super::connections::{Connections, End};
use super::estimate::{self, Estimate, Span};
use super::faults::{Fault, FaultScript, Faults};
use super::files::{self, Lines, Record};
use super::handle::Backend;
use super::job::JobSnapshot;
use super::operation::Operation;
use super::pages::Pages;
use super::paging::Pager;
use super::quotas::{Meter, Quotas};
use super::server::Server;
use super::service::Service;
use super::tokens::TokenSemantics;
use redrill_inventory::Inventory;
use redrill_inventory::is_account_id;

/// Behaviour of an emulator.
#[derive(Clone, Debug)]
pub struct Options {
    /// Inventory of what exists. Without one every well-formed recovery point ARN does, in the vault `Default`, created
    /// one hour before the start; its type is the ResourceType of the request, or the likeliest one for the ARN.
    pub inventory: Option<Inventory>,
    /// Resource types that are taken without an inventory besides those that it knows: AWS adds some.
    pub more_types: Vec<String>,
    /// Speed of time; 600 times by default.
    pub speed: Speed,
    /// At [`Speed::Max`]: who moves the clock. When false, a DescribeRestoreJob moves it, after its answer, to the next
    /// change of the job, and a listing, after its last page, to where each unfinished job that it is about has changed
    /// once, whether it showed them or not: a client that has looked waits, and the jump is its wait. When true, nothing
    /// does but [`Clock::advance_to`].
    pub driven: bool,
    /// Effect of a second StartRestoreJob with the same token; the documented meaning by default.
    pub tokens: TokenSemantics,
    /// Scripted faults; none by default. More can be added while it runs, with [`Emulator::inject`].
    pub faults: Faults,
    /// The account of callers whose access key id is not itself 12 digits. Without one: the first of the inventory, or
    /// 123456789012.
    pub account: Option<String>,
    /// The region where neither the signature nor an ARN names one. Without one: the first of the inventory, or us-east-1.
    pub region: Option<String>,
    /// Limits on the rate of calls; none by default.
    pub quotas: Quotas,
    /// A file that each request is added to, as a line of JSON.
    pub log: Option<PathBuf>,
    /// A file that keeps the jobs over a restart: with the same inventory and token semantics they come back as they were,
    /// and the clock goes on where it ended.
    pub state: Option<PathBuf>,
    /// Listen on an address that is not loopback. It is dangerous: no signature is checked, so that everyone who reaches
    /// it can see what is restored, start and fail jobs, and fill the memory.
    pub exposed: bool,
    /// Least time that a client gets for the head of a request; 15 seconds by default. A connection that waits for its
    /// next request is not ended for that.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            inventory: None,
            more_types: Vec::new(),
            speed: Speed::Times(600.0),
            driven: false,
            tokens: TokenSemantics::default(),
            faults: Faults::default(),
            account: None,
            region: None,
            quotas: Quotas::none(),
            log: None,
            state: None,
            exposed: false,
            patience: Duration::from_secs(15),
        }
    }
}

/// Reason why an emulator did not start. The caller's options or machine are at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Anyone who reaches it can use it: it checks no signature.
    #[error(
        "the emulator checks no credentials, so it listens on loopback only, not on {0}; use 127.0.0.1 or [::1]"
    )]
    NotLoopback(SocketAddr),
    /// The port is taken, most likely.
    #[error("cannot listen on {addr}")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// Cause of the failure.
        #[source]
        source: std::io::Error,
    },
    /// The log or the state, which cannot be opened or read.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Cause of the failure.
        #[source]
        source: std::io::Error,
    },
    /// Not 12 digits.
    #[error("{0:?} is not an account id: 12 digits")]
    Account(String),
}

/// A local AWS Backup that is listening. Dropping it stops it at once; [`Emulator::shutdown`] lets open requests end.
#[derive(Debug)]
pub struct Emulator {
    addr: SocketAddr,
    server: Arc<Server>,
    stop: watch::Sender<()>,
    task: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Listens on a loopback address; port 0 picks a free one. Runs on the caller's tokio runtime.
    ///
    /// # Errors
    ///
    /// [`StartError`]: the address is not loopback or not free, or the account is none.
    pub async fn start(addr: SocketAddr, options: Options) -> Result<Emulator, StartError> {
        if !addr.ip().is_loopback() && !options.exposed {
            return Err(StartError::NotLoopback(addr));
        }
        let first = options
            .inventory
            .as_ref()
            .and_then(|inventory| inventory.accounts.first());
        let account = options
            .account
            .or_else(|| first.map(|entry| entry.account.clone()))
            .unwrap_or_else(|| "123456789012".to_owned());
        if !is_account_id(&account) {
            return Err(StartError::Account(account));
        }
        let default_region = options
            .region
            .or_else(|| first.map(|entry| entry.region.clone()))
            .unwrap_or_else(|| "us-east-1".to_owned());

        let listen = async { TcpListener::bind(addr).await.map(|l| (l.local_addr(), l)) };
        let (bound, listener) = match listen.await {
            Ok((Ok(bound), listener)) => (bound, listener),
            Ok((Err(source), _)) | Err(source) => return Err(StartError::Listen { addr, source }),
        };

        let log = match &options.log {
            Some(path) => Some(Lines::append(path).map_err(|error| unusable(path, error))?),
            None => None,
        };
        let (state, records) = match &options.state {
            Some(path) => {
                let opened = files::open_state(path).map_err(|error| unusable(path, error))?;
                (Some(opened.0), opened.1)
            }
            None => (None, Vec::new()),
        };
        let last = records.iter().filter_map(Record::at).max();
        let clock = Clock::start(options.speed, last.unwrap_or(Timestamp::MIN));
        let started = clock.now();
        let catalog = Catalog::new(options.inventory, options.more_types, started);
        let salt = fastrand::u64(..);
        let service = Service::new(options.tokens);
        let backend = Backend {
            clock,
            driven: options.driven,
            started,
            pager: Pager::new(salt),
            pages: Pages::default(),
            catalog,
            service: Mutex::new(service),
            default_region,
            state,
        };
        if let (Err(error), Some(path)) = (backend.replay(records), &options.state) {
            return Err(unusable(path, std::io::Error::other(error)));
        }
        let server = Arc::new(Server {
            backend,
            faults: FaultScript::new(options.faults),
            meter: Meter::new(options.quotas),
            log,
            connections: Connections::default(),
            patience: options.patience,
            exposed: options.exposed,
            account,
            calls: Operation::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            requests: AtomicU64::new(0),
            unlogged: AtomicU64::new(0),
            salt,
        });
        let (stop, stopped) = watch::channel(());
        let task = tokio::spawn(Arc::clone(&server).serve(listener, stopped));
        Ok(Emulator {
            addr: bound,
            server,
            stop,
            task: Some(task),
        })
    }

    /// Returns the address on which it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://ADDR:PORT`, for `AWS_ENDPOINT_URL` and `--endpoint-url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its clock. All times in its answers are of this clock.
    pub fn clock(&self) -> Clock {
        self.server.backend.clock.clone()
    }

    /// All jobs as they stand now, in the order of their creation.
    pub fn jobs(&self) -> Vec<JobSnapshot> {
        let now = self.server.backend.clock.now();
        let service = self.server.backend.service();
        let jobs = service.all();
        jobs.iter().map(|job| job.snapshot(now)).collect()
    }

    /// The ARNs of everything that exists now in an account: what the inventory has, and what jobs have made there,
    /// without what was deleted.
    pub fn resources(&self, account: &str) -> Vec<String> {
        let backend = &self.server.backend;
        let now = backend.clock.now();
        let caller = Caller {
            account: account.to_owned(),
            ..Caller::default()
        };
        let arns = backend.service().arns(&backend.catalog, &caller, now);
        arns.into_iter().map(|(arn, _)| arn).collect()
    }

    /// Returns the time that the jobs that have ended would have taken in real time; none if none has.
    pub fn estimate(&self) -> Option<Estimate> {
        let backend = &self.server.backend;
        let service = backend.service();
        let jobs = service.all();
        let spans: Vec<Span> = jobs.iter().map(Span::from).collect();
        let aws = Quotas::aws()
            .operations
            .get(&Operation::StartRestoreJob)
            .copied();
        let starting = match aws {
            Some(rate) if !self.server.meter.limits(Operation::StartRestoreJob) => {
                // Children start with their parents.
                let asked_for = jobs.iter().filter(|job| job.parent.is_none());
                estimate::starting(asked_for.map(|job| (&job.account, &job.region)), rate)
            }
            _ => SignedDuration::ZERO,
        };
        Estimate::of(&spans, backend.clock.now(), starting)
    }

    /// Returns when the status of any job changes next; none when all have ended.
    pub fn next_event(&self) -> Option<Timestamp> {
        let backend = &self.server.backend;
        backend.service().timeline.next(backend.clock.now())
    }

    /// Counts the calls of each operation, faults included.
    pub fn calls(&self) -> BTreeMap<Operation, u64> {
        let counts = self.server.calls.iter().map(|n| n.load(Ordering::Relaxed));
        let all = Operation::ALL.iter().copied();
        all.zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    /// Counts the requests that are not in the log, because it could not be written.
    pub fn unlogged(&self) -> u64 {
        self.server.unlogged.load(Ordering::Relaxed)
    }

    /// Adds a fault, after those that are there.
    pub fn inject(&self, fault: Fault) {
        self.server.faults.add(fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.server.faults.clear();
    }

    /// Resets every connection, as a restart of the service does. Jobs and tokens stay.
    pub fn drop_connections(&self) {
        self.server.connections.end_all(End::Reset);
    }

    /// Stops listening, lets open requests end (two seconds at most), and closes every connection.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(());
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
        let backend = &self.server.backend;
        if let Some(state) = &backend.state {
            // The last record has a time too; this one is later.
            let _ = state.add(&Record::Stopped {
                at: backend.clock.now(),
            });
        }
    }
}

fn unusable(path: &Path, source: std::io::Error) -> StartError {
    StartError::File {
        path: path.to_owned(),
        source,
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
