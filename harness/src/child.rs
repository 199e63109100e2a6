//! Programs that S2 runs, with a limit to their time and to what is kept of their outputs.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

/// How long what a program has written may be on its way when it has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What came of a program.
pub(crate) struct Ran {
    /// How it ended; none where it was not over in time, and was killed.
    pub(crate) ended: Option<io::Result<ExitStatus>>,
    /// The start of its standard output.
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Runs a program, and keeps up to `bytes_max` bytes of each output. Further output is read and dropped, or where `is_cut`, the
/// standard output is closed then.
///
/// # Errors
/// Where it does not start.
pub(crate) async fn run(mut command: Command, limit: Duration, bytes_max: u64, is_cut: bool) -> io::Result<Ran> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let reading = async {
        tokio::join!(read(out, &mut stdout, bytes_max, is_cut), read(err, &mut stderr, bytes_max, false));
    };
    let ended = timeout(limit, ended(&mut child, reading)).await.ok();
    if ended.is_none() {
        // It is ours to end, and was asked for no more than this.
        let _ = child.kill().await;
    }
    Ok(Ran { ended, stdout, stderr })
}

/// Waits for the end of a program while its outputs are read. A daemon that it has started may keep the outputs open, so the
/// program's own end is what is waited for.
async fn ended(child: &mut Child, reading: impl Future<Output = ()>) -> io::Result<ExitStatus> {
    tokio::pin!(reading);
    tokio::select! {
        status = child.wait() => {
            let _ = timeout(LAST_WORDS, &mut reading).await;
            status
        }
        () = &mut reading => child.wait().await,
    }
}

/// Reads an output. An output that breaks off is used as far as it was read.
async fn read(output: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>, bytes_max: u64, is_cut: bool) {
    let Some(mut output) = output else { return };
    let _ = (&mut output).take(bytes_max).read_to_end(kept).await;
    if !is_cut {
        let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    }
}
