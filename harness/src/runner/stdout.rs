//! Output to a terminal with blocks: the test report writes into a pipe, and its lines go around the blocks.

use std::{
    fs::File,
    io::{self, PipeReader, Read, Write},
    os::fd::{AsFd, OwnedFd},
    thread::{self, JoinHandle},
};

use indicatif::MultiProgress;

/// A longer line is cut in two.
const LINE_BYTES_MAX: usize = 64 * 1024;
const CHUNK_BYTES: usize = 8 * 1024;

/// Standard output that goes around the blocks until [`CarriedStdout::finish`].
#[derive(Debug)]
pub(super) struct CarriedStdout {
    original: OwnedFd,
    carrier: JoinHandle<()>,
}

impl CarriedStdout {
    pub(super) fn begin(blocks: &MultiProgress) -> io::Result<Self> {
        let stdout = io::stdout();
        let original = stdout.as_fd().try_clone_to_owned()?;
        let terminal = File::from(original.try_clone()?);
        let (reader, writer) = io::pipe()?;
        let blocks = blocks.clone();
        let carrier = thread::Builder::new().name("stdout".into()).spawn(move || carry(reader, terminal, &blocks))?;
        rustix::stdio::dup2_stdout(&writer)?;
        Ok(Self { original, carrier })
    }

    /// Restores standard output once all output is on the terminal. On failure output is carried on.
    pub(super) fn finish(self) {
        if io::stdout().flush().is_ok() && rustix::stdio::dup2_stdout(&self.original).is_ok() {
            let _ = self.carrier.join();
        }
    }
}

/// Carries whole lines, and at the end the rest.
fn carry(mut reader: PipeReader, mut terminal: File, blocks: &MultiProgress) {
    let (mut chunk, mut held) = ([0; CHUNK_BYTES], Vec::new());
    loop {
        let read = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        held.extend_from_slice(&chunk[..read]);
        let whole = held.iter().rposition(|byte| *byte == b'\n').map(|end| end + 1);
        if let Some(ready) = whole.or_else(|| (held.len() > LINE_BYTES_MAX).then_some(held.len())) {
            // A terminal that has gone takes nothing; the exit code has the verdict, too.
            let _ = blocks.suspend(|| terminal.write_all(&held[..ready]));
            held.drain(..ready);
        }
    }
    let _ = blocks.suspend(|| terminal.write_all(&held));
}
