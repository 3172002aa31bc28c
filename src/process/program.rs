//! Obstacles to starting a program, as far as they can be seen without starting it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Rule, rule};

/// Reason that a program cannot be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The id of the finding.
    pub rule: &'static Rule,
    /// Description of what is wrong.
    pub message: String,
    /// Advice on what to do about it.
    pub help: String,
    /// True if the cause is in a file that is there, not in what may be there at another time or on another machine.
    pub in_file: bool,
}

impl Obstacle {
    fn elsewhere(
        rule: &'static Rule,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Box<Self> {
        Box::new(Self {
            rule,
            message: message.into(),
            help: help.into(),
            in_file: false,
        })
    }

    fn in_file(
        rule: &'static Rule,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Box<Self> {
        Box::new(Self {
            in_file: true,
            ..*Self::elsewhere(rule, message, help)
        })
    }
}

/// Finds what keeps a program from starting in a directory; `search` is PATH. Only Unix systems are checked.
#[cfg(not(unix))]
#[must_use]
pub fn obstacle(_: &Path, _: Option<&OsStr>, _: &str) -> Option<Box<Obstacle>> {
    None
}

/// Finds what keeps a program from starting in a directory; `search` is PATH.
#[cfg(unix)]
#[must_use]
pub fn obstacle(directory: &Path, search: Option<&OsStr>, word: &str) -> Option<Box<Obstacle>> {
    let directory = match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    };
    if !directory.is_dir() {
        return Some(Obstacle::elsewhere(
            rule::CHECKS_FOLDER,
            format!(
                "the folder that it runs in, {}, is not there",
                directory.display()
            ),
            "commands run in the folder of the plan file",
        ));
    }
    let look = ProgramSearch { directory, search };
    look.word(word).err()
}

#[cfg(unix)]
use unix::ProgramSearch;

#[cfg(unix)]
mod unix {
    use std::io::Read as _;

    use rustix::fs::{Access, access};

    use super::{Obstacle, OsStr, Path, PathBuf, rule};

    /// Bytes that are read of a file: as many as Linux reads of a first line.
    const FIRST_LINE: u64 = 256;
    /// Interpreters that take an argument as it is: one with a carriage return in it they refuse.
    const SHELLS: [&str; 6] = ["ash", "bash", "dash", "ksh", "sh", "zsh"];
    const LINE_ENDS: &str = "save it with Unix line ends, such as with `sed -i 's/\\r$//'`; `*.sh text eol=lf` in .gitattributes keeps them";

    type ProgramCheck = Result<(), Box<Obstacle>>;

    pub(super) struct ProgramSearch<'a> {
        pub(super) directory: &'a Path,
        pub(super) search: Option<&'a OsStr>,
    }

    impl ProgramSearch<'_> {
        /// A word with a slash is a path; any other is looked for in PATH.
        pub(super) fn word(&self, word: &str) -> ProgramCheck {
            if word.contains('/') {
                return self.file(&self.directory.join(word), word);
            }
            let Some(found) = self.found(word) else {
                return Ok(());
            };
            let mut first = None;
            for path in found {
                match self.file(&path, &path.to_string_lossy()) {
                    Ok(()) => return Ok(()),
                    Err(obstacle) => first.get_or_insert(obstacle),
                };
            }
            Err(first.unwrap_or_else(|| {
                Obstacle::elsewhere(
                    rule::CHECKS_NOT_FOUND,
                    format!("there is no program `{word}` in PATH"),
                    format!("install it, or write `./{word}` if it is next to the plan"),
                )
            }))
        }

        /// Finds the files of that name in PATH, in its order; `None` if there is no PATH.
        fn found(&self, word: &str) -> Option<Vec<PathBuf>> {
            let folders = std::env::split_paths(self.search?);
            let paths = folders.map(|folder| self.directory.join(folder).join(word));
            Some(paths.filter(|path| path.is_file()).collect())
        }

        fn file(&self, path: &Path, name: &str) -> ProgramCheck {
            let made = "add the file, or correct the path: it starts from the folder of the plan file. What an earlier command makes, a shell starts: `run: [sh, -c, …]`";
            let metadata = match std::fs::metadata(path) {
                Ok(metadata) => metadata,
                Err(err) if err.kind() == std::io::ErrorKind::PermissionDenied => {
                    return Err(Obstacle::elsewhere(
                        rule::CHECKS_NOT_EXECUTABLE,
                        format!("`{name}` is out of reach: {err}"),
                        "give the user who runs redrill access to its folder",
                    ));
                }
                Err(_) => {
                    return Err(Obstacle::elsewhere(
                        rule::CHECKS_NOT_FOUND,
                        format!("there is no file `{name}`"),
                        made,
                    ));
                }
            };
            if !metadata.is_file() {
                return Err(Obstacle::in_file(
                    rule::CHECKS_NOT_EXECUTABLE,
                    format!("`{name}` is not a file, and cannot be executed"),
                    made,
                ));
            }
            if access(path, Access::EXEC_OK).is_err() {
                return Err(Obstacle::in_file(
                    rule::CHECKS_NOT_EXECUTABLE,
                    format!("`{name}` is not executable"),
                    format!("`chmod +x {name}`, and in git `git update-index --chmod=+x {name}`"),
                ));
            }
            let mut head = Vec::new();
            let read = std::fs::File::open(path)
                .and_then(|file| file.take(FIRST_LINE).read_to_end(&mut head));
            match read {
                Ok(_) => self.head(&head, name),
                // A program need not be readable.
                Err(_) => Ok(()),
            }
        }

        /// Tells by the beginning of a file what executes it.
        fn head(&self, head: &[u8], name: &str) -> ProgramCheck {
            let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
            if let Some(line) = line.strip_prefix(b"#!") {
                return self.interpreter(&String::from_utf8_lossy(line), name);
            }
            let is_marked = head.starts_with(b"\xef\xbb\xbf");
            let is_text = head
                .iter()
                .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
            if is_marked || is_text {
                let why = match is_marked {
                    true => "begins with a byte order mark",
                    false => "does not begin with a line that names its interpreter",
                };
                return Err(Obstacle::in_file(
                    rule::CHECKS_INTERPRETER,
                    format!("`{name}` {why}, and cannot be executed"),
                    "begin it with `#!/bin/sh`, or what else executes it",
                ));
            }
            match super::binary(head) {
                Some(why) if !super::has_handlers() => Err(Obstacle::elsewhere(
                    rule::CHECKS_NOT_EXECUTABLE,
                    format!("`{name}` is {why}, and cannot be executed here"),
                    "build it for this machine, or give a script",
                )),
                _ => Ok(()),
            }
        }

        /// The first line of a script, behind `#!`.
        fn interpreter(&self, line: &str, name: &str) -> ProgramCheck {
            let (line, has_return) = match line.strip_suffix('\r') {
                Some(line) => (line, true),
                None => (line, false),
            };
            let line = line.trim();
            let (program, argument) = match line.split_once([' ', '\t']) {
                Some((program, argument)) => (program, argument.trim()),
                None => (line, ""),
            };
            let called = program.rsplit('/').next().unwrap_or_default();
            let is_env = called == "env";
            if has_return && (argument.is_empty() || is_env || SHELLS.contains(&called)) {
                return Err(Obstacle::in_file(
                    rule::CHECKS_INTERPRETER,
                    format!(
                        "the first line of `{name}` ends with a carriage return (CRLF), which would be part of the interpreter's name"
                    ),
                    LINE_ENDS,
                ));
            }
            let missing = |what: &str, where_: &str| {
                Obstacle::elsewhere(
                    rule::CHECKS_INTERPRETER,
                    format!("the interpreter of `{name}`, {what}, is not {where_}"),
                    "install it, or correct the first line of the script",
                )
            };
            let path = self.directory.join(program);
            if program.is_empty() || !path.is_file() || access(&path, Access::EXEC_OK).is_err() {
                return Err(missing(program, "there"));
            }
            let of_env = argument
                .split([' ', '\t'])
                .find(|word| !word.starts_with('-') && !word.contains('='));
            if let (true, Some(word)) = (is_env, of_env.filter(|word| !word.is_empty()))
                && !word.contains('/')
                && let Some(found) = self.found(word)
                && !found
                    .iter()
                    .any(|path| access(path, Access::EXEC_OK).is_ok())
            {
                return Err(missing(word, "in PATH"));
            }
            Ok(())
        }
    }
}

/// Tells why the kernel of this machine does not execute a file that is no script, by how the file begins; `None` if it
/// may. `e_ident` and `e_machine` as in <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>, the numbers
/// of machines as in <https://github.com/torvalds/linux/blob/master/include/uapi/linux/elf-em.h>.
#[cfg(target_os = "linux")]
fn binary(head: &[u8]) -> Option<String> {
    const MACHINES: [(u16, &str); 9] = [
        (3, "x86"),
        (8, "mips"),
        (21, "powerpc64"),
        (22, "s390x"),
        (40, "arm"),
        (62, "x86_64"),
        (183, "aarch64"),
        (243, "riscv64"),
        (258, "loongarch64"),
    ];
    let Some(behind) = head.strip_prefix(b"\x7fELF") else {
        return Some("neither a program nor a script".to_owned());
    };
    let (Some(order), Some(machine)) = (behind.get(1), behind.get(14..16)) else {
        return Some("the beginning of a program, and no more".to_owned());
    };
    let bytes = [machine[0], machine[1]];
    let machine = match order {
        2 => u16::from_be_bytes(bytes),
        _ => u16::from_le_bytes(bytes),
    };
    let name = |of: u16| {
        MACHINES
            .iter()
            .find(|(at, _)| *at == of)
            .map(|(_, name)| *name)
    };
    let here = std::env::consts::ARCH;
    let own = MACHINES.iter().find(|(_, name)| *name == here)?.0;
    // Most processors of 64 bits execute what was made for those of 32.
    let is_smaller = matches!((own, machine), (62, 3) | (183, 40));
    if machine == own || is_smaller {
        return None;
    }
    let of = name(machine).map_or_else(|| format!("number {machine}"), str::to_owned);
    Some(format!(
        "a program for another processor ({of}, and this one is {here})"
    ))
}

/// Other systems have other programs, and are not asked.
#[cfg(all(unix, not(target_os = "linux")))]
fn binary(_: &[u8]) -> Option<String> {
    None
}

/// Returns true if the kernel was told of programs that execute other formats, such as an emulator.
fn has_handlers() -> bool {
    let handlers = std::fs::read_dir("/proc/sys/fs/binfmt_misc")
        .into_iter()
        .flatten();
    let mut names = handlers.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.any(|name| name != "register" && name != "status")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Returns the finding for a file with this text: its rule and the beginning of the message.
    fn said(text: &[u8], mode: u32) -> Option<(&'static Rule, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("check");
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let search = std::env::join_paths([folder.path(), Path::new("/bin")]).unwrap();
        let by_path = obstacle(folder.path(), Some(&search), "./check");
        let by_name = obstacle(folder.path(), Some(&search), "check");
        assert_eq!(
            by_path.as_ref().map(|said| said.rule),
            by_name.as_ref().map(|said| said.rule)
        );
        by_path.map(|said| (said.rule, said.message))
    }

    #[test]
    fn safety_a12_what_stands_in_the_way_of_a_program() {
        for text in [
            "#!/bin/sh\n",
            "#!/bin/sh -e\n",
            "#! /bin/sh",
            "#!/usr/bin/env sh\n",
            "#!/usr/bin/env -S A=b sh -e\n",
            "#!/bin/cat -\r\n",
        ] {
            assert_eq!(said(text.as_bytes(), 0o755), None, "{text:?}");
        }
        for (text, rule, part) in [
            (
                "#!/bin/sh\r\n",
                rule::CHECKS_INTERPRETER,
                "carriage return (CRLF)",
            ),
            (
                "#!/bin/sh -e\r\n",
                rule::CHECKS_INTERPRETER,
                "carriage return (CRLF)",
            ),
            (
                "#!/usr/bin/env sh\r\n",
                rule::CHECKS_INTERPRETER,
                "carriage return (CRLF)",
            ),
            (
                "#!/bin/nosuch\n",
                rule::CHECKS_INTERPRETER,
                "/bin/nosuch, is not there",
            ),
            (
                "#!nosuch\n",
                rule::CHECKS_INTERPRETER,
                "nosuch, is not there",
            ),
            ("#!\n", rule::CHECKS_INTERPRETER, "is not there"),
            (
                "#!/usr/bin/env nosuch9\n",
                rule::CHECKS_INTERPRETER,
                "nosuch9, is not in PATH",
            ),
            (
                "echo\n",
                rule::CHECKS_INTERPRETER,
                "does not begin with a line",
            ),
            ("", rule::CHECKS_INTERPRETER, "does not begin with a line"),
            (
                "\u{feff}#!/bin/sh\n",
                rule::CHECKS_INTERPRETER,
                "byte order mark",
            ),
        ] {
            let (is, message) = said(text.as_bytes(), 0o755).unwrap();
            assert_eq!(is, rule, "{text:?}");
            assert!(message.contains(part), "{text:?}: {message}");
        }
    }

    /// An ELF file's first bytes, of a machine.
    fn elf(order: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut head = b"\x7fELF\x02".to_vec();
        head.push(order);
        head.resize(16, 0);
        head.extend([2, 0]);
        head.extend(machine);
        head.resize(64, 0);
        head
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn safety_a12_a_program_for_another_machine() {
        use std::io::Read as _;
        let mut shell = Vec::new();
        let file = std::fs::File::open("/bin/sh").unwrap();
        std::io::Read::take(file, 64)
            .read_to_end(&mut shell)
            .unwrap();
        assert!(binary(&shell).is_none());
        let sparc = binary(&elf(2, [0, 43])).unwrap();
        assert!(sparc.contains("another processor (number 43"), "{sparc}");
        let s390x = binary(&elf(2, [0, 22]));
        assert_eq!(s390x.is_none(), std::env::consts::ARCH == "s390x");
        assert!(binary(b"\x7fEL").is_some() && binary(b"\x7fELF\x02").is_some());
        assert!(binary(&[0x8f, 0x13, 0, 1]).is_some());
        if !has_handlers() {
            let (is, message) = said(&elf(2, [0, 43]), 0o755).unwrap();
            assert_eq!(is, rule::CHECKS_NOT_EXECUTABLE);
            assert!(message.ends_with("cannot be executed here"), "{message}");
        }
    }

    #[test]
    fn safety_a12_what_is_not_there_or_not_to_be_executed() {
        let (rule, message) = {
            let folder = tempfile::tempdir().unwrap();
            std::fs::File::create(folder.path().join("check")).unwrap();
            let said = obstacle(folder.path(), None, "./check").unwrap();
            (said.rule, said.message)
        };
        assert_eq!(rule, rule::CHECKS_NOT_EXECUTABLE);
        assert_eq!(message, "`./check` is not executable");
        let folder = tempfile::tempdir().unwrap();
        let rule =
            |word: &str| obstacle(folder.path(), Some("/bin".as_ref()), word).map(|said| said.rule);
        assert_eq!(rule("./nowhere"), Some(rule::CHECKS_NOT_FOUND));
        assert_eq!(rule("nowhere9"), Some(rule::CHECKS_NOT_FOUND));
        assert_eq!(rule("/bin"), Some(rule::CHECKS_NOT_EXECUTABLE));
        assert_eq!(rule("/bin/sh"), None);
        assert_eq!(rule("sh"), None);
        let gone = folder.path().join("gone");
        assert_eq!(
            obstacle(&gone, None, "sh").map(|said| said.rule),
            Some(rule::CHECKS_FOLDER)
        );
        // Without a PATH nobody knows where it is looked for.
        assert_eq!(obstacle(folder.path(), None, "nowhere9"), None);
    }
}
