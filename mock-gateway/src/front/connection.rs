//! One connection: served until its end, closed in good order, or cut.

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// In a request's extensions: cancelling it drops the connection that the request came by, answered or not.
#[derive(Clone)]
pub(crate) struct ConnectionCut(pub(crate) CancellationToken);

/// Serves a connection. `closing` lets it finish what it is at, `cut` does not.
pub(super) async fn serve(stream: TcpStream, router: Router, closing: CancellationToken, cut: CancellationToken) {
    // Events are small and come one by one; Nagle would hold them back. Failing that, they are late, not lost.
    let _ = stream.set_nodelay(true);

    let service = TowerToHyperService::new(router);
    let of_connection = ConnectionCut(cut.clone());
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(of_connection.clone());
        service.call(request)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);

    let mut is_closing = false;
    loop {
        tokio::select! {
            biased;
            () = cut.cancelled() => return,
            // An error is the client's leaving, which is its right.
            _ = connection.as_mut() => return,
            () = closing.cancelled(), if !is_closing => {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
