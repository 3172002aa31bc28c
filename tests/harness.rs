//! `redrill run` in this process, on the emulator's time, with a journal that can be made to fail.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use jiff::SignedDuration;
use redrill::aws::{Aws, ConnectionSettings};
use redrill::backup::{Endpoint, Reader, Writer};
use redrill::diagnostic::Source;
use redrill::diff::Wanted;
use redrill::execute::{Control, Ended, Observer, Policy, Stopped};
use redrill::ids::{AccountId, RegionName, RunId};
use redrill::journal::{self, Journal, LocalStore, Owner, RunKey};
use redrill::process::Processes;
use redrill::render::Inputs;
use redrill::rules::Rules;
use redrill::session::{self, Opening, Preview, Works};
use redrill::state::{
    Append, History, JournalError, Origin, Outline, Recorded, RestoreStage, RunState,
};
use redrill_emulator::{Emulator, Options, Speed, TokenSemantics};

use crate::support::{Virtual, records, store};

const FOLDER: &str = "journal";

/// An emulator whose clock only the engine moves.
pub(crate) fn driven(tokens: TokenSemantics) -> Options {
    Options {
        speed: Speed::Max,
        driven: true,
        tokens,
        // One that redrill does not know, and so sends without its mark.
        more_types: vec!["Mystery".to_owned()],
        ..Options::default()
    }
}

/// When the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// Not at all.
    Never,
    /// Instead of writing a segment.
    Before(u32),
    /// With a segment on disk, and nothing done that follows from it.
    After(u32),
}

/// A journal whose process dies.
struct Mortal {
    journal: Journal<LocalStore>,
    written: u32,
    death: Death,
}

impl Append for Mortal {
    async fn append(&mut self, events: &[Recorded]) -> Result<(), JournalError> {
        let dead = || JournalError::Disk("the process is dead".to_owned());
        if self.death == Death::Before(self.written) {
            return Err(dead());
        }
        self.journal.append(events).await?;
        if self.death == Death::After(self.written) {
            return Err(dead());
        }
        self.written += 1;
        Ok(())
    }
}

/// Sees every event, and may do something about it.
struct Onlooker<'a>(&'a mut dyn FnMut(&Recorded));

impl Observer for Onlooker<'_> {
    fn observe(&mut self, recorded: &Recorded) {
        (self.0)(recorded);
    }
}

/// How a run in this process goes, where that is not plain.
pub(crate) struct Going<'a> {
    pub(crate) death: Death,
    pub(crate) policy: Policy,
    pub(crate) onlooker: &'a mut dyn FnMut(&Recorded),
    /// What a person has asked for by the time it begins.
    pub(crate) told: Option<Control>,
    /// How far this machine's clock is ahead of AWS's.
    pub(crate) ahead: SignedDuration,
}

/// To its end, in a certain way, with somebody who looks on.
pub(crate) fn going<'a>(policy: Policy, onlooker: &'a mut dyn FnMut(&Recorded)) -> Going<'a> {
    Going {
        death: Death::Never,
        policy,
        onlooker,
        told: None,
        ahead: SignedDuration::ZERO,
    }
}

/// As fast as it goes.
pub(crate) fn fast() -> Policy {
    Policy {
        no_rate_limit: true,
        ..Policy::default()
    }
}

/// What `redrill run` does, in this process, with the emulator's time.
pub(crate) async fn run(state: &Path, text: &str, emulator: &Emulator) -> Result<Ended, Stopped> {
    run_until(state, text, emulator, Death::Never).await
}

/// The same, up to a death.
pub(crate) async fn run_until(
    state: &Path,
    text: &str,
    emulator: &Emulator,
    death: Death,
) -> Result<Ended, Stopped> {
    let going = Going {
        death,
        policy: fast(),
        onlooker: &mut |_| {},
        told: None,
        ahead: SignedDuration::ZERO,
    };
    run_going(state, text, emulator, going).await
}

/// The same in a certain way.
pub(crate) async fn run_as(
    policy: Policy,
    state: &Path,
    text: &str,
    emulator: &Emulator,
) -> Result<Ended, Stopped> {
    run_going(state, text, emulator, going(policy, &mut |_| {})).await
}

/// The same, fast, with somebody who looks on.
pub(crate) async fn run_watched(
    state: &Path,
    text: &str,
    emulator: &Emulator,
    onlooker: &mut dyn FnMut(&Recorded),
) -> Result<Ended, Stopped> {
    run_going(state, text, emulator, going(fast(), onlooker)).await
}

/// Runs a plan until so many jobs are there; the runner is gone then.
pub(crate) async fn run_until_jobs(state: &Path, text: &str, emulator: &Emulator, jobs: usize) {
    tokio::select! {
        _ = run(state, text, emulator) => unreachable!(),
        () = jobs_are_there(emulator, jobs) => {}
    }
}

/// Waits until so many jobs are there.
pub(crate) async fn jobs_are_there(emulator: &Emulator, jobs: usize) {
    while emulator.jobs().len() < jobs {
        tokio::task::yield_now().await;
    }
}

/// Time passes in which nothing is done here.
pub(crate) fn sleep(emulator: &Emulator, how_long: SignedDuration) {
    let clock = emulator.clock();
    clock.advance_to(clock.now() + how_long);
}

/// An emulator whose clock only the engine moves, and where it writes down what it is asked.
pub(crate) async fn logged(folder: &Path, tokens: TokenSemantics) -> (Emulator, PathBuf) {
    let log = folder.join("requests.jsonl");
    let options = Options {
        log: Some(log.clone()),
        ..driven(tokens)
    };
    (crate::support::emulator(options).await, log)
}

/// The same, in any way.
pub(crate) async fn run_going(
    state: &Path,
    text: &str,
    emulator: &Emulator,
    going: Going<'_>,
) -> Result<Ended, Stopped> {
    let aws = connect(emulator).await;
    run_with(&aws, state, text, emulator, going).await
}

/// A client, which takes longer to make than a small plan takes to run.
pub(crate) async fn connect(emulator: &Emulator) -> Arc<Aws> {
    let settings = ConnectionSettings {
        account: AccountId::new("123456789012"),
        region: RegionName::new("us-west-2"),
        endpoint_url: Some(emulator.url()),
        without_credentials: true,
        ..ConnectionSettings::default()
    };
    Arc::new(Aws::connect(&settings).await.unwrap())
}

/// The same with a client that is there already.
pub(crate) async fn run_with<A: Reader + Writer + 'static>(
    aws: &Arc<A>,
    state: &Path,
    text: &str,
    emulator: &Emulator,
    going: Going<'_>,
) -> Result<Ended, Stopped> {
    static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(Rules::embedded()));
    let source = Source::new("plan.yaml", text);
    let loaded = session::read(&source, &RunId::new("main"), &Inputs::default(), &RULES).unwrap();
    let (store, run) = (store(state), RunKey::new("many", &RunId::new("main")));
    let mut history = History::default();
    let take = |recorded: Recorded| {
        history.take(&recorded).unwrap();
        Ok::<(), journal::Error>(())
    };
    let journal = Journal::open(&store, &run, &owner(1), false, take).await;
    let known = session::known(&history.observed);
    let plan = loaded.draft(&known).plan.unwrap();
    let outline = Arc::new(Outline::of(&plan, Origin::default(), false, [].into_iter()));
    let wanted = Wanted {
        retry_failed: going.policy.retry_failed,
        ..Wanted::default()
    };
    let opening = Opening {
        options: Vec::new(),
        file: "plan.yaml".to_owned(),
        endpoint: Endpoint::Other {
            url: emulator.url(),
        },
        saved_plan: None,
        outline,
        start: emulator.clock().now(),
        forecast: None,
    };
    let mut preview = Preview::new(plan, history, known.clone(), wanted);
    assert!(!preview.diff.has_conflict(), "{:?}", preview.diff);
    if !preview.has_work() {
        return Ok(Ended::Finished);
    }
    let history = std::mem::take(&mut preview.history);
    let journal = Mortal {
        journal: journal.unwrap(),
        written: 0,
        death: going.death,
    };
    let opened = preview.open(journal, history, known, opening);
    let Ok(opened) = opened else {
        panic!("nobody else works on the run");
    };
    let (sender, control) = tokio::sync::mpsc::unbounded_channel();
    if let Some(told) = going.told {
        sender.send(told).unwrap();
    }
    let works = Works {
        planner: &loaded.planner,
        api: vec![Arc::clone(aws)],
        commands: Arc::new(Processes::new(state, Vec::new())),
        clock: &Virtual(emulator.clock(), going.ahead),
        observer: Onlooker(going.onlooker),
        control,
        policy: going.policy,
    };
    opened.run(works).await.ended
}

/// Who works on a run.
pub(crate) fn owner(pid: u32) -> Owner {
    Owner {
        pid,
        host: "test".to_owned(),
        user: "test".to_owned(),
        since: jiff::Timestamp::UNIX_EPOCH,
        beat_at: None,
    }
}

/// Where a run in this process keeps what it has done.
pub(crate) fn directory(state: &Path) -> PathBuf {
    state.join("many/main")
}

/// What has happened in it.
pub(crate) fn events(state: &Path) -> Vec<Recorded> {
    records(state, "many", "main").unwrap()
}

/// How far each restore is, by the journal.
pub(crate) fn observed(state: &Path) -> RunState {
    History::of(&events(state)).unwrap().observed
}

/// How many restores have completed, by the journal.
pub(crate) fn completed(state: &Path) -> usize {
    observed(state)
        .restores
        .values()
        .filter(|past| matches!(past.stage, RestoreStage::Completed { .. }))
        .count()
}

/// All segments, one behind the other.
pub(crate) fn journal_bytes(state: &Path) -> Vec<u8> {
    let folder = directory(state).join(FOLDER);
    let mut segments: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    segments.sort();
    segments
        .iter()
        .flat_map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// A journal of one segment.
pub(crate) fn set_journal(state: &Path, bytes: &[u8]) {
    let folder = directory(state).join(FOLDER);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("00000001.jsonl"), bytes).unwrap();
}
