//! Behaviour of a proxy without a fault: bytes, ends and resets pass, within bounds, and the proxy ends on request.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    CONNECTIONS_MAX, ConnectMode, FaultProxy,
    line::CHUNK_BYTES,
    scene::{Scene, expect_end, expect_reset, kernel_buffers_max, reset, soon, write_until_stuck},
};

#[tokio::test]
async fn bytes_pass_both_ways_untouched_and_are_counted() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    // Longer than any buffer on the way, and different everywhere.
    let sent: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let (mut to, mut from) = (sent.clone(), vec![0; sent.len()]);
    for _ in 0..2 {
        let (reader, writer) = (&mut pair.client, &mut pair.upstream);
        let (wrote, read) =
            soon("all arrives", async { tokio::join!(writer.write_all(&to), reader.read_exact(&mut from)) }).await;
        wrote.unwrap();
        read.unwrap();
        assert!(to == from);
        std::mem::swap(&mut pair.client, &mut pair.upstream);
        to.reverse();
    }
    let counters = scene.proxy.counters();
    assert_eq!(counters.bytes_to_clients.get(), sent.len() as u64);
    assert_eq!(counters.bytes_to_upstream.get(), sent.len() as u64);
    assert_eq!((counters.accepted.get(), counters.open(), counters.bytes_delayed.get()), (1, 1, 0));
}

#[tokio::test]
async fn a_client_that_has_finished_sending_still_gets_its_answer() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    pair.ask("question").await;
    pair.client.shutdown().await.unwrap();
    expect_end(&mut pair.upstream).await;
    pair.answer("answer").await;
    pair.answer("and more").await;
    pair.upstream.shutdown().await.unwrap();
    expect_end(&mut pair.client).await;
    scene.until("the connection is over", |counters| counters.open() == 0).await;
    assert_eq!(scene.proxy.counters().reset.get(), 0);
}

#[tokio::test]
async fn an_upstream_that_has_finished_sending_still_gets_the_rest_of_the_request() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    pair.answer("enough").await;
    pair.upstream.shutdown().await.unwrap();
    expect_end(&mut pair.client).await;
    pair.ask("rest").await;
    pair.client.shutdown().await.unwrap();
    expect_end(&mut pair.upstream).await;
    scene.until("the connection is over", |counters| counters.open() == 0).await;
    assert_eq!(scene.proxy.counters().reset.get(), 0);
}

#[tokio::test]
async fn a_reset_is_passed_on_by_either_side_to_the_other() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    pair.ask("hello").await;
    reset(pair.client);
    expect_reset(&mut pair.upstream).await;

    let mut pair = scene.pair().await;
    pair.answer("hello").await;
    reset(pair.upstream);
    expect_reset(&mut pair.client).await;
    scene.until("both are over", |counters| (counters.open(), counters.reset.get()) == (0, 2)).await;
}

#[tokio::test]
async fn a_reset_that_a_write_was_told_of_is_no_end_in_good_order() {
    let scene = Scene::new().await;
    for _ in 0..20 {
        let mut pair = scene.pair().await;
        pair.answer("hello").await;
        reset(pair.upstream);
        // Whether a read or a write is the first to be told, nobody knows.
        let _ = pair.client.write_all(b"still there?").await;
        expect_reset(&mut pair.client).await;
    }
    scene.until("all are over", |counters| (counters.open(), counters.reset.get()) == (0, 20)).await;
}

#[tokio::test]
async fn an_upstream_that_is_not_there_ends_its_clients_at_once_and_is_counted_and_is_found_when_it_is_back() {
    let Scene { proxy, listener } = Scene::new().await;
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut client = TcpStream::connect(proxy.local_addr()).await.unwrap();
    expect_reset(&mut client).await;
    assert_eq!(proxy.counters().upstream_failed.get(), 1);

    let scene = Scene { proxy, listener: TcpListener::bind(address).await.unwrap() };
    let mut pair = scene.pair().await;
    pair.ask("back?").await;
    pair.answer("back").await;
    assert_eq!(scene.proxy.counters().upstream_failed.get(), 1);
}

#[tokio::test]
async fn a_name_is_looked_up_and_one_that_nobody_has_fails_as_an_upstream_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxy =
        FaultProxy::start(&format!("localhost:{port}"), ConnectMode::Straight, 7, CONNECTIONS_MAX).await.unwrap();
    let scene = Scene { proxy, listener };
    scene.pair().await.ask("by name").await;

    let proxy = FaultProxy::start("nobody.invalid:80", ConnectMode::Straight, 7, CONNECTIONS_MAX).await.unwrap();
    let mut client = TcpStream::connect(proxy.local_addr()).await.unwrap();
    expect_reset(&mut client).await;
    assert_eq!(proxy.counters().upstream_failed.get(), 1);
}

#[tokio::test]
async fn one_connection_more_than_there_may_be_is_reset_and_there_is_room_again_when_one_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap().to_string();
    let proxy = FaultProxy::start(&upstream, ConnectMode::Straight, 7, 2).await.unwrap();
    let scene = Scene { proxy, listener };
    let (mut first, mut second) = (scene.pair().await, scene.pair().await);
    let mut third = scene.connect().await;
    expect_reset(&mut third).await;
    assert_eq!(scene.proxy.counters().refused_at_bound.get(), 1);
    first.ask("still here").await;
    second.ask("here, too").await;

    drop(first);
    scene.until("one has ended", |counters| counters.open() == 1).await;
    scene.pair().await.ask("room").await;
}

#[tokio::test]
async fn of_what_a_client_does_not_read_no_more_is_taken_than_a_chunk_and_what_the_system_holds() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    let bound = CHUNK_BYTES + 2 * kernel_buffers_max();
    let taken = write_until_stuck(&mut pair.upstream, 2 * bound).await;
    assert!(taken <= bound, "{taken} of {bound}");
}

#[tokio::test]
async fn a_proxy_that_is_shut_down_has_ended_all_that_it_began() {
    let scene = Scene::new().await;
    let (mut busy, mut idle) = (scene.pair().await, scene.pair().await);
    busy.ask("hello").await;
    busy.client.shutdown().await.unwrap();
    let Scene { proxy, listener } = scene;
    let (address, (tasks, means)) = (proxy.local_addr(), proxy.parts());
    soon("the proxy has ended", proxy.shutdown()).await;
    assert_eq!((tasks.len(), means.counters.open()), (0, 0));
    for stream in [&mut idle.client, &mut idle.upstream, &mut busy.client, &mut busy.upstream] {
        soon("the connection ends", async { while stream.read(&mut [0]).await.is_ok_and(|n| n > 0) {} }).await;
    }
    assert!(TcpStream::connect(address).await.is_err(), "somebody listens still");
    drop(listener);
}

#[tokio::test]
async fn a_proxy_that_is_dropped_ends_by_itself() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    pair.ask("hello").await;
    let (tasks, _) = scene.proxy.parts();
    drop(scene);
    tasks.close();
    soon("all tasks end", tasks.wait()).await;
    expect_end(&mut pair.upstream).await;
}

#[tokio::test]
async fn a_connection_that_always_has_something_to_carry_can_be_cut() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    let flood = async {
        let pour = async { while pair.upstream.write_all(&[7; CHUNK_BYTES]).await.is_ok() {} };
        let mut sink = vec![0; CHUNK_BYTES];
        let drain = async { while pair.client.read(&mut sink).await.is_ok_and(|n| n > 0) {} };
        tokio::join!(pour, drain);
    };
    let cut = async {
        scene.until("bytes pass", |counters| counters.bytes_to_clients.get() > 1_000_000).await;
        scene.proxy.go_dark(Duration::from_secs(3_600));
    };
    soon("the flood is cut", async { tokio::join!(flood, cut) }).await;
    scene.until("it is counted", |counters| (counters.cut.get(), counters.open()) == (1, 0)).await;
}
