//! Checks that have passed, and that the plan has otherwise since.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redrill::ids::RestoreName;
use redrill::state::{Append as _, Event, Recorded};
use redrill_emulator::Emulator;
use serde_json::Value;

use super::{check, plan, run};
use crate::dry_run::outputs::assert_valid;
use crate::harness::owner;
use crate::support::{at_once, emulator, folder, journal_of, now, records, write};

/// A folder with a plan, and an emulator to run it against.
struct Drill {
    folder: tempfile::TempDir,
    emulator: Emulator,
}

impl Drill {
    async fn new() -> Self {
        Self {
            folder: folder(),
            emulator: emulator(at_once()).await,
        }
    }

    /// Runs a plan with more arguments: the exit code and the report, which is the same from the journal alone.
    async fn run(&self, text: &str, more: &[&str]) -> (i32, Value) {
        write(self.folder.path(), "plan.yaml", text);
        let (path, url) = (self.path(), self.emulator.url());
        let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        let task = tokio::task::spawn_blocking(move || {
            let mut words = vec!["run", "plan.yaml", "--yes", "-q", "--format", "json"];
            words.extend(["--endpoint-url", &url]);
            words.extend(more.iter().map(String::as_str));
            let (code, stdout, stderr) = run(&path, &words);
            let report: Value = serde_json::from_str(&stdout)
                .unwrap_or_else(|err| panic!("{err}: {stdout}{stderr}"));
            (code, report)
        });
        let (code, report) = task.await.unwrap();
        assert_valid("run", &report);
        (code, report)
    }

    /// What `plan` shows of a plan.
    async fn plan(&self, text: &str) -> String {
        write(self.folder.path(), "plan.yaml", text);
        let (path, url) = (self.path(), self.emulator.url());
        let words = move || run(&path, &["plan", "plan.yaml", "--endpoint-url", &url]);
        tokio::task::spawn_blocking(words).await.unwrap().1
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn records(&self) -> Vec<Recorded> {
        records(&self.path().join(".redrill"), "drill", "main").unwrap()
    }

    /// How often a check of a restore, or of the plan, was started.
    fn starts(&self, of: Option<&str>, name: &str) -> usize {
        let records = self.records();
        let starts = records.iter().filter(|recorded| {
            matches!(&recorded.event, Event::CheckStarted { restore, check, .. } if restore.as_ref().map(RestoreName::as_str) == of && check == name)
        });
        starts.count()
    }
}

fn whole(script: &str) -> String {
    format!("checks:\n  - {{ name: whole, run: [sh, -c, {script:?}] }}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_has_changed_since_it_passed_runs_again() {
    let drill = Drill::new().await;
    let text = |script: &str| {
        plan(2, "", |at| match at {
            0 => check("rows", script, ""),
            _ => check("rows", "true", ""),
        })
    };
    let (code, _) = drill.run(&text("true"), &["--only", "r0"]).await;
    assert_eq!(code, 0);
    // Whoever leaves it aside is told that the run is not over.
    let (code, report) = drill.run(&text("false"), &["--only", "r1"]).await;
    assert_eq!((code, &report["verdict"]), (0, &"unfinished".into()));
    assert_eq!(report["restores"][0]["status"], "CHECKING");
    let open = &report["restores"][0]["checks"][0];
    assert_eq!(open["status"], "NOT_RUN");
    assert_eq!(
        open["message"],
        "it passed for an earlier version of the plan; it has to run again"
    );
    let (code, report) = drill.run(&text("false"), &[]).await;
    assert_eq!((code, &report["verdict"]), (6, &"failed".into()));
    assert_eq!(report["restores"][0]["status"], "CHECK_FAILED");
    assert_eq!(drill.starts(Some("r0"), "rows"), 2);
    assert_eq!(drill.starts(Some("r1"), "rows"), 1);
    assert_eq!(drill.emulator.jobs().len(), 2);
    drill.emulator.shutdown().await;
}

/// A run that is over is taken up for what is expected of a check now, and for nothing that a pass does not depend on.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_over_is_taken_up_for_a_check_that_has_changed() {
    let drill = Drill::new().await;
    let text = |more: &str| {
        plan(1, &whole("true"), |_| {
            check("rows", "echo 12 rows", &format!(", expect: {{ {more} }}"))
        })
    };
    let (code, _) = drill.run(&text("output: '^1'"), &[]).await;
    assert_eq!(code, 0);
    // The defaults written out, and another patience: nothing is run.
    let same = text("exit: 0, output: '^1'").replace("run: [", "timeout: 1m, retries: 1, run: [");
    let (code, _) = drill.run(&same, &[]).await;
    assert_eq!(code, 0);
    assert_eq!(drill.starts(Some("r0"), "rows"), 1);

    let (code, report) = drill.run(&text("output: '^12 rows'"), &[]).await;
    assert_eq!((code, &report["verdict"]), (0, &"passed".into()));
    let again = &report["restores"][0]["checks"][0];
    // What it was before is no try of what it is.
    assert_eq!(
        (&again["tries"], &again["earlier"]),
        (&2.into(), &Value::Array(vec![]))
    );
    assert_eq!(drill.starts(Some("r0"), "rows"), 2);
    // It judges the same restores as before.
    assert_eq!(drill.starts(None, "whole"), 1);

    let (code, report) = drill.run(&text("output: '^1', exit: 3"), &[]).await;
    assert_eq!((code, &report["verdict"]), (6, &"failed".into()));
    assert_eq!(drill.starts(Some("r0"), "rows"), 3);
    drill.emulator.shutdown().await;
}

/// A check of the plan as a whole has seen those restores that there were.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_the_plan_runs_again_for_another_restore() {
    let drill = Drill::new().await;
    let good = |_| check("good", "true", "");
    let (code, _) = drill.run(&plan(1, &whole("true"), good), &[]).await;
    assert_eq!(code, 0);
    // What it judges is not back: it counts no more, and is not run.
    let bad = |at| check("good", if at == 1 { "false" } else { "true" }, "");
    let (code, report) = drill.run(&plan(2, &whole("true"), bad), &[]).await;
    assert_eq!(code, 6);
    assert_eq!(report["checks"][0]["status"], "NOT_RUN");
    assert_eq!(drill.starts(None, "whole"), 1);

    let two = plan(2, &whole("true"), good);
    let (code, report) = drill.run(&two, &["--retry-failed"]).await;
    assert_eq!((code, &report["verdict"]), (0, &"passed".into()));
    for _ in 0..2 {
        assert_eq!(drill.starts(None, "whole"), 2);
        assert_eq!(drill.starts(Some("r0"), "good"), 1);
        assert_eq!(drill.starts(Some("r1"), "good"), 2);
        // Nothing has changed: nothing is run.
        let (code, _) = drill.run(&two, &[]).await;
        assert_eq!(code, 0);
    }
    // And where its own command is another.
    let other = plan(2, &whole("exit 1"), good);
    let due = "Checks of the plan as a whole are still to be run";
    assert!(!drill.plan(&two).await.contains(due));
    assert!(drill.plan(&other).await.contains(due));
    let (code, _) = drill.run(&other, &[]).await;
    assert_eq!(code, 6);
    assert_eq!(drill.starts(None, "whole"), 3);
    drill.emulator.shutdown().await;
}

/// What was switched over is not switched again, whatever has become of the step.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_the_cutover_is_done_once() {
    let drill = Drill::new().await;
    let text = |script: &str| {
        let head = format!("cutover:\n  - {{ name: step, run: [sh, -c, {script:?}] }}\n");
        plan(1, &(whole("true") + &head), |_| String::new())
    };
    let (code, _) = drill.run(&text("true"), &["--cutover"]).await;
    assert_eq!(code, 0);
    let (code, report) = drill.run(&text("false"), &["--cutover"]).await;
    assert_eq!((code, &report["verdict"]), (0, &"passed".into()));
    assert_eq!(drill.starts(None, "step"), 1);
    drill.emulator.shutdown().await;
}

/// What a journal of an earlier version says of a check that has passed.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_has_passed_stays_so_where_the_journal_does_not_say_as_what() {
    let drill = Drill::new().await;
    let text = |script: &str| plan(1, &whole(script), |_| check("rows", script, ""));
    let (code, _) = drill.run(&text("true"), &[]).await;
    assert_eq!(code, 0);
    let mut records = drill.records();
    for recorded in &mut records {
        match &mut recorded.event {
            Event::CheckStarted { definition, .. } => {
                assert!(definition.take().is_some(), "this version says it");
            }
            Event::Planned { outline } => {
                let outline = Arc::make_mut(outline);
                outline.definitions.clear();
                outline.restores[0].definitions.clear();
            }
            _ => {}
        }
    }
    let earlier = drill.path().join("earlier");
    let mut journal = journal_of(Path::new(&earlier), "drill", "main", &owner(1), false).unwrap();
    now(journal.append(&records)).unwrap();
    drop(journal);
    let arguments = ["--state", "earlier"];
    let (code, report) = drill.run(&text("false"), &arguments).await;
    assert_eq!((code, &report["verdict"]), (0, &"passed".into()));
    let after = crate::support::records(&earlier, "drill", "main").unwrap();
    assert_eq!(after, records);
    drill.emulator.shutdown().await;
}
