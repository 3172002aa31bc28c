//! AWS's clock: the Date header of its answers.
//!
//! Jobs have the times of AWS, and a machine's own clock may be hours off. Anything that is asked of AWS by time is
//! asked by this clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_backup::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_backup::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_backup::error::BoxError;
use aws_sdk_backup::primitives::{DateTime, DateTimeFormat};
use jiff::Timestamp;

/// The date of the latest answer.
#[derive(Debug, Default)]
pub(super) struct Dates(AtomicI64);

impl Dates {
    /// None before the first answer.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            seconds => Timestamp::from_second(seconds).ok(),
        }
    }
}

/// Looks at every answer.
#[derive(Debug)]
pub(super) struct Watch(pub(super) Arc<Dates>);

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        // A proxy has a clock of its own, and no request id.
        if headers.get("x-amzn-requestid").is_some()
            && let Some(date) = headers.get("date")
            && let Ok(date) = DateTime::from_str(date, DateTimeFormat::HttpDate)
        {
            self.0.0.store(date.secs(), Ordering::Relaxed);
        }
        Ok(())
    }
}
