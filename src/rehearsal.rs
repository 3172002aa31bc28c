//! AWS as the embedded emulator plays it: the real engine works against it over real HTTP, and no time is waited for.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use redrill_emulator::{Emulator, Speed, StartError};

pub use redrill_emulator::Options;

use crate::aws::{Aws, ConnectionSettings};
use crate::backup::{ApiError, Clock, SystemClock};
use crate::render::Target;

/// An emulator in this process, and a client for each target of a plan.
pub struct Rehearsal {
    emulator: Emulator,
    aws: Vec<Arc<Aws>>,
}

/// Failure to start a rehearsal.
#[derive(Debug, thiserror::Error)]
pub enum NotRehearsed {
    /// The emulator has not started.
    #[error(transparent)]
    Emulator(#[from] StartError),
    /// A client of it was not made.
    #[error(transparent)]
    Aws(#[from] ApiError),
}

impl Rehearsal {
    /// Starts an emulator for some targets; with several, each caller says its own account and Region.
    ///
    /// # Errors
    ///
    /// Where no port of this machine is free, or AWS's configuration on it is broken.
    pub async fn start(options: Options, targets: &[Target]) -> Result<Self, NotRehearsed> {
        let caller = (targets.len() == 1).then(|| targets[0].clone());
        let options = Options {
            driven: true,
            account: caller.as_ref().map(|target| target.account.to_string()),
            region: caller.map(|target| target.region.to_string()),
            ..options
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let emulator = Emulator::start(address, options).await?;
        let mut aws = Vec::with_capacity(targets.len());
        for target in targets {
            let settings = ConnectionSettings {
                account: target.account.clone(),
                region: target.region.clone(),
                assume_role_arn: None,
                profile: None,
                endpoint_url: Some(emulator.url()),
                without_credentials: true,
                empty_endpoint: false,
            };
            aws.push(Arc::new(Aws::connect(&settings).await?));
        }
        Ok(Self { emulator, aws })
    }

    /// The clients, one a target.
    #[must_use]
    pub fn aws(&self) -> &[Arc<Aws>] {
        &self.aws
    }

    /// Returns the URL of the emulator.
    #[must_use]
    pub fn url(&self) -> String {
        self.emulator.url()
    }

    /// The emulator's time, for the engine to share.
    #[must_use]
    pub fn clock(&self) -> RehearsalClock {
        RehearsalClock(self.emulator.clock())
    }

    /// Stops the emulator.
    pub async fn shutdown(self) {
        self.emulator.shutdown().await;
    }
}

/// The emulator's time, shared with the engine: a wait in which nobody else has anything to do is skipped.
pub struct RehearsalClock(redrill_emulator::Clock);

impl Clock for RehearsalClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        match self.0.speed() {
            // Calls are under way; time stands still until they have answered.
            Speed::Max => std::future::pending().await,
            Speed::Times(times) => {
                let left = at.duration_since(self.now()).as_secs_f64() / times;
                let real = SignedDuration::from_secs_f64(left.max(0.0));
                SystemClock.sleep_until(SystemClock.now() + real).await;
            }
        }
    }

    async fn idle_until(&self, at: Timestamp) {
        match self.0.speed() {
            // The emulator's time has milliseconds: one more, or it would stand just before `at` for ever.
            Speed::Max => self.0.advance_to(at + SignedDuration::from_millis(1)),
            Speed::Times(_) => self.sleep_until(at).await,
        }
    }
}
