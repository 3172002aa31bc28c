//! Anything that goes wrong, in any order, with two copies of a kit: as many jobs as restores, and each its own.

use std::collections::BTreeSet;
use std::path::Path;

use redrill_emulator::Fault;

use super::deaths::rounds;
use super::{ended, exported, script};
use crate::support::{at_once, emulator, folder, many};

/// What may strike a call.
const TROUBLE: [&str; 18] = [
    "throttle",
    "too-many-requests",
    "internal-failure",
    "service-unavailable",
    "unavailable-503",
    "dependency-failure",
    "reset-before",
    "reset-after",
    "close-before",
    "close-after",
    "truncate",
    "html-error",
    "html-after",
    "html-success",
    "garbage",
    "expired-token",
    "access-denied",
    "bare-status",
];
const OPERATIONS: [&str; 4] = [
    "StartRestoreJob",
    "ListRestoreJobs",
    "DescribeRestoreJob",
    "GetRestoreJobMetadata",
];

/// Numbers that are the same in each round.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Restores that wait, and one without a mark.
fn plan() -> String {
    let like = |name: &str, more: &str| {
        format!(
            "  {name}:\n    type: EFS\n{more}    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:{name}\n    metadata: {{ file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: {name} }}\n"
        )
    };
    format!(
        "{}{}{}",
        many(2, 1),
        like("unmarked", "    mark: false\n"),
        like("marked", "")
    )
}

const RESTORES: usize = 4;

/// The answers to what it asks: the first command for each restore, which takes a job.
fn answers(said: &str) -> Vec<String> {
    let mut names = BTreeSet::new();
    let adopts = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("./restore.sh --adopt '"));
    adopts
        .filter_map(|rest| rest.strip_suffix('\''))
        .filter(|answer| names.insert(answer.split('=').next().unwrap().to_owned()))
        .flat_map(|answer| ["--adopt".to_owned(), answer.to_owned()])
        .collect()
}

fn job_of(kit: &Path, name: &str) -> String {
    let read = |file: &str| std::fs::read_to_string(kit.join("state").join(file)).ok();
    let job = read(&format!("{name}.1.job")).or_else(|| {
        // It was about to take it.
        let intent = read(&format!("{name}.1.intent"))?;
        intent.lines().next()?.split(' ').nth(2).map(str::to_owned)
    });
    job.unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_strikes_nothing_is_started_twice() {
    let rounds = if rounds() > 3 { rounds() } else { 1 };
    for round in 0..rounds {
        let mut dice = Dice(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
        let emulator = emulator(at_once()).await;
        let mut storm = Vec::new();
        for _ in 0..6 {
            let fault = format!(
                "{},operation={},after={},times={}",
                TROUBLE[dice.below(TROUBLE.len())],
                OPERATIONS[dice.below(OPERATIONS.len())],
                dice.below(4),
                1 + dice.below(2)
            );
            storm.push(fault);
        }
        if dice.below(3) == 0 {
            storm.push(format!(
                "metadata-unmarked,operation=GetRestoreJobMetadata,times={}",
                1 + dice.below(3)
            ));
        }
        if dice.below(2) == 0 {
            storm.push("forget-token,operation=StartRestoreJob".to_owned());
        }
        for fault in &storm {
            emulator.inject(fault.parse::<Fault>().unwrap());
        }
        let (one, other) = (folder(), folder());
        let kits = [one.path(), other.path()].map(|folder| exported(folder, &plan(), &[]));
        let mut all = String::new();
        let mut answered = [Vec::new(), Vec::new()];
        let mut left = [true, true];
        for turn in 0..60 {
            let at = if left[0] && left[1] {
                dice.below(2)
            } else {
                usize::from(left[1])
            };
            let mut command = script(&kits[at], &emulator.url());
            command.arg("--yes").args(&answered[at]);
            if dice.below(3) == 0 {
                command.env(
                    "STUB_DIES",
                    format!(
                        "{}:{}",
                        1 + dice.below(60),
                        ["before", "after"][dice.below(2)]
                    ),
                );
            }
            let (code, said) = ended(command).await;
            all.push_str(&format!(
                "--- turn {turn}, kit {at}, {code:?} {:?}\n{said}",
                answered[at]
            ));
            // A restore that has been answered and has its job by now takes no other.
            answered[at] = if code == Some(5) {
                answers(&said)
            } else {
                Vec::new()
            };
            left[at] = code != Some(0);
            assert!(
                !matches!(code, Some(4 | 6 | 10)),
                "round {round} {storm:?}\n{all}"
            );
            if left == [false, false] {
                break;
            }
        }
        assert_eq!(left, [false, false], "round {round} {storm:?}\n{all}");
        let jobs = emulator.jobs();
        assert_eq!(jobs.len(), RESTORES, "round {round} {storm:?}\n{all}");
        for name in ["r0", "r1", "unmarked", "marked"] {
            let job = job_of(&kits[0], name);
            assert_eq!(
                job,
                job_of(&kits[1], name),
                "round {round} {storm:?}\n{all}"
            );
            assert!(
                jobs.iter().any(|of| of.id == job),
                "round {round} {storm:?}\n{all}"
            );
        }
        emulator.shutdown().await;
    }
}
