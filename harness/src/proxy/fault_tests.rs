//! Effects of a proxy's faults on connections that are open, and on new connections.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{
    AddedLatency, LINE_BYTES_MAX,
    scene::{
        Scene, expect, expect_end, expect_nothing, expect_reset, kernel_buffers_max, reset, soon, write_until_stuck,
    },
};
use crate::clock;

const AN_HOUR_MS: u64 = 3_600_000;

fn latency(delay_ms: u64) -> AddedLatency {
    AddedLatency { delay_ms, jitter_ms: 0 }
}

const AN_HOUR: Duration = Duration::from_millis(AN_HOUR_MS);

#[tokio::test]
async fn a_latency_set_on_an_open_connection_delays_each_answer_by_so_much_until_it_is_cleared() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    pair.ask("before").await;
    pair.answer("before").await;
    assert_eq!(scene.proxy.counters().bytes_delayed.get(), 0);

    scene.proxy.delay(latency(150));
    for _ in 0..3 {
        pair.ask("ping").await;
        let asked = clock::now();
        pair.answer("pong").await;
        let took = clock::now() - asked;
        assert!(took >= Duration::from_millis(150), "{took:?}");
    }
    scene.proxy.clear();
    pair.answer("after").await;
    let counters = scene.proxy.counters();
    assert_eq!((counters.bytes_delayed.get(), counters.bytes_to_clients.get()), (3 * 4, 6 + 3 * 4 + 5));
}

#[tokio::test]
async fn requests_are_not_delayed() {
    let scene = Scene::new().await;
    scene.proxy.delay(latency(AN_HOUR_MS));
    let mut pair = scene.pair().await;
    pair.ask("now").await;
    pair.client.shutdown().await.unwrap();
    expect_end(&mut pair.upstream).await;
}

#[tokio::test]
async fn what_is_held_back_when_a_latency_is_cleared_or_shortened_waits_no_longer_than_the_new_one() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    for then in [None, Some(latency(20))] {
        scene.proxy.delay(latency(AN_HOUR_MS));
        pair.upstream.write_all(b"held").await.unwrap();
        expect_nothing(&mut pair.client).await;
        match then {
            Some(shorter) => scene.proxy.delay(shorter),
            None => scene.proxy.clear(),
        }
        expect(&mut pair.client, "held").await;
    }
}

#[tokio::test]
async fn with_jitter_each_answer_takes_at_least_the_least_and_all_keep_their_order() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    scene.proxy.delay(AddedLatency { delay_ms: 60, jitter_ms: 40 });
    for _ in 0..5 {
        let asked = clock::now();
        pair.answer("pong").await;
        let took = clock::now() - asked;
        assert!(took >= Duration::from_millis(20), "{took:?}");
    }
    let sent: String = (0..500).map(|n| format!("{n:04}")).collect();
    for word in sent.as_bytes().chunks(4) {
        pair.upstream.write_all(word).await.unwrap();
        tokio::task::yield_now().await;
    }
    expect(&mut pair.client, &sent).await;
}

#[tokio::test]
async fn many_answers_are_on_their_way_at_once() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    const DELAY_MS: u64 = 300;
    const CHUNKS: u32 = 200;
    scene.proxy.delay(latency(DELAY_MS));
    let began = clock::now();
    // Two milliseconds apart, they are chunks of their own.
    let send = async {
        for _ in 0..CHUNKS {
            pair.upstream.write_all(b"chunk").await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let all = "chunk".repeat(CHUNKS as usize);
    tokio::join!(send, expect(&mut pair.client, &all));
    // One after the other, they would take a minute.
    let took = clock::now() - began;
    assert!(took < Duration::from_millis(DELAY_MS) * CHUNKS / 2, "{took:?}");
}

#[tokio::test]
async fn an_end_and_a_reset_are_as_late_as_what_came_before_them() {
    let scene = Scene::new().await;
    for is_reset in [false, true] {
        let mut pair = scene.pair().await;
        pair.ask("hello").await;
        scene.proxy.delay(latency(100));
        let began = clock::now();
        pair.upstream.write_all(b"goodbye").await.unwrap();
        if is_reset {
            reset(pair.upstream);
        } else {
            pair.upstream.shutdown().await.unwrap();
        }
        // What a reset overtakes in the system's own buffers is the system's business.
        let mut read = Vec::new();
        let ended = soon("it ends", pair.client.read_to_end(&mut read)).await;
        assert_eq!(ended.is_err(), is_reset);
        assert!(is_reset || read == b"goodbye");
        assert!(clock::now() - began >= Duration::from_millis(100));
        scene.proxy.clear();
    }
}

#[tokio::test]
async fn of_what_is_held_back_no_more_is_taken_than_the_bound_and_what_the_system_holds() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    scene.proxy.delay(latency(AN_HOUR_MS));
    let bound = LINE_BYTES_MAX + kernel_buffers_max();
    let taken = write_until_stuck(&mut pair.upstream, 2 * bound).await;
    assert!(taken <= bound, "{taken} of {bound}");
    assert_eq!(scene.proxy.counters().bytes_to_clients.get(), 0);
    // And all of it arrives.
    scene.proxy.clear();
    let mut read = vec![0; taken];
    soon("all arrives", pair.client.read_exact(&mut read)).await.unwrap();
}

#[tokio::test]
async fn a_gateway_that_is_gone_cuts_what_is_open_and_refuses_what_comes_until_it_is_light() {
    let scene = Scene::new().await;
    let mut pair = scene.pair().await;
    pair.ask("hello").await;
    scene.proxy.go_dark(AN_HOUR);
    expect_reset(&mut pair.client).await;
    expect_reset(&mut pair.upstream).await;
    for _ in 0..3 {
        let mut client = scene.connect().await;
        expect_reset(&mut client).await;
    }
    let counters = scene.proxy.counters();
    assert_eq!((counters.cut.get(), counters.refused_dark.get(), counters.upstream_failed.get()), (1, 3, 0));

    scene.proxy.clear();
    let mut pair = scene.pair().await;
    pair.ask("light?").await;
    pair.answer("light").await;
}

#[tokio::test]
async fn a_darkness_of_a_given_length_ends_by_itself_and_not_sooner() {
    let scene = Scene::new().await;
    let lasts = Duration::from_millis(150);
    let began = clock::now();
    scene.proxy.go_dark(lasts);
    let refused = || scene.proxy.counters().refused_dark.get();
    soon("it is light", async {
        loop {
            let before = refused();
            let mut client = scene.connect().await;
            let is_reset = timeout(Duration::from_millis(20), client.read(&mut [0])).await.is_ok();
            if !is_reset && refused() == before {
                return client;
            }
        }
    })
    .await;
    assert!(clock::now() - began >= lasts);
}

#[tokio::test]
async fn a_darkness_that_took_the_place_of_another_does_not_end_with_it() {
    let scene = Scene::new().await;
    scene.proxy.go_dark(Duration::from_millis(1));
    scene.proxy.go_dark(AN_HOUR);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut client = scene.connect().await;
    expect_reset(&mut client).await;
}
