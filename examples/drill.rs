//! Rehearses a plan through the library: `cargo run --example drill -- plans/quickstart.yaml`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program of its own, which reads its file and says what came of it"
)]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use redrill::ids::RunId;
use redrill::journal::{Journal, MemoryStore};
use redrill::process::Processes;
use redrill::rehearsal::{Options, Rehearsal};
use redrill::session::{self, *};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which plan?")?;
    let folder = Path::new(&path).parent().unwrap_or(Path::new("."));
    let source = Source::new(&path, std::fs::read_to_string(&path)?);
    let rules = Arc::new(Rules::embedded());
    let loaded = session::read(&source, &RunId::new("drill"), &Inputs::default(), &rules)?;
    let (plan, _) = loaded.draft(&Known::default()).into_plan()?;
    let (run, origin) = (
        RunKey::new(&plan.name, &RunId::new("drill")),
        Origin::default(),
    );
    let rehearsal = Rehearsal::start(Options::default(), &plan.targets).await?;
    let opening = Opening::new(&path, &plan, origin, Endpoint::Rehearsal);
    let (known, wanted) = (Known::default(), Wanted::default());
    let preview = Preview::new(plan, History::default(), known, wanted);
    println!("{} restores", preview.diff.changes.len());
    let store = MemoryStore::default();
    let owner = Owner::default();
    let journal = Journal::open(&store, &run, &owner, false, |_| Ok::<_, StoreError>(())).await?;
    let opened = preview.open(journal, History::default(), Known::default(), opening)?;
    let works = Works {
        planner: &loaded.planner,
        api: rehearsal.aws().to_vec(),
        commands: Arc::new(Processes::new(folder, Vec::new())),
        clock: &rehearsal.clock(),
        observer: (),
        control: tokio::sync::mpsc::unbounded_channel().1,
        policy: Policy::default(),
    };
    opened.run(works).await.ended?;
    println!("{}", session::report(&store, &run).await?);
    Ok(())
}
