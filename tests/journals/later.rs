//! What a later version has written: what is not understood is not acted on.

use redrill::ids::RestoreName;
use redrill::plan::sha256;
use redrill::state::Event;

use super::{Old, evidence};
use crate::support::bytes;

/// Adds a line to the journal of `segments`, as a later version might.
fn with_line(body: &str) -> Old {
    let old = Old::copy("segments");
    let last = old.directory().join("journal/00000019.jsonl");
    let before = String::from_utf8(bytes(&last)).unwrap();
    let sum = &before[before.len() - 35..before.len() - 3];
    let sum = &sha256(format!("{sum}{body}"))[..32];
    let line = format!("{body},\"sum\":\"{sum}\"}}\n");
    std::fs::write(old.directory().join("journal/00000020.jsonl"), line).unwrap();
    old
}

/// A later format is refused, and so is an event that this version does not know: what follows from it is not known.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_version_wrote_is_refused_and_nothing_is_sent() {
    const AT: &str = "\"seq\":21,\"at\":\"2026-11-29T09:00:00Z\"";
    for (body, why) in [
        (
            format!(
                "{{\"v\":2,{AT},\"event\":\"seen\",\"restore\":\"running\",\"status\":\"RUNNING\""
            ),
            "this journal has format 2, and this redrill knows formats up to 1\nhelp: nothing was sent; use the redrill that wrote it",
        ),
        (
            format!("{{\"v\":1,{AT},\"event\":\"paused\",\"restore\":\"running\""),
            "damaged at byte 0 (record 21): it is not a record: unknown variant `paused`",
        ),
    ] {
        let old = with_line(&body);
        let emulator = old.emulator().await;
        let before = old.files();
        let url = emulator.url();
        for words in [
            &["status"][..],
            &["run", "plan.yaml", "--yes"],
            &["run", "plan.yaml", "--yes", "--retry-failed", "--take-over"],
            &["cleanup", "plan.yaml", "--yes"],
        ] {
            let mut all = words.to_vec();
            all.extend(["--endpoint-url", &url]);
            let (code, _, stderr) = old.redrill(&all);
            assert_eq!(code, 1, "{words:?}: {stderr}");
            assert!(stderr.contains(why), "{words:?}: {stderr}");
        }
        assert_eq!(old.files(), before);
        assert!(emulator.calls().is_empty());
        emulator.shutdown().await;
    }
}

/// A field that is only more to tell is passed over, and its bytes are kept; what is sent is understood whole or not at all.
#[test]
fn a_field_of_a_later_version_is_passed_over() {
    let old = with_line(
        "{\"v\":1,\"seq\":21,\"at\":\"2026-11-29T09:00:00Z\",\"event\":\"seen\",\"restore\":\"running\",\"status\":\"RUNNING\",\"percent\":40",
    );
    let seen = Event::StatusChanged {
        restore: RestoreName::new("running"),
        status: "RUNNING".to_owned(),
    };
    assert_eq!(old.records()[20].event, seen);
    evidence(&old);

    let old = with_line(
        "{\"v\":1,\"seq\":21,\"at\":\"2026-11-29T09:00:00Z\",\"event\":\"intended\",\"restore\":\"waiting\",\"attempt\":1,\"token\":\"t\",\"digest\":\"d\",\"request\":{\"Metadata\":{},\"RecoveryPointArn\":\"a\",\"ResourceType\":\"EFS\",\"Priority\":\"high\"}",
    );
    let error = old.read().unwrap_err().to_string();
    assert!(error.contains("unknown field `Priority`"), "{error}");
}
