//! Lease on a run whose record is in an object store: its holder, and whether it still holds.
//!
//! The lease says that somebody is alive; it protects nothing. The protection is that segments are created once. Clocks
//! of different machines are never compared: a lease has ended when its version has not changed for as long as it
//! lasts, by the clock of the process that waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::objects::{Object, ObjectError, Objects, Put};
use super::{Ownership, asked};
use crate::backup::{Clock as _, SystemClock, Tell};
use crate::journal::Error;
use crate::journal::store::{Fence, Owner};

/// Name of a lease, next to the journal of its run.
pub(super) const KEY: &str = "lease.json";

/// Heartbeats in the time that a lease lasts: three may be lost.
const BEATS: u32 = 4;

/// Time limit for giving a lease back.
const GOODBYE: Duration = Duration::from_secs(5);

/// Content of the lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Body {
    /// The version of the format.
    v: u32,
    /// Process that works on the run.
    #[serde(flatten)]
    owner: Owner,
    /// Unique name of its writer, by which it recognizes its own lease.
    holder: String,
    /// Number of times that it was written. Each write differs, and so has another version.
    beat: u64,
    /// Duration of the lease, milliseconds.
    lease_ms: u64,
    /// True if its holder has left.
    is_released: bool,
}

impl Body {
    const VERSION: u32 = 1;

    fn read(object: &Object) -> Option<Self> {
        let body: Self = serde_json::from_slice(&object.bytes).ok()?;
        (body.v == Self::VERSION).then_some(body)
    }

    fn bytes(&self) -> Vec<u8> {
        // Numbers and strings: serde_json cannot fail on them.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn lasts(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }
}

/// Point in time by two clocks: one that nobody sets, and one that goes on while the machine sleeps.
#[derive(Clone, Copy, Debug)]
struct ClockReading {
    steady: Instant,
    wall: Timestamp,
}

impl ClockReading {
    fn now() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemClock.now(),
        }
    }

    /// Returns the time since then, by the clock that says more.
    fn ago(&self) -> Duration {
        let wall = SystemClock.now().duration_since(self.wall);
        let wall = Duration::try_from(wall.max(SignedDuration::ZERO)).unwrap_or_default();
        self.steady.elapsed().max(wall)
    }
}

/// State of a lease, as its holder knows it.
#[derive(Debug)]
struct LeaseState {
    /// Time at which the last heartbeat that arrived was sent.
    beat: Mutex<ClockReading>,
    lasts: Duration,
    is_lost: watch::Sender<bool>,
    /// Rings with every heartbeat.
    beats: watch::Sender<u64>,
}

impl LeaseState {
    fn is_fresh(&self) -> bool {
        let beat = *self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        beat.ago() < self.lasts
    }

    fn has_beaten(&self, at: ClockReading) {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = at;
        self.beats.send_modify(|beats| *beats += 1);
    }
}

/// Store to ask for a lease, and whom to tell if it does not answer.
pub(super) struct LeaseRequest<'a, O> {
    pub(super) objects: &'a O,
    pub(super) tell: &'a Tell,
    pub(super) key: &'a str,
}

/// A run that is held; its heart beats until it is dropped.
pub struct ObjectLease {
    /// Unique name of this holder, in the lease and with every segment.
    pub(super) holder: String,
    state: Arc<LeaseState>,
    heart: Mutex<Option<JoinHandle<()>>>,
    leave: watch::Sender<bool>,
}

impl Drop for ObjectLease {
    fn drop(&mut self) {
        // The heart gives the lease back, where there is time for it; else it is over by itself.
        self.leave.send_replace(true);
    }
}

impl ObjectLease {
    /// Fence that keeps its holder from sending anything that it may not send any more.
    pub(super) fn fence(&self) -> Fence {
        let (fresh, lost) = (Arc::clone(&self.state), self.state.is_lost.subscribe());
        let beats = self.state.beats.subscribe();
        Fence::new(move || fresh.is_fresh(), lost, beats)
    }

    /// Gives the lease back, and is done once that is written, or could not be.
    pub(super) async fn release(&self) {
        self.leave.send_replace(true);
        let heart = self
            .heart
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(heart) = heart {
            // Whoever leaves does not wait for a store that does not answer.
            let _ = tokio::time::timeout(GOODBYE, heart).await;
        }
    }

    /// Takes a run: where nobody holds it, where its holder has left or is not heard of for as long as its lease lasts, or,
    /// with `take_over`, whoever holds it.
    pub(super) async fn take<O: Objects>(
        asking: LeaseRequest<'_, O>,
        owner: &Owner,
        lasts: Duration,
        take_over: bool,
    ) -> Result<Self, Error> {
        let LeaseRequest { objects, tell, key } = asking;
        let holder = uuid_of(owner);
        let mut body = Body {
            v: Body::VERSION,
            owner: owner.clone(),
            holder: holder.clone(),
            beat: 1,
            lease_ms: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX),
            is_released: false,
        };
        let mut seen: Option<(String, Instant)> = None;
        // Time for which a holder that is passed over may still believe that it has the run.
        let mut believes = Duration::ZERO;
        loop {
            let there = asked(objects, tell, key, || objects.get(key)).await?;
            if let Some(object) = &there
                && let Some(held) = Body::read(object)
                && held.holder == holder
            {
                // An answer was lost: it is ours.
                return Ok(Self::beating(
                    objects,
                    key,
                    body,
                    object.etag.clone(),
                    ClockReading::now(),
                ));
            }
            let held = there
                .as_ref()
                .and_then(|object| Some((object, Body::read(object)?)));
            let held = held.filter(|(_, held)| !held.is_released);
            if let Some((_, held)) = &held
                && take_over
            {
                believes = held.lasts();
            }
            if let Some((object, held)) = held.filter(|_| !take_over) {
                match &seen {
                    Some((etag, since)) if *etag == object.etag => {
                        if since.elapsed() < held.lasts() {
                            sleep_until(Instant::now() + held.lasts() / (2 * BEATS)).await;
                            continue;
                        }
                        // The holder has been silent for long enough.
                    }
                    Some(_) => {
                        return Err(Error::Held {
                            owner: Box::new(held.owner),
                        });
                    }
                    None => {
                        seen = Some((object.etag.clone(), Instant::now()));
                        sleep_until(Instant::now() + held.lasts() / (2 * BEATS)).await;
                        continue;
                    }
                }
            }
            body.owner.beat_at = Some(SystemClock.now());
            let sent = ClockReading::now();
            let written = match &there {
                Some(object) => {
                    objects
                        .replace(key, body.bytes(), &holder, &object.etag)
                        .await
                }
                None => objects.create(key, body.bytes(), &holder).await,
            };
            match written {
                Ok(Put::Done(etag)) => {
                    let lease = Self::beating(objects, key, body, etag, sent);
                    // Requests that the former holder sent by then are seen, and no more follow.
                    sleep_until(Instant::now() + believes).await;
                    return Ok(lease);
                }
                // Somebody else was faster, or the answer was lost: what is there now says which.
                Ok(Put::Refused) | Err(ObjectError::Unavailable(_)) => seen = None,
                Err(ObjectError::Denied(message)) => {
                    return Err(Error::Store {
                        path: format!("{}/{key}", objects.place()).into(),
                        message,
                    });
                }
            }
        }
    }

    fn beating<O: Objects>(
        objects: &O,
        key: &str,
        body: Body,
        etag: String,
        sent: ClockReading,
    ) -> Self {
        let state = Arc::new(LeaseState {
            beat: Mutex::new(sent),
            lasts: body.lasts(),
            is_lost: watch::Sender::new(false),
            beats: watch::Sender::new(0),
        });
        let leave = watch::Sender::new(false);
        let holder = body.holder.clone();
        let heart = Heart {
            objects: objects.clone(),
            key: key.to_owned(),
            body,
            etag,
            state: Arc::clone(&state),
            leaves: leave.subscribe(),
        };
        Self {
            holder,
            state,
            heart: Mutex::new(Some(tokio::spawn(heart.beat()))),
            leave,
        }
    }
}

/// Writes the lease again and again.
struct Heart<O> {
    objects: O,
    key: String,
    body: Body,
    etag: String,
    state: Arc<LeaseState>,
    leaves: watch::Receiver<bool>,
}

impl<O: Objects> Heart<O> {
    async fn beat(mut self) {
        let every = self.state.lasts / BEATS;
        let mut next = Instant::now() + every;
        // Whoever leaves does not wait for a store that does not answer: the lease is over by itself.
        let mut goodbyes = 3;
        loop {
            let is_leaving = *self.leaves.borrow();
            if !is_leaving {
                tokio::select! {
                    () = sleep_until(next) => {}
                    _ = self.leaves.changed() => continue,
                }
            }
            self.body.beat += 1;
            self.body.owner.beat_at = Some(SystemClock.now());
            self.body.is_released = is_leaving;
            let sent = ClockReading::now();
            let written = self
                .objects
                .replace(&self.key, self.body.bytes(), &self.body.holder, &self.etag)
                .await;
            next = match written {
                Ok(Put::Done(etag)) => {
                    self.etag = etag;
                    self.state.has_beaten(sent);
                    if is_leaving {
                        return;
                    }
                    Instant::now() + every
                }
                // Somebody else has it, or the answer to an earlier heartbeat was lost.
                Ok(Put::Refused) => match self.mine().await {
                    Ownership::Mine => Instant::now(),
                    Ownership::Unknown => Instant::now() + every / 4,
                    Ownership::Lost => {
                        self.state.is_lost.send_replace(true);
                        return;
                    }
                },
                Err(_) => Instant::now() + every / 4,
            };
            if is_leaving {
                goodbyes -= 1;
                if goodbyes == 0 {
                    return;
                }
            }
        }
    }

    /// Tells whether the lease there is this holder's.
    async fn mine(&mut self) -> Ownership {
        match self.objects.get(&self.key).await {
            Ok(Some(object)) => match Body::read(&object) {
                Some(body) if body.holder == self.body.holder => {
                    self.etag = object.etag;
                    Ownership::Mine
                }
                _ => Ownership::Lost,
            },
            // A lease is never deleted: somebody has removed all of it.
            Ok(None) => Ownership::Lost,
            Err(_) => Ownership::Unknown,
        }
    }
}

/// Returns the holder of a run, by its lease; `None` if nobody has it, or its holder has left.
pub(super) fn holder(object: &Object) -> Option<Owner> {
    let body = Body::read(object).filter(|body| !body.is_released);
    body.map(|body| body.owner)
}

/// Makes a name for a holder that nobody else has.
fn uuid_of(owner: &Owner) -> String {
    format!("{}-{}-{:016x}", owner.host, owner.pid, fastrand::u64(..))
}
