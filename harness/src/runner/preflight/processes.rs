//! The processes of the gateway, and the number of them that answer for metrics.

use super::checks::Check;
use crate::{
    catalog::CallName,
    gateway::{Client, Exposition},
    workload::{Answering, found_processes},
};

/// Scrapes, each on its own connection: a cluster distributes connections.
const SCRAPES: usize = 8;

impl Check<'_> {
    /// Shows the processes that the soak would measure. None of them is wrong by itself.
    pub(super) async fn processes(&mut self) -> Option<()> {
        let gateway = self.settings.env.gateway.as_ref()?;
        let found = found_processes(gateway.pid, gateway.listens_at.clone());
        self.attempts.came("the processes of the gateway".to_owned(), found);
        let mut answering = Answering::default();
        for _ in 0..SCRAPES {
            let client = Client::new(&self.access).ok()?;
            let answer = client.metrics().await.ok()?;
            answering.take_in(&Exposition::of(&answer, &client.dialect().metrics)?);
        }
        let came = answering.several().map_or_else(
            || "one process answered, as far as its metrics tell".to_owned(),
            |count| {
                let path = self.dialect().place_of("calls.metrics.path");
                format!(
                    "{count} processes answered in turn: each is judged by itself, and what they count is added up. If there \
                     are metrics of all of them together, calls.metrics.path ({path}) should name these"
                )
            },
        );
        let route = self.dialect().route(CallName::Metrics).to_owned();
        self.attempts.came(format!("{route}, {SCRAPES} times"), came);
        Some(())
    }
}
