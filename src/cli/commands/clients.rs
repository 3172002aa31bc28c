//! AWS as commands ask it: at its rates, and again where it does not answer.

use std::sync::Arc;

use super::is_loopback;
use crate::aws::{Aws, ConnectionSettings, Paced, Writes};
use crate::backup::{Clock, Keeping, Pace, SystemClock};
use crate::cli::exit::Failure;

/// A client of one target. The engine has a pace of its own, and is handed what is inside.
pub(super) type Client<H = Writes> = Paced<Aws<H>, SystemClock>;

/// Decides how fast an endpoint is called. AWS's rates are AWS's: a local emulator may keep them as well, and throttles
/// then.
pub(super) fn keeping(endpoint_url: Option<&str>, no_rate_limit: bool) -> Keeping {
    match no_rate_limit || endpoint_url.is_some_and(is_loopback) {
        true => Keeping::OnceThrottled,
        false => Keeping::Always,
    }
}

/// Returns the pace of calls to some targets, which are at one endpoint.
pub(super) fn pace(settings: &[ConnectionSettings], no_rate_limit: bool) -> Pace {
    let url = settings.first().and_then(|of| of.endpoint_url.as_deref());
    let places = settings.iter();
    let places = places.map(|of| (&of.account, &of.region));
    Pace::of(places, keeping(url, no_rate_limit), SystemClock.now())
}

/// A client for each of some targets, all at one pace.
pub(super) async fn connected<H>(
    settings: &[ConnectionSettings],
    pace: &Pace,
) -> Result<Vec<Arc<Client<H>>>, Failure> {
    let mut clients = Vec::with_capacity(settings.len());
    for settings in settings {
        let aws = Aws::connect(settings).await.map_err(Failure::Aws)?;
        clients.push(Arc::new(aws));
    }
    Ok(paced(clients, pace))
}

/// The same of clients that are there.
pub(super) fn paced<H>(clients: Vec<Arc<Aws<H>>>, pace: &Pace) -> Vec<Arc<Client<H>>> {
    let clients = clients.into_iter().enumerate();
    clients
        .map(|(place, aws)| Arc::new(Paced::new(aws, SystemClock, pace.clone(), place)))
        .collect()
}
