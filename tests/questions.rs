//! Hundreds of recovery points are asked about at once, within AWS's rates, and what comes of it is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use redrill::aws::{Aws, ConnectionSettings, Paced, Reads};
use redrill::backup::{
    ApiError, Clock, Keeping, Operation, Pace, Page, PointQuery, RecoveryPoint, Sources, Vault,
    Vaults,
};
use redrill::diagnostic::Source;
use redrill::ids::{AccountId, RegionName, RunId, TargetIndex};
use redrill::inventory::RecordedInventory;
use redrill::render::{Inputs, Known, SourceFacts, VaultName};
use redrill::rules::Rules;
use redrill::session::{self, WantedPoints};
use redrill_emulator::{Emulator, Fault, FaultKind, Inventory, Operation as Asked, Options};
use tokio::sync::Barrier;

use crate::support::{at_once, emulator, point};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-west-2";
/// How many recovery points there are.
const COUNT: usize = 500;
/// How many calls may be under way.
const AT_ONCE: usize = 32;

/// Time in which nothing passes while anybody has something to do.
#[derive(Clone, Default)]
struct Simulated(Arc<Mutex<Simulation>>);

#[derive(Default)]
struct Simulation {
    now: Timestamp,
    /// When somebody wants to wake.
    wakings: BTreeSet<Timestamp>,
}

impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().now
    }

    async fn sleep_until(&self, at: Timestamp) {
        std::future::poll_fn(|_| {
            let mut simulation = self.0.lock().unwrap();
            if simulation.now >= at {
                return Poll::Ready(());
            }
            simulation.wakings.insert(at);
            Poll::Pending
        })
        .await;
    }
}

impl Simulated {
    /// What comes of something that polls all of its parts, and the seconds that it takes.
    async fn passes<T>(&self, something: impl Future<Output = T>) -> (T, f64) {
        let mut something = std::pin::pin!(something);
        loop {
            for _ in 0..20 {
                tokio::select! {
                    biased;
                    answer = &mut something => {
                        let passed = self.now().duration_since(Timestamp::default());
                        return (answer, passed.as_secs_f64());
                    }
                    () = tokio::task::yield_now() => {}
                }
            }
            let mut simulation = self.0.lock().unwrap();
            if let Some(at) = simulation.wakings.pop_first() {
                simulation.now = at.max(simulation.now);
            }
        }
    }
}

/// A reader of AWS whose first calls wait for each other: who asks one after the other waits for ever.
struct Crowd<R> {
    aws: R,
    first: Barrier,
    vaults: Vaults,
    under_way: AtomicUsize,
    most: AtomicUsize,
    asked: Mutex<BTreeMap<Operation, usize>>,
}

impl<R: Sources> Crowd<R> {
    fn new(aws: R) -> Self {
        Self {
            aws,
            first: Barrier::new(AT_ONCE),
            vaults: Vaults::default(),
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            asked: Mutex::default(),
        }
    }

    async fn count<T>(&self, operation: Operation, call: impl Future<Output = T>) -> T {
        let count = {
            let mut asked = self.asked.lock().unwrap();
            let count = asked.entry(operation).or_default();
            *count += 1;
            *count
        };
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(under_way, Ordering::Relaxed);
        let is_gated = matches!(
            operation,
            Operation::DescribeRecoveryPoint | Operation::ListRecoveryPointsByBackupVault
        );
        if is_gated && count <= AT_ONCE {
            self.first.wait().await;
        }
        let answer = call.await;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    fn asked(&self, operation: Operation) -> usize {
        self.asked.lock().unwrap()[&operation]
    }
}

impl<R: Sources> Sources for Crowd<R> {
    async fn source(
        &self,
        arn: &str,
        vault: Option<&VaultName>,
    ) -> Result<Option<SourceFacts>, ApiError> {
        self.vaults.source(self, arn, vault).await
    }

    async fn vaults_page(&self, token: Option<String>) -> Result<Page<Vault>, ApiError> {
        let call = self.aws.vaults_page(token);
        self.count(Operation::ListBackupVaults, call).await
    }

    async fn points_page(
        &self,
        query: &PointQuery,
        token: Option<String>,
    ) -> Result<Page<RecoveryPoint>, ApiError> {
        let call = self.aws.points_page(query, token);
        self.count(query.operation(), call).await
    }

    async fn point(&self, vault: &VaultName, arn: &str) -> Result<Option<RecoveryPoint>, ApiError> {
        let call = self.aws.point(vault, arn);
        self.count(Operation::DescribeRecoveryPoint, call).await
    }

    async fn restore_metadata(
        &self,
        vault: &VaultName,
        arn: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        let call = self.aws.restore_metadata(vault, arn);
        self.count(Operation::GetRecoveryPointRestoreMetadata, call)
            .await
    }

    async fn tags_page(
        &self,
        arn: &str,
        token: Option<String>,
    ) -> Result<Page<(String, String)>, ApiError> {
        let call = self.aws.tags_page(arn, token);
        self.count(Operation::ListTags, call).await
    }
}

/// A reader whose answers take half a second.
struct Slow<R>(R, Simulated, Vaults);

impl<R: Sources> Slow<R> {
    async fn after<T>(&self, call: impl Future<Output = T>) -> T {
        let at = self.1.now() + SignedDuration::from_millis(500);
        self.1.sleep_until(at).await;
        call.await
    }
}

impl<R: Sources> Sources for Slow<R> {
    async fn source(
        &self,
        arn: &str,
        vault: Option<&VaultName>,
    ) -> Result<Option<SourceFacts>, ApiError> {
        self.2.source(self, arn, vault).await
    }

    async fn vaults_page(&self, token: Option<String>) -> Result<Page<Vault>, ApiError> {
        self.after(self.0.vaults_page(token)).await
    }

    async fn points_page(
        &self,
        query: &PointQuery,
        token: Option<String>,
    ) -> Result<Page<RecoveryPoint>, ApiError> {
        self.after(self.0.points_page(query, token)).await
    }

    async fn point(&self, vault: &VaultName, arn: &str) -> Result<Option<RecoveryPoint>, ApiError> {
        self.after(self.0.point(vault, arn)).await
    }

    async fn restore_metadata(
        &self,
        vault: &VaultName,
        arn: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        self.after(self.0.restore_metadata(vault, arn)).await
    }

    async fn tags_page(
        &self,
        arn: &str,
        token: Option<String>,
    ) -> Result<Page<(String, String)>, ApiError> {
        self.after(self.0.tags_page(arn, token)).await
    }
}

fn table(at: usize) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t{at:03}")
}

/// All of them in the second of two vaults.
fn inventory() -> String {
    let mut text = format!(
        "account: \"{ACCOUNT}\"\nregion: {REGION}\nvaults:\n  a: {{}}\n  b:\n    recovery_points:\n"
    );
    for at in 0..COUNT {
        let _ = write!(
            text,
            "      - arn: {}\n        resource_arn: {}\n        resource_type: DynamoDB\n        created_at: 2026-11-20T03:00:00Z\n        size_bytes: {at}\n        restore_metadata: {{ n: \"{at}\" }}\n",
            point(at),
            table(at),
        );
    }
    text
}

/// The emulator with these recovery points, and a crowded reader of it.
async fn crowd() -> (Emulator, [Crowd<Aws<Reads>>; 1]) {
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(&inventory()).unwrap()),
        ..at_once()
    })
    .await;
    let settings = ConnectionSettings {
        account: AccountId::new(ACCOUNT),
        region: RegionName::new(REGION),
        endpoint_url: Some(emulator.url()),
        without_credentials: true,
        ..ConnectionSettings::default()
    };
    let crowd = Crowd::new(Aws::connect(&settings).await.unwrap());
    (emulator, [crowd])
}

fn file() -> RecordedInventory {
    let file = RecordedInventory::parse(&inventory()).unwrap();
    file.seen_from(&AccountId::new(ACCOUNT), &RegionName::new(REGION))
}

/// Whether something is answered at all: far more time than it takes.
async fn answered<T>(asked: impl Future<Output = T>) -> T {
    let answer = tokio::time::timeout(Duration::from_secs(120), asked).await;
    answer.expect("calls do not overlap")
}

fn wanted() -> WantedPoints {
    (0..COUNT)
        .map(|at| (TargetIndex::FIRST, point(at), None))
        .collect()
}

#[tokio::test]
async fn issue_15_five_hundred_recovery_points_are_described_at_once() {
    let (emulator, readers) = crowd().await;
    let mut known = Known::default();
    answered(session::look_up(&readers, &wanted(), &mut known))
        .await
        .unwrap();
    let crowd = &readers[0];
    assert_eq!(crowd.most.load(Ordering::Relaxed), AT_ONCE);
    assert_eq!(crowd.asked(Operation::ListBackupVaults), 1);
    assert_eq!(crowd.asked(Operation::DescribeRecoveryPoint), 2 * COUNT);
    assert_eq!(
        crowd.asked(Operation::GetRecoveryPointRestoreMetadata),
        COUNT
    );
    let mut recorded = Known::default();
    session::look_up(&[file()], &wanted(), &mut recorded)
        .await
        .unwrap();
    assert_eq!(known.sources.len(), COUNT);
    assert_eq!(
        format!("{:?}", known.sources),
        format!("{:?}", recorded.sources)
    );
    emulator.shutdown().await;
}

/// Calls that take half a second each: as fast as AWS allows, and no faster.
#[tokio::test]
async fn issue_15_five_hundred_recovery_points_are_described_at_awss_rates() {
    let clock = Simulated::default();
    let slow = Slow(file(), clock.clone(), Vaults::default());
    let place = (&AccountId::new(ACCOUNT), &RegionName::new(REGION));
    let pace = Pace::of([place], Keeping::Always, clock.now());
    let readers = [Paced::new(Arc::new(slow), clock.clone(), pace, 0)];
    let wanted = wanted();
    let mut known = Known::default();
    let (looked_up, passed) = clock
        .passes(session::look_up(&readers, &wanted, &mut known))
        .await;
    looked_up.unwrap();
    assert_eq!(known.sources.len(), COUNT);
    // Each is looked for in two vaults: a thousand descriptions at fifteen a second. One after the other it were 750 s.
    assert!((66.0..72.0).contains(&passed), "{passed}");
}

#[tokio::test]
async fn issue_15_five_hundred_selectors_are_resolved_at_once() {
    let (emulator, readers) = crowd().await;
    // Whoever may not list vaults lists what is in the one that they know, resource by resource.
    let denied = FaultKind::Error {
        status: 403,
        code: "AccessDeniedException".to_owned(),
        message: "not authorized to perform backup:ListBackupVaults".to_owned(),
    };
    emulator.inject(Fault::new(Asked::ListBackupVaults, denied));
    // The last ten have no recovery point.
    let mut text = format!(
        "plan: many\ntarget: {{ region: {REGION}, account: \"{ACCOUNT}\", iam_role_arn: \"arn:aws:iam::{ACCOUNT}:role/restore\" }}\nrestores:\n"
    );
    for at in 10..COUNT + 10 {
        let _ = write!(
            text,
            "  t{at:03}:\n    type: DynamoDB\n    recovery_point: {{ vault: b, resource: \"{}\" }}\n    metadata: {{ targetTableName: new-{at} }}\n",
            table(at),
        );
    }
    let rules = Arc::new(Rules::embedded());
    let source = Source::new("plan.yaml", text);
    let loaded = session::read(&source, &RunId::new("main"), &Inputs::default(), &rules).unwrap();
    let plan = loaded.draft(&Known::default()).plan.unwrap();
    let start: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
    let mut known = Known::default();
    let resolved = session::resolve(&readers, &loaded.planner, &plan, &[], start, &mut known);
    let found = answered(resolved).await.unwrap();
    let crowd = &readers[0];
    assert_eq!(crowd.most.load(Ordering::Relaxed), AT_ONCE);
    assert_eq!(
        crowd.asked(Operation::ListRecoveryPointsByBackupVault),
        COUNT
    );
    // One after the other, and out of a file, it is the same.
    let mut recorded = Known::default();
    let readers = [file()];
    let of_file = session::resolve(&readers, &loaded.planner, &plan, &[], start, &mut recorded);
    let of_file = of_file.await.unwrap();
    assert_eq!(known.resolved.len(), COUNT - 10);
    assert_eq!(
        format!("{:?}", known.resolved),
        format!("{:?}", recorded.resolved)
    );
    let said = |findings: &session::Findings| -> Vec<String> {
        findings
            .iter()
            .map(|finding| format!("{finding:?}"))
            .collect()
    };
    assert_eq!(said(&found).len(), 10);
    assert_eq!(said(&found), said(&of_file));
    emulator.shutdown().await;
}
