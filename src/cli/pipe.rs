//! Files that may be pipes, as of `redrill validate <(…)`: what never comes is not waited for.

use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Longest time that a named pipe may have no writer.
const NOBODY: Duration = Duration::from_secs(10);
/// Longest time that the writer may be silent.
const SILENCE: Duration = Duration::from_secs(60);
/// Chunks that are read ahead.
const AHEAD: usize = 4;

/// Returns true if a path is that of a pipe.
pub(super) fn is_one(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|there| is_pipe(&there))
}

/// Opens what a person has named.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>> {
    if is_pipe(&std::fs::metadata(path)?) {
        return Ok(Box::new(Pipe::open(path, NOBODY, SILENCE)));
    }
    Ok(Box::new(std::fs::File::open(path)?))
}

#[cfg(unix)]
fn is_pipe(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_pipe(_: &std::fs::Metadata) -> bool {
    false
}

/// A pipe that is read by a thread of its own: to open one waits for whoever writes, and cannot be given up.
struct Pipe {
    chunks: Receiver<Result<Vec<u8>>>,
    chunk: Vec<u8>,
    taken: usize,
    is_open: bool,
    nobody: Duration,
    silence: Duration,
}

impl Pipe {
    fn open(path: &Path, nobody: Duration, silence: Duration) -> Self {
        let (sender, chunks) = sync_channel(AHEAD);
        let path = path.to_owned();
        std::thread::spawn(move || {
            let mut file = match std::fs::File::open(&path) {
                Ok(file) => file,
                Err(err) => return drop(sender.send(Err(err))),
            };
            // An empty chunk tells that the pipe is open.
            let mut next = Ok(Vec::new());
            while sender.send(next).is_ok() {
                let mut chunk = vec![0; 64 * 1024];
                next = match file.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(length) => {
                        chunk.truncate(length);
                        Ok(chunk)
                    }
                    Err(err) => Err(err),
                };
            }
        });
        Self {
            chunks,
            chunk: Vec::new(),
            taken: 0,
            is_open: false,
            nobody,
            silence,
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.taken == self.chunk.len() {
            let limit = if self.is_open {
                self.silence
            } else {
                self.nobody
            };
            self.chunk = match self.chunks.recv_timeout(limit) {
                Ok(chunk) => chunk?,
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) => {
                    let why = match self.is_open {
                        true => format!("nothing has come through this pipe for {limit:?}"),
                        false => format!(
                            "it is a named pipe, and nobody has written into it for {limit:?}"
                        ),
                    };
                    return Err(Error::new(ErrorKind::TimedOut, why));
                }
            };
            self.is_open = true;
            self.taken = 0;
        }
        let rest = &self.chunk[self.taken..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        Ok(length)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn pipe(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        path
    }

    #[test]
    fn what_is_written_into_a_pipe_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        let writes = path.clone();
        let writer = std::thread::spawn(move || {
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .open(writes)
                .unwrap();
            file.write_all(&[7; 300_000]).unwrap();
        });
        let mut bytes = Vec::new();
        open(&path).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [7; 300_000]);
        writer.join().unwrap();
    }

    #[test]
    fn reliability_r4_20_nobody_and_silence_are_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        let short = Duration::from_millis(20);
        let mut text = String::new();
        let why = Pipe::open(&path, short, Duration::MAX).read_to_string(&mut text);
        let why = why.unwrap_err();
        assert!(
            why.to_string()
                .contains("nobody has written into it for 20ms"),
            "{why}"
        );
        // Whoever writes has it open, and is silent. To read as well waits for nobody.
        let both = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let why = Pipe::open(&path, Duration::from_secs(60), short).read_to_string(&mut text);
        let why = why.unwrap_err();
        assert!(
            why.to_string()
                .contains("nothing has come through this pipe for 20ms"),
            "{why}"
        );
        drop(both);
    }
}
