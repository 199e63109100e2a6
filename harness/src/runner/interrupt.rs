//! Ctrl-C in the runner: the first asks the sessions to end in good order, and verdicts follow; the second exits.

use std::{collections::BTreeMap, process, sync::Arc, thread};

use super::{attachment::Attachment, role::Signals};
use crate::catalog::Suite;

/// Exit status that a shell reports for a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Listens on a thread of its own. On failure signals end the process, and the sessions notice that.
pub(super) fn listen(attachments: Arc<BTreeMap<Suite, Arc<Attachment>>>) {
    let listen = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let Ok(mut signals) = Signals::listen() else { return };
            signals.next().await;
            if let Some(attachment) = attachments.values().next() {
                attachment.print("stopping the soak in good order; once more leaves at once");
            }
            for attachment in attachments.values() {
                attachment.ask_to_stop();
            }
            signals.next().await;
            process::exit(INTERRUPTED)
        });
    };
    // Not joined: it has nothing to finish, and ends with the process.
    drop(thread::Builder::new().name("interrupt".into()).spawn(listen));
}
