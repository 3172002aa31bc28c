//! Everything at once, at random: deaths at every record, lost answers, forgotten and finished tokens, throttling storms,
//! clock jumps between runs, within them and while a request is on its way, an AWS that restarts, journals deleted between
//! two runs. Marks in upper case or dropped, answers about other jobs, jobs of strangers, clocks two hours apart, pages of a
//! proxy in place of answers, requests that arrive twice, journals torn at their ends. Jobs are as many as restores, and
//! each is followed to its end.
//!
//! `cargo test torture` dies 40 times; `REDRILL_TORTURE=10000 cargo test torture -- --nocapture` so often.
//! A failure prints its seed; `REDRILL_TORTURE_SEED=<seed>` repeats it. `REDRILL_TORTURE_FROM=<seed>` begins elsewhere, so that
//! several can run at once.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::SignedDuration;
use redrill::execute::{DuplicatePolicy, Ended, Policy, Stopped};
use redrill::state::Recorded;
use redrill_emulator::{
    AfterFinish, Emulator, Fault, FaultKind, Mismatch, Operation, Options, TokenSemantics,
};

use crate::engine::{OTHER, stranger};
use crate::harness::{Death, Going, completed, directory, driven, run_going};
use crate::support::{emulator, folder, many};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "what a long run has come to")]
async fn torture() {
    if let Some(seed) = number("REDRILL_TORTURE_SEED") {
        one(seed).await;
        return;
    }
    let wanted = number("REDRILL_TORTURE").unwrap_or(40);
    let first = number("REDRILL_TORTURE_FROM").unwrap_or(0);
    let (mut deaths, mut runs) = (0, 0);
    while deaths < wanted {
        let before = deaths;
        deaths += one(first + runs).await;
        runs += 1;
        if deaths / 1_000 > before / 1_000 {
            eprintln!("{deaths} deaths so far");
        }
    }
    eprintln!("{deaths} deaths in {runs} runs");
}

/// A machine that falls asleep while its first request is on its way, and is not told what became of it.
async fn sleep_on_the_way(emulator: &Emulator, asleep: Option<SignedDuration>) {
    let Some(asleep) = asleep else {
        return std::future::pending().await;
    };
    let started = || {
        let calls = emulator.calls();
        calls.get(&Operation::StartRestoreJob).copied()
    };
    let before = started();
    emulator.inject(Fault::new(Operation::StartRestoreJob, FaultKind::NoAnswer).times(1));
    while started() == before {
        tokio::task::yield_now().await;
    }
    let clock = emulator.clock();
    clock.advance_to(clock.now() + asleep);
    emulator.drop_connections();
    std::future::pending().await
}

/// The end of what was written last did not come to the disk.
fn tear(state: &Path, random: &mut fastrand::Rng) {
    let Ok(segments) = std::fs::read_dir(directory(state).join("journal")) else {
        return;
    };
    let Some(last) = segments.map(|entry| entry.unwrap().path()).max() else {
        return;
    };
    let bytes = std::fs::read(&last).unwrap();
    if bytes.len() > 1 {
        std::fs::write(&last, &bytes[..random.usize(1..bytes.len())]).unwrap();
    }
}

/// One run that dies again and again until it ends; how often it died.
async fn one(seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let tokens = TokenSemantics {
        after_finish: if random.bool() {
            AfterFinish::SameJob
        } else {
            AfterFinish::AlreadyFinished
        },
        lifetime: random.bool().then(|| SignedDuration::from_hours(1)),
        mismatch: Mismatch::default(),
    };
    let state = folder();
    let options = || Options {
        state: Some(state.path().join("aws.jsonl")),
        ..driven(tokens)
    };
    let mut emulator = emulator(options()).await;
    // What GetRestoreJobMetadata makes of marks, as long as this AWS lives.
    let marks = match random.u8(0..4) {
        0 => Some(FaultKind::MetadataUpper),
        1 => Some(FaultKind::MetadataUnmarked),
        _ => None,
    };
    let restores = random.usize(1..12);
    let strangers = random.usize(0..3);
    for at in 0..strangers {
        let token = format!("stranger-{at}");
        stranger(&emulator, &token, at, &OTHER).await;
    }
    let plan = many(restores, random.usize(0..4));
    let mut deaths = 0;
    let mut chosen = BTreeSet::new();
    loop {
        emulator.clear_faults();
        for _ in 0..random.usize(0..4) {
            let operation = *random
                .choice(&[
                    Operation::StartRestoreJob,
                    Operation::DescribeRestoreJob,
                    Operation::ListRestoreJobs,
                    Operation::GetRestoreJobMetadata,
                ])
                .unwrap();
            let kind = match random.u8(0..15) {
                0 => FaultKind::Throttle,
                1 => FaultKind::ResetBefore,
                2 => FaultKind::ResetAfter,
                3 => FaultKind::internal_failure(),
                4 => FaultKind::service_unavailable(),
                5 => FaultKind::Restart,
                6 => FaultKind::Truncate,
                7 => FaultKind::NotYet,
                8 => FaultKind::ListLag(SignedDuration::from_secs(random.i64(1..120))),
                9 => FaultKind::Sparse,
                10 => {
                    FaultKind::HtmlAfter(*random.choice(&[200, 302, 401, 403, 404, 429]).unwrap())
                }
                11 => FaultKind::Twice,
                // A listing that lies and a token that is forgotten are two faults too many; and what an answer says of
                // another job of the same recovery point can only be told by what that has made.
                12 if strangers == 0
                    && (operation != Operation::ListRestoreJobs || tokens.lifetime.is_none()) =>
                {
                    FaultKind::Mixed
                }
                12 | 13 => FaultKind::Garbage,
                _ => FaultKind::UnknownStatus,
            };
            emulator.inject(Fault::new(operation, kind).times(1).after(random.u64(0..6)));
        }
        if random.u8(0..5) == 0 {
            emulator.inject(Fault::everywhere(FaultKind::Throttle).times(random.u64(5..40)));
        }
        if let Some(kind) = &marks {
            emulator.inject(Fault::new(Operation::GetRestoreJobMetadata, kind.clone()));
        }
        let death = match random.u8(0..8) {
            _ if deaths > 12 => Death::Never,
            0 => Death::Never,
            n if n % 2 == 0 => Death::Before(random.u32(0..8)),
            _ => Death::After(random.u32(0..8)),
        };
        let clock = emulator.clock();
        let mut jumps = random.u8(0..3);
        let mut chance = random.fork();
        let mut onlooker = |_: &Recorded| {
            // A laptop that sleeps in the middle of a run.
            if jumps > 0 && chance.u8(0..10) == 0 {
                jumps -= 1;
                clock.advance_to(clock.now() + SignedDuration::from_mins(chance.i64(1..300)));
            }
        };
        let going = Going {
            death,
            policy: Policy {
                no_rate_limit: random.bool(),
                duplicates: if chosen.is_empty() {
                    DuplicatePolicy::Ask
                } else {
                    DuplicatePolicy::Adopt
                },
                chosen: std::mem::take(&mut chosen),
                ..Policy::default()
            },
            onlooker: &mut onlooker,
            told: None,
            // Set anew between two runs.
            ahead: SignedDuration::from_hours(random.i64(-2..=2)),
        };
        let run = run_going(state.path(), &plan, &emulator, going);
        let asleep = (random.u8(0..8) == 0).then(|| SignedDuration::from_mins(random.i64(1..300)));
        let ended = tokio::select! {
            biased; // a seed is to repeat what it did
            () = sleep_on_the_way(&emulator, asleep) => unreachable!(),
            ended = run => ended,
        };
        assert!(
            emulator.jobs().len() <= restores + strangers,
            "seed {seed}: {} jobs of {restores} restores and {strangers} strangers",
            emulator.jobs().len()
        );
        match &ended {
            // A person looks at it, and finds that it is this restore's.
            Err(Stopped::Duplicate { jobs, .. }) => chosen.extend(jobs.iter().cloned()),
            Err(Stopped::SecondJob { .. }) => panic!("seed {seed}: {ended:?}"),
            _ => {}
        }
        if matches!(ended, Ok(Ended::Finished)) {
            break;
        }
        deaths += 1;
        if random.u8(0..6) == 0 {
            // Another machine, or a lost disk.
            std::fs::remove_dir_all(state.path().join("many")).unwrap();
        }
        if random.u8(0..6) == 0 {
            tear(state.path(), &mut random);
        }
        if random.u8(0..4) == 0 {
            let clock = emulator.clock();
            clock.advance_to(clock.now() + SignedDuration::from_mins(random.i64(1..600)));
        }
        if random.u8(0..6) == 0 {
            // Another process, which has kept the jobs.
            emulator.shutdown().await;
            emulator = crate::support::emulator(options()).await;
        }
    }
    assert_eq!(emulator.jobs().len(), restores + strangers, "seed {seed}");
    assert_eq!(completed(state.path()), restores, "seed {seed}");
    emulator.shutdown().await;
    deaths
}
