//! The events after one, out of the stream that Redis keeps.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};
use tokio_util::sync::CancellationToken;

use super::commands::channel_name;
use super::{Away, Redis};
use crate::event::{Audience, Channel, Event};
use crate::events::{EventLog, ReplayFrom, Subscription};

/// Entries that are asked for at a time, so that none of the answers is long in the making.
const ENTRIES_AT_A_TIME: usize = 256;

type Entry = (String, HashMap<String, String>);

/// The sequence of an event, by its entry's id.
pub(super) fn sequence_of(id: &str) -> Option<u64> {
    id.split_once('-')?.0.parse().ok()
}

/// The event of an entry; none where the entry is not one of ours.
fn event_of((id, fields): &Entry) -> Option<Event> {
    let field = |name: &str| fields.get(name).map(String::as_str);
    let channel = field("channel")?;
    let channel = [Channel::Logs, Channel::Guard].into_iter().find(|known| channel_name(*known) == channel)?;
    let audience = (channel, field("workspace")?.into(), field("run")?.into());
    Some(Event::replayed(sequence_of(id)?, audience, field("event")?))
}

impl Redis {
    /// A share of the log, with what Redis has after an event; none when there are as many streams as there may be.
    pub(crate) async fn subscribe(
        &self,
        log: &Arc<EventLog>,
        audience: Audience,
        after: u64,
        cut: CancellationToken,
    ) -> Result<Option<Subscription>, Away> {
        // Most of it is read before the stream takes its place: its queue could run over meanwhile.
        let early = log.told();
        let mut replay = self.replay(after, early, &audience).await?;
        let Some(mut subscription) = log.subscribe(audience.clone(), ReplayFrom::Now, cut) else { return Ok(None) };
        replay.extend(self.replay(early.max(after), subscription.told, &audience).await?);
        subscription.replay = replay;
        Ok(Some(subscription))
    }

    /// The events after `after` and up to `to` that an audience hears, as far as Redis still has them.
    async fn replay(&self, after: u64, to: u64, audience: &Audience) -> Result<VecDeque<Arc<Event>>, Away> {
        let mut connection = self.link.connection().ok_or(Away)?;
        let (mut after, mut events) = (after, VecDeque::new());
        while after < to {
            // That Redis is away is the writer's to find out.
            let entries = self.entries(&mut connection, after, to).await.map_err(|_| Away)?;
            let Some(last) = entries.last().and_then(|(id, _)| sequence_of(id)) else { break };
            let heard = entries.iter().filter_map(event_of).filter(|event| audience.hears(event));
            events.extend(heard.map(Arc::new));
            after = last;
        }
        Ok(events)
    }

    async fn entries(&self, connection: &mut MultiplexedConnection, after: u64, to: u64) -> RedisResult<Vec<Entry>> {
        let mut range = cmd("XRANGE");
        range.arg(&self.keys.events).arg(format!("({after}-0")).arg(format!("{to}-0"));
        range.arg("COUNT").arg(ENTRIES_AT_A_TIME).query_async(connection).await
    }
}
