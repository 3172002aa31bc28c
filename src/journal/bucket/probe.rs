//! Probe of whether a store honors conditional writes. Some ignore the conditions of a write and answer that all went
//! well: a lock in such a store is held by everybody.

use super::objects::{ObjectError, Objects, Put};

/// Key that the probe writes, next to the runs: it is never deleted, and has a few bytes.
const KEY: &str = "redrill-probe.json";

/// Outcome of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// Both conditions hold.
    Good,
    /// The store writes what it should have refused: why it must not be used.
    Ignores(&'static str),
}

/// Creates a key twice, and replaces a version that is no more: both must be refused.
///
/// # Errors
///
/// Where the store does not answer, or refuses the caller.
pub async fn probe(objects: &impl Objects) -> Result<ProbeVerdict, ObjectError> {
    const IGNORES_CREATE: &str =
        "it overwrites an object that must not be there yet (If-None-Match is ignored)";
    const IGNORES_REPLACE: &str =
        "it overwrites an object that has changed since (If-Match is ignored)";
    let writer = format!("probe-{:016x}", fastrand::u64(..));
    let body = |nth: u8| format!("{{\"probe\":\"{writer}\",\"write\":{nth}}}\n").into_bytes();
    // An earlier probe has left it, or this one has now: the next create must fail.
    objects.create(KEY, body(1), &writer).await?;
    if let Put::Done(_) = objects.create(KEY, body(2), &writer).await? {
        return Ok(ProbeVerdict::Ignores(IGNORES_CREATE));
    }
    let Some(there) = objects.get(KEY).await? else {
        return Ok(ProbeVerdict::Ignores(
            "it does not have what it said it wrote",
        ));
    };
    // Somebody else may probe at the same moment: then this one's version is not the last, and both are refused.
    objects.replace(KEY, body(3), &writer, &there.etag).await?;
    match objects.replace(KEY, body(4), &writer, &there.etag).await? {
        Put::Done(_) => Ok(ProbeVerdict::Ignores(IGNORES_REPLACE)),
        Put::Refused => Ok(ProbeVerdict::Good),
    }
}
