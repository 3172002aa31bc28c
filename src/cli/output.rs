//! Standard output and standard error: results to the one, everything else to the other.

use std::io::{IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use jiff::SignedDuration;

use super::arguments::{DisplayOptions, Progress, When};
use super::environment::Environment;
use super::exit::Failure;
use crate::backup::{Backoff, Clock as _, SystemClock};
use crate::diagnostic::{Finding, Safe, Severity, fold, human, visible_lines};
use crate::render::Secrets;
use crate::session::Patience;
use crate::terminal::{MessageLevel, message_line};

/// After how long a run in which nothing happens says what it waits for.
pub(super) const SAYS_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// Silences of a command that asks something before it goes on: somebody is watching.
const SILENCE: Backoff =
    Backoff::doubled(SignedDuration::from_secs(10), SignedDuration::from_mins(16));

/// By how much more than its line the rest of a long one is indented on a terminal.
const HANG: usize = 2;

/// Returns the width of the terminal behind standard output; a pipe, and a terminal that does not say, takes any line
/// as it is.
fn stdout_width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(0, |(width, _)| width.0.into())
}

/// The same of standard error.
pub(super) fn stderr_width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(0, |(width, _)| width.0.into())
}

/// Destination of a command's output.
pub(super) struct Output {
    stdout: AutoStream<std::io::Stdout>,
    stderr: AutoStream<std::io::Stderr>,
    quiet: bool,
    /// Everything on standard error is a JSON line.
    is_json: bool,
    secrets: Secrets,
    proxy: Option<&'static str>,
}

impl Output {
    pub(super) fn new(display: &DisplayOptions, environment: &Environment) -> Self {
        let choice = match display.color {
            When::Auto if environment.terminal.is_colour_forced => ColorChoice::Always,
            When::Auto => ColorChoice::Auto,
            When::Always => ColorChoice::Always,
            When::Never => ColorChoice::Never,
        };
        Self {
            stdout: AutoStream::new(std::io::stdout(), choice),
            stderr: AutoStream::new(std::io::stderr(), choice),
            quiet: display.quiet,
            is_json: display.progress == Progress::Json,
            proxy: environment.proxy,
            secrets: Secrets::default().with_own(environment.credentials.iter().cloned()),
        }
    }

    /// Returns true if standard error is a terminal that takes links.
    pub(super) fn takes_links() -> bool {
        supports_hyperlinks::on(supports_hyperlinks::Stream::Stderr)
    }

    /// Returns true if what is drawn on standard error has colours.
    pub(super) fn is_coloured(display: &DisplayOptions) -> bool {
        match display.color {
            When::Auto => AutoStream::choice(&std::io::stderr()) != ColorChoice::Never,
            When::Always => true,
            When::Never => false,
        }
    }

    /// Keeps the secrets of a plan out of all that is printed for people from here on.
    pub(super) fn hide(&mut self, secrets: &Secrets) {
        self.secrets = secrets.clone();
    }

    /// A result for people.
    pub(super) fn result(&mut self, text: &str) -> Result<(), Failure> {
        let text = self.secrets.redact_text(text).into_owned();
        let text = fold(&text, stdout_width(), HANG);
        self.result_with(|out| out.write_all(text.as_bytes()))
    }

    /// A result for people, with colours of its own.
    pub(super) fn styled(&mut self, text: &str) -> Result<(), Failure> {
        let text = self.secrets.redact_text(text).into_owned();
        let text = fold(&text, stdout_width(), HANG);
        let mut out = Safe::styled(std::io::BufWriter::new(&mut self.stdout));
        let written = out.write_all(text.as_bytes()).and_then(|()| out.finish());
        Self::ended(written)
    }

    /// A result to be copied as it is, such as Markdown.
    pub(super) fn verbatim(&mut self, text: &str) -> Result<(), Failure> {
        let text = self.secrets.redact_text(text).into_owned();
        self.result_with(|out| out.write_all(text.as_bytes()))
    }

    /// A result for machines; its parts have been redacted.
    pub(super) fn document(&mut self, text: &str) -> Result<(), Failure> {
        self.result_with(|out| out.write_all(text.as_bytes()))
    }

    /// A result that is long, as it is made.
    pub(super) fn result_with(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        let mut out = Safe::new(std::io::BufWriter::new(&mut self.stdout));
        let written = write(&mut out).and_then(|()| out.finish());
        Self::ended(written)
    }

    /// An empty screen, where it is one.
    pub(super) fn clear(&mut self) -> Result<(), Failure> {
        if std::io::stdout().is_terminal() {
            self.exact("\x1b[2J\x1b[H")?;
        }
        Ok(())
    }

    /// Prints text that is redrill's own, byte for byte, or was made safe: scripts for shells, commands for CI systems.
    pub(super) fn exact(&mut self, text: &str) -> Result<(), Failure> {
        let written = self.stdout.write_all(text.as_bytes());
        Self::ended(written.and_then(|()| self.stdout.flush()))
    }

    fn ended(written: std::io::Result<()>) -> Result<(), Failure> {
        match written {
            // `redrill render … | head` is not a failure.
            Err(err) if err.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            // Nor is a terminal that was closed meanwhile: what was asked for is done, or recorded.
            Err(err) if is_hung_up(&err) => Ok(()),
            Err(source) => Err(Failure::Io {
                path: "standard output".into(),
                source,
            }),
            Ok(()) => Ok(()),
        }
    }

    /// Something to know that is no result; not with `-q`.
    pub(super) fn note(&mut self, text: &str) {
        if !self.quiet {
            self.error(MessageLevel::Note, &visible_lines(text));
        }
    }

    /// The same with colours of its own.
    pub(super) fn styled_note(&mut self, text: &str) {
        if !self.quiet {
            self.error(MessageLevel::Note, text.trim_end_matches('\n'));
        }
    }

    /// The answer to a question that may take its time: what is waited for is said after a minute, and then less and less
    /// often.
    pub(super) async fn patiently<T>(&mut self, what: &str, asked: impl Future<Output = T>) -> T {
        let mut asked = Box::pin(asked);
        let began = SystemClock.now();
        let mut spoken = 0;
        loop {
            let until = SystemClock.now() + SILENCE.wait(spoken);
            tokio::select! {
                answer = &mut asked => return answer,
                () = SystemClock.sleep_until(until) => {}
            }
            let since = SystemClock.now().duration_since(began).as_secs();
            let since = SignedDuration::from_secs(since);
            self.note(&format!("waiting for {what}, for {since:#}"));
            spoken += 1;
        }
    }

    /// Findings that are the result of a command.
    pub(super) fn findings_as_result(&mut self, findings: &[Finding]) -> Result<(), Failure> {
        // The stream takes the colours out where they are not wanted.
        let text = self
            .secrets
            .redact_text(&human(findings, true))
            .into_owned();
        let text = fold(&text, stdout_width(), HANG);
        let mut out = Safe::styled(std::io::BufWriter::new(&mut self.stdout));
        let written = out.write_all(text.as_bytes()).and_then(|()| out.finish());
        Self::ended(written)
    }

    /// Findings beside a result.
    pub(super) fn findings(&mut self, findings: &[Finding]) {
        if self.is_json {
            for finding in findings {
                let level = match finding.severity {
                    Severity::Error => MessageLevel::Error,
                    Severity::Warning => MessageLevel::Warning,
                    Severity::Note => MessageLevel::Note,
                };
                self.error(level, &human(std::slice::from_ref(finding), false));
            }
            return;
        }
        let text = human(findings, true);
        self.error(MessageLevel::Note, text.trim_end_matches('\n'));
        if !findings.is_empty() {
            self.error(MessageLevel::Note, "");
        }
    }

    /// Reports why a command failed, and what to do.
    pub(super) fn failure(&mut self, failure: &Failure) {
        if let Failure::Findings(findings) = failure {
            self.findings(findings);
        }
        let red = Style::new()
            .bold()
            .fg_color(Some(AnsiColor::BrightRed.into()));
        let failure_text = visible_lines(&failure.to_string()).into_owned();
        match self.is_json {
            true => self.error(MessageLevel::Error, &failure_text),
            false => self.error(
                MessageLevel::Error,
                &format!("{red}error{red:#}: {failure_text}"),
            ),
        }
        // Nothing else says that it was not the endpoint that refused.
        let proxy = self
            .proxy
            .filter(|_| failure_text.contains("cannot connect to"));
        let proxy = proxy.map(|name| {
            format!("{name} is set, so calls go through that proxy; NO_PROXY excludes hosts, such as NO_PROXY=127.0.0.1")
        });
        for help in failure.help().into_iter().chain(proxy) {
            let cyan = Style::new()
                .bold()
                .fg_color(Some(AnsiColor::BrightCyan.into()));
            let help = visible_lines(&help);
            match self.is_json {
                true => self.error(MessageLevel::Help, &help),
                false => self.error(MessageLevel::Help, &format!("{cyan}help{cyan:#}: {help}")),
            }
        }
    }

    fn error(&mut self, level: MessageLevel, text: &str) {
        let mut text = text.to_owned();
        // AWS's message may have been cut within a secret.
        self.secrets.redact_sentence(&mut text);
        if self.is_json {
            let text = anstream::adapter::strip_str(text.trim_end()).to_string();
            if !text.is_empty() {
                // Nobody is left to tell where this fails.
                let line = message_line(SystemClock.now(), level, &text);
                let _ = writeln!(self.stderr, "{line}");
            }
            return;
        }
        let text = fold(&text, stderr_width(), HANG);
        let mut out = Safe::styled(&mut self.stderr);
        // Nobody is left to tell where this fails.
        let _ = writeln!(out, "{text}").and_then(|()| out.finish());
    }

    /// Returns true if standard error is a terminal.
    pub(super) fn is_terminal() -> bool {
        std::io::stderr().is_terminal()
    }

    /// Returns true if a person sits at both standard input and standard error.
    pub(super) fn is_interactive() -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }
}

/// Returns true if standard output is a terminal that has been closed.
#[cfg(unix)]
fn is_hung_up(error: &std::io::Error) -> bool {
    use rustix::fs::{FileType, fstat};
    let is_device = fstat(std::io::stdout())
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice);
    is_device && error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

#[cfg(not(unix))]
fn is_hung_up(_: &std::io::Error) -> bool {
    false
}

impl Patience for Output {
    fn wait<T>(&mut self, what: &str, answer: impl Future<Output = T>) -> impl Future<Output = T> {
        self.patiently(what, answer)
    }
}
