//! One connection: served until its end, closed in good order, or cut.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::defect::Faults;

/// In a request's extensions: cancelling it drops the connection that the request came by, answered or not.
#[derive(Clone)]
pub(crate) struct ConnectionCut(pub(crate) CancellationToken);

/// Parts that the connections of a port have in common.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) router: Router,
    /// Where they speak HTTP/2 over TLS, and nothing else.
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) faults: Arc<Faults>,
    /// Lets them finish what they are at.
    pub(super) closing: CancellationToken,
    /// Owns the requests of a connection that has several at a time.
    pub(super) requests: TaskTracker,
}

/// Serves a connection. `cut` does not let it finish what it is at.
pub(super) async fn serve(stream: TcpStream, served: Served, cut: CancellationToken) {
    // Events are small and come one by one; Nagle would hold them back. Failing that, they are late, not lost.
    let _ = stream.set_nodelay(true);

    let service = TowerToHyperService::new(served.router);
    let (of_connection, faults) = (ConnectionCut(cut.clone()), served.faults);
    let had_request = AtomicBool::new(false);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let is_stale = had_request.swap(true, Ordering::Relaxed) && faults.is_stale(request.method());
        let of_connection = of_connection.clone();
        request.extensions_mut().insert(of_connection.clone());
        let answer = (!is_stale).then(|| service.call(request));
        async move {
            match answer {
                Some(answer) => answer.await,
                None => hang_up(&of_connection).await,
            }
        }
    });
    match served.tls {
        None => {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            drive(pin!(connection), |connection| connection.graceful_shutdown(), served.closing, cut).await;
        }
        Some(tls) => {
            // Whoever does not trust the certificate, or speaks no HTTP/2, is gone then.
            let Some(Ok(stream)) = cut.run_until_cancelled(tls.accept(stream)).await else { return };
            let builder = http2::Builder::new(Requests(served.requests));
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            drive(pin!(connection), |connection| connection.graceful_shutdown(), served.closing, cut).await;
        }
    }
}

/// Closes the connection before there is a byte of an answer.
async fn hang_up(ConnectionCut(cut): &ConnectionCut) -> Result<Response, Infallible> {
    cut.cancel();
    std::future::pending().await
}

async fn drive<C: Future>(
    mut connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    closing: CancellationToken,
    cut: CancellationToken,
) {
    let mut is_closing = false;
    loop {
        tokio::select! {
            biased;
            () = cut.cancelled() => return,
            // An error is the client's leaving, which is its right.
            _ = connection.as_mut() => return,
            () = closing.cancelled(), if !is_closing => {
                is_closing = true;
                shut_down(connection.as_mut());
            }
        }
    }
}

/// Runs the requests of an HTTP/2 connection. They end with their connection.
#[derive(Clone)]
struct Requests(TaskTracker);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Requests {
    fn execute(&self, request: F) {
        self.0.spawn(request);
    }
}
