//! ARNs in their parts.

/// An ARN in its parts: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`, of which Region and account may be empty and the
/// resource may hold more `:`.
///
/// ```
/// use redrill::ids::Arn;
/// let arn = Arn::parse("arn:aws:rds:us-west-2:123456789012:cluster:orders").unwrap();
/// assert_eq!((arn.service, arn.resource, arn.name()), ("rds", "cluster:orders", "orders"));
/// assert_eq!(Arn::parse("orders"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: &'a str,
    /// Service, as ARNs name it.
    pub service: &'a str,
    /// Region; empty for what is global, and for buckets.
    pub region: &'a str,
    /// Account; empty for images, snapshots and buckets.
    pub account: &'a str,
    /// Kind and name of the resource.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes a text apart; none if it is no ARN. Its parts are not judged: `validate` does that.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        (parts.next()? == "arn").then_some(())?;
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }

    /// The partition of a text that should be an ARN, and `aws` of what is none.
    #[must_use]
    pub fn partition_of(text: &'a str) -> &'a str {
        Self::parse(text).map_or("aws", |arn| arn.partition)
    }

    /// The name at its end, without kind and path.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.resource.rsplit(['/', ':']).next().unwrap_or_default()
    }
}
