//! Commands on this machine: run without a shell, listened to, and killed with their children.
//!
//! Each is the leader of a process group of its own: Ctrl-C in the terminal does not reach it, and a kill reaches
//! whatever it has started. What leaves the group on purpose, as a daemon does, is out of reach.

mod left;
mod program;

pub use program::{Obstacle, obstacle};

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;

use crate::backup::Gate;
use crate::execute::{Command, Commands, Exited, Left, Ran};
use crate::state::{Begun, Machine};

/// Time for which output may still come once a command has ended and its group was killed.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs commands in a directory.
#[derive(Clone, Debug)]
pub struct Processes {
    directory: PathBuf,
    environment: Vec<(String, Option<String>)>,
    gate: Option<Gate>,
}

impl Processes {
    /// Commands run in `directory`, where relative programs are looked for as well, with `environment` added to that of
    /// redrill itself; what has no value there is taken out of it.
    #[must_use]
    pub fn new(directory: &Path, environment: Vec<(String, Option<String>)>) -> Self {
        let directory = if directory.as_os_str().is_empty() {
            Path::new(".")
        } else {
            directory
        };
        // A relative directory that cannot be made absolute serves, unless somebody changes the directory.
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        Self {
            directory,
            environment,
            gate: None,
        }
    }

    /// The same, where nothing is started before a gate is passed.
    #[must_use]
    pub fn behind(self, gate: Option<Gate>) -> Self {
        Self { gate, ..self }
    }

    /// A word with a slash is a path from the directory; any other is looked for in PATH.
    fn program(&self, word: &str) -> PathBuf {
        if word.contains('/') {
            self.directory.join(word)
        } else {
            word.into()
        }
    }

    fn start(&self, command: &Command) -> std::io::Result<Child> {
        let (program, arguments) = command
            .words
            .split_first()
            .ok_or_else(|| std::io::Error::other("no program is named"))?;
        let mut process = tokio::process::Command::new(self.program(program));
        process.args(arguments).current_dir(&self.directory);
        for (name, value) in &self.environment {
            match value {
                Some(value) => process.env(name, value),
                None => process.env_remove(name),
            };
        }
        process
            .envs(
                command
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        process.process_group(0);
        process.spawn()
    }
}

impl Commands for Processes {
    fn run(&self, command: Command) -> Pin<Box<dyn Future<Output = Ran> + Send>> {
        let processes = self.clone();
        Box::pin(async move {
            if let Some(gate) = &processes.gate {
                gate.pass().await;
            }
            processes.to_its_end(command).await
        })
    }

    fn machine(&self) -> Option<Machine> {
        Some(left::machine())
    }

    fn end(&self, begun: &Begun) -> Left {
        left::end(begun)
    }
}

impl Processes {
    async fn to_its_end(&self, command: Command) -> Ran {
        let mut child = match self.start(&command) {
            Ok(child) => child,
            Err(err) => {
                let program = command.words.first().map_or("", String::as_str);
                // «No such file» may be said of what a file names that is there.
                let why = match obstacle(&self.directory, None, program) {
                    Some(obstacle) => obstacle.message,
                    None => format!("{program}: {err}"),
                };
                return Ran {
                    exited: Exited::NotStarted(why),
                    output: String::new(),
                };
            }
        };
        let group = Group::of(&child);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let heard = Heard::new(command.keep);
        let listening = async {
            tokio::join!(heard.listen(stdout), heard.listen(stderr));
        };
        let mut listening = std::pin::pin!(listening);
        let timeout = Duration::try_from(command.timeout).unwrap_or(Duration::MAX);
        let ended = async {
            let mut is_silent = false;
            loop {
                tokio::select! {
                    status = child.wait() => return status,
                    () = listening.as_mut(), if !is_silent => is_silent = true,
                }
            }
        };
        let exited = match tokio::time::timeout(timeout, ended).await {
            Err(_) => Exited::TimedOut,
            Ok(Ok(status)) => exited(status),
            Ok(Err(err)) => Exited::NotStarted(err.to_string()),
        };
        // Children that outlive it would hold its output open, and work on unseen.
        drop(group);
        let _ = tokio::time::timeout(LAST_WORDS, async {
            let _ = child.wait().await;
            if !heard.is_over() {
                listening.as_mut().await;
            }
        })
        .await;
        Ran {
            exited,
            output: heard.text(),
        }
    }
}

fn exited(status: ExitStatus) -> Exited {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Exited::Signal(signal);
    }
    Exited::Code(status.code().unwrap_or(-1))
}

/// A process group, killed when it is dropped: also when nobody waits for the command any more.
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    #[cfg(unix)]
    fn of(child: &Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        Self {
            leader: leader.and_then(rustix::process::Pid::from_raw),
        }
    }

    #[cfg(not(unix))]
    fn of(_: &Child) -> Self {
        Self {}
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader {
            // None of them may be left, which is what was wanted.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

/// The end of what a command writes, in the order of its arrival.
struct Heard {
    keep: usize,
    state: std::sync::Mutex<HeardOutput>,
}

#[derive(Default)]
struct HeardOutput {
    bytes: Vec<u8>,
    over: u8,
}

impl Heard {
    fn new(keep: usize) -> Self {
        Self {
            keep,
            state: std::sync::Mutex::default(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HeardOutput> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn listen(&self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else {
            return;
        };
        let mut buffer = vec![0; 8192];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            let mut state = self.lock();
            state.bytes.extend_from_slice(&buffer[..length]);
            // Twice as much, so that what is kept is not moved with each read.
            if state.bytes.len() > self.keep * 2 {
                let from = state.bytes.len() - self.keep;
                state.bytes.drain(..from);
            }
        }
        self.lock().over += 1;
    }

    fn is_over(&self) -> bool {
        self.lock().over == 2
    }

    /// Text without colours and without what a terminal would obey.
    fn text(&self) -> String {
        let state = self.lock();
        let from = state.bytes.len().saturating_sub(self.keep);
        let text = String::from_utf8_lossy(&state.bytes[from..]);
        anstream::adapter::strip_str(&text)
            .to_string()
            .replace("\r\n", "\n")
            .chars()
            .map(|c| if c == '\r' { '\n' } else { c })
            .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
            .collect()
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    async fn run(words: &[&str], timeout: SignedDuration) -> Ran {
        let directory = tempfile::tempdir().unwrap();
        let processes = Processes::new(directory.path(), vec![("A".into(), Some("a".into()))]);
        let command = Command {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            environment: vec![("B".to_owned(), "b".to_owned())],
            timeout,
            keep: 100,
        };
        processes.run(command).await
    }

    const LONG: SignedDuration = SignedDuration::from_secs(60);

    #[tokio::test]
    async fn what_a_command_says_and_how_it_ends() {
        let ran = run(&["sh", "-c", "echo $A; echo $B >&2; exit 3"], LONG).await;
        assert_eq!(ran.exited, Exited::Code(3));
        let mut lines: Vec<&str> = ran.output.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["a", "b"]);
        let ran = run(&["sh", "-c", "kill -9 $$"], LONG).await;
        assert_eq!(ran.exited, Exited::Signal(9));
        let ran = run(&["./nowhere"], LONG).await;
        assert!(
            matches!(ran.exited, Exited::NotStarted(why) if why == "there is no file `./nowhere`")
        );
    }

    #[tokio::test]
    async fn the_end_of_the_output_is_kept_without_colours() {
        let script = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; printf '\\033[31mred\\033[0m\\007'";
        let ran = run(&["sh", "-c", script], LONG).await;
        assert!(ran.output.ends_with("line 1999\nred"), "{}", ran.output);
        assert!(ran.output.len() <= 100);
    }

    /// A group that hangs is killed as a whole: its grandchild holds the output open for an hour.
    #[tokio::test]
    async fn a_timeout_kills_the_children_too() {
        let script = "echo $$; sleep 3600 & echo $!; wait";
        let ran = run(&["sh", "-c", script], SignedDuration::from_millis(300)).await;
        assert_eq!(ran.exited, Exited::TimedOut);
        let ids: Vec<i32> = ran.output.lines().filter_map(|l| l.parse().ok()).collect();
        assert_eq!(ids.len(), 2, "{}", ran.output);
        for id in ids {
            assert!(is_gone(id).await, "process {id} is left");
        }
    }

    /// A command that has ended leaves nobody behind.
    #[tokio::test]
    async fn children_that_outlive_their_parent_are_killed() {
        let ran = run(&["sh", "-c", "sleep 3600 & echo $!"], LONG).await;
        assert_eq!(ran.exited, Exited::Code(0));
        let id = ran.output.trim().parse().unwrap();
        assert!(is_gone(id).await, "process {id} is left");
    }

    /// Nobody waits for it any more.
    #[tokio::test]
    async fn a_command_that_is_given_up_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("id");
        let script = "sleep 3600 & echo $! > id.part; mv id.part id; wait";
        let processes = Processes::new(directory.path(), Vec::new());
        let command = Command {
            words: ["sh", "-c", script].map(str::to_owned).to_vec(),
            environment: Vec::new(),
            timeout: LONG,
            keep: 100,
        };
        let running = tokio::spawn(processes.run(command));
        while !file.exists() {
            tokio::task::yield_now().await;
        }
        running.abort();
        let _ = running.await;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::fs::File::open(file).unwrap(), &mut text).unwrap();
        let id = text.trim().parse().unwrap();
        assert!(is_gone(id).await, "process {id} is left");
    }

    /// A killed process is nobody's child here: it goes once whoever inherits it has looked, or stays as a zombie.
    async fn is_gone(id: i32) -> bool {
        for _ in 0..2000 {
            let pid = rustix::process::Pid::from_raw(id).unwrap();
            if rustix::process::test_kill_process(pid).is_err() || is_zombie(id) {
                return true;
            }
            tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)))
                .await
                .unwrap();
        }
        false
    }

    fn is_zombie(id: i32) -> bool {
        let mut stat = String::new();
        let file = std::fs::File::open(format!("/proc/{id}/stat"));
        file.is_ok_and(|mut file| std::io::Read::read_to_string(&mut file, &mut stat).is_ok())
            && stat
                .rsplit(") ")
                .next()
                .is_some_and(|rest| rest.starts_with('Z'))
    }
}
