//! Output to a terminal while blocks are drawn on it. The test report knows nothing of the blocks. So its output goes into a
//! pipe, and from there to the terminal with the blocks out of the way, line by line.

use std::{
    fs::File,
    io::{self, PipeReader, Read, Write},
    os::fd::{AsFd, OwnedFd},
    thread::{self, JoinHandle},
};

use indicatif::MultiProgress;

/// A line that is longer is cut in two.
const LINE_BYTES_MAX: usize = 64 * 1024;
const CHUNK_BYTES: usize = 8 * 1024;

/// Standard output that goes around the blocks until [`CarriedStdout::finish`].
#[derive(Debug)]
pub(super) struct CarriedStdout {
    original: OwnedFd,
    carrier: JoinHandle<()>,
}

impl CarriedStdout {
    /// Takes standard output over.
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

    /// Gives it back, when all that was printed is on the terminal.
    pub(super) fn finish(self) {
        // Where it could not be given back, what is still printed is carried, and nobody waits for an end of that.
        let is_given_back = io::stdout().flush().is_ok() && rustix::stdio::dup2_stdout(&self.original).is_ok();
        if is_given_back {
            let _ = self.carrier.join();
        }
    }
}

/// Carries whole lines, and at the end what is left of one.
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
        let ready = whole.or_else(|| (held.len() > LINE_BYTES_MAX).then_some(held.len()));
        if let Some(ready) = ready {
            // A terminal that has gone takes nothing, and the verdicts are the exit code's as well.
            let _ = blocks.suspend(|| terminal.write_all(&held[..ready]));
            held.drain(..ready);
        }
    }
    let _ = blocks.suspend(|| terminal.write_all(&held));
}
