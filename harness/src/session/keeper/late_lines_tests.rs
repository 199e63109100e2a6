//! A log line that comes after the end of its run, on a workspace stream and on a stream of the run.

use std::{convert::Infallible, future::pending, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::header,
};
use futures_util::{StreamExt, stream};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

use super::{StreamSpec, keep};
use crate::{
    catalog::{CallName, Workload},
    journal::Finding,
    session::tests::{config, context, findings, short},
};

const LATE: &str = "a log line after the run's end";
const LINE: &str = r#"event: log
data: {"type":"log","run_id":"7","message":"a line"}

"#;
const END: &str = r#"event: end
data: {"type":"end","run_id":"7","status":"succeeded"}

"#;

/// The faults found on a stream that shows two events and then none.
async fn wrong_with(client: Option<usize>, run: Option<&str>, events: [&'static str; 2]) -> Vec<String> {
    let shown = move || async move {
        let events = stream::iter(events).map(|event| Ok::<_, Infallible>(Bytes::from_static(event.as_bytes())));
        let body = Body::from_stream(events.chain(stream::once(pending())));
        ([(header::CONTENT_TYPE, "text/event-stream")], body)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = axum::serve(listener, Router::new().fallback(shown)).into_future();
    let out = tempfile::tempdir().unwrap();
    let config = config(out.path(), &url, &short(2));
    let context = context(&config);
    let kept = StreamSpec {
        name: "0".to_owned(),
        path: "/stream".to_owned(),
        call: CallName::LogsStream,
        workload: Workload::Churn,
        client,
        as_a_browser: false,
        run: run.map(str::to_owned),
    };
    let (_orders, mut ordered) = mpsc::channel(1);
    let mut shown = 0;
    let mut on_event = |_: &_, _: &_| {
        shown += 1;
        shown < events.len()
    };
    let keeping = keep(&context, &kept, &mut ordered, None, &mut on_event);
    tokio::select! {
        _ = serving => panic!("it serves for good"),
        kept = timeout(Duration::from_secs(60), keeping) => drop(kept.expect("both events came")),
    }
    context.recorder.flush();
    let wrong = findings(&config.folder).into_iter().filter_map(|finding| match finding {
        Finding::RequestFailed { answer, .. } => Some(answer),
        _ => None,
    });
    wrong.collect()
}

#[tokio::test]
async fn it_is_wrong_on_every_stream() {
    for (client, run) in [(Some(0), None), (None, Some("7")), (None, None)] {
        assert_eq!(vec![LATE], wrong_with(client, run, [END, LINE]).await, "{client:?} {run:?}");
        assert!(wrong_with(client, run, [LINE, END]).await.is_empty(), "{client:?} {run:?}");
    }
}
