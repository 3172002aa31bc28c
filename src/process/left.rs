//! Remains of a command whose runner was killed: found by its environment, which no reused process number can have.

use crate::execute::Left;
use crate::state::{Begun, Machine};

/// The name of the variable.
#[cfg(target_os = "linux")]
const START: &str = "REDRILL_START";

/// Describes where this process runs.
pub(super) fn machine() -> Machine {
    Machine {
        host: gethostname::gethostname().to_string_lossy().into_owned(),
        boot: system::boot(),
        processes: system::processes(),
        session: system::session(),
    }
}

/// Kills what is left of a command, and returns once it is gone.
pub(super) fn end(begun: &Begun) -> Left {
    let (there, here) = (&begun.machine, machine());
    let unknown = |why: String| Left::Unknown(why);
    if there.host != here.host {
        return unknown(format!(
            "it was started on {}, and this is {}",
            there.host, here.host
        ));
    }
    match (&there.boot, &here.boot) {
        (Some(there), Some(here)) if there == here => {}
        // The machine has been started anew since.
        (Some(_), Some(_)) => return Left::Nothing,
        _ => return unknown("this system does not say which processes it left".to_owned()),
    }
    if !system::is_own() {
        return unknown("/proc shows the processes of another container".to_owned());
    }
    if there.processes != here.processes {
        return unknown(format!(
            "it was started in another container on {}, whose processes are not seen from here",
            here.host
        ));
    }
    system::end(begun)
}

#[cfg(target_os = "linux")]
mod system {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process, kill_process_group};

    use super::{Begun, Left, START};

    /// Number of looks for what was killed until it has gone, and the time between two looks.
    const LOOKS: u32 = 200;
    const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

    #[expect(
        clippy::disallowed_methods,
        reason = "the system says it there, in a file that is nobody's"
    )]
    fn read(path: &str) -> Option<Vec<u8>> {
        std::fs::read(path).ok()
    }

    pub(super) fn boot() -> Option<String> {
        let text = String::from_utf8(read("/proc/sys/kernel/random/boot_id")?).ok()?;
        Some(text.trim().to_owned())
    }

    pub(super) fn processes() -> Option<String> {
        let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
        Some(link.to_string_lossy().into_owned())
    }

    /// Session of this process, 0 if its leader is outside this container. `getsid` of rustix has no such answer, and
    /// panics.
    pub(super) fn session() -> Option<i32> {
        group_and_session("self").map(|(_, session)| session)
    }

    /// Returns true if the numbers in `/proc` are those that signals go to: after `unshare --pid` without a new `/proc`
    /// they are the parent's, and a signal would reach somebody else.
    pub(super) fn is_own() -> bool {
        std::fs::read_link("/proc/self")
            .is_ok_and(|link| link.as_os_str() == &*std::process::id().to_string())
    }

    pub(super) fn end(begun: &Begun) -> Left {
        let own_group = group_and_session("self").map(|(group, _)| group);
        let mut killed = BTreeSet::new();
        let mut found = find(begun);
        for _ in 0..LOOKS {
            if found.is_empty() {
                break;
            }
            for (process, group) in &found {
                killed.insert(process.as_raw_pid());
                // The process may have gone by itself meanwhile.
                if let Some(group) = group.filter(|group| Some(group.as_raw_pid()) != own_group) {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                let _ = kill_process(*process, Signal::KILL);
            }
            std::thread::sleep(BETWEEN_LOOKS);
            found = find(begun);
        }
        match (found.first(), killed.len()) {
            (Some((process, _)), _) => Left::Alive(process.as_raw_pid()),
            (None, 0) => Left::Nothing,
            (None, count) => Left::Killed(count),
        }
    }

    /// The processes of a start, each with its group: none where that is outside this container.
    fn find(begun: &Begun) -> Vec<(Pid, Option<Pid>)> {
        let mark = format!("{START}={}", begun.id);
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|id: i32| {
                // Environments of others' processes cannot be read, and are none of ours. A process that has ended has
                // none.
                let environment = read(&format!("/proc/{id}/environ"))?;
                let is_marked = environment
                    .split(|byte| *byte == 0)
                    .any(|variable| variable == mark.as_bytes());
                let (group, session) = group_and_session(&id.to_string())?;
                let is_its = is_marked && begun.machine.session.is_none_or(|of| of == session);
                is_its.then_some((Pid::from_raw(id)?, Pid::from_raw(group)))
            })
            .collect()
    }

    /// The fifth and sixth field of `/proc/<id>/stat`; the second may hold anything, in parentheses.
    fn group_and_session(id: &str) -> Option<(i32, i32)> {
        let stat = String::from_utf8_lossy(&read(&format!("/proc/{id}/stat"))?).into_owned();
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Begun, Left};

    pub(super) fn boot() -> Option<String> {
        None
    }

    pub(super) fn processes() -> Option<String> {
        None
    }

    pub(super) fn session() -> Option<i32> {
        None
    }

    pub(super) fn is_own() -> bool {
        true
    }

    pub(super) fn end(_: &Begun) -> Left {
        Left::Nothing
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command};

    use super::*;

    /// A shell and its child, as a runner that was killed leaves them.
    fn left_behind(begun: &Begun) -> Child {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 3600 & echo; wait"])
            .env(START, &begun.id)
            .process_group(0)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Its child is there as well.
        let mut line = [0];
        let stdout = child.stdout.as_mut().unwrap();
        std::io::Read::read_exact(stdout, &mut line).unwrap();
        child
    }

    fn begun(id: &str) -> Begun {
        Begun {
            id: id.to_owned(),
            machine: machine(),
        }
    }

    #[test]
    fn reliability_r4_21_what_is_left_is_killed_and_nothing_else() {
        let (one, other) = (begun("one"), begun("other"));
        if !system::is_own() {
            // A sandbox with another's /proc, where nothing may be killed.
            assert!(matches!(end(&one), Left::Unknown(_)));
            return;
        }
        let mut child = left_behind(&one);
        let mut of_other = left_behind(&other);
        // A parent collects what it has started; a process that is nobody's is collected by the system.
        let waiting = std::thread::spawn(move || child.wait().unwrap());
        assert!(matches!(end(&one), Left::Killed(1..)));
        assert!(!waiting.join().unwrap().success());
        assert_eq!(end(&one), Left::Nothing);
        assert!(of_other.try_wait().unwrap().is_none());
        let waiting = std::thread::spawn(move || of_other.wait().unwrap());
        assert!(matches!(end(&other), Left::Killed(1..)));
        waiting.join().unwrap();
    }

    /// Anything that nobody can know is reported.
    #[test]
    fn reliability_r4_21_another_machine_is_said() {
        let with = |change: fn(&mut Machine)| {
            let mut begun = begun("elsewhere");
            change(&mut begun.machine);
            end(&begun)
        };
        let host = with(|machine| machine.host = "other".to_owned());
        assert!(matches!(host, Left::Unknown(why) if why.contains("started on other")));
        let container = with(|machine| machine.processes = Some("pid:[1]".to_owned()));
        assert!(matches!(container, Left::Unknown(why) if why.contains("another container")));
        let system = with(|machine| machine.boot = None);
        assert!(matches!(system, Left::Unknown(why) if why.contains("does not say")));
        assert_eq!(
            with(|machine| machine.boot = Some("before".to_owned())),
            Left::Nothing
        );
    }
}
