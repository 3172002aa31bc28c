//! Access to AWS that `inventory` and `init` share, without a plan that says where it is.

use std::sync::Arc;

use super::clients::{Client, pace};
use super::{Context, is_loopback};
use crate::aws::{Aws, ConnectionSettings, Paced, Reads};
use crate::backup::{Reader, SystemClock};
use crate::cli::arguments::ReadOptions;
use crate::cli::exit::Failure;
use crate::ids::{AccountId, RegionName};
use crate::inventory::CollectionStage;
use crate::terminal::Counter;

/// An account and a Region of AWS, and what reads them.
pub(super) struct RegionReader {
    pub(super) account: AccountId,
    pub(super) region: RegionName,
    pub(super) reader: Client<Reads>,
}

/// Returns the AWS settings; made-up credentials for an emulator on this machine if there are no others.
pub(super) fn settings(
    region: Option<&str>,
    options: &ReadOptions,
    context: &Context<'_>,
) -> Result<ConnectionSettings, Failure> {
    if options.endpoint_url.is_none() {
        context.check_endpoints()?;
    }
    context.check_profile(options.profile.as_deref())?;
    if region.is_none() {
        context.check_region_set()?;
    }
    let local = options.endpoint_url.as_deref().is_some_and(is_loopback);
    Ok(ConnectionSettings {
        account: AccountId::new("redrill"),
        region: RegionName::new(region.unwrap_or_default()),
        assume_role_arn: None,
        profile: options.profile.clone(),
        endpoint_url: options.endpoint_url.clone(),
        empty_endpoint: context.environment.has_empty_endpoint(),
        without_credentials: local
            && options.profile.is_none()
            && !context.environment.names_credentials,
    })
}

impl RegionReader {
    /// Asks who the caller is, before anything else.
    pub(super) async fn connect(
        settings: &ConnectionSettings,
        no_rate_limit: bool,
        context: &Context<'_>,
    ) -> Result<Self, Failure> {
        let aws = Aws::<Reads>::connect(settings)
            .await
            .map_err(Failure::Aws)?;
        let Some(region) = aws.region().cloned() else {
            return Err(Failure::Usage(
                "there is no Region: give --region, or set AWS_REGION".to_owned(),
            ));
        };
        let settings = ConnectionSettings {
            region: region.clone(),
            ..settings.clone()
        };
        let pace = pace(&[settings], no_rate_limit);
        let mut reader = Paced::new(Arc::new(aws), SystemClock, pace, 0);
        if let Some(tell) = context.tell() {
            reader = reader.telling(tell);
        }
        let account = reader.caller().await.map_err(Failure::Aws)?.account;
        Ok(Self {
            account,
            region,
            // Whoever does not answer at all is not waited for as one who has answered.
            reader: reader.patiently(),
        })
    }
}

/// Shows progress on the screen.
pub(super) fn narrate(counter: &mut Counter, region: Option<&str>, step: &CollectionStage) {
    match step {
        CollectionStage::Listed { vault, points } => {
            let region = region.map_or_else(String::new, |region| format!("{region}: "));
            let points = counted(*points, "recovery point");
            counter.line(&format!("{region}vault {vault}: {points}"));
        }
        CollectionStage::Total(total) => counter.more(*total),
        CollectionStage::One => counter.one(),
    }
}

/// So many of something.
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}
