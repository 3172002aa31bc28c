//! `redrill run` against an emulator whose clock moves only where somebody looks.

use std::time::Duration;

use super::*;
use crate::support::{at_once, folder, many, process, write};

/// Five restores are described one by one; of more the engine lists what has ended, and that moves the clock as well.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r4_18_six_and_ninety_restores_take_no_longer_than_five() {
    for count in [5, 6, 90] {
        let emulator = start(at_once()).await;
        let folder = folder();
        write(folder.path(), "plan.yaml", &many(count, 0));
        let mut command = process(folder.path());
        command.args([
            "run",
            "plan.yaml",
            "--yes",
            "--no-rate-limit",
            "--endpoint-url",
            &emulator.url(),
        ]);
        let mut run = tokio::process::Command::from(command);
        // Three looks a few seconds apart, on a machine that does other things too.
        let run = tokio::time::timeout(Duration::from_secs(60), run.kill_on_drop(true).output());
        let Ok(output) = run.await else {
            panic!("{count} restores: {:?}", emulator.calls());
        };
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{count} restores: {said}");
        assert_eq!(emulator.jobs().len(), count);
        let ended = |job: &redrill_emulator::JobSnapshot| job.status.is_terminal();
        assert!(emulator.jobs().iter().all(ended));
    }
}

/// A client that lists only what has ended, or only the first job, or only counts, sees all of them end.
#[tokio::test]
async fn whoever_waits_by_a_listing_moves_the_clock() {
    let all_have_ended = |emulator: &Emulator| {
        let jobs = emulator.jobs();
        jobs.len() == 6 && jobs.iter().all(|job| job.status.is_terminal())
    };
    for way in 0..4 {
        let emulator = start(at_once()).await;
        let client = sdk(&emulator);
        for n in 0..6 {
            start_ec2(&client, &format!("t{n}")).await;
        }
        let mut looks = 0;
        while !all_have_ended(&emulator) && looks < 20 {
            looks += 1;
            match way {
                0 => {
                    let since = aws_sdk_backup::primitives::DateTime::from_secs(0);
                    let ended = client.list_restore_jobs().by_complete_after(since);
                    ended.send().await.unwrap();
                }
                1 => {
                    let failed = client.list_restore_jobs().by_status("FAILED".into());
                    failed.send().await.unwrap();
                }
                2 => {
                    client
                        .list_restore_jobs()
                        .max_results(1)
                        .send()
                        .await
                        .unwrap();
                }
                _ => {
                    client.list_restore_job_summaries().send().await.unwrap();
                }
            }
        }
        assert!(all_have_ended(&emulator), "way {way}: {looks} looks");
        assert!(looks <= 3, "way {way}: {looks} looks");
    }
}
