//! The live page: a soak as it stands, for viewers while it is played, and the same numbers for a Prometheus.
//!
//! It costs little: without viewers nothing is computed, and otherwise once for all of them, at most once a second.

mod showing;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{
        Html, IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
    serve::IncomingStream,
};
use futures_util::{Stream, stream};
pub(super) use showing::Showing;
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::service_fn;
use tracing::instrument::WithSubscriber;

use crate::report::PROMETHEUS_CONTENT_TYPE;

/// Connections at once. One more waits.
const CONNECTIONS_MAX: usize = 64;
/// Viewers at once. One more is refused for now.
const VIEWERS_MAX: usize = 16;
/// Time between checks for changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time between comments on a page without changes.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// Maximum time to show viewers the end.
const FAREWELL_LIMIT: Duration = Duration::from_millis(500);

/// The live page, as long as it is served.
pub(super) struct Live {
    pub(super) url: String,
    tasks: TaskTracker,
    closing: CancellationToken,
}

#[derive(Clone)]
struct LiveState {
    showing: Arc<Showing>,
    viewers: Arc<Semaphore>,
    closing: CancellationToken,
}

impl Live {
    /// Serves the page at an address; where its port is taken, at another: suites are played side by side.
    pub(super) async fn start(at: SocketAddr, showing: Showing) -> io::Result<Self> {
        let listener = match TcpListener::bind(at).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                tracing::warn!("S2_LIVE: {at} is taken, by another suite's page perhaps; another port will do");
                TcpListener::bind(SocketAddr::new(at.ip(), 0)).await?
            }
            bound => bound?,
        };
        let url = format!("http://{}/", listener.local_addr()?);
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        let shared = LiveState {
            showing: Arc::new(showing),
            viewers: Arc::new(Semaphore::new(VIEWERS_MAX)),
            closing: closing.clone(),
        };
        let routes = Router::new().route("/", get(page)).route("/events", get(events)).route("/metrics", get(metrics));
        let routes = routes.with_state(shared);
        let (over, room) = (closing.clone(), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
        let by_place = service_fn(move |_: IncomingStream<'_, TcpListener>| {
            let (routes, place, over) = (routes.clone(), Arc::clone(&room).acquire_owned(), over.clone());
            async move {
                let place = tokio::select! {
                    place = place => place.ok(),
                    () = over.cancelled() => None,
                };
                // The service of a connection lives as long as it does, and so keeps its place.
                Ok::<Router, Infallible>(routes.layer(Extension(Arc::new(place))))
            }
        });
        let over = closing.clone().cancelled_owned();
        let served = async move {
            let serving = axum::serve(listener, by_place).with_graceful_shutdown(over);
            // It ends only at a shutdown.
            let _ = serving.await;
        };
        tasks.spawn(served.with_current_subscriber());
        Ok(Self { url, tasks, closing })
    }

    /// Shows the end to the viewers, and closes.
    pub(super) async fn shutdown(self) {
        self.closing.cancel();
        self.tasks.close();
        // A viewer that does not read may stay: the end of the process is near, and ends that, too.
        let _ = timeout(FAREWELL_LIMIT, self.tasks.wait()).await;
    }
}

async fn page(State(shared): State<LiveState>) -> Response {
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
    ];
    (headers, Html(shared.showing.page().await)).into_response()
}

async fn metrics(State(shared): State<LiveState>) -> Response {
    ([(header::CONTENT_TYPE, PROMETHEUS_CONTENT_TYPE)], shared.showing.prometheus().await).into_response()
}

async fn events(State(shared): State<LiveState>) -> Response {
    let Ok(place) = Arc::clone(&shared.viewers).try_acquire_owned() else {
        let text = format!("{VIEWERS_MAX} viewers look already; come again when one has left\n");
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "10")], text).into_response();
    };
    let updates = updates(shared, place);
    Sse::new(updates).keep_alive(KeepAlive::new().interval(ALIVE_EVERY)).into_response()
}

/// Returns the events for a viewer in order: first the present state, then the changes, and last the end.
fn updates(shared: LiveState, place: OwnedSemaphorePermit) -> impl Stream<Item = Result<Event, Infallible>> {
    // With the version that the viewer has seen; none after the end.
    stream::unfold(Some((shared, place, None)), |viewer| async move {
        let (shared, place, seen) = viewer?;
        loop {
            if let Some(update) = Arc::clone(&shared.showing).update(seen).await {
                let event = Event::default().event("soak").data(&*update.json);
                return Some((Ok(event), Some((shared, place, Some(update.version)))));
            }
            if shared.closing.is_cancelled() {
                return Some((Ok(Event::default().event("over").data("{}")), None));
            }
            tokio::select! {
                () = shared.closing.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    })
}
