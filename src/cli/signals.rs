//! Ctrl-C, SIGTERM and SIGHUP: the first detaches, the second leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::exit::Exit;
use crate::execute::Control;

/// Requests of a person to the run, and whether they came by SIGTERM or SIGHUP.
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
        let mut signals = system::SystemSignals::listen();
        tokio::spawn(async move {
            for control in [Control::Detach, Control::Now] {
                let terminates = signals.next().await;
                by_term.store(terminates, Ordering::Relaxed);
                if sender.send(control).is_err() {
                    leave(terminates);
                }
            }
            leave(signals.next().await);
        });
        Self {
            control,
            terminated,
        }
    }

    /// A handle that tells later whether the last signal was SIGTERM or SIGHUP.
    pub(super) fn terminated(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.terminated)
    }
}

/// Nobody listens any more: the run is over, and what is left is to write its report, perhaps into a pipe that nobody
/// reads.
#[expect(
    clippy::disallowed_methods,
    reason = "the main thread hangs in a write; the journal is on disk, and files are renamed into place once they are whole"
)]
fn leave(terminates: bool) -> ! {
    std::process::exit(if terminates {
        Exit::Terminated.code().into()
    } else {
        Exit::Interrupted.code().into()
    })
}

#[cfg(unix)]
mod system {
    use std::time::Duration;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// The terminal that closes and the shell in it each send SIGHUP: what comes this soon after the first is the same one.
    const SAME_HANG_UP: Duration = Duration::from_secs(1);

    /// The signals that end a run; one that cannot be listened to does what the system does with it.
    pub(super) struct SystemSignals {
        interrupt: Option<Signal>,
        terminate: Option<Signal>,
        hang_up: Option<Signal>,
        hung_up: bool,
    }

    impl SystemSignals {
        pub(super) fn listen() -> Self {
            let of = |kind| signal(kind).ok();
            Self {
                interrupt: of(SignalKind::interrupt()),
                terminate: of(SignalKind::terminate()),
                // Whoever starts it with `nohup` wants it to go on.
                hang_up: (!is_hang_up_ignored())
                    .then(|| of(SignalKind::hangup()))
                    .flatten(),
                hung_up: false,
            }
        }

        /// Waits for a signal; whether it is SIGTERM or SIGHUP.
        pub(super) async fn next(&mut self) -> bool {
            if std::mem::take(&mut self.hung_up)
                && let Ok(terminates) = tokio::time::timeout(SAME_HANG_UP, self.other()).await
            {
                return terminates;
            }
            tokio::select! {
                () = heard(&mut self.interrupt) => false,
                () = heard(&mut self.terminate) => true,
                () = heard(&mut self.hang_up) => {
                    self.hung_up = true;
                    true
                }
            }
        }

        /// The same but for SIGHUP, which is heard and passed over.
        async fn other(&mut self) -> bool {
            loop {
                tokio::select! {
                    () = heard(&mut self.interrupt) => return false,
                    () = heard(&mut self.terminate) => return true,
                    () = heard(&mut self.hang_up) => {}
                }
            }
        }
    }

    async fn heard(signal: &mut Option<Signal>) {
        let is_heard = match signal {
            Some(signal) => signal.recv().await.is_some(),
            None => false,
        };
        if !is_heard {
            std::future::pending().await
        }
    }

    /// Returns true if SIGHUP was ignored when redrill was started, as `nohup` does. A shell cannot trap what it was
    /// started to ignore, which tells it on every system; Linux tells it without a shell.
    fn is_hang_up_ignored() -> bool {
        #[expect(
            clippy::disallowed_methods,
            reason = "it says what this process ignores, and is no file of anybody's"
        )]
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        match ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()) {
            Some(mask) => mask & 1 == 1,
            None => std::process::Command::new("/bin/sh")
                .args(["-c", "trap 'exit 7' HUP; kill -HUP $$; exit 0"])
                .status()
                .is_ok_and(|status| status.success()),
        }
    }
}

#[cfg(not(unix))]
mod system {
    /// Ctrl-C.
    pub(super) struct SystemSignals;

    impl SystemSignals {
        pub(super) fn listen() -> Self {
            Self
        }

        /// Waits for it; it is never SIGTERM.
        pub(super) async fn next(&mut self) -> bool {
            let _ = tokio::signal::ctrl_c().await;
            false
        }
    }
}
