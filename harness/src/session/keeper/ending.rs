//! Conclusions about the gateway from the end of a connection.
//!
//! Healthy gateways end streams: they limit how long a connection may live, something between closes connections on which
//! nothing comes, a process is replaced. An end is held against a gateway only where it cannot be one of these. Whatever
//! the reason, what is lost on the way is the ledger's business.

use std::time::Duration;

use super::Keeper;
use crate::{
    catalog::Phase,
    clock,
    gateway::{Ended, Limits, RunStanding},
    journal::{Counter, Finding, Timing},
    session::StartPoint,
};

/// A gateway may close a stream in good order for reasons of its own, as when its process is replaced: once in this time.
/// It is real time, as all durations of connections are.
const CLOSING_EVERY: Duration = Duration::from_secs(30 * 60);
/// A stream on which nothing came for this long may be closed in good order: something on the way has an idle timeout. The
/// shortest that are in common use are 30 s.
const IDLE_CLOSING_MIN: Duration = Duration::from_secs(25);
/// A limit on the age of connections is kept to within so many percent: gateways spread closings, so that not all their
/// clients come back at once. gRPC spreads by 10 %, Envoy by what it is told.
const AGE_PERCENT_MIN: u32 = 80;

/// How a connection that we did not close ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// Without a reason that a healthy gateway has.
    Dropped,
    /// In good order, for no reason that is known, and for the first time in a long while.
    Seldom,
    /// In good order, at the age that the gateway lets a connection have.
    OfAge,
    /// In good order, when nothing had come for a while.
    Idle,
    /// By S2, because nothing came for as long as it waits.
    Ours,
}

impl Closing {
    /// Whether it may be a sign of a restart.
    pub(super) const fn is_unasked(self) -> bool {
        matches!(self, Self::Dropped | Self::Seldom)
    }

    /// `last`: how long ago the stream was closed in good order for no reason that is known.
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

    /// Takes down how a stream ended without our asking. Without a closing it ended because its run is over.
    pub(super) fn take_down_ending(
        &mut self,
        (ended, age, closing): (&Ended, Duration, Option<Closing>),
        mark: StartPoint,
    ) {
        tracing::debug!("stream {} ended after {} ms: {} ({closing:?})", self.kept.name, age.as_millis(), ended.answer);
        let Some(closing) = closing else { return self.context.recorder.count(Counter::StreamsClosed, mark) };
        if ended.in_good_order && closing != Closing::Idle {
            self.context.recorder.time_of(Timing::StreamAge, age, mark, &self.kept.name);
        }
        match closing {
            Closing::Ours => self.context.recorder.count(Counter::StreamsSilent, mark),
            Closing::OfAge | Closing::Idle => self.context.recorder.count(Counter::StreamsClosed, mark),
            Closing::Seldom => {
                if mark.phase == Phase::Steady {
                    self.life.closed = Some(mark.at);
                }
                self.context.recorder.count(Counter::StreamsClosed, mark);
            }
            Closing::Dropped => {
                self.context.recorder.count(Counter::StreamsDropped, mark);
                let answer = format!("{}, {}", ended.answer, described(age, ended.silent_for));
                self.context
                    .recorder
                    .incident_since(Finding::StreamDropped { stream: self.kept.name.clone(), answer }, mark);
            }
        }
    }

    /// Whether it is the stream of a run that is over, as the gateway says when it is asked. Then the stream had to end.
    pub(super) async fn is_run_over(&self) -> bool {
        let Some(run) = &self.kept.run else { return false };
        match Box::pin(self.context.calls.client.run(run)).await {
            Ok(answer) if answer.status == 404 || answer.status == 410 => true,
            Ok(answer) => answer.json().is_some_and(|json| {
                let dialect = self.context.calls.client.dialect();
                matches!(dialect.standing(&dialect.run_view(&json)), RunStanding::Succeeded | RunStanding::Failed(_))
            }),
            Err(_) => false,
        }
    }
}

/// How old a connection was, and for how long nothing had come on it.
fn described(age: Duration, silent_for: Duration) -> String {
    let seconds = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    if silent_for < Duration::from_secs(1) {
        return format!("{} after it opened", seconds(age));
    }
    format!("{} after it opened and {} after its last byte", seconds(age), seconds(silent_for))
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
