//! Whatever moment the script dies at: as many jobs as restores, none lost.

use std::process::Stdio;
use std::time::Duration;

use redrill_emulator::Emulator;

use super::{ended, exported, script, sent};
use crate::support::{at_once, emulator, folder, many};

/// Restores that wait for others, one with a value that another makes, one without a mark.
fn plan() -> String {
    let late = "  late:\n    type: EFS\n    needs: [r1]\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:late\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      CreationToken: \"{{ restores.r1.created.resource_arn | split('/') | last }}\"\n";
    let unmarked = "  unmarked:\n    type: EFS\n    mark: false\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:unmarked\n    metadata: { file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: 'a \"quoted\" \\ one' }\n";
    format!("{}{late}{unmarked}", many(4, 2))
}

const RESTORES: usize = 6;

async fn is_whole(emulator: &Emulator, kit: &std::path::Path, when: &str) {
    for _ in 0..2 {
        let mut again = script(kit, &emulator.url());
        again.arg("--yes");
        let (code, said) = ended(again).await;
        assert_eq!(code, Some(0), "{when}: {said}");
        assert!(said.contains("6 completed; 6 in all"), "{when}: {said}");
    }
    assert_eq!(sent(emulator).len(), RESTORES, "{when}");
}

/// A call that dies before its request, and one that dies with the answer: each of the first calls, then every seventh.
#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_dies_at_a_call_starts_nothing_twice() {
    let last = if crate::export::deaths::rounds() > 3 {
        40
    } else {
        12
    };
    let mut deaths = 0;
    for at in 1..=last {
        for when in ["before", "after"] {
            let emulator = emulator(at_once()).await;
            let folder = folder();
            let kit = exported(folder.path(), &plan(), &[]);
            let mut dying = script(&kit, &emulator.url());
            dying.arg("--yes").env("STUB_DIES", format!("{at}:{when}"));
            let (code, _) = ended(dying).await;
            deaths += usize::from(code.is_none());
            is_whole(&emulator, &kit, &format!("death at call {at}, {when}")).await;
            emulator.shutdown().await;
        }
    }
    assert!(deaths >= 20, "{deaths}");
}

/// How often the script is killed at a moment that nobody has chosen.
pub(super) fn rounds() -> u64 {
    let rounds = std::env::var("REDRILL_ROUNDS").ok();
    rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

/// Moments of the clock: between calls and within files, where no call shows it.
#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_is_killed_at_any_moment_starts_nothing_twice() {
    let mut killed = 0;
    for round in 0..rounds() {
        let emulator = emulator(at_once()).await;
        let folder = folder();
        let kit = exported(folder.path(), &plan(), &[]);
        // Spread over the time that a whole run takes.
        for kill in 0..3 {
            let mut command = script(&kit, &emulator.url());
            command
                .arg("--yes")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            let moment = (round * 397 + kill * 151) % 1500;
            tokio::time::sleep(Duration::from_millis(moment)).await;
            killed += usize::from(child.try_wait().unwrap().is_none());
            let group = format!("-{}", child.id());
            let _ = std::process::Command::new("kill")
                .args(["-KILL", "--", &group])
                .stderr(Stdio::null())
                .status();
            child.wait().unwrap();
        }
        is_whole(&emulator, &kit, &format!("round {round}")).await;
        emulator.shutdown().await;
    }
    #[expect(clippy::print_stderr, reason = "figures of a long run")]
    if rounds() > 3 {
        eprintln!("killed {killed} times in {} rounds", rounds());
    }
    assert!(killed > 0);
}
