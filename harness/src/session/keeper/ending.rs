//! Conclusions about the gateway from the end of a connection.
//!
//! Healthy gateways end streams: they limit the age of connections, something between closes idle connections, a
//! process is replaced. An end counts against a gateway only where it cannot be one of these. The ledger finds lost
//! events in any case.

use std::time::Duration;

use super::Keeper;
use crate::{
    catalog::Phase,
    clock,
    gateway::{Ended, Limits, RunStanding},
    journal::{Counter, Finding, Timing},
    session::StartPoint,
};

/// A gateway may close a stream in good order without a known reason, as at a deployment: once in this real time.
const CLOSING_EVERY: Duration = Duration::from_secs(30 * 60);
/// A stream that was idle for this time may be closed in good order, by a timeout on the way, commonly 30 s or more.
const IDLE_CLOSING_MIN: Duration = Duration::from_secs(25);
/// The least age at which a limit on the age of connections may close one, percent of the limit: gateways spread
/// closings, so that not all clients come back at once. gRPC spreads by 10 %, Envoy by a setting.
const AGE_PERCENT_MIN: u32 = 80;

/// How a connection that S2 was not ordered to close ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// Without a reason that a healthy gateway has.
    Dropped,
    /// In good order, for no known reason, and for the first time in a long while.
    Seldom,
    /// In good order, at the maximum age of the gateway's connections.
    OfAge,
    /// In good order, after it was idle for a while.
    Idle,
    /// By S2, because nothing came for as long as it waits.
    Ours,
}

impl Closing {
    /// Whether it may be a sign of a restart.
    pub(super) const fn is_unasked(self) -> bool {
        matches!(self, Self::Dropped | Self::Seldom)
    }

    /// `last`: time since the stream was closed in good order for no known reason.
    fn of(ended: &Ended, age: Duration, limits: &Limits, is_of_run: bool, last: Option<Duration>) -> Self {
        if ended.is_ours {
            Self::Ours
        } else if !ended.in_good_order {
            Self::Dropped
        } else if limits.connection_age.is_some_and(|limit| age >= limit * AGE_PERCENT_MIN / 100) {
            Self::OfAge
        } else if ended.silent_for >= IDLE_CLOSING_MIN {
            Self::Idle
        // The stream of one run has no business to end before its run does.
        } else if !is_of_run && last.is_none_or(|last| last >= CLOSING_EVERY) {
            Self::Seldom
        } else {
            Self::Dropped
        }
    }
}

impl Keeper<'_> {
    pub(super) fn closing_of(&self, ended: &Ended, age: Duration) -> Closing {
        let last = self.life.closed.map(|at| clock::now().saturating_duration_since(at));
        Closing::of(ended, age, &self.context.calls.client.dialect().limits, self.kept.run.is_some(), last)
    }

    /// Records how a stream ended unasked. Without a closing it ended because its run is over.
    pub(super) fn take_down_ending(
        &mut self,
        (ended, age, closing): (&Ended, Duration, Option<Closing>),
        mark: StartPoint,
    ) {
        let (recorder, stream) = (&self.context.recorder, &self.kept.name);
        tracing::debug!("stream {stream} ended after {} ms: {} ({closing:?})", age.as_millis(), ended.answer);
        if ended.in_good_order && closing.is_some_and(|closing| closing != Closing::Idle) {
            recorder.time_of(Timing::StreamAge, age, mark, stream);
        }
        if closing == Some(Closing::Seldom) && mark.phase == Phase::Steady {
            self.life.closed = Some(mark.at);
        }
        let counter = match closing {
            Some(Closing::Ours) => Counter::StreamsSilent,
            Some(Closing::Dropped) => Counter::StreamsDropped,
            Some(Closing::OfAge | Closing::Idle | Closing::Seldom) | None => Counter::StreamsClosed,
        };
        recorder.count(counter, mark);
        if closing == Some(Closing::Dropped) {
            let answer = format!("{}, {}", ended.answer, described(age, ended.silent_for));
            recorder.incident_since(Finding::StreamDropped { stream: stream.clone(), answer }, mark);
        }
    }

    /// Asks the gateway whether it is the stream of a run that is over. Then the stream had to end.
    pub(super) async fn is_run_over(&self) -> bool {
        let client = &self.context.calls.client;
        let Some(run) = &self.kept.run else { return false };
        let Ok(answer) = Box::pin(client.run(run)).await else { return false };
        let standing = answer.json().map(|json| client.dialect().standing(&client.dialect().run_view(&json)));
        matches!(answer.status, 404 | 410) || matches!(standing, Some(RunStanding::Succeeded | RunStanding::Failed(_)))
    }
}

/// Describes the age of a connection, and the time for which it was idle.
fn described(age: Duration, silent_for: Duration) -> String {
    let age = format!("{:.1} s after it opened", age.as_secs_f64());
    if silent_for < Duration::from_secs(1) {
        return age;
    }
    format!("{age} and {:.1} s after its last byte", silent_for.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::built_in_dialect;

    const SECOND: Duration = Duration::from_secs(1);

    fn ended(in_good_order: bool, silent_for: Duration) -> Ended {
        Ended { answer: String::new(), in_good_order, is_ours: false, silent_for }
    }

    fn limits(connection_age: Option<Duration>) -> Limits {
        Limits { connection_age, ..built_in_dialect().limits }
    }

    #[test]
    fn a_stream_that_ends_at_the_age_that_connections_have_did_not_drop_however_often_that_is() {
        let limits = limits(Some(240 * SECOND));
        let of = |age: u32, in_good_order| {
            Closing::of(&ended(in_good_order, SECOND), age * SECOND, &limits, false, Some(age * SECOND))
        };
        assert_eq!([Closing::OfAge; 3], [of(192, true), of(240, true), of(999, true)]);
        assert_eq!(Closing::Dropped, of(191, true), "earlier than closings are spread");
        assert_eq!(Closing::Dropped, of(240, false), "cut");
        let of_run = Closing::of(&ended(true, SECOND), 240 * SECOND, &limits, true, None);
        assert_eq!(Closing::OfAge, of_run);
    }

    #[test]
    fn where_no_age_is_known_a_stream_may_be_closed_once_in_half_an_hour_of_real_time() {
        let of = |is_of_run, last: Option<Duration>| {
            Closing::of(&ended(true, SECOND), 240 * SECOND, &limits(None), is_of_run, last)
        };
        assert_eq!([Closing::Seldom; 2], [of(false, None), of(false, Some(CLOSING_EVERY))]);
        assert_eq!(Closing::Dropped, of(false, Some(CLOSING_EVERY - SECOND)));
        assert_eq!(Closing::Dropped, of(true, None), "the run is not over");
    }

    #[test]
    fn a_stream_on_which_nothing_came_may_be_closed_in_good_order_and_not_be_cut() {
        let of = |in_good_order, silent_for| {
            Closing::of(&ended(in_good_order, silent_for), 600 * SECOND, &limits(None), false, Some(SECOND))
        };
        assert_eq!(Closing::Idle, of(true, 60 * SECOND));
        assert_eq!(Closing::Dropped, of(true, 24 * SECOND));
        assert_eq!(Closing::Dropped, of(false, 60 * SECOND));
    }

    #[test]
    fn a_stream_that_we_gave_up_is_not_the_gateways_drop() {
        let ours = Ended { is_ours: true, ..ended(false, 300 * SECOND) };
        assert_eq!(Closing::Ours, Closing::of(&ours, 400 * SECOND, &limits(None), false, Some(SECOND)));
        assert!(!Closing::Ours.is_unasked() && Closing::Seldom.is_unasked());
    }
}
