//! The end of a program that S2 started.

use std::{io, process::ExitStatus, time::Duration};

use tokio::process::Child;

/// How long what a program has written may be on its way when it has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Waits for the end of a program while its outputs are read. A daemon that it has started may keep the outputs open, so the
/// program's own end is what is waited for.
pub(crate) async fn ended(child: &mut Child, reading: impl Future<Output = ()>) -> io::Result<ExitStatus> {
    tokio::pin!(reading);
    tokio::select! {
        status = child.wait() => {
            let _ = tokio::time::timeout(LAST_WORDS, &mut reading).await;
            status
        }
        () = &mut reading => child.wait().await,
    }
}
