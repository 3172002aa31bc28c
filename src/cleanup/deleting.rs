//! From what is to be deleted to the proof that it is gone.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Fate, Found, Item, Named};
use crate::diff::{ApiError, Fault};
use crate::execute::{Clock, Control, Ended, Event, Journal, JournalError, Recorded};

/// How long to wait between two looks: a quarter of what has passed, within these.
const SHORTEST: SignedDuration = SignedDuration::from_millis(500);
const LONGEST: SignedDuration = SignedDuration::from_secs(15);
/// How often an absence is looked for that AWS does not show yet.
const LOOKS: u32 = 20;

/// Resources of any type, by the names that Cloud Control API has for them.
pub trait Resources: Send + Sync {
    /// What is there; none where nothing is (GetResource).
    fn find(&self, named: &Named) -> impl Future<Output = Result<Option<Found>, ApiError>> + Send;

    /// Asks for its deletion (DeleteResource): the token of the request; none where it is not there any more.
    fn delete(
        &self,
        named: &Named,
        token: &str,
    ) -> impl Future<Output = Result<Option<String>, ApiError>> + Send;

    /// How far a request is (GetResourceRequestStatus).
    fn progress(
        &self,
        named: &Named,
        request: &str,
    ) -> impl Future<Output = Result<Progress, ApiError>> + Send;
}

/// How far a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on.
    UnderWay,
    /// It is done.
    Done,
    /// It has failed: AWS's words.
    Failed(String),
}

/// What a cleanup has come to.
#[derive(Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// Whether everything was looked at, or somebody wanted to leave before.
    pub ended: Ended,
    /// What is gone now.
    pub gone: usize,
    /// What is left, and why.
    pub left: Vec<(Item, String)>,
}

/// Why a cleanup stopped: what was asked for goes on at AWS, and the same command takes it up again.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The disk.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// AWS, the network or the credentials.
    #[error(transparent)]
    Aws(#[from] ApiError),
}

/// Why nothing more is asked.
enum Halt {
    /// Somebody wants to leave.
    Left(Ended),
    /// It cannot go on.
    Stopped(Stopped),
}

impl From<Stopped> for Halt {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// Everything that a cleanup works with.
pub struct Deletions<'a, R, J, C> {
    /// AWS.
    pub resources: &'a R,
    /// The journal of the run.
    pub journal: J,
    /// Time.
    pub clock: &'a C,
    /// Sees every event, after it is on disk.
    pub observer: &'a mut dyn FnMut(&Recorded),
    /// Who wants to leave: after the call that is under way, or at once.
    pub control: UnboundedReceiver<Control>,
}

impl<R: Resources, J: Journal, C: Clock> Deletions<'_, R, J, C> {
    /// Deletes level after level: what needs something is gone before that goes.
    ///
    /// # Errors
    ///
    /// Where it cannot go on.
    pub async fn carry_out(mut self, levels: &[Vec<Item>]) -> Result<Cleaned, Stopped> {
        let mut cleaned = Cleaned {
            ended: Ended::Finished,
            gone: 0,
            left: Vec::new(),
        };
        match self.delete(levels, &mut cleaned).await {
            Ok(()) => {}
            Err(Halt::Left(ended)) => cleaned.ended = ended,
            Err(Halt::Stopped(stopped)) => return Err(stopped),
        }
        Ok(cleaned)
    }

    async fn delete(&mut self, levels: &[Vec<Item>], cleaned: &mut Cleaned) -> Result<(), Halt> {
        let mut kept = BTreeSet::new();
        for level in levels {
            let mut asked = Vec::new();
            for item in level {
                match (&item.fate, &item.arn) {
                    (Fate::Delete { named, token, .. }, Some(arn)) => {
                        if let Some(request) = self.ask(item, arn, named, token, cleaned).await? {
                            asked.push((item, arn.as_str(), named, request));
                        }
                    }
                    (Fate::Left(why), arn) => {
                        if let (Some(arn), true) = (arn, kept.insert((&item.restore, arn))) {
                            self.left_unasked(item, arn, why)?;
                        }
                        cleaned.left.push((item.clone(), why.clone()));
                    }
                    (Fate::Gone, _) => cleaned.gone += 1,
                    (Fate::Stays(_) | Fate::Delete { .. }, _) => {}
                }
            }
            for (item, arn, named, request) in asked {
                self.follow(item, arn, named, &request, cleaned).await?;
            }
        }
        Ok(())
    }

    fn say(&mut self, event: Event) -> Result<(), Stopped> {
        let at = self.clock.now();
        let recorded = [Recorded {
            at,
            aws_ahead: None,
            event,
        }];
        self.journal.append(&recorded)?;
        (self.observer)(&recorded[0]);
        Ok(())
    }

    fn left_unasked(&mut self, item: &Item, arn: &str, why: &str) -> Result<(), Stopped> {
        self.say(Event::Left {
            restore: item.restore.clone(),
            arn: arn.to_owned(),
            message: why.to_owned(),
        })
    }

    /// Asks for one deletion, if it is there; the request to follow.
    async fn ask(
        &mut self,
        item: &Item,
        arn: &str,
        named: &Named,
        token: &str,
        cleaned: &mut Cleaned,
    ) -> Result<Option<Option<String>>, Halt> {
        self.leave_if_asked()?;
        self.say(Event::Deleting {
            restore: item.restore.clone(),
            arn: arn.to_owned(),
            token: token.to_owned(),
        })?;
        let deleted = self.patiently(async |resources: &R| resources.delete(named, token).await);
        match deleted.await? {
            Ok(request) => Ok(Some(request)),
            Err(error) => {
                self.refused(item, arn, error, cleaned)?;
                Ok(None)
            }
        }
    }

    /// Waits for the end of a deletion, and looks whether it is gone.
    async fn follow(
        &mut self,
        item: &Item,
        arn: &str,
        named: &Named,
        request: &Option<String>,
        cleaned: &mut Cleaned,
    ) -> Result<(), Halt> {
        let began = self.clock.now();
        while let Some(request) = request {
            let progress =
                self.patiently(async |resources: &R| resources.progress(named, request).await);
            match progress.await? {
                Ok(Progress::UnderWay) => self.wait(began).await?,
                Ok(Progress::Done) => break,
                Ok(Progress::Failed(why)) => {
                    // Somebody may have been faster.
                    let found = self.patiently(async |r: &R| r.find(named).await);
                    if found.await?.map_err(Stopped::from)?.is_some() {
                        return Ok(self.is_left(item, arn, why, cleaned)?);
                    }
                    break;
                }
                Err(error) => return Ok(self.refused(item, arn, error, cleaned)?),
            }
        }
        for _ in 0..LOOKS {
            let found = self.patiently(async |r: &R| r.find(named).await);
            match found.await? {
                Ok(None) => {
                    self.say(Event::Deleted {
                        restore: item.restore.clone(),
                        arn: arn.to_owned(),
                    })?;
                    cleaned.gone += 1;
                    return Ok(());
                }
                Ok(Some(_)) => self.wait(began).await?,
                Err(error) => return Ok(self.refused(item, arn, error, cleaned)?),
            }
        }
        let why = "AWS says that it is deleted, and still shows it".to_owned();
        Ok(self.is_left(item, arn, why, cleaned)?)
    }

    /// Waits, unless somebody wants to leave: nothing is under way meanwhile.
    async fn wait(&mut self, began: jiff::Timestamp) -> Result<(), Halt> {
        let now = self.clock.now();
        let passed = now.duration_since(began) / 4;
        let waited = self.clock.idle_until(now + passed.clamp(SHORTEST, LONGEST));
        tokio::select! {
            biased;
            Some(control) = self.control.recv() => Err(leave(control)),
            () = waited => Ok(()),
        }
    }

    fn leave_if_asked(&mut self) -> Result<(), Halt> {
        match self.control.try_recv() {
            Ok(control) => Err(leave(control)),
            Err(_) => Ok(()),
        }
    }

    /// The same call again while AWS only asks for patience. Who wants to leave waits for the one under way, unless it has
    /// to be at once.
    async fn patiently<T>(
        &mut self,
        call: impl AsyncFn(&R) -> Result<T, ApiError>,
    ) -> Result<Result<T, ApiError>, Halt> {
        let began = self.clock.now();
        let mut tries = 0;
        loop {
            self.leave_if_asked()?;
            let mut leaving = None;
            let answer = tokio::select! {
                answer = call(self.resources) => answer,
                () = at_once(&mut self.control, &mut leaving) => return Err(Halt::Left(Ended::Interrupted)),
            };
            match (answer, leaving) {
                (Err(error), None) if error.fault == Fault::Throttled && tries < LOOKS => {
                    tries += 1;
                    self.wait(began).await?;
                }
                (answer, None) => return Ok(answer),
                // What it said is asked again by whoever goes on.
                (_, Some(control)) => return Err(leave(control)),
            }
        }
    }

    /// What AWS has judged is said, and the rest goes on; without an answer nothing is known, and nothing is concluded.
    fn refused(
        &mut self,
        item: &Item,
        arn: &str,
        error: ApiError,
        cleaned: &mut Cleaned,
    ) -> Result<(), Stopped> {
        match error.fault {
            Fault::Refused => self.is_left(item, arn, error.message, cleaned),
            _ => Err(error.into()),
        }
    }

    fn is_left(
        &mut self,
        item: &Item,
        arn: &str,
        why: String,
        cleaned: &mut Cleaned,
    ) -> Result<(), Stopped> {
        self.left_unasked(item, arn, &why)?;
        cleaned.left.push((item.clone(), why));
        Ok(())
    }
}

fn leave(control: Control) -> Halt {
    Halt::Left(match control {
        Control::Detach => Ended::Detached,
        Control::Now => Ended::Interrupted,
    })
}

/// Returns when somebody wants to leave at once; notes meanwhile who wants to leave.
async fn at_once(control: &mut UnboundedReceiver<Control>, leaving: &mut Option<Control>) {
    loop {
        match control.recv().await {
            Some(Control::Now) => return,
            Some(Control::Detach) => *leaving = Some(Control::Detach),
            None => std::future::pending().await,
        }
    }
}
