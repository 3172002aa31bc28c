//! Gate to pass before anything is changed at AWS.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

type Passed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Passed at once while this process may change something; not passed while another may have its place, and never once it
/// has.
#[derive(Clone)]
pub struct Gate(Arc<dyn Fn() -> Passed + Send + Sync>);

impl Gate {
    /// A gate that is passed when a future is done.
    pub fn new<F>(pass: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(pass())))
    }

    /// Done once it is passed.
    pub async fn pass(&self) {
        (self.0)().await;
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}
