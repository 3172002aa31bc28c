//! Ctrl-C and SIGTERM: the first detaches, the second leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::execute::Control;

/// What a person asks of the run, and whether it was by SIGTERM.
pub(super) struct Signals {
    pub(super) control: UnboundedReceiver<Control>,
    terminated: Arc<AtomicBool>,
}

impl Signals {
    /// Listens from here on; has to be called in a runtime.
    pub(super) fn listen() -> Self {
        let (sender, control) = unbounded_channel();
        let terminated = Arc::new(AtomicBool::new(false));
        let by_term = Arc::clone(&terminated);
        tokio::spawn(async move {
            for control in [Control::Detach, Control::Now] {
                by_term.store(next().await, Ordering::Relaxed);
                if sender.send(control).is_err() {
                    return;
                }
            }
        });
        Self {
            control,
            terminated,
        }
    }

    /// A handle that tells later whether the last signal was SIGTERM.
    pub(super) fn terminated(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.terminated)
    }
}

/// Waits for a signal; whether it is SIGTERM.
#[cfg(unix)]
async fn next() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut term) => tokio::select! {
            _ = tokio::signal::ctrl_c() => false,
            _ = term.recv() => true,
        },
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
            false
        }
    }
}

#[cfg(not(unix))]
async fn next() -> bool {
    let _ = tokio::signal::ctrl_c().await;
    false
}
