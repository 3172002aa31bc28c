//! Stores for the records of runs: a directory, or a bucket.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Context;
use crate::aws::{Bucket, BucketSettings};
use crate::cli::arguments::StateOption;
use crate::cli::exit::Failure;
use crate::journal::{
    Ahead, Error, Fence, LEASE, LocalStore, ObjectLease, ObjectStore, Objects as _, Owner, RunKey,
    RunStore,
};
use crate::state::JournalError;

/// Prefix of a bucket's name, where a directory could be.
const SCHEME: &str = "s3://";

/// Location of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StateLocation {
    /// A directory.
    Directory(PathBuf),
    /// A bucket, and what all its keys begin with.
    Bucket { bucket: String, prefix: String },
}

impl StateLocation {
    /// Reads what was typed.
    ///
    /// # Errors
    ///
    /// Where it is neither.
    pub(super) fn of(typed: &Path) -> Result<Self, Failure> {
        let text = typed.to_string_lossy();
        let Some(rest) = text.strip_prefix(SCHEME) else {
            let lower = text.to_lowercase();
            if lower.starts_with("s3:") || lower.starts_with("arn:aws") {
                return Err(Failure::Usage(format!(
                    "state `{text}`: write a bucket as s3://BUCKET/PREFIX"
                )));
            }
            if let Some((scheme, _)) = text.split_once("://") {
                return Err(Failure::Usage(format!(
                    "state `{text}`: redrill keeps runs in a directory or in a bucket (s3://BUCKET/PREFIX), not in {scheme}://"
                )));
            }
            return Ok(Self::Directory(typed.to_owned()));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        // Access points are given by their alias, which has the form of a bucket's name.
        let is_name = (3..=63).contains(&bucket.len())
            && bucket
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c));
        if !is_name {
            return Err(Failure::Usage(format!(
                "state `{text}`: `{bucket}` is not the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens, such as s3://my-drills/redrill"
            )));
        }
        if prefix.split('/').any(|part| part.is_empty()) && !prefix.is_empty() {
            return Err(Failure::Usage(format!(
                "state `{text}`: the prefix has two slashes in a row"
            )));
        }
        Ok(Self::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl fmt::Display for StateLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "{SCHEME}{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "{SCHEME}{bucket}/{prefix}"),
        }
    }
}

/// The runs of a state.
#[derive(Clone)]
pub(super) enum Store {
    Local(LocalStore),
    Bucket(ObjectStore<Bucket>),
}

impl Store {
    /// Returns its location, for people and in commands.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Local(store) => store.state().display().to_string(),
            Self::Bucket(store) => store.objects().place(),
        }
    }
}

impl Context<'_> {
    /// The runs of a state, which need not be there yet.
    pub(super) async fn store(&self, option: &StateOption) -> Result<Store, Failure> {
        self.store_at(&option.state, option.state_profile.as_deref(), LEASE)
            .await
    }

    /// The same, where a runner that is not heard of for so long counts as gone.
    pub(super) async fn store_at(
        &self,
        state: &Path,
        profile: Option<&str>,
        lasts: Duration,
    ) -> Result<Store, Failure> {
        match StateLocation::of(state)? {
            StateLocation::Directory(path) if path.is_file() => Err(Failure::Usage(format!(
                "--state {} is a file; give a directory",
                path.display()
            ))),
            StateLocation::Directory(path) => Ok(Store::Local(LocalStore::new(&path))),
            StateLocation::Bucket { bucket, prefix } => {
                self.check_profile(profile)?;
                self.check_region_set()?;
                let settings = BucketSettings {
                    bucket,
                    prefix,
                    profile: profile.map(str::to_owned),
                    path_style: self.environment.names_s3_endpoint,
                    empty_endpoint: self.environment.has_empty_endpoint(),
                };
                let bucket = Bucket::connect(&settings).await.map_err(Failure::Aws)?;
                let store = ObjectStore::new(bucket, lasts);
                Ok(Store::Bucket(match self.tell() {
                    None => store,
                    Some(tell) => store.telling(tell),
                }))
            }
        }
    }
}

/// A run that is held.
pub(super) enum Lease {
    Local(Arc<<LocalStore as RunStore>::Lease>),
    Bucket(Arc<ObjectLease>),
}

impl RunStore for Store {
    type Lease = Lease;

    async fn runs(&self) -> Result<Vec<RunKey>, Error> {
        match self {
            Self::Local(store) => store.runs().await,
            Self::Bucket(store) => store.runs().await,
        }
    }

    async fn latest_other(&self, but: &RunKey) -> Option<RunKey> {
        match self {
            Self::Local(store) => store.latest_other(but).await,
            Self::Bucket(store) => store.latest_other(but).await,
        }
    }

    fn path(&self, run: &RunKey, segment: u32) -> PathBuf {
        match self {
            Self::Local(store) => store.path(run, segment),
            Self::Bucket(store) => store.path(run, segment),
        }
    }

    async fn read(&self, run: &RunKey, segment: u32) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Local(store) => store.read(run, segment).await,
            Self::Bucket(store) => store.read(run, segment).await,
        }
    }

    async fn ahead(&self, run: &RunKey, from: u32) -> Result<Vec<Ahead>, Error> {
        match self {
            Self::Local(store) => store.ahead(run, from).await,
            Self::Bucket(store) => store.ahead(run, from).await,
        }
    }

    async fn is_followed(&self, run: &RunKey, segment: u32) -> Result<bool, Error> {
        match self {
            Self::Local(store) => store.is_followed(run, segment).await,
            Self::Bucket(store) => store.is_followed(run, segment).await,
        }
    }

    async fn create(
        &self,
        lease: &Arc<Lease>,
        run: &RunKey,
        segment: u32,
        bytes: Vec<u8>,
    ) -> Result<(), JournalError> {
        match (self, &**lease) {
            (Self::Local(store), Lease::Local(of)) => store.create(of, run, segment, bytes).await,
            (Self::Bucket(store), Lease::Bucket(of)) => store.create(of, run, segment, bytes).await,
            // A lease is of the store that gave it.
            _ => Err(JournalError::TakenOver),
        }
    }

    async fn complete(&self, run: &RunKey, segment: u32, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Local(store) => store.complete(run, segment, bytes).await,
            Self::Bucket(store) => store.complete(run, segment, bytes).await,
        }
    }

    async fn cut(
        &self,
        run: &RunKey,
        segment: u32,
        length: usize,
        take_over: bool,
    ) -> Result<(), Error> {
        match self {
            Self::Local(store) => store.cut(run, segment, length, take_over).await,
            Self::Bucket(store) => store.cut(run, segment, length, take_over).await,
        }
    }

    async fn lease(&self, run: &RunKey, owner: &Owner, take_over: bool) -> Result<Lease, Error> {
        Ok(match self {
            Self::Local(store) => Lease::Local(Arc::new(store.lease(run, owner, take_over).await?)),
            Self::Bucket(store) => {
                Lease::Bucket(Arc::new(store.lease(run, owner, take_over).await?))
            }
        })
    }

    async fn compact(&self, run: &RunKey) {
        match self {
            Self::Local(store) => store.compact(run).await,
            Self::Bucket(store) => store.compact(run).await,
        }
    }

    async fn release(&self, lease: Arc<Lease>) {
        if let (Self::Bucket(store), Lease::Bucket(of)) = (self, &*lease) {
            store.release(Arc::clone(of)).await;
        }
    }

    fn fence(lease: &Lease) -> Fence {
        match lease {
            Lease::Local(_) => Fence::default(),
            Lease::Bucket(of) => <ObjectStore<Bucket> as RunStore>::fence(of),
        }
    }

    async fn holder(&self, run: &RunKey) -> Result<Option<Owner>, Error> {
        match self {
            Self::Local(store) => store.holder(run).await,
            Self::Bucket(store) => store.holder(run).await,
        }
    }
}
